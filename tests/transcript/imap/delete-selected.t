# RFC 3501 section 6.3.4: deleting the selected mailbox ends the selected state, and says so
P: gone
C: a SELECT gone
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 0 EXISTS
S: * 0 RECENT
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 1] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
C: b DELETE gone
S: * OK [CLOSED] Selected mailbox is closed.
S: b OK Delete completed.
C: c FETCH 1 FLAGS
S: c BAD Error in IMAP command FETCH: No mailbox selected.
