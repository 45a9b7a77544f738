# A client of the same host is trusted with a password in the clear
O: local=yes
C: a LOGIN alice "secret words"
S~ * OK [CAPABILITY * STARTTLS AUTH=PLAIN AUTH=LOGIN *
S: <a alice is logged in>
