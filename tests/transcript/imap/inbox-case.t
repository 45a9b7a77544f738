# real storage: INBOX in any case (RFC 3501 section 5.1), as the first level too
C: a CREATE iNbox/lower
S~ a OK *
C: b SUBSCRIBE inbOx/lower
S~ b OK *
C: c LSUB "" INBOX/l*
S~ * LSUB (* "/" INBOX/lower
S~ c OK *
C: d SUBSCRIBE inbox
S~ d OK *
C: e UNSUBSCRIBE Inbox/lower
S~ e OK *
C: f LSUB "" INBOX/l*
S~ f OK *
C: g SUBSCRIBE Inbox/other
S: g NO [NONEXISTENT] Mailbox doesn't exist.
