# Also when commands came before it.
S: 220 mx.example Culver ready.
C: NOOP
S: 250 2.0.0 OK
C: get /x
S: 421 4.7.0 This is an LMTP server
C: NOOP
