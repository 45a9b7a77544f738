require "encoded-character"; redirect "${unicode:110000}@example.org";
