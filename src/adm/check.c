/* SPDX-License-Identifier: MIT */
#include "adm/check.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/sys.h"
#include "lib-filter/procmail/lint.h"
#include "lib-filter/sieve/script.h"

#define INCLUDES_MAX 32		/* of rcfiles in each other */
#define FILES_MAX 500		/* that one rcfile may lead to */
#define MEMORY ((size_t)64 << 20)
#define TEXT_MAX 400

static void __attribute__((format(printf, 5, 6)))
found(struct check *c, bool is_error, const char *path, unsigned line, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (is_error)
		c->errors++;
	else
		c->warnings++;
	c->found(c->ctx, is_error, path, line, text);
}

/* ---- Sieve ---- */

struct script {
	struct check *c;
	const char *path;
};

static void
on_error(void *ctx, const struct sieve_error *error)
{
	const struct script *s = ctx;

	found(s->c, true, s->path, error->line, "%s", error->text);
}

static int
beside(const struct script *s, struct span name, struct arena *a, struct span *out, struct err *e)
{
	const char *slash = strrchr(s->path, '/');
	struct buf text = BUF_INIT(CHECK_FILE_MAX);
	char *path = arena_printf(a, "%.*s%.*s.sieve", slash == NULL ? 0 : (int)(slash + 1 - s->path), s->path, SPAN_ARG(name));
	int rc = path == NULL ? err_set(e, ERR_TEMP, "out of memory") : file_read_plain(path, CHECK_FILE_MAX, &text, e);

	if (rc == 0) {
		*out = arena_dup(a, buf_span(&text));
		rc = out->p == NULL ? err_set(e, ERR_TEMP, "out of memory") : 0;
	}
	buf_clear(&text);
	return rc;
}

static int
on_include(void *ctx, bool personal, struct span name, struct arena *a, struct span *out, struct err *e)
{
	const struct script *s = ctx;

	if (!sieve_name_is_valid(name))
		return err_set(e, ERR_NOTFOUND, "no name of a script");
	if (s->c->site.setting != NULL && sieve_site_include(&s->c->site, personal, name, a, out, e) == 0)
		return 0;
	*e = (struct err)ERR_INIT;
	if (beside(s, name, a, out, e) == 0)
		return 0;
	found(s->c, false, s->path, 0, "it includes \"%.*s\", which is not there", SPAN_ARG(span_sub(name, 0, 100)));
	return -1;
}

/* The depth is that of the parsed tree: SIEVE_DEPTH_MAX. */
static void
look_for_ihave(const struct script *s, const struct sieve_node *n)
{
	for (; n != NULL; n = n->next) {
		if (n->is_test && span_ieq(n->name, SPAN("ihave")) && n->holds == SIEVE_NEVER && n->pos[0] != NULL)
			found(s->c, false, s->path, n->line, "ihave: not all of its extensions are there, so this never holds");
		look_for_ihave(s, n->tests);
		look_for_ihave(s, n->block);
	}
}

bool
check_sieve(struct check *c, const char *path, struct span text, bool global)
{
	struct script s = { c, path };
	const struct filter_host host = { .ctx = &s, .script = on_include };
	struct sieve_compile_options o = { .host = &host, .on_error = on_error, .on_error_ctx = &s, .upload = true };
	struct sieve_extset personal;
	struct sieve_script *script;
	struct sieve_error error = { 0 };
	unsigned before = c->errors;
	struct span bad;

	sieve_site_extensions(&c->site, &personal, &o.available_global, &bad);
	sieve_site_include_limits(&c->site, &o);
	o.available = global ? o.available_global : personal;
	if (text.n > sieve_site_script_max(&c->site)) {
		found(c, true, path, 0, "larger than sieve_max_script_size");
		return true;
	}
	script = sieve_compile_with(text, &o, &error);
	if (script != NULL)
		look_for_ihave(&s, script->commands);
	else if (c->errors == before)
		on_error(&s, &error);
	sieve_script_free(script);
	return true;
}

/* ---- procmail ---- */

struct rcfile {
	struct check *c;
	struct procmail_lint *lint;
	const char *path;
	struct arena *a;
	unsigned depth, files;
	bool no_memory;
};

static void lint_file(struct rcfile *r, const char *path, const char *from, unsigned line);

