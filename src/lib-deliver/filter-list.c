/* SPDX-License-Identifier: MIT */
#include "lib-deliver/filter-list.h"

#include "lib/hash.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-filter/sieve/site.h"

#define PREFIX "sieve_list_"
#define SETTING_MAX 200
#define FILE_MAX ((size_t)8 << 20)
#define ENTRIES_MAX 200000
#define ENTRY_OCTETS 1000
#define LISTS_MAX 16		/* that one delivery reads */

struct list {
	struct list *next;
	char setting[SETTING_MAX];
	bool exists, failed;
	struct span *entries;
	size_t count;
	struct hash *set;		/* entries in lower case */
};

struct filter_lists {
	struct sieve_site site;
	struct arena *a;
	struct list *lists;
	size_t list_count;
};

static struct sieve_site
site_of(const struct set_view *view, struct span user, struct span home)
{
	return (struct sieve_site){ .ctx = (void *)(uintptr_t)view, .setting = sieve_site_setting, .user = user,
		.home = home.n > 0 ? home : SPAN_NONE };
}

struct filter_lists *
filter_lists_new(const struct set_view *view, struct span user, struct span home, struct arena *a)
{
	struct filter_lists *l = arena_alloc(a, 1, sizeof(*l));

	if (l != NULL) {
		l->site = site_of(view, user, home);
		l->a = a;
	}
	return l;
}

void
filter_lists_free(struct filter_lists *l)
{
	for (struct list *x = l == NULL ? NULL : l->lists; x != NULL; x = x->next)
		hash_free(x->set);
}

/* The name of the setting for a list's name.  False: there can be none. */
static bool
setting_of(struct span list, char out[SETTING_MAX])
{
	struct span urn = SPAN("urn:ietf:params:sieve:");
	size_t n = sizeof(PREFIX) - 1;

	if (span_istarts(list, urn))
		list = span_from(list, urn.n);
	else if (list.n > 0 && list.p[0] == ':')
		list = span_from(list, 1);
	if (list.n == 0 || list.n > SETTING_MAX - sizeof(PREFIX))
		return false;
	memcpy(out, PREFIX, n);
	for (size_t i = 0; i < list.n; i++) {
		char c = ascii_lower(list.p[i]);

		out[n++] = c;
		if (!ascii_is_alpha(c) && !ascii_is_digit(c))
			out[n - 1] = '_';
	}
	out[n] = '\0';
	return true;
}

static bool
take_entries(struct filter_lists *l, struct list *x, struct span text)
{
	char lower[ENTRY_OCTETS];
	struct span line;
	size_t lines = 1;

	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	if (lines > ENTRIES_MAX)
		lines = ENTRIES_MAX;
	x->set = hash_new(lines);
	x->entries = arena_alloc(l->a, lines, sizeof(*x->entries));
	if (x->set == NULL || x->entries == NULL)
		return false;
	while (span_next(&text, '\n', &line) && x->count < lines) {
		line = span_trim(line);
		if (line.n == 0 || line.n > ENTRY_OCTETS || line.p[0] == '#')
			continue;
		for (size_t i = 0; i < line.n; i++)
			lower[i] = ascii_lower(line.p[i]);
		if (hash_get(x->set, span_of(lower, line.n)) != NULL)
			continue;
		if (!hash_set(x->set, span_of(lower, line.n), x))
			return false;
		x->entries[x->count++] = line;
	}
	return true;
}

static void
read_list(struct filter_lists *l, struct list *x)
{
	struct buf text = BUF_INIT(FILE_MAX);
	struct sieve_location where;
	struct err e = ERR_INIT;
	struct span kept;

	if (sieve_site_location(&l->site, x->setting, l->a, &where, &e) == -1) {
		x->exists = e.code != ERR_NOTFOUND;
		x->failed = true;
	} else {
		x->exists = true;
		if (file_read(where.path, FILE_MAX, &text, &e) == 0) {
			kept = arena_dup(l->a, buf_span(&text));
			x->failed = kept.p == NULL || !take_entries(l, x, kept);
			if (x->failed)
				err_set(&e, ERR_LIMIT, "the list is too large");
		} else {
			x->failed = e.code != ERR_NOTFOUND;
		}
	}
	if (x->exists && x->failed)
		log_error("sieve: %s: %s", x->setting, e.log);
	buf_clear(&text);
}

/* NULL: there is none, and nobody says so to the log. */
static struct list *
find(struct filter_lists *l, struct span name)
{
	char setting[SETTING_MAX];
	struct list *x;

	if (l == NULL || !setting_of(name, setting))
		return NULL;
	for (x = l->lists; x != NULL; x = x->next)
		if (strcmp(x->setting, setting) == 0)
			return x->exists ? x : NULL;
	if (l->list_count == LISTS_MAX || (x = arena_alloc(l->a, 1, sizeof(*x))) == NULL)
		return NULL;
	memcpy(x->setting, setting, sizeof(setting));
	x->next = l->lists;
	l->lists = x;
	l->list_count++;
	read_list(l, x);
	return x->exists ? x : NULL;
}

bool
filter_list_exists(struct filter_lists *l, struct span list)
{
	return find(l, list) != NULL;
}

bool
filter_list_has(struct filter_lists *l, struct span list, struct span value)
{
	const struct list *x = find(l, list);
	char lower[ENTRY_OCTETS];

	value = span_trim(value);
	if (x == NULL || x->set == NULL || value.n > ENTRY_OCTETS)
		return false;
	for (size_t i = 0; i < value.n; i++)
		lower[i] = ascii_lower(value.p[i]);
	return hash_get(x->set, span_of(lower, value.n)) != NULL;
}

bool
filter_list_members(struct filter_lists *l, struct span list, struct span **out, size_t *count_out)
{
	const struct list *x = find(l, list);

	if (x == NULL || x->failed)
		return false;
	*out = x->entries;
	*count_out = x->count;
	return true;
}

size_t
filter_list_dirs(const struct set_view *view, struct span user, struct span home, struct arena *a, const char **out, size_t max)
{
	const struct sieve_site site = site_of(view, user, home);
	size_t pos = 0, n = 0;
	struct span name;

	while (n < max && (name = set_plugin_next(view, SPAN(PREFIX), &pos)).p != NULL) {
		char *setting = arena_cstr(a, name), *dir;
		struct sieve_location where;
		struct err e = ERR_INIT;
		const char *slash;

		if (setting == NULL || sieve_site_location(&site, setting, a, &where, &e) == -1)
			continue;
		slash = strrchr(where.path, '/');
		dir = arena_printf(a, "%.*s", slash == where.path ? 1 : (int)(slash - where.path), where.path);
		if (dir != NULL)
			out[n++] = dir;
	}
	return n;
}
