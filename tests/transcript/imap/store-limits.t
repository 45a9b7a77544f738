# STORE: malformed arguments
M: INBOX plain.eml
C: a SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S: * 1 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
C: b STORE
S: b BAD Error in IMAP command STORE: Invalid messageset.
C: c STORE 1
S: c BAD Error in IMAP command STORE: Missing arguments.
C: d STORE 1 FLAGS
S: d BAD Error in IMAP command STORE: Missing arguments.
C: e STORE 1 +FLAGS (\Seen
S: e BAD Error in IMAP command STORE: Missing arguments.
C: f STORE 1 +FLAGS \Seen junk)
S~ f BAD *
C: g STORE 1 (UNCHANGEDSINCE x) FLAGS ()
S: g BAD Error in IMAP command STORE: Expected a number.
C: h STORE 1 (UNCHANGEDSINCE 5 FLAGS ()
S~ h BAD *
C: i STORE 1 FLAGS (\*)
S: i BAD Error in IMAP command STORE: Expected a flag.
