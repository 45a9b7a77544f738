# RFC 2033 section 4.2: a reply for each recipient that was accepted, in their order; the next transaction follows.
S: 220 mx.example Culver ready.
C: LHLO client.example
S: 250-mx.example
S: 250-8BITMIME
S: 250-CHUNKING
S: 250-ENHANCEDSTATUSCODES
S: 250-PIPELINING
S: 250-SMTPUTF8
S: 250 SIZE 1000
C: MAIL FROM:<sender@example.net> SIZE=500 BODY=8BITMIME
S: 250 2.1.0 OK
C: RCPT TO:<bob>
S: 250 2.1.5 OK
C: RCPT TO:<nobody@example.org>
S: 550 5.1.1 <nobody@example.org> User doesn't exist: nobody@example.org
C: RCPT TO:<nobody+x@example.org>
S: 550 5.1.1 <nobody+x@example.org> User doesn't exist: nobody@example.org
C: RCPT TO:<full>
S: 250 2.1.5 OK
C: rcpt to:<CAROL@EXAMPLE.ORG> notify=never orcpt=rfc822;c@d
S: 250 2.1.5 OK
C: RCPT TO:<alice>
S: 452 4.5.3 Too many recipients
C: DATA
S: 354 OK
C: Subject: one
C:
C: ..dot
C: .
S: 250 2.0.0 <bob> SESSION Saved 22
S: 552 5.2.2 <full> Quota exceeded
S: 250 2.0.0 <CAROL@EXAMPLE.ORG> SESSION Saved 22
C: MAIL FROM:<>
S: 250 2.1.0 OK
C: RCPT TO:<off>
S: 550 5.2.1 <off> Mailbox is disabled
C: RCPT TO:<temp>
S: 451 4.3.0 <temp> Temporary internal error
C: RCPT TO:<"bob"+x>
S: 501 5.5.4 Invalid TO: Missing '>' at the end of the path
C: RCPT TO:<"bob@example.org">
S: 550 5.1.1 <"bob@example.org"> User doesn't exist: "bob@example.org"
C: RCPT TO:<"alice">
S: 250 2.1.5 OK
C: DATA
S: 354 OK
C: .
S: 250 2.0.0 <"alice"> SESSION:2 Saved 0
C: QUIT
S: 221 2.0.0 Bye
