# An APPEND by one session is seen by another's NOOP
C: a SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 0 EXISTS
S: * 0 RECENT
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
2C: a APPEND INBOX (\Seen) {6+}
2C= A: b\r\n\r\n
2S~ a OK [APPENDUID * 1] Append completed.
C: b NOOP
S: * 1 EXISTS
S: * 1 RECENT
S: b OK NOOP completed.
C: c FETCH 1 (FLAGS)
S: * 1 FETCH (FLAGS (\Seen \Recent))
S: c OK Fetch completed.
