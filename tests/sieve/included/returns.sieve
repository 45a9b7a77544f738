require ["include", "variables"];
global "result";
set "result" "begun";
if true { return; }
set "result" "ended";
