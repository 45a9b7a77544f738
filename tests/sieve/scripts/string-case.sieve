require ["variables", "environment", "fileinto"];
set "a" "Value";
if allof(string "${a}" "value", environment "name" "Culver") { fileinto "folded"; }
