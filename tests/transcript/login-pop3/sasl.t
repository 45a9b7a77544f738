# RFC 5034: AUTH
O: tls=yes
C: AUTH PLAIN
C: *
C: AUTH PLAIN x
C: AUTH X-DOWN
C: AUTH X-LIMIT
C: AUTH PLAIN AGFsaWNlAHNlY3JldCB3b3Jkcw==
S: +OK Culver ready.
S: + 
S: -ERR Authentication aborted.
S~ -ERR *
S: -ERR [SYS/TEMP] Temporary authentication failure.
S: -ERR [IN-USE] Too many of you.
S: < alice is logged in>
