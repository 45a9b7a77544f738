require ["include", "variables"];
set "a" "acts";
include "${a}";
