# src/lib-deliver
