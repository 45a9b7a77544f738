if not (true) {}
