# Without a certificate there is no STARTTLS
O: tls_available=no
O: disable_plaintext=no
O: mechs=plain
C: a STARTTLS
C: b LOGIN alice "secret words"
S: * OK [CAPABILITY IMAP4rev1 SASL-IR ID ENABLE IDLE LITERAL+ AUTH=PLAIN] Culver ready.
S~ a BAD *
S: <b alice is logged in>
