# src/pop3
