/* SPDX-License-Identifier: MIT */
#include "lib-deliver/recipient/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/sys.h"

#define SOURCES_MAX 4096
#define LOOK_MS 1000
#define IN_WORK "it is being written"
#define SETTLE_NS ((int64_t)1000000000)	/* how long a file must have been left alone that is written in place */

/* What tells one version of a file from another. */
struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	int64_t mtime_ns, ctime_ns;
};

struct included {
	struct arena *a;
	struct recipient_targets targets;
};

/* What was made of a text; one of these, as the kind says. */
struct parsed {
	struct recipient_access *access;
	struct recipient_virtual *virtual;
	struct recipient_aliases *aliases;
	struct included include;
};

struct source {
	enum recipient_table_kind kind;
	char *path;
	struct buf text;
	struct parsed parsed;
	struct stamp stamp;		/* of the version that was looked at last, whether it was good or not */
	bool loaded;			/* text and parsed are there */
	bool flawed;			/* of some lines of it nothing is known: mail for what they name waits */
	bool wanted;			/* an include that is named by what is loaded */
	char why[200];			/* it is not loaded */
};

struct recipient_tables {
	struct recipient_limits limits;
	struct source **list;		/* the settings' first, then includes */
	size_t count;
	struct hash *includes;		/* by path */
	uint64_t generation;
	int64_t looked_ms;		/* 0: never */
	bool begun;			/* it was looked at once */
};

static void
parsed_free(struct parsed *p)
{
	recipient_access_free(p->access);
	recipient_virtual_free(p->virtual);
	recipient_aliases_free(p->aliases);
	arena_free(p->include.a);
	*p = (struct parsed){ .access = NULL };
}

static void
source_free(struct source *s)
{
	parsed_free(&s->parsed);
	buf_clear(&s->text);
	free(s->path);
	free(s);
}

static struct source *
source_new(struct recipient_tables *t, enum recipient_table_kind kind, struct span path)
{
	struct source **more, *s = t->count >= SOURCES_MAX ? NULL : calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->kind = kind;
	s->path = strndup(path.p, path.n);
	buf_init(&s->text, t->limits.max_size);
	more = realloc(t->list, (t->count + 1) * sizeof(*more));
	if (more != NULL)
		t->list = more;
	if (more == NULL || s->path == NULL ||
	    (kind == RECIPIENT_TABLE_INCLUDE && !hash_set(t->includes, path, s))) {
		source_free(s);
		return NULL;
	}
	t->list[t->count++] = s;
	return s;
}

static int
add_list(struct recipient_tables *t, enum recipient_table_kind kind, struct span list, struct err *e)
{
	static const char *const types[] = { "hash:", "btree:", "texthash:", "lmdb:", "cdb:", "dbm:", "text:", "files:" };
	struct span path;

	while (set_list_next(&list, &path)) {
		/* As other programs' settings write it; the text is read, whatever was made of it. */
		for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
			if (span_starts(path, span_str(types[i])))
				path = span_from(path, strlen(types[i]));
		if (path.n == 0 || path.p[0] != '/')
			return err_set(e, ERR_SYNTAX, "%.*s: a table needs an absolute path", SPAN_ARG(path));
		if (source_new(t, kind, path) == NULL)
			return err_set(e, ERR_LIMIT, "too many tables, or out of memory");
	}
	return 0;
}

struct recipient_tables *
recipient_tables_of(struct span access, struct span virtual, struct span aliases, const struct recipient_limits *limits,
    struct err *e)
{
	struct recipient_tables *t = calloc(1, sizeof(*t));

	if (t == NULL || (t->includes = hash_new(SOURCES_MAX)) == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		free(t);
		return NULL;
	}
	t->limits = *limits;
	if (add_list(t, RECIPIENT_TABLE_ACCESS, access, e) == 0 && add_list(t, RECIPIENT_TABLE_VIRTUAL, virtual, e) == 0 &&
	    add_list(t, RECIPIENT_TABLE_ALIASES, aliases, e) == 0 && t->count > 0)
		return t;
	recipient_tables_free(t);
	return NULL;
}

