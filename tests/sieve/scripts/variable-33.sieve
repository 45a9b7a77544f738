require "variables";
if string "${33}" "x" { discard; }
