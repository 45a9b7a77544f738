# Bad commands, NUL, HTTP
C= CAPA\0\r\n
C: POST / HTTP/1.1
C: NOOP
S: +OK Culver ready.
S: -ERR NUL in a command.
S: -ERR This is a POP3 server.
S: <closed: HTTP request>
