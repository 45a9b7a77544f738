# RFC 3501 section 6.2.3: LOGIN with atoms, quoted strings and literals (RFC 7888)
O: tls=yes
C: a LOGIN alice wrong
C: b LOGIN alice
C: c LOGIN alice "secret words" more
C: d LOGIN "al\\ice" {5}
C= guess\r\n
C: e LOGIN {5+}
C= alice {12+}\r\nsecret words\r\n
S: * OK [CAPABILITY IMAP4rev1 SASL-IR ID ENABLE IDLE LITERAL+ AUTH=PLAIN AUTH=LOGIN AUTH=X-DOWN AUTH=X-FINAL AUTH=X-LIMIT] Culver ready.
S: a NO [AUTHENTICATIONFAILED] Authentication failed.
S~ b BAD *
S~ c BAD *
S: + OK
S: d NO [AUTHENTICATIONFAILED] Authentication failed.
S: <e alice is logged in>
