# Access tables: clients and senders at MAIL, recipients at RCPT.
O: access=From:bad.example 550 5.7.1 Not you
O: access=From:drop@x DISCARD
O: access=From:<> 450 4.7.1 Later
O: access=To:closed@ REJECT
O: access=To:hole@ DISCARD
O: access=Connect:192.0.2.9 ERROR:"554 No"
O: trusted=1
S: 220 mx.example Culver ready.
C: LHLO client
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250 SIZE*
C: MAIL FROM:<a@sub.bad.example>
S: 550 5.7.1 <a@sub.bad.example> Not you
C: MAIL FROM:<>
S: 450 4.7.1 <> Later
C: RCPT TO:<bob>
S: 503 5.5.1 MAIL needed first
C: MAIL FROM:<drop@x>
S: 250 2.1.0 OK
C: RCPT TO:<nobody-at-all>
S: 250 2.1.5 OK
C: DATA
S: 354 OK
C: .
S: 250 2.0.0 <nobody-at-all> SESSION Taken
C: MAIL FROM:<a@b>
S: 250 2.1.0 OK
C: RCPT TO:<closed@any.example>
S: 550 5.7.1 <closed@any.example> Access denied
C: RCPT TO:<hole>
S: 250 2.1.5 OK
C: RCPT TO:<bob>
S: 250 2.1.5 OK
C: DATA
S: 354 OK
C: .
S: 250 2.0.0 <hole> SESSION:2 Taken
S: 250 2.0.0 <bob> SESSION:2 Saved 0
C: XCLIENT ADDR=192.0.2.9 NAME=a.example
S: 220 mx.example Culver ready.
C: LHLO client
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250 SIZE*
C: MAIL FROM:<a@b>
S: 554 5.7.1 <a@b> No
C: QUIT
S: 221 2.0.0 Bye
