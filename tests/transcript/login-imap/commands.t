# RFC 3501 section 6.1: commands for any state, before login
C: a CAPABILITY
C: b noop
C: c ID NIL
C: d ID ("name" "Thunder \"x\"" "version" NIL "empty" "")
C: e ID (broken
C: f SELECT INBOX
C:
C: g LOGOUT
C: h NOOP
S: * OK [CAPABILITY IMAP4rev1 SASL-IR ID ENABLE IDLE LITERAL+ STARTTLS LOGINDISABLED AUTH=X-DOWN AUTH=X-FINAL AUTH=X-LIMIT] Culver ready.
S: * CAPABILITY IMAP4rev1 SASL-IR ID ENABLE IDLE LITERAL+ STARTTLS LOGINDISABLED AUTH=X-DOWN AUTH=X-FINAL AUTH=X-LIMIT
S: a OK CAPABILITY completed.
S: b OK NOOP completed.
S: * ID ("name" "Culver")
S: c OK ID completed.
S: * ID ("name" "Culver")
S: d OK ID completed.
S~ e BAD *
S~ f BAD *
S: * BYE Logging out
S: g OK Logout completed.
S: <closed: Logged out>
