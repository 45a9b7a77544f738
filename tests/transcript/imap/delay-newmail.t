# imap_client_workarounds=delay-newmail: news only with NOOP, CHECK and IDLE
O: imap_client_workarounds=delay-newmail
C: a SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 0 EXISTS
S: * 0 RECENT
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
2C: a APPEND INBOX {6+}
2C= A: b\r\n\r\n
2S~ a OK [APPENDUID * 1] Append completed.
C: b STATUS INBOX (MESSAGES)
S: * STATUS INBOX (MESSAGES 1)
S: b OK Status completed.
C: c NOOP
S: * 1 EXISTS
S: * 1 RECENT
S: c OK NOOP completed.
