# login_max_auth_failures
O: tls=yes
C: a LOGIN alice 1
C: b LOGIN alice 2
C: c LOGIN alice 3
C: d LOGIN alice "secret words"
S~ * OK *
S~ a NO [AUTHENTICATIONFAILED] *
S~ b NO [AUTHENTICATIONFAILED] *
S~ c NO [AUTHENTICATIONFAILED] *
S: * BYE Too many failed logins.
S: <closed: Too many failed logins>
