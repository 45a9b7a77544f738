require ["include", "variables"];
if string :matches "xyz" "x*" {}
