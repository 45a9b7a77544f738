# RFC 6785 section 7: the capability; and a command never fails because scripts can not run
O: mail_plugins=imap_sieve
O: imap_metadata=yes
O: plugin/imapsieve_url=sieve://mx.example
O: plugin/imapsieve_mailbox1_name=*
O: plugin/imapsieve_mailbox1_before=file:/nowhere/x.sieve
P: Archive
M: INBOX plain.eml
M: INBOX mixed.eml
C: a CAPABILITY
S~ * CAPABILITY IMAP4rev1 * IMAPSIEVE=sieve://mx.example*
S: a OK Capability completed.
C: b SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 2 EXISTS
S: * 2 RECENT
S: * OK [UNSEEN 1] First unseen.
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 3] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: b OK [READ-WRITE] Select completed.
C: c COPY 1 Archive
S~ c OK [COPYUID %{v} 1 1] Copy completed.
C: d STORE 1 +FLAGS (\Seen)
S: * 1 FETCH (FLAGS (\Seen \Recent))
S: d OK Store completed.
C: e APPEND Archive {3+}
C= x\r\n
C= \r\n
S~ e OK [APPENDUID %{v} 2] Append completed.
C: f UID MOVE 2 Archive
S~ * OK [COPYUID %{v} 2 3] Moved UIDs.
S: * 2 EXPUNGE
S: f OK Move completed.
C: g LOGOUT
S: * BYE Logging out
S: g OK Logout completed.
X:
