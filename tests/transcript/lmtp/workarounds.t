# lmtp_client_workarounds = whitespace-before-path mailbox-for-path
O: workarounds=1
S: 220 mx.example Culver ready.
C: LHLO client
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250 SIZE*
C: MAIL FROM: a@b SIZE=5
S: 250 2.1.0 OK
C: RCPT TO: <bob>
S: 250 2.1.5 OK
C: RCPT TO:	alice
S: 250 2.1.5 OK
C: QUIT
S: 221 2.0.0 Bye
