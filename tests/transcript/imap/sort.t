# RFC 5256 section 3: SORT; RFC 5957: DISPLAYFROM; RFC 7162 section 3.1.6: MODSEQ
M: INBOX sort1.eml
M: INBOX sort2.eml
M: INBOX sort3.eml \Seen
M: INBOX sort4.eml
M: INBOX sort5.eml
M: INBOX sort6.eml
M: INBOX sort7.eml
M: INBOX sort8.eml
C: a EXAMINE INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 8 EXISTS
S: * 8 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 9] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-ONLY] Examine completed.
C: b SORT (SUBJECT) UTF-8 ALL
S: * SORT 4 8 1 2 3 5 7 6
S: b OK Sort completed.
C: c SORT (REVERSE DATE) US-ASCII ALL
S: * SORT 8 6 7 5 2 1 3 4
S: c OK Sort completed.
C: d SORT (FROM) UTF-8 ALL
S: * SORT 1 5 2 4 6 7 3 8
S: d OK Sort completed.
C: e SORT (TO) UTF-8 ALL
S: * SORT 4 2 1 8 7 6 5 3
S: e OK Sort completed.
C: f SORT (CC) UTF-8 ALL
S: * SORT 3 2 4 5 6 7 8 1
S: f OK Sort completed.
C: g SORT (SIZE) UTF-8 ALL
S: * SORT 1 5 7 6 2 8 4 3
S: g OK Sort completed.
C: h SORT (DISPLAYFROM) UTF-8 ALL
S: * SORT 2 3 5 4 6 7 8 1
S: h OK Sort completed.
C: i UID SORT (SUBJECT REVERSE DATE) "UTF-8" UID 1:*
S: * SORT 8 4 5 2 1 3 7 6
S: i OK Sort completed.
C: j SORT (ARRIVAL) UTF-8 UNSEEN 2:4
S: * SORT 2 4
S: j OK Sort completed.
C: k SORT (DATE) UTF-8 FLAGGED
S: * SORT
S: k OK Sort completed.
C: l SORT (DATE) UTF-8 2,1 MODSEQ 1
S~ * OK [HIGHESTMODSEQ *
S~ * SORT 1 2 (MODSEQ *)
S: l OK Sort completed.
C: m SORT (DATE) X-NONE ALL
S: m NO [BADCHARSET (US-ASCII UTF-8)] Unknown charset.
C: n SORT DATE UTF-8 ALL
S: n BAD Error in IMAP command SORT: Missing sort criteria.
C: o SORT (LENGTH) UTF-8 ALL
S: o BAD Error in IMAP command SORT: Unknown sort key.
C: p SORT (REVERSE) UTF-8 ALL
S~ p BAD *
C: q SORT () UTF-8 ALL
S~ q BAD *
C: r SORT (DATE) UTF-8
S~ r BAD *
C: s SORT (DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE DATE) UTF-8 ALL
S: s BAD Error in IMAP command SORT: Too many sort keys.
