# XCLIENT of whom login_trusted_networks trusts: the session begins anew, for the client that is named.
O: trusted=1
S: 220 mx.example Culver ready.
C: LHLO proxy
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S: 250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN SESSION TTL TIMEOUT
S~ 250 SIZE*
C: XCLIENT ADDR=nonsense
S: 501 5.5.4 ADDR is no address
C: XCLIENT FOO=1
S: 501 5.5.4 Unknown attribute
C: XCLIENT ADDR
S: 501 5.5.4 Malformed attribute
C: XCLIENT HELO=a(b)
S: 501 5.5.4 HELO is no name
C: NOOP
S: 250 2.0.0 OK
C: XCLIENT HELO=a+zz
S: 501 5.5.4 Malformed attribute
C: XCLIENT PORT=65536
S: 501 5.5.4 PORT is no port
C: XCLIENT SESSION=a+0D+0A250
S: 501 5.5.4 Malformed attribute
C: XCLIENT SESSION=a<b
S: 501 5.5.4 SESSION is no name
C: NOOP
S: 250 2.0.0 OK
C: XCLIENT TIMEOUT=x
S: 501 5.5.4 TIMEOUT is no number
C: XCLIENT ADDR=IPV6:2001:db8::7 PORT=1234 HELO=client.example PROTO=ESMTP LOGIN=[UNAVAILABLE] TTL=5 SESSION=front+2B/9:P1
S: 220 mx.example Culver ready.
C: MAIL FROM:<a@b>
S: 503 5.5.1 LHLO needed first
C: LHLO proxy
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-XCLIENT*
S~ 250 SIZE*
C: XCLIENT TTL=x
S: 501 5.5.4 TTL is no number
C: MAIL FROM:<a@b>
S: 250 2.1.0 OK
C: XCLIENT ADDR=192.0.2.9
S: 503 5.5.1 There is a MAIL already
C: RCPT TO:<bob>
S: 250 2.1.5 OK
C: DATA
S: 354 OK
C: .
S: 250 2.0.0 <bob> front+/9:P1 Saved 0
C: MAIL FROM:<a@b>
S: 250 2.1.0 OK
C: RCPT TO:<bob>
S: 250 2.1.5 OK
C: DATA
S: 354 OK
C: .
S: 250 2.0.0 <bob> front+/9:P1:2 Saved 0
C: QUIT
S: 221 2.0.0 Bye
