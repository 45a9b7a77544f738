/* SPDX-License-Identifier: MIT */
#include "lib-deliver/filter-list.h"

#include "lib/hash.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-filter/sieve/site.h"
#include "lib-storage/shared-dict.h"

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
	bool is_dict;
	struct span prefix;		/* of a dictionary's keys; empty: priv/ and shared/ */
	struct span *entries;
	size_t count, room;
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

/* False: out of memory. */
static bool
add_entry(struct list *x, struct span entry)
{
	char lower[ENTRY_OCTETS];

	entry = span_trim(entry);
	if (entry.n == 0 || entry.n > ENTRY_OCTETS || x->count == x->room)
		return true;
	for (size_t i = 0; i < entry.n; i++)
		lower[i] = ascii_lower(entry.p[i]);
	if (hash_get(x->set, span_of(lower, entry.n)) != NULL)
		return true;
	x->entries[x->count++] = entry;
	return hash_set(x->set, span_of(lower, entry.n), x);
}

struct pairs {
	struct filter_lists *l;
	struct list *x;
	bool failed;
};

/* In a part of a key a / is written \|, and a \ twice. */
static bool
on_pair(void *ctx, struct span key, struct span value)
{
	struct pairs *p = ctx;
	struct span prefix = p->x->prefix;
	char *plain;
	size_t n = 0;

	(void)value;
	if (prefix.n == 0)
		prefix = span_starts(key, SPAN("priv/")) ? SPAN("priv/") : SPAN("shared/");
	if (!span_starts(key, prefix))
		return true;
	key = span_from(key, prefix.n);
	plain = key.n > ENTRY_OCTETS ? NULL : arena_alloc(p->l->a, key.n + 1, 1);
	p->failed = key.n <= ENTRY_OCTETS && plain == NULL;
	for (size_t i = 0; plain != NULL && i < key.n; i++) {
		bool escaped = key.p[i] == '\\' && i + 1 < key.n;

		i += escaped;
		plain[n++] = escaped && key.p[i] == '|' ? '/' : key.p[i];
	}
	p->failed = p->failed || (plain != NULL && !add_entry(p->x, span_of(plain, n)));
	return !p->failed;
}

static bool
take_entries(struct filter_lists *l, struct list *x, struct span text)
{
	struct pairs pairs = { .l = l, .x = x };
	struct span line;
	size_t lines = 1;

	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	x->room = lines > ENTRIES_MAX ? ENTRIES_MAX : lines;
	x->set = hash_new(x->room);
	x->entries = arena_alloc(l->a, x->room, sizeof(*x->entries));
	if (x->set == NULL || x->entries == NULL)
		return false;
	if (x->is_dict) {
		shared_dict_each(text, on_pair, &pairs);
		return !pairs.failed;
	}
	while (span_next(&text, '\n', &line))
		if (span_trim(line).n > 0 && span_trim(line).p[0] != '#' && !add_entry(x, line))
			return false;
	return true;
}

/* Where it is, and what it is. */
static int
locate(const struct sieve_site *site, const char *setting, struct arena *a, struct list *x, struct sieve_location *out, struct err *e)
{
	struct span value, path, option;

	if (!site->setting(site->ctx, setting, &value) || !span_starts(span_trim(value), SPAN("dict:file:")))
		return sieve_site_location(site, setting, a, out, e);
	value = span_from(span_trim(value), 5);
	x->is_dict = true;
	if (!span_next(&value, ';', &path))
		path = SPAN("");
	while (span_next(&value, ';', &option)) {
		if (!span_starts(option, SPAN("prefix=")))
			return err_set(e, ERR_SYNTAX, "%s: there is no option \"%.*s\"", setting, SPAN_ARG(span_sub(option, 0, 100)));
		x->prefix = span_from(option, 7);
	}
	return sieve_site_location_of(site, setting, path, a, out, e);
}

static void
read_list(struct filter_lists *l, struct list *x)
{
	struct buf text = BUF_INIT(FILE_MAX);
	struct sieve_location where;
	struct err e = ERR_INIT;
	struct span kept;

	if (locate(&l->site, x->setting, l->a, x, &where, &e) == -1) {
		x->exists = e.code != ERR_NOTFOUND;
		x->failed = true;
	} else {
		x->exists = true;
		if (file_read_plain(where.path, FILE_MAX, &text, &e) == 0) {
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
		struct list x = { .next = NULL };
		struct sieve_location where;
		struct err e = ERR_INIT;
		const char *slash;

		if (setting == NULL || locate(&site, setting, a, &x, &where, &e) == -1)
			continue;
		slash = strrchr(where.path, '/');
		dir = arena_printf(a, "%.*s", slash == where.path ? 1 : (int)(slash - where.path), where.path);
		if (dir != NULL)
			out[n++] = dir;
	}
	return n;
}
