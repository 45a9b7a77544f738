/* SPDX-License-Identifier: MIT */
#ifndef CULVER_ADM_CHECK_H
#define CULVER_ADM_CHECK_H
/* One script, or one rcfile with what it includes: what is wrong with it. */
#include "adm/format.h"
#include "lib-filter/sieve/site.h"

#define CHECK_FILE_MAX ((size_t)16 << 20)

struct check {
	struct sieve_site site;		/* of the user, or of the settings alone, or nothing */
	void *ctx;
	void (*found)(void *ctx, bool is_error, const char *path, unsigned line, const char *text);	/* line 0: none */
	unsigned errors, warnings;
	bool no_programs;		/* recipes may run none */
	struct format *f;		/* the caller's */
};

/* All return false when memory is out. */
/* global: with what scripts of the administrator may use.  What it includes is looked for as the settings say, and beside it. */
bool check_sieve(struct check *c, const char *path, struct span text, bool global);
bool check_procmail(struct check *c, const char *path);

/* Whether a file is one of recipes, and no script: by its name, or its text. */
bool check_is_rcfile(const char *path, struct span text);
#endif
