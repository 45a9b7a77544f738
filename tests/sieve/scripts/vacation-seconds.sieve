require "vacation";
vacation :seconds 1 "b";
