require ["fileinto", "encoded-character"];
fileinto "a${hex:ff}";
