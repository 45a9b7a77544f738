# RFC 3501 section 6.4.4: SEARCH keys
M: INBOX plain.eml \Seen
M: INBOX mixed.eml \Flagged
M: INBOX nested.eml $Label1
M: INBOX bare.eml \Deleted
M: INBOX crlf.eml
C: a EXAMINE INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 5 EXISTS
S: * 5 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 6] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-ONLY] Examine completed.
C: b1 SEARCH ALL
S: * SEARCH 1 2 3 4 5
S: b1 OK Search completed.
C: b2 SEARCH SEEN
S: * SEARCH 1
S: b2 OK Search completed.
C: b3 SEARCH UNSEEN FLAGGED
S: * SEARCH 2
S: b3 OK Search completed.
C: b4 SEARCH KEYWORD $Label1
S: * SEARCH 3
S: b4 OK Search completed.
C: b5 SEARCH UNKEYWORD $Label1
S: * SEARCH 1 2 4 5
S: b5 OK Search completed.
C: b6 SEARCH KEYWORD NeverUsed
S: * SEARCH
S: b6 OK Search completed.
C: b7 SEARCH NOT (OR DELETED FLAGGED)
S: * SEARCH 1 3 5
S: b7 OK Search completed.
C: b8 SEARCH FROM carol
S: * SEARCH 2
S: b8 OK Search completed.
C: b9 SEARCH SUBJECT HELLO
S: * SEARCH 1
S: b9 OK Search completed.
C: c2 SEARCH CHARSET UTF-8 SUBJECT {7+}
C= Gr\xc3\xbc\xc3\x9fe\r\n
S: * SEARCH 2
S: c2 OK Search completed.
C: c3 SEARCH CHARSET ISO-8859-1 SUBJECT {5+}
C= Gr\xfc\xdfe\r\n
S: * SEARCH 2
S: c3 OK Search completed.
C: c4 SEARCH CHARSET NOSUCH ALL
S: c4 NO [BADCHARSET (US-ASCII UTF-8)] Unknown charset.
C: d1 SEARCH HEADER X-Odd ""
S: * SEARCH 2
S: d1 OK Search completed.
C: d2 SEARCH HEADER Message-ID "a1@"
S: * SEARCH 1
S: d2 OK Search completed.
C: d3 SEARCH TO bob CC dave
S: * SEARCH 2
S: d3 OK Search completed.
C: d4 SEARCH BCC x
S: * SEARCH
S: d4 OK Search completed.
C: e1 SEARCH BODY "short text"
S: * SEARCH 1
S: e1 OK Search completed.
C: e2 SEARCH TEXT "example.org"
S: * SEARCH 1 2 3 5
S: e2 OK Search completed.
C: e3 SEARCH BODY "inner html"
S: * SEARCH 3
S: e3 OK Search completed.
C: f1 SEARCH LARGER 190 SMALLER 192
S: * SEARCH 1
S: f1 OK Search completed.
C: f2 SEARCH SENTON 7-Feb-1994
S: * SEARCH 1
S: f2 OK Search completed.
C: f3 SEARCH SENTBEFORE 1-Jan-2020
S: * SEARCH 1
S: f3 OK Search completed.
C: f4 SEARCH SENTSINCE "1-Jan-2020"
S: * SEARCH 2 3
S: f4 OK Search completed.
C: f5 SEARCH ON 10-Sep-2001
S: * SEARCH 2
S: f5 OK Search completed.
C: f6 SEARCH BEFORE 10-Sep-2001
S: * SEARCH 1
S: f6 OK Search completed.
C: f7 SEARCH SINCE 12-Sep-2001
S: * SEARCH 4 5
S: f7 OK Search completed.
C: g1 SEARCH 2:4 UNDELETED
S: * SEARCH 2 3
S: g1 OK Search completed.
C: g2 SEARCH UID 4:*
S: * SEARCH 4 5
S: g2 OK Search completed.
C: g3 UID SEARCH UID 2,5
S: * SEARCH 2 5
S: g3 OK Search completed.
C: g4 SEARCH *
S: * SEARCH 5
S: g4 OK Search completed.
C: g5 SEARCH 9
S: g5 BAD Error in IMAP command SEARCH: Invalid messageset.
C: h1 SEARCH NEW
S: * SEARCH 2 3 4 5
S: h1 OK Search completed.
C: h2 SEARCH OLD
S: * SEARCH
S: h2 OK Search completed.
C: h3 SEARCH RECENT ANSWERED
S: * SEARCH
S: h3 OK Search completed.
C: h4 SEARCH UNANSWERED UNDRAFT UNFLAGGED NOT DRAFT
S: * SEARCH 1 3 4 5
S: h4 OK Search completed.
C: i1 SEARCH
S: i1 BAD Error in IMAP command SEARCH: Missing search keys.
C: i2 SEARCH NOSUCH
S: i2 BAD Error in IMAP command SEARCH: Unknown search key.
C: i3 SEARCH (SEEN
S~ i3 BAD *
C: i4 SEARCH OR SEEN
S: i4 BAD Error in IMAP command SEARCH: Missing arguments.
C: i5 SEARCH BEFORE 31-Feb-2000x
S: i5 BAD Error in IMAP command SEARCH: Invalid search date.
C: i6 SEARCH LARGER -1
S: i6 BAD Error in IMAP command SEARCH: Expected a number.
