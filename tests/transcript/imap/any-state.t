# RFC 3501 section 6.1, RFC 2971 (ID), RFC 2342 (NAMESPACE); LOGIN after login
C: a CAPABILITY
S: * CAPABILITY IMAP4rev1 SASL-IR ID ENABLE IDLE NAMESPACE UIDPLUS MOVE UNSELECT CHILDREN CONDSTORE QRESYNC ESEARCH SORT SORT=DISPLAY THREAD=ORDEREDSUBJECT THREAD=REFERENCES SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE MULTIAPPEND OBJECTID LITERAL+ NOTIFY
S: a OK Capability completed.
C: b ID NIL
S: * ID ("name" "Culver")
S: b OK ID completed.
C: c ID ("name" "test" "version" NIL)
S: * ID ("name" "Culver")
S: c OK ID completed.
C: d ID
S: d BAD Error in IMAP command ID: Expected a list.
C: e NAMESPACE
S: * NAMESPACE (("" "/")) NIL NIL
S: e OK Namespace completed.
C: f LOGIN user pass
S: f BAD Error in IMAP command LOGIN: Already logged in.
C: g AUTHENTICATE PLAIN
S: g BAD Error in IMAP command AUTHENTICATE: Already logged in.
C: h STARTTLS
S: h BAD Error in IMAP command STARTTLS: Already logged in.
C: i NOOP x
S: i BAD Error in IMAP command NOOP: Unexpected extra arguments.
C: j CAPABILITY x
S: j BAD Error in IMAP command CAPABILITY: Unexpected extra arguments.
C: k noop  
S: k OK NOOP completed.
C: l LOGOUT x
S: l BAD Error in IMAP command LOGOUT: Unexpected extra arguments.
