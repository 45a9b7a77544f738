# RFC 1939 section 5: RETR with dots and line ends; section 7: TOP.
C: RETR 1
S: +OK 42 octets
S: Subject: one
S:
S: hello
S: ..dot
S: ...two
S: last
S: .
C: RETR 2
S: +OK 31 octets
S: Subject: two
S:
S: CRLF
S: ..
S: no end
S: .
C: RETR 3
S: +OK 32 octets
S: Subject: three, a header alone
S: .
C: TOP 1 0
S: +OK
S: Subject: one
S:
S: .
C: TOP 1 2
S: +OK
S: Subject: one
S:
S: hello
S: ..dot
S: .
C: TOP 2 999
S: +OK
S: Subject: two
S:
S: CRLF
S: ..
S: no end
S: .
C: TOP 1
S: -ERR TOP needs a number of lines
C: TOP 1 x
S: -ERR TOP needs a number of lines: x
C: RETR
S: -ERR Invalid message number
C: QUIT
S: +OK Logging out.
