/* SPDX-License-Identifier: MIT */
#include "lib-deliver/sieve.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-config/vars.h"
#include "lib-filter/sieve/script.h"

#define SCRIPTS_MAX 64
#define SCRIPT_OCTETS ((size_t)1 << 20)
#define PATHS_MAX 200
#define SETTINGS_SAME 20		/* sieve_before, sieve_before2, ... */

enum found { NOT_THERE, GOOD, BAD };

struct place {
	char *path;
	bool is_dir_member, optional;
	struct stat seen;		/* of the file that was compiled */
	enum found state;
	struct sieve_script *script;
};

struct deliver_filter {
	struct arena *a;
	const struct set_view *view;
	struct span user, home;
	struct place before[SCRIPTS_MAX], own, otherwise, after[SCRIPTS_MAX];
	size_t before_count, after_count;
	struct sieve_extset available;
	struct sieve_limits limits;
};

/* A path of the settings: variables, "~/", "file:" in front and options behind.  NULL: nothing, or no path. */
static char *
path_of(struct arena *a, struct span text, struct span user, struct span home, struct err *e)
{
	struct var vars[VARS_USER_COUNT + 1];
	struct buf out = BUF_INIT(4096);
	struct span s;
	char *path = NULL;

	if (span_starts(text, SPAN("file:")))
		text = span_from(text, 5);
	s = span_from(text, span_chr(text, ';'));
	text = span_sub(text, 0, span_chr(text, ';'));
	/* file:~/sieve;active=~/.dovecot.sieve: the link is what counts, the directory is ManageSieve's. */
	if (span_starts(s, SPAN(";active=")))
		text = span_sub(s, 8, span_chr(span_from(s, 8), ';'));
	if (text.n == 0)
		return NULL;
	vars_for_user(vars, user, home);
	vars[VARS_USER_COUNT] = (struct var){ 0, NULL, SPAN_NONE };
	if (span_starts(text, SPAN("~/"))) {
		buf_add(&out, home);
		text = span_from(text, 1);
	}
	if (vars_expand(&out, text, vars, e) == 0) {
		if (out.n == 0 || out.p[0] != '/' || out.failed)
			err_set(e, ERR_SYNTAX, "%.*s: a path begins with / or ~/", SPAN_ARG(text));
		else
			path = arena_cstr(a, buf_span(&out));
	}
	buf_clear(&out);
	return path;
}

/* name, name2, name3 ... of plugin {}. */
static struct span
numbered(const struct set_view *view, const char *name, unsigned number)
{
	char key[64];

	snprintf(key, sizeof(key), number == 1 ? "%s" : "%s%u", name, number);
	return set_plugin(view, key);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct place *)a)->path, ((const struct place *)b)->path);
}

static void
add_place(struct place *list, size_t *count, char *path)
{
	if (path == NULL)
		return;
	if (*count == SCRIPTS_MAX) {
		log_error("sieve: more than %d scripts: %s is not run", SCRIPTS_MAX, path);
		return;
	}
	list[(*count)++] = (struct place){ .path = path };
}

/* A directory stands for the scripts in it, by name. */
static void
add_path(struct deliver_filter *f, struct place *list, size_t *count, char *path)
{
	size_t first = *count;
	struct dirent *d;
	DIR *dir = opendir(path);

	if (dir == NULL) {
		add_place(list, count, path);
		return;
	}
	while ((d = readdir(dir)) != NULL) {
		size_t n = strlen(d->d_name);

		if (n > 6 && d->d_name[0] != '.' && strcmp(d->d_name + n - 6, ".sieve") == 0)
			add_place(list, count, arena_printf(f->a, "%s/%s", path, d->d_name));
	}
	closedir(dir);
	qsort(list + first, *count - first, sizeof(*list), by_name);
}

static int
add_numbered(struct deliver_filter *f, const char *name, struct place *list, size_t *count, struct err *e)
{
	for (unsigned i = 1; i <= SETTINGS_SAME; i++) {
		struct span text = numbered(f->view, name, i);
		char *path;

		if (text.n == 0)
			continue;
		path = path_of(f->a, text, f->user, f->home, e);
		if (path == NULL)
			return e->code == ERR_NONE ? 0 : err_wrap(e, "plugin/%s", name);
		add_path(f, list, count, path);
	}
	return 0;
}

