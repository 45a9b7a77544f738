# src/login
