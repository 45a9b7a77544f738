# RFC 3501 section 6.4.5: BODY[] sections, PEEK, partial fetches
M: INBOX plain.eml
C: a1 SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S: * 1 RECENT
S: * OK [UNSEEN 1] First unseen.
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 2] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a1 OK [READ-WRITE] Select completed.
C: b FETCH 1 BODY.PEEK[]
S: * 1 FETCH (BODY[] {191}
S: From: Alice Example <alice@example.org>
S: To: Bob <bob@example.org>
S: Subject: Hello
S: Date: Mon, 7 Feb 1994 21:52:25 -0800
S: Message-ID: <a1@example.org>
S: 
S: Hello Bob,
S: 
S: this is a short text.
S: )
S: b OK Fetch completed.
C: c FETCH 1 (BODY.PEEK[HEADER.FIELDS (subject FROM)] UID)
S: * 1 FETCH (UID 1 BODY[HEADER.FIELDS (subject FROM)] {59}
S: From: Alice Example <alice@example.org>
S: Subject: Hello
S: 
S: )
S: c OK Fetch completed.
C: d FETCH 1 BODY.PEEK[HEADER.FIELDS.NOT (To Date Message-ID From)]
S: * 1 FETCH (BODY[HEADER.FIELDS.NOT (To Date Message-ID From)] {18}
S: Subject: Hello
S: 
S: )
S: d OK Fetch completed.
C: e FETCH 1 BODY.PEEK[]<0.4>
S: * 1 FETCH (BODY[]<0> {4}
S: From)
S: e OK Fetch completed.
C: f FETCH 1 BODY.PEEK[TEXT]<6.4>
S: * 1 FETCH (BODY[TEXT]<6> {4}
S: Bob,)
S: f OK Fetch completed.
C: g FETCH 1 BODY.PEEK[TEXT]<10.4>
S: * 1 FETCH (BODY[TEXT]<10> {4}
S: 
S: 
S: )
S: g OK Fetch completed.
C: h FETCH 1 BODY.PEEK[TEXT]<37.10>
S: * 1 FETCH (BODY[TEXT]<37> {0}
S: )
S: h OK Fetch completed.
C: i FETCH 1 BODY.PEEK[TEXT]<30.4294967295>
S: * 1 FETCH (BODY[TEXT]<30> {7}
S: text.
S: )
S: i OK Fetch completed.
C: j FETCH 1 BODY.PEEK[]<0.0>
S: j BAD Error in IMAP command FETCH: Invalid partial range.
C: k FETCH 1 (BODY.PEEK[1] BODY.PEEK[2])
S: * 1 FETCH (BODY[1] {37}
S: Hello Bob,
S: 
S: this is a short text.
S:  BODY[2] NIL)
S: k OK Fetch completed.
C: l FETCH 1 RFC822.HEADER
S: * 1 FETCH (RFC822.HEADER {154}
S: From: Alice Example <alice@example.org>
S: To: Bob <bob@example.org>
S: Subject: Hello
S: Date: Mon, 7 Feb 1994 21:52:25 -0800
S: Message-ID: <a1@example.org>
S: 
S: )
S: l OK Fetch completed.
C: m FETCH 1 (FLAGS)
S: * 1 FETCH (FLAGS (\Recent))
S: m OK Fetch completed.
C: n FETCH 1 RFC822.TEXT
S: * 1 FETCH (FLAGS (\Seen \Recent) RFC822.TEXT {37}
S: Hello Bob,
S: 
S: this is a short text.
S: )
S: n OK Fetch completed.
C: o FETCH 1 BODY[TEXT]<0.5>
S: * 1 FETCH (BODY[TEXT]<0> {5}
S: Hello)
S: o OK Fetch completed.
C: p FETCH 1 BODY[MIME]
S: p BAD Error in IMAP command FETCH: Unknown body section.
C: q FETCH 1 BODY[1
S: q BAD Error in IMAP command FETCH: Missing ']'.
C: r FETCH 1 BODY[0]
S: r BAD Error in IMAP command FETCH: Invalid part number.
C: s FETCH 1 BODY.PEEK[HEADER.FIELDS ()]
S~ s BAD *