/* ~/.dovecot.sieve where nothing is set, as with Dovecot; a directory alone (file:~/sieve) has that as its active script too. */
static struct span
own_setting(const struct set_view *view)
{
	struct span text = set_plugin(view, "sieve");

	if (text.n == 0 || (span_starts(text, SPAN("file:")) && span_find(text, SPAN(";active=")) == SIZE_MAX))
		return SPAN("~/.dovecot.sieve");
	return text;
}

struct deliver_filter *
deliver_filter_new(const struct set_view *view, struct span user, struct span home, struct err *e)
{
	struct span bad, otherwise = set_plugin(view, "sieve_default");
	struct deliver_filter *f;

	if (!set_list_has(view, SET_mail_plugins, SPAN("sieve")))
		return NULL;
	f = calloc(1, sizeof(*f));
	if (f == NULL || (f->a = arena_new(1 << 20)) == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		free(f);
		return NULL;
	}
	f->view = view;
	f->user = arena_dup(f->a, user);
	f->home = arena_dup(f->a, home);
	f->limits = SIEVE_LIMITS_DEFAULT;
	if (!sieve_extset_parse(&f->available, set_plugin(view, "sieve_extensions"), &bad))
		log_warning("plugin/sieve_extensions: there is no %.*s", SPAN_ARG(bad));
	if (add_numbered(f, "sieve_before", f->before, &f->before_count, e) == 0 &&
	    add_numbered(f, "sieve_after", f->after, &f->after_count, e) == 0 &&
	    ((f->own.path = path_of(f->a, own_setting(view), user, home, e)) != NULL || e->code == ERR_NONE) &&
	    ((f->otherwise.path = path_of(f->a, otherwise, user, home, e)) != NULL || e->code == ERR_NONE))
		return f;
	deliver_filter_free(f);
	return NULL;
}

static void
place_free(struct place *p)
{
	sieve_script_free(p->script);
}

void
deliver_filter_free(struct deliver_filter *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < f->before_count; i++)
		place_free(&f->before[i]);
	for (size_t i = 0; i < f->after_count; i++)
		place_free(&f->after[i]);
	place_free(&f->own);
	place_free(&f->otherwise);
	arena_free(f->a);
	free(f);
}

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* For the administrator, and for who asks why the message was kept. */
static void
complain(struct deliver_host *host, const struct place *p, unsigned line, const char *text)
{
	if (line == 0)
		log_error("sieve: %s: %s", p->path, text);
	else
		log_error("sieve: %s: line %u: %s", p->path, line, text);
	deliver_host_note(host, NULL, "%s line %u: error: %s", p->path, line, text);
}

static void
compile(struct deliver_filter *f, struct place *p, int fd, struct deliver_host *host)
{
	struct buf text = BUF_INIT(SCRIPT_OCTETS);
	struct sieve_error error;
	struct err e = ERR_INIT;

	p->state = BAD;
	if (fd_read_all(fd, SCRIPT_OCTETS, &text, &e) == -1) {
		complain(host, p, 0, e.code == ERR_LIMIT ? "the script is too large" : e.log);
	} else if ((p->script = sieve_compile(buf_span(&text), &f->available, &error)) == NULL) {
		complain(host, p, error.line, error.text);
	} else {
		p->state = GOOD;
	}
	buf_clear(&text);
}

/* Brings p->script up to the file.  A script that is a FIFO or a device is none. */
static enum found
load(struct deliver_filter *f, struct place *p, struct deliver_host *host)
{
	struct stat st;
	int fd;

	if (p->path == NULL)
		return NOT_THERE;
	if (p->state == GOOD && stat(p->path, &st) == 0 && is_same(&st, &p->seen))
		return GOOD;
	sieve_script_free(p->script);
	p->script = NULL;
	p->state = NOT_THERE;
	fd = open(p->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd == -1 && (errno == ENOENT || errno == ENOTDIR))
		return NOT_THERE;
	if (fd == -1 || fstat(fd, &p->seen) == -1 || !S_ISREG(p->seen.st_mode)) {
		complain(host, p, 0, fd == -1 ? strerror(errno) : "not a file");
		p->state = BAD;
	} else {
		compile(f, p, fd, host);
	}
	if (fd != -1)
		close(fd);
	return p->state;
}

