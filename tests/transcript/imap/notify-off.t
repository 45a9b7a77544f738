# A NOTIFY that the settings switch off is not told of, and not there
O: imap_max_notify_mailboxes=0
C: a CAPABILITY
S~ * CAPABILITY * MULTIAPPEND OBJECTID LITERAL+
S: a OK Capability completed.
C: b NOTIFY NONE
S: b BAD Error in IMAP command NOTIFY: Unknown command.
