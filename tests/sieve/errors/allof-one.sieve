if allof true {}
