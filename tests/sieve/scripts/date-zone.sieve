require "date";
if date :zone "CET" "date" "day" "1" {}
