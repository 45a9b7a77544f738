# A UIDL that a message came with from another server stands before all others, and is not saved again.
O: stored=2
O: save_uidl=1
O: uidl_format=%v-%u
C: UIDL
S: +OK
S: 1 1795265577-1
S: 2 stored-before
S: 3 1795265577-3
S: .
C: QUIT
S: +OK Logging out.
