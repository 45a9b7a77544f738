# RFC 1460 section 4: LAST, where pop3_enable_last has it; message 2 is seen already.
O: enable_last=1
C: LAST
S: +OK 2
C: RETR 3
S: +OK 32 octets
S: Subject: three, a header alone
S: .
C: LAST
S: +OK 3
C: RSET
S: +OK
C: LAST
S: +OK 2
C: QUIT
S: +OK Logging out.
