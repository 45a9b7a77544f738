require ["vacation", "fcc", "mailbox"];
vacation :handle "two" :fcc "Answers" :create "two";
