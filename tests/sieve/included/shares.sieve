require ["include", "variables"];
global "shared";
if string "${shared}" "before" { set "shared" "after"; }
