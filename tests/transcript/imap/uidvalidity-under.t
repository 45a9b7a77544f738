# A mailbox that was deleted and made anew is another one: the session on the old one ends
P: box
M: box plain.eml
C: a SELECT box
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S: * 1 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
2C: a DELETE box
2S: a OK Delete completed.
2C: b CREATE box
2S~ b OK [MAILBOXID (M*)] Create completed.
C: b FETCH 1 (UID)
S~ * BYE Selected mailbox was deleted*
X:
