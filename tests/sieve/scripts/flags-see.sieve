require ["imap4flags", "fileinto"];
if hasflag "$Set" {
	removeflag "$Set";
	addflag "more";
	fileinto "Carried";
}
