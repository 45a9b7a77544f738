require ["include", "variables"];
set "global.fresh" "${global.fresh}!";
