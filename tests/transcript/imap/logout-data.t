# Nothing is answered behind LOGOUT
C= a NOOP\r\nb LOGOUT\r\nc NOOP\r\n
S: a OK NOOP completed.
S: * BYE Logging out
S: b OK Logout completed.
X:
