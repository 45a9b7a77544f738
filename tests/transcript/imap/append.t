# RFC 3501 section 6.3.11 (APPEND), RFC 4315 section 3 (APPENDUID), RFC 7888 (LITERAL+)
C: a APPEND INBOX {22}
S: + OK
C: Subject: one
C: 
C: text 1
S~ a OK [APPENDUID %{v} 1] Append completed.
C: b APPEND INBOX (\Seen $New) "17-Jul-1996 02:44:25 -0700" {22+}
C: Subject: two
C: 
C: text 2
S~ b OK [APPENDUID %{v} 2] Append completed.
C: c EXAMINE INBOX
S: * FLAGS (\Answered \Flagged \Deleted \Seen \Draft $Forwarded $New)
S~ * OK [PERMANENTFLAGS *
S: * 2 EXISTS
S: * 2 RECENT
S: * OK [UNSEEN 1] First unseen.
S~ * OK [UIDVALIDITY %{v}] UIDs valid
S: * OK [UIDNEXT 3] Predicted next UID
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: c OK [READ-ONLY] Examine completed.
C: d FETCH 2 (FLAGS INTERNALDATE BODY[])
S: * 2 FETCH (FLAGS (\Seen \Recent $New) INTERNALDATE "17-Jul-1996 09:44:25 +0000" BODY[] {22}
S: Subject: two
S: 
S: text 2)
S: d OK Fetch completed.
C: e APPEND INBOX (\Flagged) {22}
S: + OK
C: Subject: thr
C: 
C: text 3
S: * 3 EXISTS
S: * 3 RECENT
S~ e OK [APPENDUID %{v} 3] Append completed.
C: f APPEND {5+}
C: INBOX {22+}
C: Subject: fou
C: 
C: text 4
S: * 4 EXISTS
S: * 4 RECENT
S~ f OK [APPENDUID %{v} 4] Append completed.
C: g APPEND {5}
S: + OK
C: INBOX {22}
S: + OK
C: Subject: fiv
C: 
C: text 5
S: * 5 EXISTS
S: * 5 RECENT
S~ g OK [APPENDUID %{v} 5] Append completed.
