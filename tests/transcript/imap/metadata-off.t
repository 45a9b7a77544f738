# METADATA where it is not switched on
C: a GETMETADATA "" /shared/comment
S: a BAD Error in IMAP command GETMETADATA: Unknown command.
