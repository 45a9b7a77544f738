require ["vacation", "reject"];
reject "a";
vacation "b";
