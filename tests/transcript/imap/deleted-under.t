# The selected mailbox is deleted by another session: BYE
P: box
C: a SELECT box
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 0 EXISTS
S: * 0 RECENT
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 1] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
2C: a DELETE box
2S: a OK Delete completed.
C: b NOOP
S~ * BYE Selected mailbox was deleted*
X:
