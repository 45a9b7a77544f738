# Field names of HEADER.FIELDS may be any astring (RFC 3501 section 9, header-fld-name)
M: INBOX mixed.eml
C: a EXAMINE INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S: * 1 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-ONLY] Examine completed.
C: b FETCH 1 BODY[HEADER.FIELDS ("X-Odd" {7+}
C: Subject)]
S~ * 1 FETCH (BODY[HEADER.FIELDS (X-Odd Subject)] {*}
S: Subject: =?UTF-8?Q?Gr=C3=BC=C3=9Fe?=
S: X-Odd: yes
S: 
S: )
S: b OK Fetch completed.
C: c FETCH 1 BODY[HEADER.FIELDS (No-Such)]
S: * 1 FETCH (BODY[HEADER.FIELDS (No-Such)] {2}
S: 
S: )
S: c OK Fetch completed.
C: d FETCH 1 (BODY.PEEK[HEADER.FIELDS (Subject)]<9.5> BODY.PEEK[HEADER.FIELDS (X-Odd)]<0.5>)
S: * 1 FETCH (BODY[HEADER.FIELDS (Subject)]<9> {5}
S: =?UTF BODY[HEADER.FIELDS (X-Odd)]<0> {5}
S: X-Odd)
S: d OK Fetch completed.
