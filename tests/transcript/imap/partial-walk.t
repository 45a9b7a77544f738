# Pieces of one part in order, out of order, and past the end (RFC 3501 section 6.4.5)
# bare line ends
M: INBOX plain.eml
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
C: b FETCH 1 (BODY[TEXT]<0.11> BODY[TEXT]<11.4> BODY[TEXT]<15.4> BODY[TEXT]<6.3> BODY[TEXT]<13.1> BODY[TEXT]<100.1> BODY[1]<0.5>)
S: * 1 FETCH (BODY[TEXT]<0> {11}
S~ Hello Bob,* BODY[TEXT]<11> {4}
S: 
S: 
S: t BODY[TEXT]<15> {4}
S: his  BODY[TEXT]<6> {3}
S: Bob BODY[TEXT]<13> {1}
S: 
S:  BODY[TEXT]<100> {0}
S:  BODY[1]<0> {5}
S: Hello)
S: b OK Fetch completed.
