# RFC 1939 section 7: USER and PASS; a password may hold spaces
O: tls=yes
C: PASS secret words
C: USER alice
C: PASS wrong
C: PASS secret words
C: USER
C: user alice
C: pass secret words
S: +OK Culver ready.
S~ -ERR *
S: +OK
S: -ERR [AUTH] Authentication failed.
S~ -ERR *
S~ -ERR *
S: +OK
S: < alice is logged in>
