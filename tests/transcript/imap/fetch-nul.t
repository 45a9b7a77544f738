# RFC 3501 section 9 (CHAR8): no NUL is ever sent; CRLF mail and NUL mail have the size that is announced
M: INBOX nul.eml
M: INBOX crlf.eml
M: INBOX bare.eml
C: a1 EXAMINE INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 3 EXISTS
S: * 3 RECENT
S: * OK [UNSEEN 1] First unseen.
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 4] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a1 OK [READ-ONLY] Examine completed.
C: b FETCH 1 BODY[TEXT]
S: * 1 FETCH (BODY[TEXT] {10}
S~ a*b
S: end
S: )
S: b OK Fetch completed.
C: c FETCH 2 (RFC822.SIZE BODY[])
S: * 2 FETCH (RFC822.SIZE 66 BODY[] {66}
S: From: crlf@example.org
S: Subject: with CRLF
S: 
S: line one
S: line two
S: )
S: c OK Fetch completed.
C: d FETCH 3 ENVELOPE
S: * 3 FETCH (ENVELOPE (NIL "no date and no from" NIL NIL NIL NIL NIL NIL NIL NIL))
S: d OK Fetch completed.
