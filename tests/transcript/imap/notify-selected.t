# RFC 5465 sections 5.1 to 5.3 and 6.1: what is told of the selected mailbox, and when
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
S~ * OK [UIDNEXT *
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
2S~ * OK [UIDNEXT *
2S~ * OK [MAILBOXID (M*
2S~ * OK [HIGHESTMODSEQ *
2S: a OK [READ-WRITE] Select completed.
# what has come is told before the new list holds
2C: b STORE 1 +FLAGS.SILENT (\Flagged)
2S: b OK Store completed.
C: b NOTIFY SET (selected-delayed (MessageNew (FLAGS BODY[HEADER.FIELDS (Subject)]) MessageExpunge))
S: * 1 FETCH (FLAGS (\Flagged \Recent))
S: b OK NOTIFY completed.
# no FlagChange; BODY[...] sets no \Seen
2C: c STORE 1 -FLAGS.SILENT (\Flagged)
2S: c OK Store completed.
2C: d APPEND INBOX {14+}
2C= Subject: abc\r\n\r\n
2S: * 4 EXISTS
2S~ * * RECENT
2S~ d OK [APPENDUID * 4] Append completed.
S: * 4 EXISTS
S~ * * RECENT
S~ * 4 FETCH (UID 4 FLAGS (* BODY[HEADER.FIELDS (Subject)] {16}
S: Subject: abc
S: 
S: )
# expunges wait for a command that may tell of them
2C: e STORE 1 +FLAGS.SILENT (\Deleted)
2S: e OK Store completed.
2C: f EXPUNGE
2S: * 1 EXPUNGE
2S: f OK Expunge completed.
2C: g APPEND INBOX {14+}
2C= Subject: def\r\n\r\n
2S: * 4 EXISTS
2S~ * * RECENT
2S~ g OK [APPENDUID * 5] Append completed.
S: * 5 EXISTS
S~ * * RECENT
S~ * 5 FETCH (UID 5 FLAGS (* BODY[HEADER.FIELDS (Subject)] {16}
S: Subject: def
S: 
S: )
C: c FETCH 2 (UID)
S: * 2 FETCH (UID 2)
S: c OK Fetch completed.
C: d NOOP
S: * 1 EXPUNGE
S: d OK NOOP completed.
# what the client did itself is its own: no FETCH of what it appends, its own STORE as ever
C: e APPEND INBOX {14+}
C= Subject: ghi\r\n\r\n
S: * 5 EXISTS
S~ * * RECENT
S~ e OK [APPENDUID * 6] Append completed.
C: f STORE 2 +FLAGS (\Seen)
S: * 2 FETCH (UID 3 FLAGS (\Seen \Recent))
S: f OK Store completed.
# nothing is wanted: the view stays as it is, but for the client's own EXPUNGE
C: g NOTIFY SET (personal (MailboxName))
S: g OK NOTIFY completed.
2C: h UID STORE 3 +FLAGS.SILENT (\Deleted \Seen)
2S~ * * EXISTS
2S~ * * RECENT
2S~ * 2 FETCH (UID 3 *
2S: h OK Store completed.
2C: i UID EXPUNGE 3
2S~ * 2 EXPUNGE
2S: i OK Expunge completed.
C: h NOOP
S: h OK NOOP completed.
C: i STORE 1 +FLAGS (\Flagged)
S~ * 1 FETCH (UID 2 FLAGS (\Flagged*
S: i OK Store completed.
C: j EXPUNGE
S: * 2 EXPUNGE
S: j OK Expunge completed.
# as in IDLE
C: k ENABLE QRESYNC
S~ * OK [HIGHESTMODSEQ *
S: * ENABLED QRESYNC
S: k OK Enabled.
C: l NOTIFY SET (selected (MessageNew MessageExpunge FlagChange))
S: l OK NOTIFY completed.
C: m IDLE
S: + idling
2C: j UID STORE 2 +FLAGS.SILENT (\Deleted)
2S~ * * FETCH *
2S: j OK Store completed.
S~ * 1 FETCH (UID 2 FLAGS (\Flagged \Deleted* MODSEQ (*))
2C: k UID EXPUNGE 2
2S: * 1 EXPUNGE
2S: k OK Expunge completed.
S: * VANISHED 2
C: DONE
S: m OK Idle completed.
# RFC 7162 section 3.1: with CONDSTORE flags come with their MODSEQ
C: n NOTIFY SET (selected (MessageNew (FLAGS) MessageExpunge FlagChange))
S: n OK NOTIFY completed.
2C: l APPEND INBOX (\Flagged) {6+}
2C= S: xxx\r\n
2S~ * * EXISTS
2S~ * * RECENT
2S~ l OK [APPENDUID * 7] Append completed.
S~ * * EXISTS
S~ * * RECENT
S~ * * FETCH (UID 7 FLAGS (\Flagged*) MODSEQ (*))
