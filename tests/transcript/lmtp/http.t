# An HTTP request ends the connection before anything in its body is taken for a command.
S: 220 mx.example Culver ready.
C: POST / HTTP/1.1
S: 421 4.7.0 This is an LMTP server
C: Host: localhost
C:
C: LHLO evil
C: MAIL FROM:<a@b>
