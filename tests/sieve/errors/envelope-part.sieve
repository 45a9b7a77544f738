require "envelope"; if envelope "subject" "b" {}
