# RFC 3501 section 7.1.3: BAD; too many in a row end the session
O: imap_max_bad_commands=3
C: a NOSUCH
S: a BAD Error in IMAP command NOSUCH: Unknown command.
C: b UID NOSUCH
S: b BAD Error in IMAP command UID NOSUCH: Unknown command.
C: c UID
S: c BAD Error in IMAP command UID: Missing command.
C: d NOOP
S: d OK NOOP completed.
C: e
S: * BAD Error in IMAP command received by server: Invalid tag.
C= \r\n
S: * BAD Error in IMAP command received by server: Invalid tag.
C: +tag NOOP
S: * BAD Error in IMAP command received by server: Invalid tag.
C: f UID NOOP
S: f BAD Error in IMAP command UID NOOP: Unknown command.
S: * BYE Too many invalid commands.
X:
