# RFC 1939 section 6: +OK only when the deletions were done.
O: expunge_fails=1
C: DELE 1
S: +OK Marked to be deleted.
C: QUIT
S: -ERR [SYS/TEMP] Internal error; the log has the details.
