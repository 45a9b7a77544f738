# RFC 3502: MULTIAPPEND, all or none
C: a APPEND INBOX (\Seen) {24}
S: + OK
C= Subject: one\r\n\r\ntext 1\r\n\x20(\\Flagged) "17-Jul-1996 02:44:25 +0000" {24}\r\n
S: + OK
C= Subject: two\r\n\r\ntext 2\r\n\x20{24+}\r\nSubject: thr\r\n\r\ntext 3\r\n\r\n
S~ a OK [APPENDUID * 1:3] Append completed.
C: b EXAMINE INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 3 EXISTS
S: * 3 RECENT
S: * OK [UNSEEN 2] First unseen.
S~ * OK [UIDVALIDITY *
S: * OK [UIDNEXT 4] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: b OK [READ-ONLY] Examine completed.
C: c FETCH 1:* (FLAGS BODY[HEADER.FIELDS (SUBJECT)])
S: * 1 FETCH (FLAGS (\Seen \Recent) BODY[HEADER.FIELDS (SUBJECT)] {16}
S: Subject: one
S: 
S: )
S: * 2 FETCH (FLAGS (\Flagged \Recent) BODY[HEADER.FIELDS (SUBJECT)] {16}
S: Subject: two
S: 
S: )
S: * 3 FETCH (FLAGS (\Recent) BODY[HEADER.FIELDS (SUBJECT)] {16}
S: Subject: thr
S: 
S: )
S: c OK Fetch completed.
C: d APPEND INBOX {24+}
C= Subject: one\r\n\r\ntext 1\r\n\x20{0}\r\n
S: d NO [CANNOT] Can't save a message of no octets.
C: e NOOP
S: e OK NOOP completed.
