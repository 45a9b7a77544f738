# COPY into the selected mailbox itself: the copies are announced
M: INBOX plain.eml \Flagged
C: b SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S: * 1 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: b OK [READ-WRITE] Select completed.
C: c COPY 1 INBOX
S: * 2 EXISTS
S~ * * RECENT
S~ c OK [COPYUID * 1 2] Copy completed.
C: d FETCH 1:2 (FLAGS RFC822.SIZE)
S~ * 1 FETCH (FLAGS (\Flagged*) RFC822.SIZE 191)
S~ * 2 FETCH (FLAGS (\Flagged*) RFC822.SIZE 191)
S: d OK Fetch completed.
