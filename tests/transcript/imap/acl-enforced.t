# RFC 4314 section 4: what each right allows (the owner's own rights are taken, one after the other)
# real storage
O: mail_plugins=acl imap_acl
O: plugin/acl=vfile
P: Work
P: Target
M: Work plain.eml
M: Work plain.eml
C: a1 SETACL Work owner lrsa
S: a1 OK Setacl complete.
C: a2 SELECT Work
S~ * FLAGS (*)
S: * OK [PERMANENTFLAGS (\Seen)] Flags permitted.
S: * 2 EXISTS
S: * 2 RECENT
S: * OK [UNSEEN 1] First unseen.
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a2 OK [READ-WRITE] Select completed.
C: a3 STORE 1 +FLAGS (\Seen \Flagged \Deleted $Junk)
S: * 1 FETCH (FLAGS (\Seen \Recent))
S: a3 OK Store completed.
C: a4 STORE 1 +FLAGS (\Flagged)
S: a4 NO [NOPERM] Permission denied.
C: a5 STORE 2 FLAGS (\Deleted \Seen)
S: * 2 FETCH (FLAGS (\Seen \Recent))
S: a5 OK Store completed.
C: a6 STORE 2 FLAGS ()
S: * 2 FETCH (FLAGS (\Recent))
S: a6 OK Store completed.
C: a7 EXPUNGE
S: a7 NO [NOPERM] Permission denied.
C: a8 MOVE 1 Target
S: a8 NO [NOPERM] Permission denied.
C: a9 COPY 1 Work
S: a9 NO [NOPERM] Permission denied.
C: a10 COPY 1 Target
S~ a10 OK [COPYUID * 1 1] Copy completed.
C: a11 DELETE Work
S: * OK [CLOSED] Selected mailbox is closed.
S: a11 NO [NOPERM] Permission denied.
C: a12 RENAME Work Other
S: a12 NO [NOPERM] Permission denied.
C: a13 CREATE Work/Sub
S: a13 NO [NOPERM] Permission denied.
# Deleting and expunging are two rights.
C: b1 SETACL Work owner lrtea
S: b1 OK Setacl complete.
C: b2 SELECT Work
S~ * FLAGS (*)
S: * OK [PERMANENTFLAGS (\Deleted)] Flags permitted.
S: * 2 EXISTS
S: * 0 RECENT
S: * OK [UNSEEN 2] First unseen.
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: b2 OK [READ-WRITE] Select completed.
C: b3 STORE 2 +FLAGS.SILENT (\Deleted)
S: b3 OK Store completed.
C: b4 EXPUNGE
S: * 2 EXPUNGE
S: b4 OK Expunge completed.
C: b5 UNSELECT
S: b5 OK Unselect completed.
# Reading alone
C: c1 SETACL Work owner lra
S: c1 OK Setacl complete.
C: c2 SELECT Work
S~ * FLAGS (*)
S: * OK [PERMANENTFLAGS ()] Read-only mailbox.
S: * 1 EXISTS
S: * 0 RECENT
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: c2 OK [READ-ONLY] Select completed.
C: c3 STORE 1 +FLAGS (\Seen)
S: c3 NO [READ-ONLY] Mailbox is read-only.
C: c4 CLOSE
S: c4 OK Close completed.
# Adding without reading: flags that may not be set are left out
C: d1 SETACL Target owner lia
S: d1 OK Setacl complete.
C: d2 SELECT Target
S: d2 NO [NOPERM] Permission denied.
C: d3 STATUS Target (MESSAGES)
S: d3 NO [NOPERM] Permission denied.
C: d4 APPEND Target (\Seen \Flagged) {12+}
C: Subject: x
C:
S~ d4 OK [APPENDUID *] Append completed.
C: d5 SETACL Target owner lra
S: d5 OK Setacl complete.
C: d6 EXAMINE Target
S~ * FLAGS (*)
S: * OK [PERMANENTFLAGS ()] Read-only mailbox.
S: * 2 EXISTS
S: * 2 RECENT
S: * OK [UNSEEN 2] First unseen.
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: d6 OK [READ-ONLY] Examine completed.
C: d7 FETCH 2 FLAGS
S: * 2 FETCH (FLAGS (\Recent))
S: d7 OK Fetch completed.
C: d8 APPEND Target {12+}
C: Subject: x
C:
S: d8 NO [NOPERM] Permission denied.
# What may not be known
C: e1 SETACL Target owner ria
S: e1 OK Setacl complete.
C: e2 LIST "" *
S| * LIST (\HasNoChildren) "/" INBOX
S| * LIST (\HasNoChildren) "/" Work
S: e2 OK List completed.
C: e3 UNSELECT
S: e3 OK Unselect completed.
C: e3 DELETE Target
S: e3 NO [NONEXISTENT] Mailbox doesn't exist.
C: e4 SUBSCRIBE Target
S: e4 NO [NONEXISTENT] Mailbox doesn't exist.
C: e5 LIST "" * RETURN (MYRIGHTS)
S| * LIST (\HasNoChildren) "/" INBOX
S| * MYRIGHTS INBOX lrwstipekxacd
S| * LIST (\HasNoChildren) "/" Work
S| * MYRIGHTS Work lra
S: e5 OK List completed.
# A new mailbox has the rights of the one that it is below.
C: f1 SETACL Work owner lrka
S: f1 OK Setacl complete.
C: f2 CREATE Work/Sub
S~ f2 OK [MAILBOXID (M*)] Create completed.
C: f3 MYRIGHTS Work/Sub
S: * MYRIGHTS Work/Sub lrkac
S: f3 OK Myrights completed.
C: z LOGOUT
S: * BYE Logging out
S: z OK Logout completed.
