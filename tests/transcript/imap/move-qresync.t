# RFC 7162 section 3.2.9 and RFC 6851 section 4.3: MOVE with QRESYNC tells VANISHED and HIGHESTMODSEQ
P: Archive
M: INBOX plain.eml
M: INBOX mixed.eml
C: a ENABLE QRESYNC
S: * ENABLED QRESYNC
S: a OK Enabled.
C: b SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 2 EXISTS
S: * 2 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: b OK [READ-WRITE] Select completed.
C: c UID MOVE 1:2 Archive
S~ * OK [COPYUID * 1:2 1:2] Moved UIDs.
S: * VANISHED 1:2
S~ c OK [HIGHESTMODSEQ *] Move completed.
