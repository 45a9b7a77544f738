require "imap4flags";
setflag ["$Chain", "\\Answered"];
keep;
