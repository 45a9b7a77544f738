# RFC 3501 section 6.4.5: part numbers, MIME, and the message inside of a message/rfc822 part
M: INBOX mixed.eml
M: INBOX nested.eml
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
C: b FETCH 1 (BODY.PEEK[1] BODY.PEEK[2.MIME] BODY.PEEK[2] BODY.PEEK[3])
S: * 1 FETCH (BODY[1] {21}
S~ Viele Gr=C3=BC=C3=9Fe BODY[2.MIME] {*}
S: Content-Type: application/octet-stream; name="a.bin"
S: Content-Disposition: attachment; filename="a.bin"
S: Content-Transfer-Encoding: base64
S: 
S:  BODY[2] {8}
S: AAECAwQF BODY[3] NIL)
S: b OK Fetch completed.
C: c FETCH 1 BODYSTRUCTURE
S: * 1 FETCH (BODYSTRUCTURE (("text" "plain" ("charset" "utf-8") NIL NIL "quoted-printable" 21 0 NIL NIL NIL NIL)("application" "octet-stream" ("name" "a.bin") NIL NIL "base64" 8 NIL ("attachment" ("filename" "a.bin")) NIL NIL) "mixed" ("boundary" "b1") NIL NIL NIL))
S: c OK Fetch completed.
C: d FETCH 1 ENVELOPE
S: * 1 FETCH (ENVELOPE ("Tue, 21 Nov 2023 10:00:00 +0100" "=?UTF-8?Q?Gr=C3=BC=C3=9Fe?=" ((NIL NIL "carol" "example.org")) ((NIL NIL "carol" "example.org")) ((NIL NIL "carol" "example.org")) ((NIL NIL "alice" "example.org")("Bob, the second" NIL "bob" "example.org")) ((NIL NIL "dave" "example.org")) NIL NIL "<c2@example.org>"))
S: d OK Fetch completed.
C: e FETCH 2 (BODY.PEEK[2.HEADER] BODY.PEEK[2.HEADER.FIELDS (Subject)] BODY.PEEK[2.1] BODY.PEEK[2.2.MIME])
S~ * 2 FETCH (BODY[2.HEADER] {*}
S: From: inner@example.net
S: Subject: the inner one
S: MIME-Version: 1.0
S: Content-Type: multipart/alternative; boundary=yy
S: 
S:  BODY[2.HEADER.FIELDS (Subject)] {26}
S: Subject: the inner one
S: 
S:  BODY[2.1] {11}
S: inner plain BODY[2.2.MIME] {27}
S: Content-Type: text/html
S: 
S: )
S: e OK Fetch completed.
C: f FETCH 2 BODY.PEEK[2.TEXT]<8.24>
S: * 2 FETCH (BODY[2.TEXT]<8> {24}
S~ ntent-Type: text/plain*
S: )
S: f OK Fetch completed.
C: g FETCH 2 BODY.PEEK[2.2.1.1.1]
S: * 2 FETCH (BODY[2.2.1.1.1] NIL)
S: g OK Fetch completed.
