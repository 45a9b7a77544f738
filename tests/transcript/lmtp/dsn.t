# RFC 3461 sections 4.1 to 4.4: values that are none are 501, and so is a parameter that comes twice (section 5.1).
S: 220 mx.example Culver ready.
C: LHLO client
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250 SIZE*
C: MAIL FROM:<a@b> RET=BOGUS
S: 501 5.5.4 RET is FULL or HDRS
C: MAIL FROM:<a@b> RET
S: 501 5.5.4 RET is FULL or HDRS
C: MAIL FROM:<a@b> RET=FULL RET=HDRS
S: 501 5.5.4 A parameter came twice
C: MAIL FROM:<a@b> SIZE=1 SIZE=1
S: 501 5.5.4 A parameter came twice
C: RSET
S: 250 2.0.0 OK
C: MAIL FROM:<a@b> ENVID=x+zz
S: 501 5.5.4 ENVID is not xtext
C: MAIL FROM:<a@b> ENVID
S: 501 5.5.4 ENVID is not xtext
C: MAIL FROM:<a@b> ENVID=a ENVID=a
S: 501 5.5.4 A parameter came twice
C: MAIL FROM:<a@b> ENVID=ü
S: 501 5.5.4 ENVID is not xtext
C: RSET
S: 250 2.0.0 OK
C: MAIL FROM:<a@b> SMTPUTF8 SMTPUTF8
S: 501 5.5.4 A parameter came twice
C: MAIL FROM:<a@b> BODY
S: 501 5.5.4 BODY is 7BIT or 8BITMIME
C: MAIL FROM:<a@b> BODY=7BIT BODY=8BITMIME
S: 501 5.5.4 A parameter came twice
C: MAIL FROM:<a@b> ret=full envid=Q+20q body=8bitmime
S: 250 2.1.0 OK
C: RCPT TO:<bob> NOTIFY=NEVER,SUCCESS
S: 501 5.5.4 NOTIFY is NEVER, or some of SUCCESS, FAILURE, DELAY
C: RCPT TO:<bob> NOTIFY=SUCCESS,
S: 501 5.5.4 NOTIFY is NEVER, or some of SUCCESS, FAILURE, DELAY
C: RCPT TO:<bob> NOTIFY
S: 501 5.5.4 NOTIFY is NEVER, or some of SUCCESS, FAILURE, DELAY
C: RCPT TO:<bob> NOTIFY=FOO
S: 501 5.5.4 NOTIFY is NEVER, or some of SUCCESS, FAILURE, DELAY
C: RSET
S: 250 2.0.0 OK
C: MAIL FROM:<a@b>
S: 250 2.1.0 OK
C: RCPT TO:<bob> NOTIFY=NEVER NOTIFY=NEVER
S: 501 5.5.4 A parameter came twice
C: RCPT TO:<bob> ORCPT=foo
S: 501 5.5.4 ORCPT is not a type, ';' and xtext
C: RCPT TO:<bob> ORCPT
S: 501 5.5.4 ORCPT is not a type, ';' and xtext
C: RCPT TO:<bob> ORCPT=rfc822;
S: 501 5.5.4 ORCPT is not a type, ';' and xtext
C: RSET
S: 250 2.0.0 OK
C: MAIL FROM:<a@b>
S: 250 2.1.0 OK
C: RCPT TO:<bob> ORCPT=rfc822;b+zz
S: 501 5.5.4 ORCPT is not a type, ';' and xtext
C: RCPT TO:<bob> ORCPT=utf-8;ü@b
S: 501 5.5.4 ORCPT is not a type, ';' and xtext
C: RCPT TO:<bob> ORCPT=rfc822;b+0D+0AX:y
S: 501 5.5.4 ORCPT is not a type, ';' and xtext
C: RCPT TO:<bob> ORCPT=rfc822;b ORCPT=rfc822;b
S: 501 5.5.4 A parameter came twice
C: RSET
S: 250 2.0.0 OK
C: MAIL FROM:<a@b>
S: 250 2.1.0 OK
C: RCPT TO:<bob> orcpt=RFC822;b+2Bc@d notify=delay,SUCCESS
S: 250 2.1.5 OK
C: QUIT
S: 221 2.0.0 Bye
