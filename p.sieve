require ["fileinto","variables"];
if header :matches "subject" "*" { set "r" "[${1}]"; }
fileinto "${r}";