# pop3_max_bad_commands in a row end the session; a good one between starts the count anew.
O: max_bad=3
C: A
S: -ERR Unknown command: A
C: B
S: -ERR Unknown command: B
C: NOOP
S: +OK
C: A
S: -ERR Unknown command: A
C: B
S: -ERR Unknown command: B
C: LIST x
S: -ERR Invalid message number: x
S: -ERR Too many bad commands.
C: NOOP
