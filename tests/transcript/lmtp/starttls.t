# RFC 3207 section 4.2: STARTTLS is offered once, and LHLO is needed again behind it.
O: tls=1
O: needs_tls=1
S: 220 mx.example Culver ready.
C: LHLO client
S: 250-mx.example
S: 250-STARTTLS
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250 SIZE*
C: MAIL FROM:<a@b>
S: 530 5.7.0 STARTTLS needed first
C: STARTTLS now
S: 501 5.5.4 STARTTLS takes no arguments
C: QUIT
S: 221 2.0.0 Bye
