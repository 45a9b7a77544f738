# A message that another session deletes meanwhile keeps its number and size, and can not be read.
O: gone=1
C: LIST
S: +OK 3 messages:
S: 1 42
S: 2 31
S: 3 32
S: .
C: RETR 1
S: -ERR The message has been deleted by another session.
C: TOP 1 0
S: -ERR The message has been deleted by another session.
C: DELE 1
S: +OK Marked to be deleted.
C: QUIT
S: +OK Logging out, messages deleted.
