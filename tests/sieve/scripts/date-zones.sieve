require "date";
if date :zone "+0000" :originalzone "date" "day" "1" {}
