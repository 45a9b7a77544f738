# RFC 5465 sections 3.1 and 5.9: nothing of what one may not read, and only the name of what one may look up
# real storage
O: mail_plugins=acl imap_acl
O: plugin/acl=vfile
P: Work
P: Secret
2C: a SETACL Work owner la
2S: a OK Setacl complete.
2C: b SETACL Secret owner a
2S: b OK Setacl complete.
C: a NOTIFY SET STATUS (mailboxes (Work Secret Nothing) (MessageNew MessageExpunge MailboxName))
S: * LIST (\HasNoChildren \NoAccess) "/" Work
S: a OK NOTIFY completed.
2C: c APPEND Work {6+}
2C= S: xxx\r\n
2S: c NO [NOPERM] Permission denied.
2C: d SETACL Work owner +ri
2S: d OK Setacl complete.
2C: e APPEND Work {6+}
2C= S: xxx\r\n
2S~ e OK [APPENDUID * 1] Append completed.
C: b NOOP
S~ * STATUS Work (MESSAGES 1 UIDNEXT 2 UIDVALIDITY *)
S: b OK NOOP completed.
# rights that come and go are as the mailbox's coming and going
2C: f SETACL Secret owner +lr
2S: f OK Setacl complete.
C: c NOOP
S: * LIST (\HasNoChildren) "/" Secret
S~ * STATUS Secret (MESSAGES 0 UIDNEXT 1 UIDVALIDITY *)
S: c OK NOOP completed.
2C: g SETACL Work owner -r
2S: g OK Setacl complete.
C: d NOOP
S: * LIST (\HasNoChildren \NoAccess) "/" Work
S: d OK NOOP completed.
2C: h SETACL Secret owner -lr
2S: h OK Setacl complete.
C: e NOOP
S: * LIST (\NonExistent) "/" Secret
S: e OK NOOP completed.
