if size 1 {}
