# src/lda
