# A message that another session expunged does not match, and its number stays until a command may tell
M: INBOX plain.eml
M: INBOX bare.eml
C: a SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 2 EXISTS
S: * 2 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
2C: a SELECT INBOX
2S~ * FLAGS *
2S~ * OK [PERMANENTFLAGS *
2S: * 2 EXISTS
2S: * 0 RECENT
2S~ * OK [UNSEEN *
2S~ * OK [UIDVALIDITY *
2S~ * OK [UIDNEXT *
2S~ * OK [MAILBOXID (M*
2S~ * OK [HIGHESTMODSEQ *
2S: a OK [READ-WRITE] Select completed.
2C: b STORE 1 +FLAGS.SILENT (\Deleted)
2S: b OK Store completed.
2C: c EXPUNGE
2S: * 1 EXPUNGE
2S: c OK Expunge completed.
C: b SEARCH TEXT body
S: * SEARCH 2
S: b OK Search completed.
C: c UID SEARCH TEXT body
S: * SEARCH 2
S: * 1 EXPUNGE
S: c OK Search completed.
C: d SEARCH TEXT body
S: * SEARCH 1
S: d OK Search completed.
