# UIDs that are not there are passed over (RFC 3501 section 6.4.8)
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
C: b UID FETCH 2:5,9 (BODY[])
S: b OK Fetch completed.
C: c UID STORE 2:4294967295 +FLAGS (\Deleted)
S: c OK Store completed.
C: d UID EXPUNGE 1:*
S: d OK Expunge completed.
C: e UID SEARCH UID 2:9
S: * SEARCH
S: e OK Search completed.
C: f UID FETCH 4294967295:* (UID)
S: * 1 FETCH (UID 1)
S: f OK Fetch completed.
