# RFC 5465 section 5: what the client saved, copied and moved itself is not told; what others did meanwhile is
P: Other
P: Third
M: INBOX plain.eml
C: a NOTIFY SET STATUS (selected (MessageNew MessageExpunge)) (mailboxes Other (MessageNew MessageExpunge FlagChange)) (mailboxes Third (MessageNew MessageExpunge))
S~ * STATUS Other (MESSAGES 0 UIDNEXT 1 UIDVALIDITY * UNSEEN 0 HIGHESTMODSEQ *)
S~ * STATUS Third (MESSAGES 0 UIDNEXT 1 UIDVALIDITY *)
S: a OK NOTIFY completed.
C: b APPEND Other {6+}
C= S: xxx\r\n
S~ b OK [APPENDUID * 1] Append completed.
C: c NOOP
S: c OK NOOP completed.
C: d APPEND Third (\Seen) {6+}
C= S: xxx\x20{6+}\r\nS: yyy\r\n
S~ d OK [APPENDUID * 1:2] Append completed.
C: e NOOP
S: e OK NOOP completed.
# another's while the command goes on: the figures are told, with both
C: f APPEND Other {6}
S: + OK
2C: a APPEND Other {6+}
2C= S: xxx\r\n
2S~ a OK [APPENDUID * 2] Append completed.
C= S: xxx\r\n
S~ f OK [APPENDUID * 3] Append completed.
C: g NOOP
S~ * STATUS Other (MESSAGES 3 UIDNEXT 4 UIDVALIDITY * UNSEEN 3 HIGHESTMODSEQ *)
S: g OK NOOP completed.
C: h SELECT INBOX
S~ * FLAGS *
S~ * OK [PERMANENTFLAGS *
S: * 1 EXISTS
S: * 1 RECENT
S~ * OK [UNSEEN *
S~ * OK [UIDVALIDITY *
S~ * OK [UIDNEXT *
S~ * OK [MAILBOXID (M*
S~ * OK [HIGHESTMODSEQ *
S: h OK [READ-WRITE] Select completed.
C: i COPY 1 Other
S~ i OK [COPYUID * 1 4] Copy completed.
C: j MOVE 1 Third
S~ * OK [COPYUID * 1 3] Moved UIDs.
S: * 1 EXPUNGE
S: j OK Move completed.
C: k NOOP
S: k OK NOOP completed.
C: l UNSELECT
S: l OK Unselect completed.
C: m NOOP
S: m OK NOOP completed.
# then another's is told, with what came from here
2C: b APPEND Third {6+}
2C= S: xxx\r\n
2S~ b OK [APPENDUID * 4] Append completed.
C: n NOOP
S~ * STATUS Third (MESSAGES 4 UIDNEXT 5 UIDVALIDITY *)
S: n OK NOOP completed.