static void
on_found(void *ctx, bool is_error, unsigned line, const char *text)
{
	const struct rcfile *r = ctx;

	found(r->c, is_error, r->path, line, "%s", text);
}

static void
on_rc(void *ctx, unsigned line, struct span name)
{
	struct rcfile *r = ctx;
	struct span dir = procmail_lint_dir(r->lint);
	const char *from = r->path, *path;

	if (name.p[0] != '/' && dir.n == 0)
		return;
	path = name.p[0] == '/' ? arena_cstr(r->a, name) : arena_printf(r->a, "%.*s/%.*s", SPAN_ARG(dir), SPAN_ARG(name));
	if (path == NULL || r->depth == INCLUDES_MAX || r->files == FILES_MAX || strcmp(path, "/dev/null") == 0)
		return;
	r->depth++;
	lint_file(r, path, from, line);
	r->depth--;
	r->path = from;
}

/* As a delivery would open it: what everybody can write to is not read. */
static bool
read_rc(struct rcfile *r, const char *path, struct buf *text, const char *from, unsigned line)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct err e = ERR_INIT;
	struct stat st;
	bool ok = false;

	if (fd == -1 || fstat(fd, &st) == -1) {
		err_errno(&e, "%s", path);
		found(r->c, from == NULL, from == NULL ? path : from, line, "%s", e.log);
	} else if (!S_ISREG(st.st_mode)) {
		found(r->c, true, path, 0, "it is no file");
	} else if ((st.st_mode & S_IWOTH) != 0) {
		found(r->c, true, path, 0, "everyone can write to it, so it is not read");
	} else if (fd_read_all(fd, text->max, text, &e) == -1) {
		found(r->c, true, path, 0, "%s", e.log);
	} else {
		ok = true;
	}
	if (fd != -1)
		close(fd);
	return ok;
}

static void
lint_file(struct rcfile *r, const char *path, const char *from, unsigned line)
{
	struct buf text = BUF_INIT(CHECK_FILE_MAX);
	struct arena *a = arena_new(MEMORY);
	const struct procmail_rc *rc;

	r->path = path;
	r->files++;
	if (a == NULL) {
		r->no_memory = true;
	} else if (read_rc(r, path, &text, from, line)) {
		rc = procmail_rc_parse(buf_span(&text), a);
		if (rc == NULL)
			found(r->c, true, path, 0, "it is too large");
		else
			procmail_lint_run(r->lint, rc);
	}
	buf_clear(&text);
	arena_free(a);
}

/* $HOME: the user's, or where a file lies that is called as if it were in one. */
static struct span
home_of(const struct check *c, const char *path, struct arena *a)
{
	char *real;
	struct span dir = SPAN(""), name = SPAN("/.procmailrc");

	if (c->site.home.n > 0)
		return c->site.home;
	real = realpath(path, NULL);
	if (real != NULL && a != NULL && span_ends(span_str(real), name))
		dir = arena_dup(a, span_sub(span_str(real), 0, strlen(real) - name.n));
	free(real);
	return dir.p == NULL ? SPAN("") : dir;
}

bool
check_procmail(struct check *c, const char *path)
{
	struct rcfile r = { .c = c, .a = arena_new(1 << 20) };
	const struct procmail_lint_host host = { .ctx = &r, .found = on_found, .include = on_rc, .user = c->site.user,
		.home = home_of(c, path, r.a), .no_programs = c->no_programs };

	r.lint = procmail_lint_new(&host);
	if (r.a == NULL || r.lint == NULL)
		r.no_memory = true;
	else
		lint_file(&r, path, NULL, 0);
	procmail_lint_free(r.lint);
	arena_free(r.a);
	return !r.no_memory;
}

/* A recipe begins with a line that begins with ":0"; a script has no such line outside of its texts. */
static bool
has_recipe(struct span text)
{
	struct span line;
	size_t used = 0;

	while (span_line(text, &used, &line))
		if (span_starts(span_trim(line), SPAN(":0")))
			return true;
	return false;
}

bool
check_is_rcfile(const char *path, struct span text)
{
	struct span name = span_str(strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path);

	if (span_ends(name, SPAN(".sieve")) || span_ends(name, SPAN(".siv")))
		return false;
	return span_ends(name, SPAN("procmailrc")) || span_starts(name, SPAN("rc.")) || span_ends(name, SPAN(".rc")) || has_recipe(text);
}
