require "variables";
set "a1_B" "x";
set "_" "y";
