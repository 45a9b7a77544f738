# RFC 2177 section 3: IDLE needs no mailbox
C: a IDLE
S: + idling
C: DONE
S: a OK Idle completed.
