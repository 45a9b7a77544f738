require "vnd.dovecot.testsuite"; test "a" {}
