keep {}
