require ["editheader", "encoded-character"];
addheader "a" "b${hex:00}c";
