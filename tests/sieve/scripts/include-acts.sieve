require ["include", "fileinto"];
include "acts";
fileinto "mine";
