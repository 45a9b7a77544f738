require "imap4flags";
addflag "mine" "a";
