# imap_max_nesting: lists in a command, whatever command
O: imap_max_nesting=3
C: a LIST "" (((("
S: a BAD Error in IMAP command LIST: Too deeply nested lists.
C: b SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 0 EXISTS
S: * 0 RECENT
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: b OK [READ-WRITE] Select completed.
C: c SEARCH (((SEEN)) (UNSEEN))
S: * SEARCH
S: c OK Search completed.
C: d SEARCH ((((SEEN))))
S: d BAD Error in IMAP command SEARCH: Too deeply nested lists.
C: e SEARCH SUBJECT "(((((" (((SEEN)))
S: * SEARCH
S: e OK Search completed.
