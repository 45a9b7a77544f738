# Virtual users: what a sender writes stays an address.
O: virtual=info@v.example bob
O: virtual=@v.example error:5.1.6:551 It has moved
O: virtual=@w.example %1@else.example
O: virtual=list@v.example bob, out@else.example
S: 220 mx.example Culver ready.
C: LHLO client
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250 SIZE*
C: MAIL FROM:<>
S: 250 2.1.0 OK
C: RCPT TO:<Info+x@V.example>
S: 250 2.1.5 OK
C: RCPT TO:<other@v.example>
S: 551 5.1.6 <other@v.example> It has moved
C: RCPT TO:<"|prog x, y"@w.example>
S: 250 2.1.5 OK
C: RCPT TO:<list@v.example>
S: 250 2.1.5 OK
C: DATA
S: 354 OK
C: .
S: 250 2.0.0 <bob> SESSION Saved 0
S: 250 2.0.0 <"|prog x, y"@w.example> "|prog x, y"@else.example from <>
S: 250 2.0.0 <list@v.example> SESSION Saved for 2
C: QUIT
S: 221 2.0.0 Bye
