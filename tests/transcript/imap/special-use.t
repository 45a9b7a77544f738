# RFC 6154: LIST (SPECIAL-USE), and RETURN (SPECIAL-USE) with SUBSCRIBED
P: Drafts
P: Trash
P: plain
C: a LIST (SPECIAL-USE) "" %
S| * LIST (\HasNoChildren \Drafts) "/" Drafts
S| * LIST (\HasNoChildren \Trash) "/" Trash
S: a OK List completed.
C: b SUBSCRIBE Trash
S: b OK Subscribe completed.
C: c LIST (SUBSCRIBED SPECIAL-USE) "" *
S: * LIST (\Subscribed \HasNoChildren \Trash) "/" Trash
S: c OK List completed.
C: d LIST (SPECIAL-USE RECURSIVEMATCH) "" *
S| * LIST (\HasNoChildren \Drafts) "/" Drafts
S| * LIST (\HasNoChildren \Trash) "/" Trash
S: d OK List completed.
