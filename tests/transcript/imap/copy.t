# RFC 3501 section 6.4.7 (COPY), RFC 4315 section 3 (COPYUID), RFC 6851 (MOVE)
P: Archive
M: INBOX plain.eml \Seen $Label
M: INBOX mixed.eml
M: INBOX nested.eml
C: a1 SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 3 EXISTS
S: * 3 RECENT
S: * OK [UNSEEN 2] First unseen.
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 4] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a1 OK [READ-WRITE] Select completed.
C: b COPY 1,3 Archive
S~ b OK [COPYUID %{v} 1,3 1:2] Copy completed.
C: c UID COPY 2 Archive
S~ c OK [COPYUID %{v} 2 3] Copy completed.
C: d COPY 1 NoSuch
S: d NO [TRYCREATE] Mailbox doesn't exist.
C: e UID COPY 99 Archive
S: e OK No messages found.
C: f MOVE 2:3 Archive
S~ * OK [COPYUID %{v} 2:3 4:5] Moved UIDs.
S: * 3 EXPUNGE
S: * 2 EXPUNGE
S: f OK Move completed.
C: g STATUS Archive (MESSAGES UIDVALIDITY)
S~ * STATUS Archive (MESSAGES 5 UIDVALIDITY %{v})
S: g OK Status completed.
C: h SELECT Archive
S: * OK [CLOSED] Previous mailbox closed.
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 5 EXISTS
S: * 5 RECENT
S: * OK [UNSEEN 2] First unseen.
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 6] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: h OK [READ-WRITE] Select completed.
C: i FETCH 1 (FLAGS INTERNALDATE)
S: * 1 FETCH (FLAGS (\Seen \Recent $Label) INTERNALDATE "09-Sep-2001 01:46:40 +0000")
S: i OK Fetch completed.
C: j MOVE 9 INBOX
S: j BAD Error in IMAP command MOVE: Invalid messageset.
C: k MOVE 1
S: k BAD Error in IMAP command MOVE: Missing arguments.
C: l UID MOVE 1 INBOX
S~ * OK [COPYUID * 1 4] Moved UIDs.
S: * 1 EXPUNGE
S: l OK Move completed.
