# src/adm
