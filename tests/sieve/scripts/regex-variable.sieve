require ["regex", "variables", "fileinto"];
set "wrong" "(";
if header :regex "subject" "${wrong}" { fileinto "wrong"; }
if header :regex "subject" ["${wrong}", "parts"] { discard; }
