# RFC 3501 section 6.3.1: after a SELECT that fails nothing is selected (CLOSED: RFC 7162 section 3.2.11)
C: a SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 0 EXISTS
S: * 0 RECENT
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 1] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
C: b SELECT nosuch
S: * OK [CLOSED] Previous mailbox closed.
S: b NO [NONEXISTENT] Mailbox doesn't exist.
C: c CHECK
S: c BAD Error in IMAP command CHECK: No mailbox selected.
C: d SELECT INBOX (NOSUCH)
S: d BAD Error in IMAP command SELECT: Unknown parameter.
C: e SELECT INBOX (QRESYNC (1 1))
S: e BAD Error in IMAP command SELECT: QRESYNC is not enabled.
C: f SELECT
S: f BAD Error in IMAP command SELECT: Missing arguments.
C: g SELECT INBOX garbage
S~ g BAD *
