# RFC 3501 section 5.2: what another session does is told at the end of the next command
P: Other
M: INBOX plain.eml
M: INBOX mixed.eml
M: INBOX nested.eml
C: a SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 3 EXISTS
S: * 3 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT 4] *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
2C: a SELECT INBOX
2S~ * FLAGS *
2S~ * OK [PERMANENTFLAGS *
2S: * 3 EXISTS
2S: * 0 RECENT
2S~ * OK [UNSEEN *
2S~ * OK [UIDVALIDITY *
2S~ * OK [UIDNEXT 4] *
2S~ * OK [MAILBOXID (M*
2S~ * OK [HIGHESTMODSEQ *
2S: a OK [READ-WRITE] Select completed.
2C: b STORE 1 +FLAGS (\Flagged NewKey)
2S~ * FLAGS *
2S~ * OK [PERMANENTFLAGS *
2S: * 1 FETCH (FLAGS (\Flagged NewKey))
2S: b OK Store completed.
C: b NOOP
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded NewKey)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded NewKey \*)] Flags permitted.
S: * 1 FETCH (FLAGS (\Flagged \Recent NewKey))
S: b OK NOOP completed.
2C: c STORE 2 +FLAGS.SILENT (\Deleted)
2S: c OK Store completed.
2C: d EXPUNGE
2S: * 2 EXPUNGE
2S: d OK Expunge completed.
C: c FETCH 3 (UID)
S: * 3 FETCH (UID 3)
S: c OK Fetch completed.
C: d FETCH 2 (FLAGS)
S: d NO [EXPUNGEISSUED] Some of the requested messages no longer exist.
C: e SEARCH ALL
S: * SEARCH 1 3
S: e OK Search completed.
C: f STORE 3 +FLAGS.SILENT (\Seen)
S: f OK Store completed.
C: g NOOP
S: * 2 EXPUNGE
S: g OK NOOP completed.
2C: e APPEND INBOX {5+}
2C: a: b

2S: * 3 EXISTS
2S~ * * RECENT
2S: * 2 FETCH (FLAGS (\Seen))
2S~ e OK [APPENDUID * 4] Append completed.
C: h UID FETCH 4 (UID)
S: * 3 EXISTS
S~ * * RECENT
S: h OK Fetch completed.
