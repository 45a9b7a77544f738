if header :isnt "a" "b" {}
