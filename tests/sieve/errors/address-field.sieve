if address "subject" "b" {}
