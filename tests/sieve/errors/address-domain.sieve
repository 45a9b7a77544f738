redirect "ann@example..org";
