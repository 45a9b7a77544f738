jump;
redirect 1;
if not fly {
	keep;
}
if true {
	swim;
}
keep;
else { keep; }
redirect;
