require "date";
if date "date" "week" "1" {}
