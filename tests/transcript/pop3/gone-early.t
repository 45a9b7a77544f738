# A message that another session deletes before the first command that asks for messages was never there.
O: gone_early=1
C: NOOP
S: +OK
C: STAT
S: +OK 2 63
C: LIST
S: +OK 2 messages:
S: 1 31
S: 2 32
S: .
C: QUIT
S: +OK Logging out.
