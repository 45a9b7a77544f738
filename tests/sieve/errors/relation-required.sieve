if header :count "eq" "a" "1" {}
