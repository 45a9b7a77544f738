# RFC 6851 section 3.3: MOVE changes the selected mailbox, so it needs more than EXAMINE; COPY does not
P: Archive
M: INBOX plain.eml
C: a1 EXAMINE INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S: * 1 RECENT
S: * OK [UNSEEN 1] First unseen.
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 2] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a1 OK [READ-ONLY] Examine completed.
C: b MOVE 1 Archive
S: b NO [READ-ONLY] Mailbox is read-only.
C: c COPY 1 Archive
S~ c OK [COPYUID * 1 1] Copy completed.
