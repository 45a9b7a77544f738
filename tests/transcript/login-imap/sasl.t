# RFC 3501 section 6.2.2 and RFC 4959: AUTHENTICATE with and without initial response
O: tls=yes
C: a AUTHENTICATE PLAIN
C: *
C: b AUTHENTICATE PLAIN =
C: c AUTHENTICATE PLAIN AGFsaWNlAHdyb25n
C: d AUTHENTICATE PLAIN not*base64
C: e AUTHENTICATE LOGIN
C: YWxpY2U=
C: c2VjcmV0IHdvcmRz
S~ * OK *
S: + 
S: a BAD Authentication aborted.
S: b NO [AUTHENTICATIONFAILED] Authentication failed.
S: c NO [AUTHENTICATIONFAILED] Authentication failed.
S~ d BAD *
S: + VXNlciBOYW1l
S: + UGFzc3dvcmQ=
S: <e  is logged in>
