# A request of another protocol ends soon
O: imap_max_bad_commands=2
C= GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: y\r\n\r\n
S: GET BAD Error in IMAP command /: Unknown command.
S: Host: BAD Error in IMAP command X: Unknown command.
S: User-Agent: BAD Error in IMAP command Y: Unknown command.
S: * BYE Too many invalid commands.
X:
