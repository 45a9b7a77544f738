# RFC 3030 section 2: chunks are counted octets; a dot or a command in them is data.
S: 220 mx.example Culver ready.
C: LHLO client
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250 SIZE*
C: BDAT 6
C= NOOP\r\n
S: 503 5.5.1 MAIL needed first
C: MAIL FROM:<a@b>
S: 250 2.1.0 OK
C: BDAT 6 LAST
C= NOOP\r\n
S: 503 5.5.1 No valid recipients
C: RCPT TO:<bob>
S: 250 2.1.5 OK
C: RCPT TO:<alice>
S: 250 2.1.5 OK
C: BDAT 5
C= \r\n.\r\n
S: 250 2.0.0 5 octets taken
C: RCPT TO:<full>
S: 503 5.5.1 BDAT has begun
C: DATA
S: 503 5.5.1 BDAT has begun
C: bdat 6 last
C= QUIT\r\n
S: 250 2.0.0 <bob> SESSION Saved 11
S: 250 2.0.0 <alice> SESSION Saved 11
C: MAIL FROM:<a@b>
S: 250 2.1.0 OK
C: RCPT TO:<bob>
S: 250 2.1.5 OK
C: BDAT 3
C= abc
S: 250 2.0.0 3 octets taken
C: BDAT 0 LAST
S: 250 2.0.0 <bob> SESSION:2 Saved 3
C: BDAT x
S: 501 5.5.4 BDAT needs a size, and LAST or nothing
C: NOOP
