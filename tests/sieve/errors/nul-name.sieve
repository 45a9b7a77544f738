require "editheader";
addheader "" "c";
