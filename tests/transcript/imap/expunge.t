# RFC 3501 sections 6.4.3 and 7.4.1, RFC 4315 section 2.1 (UID EXPUNGE), RFC 3501 section 6.4.2 (CLOSE is silent)
M: INBOX plain.eml \Deleted
M: INBOX mixed.eml
M: INBOX nested.eml \Deleted
M: INBOX bare.eml \Deleted
M: INBOX crlf.eml
C: a1 SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 5 EXISTS
S: * 5 RECENT
S: * OK [UNSEEN 1] First unseen.
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 6] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a1 OK [READ-WRITE] Select completed.
C: b UID EXPUNGE 2:3
S: * 3 EXPUNGE
S: b OK Expunge completed.
C: c EXPUNGE
S: * 3 EXPUNGE
S: * 1 EXPUNGE
S: c OK Expunge completed.
C: d FETCH 1:* UID
S: * 1 FETCH (UID 2)
S: * 2 FETCH (UID 5)
S: d OK Fetch completed.
C: e STORE 2 +FLAGS.SILENT (\Deleted)
S: e OK Store completed.
C: f CLOSE
S: f OK Close completed.
C: g STATUS INBOX (MESSAGES UIDNEXT)
S: * STATUS INBOX (MESSAGES 1 UIDNEXT 6)
S: g OK Status completed.
C: h UID EXPUNGE 1
S: h BAD Error in IMAP command UID EXPUNGE: No mailbox selected.
C: i EXPUNGE 1
S: i BAD Error in IMAP command EXPUNGE: No mailbox selected.
