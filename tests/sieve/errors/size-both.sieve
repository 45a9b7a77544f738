if size :over :under 1 {}
