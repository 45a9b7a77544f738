# RFC 3501 section 6.3.10, RFC 8438 (SIZE), RFC 7162 section 3.1.2 (HIGHESTMODSEQ)
M: INBOX plain.eml
M: INBOX crlf.eml \Seen
C: a STATUS INBOX (messages recent uidnext uidvalidity unseen highestmodseq size)
S~ * STATUS INBOX (MESSAGES 2 RECENT 2 UIDNEXT 3 UIDVALIDITY * UNSEEN 1 HIGHESTMODSEQ * SIZE 257)
S: a OK Status completed.
C: b STATUS INBOX (NOSUCH)
S: b BAD Error in IMAP command STATUS: Unknown status item.
C: c STATUS INBOX ()
S: c BAD Error in IMAP command STATUS: Empty list of status items.
C: d STATUS INBOX
S: d BAD Error in IMAP command STATUS: Missing arguments.
C: e STATUS INBOX MESSAGES
S: e BAD Error in IMAP command STATUS: Expected a list.
