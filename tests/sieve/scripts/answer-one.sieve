require "vacation";
vacation :handle "one" "one";
