# imap_max_fetch_items, mail_max_mime_depth
O: imap_max_fetch_items=3
O: mail_max_mime_depth=3
M: INBOX plain.eml
C: a EXAMINE INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S~ * * RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-ONLY] Examine completed.
C: b FETCH 1 (UID UID UID UID)
S: b BAD Error in IMAP command FETCH: Too many items.
C: c FETCH 1 BODY[HEADER.FIELDS (a b c d)]
S: c BAD Error in IMAP command FETCH: Too many header fields.
C: d FETCH 1 BODY[1.1.1.1.1]
S: d BAD Error in IMAP command FETCH: Too many part numbers.
