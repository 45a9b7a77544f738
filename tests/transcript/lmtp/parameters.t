# Parameters of MAIL and RCPT: RFC 3461 (taken, for filters), RFC 6531, RFC 3030 section 3 (BINARYMIME is refused).
S: 220 mx.example Culver ready.
C: LHLO client
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-SMTPUTF8
S~ 250 SIZE*
C: MAIL FROM:<a@b> BODY=BINARYMIME
S: 501 5.5.4 BODY is 7BIT or 8BITMIME
C: MAIL FROM:<ü@b>
S: 553 5.6.7 This address needs SMTPUTF8
C: MAIL FROM:<a@b> SMTPUTF8=1
S: 501 5.5.4 SMTPUTF8 takes no value
C: MAIL FROM:<a@b> RET=HDRS ENVID=QQ314159
S: 250 2.1.0 OK
C: RCPT TO:<ü>
S: 553 5.6.7 This address needs SMTPUTF8
C: RCPT TO:<bob> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;bob+2Bx@example.org
S: 250 2.1.5 OK
C: RCPT TO:<bob> FOO=1
S: 555 5.5.4 Unsupported parameter
C: RSET
S: 250 2.0.0 OK
C: MAIL FROM:<jürgen@bücher.example> SMTPUTF8 BODY=8BITMIME
S: 250 2.1.0 OK
C: RCPT TO:<"ü x">
S~ 550 5.1.1*
C: RCPT TO:<bob> ORCPT=utf-8;ü@b NOTIFY=DELAY,FAILURE
S: 250 2.1.5 OK
C: DATA
S: 354 OK
C: .
S~ 250 2.0.0 <bob>*
C: QUIT
S: 221 2.0.0 Bye
