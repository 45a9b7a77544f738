require "fileinto";
fileinto "List";