struct recipient_tables *
recipient_tables_new(const struct set_view *view, struct err *e)
{
	const struct recipient_limits limits = {
		.max_size = (size_t)set_num(view, SET_recipient_table_max_size),
		.max_line = (size_t)set_num(view, SET_recipient_table_max_line),
		.max_list = (size_t)set_num(view, SET_recipient_max_targets),
		.quarantine = set_str(view, SET_recipient_quarantine).n > 0,
	};

	return recipient_tables_of(set_str(view, SET_recipient_access), set_str(view, SET_recipient_virtual),
	    set_str(view, SET_recipient_aliases), &limits, e);
}

void
recipient_tables_free(struct recipient_tables *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->count; i++)
		source_free(t->list[i]);
	free(t->list);
	hash_free(t->includes);
	free(t);
}

static int
parse_include(struct span text, const struct recipient_limits *limits, struct included *out, struct recipient_remarks *remarks,
    unsigned *line_out, struct err *e)
{
	recipient_remarks_begin(remarks);
	out->targets = (struct recipient_targets){ NULL, 0 };
	out->a = arena_new(((size_t)1 << 16) + text.n * 200);
	if (out->a == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	if (recipient_targets_read(text, limits->max_line, limits->max_list, out->a, remarks->go_on ? remarks : NULL, &out->targets,
	    line_out, e) == 0)
		return 0;
	arena_free(out->a);
	out->a = NULL;
	return -1;
}

/* What the text says, into *out.  -1 of a mistake in a line: *in_line_out. */
static int
parse(const struct recipient_tables *t, const struct source *s, struct span text, struct parsed *out, struct recipient_remarks *remarks,
    bool *in_line_out, struct err *e)
{
	unsigned line = 0;
	int rc = -1;

	*out = (struct parsed){ .access = NULL };
	switch (s->kind) {
	case RECIPIENT_TABLE_ACCESS:
		rc = recipient_access_parse(text, &t->limits, &out->access, remarks, &line, e);
		break;
	case RECIPIENT_TABLE_VIRTUAL:
		rc = recipient_virtual_parse(text, &t->limits, &out->virtual, remarks, &line, e);
		break;
	case RECIPIENT_TABLE_ALIASES:
		rc = recipient_aliases_parse(text, &t->limits, &out->aliases, remarks, &line, e);
		break;
	case RECIPIENT_TABLE_INCLUDE:
		rc = parse_include(text, &t->limits, &out->include, remarks, &line, e);
		break;
	}
	*in_line_out = rc == -1 && line != 0 && e->code != ERR_TEMP;
	return *in_line_out ? err_wrap(e, "line %u", line) : rc;
}

static int64_t
ns_of(const struct timespec *ts)
{
	return (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec;
}

static struct stamp
stamp_of(const struct stat *st)
{
	return (struct stamp){ st->st_dev, st->st_ino, st->st_size, ns_of(&st->st_mtim), ns_of(&st->st_ctim) };
}

static bool
is_same(const struct stamp *a, const struct stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

/* 0; 1: it was written meanwhile, and is not what anybody meant; -1. */
static int
read_text(struct source *s, size_t max, struct buf *out, struct err *e)
{
	/* Not to wait for who might write into a FIFO. */
	int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), rc = -1;
	struct stat st, after;
	struct stamp then;

	if (fd == -1)
		return err_errno(e, "open");
	if (fstat(fd, &st) == -1)
		err_errno(e, "fstat");
	else if (!S_ISREG(st.st_mode))
		err_set(e, ERR_DENIED, "not a plain file");
	else if ((st.st_mode & S_IWOTH) != 0)
		err_set(e, ERR_DENIED, "it can be written by everyone");
	else if ((uint64_t)st.st_size > max)
		err_set(e, ERR_LIMIT, "it is larger than recipient_table_max_size");
	else
		rc = fd_read_all(fd, max, out, e);
	if (rc == 0 && fstat(fd, &after) == 0) {
		then = stamp_of(&after);
		s->stamp = stamp_of(&st);
		rc = is_same(&s->stamp, &then) ? 0 : 1;
	}
	close(fd);
	return rc;
}

/* Whether most of it is what it should be: another file, or none of text at all, must not pass for a table in which nothing stands. */
static bool
is_table(const struct source *s, struct span text, const struct recipient_remarks *remarks)
{
	return span_chr(text, '\0') == text.n && (s->kind == RECIPIENT_TABLE_INCLUDE || remarks->mistakes <= remarks->good);
}

/*
 * A version with mistakes does not take the place of one that has none.  Where there is no such it has to do: whoever starts the
 * server must not have all mail wait for one line.
 */
static int
parse_as_it_is(const struct recipient_tables *t, const struct source *s, struct span text, struct parsed *out,
    struct recipient_remarks *remarks, struct err *e)
{
	struct err first;
	bool in_line;

	remarks->go_on = false;
	if (parse(t, s, text, out, remarks, &in_line, e) == 0)
		return 0;
	if (!in_line || (s->loaded && !s->flawed))
		return -1;
	first = *e;
	remarks->go_on = true;
	if (parse(t, s, text, out, remarks, &in_line, e) == -1)
		return -1;
	if (is_table(s, text, remarks))
		return 0;
	parsed_free(out);
	*e = first;
	return -1;
}

/* Takes the version of the file that is there now, if it is good. */
static void
load(struct recipient_tables *t, struct source *s)
{
	struct buf text = BUF_INIT(t->limits.max_size);
	struct recipient_remarks remarks;
	struct parsed parsed;
	struct err e = ERR_INIT;
	int rc = read_text(s, t->limits.max_size, &text, &e);

	if (rc == 1) {
		snprintf(s->why, sizeof(s->why), IN_WORK);
		buf_clear(&text);
		return;
	}
	if (rc == -1 || parse_as_it_is(t, s, buf_span(&text), &parsed, &remarks, &e) == -1) {
		log_error("%s: %s%s", s->path, e.log, s->loaded ? ": what was read before stays in use" : "");
		if (!s->loaded)
			memcpy(s->why, e.log, sizeof(s->why) - 1);
		buf_clear(&text);
		return;
	}
	recipient_remarks_log(&remarks, s->path, s->kind == RECIPIENT_TABLE_INCLUDE ? "it gets nothing" : "mail for what it names waits");
	parsed_free(&s->parsed);
	buf_clear(&s->text);
	s->parsed = parsed;
	s->text = text;
	s->flawed = remarks.mistakes > 0;
	if (s->loaded)
		log_info("%s: read again", s->path);
	s->loaded = true;
	t->generation++;
}

static int64_t
wall_ns(void)
{
	return clock_wall_us() * 1000;
}

/*
 * Whether somebody may be in the middle of writing that version, who gets the time to finish: it was written just now, in the
 * place of the old one's octets, or as a new file that nobody has renamed since.  0, or how long to wait.
 */
static int64_t
in_work(const struct source *s, const struct stamp *now)
{
	int64_t age = wall_ns() - now->mtime_ns;

	if (now->size < 0 || age < 0 || age >= SETTLE_NS)
		return 0;
	if ((now->dev == s->stamp.dev && now->ino == s->stamp.ino) || now->ctime_ns == now->mtime_ns)
		return SETTLE_NS - age;
	return 0;
}

static struct stamp
look(const struct source *s)
{
	struct stamp now = { .size = -1 };
	struct stat st;

	if (stat(s->path, &st) == 0)
		now = stamp_of(&st);
	else
		now.mtime_ns = errno;
	return now;
}

static void
look_at(struct recipient_tables *t, struct source *s)
{
	struct stamp now = look(s);
	int64_t ns;

	if (is_same(&now, &s->stamp))
		return;
	ns = in_work(s, &now);
	/* Who starts has nothing else to do; not for ever, where somebody goes on writing. */
	for (unsigned i = 0; i < 3 && ns > 0 && !t->begun; i++) {
		usleep((useconds_t)(ns / 1000) + 1);
		now = look(s);
		ns = in_work(s, &now);
	}
	if (ns > 0) {
		snprintf(s->why, sizeof(s->why), IN_WORK);
		return;
	}
	s->stamp = now;
	load(t, s);
}

/* Files that these targets include; those that nobody knew of are looked at by who walks the list. */
static void
want_includes(struct recipient_tables *t, const struct recipient_targets *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct span path = list->list[i].text;
		struct source *s;

		if (list->list[i].kind != RECIPIENT_INCLUDE)
			continue;
		s = hash_get(t->includes, path);
		if (s == NULL)
			s = source_new(t, RECIPIENT_TABLE_INCLUDE, path);
		if (s != NULL)
			s->wanted = true;
		else
			log_error("%.*s: too many files are included", SPAN_ARG(path));
	}
}

static void
want_of(struct recipient_tables *t, const struct source *s)
{
	const struct recipient_alias *alias;
	size_t pos = 0;

	if (!s->loaded)
		return;
	if (s->kind == RECIPIENT_TABLE_INCLUDE)
		want_includes(t, &s->parsed.include.targets);
	while (s->kind == RECIPIENT_TABLE_ALIASES && (alias = recipient_aliases_next(s->parsed.aliases, &pos)) != NULL)
		want_includes(t, &alias->targets);
}

/* Includes that nothing names any more go. */
static void
drop_unwanted(struct recipient_tables *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->count; i++) {
		struct source *s = t->list[i];

		if (s->kind == RECIPIENT_TABLE_INCLUDE && !s->wanted) {
			hash_remove(t->includes, span_str(s->path));
			source_free(s);
		} else
			t->list[kept++] = s;
	}
	t->count = kept;
}

