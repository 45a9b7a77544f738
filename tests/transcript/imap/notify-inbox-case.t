# INBOX is one mailbox however it is written: selected by another spelling it is not told of as one that is not selected
P: INBOX/Below
C: a SELECT inbox
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 0 EXISTS
S: * 0 RECENT
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
C: b NOTIFY SET STATUS (personal (MessageNew MessageExpunge))
S~ * STATUS INBOX/Below (MESSAGES 0 *
S: b OK NOTIFY completed.
C: c SELECT inbox/Below
S: * OK [CLOSED] Previous mailbox closed.
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 0 EXISTS
S: * 0 RECENT
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: c OK [READ-WRITE] Select completed.
2C: a APPEND INBOX/Below {6+}
2C= S: xxx\r\n
2S~ a OK [APPENDUID * 1] Append completed.
C: d NOOP
S: d OK NOOP completed.
C: e SUBSCRIBE inbox/Below
S: e OK Subscribe completed.
C: f NOTIFY SET STATUS (mailboxes inbox/Below (MessageNew MessageExpunge MailboxName SubscriptionChange)) (mailboxes inbox (MessageNew MessageExpunge))
S: * 1 EXISTS
S~ * * RECENT
S~ * STATUS INBOX (MESSAGES 0 *
S: f OK NOTIFY completed.
C: g UNSELECT
S: g OK Unselect completed.
C: h UNSUBSCRIBE inbox/Below
S: h OK Unsubscribe completed.
# nor is it when another session has renamed it
C: i SELECT inbox/Below
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S~ * * RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: i OK [READ-WRITE] Select completed.
C: j NOTIFY SET (personal (MessageNew MessageExpunge MailboxName))
S: j OK NOTIFY completed.
2C: b RENAME INBOX/Below Elsewhere
2S: b OK Rename completed.
C: k NOOP
S~ * LIST (*) "/" Elsewhere ("OLDNAME" (INBOX/Below))
S: k OK NOOP completed.
2C: c APPEND Elsewhere {6+}
2C= S: xxx\r\n
2S~ c OK [APPENDUID * 2] Append completed.
C: l NOOP
S: l OK NOOP completed.
