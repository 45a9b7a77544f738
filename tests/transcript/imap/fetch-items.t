# RFC 3501 sections 6.4.5 and 7.4.2: FETCH items and macros
M: INBOX plain.eml
C: a1 EXAMINE INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded)
S: * OK [PERMANENTFLAGS ()] Read-only mailbox.
S: * 1 EXISTS
S: * 1 RECENT
S: * OK [UNSEEN 1] First unseen.
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 2] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a1 OK [READ-ONLY] Examine completed.
C: b FETCH 1 FAST
S: * 1 FETCH (FLAGS (\Recent) INTERNALDATE "09-Sep-2001 01:46:40 +0000" RFC822.SIZE 191)
S: b OK Fetch completed.
C: c FETCH 1 all
S: * 1 FETCH (FLAGS (\Recent) INTERNALDATE "09-Sep-2001 01:46:40 +0000" RFC822.SIZE 191 ENVELOPE ("Mon, 7 Feb 1994 21:52:25 -0800" "Hello" (("Alice Example" NIL "alice" "example.org")) (("Alice Example" NIL "alice" "example.org")) (("Alice Example" NIL "alice" "example.org")) (("Bob" NIL "bob" "example.org")) NIL NIL NIL "<a1@example.org>"))
S: c OK Fetch completed.
C: d FETCH 1 FULL
S: * 1 FETCH (FLAGS (\Recent) INTERNALDATE "09-Sep-2001 01:46:40 +0000" RFC822.SIZE 191 ENVELOPE ("Mon, 7 Feb 1994 21:52:25 -0800" "Hello" (("Alice Example" NIL "alice" "example.org")) (("Alice Example" NIL "alice" "example.org")) (("Alice Example" NIL "alice" "example.org")) (("Bob" NIL "bob" "example.org")) NIL NIL NIL "<a1@example.org>") BODY ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 37 3))
S: d OK Fetch completed.
C: e FETCH 1 BODYSTRUCTURE
S: * 1 FETCH (BODYSTRUCTURE ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 37 3 NIL NIL NIL NIL))
S: e OK Fetch completed.
C: f FETCH 1 (UID)
S: * 1 FETCH (UID 1)
S: f OK Fetch completed.
C: g UID FETCH 1 (RFC822.SIZE)
S: * 1 FETCH (UID 1 RFC822.SIZE 191)
S: g OK Fetch completed.
C: h UID FETCH 77 (FLAGS)
S: h OK Fetch completed.
C: i FETCH 2 (FLAGS)
S: i BAD Error in IMAP command FETCH: Invalid messageset.
C: j FETCH 0 (FLAGS)
S: j BAD Error in IMAP command FETCH: Invalid messageset.
C: k FETCH 1 (NOSUCH)
S: k BAD Error in IMAP command FETCH: Unknown item.
C: l FETCH 1 ()
S: l BAD Error in IMAP command FETCH: Unknown item.
C: m FETCH 1
S: m BAD Error in IMAP command FETCH: Missing arguments.
C: n FETCH 1 (FLAGS
S: n BAD Error in IMAP command FETCH: Expected the end of a list.
C: o FETCH * UID
S: * 1 FETCH (UID 1)
S: o OK Fetch completed.
C: p UID FETCH 500:* (UID)
S: * 1 FETCH (UID 1)
S: p OK Fetch completed.
