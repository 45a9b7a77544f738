require ["fileinto", "copy"];
fileinto :copy "List";
redirect :copy "ann@example.org";
