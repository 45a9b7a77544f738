require "relational"; if header :count "xx" "a" "1" {}
