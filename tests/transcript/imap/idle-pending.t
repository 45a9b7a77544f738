# Mail that came before IDLE, unannounced, is told behind the "+"
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
2C: a APPEND INBOX {6+}
2C= S: xxx\r\n
2S~ a OK [APPENDUID * 2] Append completed.
C: b IDLE
S: + idling
S: * 2 EXISTS
S~ * * RECENT
C: DONE
S: b OK Idle completed.
