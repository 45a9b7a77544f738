require ["fileinto", "mailbox"];
fileinto :create "Chained";
