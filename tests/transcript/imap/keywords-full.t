# PERMANENTFLAGS has no \* when no more keywords fit
O: mail_max_keywords=2
M: INBOX plain.eml
C: a SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS (* \*)] Flags permitted.
S: * 1 EXISTS
S: * 1 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
C: b STORE 1 +FLAGS (one two)
S~ * FLAGS *
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded one two)] Flags permitted.
S: * 1 FETCH (FLAGS (\Recent one two))
S: b OK Store completed.
C: c STORE 1 +FLAGS (three)
S: c NO [LIMIT] A limit of this server would be exceeded.
# real storage
