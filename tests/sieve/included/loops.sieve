require ["foreverypart", "variables", "include"];
global "deepest";
foreverypart { foreverypart { set "deepest" "here"; foreverypart { stop; } } }
