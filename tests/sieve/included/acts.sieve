require "fileinto";
fileinto "acted";
