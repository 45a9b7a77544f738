# RFC 7162 section 3.1: what enables CONDSTORE within a selected mailbox is answered with HIGHESTMODSEQ
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
S~ * OK [HIGHESTMODSEQ %{h}] Highest
S: a OK [READ-WRITE] Select completed.
C: b STORE 1 +FLAGS.SILENT (\Seen)
S: b OK Store completed.
C: c ENABLE CONDSTORE X-UNKNOWN
S~ * OK [HIGHESTMODSEQ *] Highest
S: * ENABLED CONDSTORE
S: c OK Enabled.
C: d STORE 1 +FLAGS.SILENT (\Flagged)
S~ * 1 FETCH (UID 1 MODSEQ (*))
S: d OK Store completed.
C: e ENABLE
S: e BAD Error in IMAP command ENABLE: Missing arguments.
C: f ENABLE X
S: * ENABLED
S: f OK Enabled.
C: g FETCH 1 BODY[TEXT]<0.1>
S: * 1 FETCH (BODY[TEXT]<0> {1}
S: H)
S: g OK Fetch completed.
C: h STORE 1 FLAGS.SILENT ()
S~ * 1 FETCH (UID 1 MODSEQ (%{m}))
S: h OK Store completed.
C: i FETCH 1 BODY[TEXT]<0.1>
S~ * 1 FETCH (FLAGS (\Seen \Recent) MODSEQ (%{n}) BODY[TEXT]<0> {1}
S: H)
S: i OK Fetch completed.
C: j STORE 1 +FLAGS (\Deleted)
S~ * 1 FETCH (FLAGS (\Deleted \Seen \Recent) MODSEQ (*))
S: j OK Store completed.
C: k EXPUNGE
S: * 1 EXPUNGE
S~ k OK [HIGHESTMODSEQ *] Expunge completed.
