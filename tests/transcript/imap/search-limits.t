# Limits: keys and depth of a SEARCH, ranges of a set
O: imap_max_search_keys=10
O: imap_max_search_depth=4
O: imap_max_set_ranges=3
M: INBOX plain.eml
C: a SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S: * 1 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 2] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
C: b SEARCH NOT NOT NOT NOT NOT SEEN
S: b BAD Error in IMAP command SEARCH: Too deeply nested search keys.
C: c SEARCH ((((((SEEN))))))
S: c BAD Error in IMAP command SEARCH: Too deeply nested search keys.
C: d SEARCH SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN SEEN
S: d BAD Error in IMAP command SEARCH: Too many search keys.
C: e UID FETCH 1,3,5,7 FLAGS
S: e NO [LIMIT] Too many ranges in a set.
C: f UID FETCH 7,6,5,4,3,2,1,1:3 FLAGS
S: * 1 FETCH (UID 1 FLAGS (\Recent))
S: f OK Fetch completed.
C: g SEARCH NOT NOT SEEN
S: * SEARCH
S: g OK Search completed.
