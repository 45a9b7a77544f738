require ["include", "variables"];
global "result";
set "result" "${result}A";
include "circle-b";
