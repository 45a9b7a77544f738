# Who is named twice gets one message and an answer for each, the same.
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
C: RCPT TO:<full>
S: 250 2.1.5 OK
C: RCPT TO:<bob>
S: 250 2.1.5 OK
C: RCPT TO:<full>
S: 250 2.1.5 OK
C: DATA
S: 354 OK
C: .
S: 552 5.2.2 <full> Quota exceeded
S: 250 2.0.0 <bob> SESSION Saved 0
S: 552 5.2.2 <full> Quota exceeded
C: QUIT
S: 221 2.0.0 Bye
