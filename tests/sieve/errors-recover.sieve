require ["fileinto", "none"];
if size :over 99999999999999999999 {
	keep,
	stop
}
fileinto "a" $$ ;
if anyof(true, ) {
	fileinto;
}
elsif address matches "from" "x" {
	stop 1 true { swim; }
}
keep
