# RFC 2180 section 4.1: messages that another session expunged: the rest is answered, then EXPUNGEISSUED (RFC 5530)
M: INBOX plain.eml
M: INBOX mixed.eml
M: INBOX bare.eml
C: a SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 3 EXISTS
S: * 3 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-WRITE] Select completed.
2C: a SELECT INBOX
2S~ * FLAGS *
2S~ * OK [PERMANENTFLAGS *
2S: * 3 EXISTS
2S: * 0 RECENT
2S~ * OK [UNSEEN *
2S~ * OK [UIDVALIDITY *
2S~ * OK [UIDNEXT *
2S~ * OK [MAILBOXID (M*
2S~ * OK [HIGHESTMODSEQ *
2S: a OK [READ-WRITE] Select completed.
2C: b STORE 2 +FLAGS.SILENT (\Deleted)
2S: b OK Store completed.
2C: c CLOSE
2S: c OK Close completed.
C: b FETCH 1:3 (BODY.PEEK[TEXT]<0.3> BODY.PEEK[HEADER.FIELDS (X-Nothing)])
S: * 1 FETCH (BODY[TEXT]<0> {3}
S: Hel BODY[HEADER.FIELDS (X-Nothing)] {2}
S: 
S: )
S: * 3 FETCH (BODY[TEXT]<0> {3}
S: bod BODY[HEADER.FIELDS (X-Nothing)] {2}
S: 
S: )
S: b NO [EXPUNGEISSUED] Some of the requested messages no longer exist.
C: c COPY 2 INBOX
S~ * 2 EXPUNGE
S: c NO [EXPUNGEISSUED] Some of the requested messages no longer exist.
C: d NOOP
S: d OK NOOP completed.
