if size :over 1X {}
