# RFC 3501 section 6.4.6: .SILENT hides this session's change, not those that others made before it
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
2C: a SELECT INBOX
2S~ * FLAGS *
2S~ * OK [PERMANENTFLAGS *
2S: * 1 EXISTS
2S: * 0 RECENT
2S~ * OK [UNSEEN *
2S~ * OK [UIDVALIDITY *
2S~ * OK [UIDNEXT *
2S~ * OK [MAILBOXID (M*
2S~ * OK [HIGHESTMODSEQ *
2S: a OK [READ-WRITE] Select completed.
2C: b STORE 1 +FLAGS.SILENT (\Flagged)
2S: b OK Store completed.
C: b STORE 1 +FLAGS.SILENT (\Seen)
S: * 1 FETCH (FLAGS (\Flagged \Recent))
S: b OK Store completed.
2C: c NOOP
2S: * 1 FETCH (FLAGS (\Flagged \Seen))
2S: c OK NOOP completed.
