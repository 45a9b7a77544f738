# RFC 3501 section 6.3.9: LSUB; a parent of a subscribed name stands for it under "%"
P: a
P: a/b
P: a/b/c
P: z
C: a SUBSCRIBE a/b/c
S: a OK Subscribe completed.
C: b SUBSCRIBE z
S: b OK Subscribe completed.
C: c LSUB "" *
S| * LSUB () "/" a/b/c
S| * LSUB () "/" z
S: c OK Lsub completed.
C: d LSUB "" %
S| * LSUB (\Noselect) "/" a
S| * LSUB () "/" z
S: d OK Lsub completed.
C: e LSUB "a/" %
S: * LSUB (\Noselect) "/" a/b
S: e OK Lsub completed.
C: f UNSUBSCRIBE z
S: f OK Unsubscribe completed.
C: g LSUB "" z
S: g OK Lsub completed.
C: h UNSUBSCRIBE never
S~ h *
C: i SUBSCRIBE nosuch
S: i NO [NONEXISTENT] Mailbox doesn't exist.
C: j LSUB "" ""
S: * LSUB (\Noselect) "/" ""
S: j OK Lsub completed.
