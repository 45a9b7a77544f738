require "editheader";
deleteheader "";
