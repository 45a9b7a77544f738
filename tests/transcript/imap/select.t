# RFC 3501 section 6.3.1: SELECT tells flags, counts, UIDVALIDITY, UIDNEXT; HIGHESTMODSEQ to everyone (RFC 7162)
M: INBOX plain.eml
M: INBOX mixed.eml \Seen
M: INBOX nested.eml $Label1
C: a1 SELECT INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded $Label1)
S: * OK [PERMANENTFLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded $Label1 \*)] Flags permitted.
S: * 3 EXISTS
S: * 3 RECENT
S: * OK [UNSEEN 1] First unseen.
S~ * OK [UIDVALIDITY %{v}] UIDs valid
S: * OK [UIDNEXT 4] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ %{m}] Highest
S: a1 OK [READ-WRITE] Select completed.
C: a2 FETCH 1:* (FLAGS UID)
S: * 1 FETCH (UID 1 FLAGS (\Recent))
S: * 2 FETCH (UID 2 FLAGS (\Seen \Recent))
S: * 3 FETCH (UID 3 FLAGS (\Recent $Label1))
S: a2 OK Fetch completed.
C: a3 UNSELECT
S: a3 OK Unselect completed.
C: a4 FETCH 1 FLAGS
S: a4 BAD Error in IMAP command FETCH: No mailbox selected.
C: a5 LOGOUT
S: * BYE Logging out
S: a5 OK Logout completed.
X:
