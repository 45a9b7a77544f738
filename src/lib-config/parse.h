/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_PARSE_H
#define CULVER_LIB_CONFIG_PARSE_H
/* Filling a configuration from text: parse.c walks the lines, assign.c sets values. */
#include "lib-config/config-priv.h"

enum frame_type { FRAME_SCOPE, FRAME_BLOCK, FRAME_PLUGIN, FRAME_IGNORED };

/* Where in the blocks the parser is. */
struct frame {
	enum frame_type type;
	struct scope *scope;
	struct block *block;	/* of FRAME_BLOCK */
	const char *reason;	/* of FRAME_IGNORED: the warning when something is set in it; NULL: none */
	struct place place;
};

struct parser {
	struct config *c;
	struct frame frames[CONFIG_DEPTH];
	unsigned depth;		/* frames in use, at least 1 */
	unsigned includes;	/* files open inside each other */
	const char *file;
	bool built_in;		/* the text of service.c: values are defaults, $names stay */
};

/* One "key = value" in a frame; key may be a path (plugin/quota, namespace/inbox/prefix). */
void assign_line(struct parser *p, const struct frame *f, const struct line *line);
/* path as it is, or below the directory of the file p is in; NULL when memory is out. */
char *parser_path(struct parser *p, struct span path);
struct place parser_place(const struct parser *p, unsigned line);
bool parse_text(struct parser *p, struct span text);	/* false: too deep or out of memory, an error note was made */
#endif
