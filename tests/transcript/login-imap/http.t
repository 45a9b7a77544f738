# An HTTP request ends the connection before anything in it can count as a command
C: GET / HTTP/1.1
C: a NOOP
S~ * OK *
S: * BYE This is an IMAP server.
S: <closed: HTTP request>
