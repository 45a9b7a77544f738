# RFC 3501 section 5.1.3: modified UTF-7
C: a CREATE Entw&APw-rfe
S~ a OK [MAILBOXID (M*)] Create completed.
C: b LIST "" Ent*
S: * LIST (\HasNoChildren) "/" Entw&APw-rfe
S: b OK List completed.
C: c CREATE "a&-b"
S~ c OK [MAILBOXID (M*)] Create completed.
C: d LIST "" a*
S: * LIST (\HasNoChildren) "/" a&-b
S: d OK List completed.
C: e CREATE "bad&name"
S: e NO [CANNOT] Mailbox name is not valid modified UTF-7.
C= f CREATE "\xc3\xbc"\r\n
S: f NO [CANNOT] Mailbox name is not valid modified UTF-7.
C: g CREATE "with space"
S~ g OK [MAILBOXID (M*)] Create completed.
C: h STATUS "with space" (MESSAGES)
S: * STATUS "with space" (MESSAGES 0)
S: h OK Status completed.
C: i CREATE "NIL"
S~ i OK [MAILBOXID (M*)] Create completed.
C: j LIST "" NIL
S: * LIST (\HasNoChildren) "/" "NIL"
S: j OK List completed.
