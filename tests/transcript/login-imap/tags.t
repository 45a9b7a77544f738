# RFC 3501 section 9: tag
C: * NOOP
C: a+b NOOP
C: a"b NOOP
C:  NOOP
S~ * OK *
S~ * BAD *
S~ * BAD *
S~ * BAD *
S~ * BAD *
