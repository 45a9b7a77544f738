require ["fileinto", "mailbox"];
fileinto :create "a//b";
