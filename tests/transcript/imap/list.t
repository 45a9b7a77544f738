# RFC 3501 section 6.3.8: LIST; RFC 3348 (CHILDREN), RFC 6154 (SPECIAL-USE)
P: Sent
P: a
P: a/b
P: a/b/c
P: x/y
C: a LIST "" *
S: * LIST (\HasNoChildren) "/" INBOX
S| * LIST (\HasNoChildren \Sent) "/" Sent
S| * LIST (\HasChildren) "/" a
S| * LIST (\HasChildren) "/" a/b
S| * LIST (\HasNoChildren) "/" a/b/c
S| * LIST (\Noselect \HasChildren) "/" x
S| * LIST (\HasNoChildren) "/" x/y
S: a OK List completed.
C: b LIST "" %
S: * LIST (\HasNoChildren) "/" INBOX
S| * LIST (\HasNoChildren \Sent) "/" Sent
S| * LIST (\HasChildren) "/" a
S| * LIST (\Noselect \HasChildren) "/" x
S: b OK List completed.
C: c LIST a/ %
S: * LIST (\HasChildren) "/" a/b
S: c OK List completed.
C: d LIST "" a/%/c
S: * LIST (\HasNoChildren) "/" a/b/c
S: d OK List completed.
C: e LIST "" ""
S: * LIST (\Noselect) "/" ""
S: e OK List completed.
C: f LIST "" inbox
S: * LIST (\HasNoChildren) "/" INBOX
S: f OK List completed.
C: g LIST "" nosuch
S: g OK List completed.
C: h LIST ""
S: h BAD Error in IMAP command LIST: Missing arguments.
C: i LIST "" "a" "b"
S: i BAD Error in IMAP command LIST: Expected RETURN.
C: j LIST
S~ j BAD Error in IMAP command LIST: *
