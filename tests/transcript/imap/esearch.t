# RFC 4731: ESEARCH
M: INBOX plain.eml
M: INBOX mixed.eml \Seen
M: INBOX nested.eml
M: INBOX bare.eml
C: a SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 4 EXISTS
S: * 4 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 5] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
C: b SEARCH RETURN (MIN MAX COUNT ALL) UNSEEN
S: * ESEARCH (TAG "b") MIN 1 MAX 4 ALL 1,3:4 COUNT 3
S: b OK Search completed.
C: c UID SEARCH RETURN () ALL
S: * ESEARCH (TAG "c") UID ALL 1:4
S: c OK Search completed.
C: d SEARCH RETURN (COUNT) ANSWERED
S: * ESEARCH (TAG "d") COUNT 0
S: d OK Search completed.
C: e SEARCH RETURN (MIN) ANSWERED
S: * ESEARCH (TAG "e")
S: e OK Search completed.
C: f SEARCH RETURN (MIN) UNSEEN
S: * ESEARCH (TAG "f") MIN 1
S: f OK Search completed.
C: g SEARCH RETURN (SAVE) UNSEEN
S: g BAD Error in IMAP command SEARCH: Unknown search return option.
C: h SEARCH RETURN (COUNT) CHARSET UTF-8 ALL
S: * ESEARCH (TAG "h") COUNT 4
S: h OK Search completed.
