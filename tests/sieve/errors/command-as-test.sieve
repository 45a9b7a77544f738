if keep {}
