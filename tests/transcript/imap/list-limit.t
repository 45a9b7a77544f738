# Limits: patterns of a LIST
O: imap_max_list_patterns=2
C: a LIST "" (a b)
S: a OK List completed.
C: b LIST "" (a b c)
S: b BAD Error in IMAP command LIST: Too many patterns.
C: c LIST (
S~ c BAD *
C: d LIST "" (
S~ d BAD *
