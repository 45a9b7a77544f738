# RFC 5321 section 4.1.4: the order of commands.
S: 220 mx.example Culver ready.
C: MAIL FROM:<a@b>
S: 503 5.5.1 LHLO needed first
C: EHLO client
S: 502 5.5.1 This is LMTP: say LHLO
C: LHLO
S: 501 5.5.4 LHLO needs a host name
C: LHLO a(b
S: 501 5.5.4 LHLO needs a host name
C: NOOP
S: 250 2.0.0 OK
C: LHLO client
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250 SIZE*
C: RCPT TO:<bob>
S: 503 5.5.1 MAIL needed first
C: DATA
S: 503 5.5.1 MAIL needed first
C: RSET
S: 250 2.0.0 OK
C: MAIL FROM:<a@b>
S: 250 2.1.0 OK
C: MAIL FROM:<a@b>
S: 503 5.5.1 There is a MAIL already
C: DATA
S: 503 5.5.1 No valid recipients
C: RCPT TO:<bob>
S: 250 2.1.5 OK
C: RSET
S: 250 2.0.0 OK
C: DATA
S: 503 5.5.1 MAIL needed first
C: VRFY bob
S: 252 2.3.3 Try RCPT instead
C: EXPN bob
S: 500 5.5.1 Unknown command
C: HELP
S: 214 2.0.0 LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY STARTTLS XCLIENT QUIT
C: STARTTLS
S: 502 5.5.1 TLS is not offered
C: NOOP
S: 250 2.0.0 OK
C: MAIL FROM:<a@b> SIZE=1001
S: 552 5.3.4 Message too large
C: MAIL FROM:<a@b> SIZE=x
S: 501 5.5.4 SIZE needs a number
C: RSET
S: 250 2.0.0 OK
C: MAIL FROM:<a@b> BODY=BINARYMIME
S: 501 5.5.4 BODY is 7BIT or 8BITMIME
C: MAIL FROM:<a@b> MT-PRIORITY=3
S: 555 5.5.4 Unsupported parameter
C: RSET
S: 250 2.0.0 OK
C: MAIL FROM: <a@b>
S: 501 5.5.4 Invalid FROM: Missing '<' at the start of the path
C: MAIL <a@b>
S: 501 5.5.4 Invalid FROM: Wrong syntax
C: RSET
S: 250 2.0.0 OK
C: MAIL FROM:<a@b> RET=HDRS ENVID=x
S: 250 2.1.0 OK
C: QUIT
S: 221 2.0.0 Bye
