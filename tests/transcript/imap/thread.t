# RFC 5256: THREAD.  4 and 8 share no subject with their thread; 6 and 7 answer a message that is not there; 8 has the id of 1
M: INBOX sort1.eml
M: INBOX sort2.eml
M: INBOX sort3.eml
M: INBOX sort4.eml
M: INBOX sort5.eml
M: INBOX sort6.eml
M: INBOX sort7.eml
M: INBOX sort8.eml
C: a EXAMINE INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 8 EXISTS
S: * 8 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 9] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-ONLY] Examine completed.
C: b THREAD REFERENCES UTF-8 ALL
S: * THREAD (1 (3)(2 4 8)(5))((7)(6))
S: b OK Thread completed.
C: c THREAD ORDEREDSUBJECT UTF-8 ALL
S: * THREAD (4 8)(1 (3)(2)(5))(7)(6)
S: c OK Thread completed.
C: d UID THREAD REFERENCES US-ASCII UID 2:6
S: * THREAD ((3)(2 4)(5))(6)
S~ d OK *
C: e THREAD REFERENCES UTF-8 FLAGGED
S: * THREAD
S: e OK Thread completed.
C: f THREAD JWZ UTF-8 ALL
S: f BAD Error in IMAP command THREAD: Unknown thread algorithm.
C: g THREAD REFERENCES X-NONE ALL
S: g NO [BADCHARSET (US-ASCII UTF-8)] Unknown charset.
C: h THREAD REFERENCES UTF-8
S~ h BAD *
