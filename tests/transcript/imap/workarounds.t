# imap_client_workarounds
O: imap_client_workarounds=tb-extra-mailbox-sep tb-lsub-flags
P: a
P: a/b
C: s SUBSCRIBE a/b/
S: s OK Subscribe completed.
C: t LSUB "" *
S: * LSUB (\Subscribed \HasNoChildren) "/" a/b
S: t OK Lsub completed.
C: u STATUS a/ (MESSAGES)
S: * STATUS a (MESSAGES 0)
S: u OK Status completed.
