# RFC 3501 section 5.5: pipelined commands are answered in order
M: INBOX plain.eml
C= a SELECT INBOX\r\nb FETCH 1 (UID)\r\nc STORE 1 +FLAGS.SILENT (\\Seen)\r\nd NOOP\r\ne LOGOUT\r\nf NOOP\r\n
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
S: * 1 FETCH (UID 1)
S: b OK Fetch completed.
S: c OK Store completed.
S: d OK NOOP completed.
S: * BYE Logging out
S: e OK Logout completed.
X:
