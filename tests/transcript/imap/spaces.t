# More than one space between arguments, and at the end, is let pass
C= a  NOOP\r\n
S: a OK NOOP completed.
C= b STATUS  INBOX   (MESSAGES) \r\n
S: * STATUS INBOX (MESSAGES 0)
S: b OK Status completed.
C= c LIST  ""  INBOX \r\n
S: * LIST (\HasNoChildren) "/" INBOX
S: c OK List completed.
C= \x20d NOOP\r\n
S: * BAD Error in IMAP command received by server: Invalid tag.
