redirect "no body@example.org";
