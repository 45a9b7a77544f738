require ["fileinto", "copy"];
fileinto :copy "List";
