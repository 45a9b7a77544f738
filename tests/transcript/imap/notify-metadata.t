# RFC 5465 sections 5.6 and 5.7: annotations of mailboxes and of the server
# real storage
O: imap_metadata=yes
P: Work
P: Play
C: a NOTIFY SET (mailboxes (Work INBOX) (MailboxMetadataChange MailboxName)) (personal (ServerMetadataChange))
S: a OK NOTIFY completed.
2C: a SETMETADATA Work (/shared/comment "Mine" /private/vendor/x/y "1")
2S: a OK Setmetadata completed.
S: * METADATA Work /private/vendor/x/y /shared/comment
2C: b SETMETADATA Work (/shared/comment "Yours")
2S: b OK Setmetadata completed.
C: b NOOP
S: * METADATA Work /shared/comment
S: b OK NOOP completed.
# set as it was, and in a mailbox that is not watched
2C: c SETMETADATA Work (/shared/comment "Yours")
2S: c OK Setmetadata completed.
2C: d SETMETADATA Play (/shared/comment "Yours")
2S: d OK Setmetadata completed.
C: c NOOP
S: c OK NOOP completed.
2C: e SETMETADATA Work (/shared/comment NIL)
2S: e OK Setmetadata completed.
2C: f SETMETADATA "" (/private/vendor/x/z "1")
2S: f OK Setmetadata completed.
C: d NOOP
S: * METADATA "" /private/vendor/x/z
S: * METADATA Work /shared/comment
S: d OK NOOP completed.
# the client's own, between those of others
C: e SETMETADATA Work (/shared/comment "My own")
S: e OK Setmetadata completed.
C: f SETMETADATA "" (/private/vendor/x/z "2")
S: f OK Setmetadata completed.
C: g NOOP
S: g OK NOOP completed.
# they go with the mailbox where it goes
2C: g RENAME Work Else
2S: g OK Rename completed.
C: h NOOP
S: * LIST (\NonExistent) "/" Work
S: h OK NOOP completed.
# events that there are only with METADATA
C: i NOTIFY SET (personal (MailboxMetadataChange AnnotationChange MessageNew MessageExpunge))
S: i NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange)] Not all of these events are supported.
