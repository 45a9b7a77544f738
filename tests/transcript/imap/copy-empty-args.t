# COPY, MOVE, UID EXPUNGE: malformed arguments
M: INBOX plain.eml
C: a SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S: * 1 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
C: b COPY
S: b BAD Error in IMAP command COPY: Invalid messageset.
C: c COPY 1
S: c BAD Error in IMAP command COPY: Missing arguments.
C: d COPY 1 a b
S: d BAD Error in IMAP command COPY: Unexpected extra arguments.
C: e UID COPY 0 INBOX
S: e BAD Error in IMAP command UID COPY: Invalid UID set.
C: f UID EXPUNGE
S: f BAD Error in IMAP command UID EXPUNGE: Invalid UID set.
C: g EXPUNGE 1
S: g BAD Error in IMAP command EXPUNGE: Unexpected extra arguments.
C: h UID EXPUNGE 1 2
S: h BAD Error in IMAP command UID EXPUNGE: Unexpected extra arguments.
C: i COPY 1 "bad&utf7"
S: i NO [CANNOT] Mailbox name is not valid modified UTF-7.
C: j MOVE 1 nosuch
S: j NO [TRYCREATE] Mailbox doesn't exist.
