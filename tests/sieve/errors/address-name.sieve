redirect "Ann B ann@example.org";
