require "fileinto";
fileinto "a";
if true { stop; }
fileinto "b";
