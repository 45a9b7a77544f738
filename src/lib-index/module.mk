# src/lib-index
