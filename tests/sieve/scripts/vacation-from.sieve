require "vacation";
vacation :from "nobody" "b";
