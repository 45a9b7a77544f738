# RFC 5258: selection and return options
P: a
P: a/b
P: c
P: Sent
C: a SUBSCRIBE a/b
S: a OK Subscribe completed.
C: b SUBSCRIBE c
S: b OK Subscribe completed.
C: c LIST (SUBSCRIBED) "" *
S| * LIST (\Subscribed \HasNoChildren) "/" a/b
S| * LIST (\Subscribed \HasNoChildren) "/" c
S: c OK List completed.
C: d LIST (SUBSCRIBED RECURSIVEMATCH) "" %
S| * LIST (\HasChildren) "/" a ("CHILDINFO" ("SUBSCRIBED"))
S| * LIST (\Subscribed \HasNoChildren) "/" c
S: d OK List completed.
C: e LIST (RECURSIVEMATCH) "" %
S: e BAD Error in IMAP command LIST: RECURSIVEMATCH needs another selection option.
C: f LIST () "" (a% c Sent) RETURN (SUBSCRIBED CHILDREN)
S| * LIST (\HasChildren) "/" a
S| * LIST (\Subscribed \HasNoChildren) "/" c
S| * LIST (\HasNoChildren \Sent) "/" Sent
S: f OK List completed.
C: g LIST (SPECIAL-USE) "" *
S: * LIST (\HasNoChildren \Sent) "/" Sent
S: g OK List completed.
C: h LIST "" % RETURN (SPECIAL-USE)
S: * LIST (\HasNoChildren) "/" INBOX
S| * LIST (\HasNoChildren \Sent) "/" Sent
S| * LIST (\HasChildren) "/" a
S| * LIST (\HasNoChildren) "/" c
S: h OK List completed.
C: i LIST (REMOTE) "" INBOX
S: * LIST (\HasNoChildren) "/" INBOX
S: i OK List completed.
C: j LIST (NOSUCH) "" *
S: j BAD Error in IMAP command LIST: Unknown selection option.
C: k LIST "" * RETURN (NOSUCH)
S: k BAD Error in IMAP command LIST: Unknown return option.
C: l LIST (SUBSCRIBED) "" ("")
S: l OK List completed.
C: m LIST "" INBOX RETURN (STATUS (MESSAGES UIDNEXT))
S: * LIST (\HasNoChildren) "/" INBOX
S: * STATUS INBOX (MESSAGES 0 UIDNEXT 1)
S: m OK List completed.
C: n LIST "" INBOX RETURN (STATUS ())
S: n BAD Error in IMAP command LIST: Empty list of status items.
C: o DELETE c
S: o OK Delete completed.
C: p LIST (SUBSCRIBED) "" *
S| * LIST (\Subscribed \HasNoChildren) "/" a/b
S~ * LIST (\NonExistent \Subscribed*) "/" c
S: p OK List completed.
C: q LIST "" c
S: q OK List completed.
