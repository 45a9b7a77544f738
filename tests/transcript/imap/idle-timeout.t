# imap_idle_timeout: a silent client is told why it goes; imap_idle_notify_interval: a sign of life
O: imap_idle_timeout=1500ms
O: imap_idle_notify_interval=600ms
C: a IDLE
S: + idling
S: * OK Still here
S: * OK Still here
S: * BYE Disconnected for inactivity.
X:
