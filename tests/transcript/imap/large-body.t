# A message larger than every buffer, whole and in pieces
M: INBOX @3000000
C: a EXAMINE INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S: * 1 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-ONLY] Examine completed.
C: b FETCH 1 (BODY[TEXT]<1000000.46> BODY[TEXT]<2000000.46>)
S~ * 1 FETCH (BODY[TEXT]<1000000> {46}
S~ *
S~ * BODY[TEXT]<2000000> {46}
S~ *
S~ *)
S: b OK Fetch completed.
C: c SEARCH LARGER 3000000
S: * SEARCH 1
S: c OK Search completed.
