if header 1 "x" { keep; }
if header "x" 1 { keep; }
if header "x" "y" true { keep; }
keep
stop;
