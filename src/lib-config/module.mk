# src/lib-config
