require ["include", "variables"];
global "result";
set "result" "${result}x";
