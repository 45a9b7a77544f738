if header "" "c" {}
