require "vacation";
vacation :addresses ["a@example.org", "b"] "b";
