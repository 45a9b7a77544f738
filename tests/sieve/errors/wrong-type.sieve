redirect 1;
