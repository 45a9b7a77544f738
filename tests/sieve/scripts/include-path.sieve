require "include";
include "../scripts/empty";
