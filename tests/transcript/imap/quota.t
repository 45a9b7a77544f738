# RFC 2087; with imap_quota alone the commands are there
O: mail_plugins=quota imap_quota
O: plugin/quota=count:User quota
O: plugin/quota_rule=*:storage=10K:messages=4
P: Archive
M: INBOX @4000
C: a CAPABILITY
S~ * CAPABILITY * QUOTA QUOTA=RES-STORAGE QUOTA=RES-MESSAGE
S: a OK Capability completed.
C: b GETQUOTAROOT INBOX
S: * QUOTAROOT INBOX "User quota"
S: * QUOTA "User quota" (STORAGE 4 10 MESSAGE 1 4)
S: b OK Getquotaroot completed.
C: c GETQUOTAROOT "Not there"
S: * QUOTAROOT "Not there" "User quota"
S: * QUOTA "User quota" (STORAGE 4 10 MESSAGE 1 4)
S: c OK Getquotaroot completed.
C: d GETQUOTA "User quota"
S: * QUOTA "User quota" (STORAGE 4 10 MESSAGE 1 4)
S: d OK Getquota completed.
C: e GETQUOTA user
S: e NO [NONEXISTENT] Quota root doesn't exist.
C: f SETQUOTA "User quota" (STORAGE 100)
S: f NO [NOPERM] Quota can be changed only by admin.
C: g SETQUOTA "User quota" ()
S: g NO [NOPERM] Quota can be changed only by admin.
C: h SETQUOTA "User quota" STORAGE
S~ h BAD Error in IMAP command SETQUOTA: *
C: i GETQUOTA
S~ i BAD Error in IMAP command GETQUOTA: *
C: j GETQUOTAROOT INBOX INBOX
S~ j BAD Error in IMAP command GETQUOTAROOT: *
C: k SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S: * 1 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S~ k OK [READ-WRITE] *
C: l COPY 1 Archive
S~ l OK [COPYUID *] *
C: m COPY 1 Archive
S: m NO [OVERQUOTA] Quota exceeded (mailbox for user is full)
C: n GETQUOTA "User quota"
S: * QUOTA "User quota" (STORAGE 8 10 MESSAGE 2 4)
S: n OK Getquota completed.
# refused before it is sent
C: o APPEND INBOX {4000}
S: o NO [OVERQUOTA] Quota exceeded (mailbox for user is full)
# a move is free, however full it is
C: p MOVE 1 Archive
S~ * OK [COPYUID *
S: * 1 EXPUNGE
S~ p OK *
C: q APPEND Archive {5}
S: + OK
C= a: b\n
C:
S~ q OK [APPENDUID *] *
C: r APPEND Archive {5}
S: + OK
C= a: b\n
C:
S~ r OK [APPENDUID *] *
# the fourth was the last
C: s APPEND Archive {5}
S: s NO [OVERQUOTA] Quota exceeded (mailbox for user is full)
C: t APPEND Archive {5+}
C= a: b\n
C:
S: t NO [OVERQUOTA] Quota exceeded (mailbox for user is full)
C: u GETQUOTA "User quota"
S: * QUOTA "User quota" (STORAGE 9 10 MESSAGE 4 4)
S: u OK Getquota completed.