void
recipient_tables_refresh(struct recipient_tables *t, int64_t now)
{
	uint64_t before = t->generation;

	if (t->looked_ms != 0 && now - t->looked_ms < LOOK_MS)
		return;
	t->looked_ms = now;
	for (size_t i = 0; i < t->count; i++)
		look_at(t, t->list[i]);
	if (t->generation == before) {
		t->begun = true;
		return;
	}
	for (size_t i = 0; i < t->count; i++)
		t->list[i]->wanted = false;
	/* Includes join the list behind those that name them, and are read here when they are new. */
	for (size_t i = 0; i < t->count; i++) {
		struct source *s = t->list[i];

		if (s->kind == RECIPIENT_TABLE_INCLUDE && !s->loaded)
			look_at(t, s);
		want_of(t, s);
	}
	drop_unwanted(t);
	t->begun = true;
}

uint64_t
recipient_tables_generation(const struct recipient_tables *t)
{
	return t->generation;
}

bool
recipient_tables_problem(const struct recipient_tables *t, struct span *path_out, const char **why_out)
{
	for (size_t i = 0; i < t->count; i++)
		if (!t->list[i]->loaded && t->list[i]->kind != RECIPIENT_TABLE_INCLUDE) {
			*path_out = span_str(t->list[i]->path);
			*why_out = t->list[i]->why;
			return true;
		}
	return false;
}

