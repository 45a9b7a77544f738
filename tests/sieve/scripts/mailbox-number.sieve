require "mailbox";
if mailboxexists 1 {}
