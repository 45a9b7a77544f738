# lmtp_rcpt_check_quota: who has no room is refused at RCPT, others get their mail
O: check_quota=1
S: 220 mx.example Culver ready.
C: LHLO client.example
S: 250-mx.example
S: 250-8BITMIME
S: 250-CHUNKING
S: 250-ENHANCEDSTATUSCODES
S: 250-PIPELINING
S: 250-SMTPUTF8
S: 250 SIZE 1000
C: MAIL FROM:<sender@example.net> SIZE=500
S: 250 2.1.0 OK
C: RCPT TO:<full>
S: 552 5.2.2 <full> Quota exceeded
C: RCPT TO:<bob>
S: 250 2.1.5 OK
C: RCPT TO:<nobody>
S: 550 5.1.1 <nobody> User doesn't exist: nobody
C: DATA
S: 354 OK
C: Subject: a
C: 
C: b
C: .
S: 250 2.0.0 <bob> SESSION Saved 17
C: MAIL FROM:<sender@example.net> SIZE=900
S: 250 2.1.0 OK
C: RCPT TO:<bob>
S: 552 5.2.2 <bob> Quota exceeded
C: QUIT
S: 221 2.0.0 Bye
