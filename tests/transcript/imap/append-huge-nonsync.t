# RFC 7888: a literal that nobody could read away ends the session
C: a APPEND INBOX {9223372036854775808+}
S: a NO [TOOBIG] Message is too large.
S: * BYE Too long literal.
X:
