# RFC 3501 section 6.4.6: STORE
M: INBOX plain.eml
M: INBOX mixed.eml
C: a1 SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 2 EXISTS
S: * 2 RECENT
S: * OK [UNSEEN 1] First unseen.
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 3] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a1 OK [READ-WRITE] Select completed.
C: b STORE 1:2 +FLAGS (\Seen)
S: * 1 FETCH (FLAGS (\Seen \Recent))
S: * 2 FETCH (FLAGS (\Seen \Recent))
S: b OK Store completed.
C: c STORE 1 +FLAGS (\Seen)
S: * 1 FETCH (FLAGS (\Seen \Recent))
S: c OK Store completed.
C: d STORE 2 FLAGS (\Deleted $Work)
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded $Work)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded $Work \*)] Flags permitted.
S: * 2 FETCH (FLAGS (\Deleted \Recent $Work))
S: d OK Store completed.
C: e STORE 2 -FLAGS \Deleted $work
S: * 2 FETCH (FLAGS (\Recent))
S: e OK Store completed.
C: f STORE 1 +FLAGS.SILENT (\Flagged \Answered \Draft)
S: f OK Store completed.
C: g UID STORE 1,2 -FLAGS (\Flagged)
S: * 1 FETCH (UID 1 FLAGS (\Answered \Seen \Draft \Recent))
S: * 2 FETCH (UID 2 FLAGS (\Recent))
S: g OK Store completed.
C: h STORE 1 FLAGS ()
S: * 1 FETCH (FLAGS (\Recent))
S: h OK Store completed.
C: i STORE 1 +FLAGS (\Recent)
S: i BAD Error in IMAP command STORE: Invalid system flag.
C: j STORE 1 +FLAGS (\Nonsense)
S: j BAD Error in IMAP command STORE: Invalid system flag.
C: k STORE 1 *FLAGS (\Seen)
S~ k BAD *
C: l STORE 1 FLAGGY (\Seen)
S: l BAD Error in IMAP command STORE: Unknown item.
C: m STORE 1 +FLAGS ($Forwarded)
S: * 1 FETCH (FLAGS (\Recent $Forwarded))
S: m OK Store completed.
C: n UID STORE 999 +FLAGS (\Seen)
S: n OK Store completed.
C: o STORE 3 +FLAGS (\Seen)
S: o BAD Error in IMAP command STORE: Invalid messageset.
