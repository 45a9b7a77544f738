# RFC 2595 section 4: what was said before the handshake does not count after it
O: disable_plaintext=no
C: USER mallory
C: STLS
C: PASS secret words
C: USER alice
C: PASS secret words
S: +OK Culver ready.
S: +OK
S: +OK Begin TLS negotiation now.
S: <handshake>
S: -ERR No user name given.
S: +OK
S: < alice is logged in>
