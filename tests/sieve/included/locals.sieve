require ["include", "variables"];
global "result";
set "result" "[${local}]";
set "local" "theirs";
set "result" "${result} ${local}";
