# RFC 5321 section 4.1.1.4: only CR LF . CR LF ends the message.
S: 220 mx.example Culver ready.
C: LHLO client
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250 SIZE*
C: MAIL FROM:<a@b>
S: 250 2.1.0 OK
C: RCPT TO:<bob>
S: 250 2.1.5 OK
C: DATA
S: 354 OK
C= one\n.\nMAIL FROM:<evil@a>\r\n
C= \n.\r\nMAIL FROM:<evil@b>\r\n
C= two\r\n.\nMAIL FROM:<evil@c>\r\n
C= three\r.\rMAIL\r\n.\rRSET\r\n
C: .
S: 250 2.0.0 <bob> SESSION Saved 97
C: QUIT
S: 221 2.0.0 Bye
