if size 10 :over {
	keep;
}
