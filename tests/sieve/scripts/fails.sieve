require "ihave";
error "as it should";
