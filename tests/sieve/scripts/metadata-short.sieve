require "mboxmetadata";
if metadata "INBOX" "/private/a" {}
