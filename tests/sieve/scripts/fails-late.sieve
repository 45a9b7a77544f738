require ["fileinto", "ihave"];
fileinto "a";
error "now";
