# RFC 7162 section 3.1: CONDSTORE
M: INBOX plain.eml
M: INBOX mixed.eml
M: INBOX nested.eml
C: a SELECT INBOX (CONDSTORE)
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 3 EXISTS
S: * 3 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 4] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ %{h}] Highest
S: a OK [READ-WRITE] Select completed.
C: b FETCH 1 (MODSEQ)
S~ * 1 FETCH (MODSEQ (%{m1}))
S: b OK Fetch completed.
C: c STORE 1 +FLAGS (\Seen)
S~ * 1 FETCH (FLAGS (\Seen \Recent) MODSEQ (%{n1}))
S: c OK Store completed.
C: d STORE 1 (UNCHANGEDSINCE %{m1}) +FLAGS (\Flagged)
S: d OK [MODIFIED 1] Conditional store failed for some.
C: e STORE 1:3 (UNCHANGEDSINCE %{h}) +FLAGS.SILENT (\Answered)
S~ * 2 FETCH (UID 2 MODSEQ (%{n2}))
S~ * 3 FETCH (UID 3 MODSEQ (%{n2}))
S: e OK [MODIFIED 1] Conditional store failed for some.
C: f UID STORE 1:3 (UNCHANGEDSINCE %{n1}) +FLAGS (\Draft)
S~ * 1 FETCH (UID 1 FLAGS (\Seen \Draft \Recent) MODSEQ (%{n3}))
S: f OK [MODIFIED 2:3] Conditional store failed for some.
C: g FETCH 1:* (FLAGS) (CHANGEDSINCE %{n2})
S~ * 1 FETCH (FLAGS (\Seen \Draft \Recent) MODSEQ (%{n3}))
S: g OK Fetch completed.
C: h SEARCH MODSEQ %{n3}
S~ * SEARCH 1 (MODSEQ %{n3})
S: h OK Search completed.
C: i SEARCH MODSEQ "/flags/\\draft" all %{n2}
S~ * SEARCH 1 2 3 (MODSEQ %{n3})
S: i OK Search completed.
C: j SEARCH RETURN (MIN) MODSEQ %{n2}
S~ * ESEARCH (TAG "j") MIN 1 MODSEQ %{n3}
S: j OK Search completed.
C: k SEARCH RETURN (MAX) MODSEQ %{n2}
S~ * ESEARCH (TAG "k") MAX 3 MODSEQ %{n2}
S: k OK Search completed.
C: l SEARCH MODSEQ 9223372036854775807
S: * SEARCH
S: l OK Search completed.
C: m STORE 1 (UNCHANGEDSINCE 0) +FLAGS (\Flagged)
S: m OK [MODIFIED 1] Conditional store failed for some.
C: n FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)
S: n BAD Error in IMAP command FETCH: VANISHED needs UID FETCH, CHANGEDSINCE and QRESYNC enabled.
C: o FETCH 1 FLAGS (NOSUCH 1)
S: o BAD Error in IMAP command FETCH: Unknown modifier.
C: p STORE 1 (NOSUCH 1) FLAGS ()
S: p BAD Error in IMAP command STORE: Unknown modifier.
C: q SEARCH MODSEQ 18446744073709551616
S: q BAD Error in IMAP command SEARCH: Number is too large.
