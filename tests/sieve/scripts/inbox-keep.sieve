require "fileinto";
fileinto "One";
fileinto "INBOX";
keep;
