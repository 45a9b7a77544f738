# RFC 1939 section 5: DELE and RSET; numbers stay, deletions happen at QUIT (section 6).
C: DELE 2
S: +OK Marked to be deleted.
C: DELE 2
S: -ERR Message is deleted.
C: RETR 2
S: -ERR Message is deleted.
C: STAT
S: +OK 2 74
C: LIST
S: +OK 2 messages:
S: 1 42
S: 3 32
S: .
C: UIDL
S: +OK
S: 1 000000016b019429
S: 3 000000036b019429
S: .
C: RSET
S: +OK
C: STAT
S: +OK 3 105
C: DELE 3
S: +OK Marked to be deleted.
C: DELE 1
S: +OK Marked to be deleted.
C: STAT
S: +OK 1 31
C: QUIT
S: +OK Logging out, messages deleted.
