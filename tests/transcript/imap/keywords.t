# RFC 3501 section 2.3.2: keywords are kept as the first client wrote them, compared without case
M: INBOX plain.eml
C: a SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S: * 1 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
C: b STORE 1 FLAGS (One two $MDNSent)
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded One two $MDNSent)
S~ * OK [PERMANENTFLAGS *
S: * 1 FETCH (FLAGS (\Recent One two $MDNSent))
S: b OK Store completed.
C: c STORE 1 -FLAGS (ONE Unknown)
S: * 1 FETCH (FLAGS (\Recent two $MDNSent))
S: c OK Store completed.
C: d SEARCH KEYWORD TWO
S: * SEARCH 1
S: d OK Search completed.
C: e STORE 1 +FLAGS (bad[key)
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded One two $MDNSent bad[key)
S~ * OK [PERMANENTFLAGS *
S: * 1 FETCH (FLAGS (\Recent two $MDNSent bad[key))
S: e OK Store completed.
C: f STORE 1 +FLAGS (bad]key)
S: f BAD Error in IMAP command STORE: Expected a space.
C: g STORE 1 +FLAGS (xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx)
S: g NO [LIMIT] A limit of this server would be exceeded.
C: h STORE 1 +FLAGS ()
S: * 1 FETCH (FLAGS (\Recent two $MDNSent bad[key))
S: h OK Store completed.
