# lmtp_max_bad_commands in a row end the connection.
S: 220 mx.example Culver ready.
C: NOOP
S: 250 2.0.0 OK
C: A
S: 500 5.5.1 Unknown command
C: B
S: 500 5.5.1 Unknown command
C: C
S: 500 5.5.1 Unknown command
C: D
S: 500 5.5.1 Unknown command
C: E
S: 500 5.5.1 Unknown command
S: 421 4.7.0 Too many bad commands
C: NOOP
