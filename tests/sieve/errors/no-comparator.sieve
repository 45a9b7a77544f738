if header :comparator "i;none" "a" "b" {}
