# RFC 7162 section 3.1.3: of two sessions that both saw the old mod-sequence, one wins
M: INBOX plain.eml
C: a SELECT INBOX (CONDSTORE)
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S: * 1 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ %{m}] Highest
S: a OK [READ-WRITE] Select completed.
2C: a SELECT INBOX (CONDSTORE)
2S~ * FLAGS *
2S~ * OK [PERMANENTFLAGS *
2S: * 1 EXISTS
2S: * 0 RECENT
2S~ * OK [UNSEEN *
2S~ * OK [UIDVALIDITY *
2S~ * OK [UIDNEXT *
2S~ * OK [MAILBOXID (M*
2S~ * OK [HIGHESTMODSEQ %{m}] Highest
2S: a OK [READ-WRITE] Select completed.
C: b STORE 1 (UNCHANGEDSINCE %{m}) FLAGS (mine)
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S~ * 1 FETCH (FLAGS (\Recent mine) MODSEQ (%{n}))
S: b OK Store completed.
2C: b STORE 1 (UNCHANGEDSINCE %{m}) FLAGS (yours)
2S~ * FLAGS (*
2S~ * OK [PERMANENTFLAGS *
2S~ * 1 FETCH (FLAGS (mine) MODSEQ (%{n}))
2S: b OK [MODIFIED 1] Conditional store failed for some.
