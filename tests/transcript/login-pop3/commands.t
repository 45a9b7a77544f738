# RFC 1939 section 4, RFC 2449 section 5: before login, on an open line
C: CAPA
C: AUTH
C: NOOP
C: APOP alice c4c9334bac560ecc979e58001b3e22fb
C: QUIT
C: CAPA
S: +OK Culver ready.
S: +OK
S: CAPA
S: TOP
S: UIDL
S: RESP-CODES
S: PIPELINING
S: AUTH-RESP-CODE
S: STLS
S: SASL X-DOWN X-FINAL X-LIMIT
S: .
S: +OK
S: X-DOWN
S: X-FINAL
S: X-LIMIT
S: .
S~ -ERR *
S: -ERR APOP is not available.
S: +OK Logging out
S: <closed: Logged out>
