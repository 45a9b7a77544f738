/* SPDX-License-Identifier: MIT */
#include "lib-storage/location.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCATION_PATH_MAX 1024
#define LOCATION_NAME_MAX 100

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

/* A name of one level: of a file or directory that is made everywhere. */
static int
name_of(struct span v, struct arena *a, const char **out, struct err *e)
{
	if (v.n == 0 || v.n > LOCATION_NAME_MAX || span_chr(v, '/') != v.n || span_eq(v, SPAN(".")) || span_eq(v, SPAN("..")))
		return err_set(e, ERR_SYNTAX, "mail_location: \"%.*s\" is no name of a file", SPAN_ARG(v));
	*out = arena_cstr(a, v);
	return *out != NULL ? 0 : err_set(e, ERR_SYNTAX, "mail_location: a name has a NUL in it, or is too long");
}

static int
layout_of(struct span v, struct location *out, struct err *e)
{
	if (span_ieq(v, SPAN("index")))
		return err_set(e, ERR_SYNTAX, "mail_location: LAYOUT=index: the names of mailboxes are those of directories here");
	if (!span_ieq(v, SPAN("fs")) && !span_ieq(v, SPAN("maildir++")))
		return err_set(e, ERR_SYNTAX, "mail_location: LAYOUT=%.*s is not known", SPAN_ARG(v));
	out->fs_layout = span_ieq(v, SPAN("fs"));
	out->layout_given = true;
	return 0;
}

static int
option(struct span opt, struct span home, struct arena *a, struct location *out, struct err *e)
{
	static const char *const none[] = { "ALT", "INDEXCACHE", "ITERINDEX", "LISTINDEX", "VOLATILEDIR", "KEEP-NOSELECT" };
	size_t eq = span_chr(opt, '=');
	struct span name = span_sub(opt, 0, eq), value = span_from(opt, eq + 1);

	if (eq == opt.n && span_ieq(name, SPAN("UTF-8"))) {
		out->utf8 = true;
		return 0;
	}
	if (eq == opt.n && span_ieq(name, SPAN("NO-NOSELECT"))) {
		out->no_noselect = true;
		return 0;
	}
	if (span_ieq(name, SPAN("INBOX")))
		return path_of(value, home, a, &out->inbox, e);
	if (span_ieq(name, SPAN("INDEX"))) {
		if (span_eq(value, SPAN("MEMORY")))
			return err_set(e, ERR_SYNTAX, "mail_location: INDEX=MEMORY: the index must be in a directory");
		return path_of(value, home, a, &out->index, e);
	}
	if (span_ieq(name, SPAN("INDEXPVT")))
		return path_of(value, home, a, &out->index_pvt, e);
	if (span_ieq(name, SPAN("CONTROL")))
		return path_of(value, home, a, &out->control, e);
	if (span_ieq(name, SPAN("SUBSCRIPTIONS")))
		return name_of(value, a, &out->subscriptions, e);
	if (span_ieq(name, SPAN("DIRNAME")) || span_ieq(name, SPAN("FULLDIRNAME"))) {
		out->full_dirname = span_ieq(name, SPAN("FULLDIRNAME"));
		return name_of(value, a, &out->dirname, e);
	}
	if (span_ieq(name, SPAN("LAYOUT")))
		return layout_of(value, out, e);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (span_ieq(name, span_str(none[i])))
			return 0;
	return err_set(e, ERR_SYNTAX, "mail_location: %.*s is not known", SPAN_ARG(opt));
}

/* What stands before the next single ':', with "::" as one.  1, 0 at the end, -1. */
static int
next_piece(struct span *rest, struct arena *a, struct span *out, struct err *e)
{
	size_t end = 0, n = 0;
	char *room;

	if (rest->n == 0)
		return 0;
	while (end < rest->n && (rest->p[end] != ':' || (end + 1 < rest->n && rest->p[end + 1] == ':')))
		end += rest->p[end] == ':' ? 2 : 1;
	room = arena_alloc(a, end + 1, 1);
	if (room == NULL)
		return err_set(e, ERR_LIMIT, "mail_location is too long");
	for (size_t i = 0; i < end; i++) {
		i += rest->p[i] == ':';
		room[n++] = rest->p[i];
	}
	*rest = span_from(*rest, end + 1);
	*out = span_of(room, n);
	return 1;
}

/* What can only be said of the whole. */
static int
finish(struct location *out, struct err *e)
{
	if (!out->layout_given)
		out->fs_layout = !span_eq(out->driver, SPAN("maildir"));
	if (out->dirname != NULL && !out->fs_layout)
		return err_set(e, ERR_SYNTAX, "mail_location: DIRNAME= is for LAYOUT=fs: Maildir++ folders hold no others");
	return 0;
}

