# RFC 3501 section 6.3.5: renaming INBOX moves its mail and leaves it empty
M: INBOX plain.eml
M: INBOX mixed.eml
C: a RENAME INBOX old
S: a OK Rename completed.
C: b STATUS INBOX (MESSAGES)
S: * STATUS INBOX (MESSAGES 0)
S: b OK Status completed.
C: c STATUS old (MESSAGES)
S: * STATUS old (MESSAGES 2)
S: c OK Status completed.
C: d RENAME old INBOX
S~ d NO *
