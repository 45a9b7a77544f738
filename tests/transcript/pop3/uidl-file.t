# pop3_uidl_format = %f: the name of the file.
O: uidl_format=%f
C: UIDL 1
S: +OK 1 1.file
C: QUIT
S: +OK Logging out.
