/* keep;
