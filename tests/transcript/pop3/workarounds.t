# pop3_client_workarounds = oe-ns-eoh: a header without its end gets one.  pop3_fast_size_lookups: sizes of the files.
O: ns_eoh=1
O: fast_sizes=1
C: LIST 1
S: +OK 1 36
C: TOP 3 0
S: +OK
S: Subject: three, a header alone
S:
S: .
C: TOP 1 0
S: +OK
S: Subject: one
S:
S: .
C: QUIT
S: +OK Logging out.
