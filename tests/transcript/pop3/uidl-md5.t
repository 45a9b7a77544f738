# pop3_uidl_format = %m: MD5 of the header.
O: uidl_format=%m
C: UIDL 1
S: +OK 1 efeda4b19275bff566038c6b824c5197
C: QUIT
S: +OK Logging out.
