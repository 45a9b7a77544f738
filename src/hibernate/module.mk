# src/hibernate
