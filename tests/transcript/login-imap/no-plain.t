# Without the mechanism PLAIN there is no LOGIN
O: tls=yes
O: mechs=scram-sha-256
C: a LOGIN alice "secret words"
S~ * OK [CAPABILITY * LOGINDISABLED AUTH=SCRAM-SHA-256] *
S~ a NO *
