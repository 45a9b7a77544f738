# Mail that arrives in the same moment as IDLE is behind the "+"
C= a SELECT INBOX\r\n
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 0 EXISTS
S: * 0 RECENT
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
C= b APPEND INBOX {6+}\r\nA: b\r\n\r\nc IDLE\r\n
S: * 1 EXISTS
S: * 1 RECENT
S~ b OK [APPENDUID * 1] Append completed.
S: + idling
C: DONE
S: c OK Idle completed.
