# quota alone is enforced, but not told
O: mail_plugins=quota
O: plugin/quota=count:User quota
O: plugin/quota_rule=*:messages=1
M: INBOX @10
C: a GETQUOTAROOT INBOX
S: a BAD Error in IMAP command GETQUOTAROOT: Unknown command.
C: b GETQUOTA ""
S: b BAD Error in IMAP command GETQUOTA: Unknown command.
C: c SETQUOTA "" ()
S: c BAD Error in IMAP command SETQUOTA: Unknown command.
C: d APPEND INBOX {5}
S: d NO [OVERQUOTA] Quota exceeded (mailbox for user is full)
