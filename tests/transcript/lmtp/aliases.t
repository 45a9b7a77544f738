# Aliases: one answer for each RCPT, whatever it leads to (RFC 2033 section 4.2).
O: aliases=team: bob, alice, out@else.example
O: aliases=owner-team: carol@example.org
O: aliases=late: bob, later@else.example
O: aliases=stale: bob, nobody
O: aliases=fat: bob, full
O: aliases=cared: bob, full, nobody
O: aliases=owner-cared: carol@example.org
O: aliases=far: bob, full
O: aliases=owner-far: c@else.example
O: aliases=one: alice
O: aliases=hole: /dev/null
O: aliases=loop: pool
O: aliases=pool: loop
O: aliases=many: u1, u2, u3, u4, u5
O: aliases=more: many, v1@a.b, v2@a.b, v3@a.b, v4@a.b, v5@a.b, v6@a.b
O: aliases=wait: temp, alice
O: aliases=unknown: nobody
O: aliases=file: /var/box
S: 220 mx.example Culver ready.
C: LHLO client
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250-*
S~ 250 SIZE*
C: MAIL FROM:<s@x>
S: 250 2.1.0 OK
C: RCPT TO:<TEAM+x@example.org>
S: 250 2.1.5 OK
C: RCPT TO:<unknown>
S: 550 5.1.1 <nobody> User doesn't exist: nobody
C: RCPT TO:<loop>
S: 554 5.4.6 <loop> The address leads back to itself
C: RCPT TO:<wait>
S: 451 4.3.0 <temp> Temporary internal error
C: RCPT TO:<file>
S: 550 5.7.1 <file> Mail to files is switched off
C: RCPT TO:<many>
S: 550 5.1.1 <many> User doesn't exist
C: RCPT TO:<more>
S: 451 4.3.0 <more> Temporary internal error
C: RCPT TO:<late>
S: 250 2.1.5 OK
C: RCPT TO:<one>
S: 250 2.1.5 OK
C: RCPT TO:<one>
S: 452 4.5.3 Too many recipients
C: DATA
S: 354 OK
C: .
S: 250 2.0.0 <TEAM+x@example.org> SESSION Saved for 3
S: 451 4.3.0 <late> later@else.example from <s@x>
S: 250 2.0.0 <alice> SESSION Saved 0
C: MAIL FROM:<s@x>
S: 250 2.1.0 OK
C: RCPT TO:<stale>
S: 250 2.1.5 OK
C: RCPT TO:<fat>
S: 250 2.1.5 OK
C: RCPT TO:<hole>
S: 250 2.1.5 OK
C: DATA
S: 354 OK
C: .
S: 550 5.1.1 <nobody> User doesn't exist
S: 552 5.2.2 <full> Quota exceeded
S: 250 2.0.0 <hole> SESSION:2 Taken
C: MAIL FROM:<s@x>
S: 250 2.1.0 OK
C: RCPT TO:<alice>
S: 250 2.1.5 OK
C: RCPT TO:<one>
S: 250 2.1.5 OK
C: RCPT TO:<alice+x>
S: 250 2.1.5 OK
C: DATA
S: 354 OK
C: .
S: 250 2.0.0 <alice> SESSION:3 Saved 0
S: 250 2.0.0 <alice> SESSION:3 Saved 0
S: 250 2.0.0 <alice+x> SESSION:3 Saved 0
C: MAIL FROM:<s@x>
S: 250 2.1.0 OK
C: RCPT TO:<cared>
S: 250 2.1.5 OK
C: RCPT TO:<far>
S: 250 2.1.5 OK
C: DATA
S: 354 OK
C: .
S: 250 2.0.0 <cared> SESSION:4 Saved for 3
S: 552 5.2.2 <full> Quota exceeded
C: QUIT
S: 221 2.0.0 Bye
