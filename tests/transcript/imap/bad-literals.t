# Literals of commands that are refused keep client and server in step
C: a NOSUCH {5+}
C: 01234 more {3+}
C: abc
S: a BAD Error in IMAP command NOSUCH: Unknown command.
C: b NOSUCH {5}
S: b BAD Error in IMAP command NOSUCH: Unknown command.
C: c FETCH {5+}
C: hello
S: c BAD Error in IMAP command FETCH: No mailbox selected.
C: d CREATE {9999999999}
S: d NO [TOOBIG] Too long literal.
C: e CREATE {3}
S: + OK
C: abc
S~ e OK [MAILBOXID (M*)] Create completed.
C: f CREATE "unterminated {3}
S: f BAD Error in IMAP command CREATE: Missing '"'.
C: g CREATE {3+}
C= a\0b\r\n
S: g BAD Error in IMAP command CREATE: NULs are not allowed.
C: h CREATE "quo\ted"
S~ h OK [MAILBOXID (M*)] Create completed.
C: i LIST "" "quo*"
S: * LIST (\HasNoChildren) "/" quoted
S: i OK List completed.
C: j CREATE {-1}
S~ j BAD *
C: k CREATE {}
S~ k BAD *
C: l NOOP
S: l OK NOOP completed.
