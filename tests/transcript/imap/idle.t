# RFC 2177: IDLE; what comes meanwhile is told behind the "+"
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
C: b IDLE
S: + idling
C: DONE
S: b OK Idle completed.
C= c IDLE\r\nDONE\r\nd NOOP\r\n
S: + idling
S: c OK Idle completed.
S: d OK NOOP completed.
C: e IDLE
S: + idling
C: nonsense
S: e BAD Error in IMAP command IDLE: Expected DONE.
C: f IDLE now
S: f BAD Error in IMAP command IDLE: Unexpected extra arguments.
C: g IDLE
S: + idling
C: done
S: g OK Idle completed.
