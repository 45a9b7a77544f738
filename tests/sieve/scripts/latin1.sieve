require "fileinto";
if header :contains "subject" "grün" {
	fileinto "List";
} else {
	keep;
}
