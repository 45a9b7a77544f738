# RFC 3501 section 6.4.4: charsets, and matching without regard to case and encoding
M: INBOX mixed.eml
C: a EXAMINE INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S~ * * RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: a OK [READ-ONLY] Examine completed.
C: b SEARCH CHARSET UTF-8 BODY {7+}
C= Gr\xc3\xbc\xc3\x9fe\r\n
S: * SEARCH 1
S: b OK Search completed.
C: c SEARCH CHARSET UTF-8 BODY {6+}
C= gR\xc3\x9c\xc3\x9f\r\n
S: * SEARCH 1
S: c OK Search completed.
C: d SEARCH CHARSET US-ASCII SUBJECT "gr"
S: * SEARCH 1
S: d OK Search completed.
C= e SEARCH CHARSET UTF-8 SUBJECT "Gr\xc3\xbc"\r\n
S: * SEARCH 1
S: e OK Search completed.
C: f SEARCH CHARSET
S~ f BAD *
C: g SEARCH TEXT "epilogue"
S~ * SEARCH*
S: g OK Search completed.
C: h SEARCH BODY "AAECAwQF"
S: * SEARCH
S: h OK Search completed.
C: i SEARCH TEXT "octet-stream"
S: * SEARCH 1
S: i OK Search completed.
