# RFC 2342, RFC 3501 section 6.3.8: a second namespace, which neither NAMESPACE nor LIST shows by itself
# real storage
P: Public/News
P: Work
M: Work plain.eml
C: a1 NAMESPACE
S: * NAMESPACE (("" "/")) NIL NIL
S: a1 OK Namespace completed.
C: a2 LIST "" *
S| * LIST (\HasNoChildren) "/" INBOX
S| * LIST (\HasNoChildren) "/" Work
S: a2 OK List completed.
# Who asks for its prefix sees it.
C: a3 LIST "" Public/*
S: * LIST (\HasNoChildren) "/" Public/News
S: a3 OK List completed.
C: a4 LIST Public/ %
S: * LIST (\HasNoChildren) "/" Public/News
S: a4 OK List completed.
C: a5 LIST "" (Public/% W*)
S| * LIST (\HasNoChildren) "/" Public/News
S| * LIST (\HasNoChildren) "/" Work
S: a5 OK List completed.
# Its subscriptions are with the others.
C: b1 SUBSCRIBE Public/News
S: b1 OK Subscribe completed.
C: b2 SUBSCRIBE Public/None
S: b2 NO [NONEXISTENT] Mailbox doesn't exist.
C: b3 LSUB "" *
S: * LSUB () "/" Public/News
S: b3 OK Lsub completed.
C: b4 UNSUBSCRIBE Public/News
S: b4 OK Unsubscribe completed.
C: b5 LSUB "" *
S: b5 OK Lsub completed.
# Messages go from one to the other, mailboxes do not.
C: c1 SELECT Work
S~ * FLAGS (*
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S: * 1 RECENT
S: * OK [UNSEEN 1] First unseen.
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: c1 OK [READ-WRITE] Select completed.
C: c2 COPY 1 Public/News
S~ c2 OK [COPYUID * 1 1] Copy completed.
C: c3 MOVE 1 Public/News
S~ * OK [COPYUID * 1 2] Moved UIDs.
S: * 1 EXPUNGE
S: c3 OK Move completed.
C: c4 STATUS Public/News (MESSAGES)
S: * STATUS Public/News (MESSAGES 2)
S: c4 OK Status completed.
C: c5 RENAME Work Public/Work
S: c5 NO [CANNOT] Renaming not supported across namespaces with different storage.
C: c6 RENAME Public/News Public/Old
S: c6 OK Rename completed.
C: c7 CREATE Public/INBOX
S: c7 NO [CANNOT] Invalid mailbox name.
C: c8 DELETE Public/Old
S: c8 OK Delete completed.
C: z LOGOUT
S: * BYE Logging out
S: z OK Logout completed.
