# \Seen is set by every item without PEEK, for all messages of the set, and told once
M: INBOX plain.eml
M: INBOX mixed.eml \Seen
M: INBOX bare.eml
C: a SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 3 EXISTS
S: * 3 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
C: b FETCH 1:3 (BODY[TEXT]<0.2>)
S: * 1 FETCH (FLAGS (\Seen \Recent) BODY[TEXT]<0> {2}
S: He)
S: * 2 FETCH (BODY[TEXT]<0> {2}
S: pr)
S: * 3 FETCH (FLAGS (\Seen \Recent) BODY[TEXT]<0> {2}
S: bo)
S: b OK Fetch completed.
C: c SEARCH UNSEEN
S: * SEARCH
S: c OK Search completed.
