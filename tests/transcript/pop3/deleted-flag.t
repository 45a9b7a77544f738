# pop3_deleted_flag: what has it is not shown; DELE sets it, and the message stays.
O: deleted_flag=\Deleted
O: deleted=1
C: STAT
S: +OK 2 63
C: UIDL
S: +OK
S: 1 000000026b019429
S: 2 000000036b019429
S: .
C: DELE 1
S: +OK Marked to be deleted.
C: QUIT
S: +OK Logging out, messages deleted.
