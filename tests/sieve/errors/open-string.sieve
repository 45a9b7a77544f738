redirect "ann@example.org;
