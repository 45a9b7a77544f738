require ["vnd.dovecot.testsuite", "include", "variables"];
if not string "${global.said}" "yes" { test_fail "not said"; }
