# src/lib-storage
