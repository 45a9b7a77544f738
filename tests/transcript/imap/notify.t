# RFC 5465: other mailboxes are told of by STATUS and LIST, the selected one as it always is, while no command is in progress
P: Other
P: Other/Below
P: Third
M: INBOX plain.eml
C: a NOTIFY SET STATUS (selected (MessageNew MessageExpunge FlagChange)) (subtree Other (MessageNew MessageExpunge FlagChange)) (personal (MailboxName SubscriptionChange))
S| * STATUS Other (MESSAGES 0 UIDNEXT 1 UIDVALIDITY * UNSEEN 0 HIGHESTMODSEQ *)
S| * STATUS Other/Below (MESSAGES 0 UIDNEXT 1 UIDVALIDITY * UNSEEN 0 HIGHESTMODSEQ *)
S: a OK NOTIFY completed.
C: b SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S: * 1 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: b OK [READ-WRITE] Select completed.
2C: a APPEND INBOX (\Seen) {6+}
2C= S: xxx\r\n
2S~ a OK [APPENDUID * 2] Append completed.
S: * 2 EXISTS
S~ * * RECENT
2C: b APPEND Other {6+}
2C= S: xxx\r\n
2S~ b OK [APPENDUID * 1] Append completed.
S~ * STATUS Other (MESSAGES 1 UIDNEXT 2 UIDVALIDITY * UNSEEN 1 HIGHESTMODSEQ *)
2C: c SELECT Other
2S~ * FLAGS *
2S~ * OK [PERMANENTFLAGS *
2S: * 1 EXISTS
2S~ * * RECENT
2S~ * OK [UNSEEN *
2S~ * OK [UIDVALIDITY *
2S~ * OK [UIDNEXT *
2S~ * OK [MAILBOXID (M*
2S~ * OK [HIGHESTMODSEQ *
2S: c OK [READ-WRITE] Select completed.
2C: d STORE 1 +FLAGS.SILENT (\Seen \Deleted)
2S: d OK Store completed.
C: x1 NOOP
S~ * STATUS Other (MESSAGES 1 UIDNEXT 2 UIDVALIDITY * UNSEEN 0 HIGHESTMODSEQ *)
S: x1 OK NOOP completed.
2C: e EXPUNGE
2S: * 1 EXPUNGE
2S: e OK Expunge completed.
C: x2 NOOP
S~ * STATUS Other (MESSAGES 0 UIDNEXT 2 UIDVALIDITY * UNSEEN 0 HIGHESTMODSEQ *)
S: x2 OK NOOP completed.
2C: f SELECT INBOX
2S: * OK [CLOSED] Previous mailbox closed.
2S~ * FLAGS *
2S~ * OK [PERMANENTFLAGS *
2S: * 2 EXISTS
2S~ * * RECENT
2S~ * OK [UNSEEN *
2S~ * OK [UIDVALIDITY *
2S~ * OK [UIDNEXT *
2S~ * OK [MAILBOXID (M*
2S~ * OK [HIGHESTMODSEQ *
2S: f OK [READ-WRITE] Select completed.
2C: g STORE 1 +FLAGS.SILENT (\Deleted)
2S: g OK Store completed.
C: x3 NOOP
S: * 1 FETCH (UID 1 FLAGS (\Deleted \Recent))
S: x3 OK NOOP completed.
2C: h EXPUNGE
2S: * 1 EXPUNGE
2S: h OK Expunge completed.
C: x4 NOOP
S: * 1 EXPUNGE
S: x4 OK NOOP completed.
# names: the first group that has a mailbox counts, so nothing is told of those below Other
2C: i CREATE New
2S~ i OK [MAILBOXID (M*)] Create completed.
C: x5 NOOP
S: * LIST (\HasNoChildren) "/" New
S: x5 OK NOOP completed.
2C: j SUBSCRIBE New
2S: j OK Subscribe completed.
C: x6 NOOP
S: * LIST (\Subscribed \HasNoChildren) "/" New
S: x6 OK NOOP completed.
2C: k UNSUBSCRIBE New
2S: k OK Unsubscribe completed.
C: x7 NOOP
S: * LIST (\HasNoChildren) "/" New
S: x7 OK NOOP completed.
2C: l RENAME New "New er"
2S: l OK Rename completed.
C: x8 NOOP
S: * LIST (\HasNoChildren) "/" "New er" ("OLDNAME" (New))
S: x8 OK NOOP completed.
2C: m DELETE "New er"
2S: m OK Delete completed.
C: x9 NOOP
S: * LIST (\NonExistent) "/" "New er"
S: x9 OK NOOP completed.
2C: n CREATE Other/Fresh
2S~ n OK [MAILBOXID (M*)] Create completed.
C: x10 NOOP
S~ * STATUS Other/Fresh (MESSAGES 0 UIDNEXT 1 UIDVALIDITY * UNSEEN 0 HIGHESTMODSEQ *)
S: x10 OK NOOP completed.
# RFC 5465 section 5: what the client did itself is not told
C: c CREATE Mine
S~ c OK [MAILBOXID (M*)] Create completed.
C: d SUBSCRIBE Mine
S: d OK Subscribe completed.
C: e RENAME Mine Mine2
S: e OK Rename completed.
C: f DELETE Mine2
S: f OK Delete completed.
C: g NOOP
S: g OK NOOP completed.
# left: what happens from now on is told as of any other
C: h NOTIFY SET (mailboxes INBOX (MessageNew MessageExpunge))
S: h OK NOTIFY completed.
2C: o APPEND INBOX {6+}
2C= S: yyy\r\n
2S~ * 2 EXISTS
2S~ * * RECENT
2S~ o OK [APPENDUID * 3] Append completed.
C: i NOOP
S: i OK NOOP completed.
C: j UNSELECT
S~ * STATUS INBOX (MESSAGES 2 UIDNEXT 4 UIDVALIDITY *)
S: j OK Unselect completed.
# NONE: nothing at all
C: k NOTIFY NONE
S: k OK NOTIFY completed.
2C: p APPEND INBOX {6+}
2C= S: zzz\r\n
2S~ * 3 EXISTS
2S~ * * RECENT
2S~ p OK [APPENDUID * 4] Append completed.
C: l NOOP
S: l OK NOOP completed.
