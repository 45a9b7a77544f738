# pop3_uidl_format with other variables; equal ones are told apart where pop3_uidl_duplicates = rename.
O: uidl_format=%v.%g
O: rename_duplicates=1
C: UIDL
S: +OK
S: 1 1795265577.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
S: 2 1795265577.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-2
S: 3 1795265577.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-3
S: .
C: UIDL 2
S: +OK 2 1795265577.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-2
C: QUIT
S: +OK Logging out.
