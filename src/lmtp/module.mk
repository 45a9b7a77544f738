# src/lmtp
