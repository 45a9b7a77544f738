# Limits: the length of a mailbox name
O: mail_max_mailbox_name_length=10
C: a CREATE 01234567890
S: a NO [LIMIT] Mailbox name is too long.
C: b CREATE 0123456789
S~ b OK [MAILBOXID (M*)] Create completed.
C: c SELECT 01234567890
S: c NO [LIMIT] Mailbox name is too long.
