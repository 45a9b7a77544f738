# RFC 3501 section 6.3.2: EXAMINE is read-only, and takes no \Recent
M: INBOX plain.eml
C: a1 examine inbox
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded)
S: * OK [PERMANENTFLAGS ()] Read-only mailbox.
S: * 1 EXISTS
S: * 1 RECENT
S: * OK [UNSEEN 1] First unseen.
S~ * OK [UIDVALIDITY *] UIDs valid
S: * OK [UIDNEXT 2] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *] Highest
S: a1 OK [READ-ONLY] Examine completed.
C: a2 STORE 1 +FLAGS (\Seen)
S: a2 NO [READ-ONLY] Mailbox is read-only.
C: a3 EXPUNGE
S: a3 NO [READ-ONLY] Mailbox is read-only.
C: a4 FETCH 1 BODY[TEXT]
S: * 1 FETCH (BODY[TEXT] {37}
S: Hello Bob,
S: 
S: this is a short text.
S: )
S: a4 OK Fetch completed.
C: a5 FETCH 1 FLAGS
S: * 1 FETCH (FLAGS (\Recent))
S: a5 OK Fetch completed.
