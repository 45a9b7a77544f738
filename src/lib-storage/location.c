/* SPDX-License-Identifier: MIT */
#include "lib-storage/location.h"

#include <stdio.h>
#include <sys/stat.h>

#define LOCATION_PATH_MAX 1024

/* An absolute path without a '/' at its end; "~" is home, and what is relative is below it. */
static int
path_of(struct span p, struct span home, struct arena *a, const char **out, struct err *e)
{
	char *path;

	while (p.n > 1 && p.p[p.n - 1] == '/')
		p.n--;
	if (p.n == 0)
		return err_set(e, ERR_SYNTAX, "mail_location: a path is missing");
	if (p.p[0] == '/') {
		path = arena_cstr(a, p);
	} else if (home.n == 0 || home.p[0] != '/') {
		return err_set(e, ERR_SYNTAX, "mail_location: %.*s is below the home directory, and the user has none",
		    SPAN_ARG(p));
	} else {
		if (p.p[0] == '~' && (p.n == 1 || p.p[1] == '/'))
			p = span_from(p, p.n == 1 ? 1 : 2);
		while (home.n > 1 && home.p[home.n - 1] == '/')
			home.n--;
		char *h = arena_cstr(a, home), *rest = arena_cstr(a, p);

		path = h == NULL || rest == NULL ? NULL : arena_printf(a, "%s%s%s", h, p.n == 0 ? "" : "/", rest);
	}
	if (path == NULL)
		return err_set(e, ERR_SYNTAX, "mail_location: a path has a NUL in it, or is too long");
	if (strlen(path) > LOCATION_PATH_MAX)
		return err_set(e, ERR_LIMIT, "mail_location: a path is longer than %d", LOCATION_PATH_MAX);
	for (const char *q = path; (q = strstr(q, "/..")) != NULL; q += 3)
		if (q[3] == '\0' || q[3] == '/')
			return err_set(e, ERR_SYNTAX, "mail_location: a path has .. in it");
	*out = path;
	return 0;
}

static int
option(struct span opt, struct span home, struct arena *a, struct location *out, struct err *e)
{
	size_t eq = span_chr(opt, '=');
	struct span name = span_sub(opt, 0, eq), value = span_from(opt, eq + 1);

	if (span_ieq(name, SPAN("INBOX")))
		return path_of(value, home, a, &out->inbox, e);
	if (span_ieq(name, SPAN("INDEX"))) {
		if (span_eq(value, SPAN("MEMORY")))
			return err_set(e, ERR_SYNTAX, "mail_location: INDEX=MEMORY: the index must be in a directory");
		return path_of(value, home, a, &out->index, e);
	}
	if (span_ieq(name, SPAN("CONTROL")))
		return path_of(value, home, a, &out->control, e);
	if (span_ieq(name, SPAN("LAYOUT"))) {
		if (!span_ieq(value, SPAN("fs")) && !span_ieq(value, SPAN("maildir++")))
			return err_set(e, ERR_SYNTAX, "mail_location: LAYOUT=%.*s is not known", SPAN_ARG(value));
		out->fs_layout = span_ieq(value, SPAN("fs"));
		return 0;
	}
	return err_set(e, ERR_SYNTAX, "mail_location: %.*s is not known", SPAN_ARG(opt));
}

int
location_parse(struct span text, struct span home, struct arena *a, struct location *out, struct err *e)
{
	struct span piece, path;
	size_t colon = span_chr(text, ':');

	*out = (struct location){ .driver = span_sub(text, 0, colon) };
	if (colon == text.n || text.p[0] == '/' || text.p[0] == '~') {
		out->driver = SPAN("maildir");		/* a path alone */
	} else {
		text = span_from(text, colon + 1);
	}
	if (!span_eq(out->driver, SPAN("maildir")))
		return err_set(e, ERR_SYNTAX, "mail_location: %.*s: this kind of storage is not served", SPAN_ARG(out->driver));
	if (!span_next(&text, ':', &path))
		path = SPAN("~/Maildir");
	if (path_of(path, home, a, &out->root, e) == -1)
		return -1;
	while (span_next(&text, ':', &piece))
		if (piece.n > 0 && option(piece, home, a, out, e) == -1)
			return -1;
	return 0;
}

static bool
has_dir(struct span home, const char *below)
{
	char path[LOCATION_PATH_MAX];
	struct stat sb;

	return (size_t)snprintf(path, sizeof(path), "%.*s/%s", SPAN_ARG(home), below) < sizeof(path) &&
	    stat(path, &sb) == 0 && S_ISDIR(sb.st_mode);
}

/* The home directory may be a Maildir itself; else ~/Maildir, made when there is none. */
int
location_find(struct span home, struct arena *a, struct location *out, struct err *e)
{
	if (home.n > 0 && !has_dir(home, "Maildir") && has_dir(home, "cur") && has_dir(home, "new"))
		return location_parse(SPAN("maildir:~"), home, a, out, e);
	return location_parse(SPAN("maildir:~/Maildir"), home, a, out, e);
}
