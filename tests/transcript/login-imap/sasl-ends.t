# RFC 5530: response codes of failures; RFC 4422 section 3.6: the server's last word
O: tls=yes
C: a AUTHENTICATE X-DOWN
C: b AUTHENTICATE X-LIMIT
C: c AUTHENTICATE NTLM
C: d AUTHENTICATE X-FINAL
C:
S~ * OK *
S: a NO [UNAVAILABLE] Temporary authentication failure.
S: b NO [LIMIT] Too many of you.
S: c NO Unsupported authentication mechanism.
S: + dj1wcm9vZg==
S: <logged in after the last word>
