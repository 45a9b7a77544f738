# Nobody but a trusted client may say for whom it speaks.
S: 220 mx.example Culver ready.
C: LHLO client
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-SMTPUTF8
S~ 250 SIZE*
C: XCLIENT ADDR=192.0.2.9
S: 550 5.7.0 You are not trusted
C: QUIT
S: 221 2.0.0 Bye
