# Sets in an empty mailbox: "*" means nothing there
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
C: b FETCH 1:* FLAGS
S: b OK Fetch completed.
C: c UID FETCH 1:* FLAGS
S: c OK Fetch completed.
C: d SEARCH ALL
S: * SEARCH
S: d OK Search completed.
C: e UID SEARCH 1:*
S: * SEARCH
S: e OK Search completed.
C: f STORE 1 +FLAGS (\Seen)
S: f BAD Error in IMAP command STORE: Invalid messageset.
C: g EXPUNGE
S: g OK Expunge completed.
C: h CHECK
S: h OK Check completed.
C: i UID COPY 1:* INBOX
S: i OK No messages found.
