# Literals that are too large are refused before anybody makes room for them; so are bad commands without end
C: a LOGIN {9223372036854775808}
C: b LOGIN {2000}
C: c LOGIN {99999999999999999999999999}
C: d nonsense
C: e nonsense
C: f NOOP
S~ * OK *
S: a BAD [TOOBIG] Literal too large.
S: b BAD [TOOBIG] Literal too large.
S: c BAD [TOOBIG] Literal too large.
S~ d BAD *
S~ e BAD *
S: * BYE Too many invalid commands.
S: <closed: Too many invalid commands>
