# NUL and bare CR in a command are refused; a bare LF ends a line as CRLF does
C= a NOOP\0\r\n
S: a BAD Error in IMAP command NOOP: Invalid characters.
C= b CREATE "a\0b"\r\n
S: b BAD Error in IMAP command CREATE: Invalid characters.
C= c CREATE "a\rb"\r\n
S: c BAD Error in IMAP command CREATE: Invalid characters.
C= d NOOP\n
S: d OK NOOP completed.
C= \x80\xff NOOP\r\n
S: * BAD Error in IMAP command received by server: Invalid tag.
C= e \xc3\xbc\r\n
S: e BAD Error in IMAP command received by server: Missing command.
C= f CREATE \xc3\xbc\r\n
S: f BAD Error in IMAP command CREATE: Expected a string.
