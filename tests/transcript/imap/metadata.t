# RFC 5464: GETMETADATA and SETMETADATA
# real storage
O: imap_metadata=yes
O: mail_server_comment=a test server
O: mail_server_admin=mailto:admin@example.org
O: mail_attribute_max_size=20
O: mail_attribute_max_count=6
P: Box
C: a1 CAPABILITY
S~ * CAPABILITY * METADATA*
S: a1 OK Capability completed.
C: a2 GETMETADATA "" /shared/comment
S: * METADATA "" (/shared/comment "a test server")
S: a2 OK Getmetadata completed.
C: a3 GETMETADATA "" (/shared/admin /private/comment /SHARED/None)
S: * METADATA "" (/shared/admin "mailto:admin@example.org" /private/comment NIL /shared/none NIL)
S: a3 OK Getmetadata completed.
C: a4 GETMETADATA INBOX /shared/comment
S: * METADATA INBOX (/shared/comment NIL)
S: a4 OK Getmetadata completed.
C: a5 SETMETADATA inbox (/private/comment "mine" /Shared/Comment "ours")
S: a5 OK Setmetadata completed.
C: a6 GETMETADATA INBOX (/shared/comment /private/comment)
S: * METADATA INBOX (/shared/comment "ours" /private/comment "mine")
S: a6 OK Getmetadata completed.
C: a7 SETMETADATA Box (/private/a/b "1" /private/a/c "22" /private/a/b/d "333" /private/A "4")
S: a7 OK Setmetadata completed.
C: a8 GETMETADATA (DEPTH 1) Box /private/a
S: * METADATA Box (/private/a "4" /private/a/b "1" /private/a/c "22")
S: a8 OK Getmetadata completed.
C: a9 GETMETADATA (DEPTH infinity MAXSIZE 2) Box (/private/a)
S: * METADATA Box (/private/a "4" /private/a/b "1" /private/a/c "22")
S: a9 OK [METADATA LONGENTRIES 3] Getmetadata completed.
C: a10 GETMETADATA (DEPTH infinity) Box (/private /shared)
S: * METADATA Box (/private/a/b "1" /private/a/c "22" /private/a/b/d "333" /private/a "4")
S: a10 OK Getmetadata completed.
C: a11 GETMETADATA (DEPTH 0) Box (/private/a /private/a)
S: * METADATA Box (/private/a "4")
S: a11 OK Getmetadata completed.
C: a12 SETMETADATA Box (/private/a/b NIL /private/e "")
S: a12 OK Setmetadata completed.
C: a13 GETMETADATA Box (/private/a/b /private/e)
S: * METADATA Box (/private/a/b NIL /private/e "")
S: a13 OK Getmetadata completed.
C: a14 SETMETADATA Box (/private/f "123456789012345678901")
S: a14 NO [METADATA MAXSIZE 20] An annotation is too large.
C: a15 SETMETADATA Box (/private/1 "1" /private/2 "2" /private/3 "3")
S: a15 NO [METADATA TOOMANY] There are too many annotations.
C: a16 GETMETADATA Box /private/1
S: * METADATA Box (/private/1 NIL)
S: a16 OK Getmetadata completed.
C: a17 SETMETADATA "" (/shared/comment "x")
S: a17 NO [CANNOT] That entry can not be changed.
C: a18 SETMETADATA "" (/shared/vendor/x "x" /private/y "z")
S: a18 OK Setmetadata completed.
C: a19 GETMETADATA "" (/shared/vendor/x /private/y)
S: * METADATA "" (/shared/vendor/x "x" /private/y "z")
S: a19 OK Getmetadata completed.
C: b1 GETMETADATA INBOX comment
S: b1 BAD Error in IMAP command GETMETADATA: Entry name must begin with /private/ or /shared/.
C: b2 GETMETADATA INBOX /private/x/
S: b2 BAD Error in IMAP command GETMETADATA: Entry name has an empty component.
C: b3 GETMETADATA INBOX "/private/x*"
S: b3 BAD Error in IMAP command GETMETADATA: Entry name has a character that it can not have.
C: b4 GETMETADATA (DEPTH 2) INBOX /private/a
S: b4 BAD Error in IMAP command GETMETADATA: Invalid value for DEPTH option.
C: b5 GETMETADATA (BOGUS) INBOX /private/a
S: b5 BAD Error in IMAP command GETMETADATA: Unknown option.
C: b6 SETMETADATA INBOX (/private/x)
S: b6 BAD Error in IMAP command SETMETADATA: Entry value missing.
C: b7 SETMETADATA INBOX ()
S: b7 OK Setmetadata completed.
C: b8 SETMETADATA None (/private/x "y")
S: b8 NO [NONEXISTENT] Mailbox doesn't exist.
C: b9 GETMETADATA None /private/x
S: b9 NO [NONEXISTENT] Mailbox doesn't exist.
C: b10 SETMETADATA Box (/private/x unquoted)
S: b10 OK Setmetadata completed.
C: b11 SETMETADATA Box (/private/x ~{4+}
C: a"b))
S: b11 OK Setmetadata completed.
C: b12 GETMETADATA Box /private/x
S: * METADATA Box (/private/x "a\"b)")
S: b12 OK Getmetadata completed.
C: c1 RENAME Box Other
S: c1 OK Rename completed.
C: c2 GETMETADATA Other /private/a
S: * METADATA Other (/private/a "4")
S: c2 OK Getmetadata completed.
C: c3 DELETE Other
S: c3 OK Delete completed.
C: c4 CREATE Other
S~ c4 OK [MAILBOXID (M*)] Create completed.
C: c5 GETMETADATA (DEPTH infinity) Other (/private)
S: c5 OK Getmetadata completed.
