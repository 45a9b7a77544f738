require "variables";
set "other.a" "x";
