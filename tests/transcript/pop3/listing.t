# RFC 1939 sections 5 and 7: STAT, LIST, UIDL, their errors.
C: STAT
S: +OK 3 105
C: LIST
S: +OK 3 messages:
S: 1 42
S: 2 31
S: 3 32
S: .
C: list 2
S: +OK 2 31
C: LIST 0
S: -ERR There is no such message: 0
C: LIST 4
S: -ERR There is no such message: 4
C: LIST x
S: -ERR Invalid message number: x
C: LIST -1
S: -ERR Invalid message number: -1
C: LIST 99999999999999999999
S: -ERR Invalid message number: 99999999999999999999
C: LIST 1 2
S: -ERR Too many arguments: 2
C: UIDL
S: +OK
S: 1 000000016b019429
S: 2 000000026b019429
S: 3 000000036b019429
S: .
C: UIDL 3
S: +OK 3 000000036b019429
C: NOOP
S: +OK
C: FOO bar
S: -ERR Unknown command: FOO
C= B\x01\x00\xffR\r\n
S: -ERR Unknown command: B???R
C:
S: -ERR Unknown command
C: LAST
S: -ERR Unknown command: LAST
C: CAPA
S: +OK
S: CAPA
S: TOP
S: UIDL
S: RESP-CODES
S: PIPELINING
S: AUTH-RESP-CODE
S: .
C: QUIT
S: +OK Logging out.