int
location_parse(struct span text, struct span home, struct arena *a, struct location *out, struct err *e)
{
	struct span piece, path = SPAN_NONE;
	size_t colon = span_chr(text, ':');
	int rc;

	*out = (struct location){ .driver = span_sub(text, 0, colon) };
	if (colon == text.n || text.p[0] == '/' || text.p[0] == '~') {
		out->driver = SPAN("maildir");		/* a path alone */
	} else {
		text = span_from(text, colon + 1);
	}
	if (!span_eq(out->driver, SPAN("maildir")) && !span_eq(out->driver, SPAN("mbox")))
		return err_set(e, ERR_SYNTAX, "mail_location: %.*s: this kind of storage is not served", SPAN_ARG(out->driver));
	if (next_piece(&text, a, &path, e) == -1)
		return -1;
	if (path.n == 0)
		path = span_eq(out->driver, SPAN("mbox")) ? SPAN("~/mail") : SPAN("~/Maildir");
	if (path_of(path, home, a, &out->root, e) == -1)
		return -1;
	while ((rc = next_piece(&text, a, &piece, e)) == 1)
		if (piece.n > 0 && option(piece, home, a, out, e) == -1)
			return -1;
	return rc == -1 ? -1 : finish(out, e);
}

static bool
has_dir(struct span home, const char *below)
{
	char path[LOCATION_PATH_MAX];
	struct stat sb;

	return (size_t)snprintf(path, sizeof(path), "%.*s/%s", SPAN_ARG(home), below) < sizeof(path) &&
	    stat(path, &sb) == 0 && S_ISDIR(sb.st_mode);
}

/* The spool of the system, when there is mail of that user in it. */
static const char *
find_spool(struct span user, struct arena *a)
{
	static const char *const spools[] = { "/var/mail", "/var/spool/mail" };
	struct stat sb;

	if (user.n == 0 || user.p[0] == '.' || span_chr(user, '/') != user.n || span_chr(user, '\0') != user.n)
		return NULL;
	for (size_t i = 0; i < sizeof(spools) / sizeof(spools[0]); i++) {
		const char *path = arena_printf(a, "%s/%.*s", spools[i], SPAN_ARG(user));

		if (path != NULL && stat(path, &sb) == 0 && S_ISREG(sb.st_mode) && access(path, R_OK | W_OK) == 0)
			return path;
	}
	return NULL;
}

/* ~/mail, ~/Mail or ~/mbox, and the spool: what mail programs that know mbox files use.  False: there is none of them. */
static bool
find_mbox(struct span user, struct span home, struct arena *a, struct location *out, struct err *e)
{
	static const char *const roots[] = { "mail", "Mail" };
	const char *root = NULL, *inbox = find_spool(user, a), *mbox = NULL;
	struct stat sb;
	char path[LOCATION_PATH_MAX];

	for (size_t i = 0; i < 2 && root == NULL; i++)
		root = has_dir(home, roots[i]) ? roots[i] : NULL;
	if ((size_t)snprintf(path, sizeof(path), "%.*s/mbox", SPAN_ARG(home)) < sizeof(path) && stat(path, &sb) == 0 &&
	    S_ISREG(sb.st_mode))
		mbox = arena_cstr(a, span_str(path));
	if (root == NULL && inbox == NULL && mbox == NULL)
		return false;
	/* A directory of that name alone may hold anything: mbox files have an INBOX. */
	if (inbox == NULL && mbox == NULL && (snprintf(path, sizeof(path), "%.*s/%s/inbox", SPAN_ARG(home), root),
	    stat(path, &sb) == -1 || !S_ISREG(sb.st_mode)))
		return false;
	if (location_parse(root != NULL && strcmp(root, "Mail") == 0 ? SPAN("mbox:~/Mail") : SPAN("mbox:~/mail"), home, a, out,
	    e) == -1)
		return false;
	out->inbox = inbox != NULL ? inbox : mbox;
	return true;
}

/* The home directory may be a Maildir itself; then mbox files; else ~/Maildir, made when there is none. */
int
location_find(struct span user, struct span home, struct arena *a, struct location *out, struct err *e)
{
	if (home.n > 0 && !has_dir(home, "Maildir")) {
		if (has_dir(home, "cur") && has_dir(home, "new"))
			return location_parse(SPAN("maildir:~"), home, a, out, e);
		if (find_mbox(user, home, a, out, e))
			return 0;
	}
	return location_parse(SPAN("maildir:~/Maildir"), home, a, out, e);
}
