# RFC 5819: STATUS of what is selectable, HIGHESTMODSEQ and SIZE among the items
P: a/b
C: a LIST "" (a a/b) RETURN (CHILDREN STATUS (MESSAGES SIZE))
S| * LIST (\NonExistent \HasChildren) "/" a
S| * LIST (\HasNoChildren) "/" a/b
S| * STATUS a/b (MESSAGES 0 SIZE 0)
S: a OK List completed.
C: b LIST "" % RETURN (STATUS MESSAGES)
S: b BAD Error in IMAP command LIST: Expected a list.
C: c LIST "" % RETURN (STATUS (BOGUS))
S: c BAD Error in IMAP command LIST: Unknown status item.
