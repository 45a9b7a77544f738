# pop3_uidl_format = %m: MD5 of the fields that tell a message from others; of none here.
O: uidl_format=%m
C: UIDL 1
S: +OK 1 d41d8cd98f00b204e9800998ecf8427e
C: QUIT
S: +OK Logging out.
