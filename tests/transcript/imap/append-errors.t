# RFC 3501 section 6.3.11: what can be refused is refused before the message is invited
O: imap_max_literal_size=100
O: imap_max_append_messages=2
C: a APPEND NoSuch {10}
S: a NO [TRYCREATE] Mailbox doesn't exist.
C: b APPEND NoSuch {10+}
C: 0123456789
S: b NO [TRYCREATE] Mailbox doesn't exist.
C: c APPEND INBOX {101}
S: c NO [TOOBIG] Message is too large.
C: d APPEND INBOX {101+}
C: 01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890
S: d NO [TOOBIG] Message is too large.
C: e APPEND INBOX {9223372036854775808}
S: e NO [TOOBIG] Message is too large.
C: f APPEND INBOX {99999999999999999999999999999}
S: f NO [TOOBIG] Message is too large.
C: g APPEND INBOX {0}
S: g NO [CANNOT] Can't save a message of no octets.
C: h APPEND INBOX
S: h BAD Error in IMAP command APPEND: Missing arguments.
C: i APPEND INBOX (\Seen
S: i BAD Error in IMAP command APPEND: Expected a message literal.
C: j APPEND INBOX (\Recent) {10}
S: j BAD Error in IMAP command APPEND: Invalid system flag.
C: k APPEND INBOX "1-Foo-1996 00:00:00 +0000" {10}
S: k BAD Error in IMAP command APPEND: Invalid internal date.
C: l APPEND INBOX (\Seen) (\Seen) {10}
S: l BAD Error in IMAP command APPEND: Expected a message literal.
C: m APPEND INBOX {10+}
C= 0123456789 garbage\r\n
S: m BAD Error in IMAP command APPEND: Unexpected extra arguments.
C: n APPEND INBOX {10+}
C= 0123456789 {10+}\r\n0123456789 {10+}\r\n0123456789\r\n
S: n NO [LIMIT] Too many messages in one APPEND.
C: o STATUS INBOX (MESSAGES)
S: * STATUS INBOX (MESSAGES 0)
S: o OK Status completed.
