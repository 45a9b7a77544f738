require "index";
if header :last "a" "1" {}
