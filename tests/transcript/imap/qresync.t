# RFC 7162 section 3.2: QRESYNC
M: INBOX plain.eml
M: INBOX mixed.eml
M: INBOX nested.eml
M: INBOX bare.eml
M: INBOX crlf.eml
C: a ENABLE QRESYNC
S: * ENABLED QRESYNC
S: a OK Enabled.
C: b SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 5 EXISTS
S: * 5 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY %{v}] UIDs valid
S: * OK [UIDNEXT 6] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ %{h}] Highest
S: b OK [READ-WRITE] Select completed.
C: c STORE 2,4 +FLAGS (\Deleted)
S~ * 2 FETCH (UID 2 FLAGS (\Deleted \Recent) MODSEQ (%{d}))
S~ * 4 FETCH (UID 4 FLAGS (\Deleted \Recent) MODSEQ (%{d}))
S: c OK Store completed.
C: d EXPUNGE
S: * VANISHED 2,4
S~ d OK [HIGHESTMODSEQ %{e}] Expunge completed.
C: e UID STORE 5 +FLAGS (\Seen)
S~ * 3 FETCH (UID 5 FLAGS (\Seen \Recent) MODSEQ (%{s}))
S: e OK Store completed.
C: f SELECT INBOX (QRESYNC (%{v} %{h}))
S: * OK [CLOSED] Previous mailbox closed.
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 3 EXISTS
S~ * 0 RECENT
S~ * OK [UNSEEN 1] *
S~ * OK [UIDVALIDITY %{v}] UIDs valid
S: * OK [UIDNEXT 6] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *] Highest
S: * VANISHED (EARLIER) 2,4
S~ * 3 FETCH (UID 5 FLAGS (\Seen) MODSEQ (%{s}))
S: f OK [READ-WRITE] Select completed.
C: g SELECT INBOX (QRESYNC (%{v} %{h} 3:5))
S: * OK [CLOSED] Previous mailbox closed.
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 3 EXISTS
S~ * 0 RECENT
S~ * OK [UNSEEN 1] *
S~ * OK [UIDVALIDITY %{v}] UIDs valid
S: * OK [UIDNEXT 6] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *] Highest
S: * VANISHED (EARLIER) 4
S~ * 3 FETCH (UID 5 FLAGS (\Seen) MODSEQ (%{s}))
S: g OK [READ-WRITE] Select completed.
C: h SELECT INBOX (QRESYNC (1 %{h} 1:5))
S: * OK [CLOSED] Previous mailbox closed.
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 3 EXISTS
S~ * 0 RECENT
S~ * OK [UNSEEN 1] *
S~ * OK [UIDVALIDITY %{v}] UIDs valid
S: * OK [UIDNEXT 6] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *] Highest
S: h OK [READ-WRITE] Select completed.
C: i UID FETCH 1:5 (FLAGS) (CHANGEDSINCE %{h} VANISHED)
S: * VANISHED (EARLIER) 2,4
S~ * 3 FETCH (UID 5 FLAGS (\Seen) MODSEQ (%{s}))
S: i OK Fetch completed.
C: j UID FETCH 3:5 (UID) (VANISHED)
S~ j BAD *
C: k SELECT INBOX (QRESYNC (%{v} %{h} 1:5 (1,2,3 1,3,5)))
S: * OK [CLOSED] Previous mailbox closed.
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 3 EXISTS
S~ * 0 RECENT
S~ * OK [UNSEEN 1] *
S~ * OK [UIDVALIDITY %{v}] UIDs valid
S: * OK [UIDNEXT 6] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *] Highest
S~ * VANISHED (EARLIER) *
S~ * 3 FETCH (UID 5 FLAGS (\Seen) MODSEQ (%{s}))
S: k OK [READ-WRITE] Select completed.
C: l SELECT INBOX (QRESYNC (%{v} 0))
S: l BAD Error in IMAP command SELECT: Invalid QRESYNC mod-sequence.
C: m SELECT INBOX (QRESYNC (%{v} 1 *))
S: m BAD Error in IMAP command SELECT: Invalid QRESYNC known-uids.
C: n SELECT INBOX (QRESYNC (x 1))
S: n BAD Error in IMAP command SELECT: Invalid QRESYNC parameters.
