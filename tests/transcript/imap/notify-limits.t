# RFC 5465 sections 3.1 and 5: what is refused, and that it changes nothing
O: imap_max_notify_mailboxes=3
P: One
P: Two
P: Three
C: a NOTIFY
S: a BAD Error in IMAP command NOTIFY: Expected SET or NONE.
C: b NOTIFY SET (personal (MessageNew))
S: b BAD Error in IMAP command NOTIFY: Events of messages need MessageNew and MessageExpunge.
C: c NOTIFY SET (selected (MessageNew MessageExpunge MailboxName))
S: c BAD Error in IMAP command NOTIFY: Of the selected mailbox there are only events of messages.
C: d NOTIFY SET (selected NONE) (selected-delayed NONE)
S: d BAD Error in IMAP command NOTIFY: Only one group can be of the selected mailbox.
C: e NOTIFY SET (selected (MessageNew MessageExpunge AnnotationChange))
S: e NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange)] Not all of these events are supported.
C: f NOTIFY SET (personal (MessageNew MessageExpunge Wonders))
S: f NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange)] Not all of these events are supported.
C: g NOTIFY SET (mailboxes (INBOX One Two Three) (MessageNew MessageExpunge))
S: g BAD Error in IMAP command NOTIFY: Too many mailboxes.
C: h NOTIFY SET (mailboxes "&" (MessageNew MessageExpunge))
S: h NO [CANNOT] Mailbox name is not valid modified UTF-7.
C: i NOTIFY SET (personal (MessageNew MessageExpunge))
S: i NO [NOTIFICATIONOVERFLOW] More mailboxes than may be watched.
# one that is not there is passed over
C: j NOTIFY SET STATUS (mailboxes (Nothing One) (MessageNew MessageExpunge)) (subtree Two (MessageNew MessageExpunge))
S~ * STATUS One (MESSAGES 0 UIDNEXT 1 UIDVALIDITY *)
S~ * STATUS Two (MESSAGES 0 UIDNEXT 1 UIDVALIDITY *)
S: j OK NOTIFY completed.
# the one before a refused one goes on
C: k NOTIFY SET (inboxes (MessageNew MessageExpunge))
S: k NO [NOTIFICATIONOVERFLOW] More mailboxes than may be watched.
2C: a APPEND One {6+}
2C= S: xxx\r\n
2S~ a OK [APPENDUID * 1] Append completed.
C: l NOOP
S~ * STATUS One (MESSAGES 1 UIDNEXT 2 UIDVALIDITY *)
S: l OK NOOP completed.
# too many later on: RFC 5465 section 5.8
2C: b CREATE Two/a
2S~ b OK [MAILBOXID (M*)] Create completed.
C: m NOOP
S~ * STATUS Two/a (MESSAGES 0 UIDNEXT 1 UIDVALIDITY *)
S: m OK NOOP completed.
2C: c CREATE Two/b
2S~ c OK [MAILBOXID (M*)] Create completed.
C: n NOOP
S: * OK [NOTIFICATIONOVERFLOW] More mailboxes than may be watched: nothing is told any more.
S: n OK NOOP completed.
2C: d APPEND One {6+}
2C= S: xxx\r\n
2S~ d OK [APPENDUID * 2] Append completed.
C: o NOOP
S: o OK NOOP completed.
