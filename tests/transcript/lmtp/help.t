# RFC 5321 section 4.1.1.8; somebody at a terminal may begin with it.
S: 220 mx.example Culver ready.
C: HELP
S: 214 2.0.0 LHLO MAIL RCPT DATA BDAT RSET NOOP VRFY STARTTLS XCLIENT QUIT
C: QUIT
S: 221 2.0.0 Bye
