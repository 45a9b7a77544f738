# A service behind has gone: the transaction is finished, and the connection is of no use any more (RFC 5321 section 3.8).
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
C: RCPT TO:<gone>
S: 451 4.3.0 <gone> Temporary internal error
C: NOOP
S: 250 2.0.0 OK
C: DATA
S: 354 OK
C: .
S: 250 2.0.0 <bob> SESSION Saved 0
S: 421 4.3.2 mx.example This connection ends here, come back
C: MAIL FROM:<a@b>
