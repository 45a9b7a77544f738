# RFC 3501 sections 6.3.3 to 6.3.5: CREATE, DELETE, RENAME
C: a CREATE one
S~ a OK [MAILBOXID (M*)] Create completed.
C: b CREATE one
S: b NO [ALREADYEXISTS] Mailbox already exists.
C: c CREATE inbox
S: c NO [ALREADYEXISTS] INBOX always exists.
C: d RENAME one two
S: d OK Rename completed.
C: e RENAME one three
S: e NO [NONEXISTENT] Mailbox doesn't exist.
C: f CREATE one
S~ f OK [MAILBOXID (M*)] Create completed.
C: g RENAME one two
S: g NO [ALREADYEXISTS] Mailbox already exists.
C: h DELETE one
S: h OK Delete completed.
C: i DELETE one
S: i NO [NONEXISTENT] Mailbox doesn't exist.
C: j DELETE INBOX
S: j NO [CANNOT] INBOX can't be deleted.
C: k CREATE "sub/"
S: k OK Create completed.
C: l CREATE sub/child
S~ l OK [MAILBOXID (M*)] Create completed.
C: m RENAME sub top
S: m OK Rename completed.
C: n LIST "" top/*
S: * LIST (\HasNoChildren) "/" top/child
S: n OK List completed.
C: o CREATE "a//b"
S~ o NO [CANNOT] *
C: p CREATE ""
S~ p NO [CANNOT] *
C: q CREATE {3+}
C= x\x07y\r\n
S~ q NO [CANNOT] *
C: r CREATE
S: r BAD Error in IMAP command CREATE: Missing arguments.
C: s RENAME two
S: s BAD Error in IMAP command RENAME: Missing arguments.
C: t CREATE a b
S: t BAD Error in IMAP command CREATE: Unexpected extra arguments.
C: u SELECT nosuch
S: u NO [NONEXISTENT] Mailbox doesn't exist.
C: v STATUS nosuch (MESSAGES)
S: v NO [NONEXISTENT] Mailbox doesn't exist.
