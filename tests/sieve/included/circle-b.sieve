require ["include", "variables"];
global "result";
set "result" "${result}B";
include :once "circle-a";
