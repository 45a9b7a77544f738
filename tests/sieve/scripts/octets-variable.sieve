require ["fileinto", "variables", "encoded-character"];
set "box" "${hex:ff}rop";
fileinto "${box}";
