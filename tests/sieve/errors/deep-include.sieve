require "include";
include "outer";