bool
recipient_tables_usable(const struct recipient_tables *t)
{
	struct span path;
	const char *why;

	return !recipient_tables_problem(t, &path, &why);
}

bool
recipient_tables_has(const struct recipient_tables *t, enum recipient_table_kind kind)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->list[i]->kind == kind)
			return true;
	return false;
}

/* Each: kind, whether it is loaded, length and octets of the path, length and octets of the text. */
void
recipient_tables_pack(const struct recipient_tables *t, struct buf *out)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct source *s = t->list[i];
		struct span path = span_str(s->path);

		buf_add_be32(out, (uint32_t)s->kind);
		buf_add_be32(out, s->loaded);
		buf_add_be32(out, (uint32_t)path.n);
		buf_add(out, path);
		buf_add_be32(out, (uint32_t)s->text.n);
		buf_add(out, buf_span(&s->text));
	}
}

static bool
take_u32(struct span *in, uint32_t *out)
{
	if (in->n < 4)
		return false;
	*out = be32_get(in->p);
	*in = span_from(*in, 4);
	return true;
}

static bool
take_octets(struct span *in, struct span *out)
{
	uint32_t n;

	if (!take_u32(in, &n) || n > in->n)
		return false;
	*out = span_sub(*in, 0, n);
	*in = span_from(*in, n);
	return true;
}

