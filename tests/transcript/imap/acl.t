# RFC 4314: SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS of a mailbox's owner
# real storage
O: mail_plugins=acl imap_acl
O: plugin/acl=vfile
P: Work
C: a1 CAPABILITY
S~ * CAPABILITY * ACL RIGHTS=texk LIST-MYRIGHTS*
S: a1 OK Capability completed.
C: a2 MYRIGHTS Work
S: * MYRIGHTS Work lrwstipekxacd
S: a2 OK Myrights completed.
C: a3 GETACL Work
S: * ACL Work tester lrwstipekxacd
S: a3 OK Getacl completed.
C: a4 SETACL Work bob lrs
S: a4 OK Setacl complete.
C: a5 SETACL Work bob +wcd
S: a5 OK Setacl complete.
C: a6 SETACL Work bob -rc
S: a6 OK Setacl complete.
C: a7 SETACL Work $staff lr
S: a7 OK Setacl complete.
C: a8 SETACL Work !left ""
S: a8 OK Setacl complete.
C: a9 SETACL Work -carol w
S: a9 OK Setacl complete.
C: a10 SETACL Work "dave jones" l
S: a10 OK Setacl complete.
C: a11 SETACL Work erin -r
S: a11 OK Setacl complete.
C: a12 GETACL Work
S: * ACL Work $staff lr bob lwsted -carol w "dave jones" l tester lrwstipekxacd
S: a12 OK Getacl completed.
C: a13 LISTRIGHTS Work bob
S: * LISTRIGHTS Work bob "" l r w s t p i e k x a c d
S: a13 OK Listrights completed.
C: a14 DELETEACL Work bob
S: a14 OK Deleteacl complete.
C: a15 DELETEACL Work nobody
S: a15 OK Deleteacl complete.
C: a16 DELETEACL Work "dave jones"
S: a16 OK Deleteacl complete.
C: a17 DELETEACL Work -carol
S: a17 OK Deleteacl complete.
C: a18 GETACL Work
S: * ACL Work $staff lr tester lrwstipekxacd
S: a18 OK Getacl completed.
# An owner can not lose the right to change it.
C: a19 SETACL Work tester -w
S: a19 OK Setacl complete.
C: a20 MYRIGHTS Work
S: * MYRIGHTS Work lrstipekxacd
S: a20 OK Myrights completed.
C: a21 SETACL Work owner lr
S: a21 OK Setacl complete.
C: a22 DELETEACL Work tester
S: a22 OK Deleteacl complete.
C: a23 MYRIGHTS Work
S: * MYRIGHTS Work lra
S: a23 OK Myrights completed.
C: a24 SETACL Work owner ""
S: a24 OK Setacl complete.
C: a25 GETACL Work
S: * ACL Work $staff lr owner a
S: a25 OK Getacl completed.
C: a26 MYRIGHTS Work
S: * MYRIGHTS Work a
S: a26 OK Myrights completed.
# What is refused
C: b1 SETACL Work bob lz
S: b1 BAD Error in IMAP command SETACL: Invalid ACL right.
C: b2 SETACL INBOX anyone lr
S: b2 NO [CANNOT] Rights for everybody are not given here.
C: b3 SETACL INBOX authenticated +lr
S: b3 NO [CANNOT] Rights for everybody are not given here.
C: b4 SETACL INBOX #owner lr
S: b4 NO [CANNOT] Global ACLs can't be modified.
C: b5 SETACL INBOX "" lr
S: b5 NO [CANNOT] Invalid identifier.
C: b6 SETACL INBOX "a	b" lr
S: b6 NO [CANNOT] Invalid identifier.
C: b7 SETACL INBOX bob
S~ b7 BAD Error in IMAP command SETACL: *
C: b8 GETACL Nope
S: b8 NO [NONEXISTENT] Mailbox doesn't exist.
C: b9 MYRIGHTS Nope
S: b9 NO [NONEXISTENT] Mailbox doesn't exist.
C: b10 SETACL Nope bob l
S: b10 NO [NONEXISTENT] Mailbox doesn't exist.
C: b11 MYRIGHTS
S~ b11 BAD Error in IMAP command MYRIGHTS: *
C: b12 GETACL INBOX more
S~ b12 BAD Error in IMAP command GETACL: *
C: b13 LISTRIGHTS INBOX
S~ b13 BAD Error in IMAP command LISTRIGHTS: *
C: z LOGOUT
S: * BYE Logging out
S: z OK Logout completed.