struct sequence {
	struct deliver_filter *f;
	const struct filter_message *m;
	struct deliver_host *host;
	struct filter_action *first, **tail;
	struct filter_action *keep;	/* of the last script: the next one decides it anew */
};

/* Whether the next script is to run: the message is still to be kept. */
static bool
run_one(struct sequence *s, struct place *p)
{
	struct filter_action *list = NULL, *next;
	struct sieve_error error;

	if (p->state != GOOD)
		return true;
	if (sieve_script_run(p->script, s->m, &s->host->table, &s->f->limits, s->host->a, &list, &error) == -1)
		complain(s->host, p, error.line, error.text);
	s->keep = NULL;
	for (struct filter_action *a = list; a != NULL; a = next) {
		next = a->next;
		a->next = NULL;
		a->script = span_str(p->path);
		if (a->kind == FILTER_SAVE && a->keep) {
			s->keep = a;
		} else {
			*s->tail = a;
			s->tail = &a->next;
		}
	}
	return s->keep != NULL;
}

static bool
run_list(struct sequence *s, struct place *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (load(s->f, &list[i], s->host) != NOT_THERE && !run_one(s, &list[i]))
			return false;
	return true;
}

int
deliver_filter_run(struct deliver_filter *f, const struct filter_message *m, struct deliver_host *host,
    struct filter_action **out, struct err *e)
{
	struct sequence s = { .f = f, .m = m, .host = host };

	s.tail = &s.first;
	/* What happens when there is no script, or none that decides. */
	s.keep = arena_alloc(host->a, 1, sizeof(*s.keep));
	if (s.keep == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	*s.keep = (struct filter_action){ .kind = FILTER_SAVE, .keep = true };
	if (run_list(&s, f->before, f->before_count)) {
		bool go_on = true;

		if (load(f, &f->own, host) != NOT_THERE)
			go_on = run_one(&s, &f->own);
		else if (load(f, &f->otherwise, host) != NOT_THERE)
			go_on = run_one(&s, &f->otherwise);
		if (go_on && run_list(&s, f->after, f->after_count))
			*s.tail = s.keep;
	}
	*out = s.first;
	return 0;
}

static const char *
directory_of(struct arena *a, char *path)
{
	char *slash = strrchr(path, '/');
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return path;
	return arena_printf(a, "%.*s", slash == path ? 1 : (int)(slash - path), path);
}

const char *const *
deliver_filter_paths(const struct set_view *view, struct span user, struct span home, const char *const *first, struct arena *a)
{
	static const char *const lists[] = { "sieve_before", "sieve_after" };
	const char **out = arena_alloc(a, PATHS_MAX, sizeof(*out));
	struct err e = ERR_INIT;
	size_t n = 0;

	if (out == NULL)
		return NULL;
	while (*first != NULL && n < PATHS_MAX / 2)
		out[n++] = *first++;
	if (!set_list_has(view, SET_mail_plugins, SPAN("sieve")))
		return out;
	/* A link there leads to the directory of all scripts, which is in the home as a rule. */
	if (home.n > 0)
		out[n++] = arena_cstr(a, home);
	for (unsigned i = 0; i < 2 * SETTINGS_SAME + 2; i++) {
		struct span text = i == 2 * SETTINGS_SAME ? own_setting(view) : i > 2 * SETTINGS_SAME ?
		    set_plugin(view, "sieve_default") : numbered(view, lists[i / SETTINGS_SAME], i % SETTINGS_SAME + 1);
		char *path = text.n == 0 ? NULL : path_of(a, text, user, home, &e);

		if (path != NULL && n < PATHS_MAX - 1)
			out[n++] = directory_of(a, path);
	}
	return out;
}
