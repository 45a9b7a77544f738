if address :all :domain "to" "b" {}
