require "variables";
if string "${32}${0}" "x" { discard; }
