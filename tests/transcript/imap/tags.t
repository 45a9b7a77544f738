# RFC 3501 section 2.2.1: tags are any ASTRING-CHARs but "+"
C: A.1-x_y] NOOP
S: A.1-x_y] OK NOOP completed.
C: 1 NOOP
S: 1 OK NOOP completed.
C: a{b NOOP
S: * BAD Error in IMAP command received by server: Invalid tag.
C: a"b NOOP
S: * BAD Error in IMAP command received by server: Invalid tag.
C: * NOOP
S: * BAD Error in IMAP command received by server: Invalid tag.