static int
unpack_one(struct recipient_tables *t, struct span *in, struct err *e)
{
	/* What was taken with mistakes has to be understood in the same way here. */
	struct recipient_remarks remarks = { .go_on = true };
	uint32_t kind, loaded;
	struct span path, text;
	struct source *s;
	bool in_line;

	if (!take_u32(in, &kind) || kind > RECIPIENT_TABLE_INCLUDE || !take_u32(in, &loaded) || !take_octets(in, &path) ||
	    !take_octets(in, &text) || path.n == 0)
		return err_set(e, ERR_SYNTAX, "tables that are not understood");
	s = source_new(t, (enum recipient_table_kind)kind, path);
	if (s == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	buf_add(&s->text, text);
	s->loaded = loaded != 0;
	if (s->text.failed)
		return err_set(e, ERR_TEMP, "out of memory");
	return s->loaded ? parse(t, s, buf_span(&s->text), &s->parsed, &remarks, &in_line, e) : 0;
}

int
recipient_tables_unpack(struct recipient_tables *t, struct span packed, uint64_t generation, struct err *e)
{
	struct recipient_tables fresh = { .limits = t->limits, .includes = hash_new(SOURCES_MAX), .generation = generation };
	int rc = fresh.includes == NULL ? err_set(e, ERR_TEMP, "out of memory") : 0;

	while (rc == 0 && packed.n > 0)
		rc = unpack_one(&fresh, &packed, e);
	if (rc == 0) {
		struct recipient_tables old = *t;

		*t = fresh;
		fresh = old;
	}
	for (size_t i = 0; i < fresh.count; i++)
		source_free(fresh.list[i]);
	free(fresh.list);
	hash_free(fresh.includes);
	return rc;
}

static struct recipient_place
place(const struct source *s, unsigned line)
{
	return (struct recipient_place){ span_str(s->path), line };
}

const struct recipient_alias *
recipient_tables_alias(const struct recipient_tables *t, struct span name, struct recipient_place *place_out)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct source *s = t->list[i];
		const struct recipient_alias *alias = s->parsed.aliases == NULL ? NULL : recipient_aliases_find(s->parsed.aliases, name);

		if (alias != NULL) {
			*place_out = place(s, alias->line);
			return alias;
		}
	}
	return NULL;
}

bool
recipient_tables_virtual(const struct recipient_tables *t, struct span local, struct span domain, struct span delimiters,
    bool is_local, struct recipient_virtual_match *out, struct recipient_place *place_out)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct source *s = t->list[i];

		if (s->parsed.virtual != NULL && recipient_virtual_find(s->parsed.virtual, local, domain, delimiters, is_local, out)) {
			*place_out = place(s, out->entry->line);
			return true;
		}
	}
	return false;
}

const struct recipient_targets *
recipient_tables_include(const struct recipient_tables *t, struct span path)
{
	const struct source *s = hash_get(t->includes, path);

	return s == NULL || !s->loaded ? NULL : &s->parsed.include.targets;
}

const struct recipient_access_entry *
recipient_tables_address(const struct recipient_tables *t, enum recipient_access_tag tag, struct span local, struct span domain,
    struct span delimiters, struct recipient_place *place_out)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct source *s = t->list[i];
		const struct recipient_access_entry *en = s->parsed.access == NULL ? NULL :
		    recipient_access_address(s->parsed.access, tag, local, domain, delimiters);

		if (en != NULL) {
			*place_out = place(s, en->line);
			return en;
		}
	}
	return NULL;
}

const struct recipient_access_entry *
recipient_tables_client(const struct recipient_tables *t, struct span name, struct span address, struct recipient_place *place_out)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct source *s = t->list[i];
		const struct recipient_access_entry *en = s->parsed.access == NULL ? NULL :
		    recipient_access_client(s->parsed.access, name, address);

		if (en != NULL) {
			*place_out = place(s, en->line);
			return en;
		}
	}
	return NULL;
}
