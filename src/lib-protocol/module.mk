# src/lib-protocol
