# STATUS of the selected mailbox, and of one that others change
P: Other
M: INBOX plain.eml
C: a SELECT INBOX
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
C: b COPY 1 Other
S~ b OK [COPYUID * 1 1] Copy completed.
C: c STATUS Other (MESSAGES UNSEEN SIZE UIDNEXT)
S: * STATUS Other (MESSAGES 1 UIDNEXT 2 UNSEEN 1 SIZE 191)
S: c OK Status completed.
C: d STORE 1 +FLAGS.SILENT (\Seen)
S: d OK Store completed.
C: e STATUS INBOX (UNSEEN)
S: * STATUS INBOX (UNSEEN 0)
S: e OK Status completed.
