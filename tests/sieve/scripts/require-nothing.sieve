require ["fileinto", "nothing-like-it"];
