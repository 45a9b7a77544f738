# RFC 3501 section 6.2.3: a password is refused before TLS, and the client is told what it has done
C: a LOGIN alice "secret words"
C: b AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldCB3b3Jkcw==
C: c STARTTLS
C: d STARTTLS
C: e LOGIN alice "secret words"
S~ * OK *
S~ * BAD [ALERT] *
S: a NO [PRIVACYREQUIRED] Passwords are taken over TLS only.
S~ * BAD [ALERT] *
S: b NO [PRIVACYREQUIRED] Passwords are taken over TLS only.
S: c OK Begin TLS negotiation now.
S: <handshake>
S~ d BAD *
S: <e alice is logged in>
