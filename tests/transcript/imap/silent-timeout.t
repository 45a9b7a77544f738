# imap_idle_timeout outside of IDLE
O: imap_idle_timeout=500ms
C: a NOOP
S: a OK NOOP completed.
S: * BYE Disconnected for inactivity.
X:
