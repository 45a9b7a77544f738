if header :domain "to" "b" {}
