# RFC 2177: another session's changes reach an idling client: new mail, flags, expunges
M: INBOX plain.eml
M: INBOX mixed.eml
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
C: b IDLE
S: + idling
2C: a APPEND INBOX {6+}
2C= S: xxx\r\n
2S~ a OK [APPENDUID * 3] Append completed.
S: * 3 EXISTS
S~ * * RECENT
2C: b EXAMINE INBOX
2S~ * FLAGS *
2S~ * OK [PERMANENTFLAGS *
2S: * 3 EXISTS
2S~ * * RECENT
2S~ * OK [UNSEEN *
2S~ * OK [UIDVALIDITY *
2S~ * OK [UIDNEXT *
2S~ * OK [MAILBOXID (M*
2S~ * OK [HIGHESTMODSEQ *
2S: b OK [READ-ONLY] Examine completed.
2C: c SELECT INBOX
2S: * OK [CLOSED] Previous mailbox closed.
2S~ * FLAGS *
2S~ * OK [PERMANENTFLAGS *
2S: * 3 EXISTS
2S~ * * RECENT
2S~ * OK [UNSEEN *
2S~ * OK [UIDVALIDITY *
2S~ * OK [UIDNEXT *
2S~ * OK [MAILBOXID (M*
2S~ * OK [HIGHESTMODSEQ *
2S: c OK [READ-WRITE] Select completed.
2C: d STORE 1 +FLAGS (\Seen)
2S~ * 1 FETCH (FLAGS (\Seen))
2S: d OK Store completed.
S: * 1 FETCH (FLAGS (\Seen \Recent))
2C: e STORE 2 +FLAGS.SILENT (\Deleted)
2S: e OK Store completed.
S: * 2 FETCH (FLAGS (\Deleted \Recent))
2C: f EXPUNGE
2S: * 2 EXPUNGE
2S: f OK Expunge completed.
S: * 2 EXPUNGE
C: DONE
S: b OK Idle completed.
