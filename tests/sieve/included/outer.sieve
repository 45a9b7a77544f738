require ["include", "variables"];
global "result";
include "returns";
set "result" "${result} outer";
