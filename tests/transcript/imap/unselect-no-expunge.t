# RFC 3691: UNSELECT leaves what is \Deleted; after EXAMINE CLOSE does too (RFC 3501 section 6.4.2)
M: INBOX plain.eml \Deleted
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
C: b CLOSE
S: b OK Close completed.
C: c SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S~ * * RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: c OK [READ-WRITE] Select completed.
C: d UNSELECT
S: d OK Unselect completed.
C: e STATUS INBOX (MESSAGES)
S: * STATUS INBOX (MESSAGES 1)
S: e OK Status completed.
C: f UNSELECT
S: f BAD Error in IMAP command UNSELECT: No mailbox selected.
C: g CLOSE
S: g BAD Error in IMAP command CLOSE: No mailbox selected.
