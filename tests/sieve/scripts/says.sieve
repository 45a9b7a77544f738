require ["vnd.dovecot.testsuite", "include", "variables"];
set "global.said" "yes";
include "says";
