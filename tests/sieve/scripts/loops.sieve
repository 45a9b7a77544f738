require ["foreverypart", "include"];
foreverypart { foreverypart { include "loops"; } }
