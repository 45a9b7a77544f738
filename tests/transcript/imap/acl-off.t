# RFC 4314: without access control there is neither the capability nor a command of it
# real storage
C: a1 CAPABILITY
S~ * CAPABILITY IMAP4rev1 *
S: a1 OK Capability completed.
C: a2 MYRIGHTS INBOX
S: a2 BAD Error in IMAP command MYRIGHTS: Unknown command.
C: a3 SETACL INBOX bob lr
S: a3 BAD Error in IMAP command SETACL: Unknown command.
C: a4 LIST "" * RETURN (MYRIGHTS)
S~ a4 BAD Error in IMAP command LIST: *
C: z LOGOUT
S: * BYE Logging out
S: z OK Logout completed.
