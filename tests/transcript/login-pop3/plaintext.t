# RFC 3206: a password is refused before TLS
C: USER alice
C: PASS secret words
C: AUTH PLAIN AGFsaWNlAHNlY3JldCB3b3Jkcw==
S: +OK Culver ready.
S: -ERR [AUTH] Passwords are taken over TLS only.
S: -ERR No user name given.
S: -ERR [AUTH] Passwords are taken over TLS only.
