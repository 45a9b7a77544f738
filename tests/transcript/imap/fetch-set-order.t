# Sets may be in any order, with overlaps: each message is answered once
M: INBOX plain.eml
M: INBOX mixed.eml
M: INBOX bare.eml
C: a EXAMINE INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 3 EXISTS
S~ * * RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-ONLY] Examine completed.
C: b FETCH 3,1:2,2,*:2 (UID)
S: * 1 FETCH (UID 1)
S: * 2 FETCH (UID 2)
S: * 3 FETCH (UID 3)
S: b OK Fetch completed.
C: c FETCH 1:2:3 (UID)
S: c BAD Error in IMAP command FETCH: Invalid messageset.
C: d FETCH 1, (UID)
S: d BAD Error in IMAP command FETCH: Invalid messageset.
C: e FETCH x (UID)
S: e BAD Error in IMAP command FETCH: Invalid messageset.
C: f UID FETCH 4294967296 (UID)
S: f BAD Error in IMAP command UID FETCH: Invalid UID set.
C: g FETCH $ (UID)
S: g BAD Error in IMAP command FETCH: Invalid messageset.
