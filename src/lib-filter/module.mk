# src/lib-filter
