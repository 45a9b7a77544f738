# src/lib-mail
