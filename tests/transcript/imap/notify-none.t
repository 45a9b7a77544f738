# RFC 5465 section 3.1: nothing is told of what others do, not even in front of a STORE; the client's own changes are
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
C: b NOTIFY NONE
S: b OK NOTIFY completed.
2C: a APPEND INBOX {6+}
2C= S: xxx\r\n
2S~ a OK [APPENDUID * 2] Append completed.
C: c STORE 1 +FLAGS (\Flagged)
S: * 1 FETCH (UID 1 FLAGS (\Flagged \Recent))
S: c OK Store completed.
C: d IDLE
S: + idling
C: DONE
S: d OK Idle completed.
