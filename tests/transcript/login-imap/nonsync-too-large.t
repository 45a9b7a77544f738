# RFC 7888: a literal that the client sends without asking can only be refused by closing
C: a LOGIN {2000+}
C: whatever
S~ * OK *
S: * BYE Literal too large.
S: <closed: Literal too large>
