/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_CONFIG_CONFIG_H
#define CULVER_LIB_CONFIG_CONFIG_H
/*
 * From the text of dovecot.conf to the image.  For the master and the tools only.
 */
#include "lib/arena.h"
#include "lib/err.h"

struct config;

/* A remark on the configuration: file:line: text. */
struct config_note {
	bool is_error;
	const char *text;
};

/*
 * Parses path and what it includes.  protocols_dir etc. need nothing else.  NULL with e set when the file can not be
 * read; a config with errors (config_notes) when its content is wrong: such a one gives no image.
 */
struct config *config_read(const char *path, struct err *e);
void config_free(struct config *c);
size_t config_notes(const struct config *c, const struct config_note **notes_out);
bool config_has_errors(const struct config *c);
/* key=value from a command line (-o): as if it stood at the end of the file. */
int config_override(struct config *c, struct span assignment, struct err *e);
/* A new sealed memory file with the image; the caller closes it. */
int config_image(struct config *c, struct err *e);
#endif
