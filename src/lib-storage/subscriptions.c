/* SPDX-License-Identifier: MIT */
/*
 * The file `subscriptions': version 2 starts with a line "V<tab>2", then an empty line, then a name a line, in UTF-8, with
 * tabs between its levels.  Version 1 has no head: names in modified UTF-7 with the layout's separator.  Read both, write 2.
 *
 * A namespace with subscriptions = no has none of its own: its names are in the file of the namespace around it, with the
 * prefix that clients see.
 */
#include <sys/file.h>
#include "lib/encode.h"
#include "lib-storage/storage-priv.h"

#define FILE_OCTETS ((size_t)8 << 20)
#define NAMES_MAX 200000

static int
parse_line(const struct store *s, int version, struct span line, struct buf *name)
{
	char sep = version == 2 ? '\t' : s->fs_layout ? '/' : '.';
	struct span level;
	bool first = true;

	buf_reset(name);
	while (span_next(&line, sep, &level)) {
		if (level.n == 0)
			return -1;
		if (!first)
			buf_addc(name, '/');
		first = false;
		if (version == 2)
			buf_add(name, level);
		else if (!mutf7_decode(name, level))
			return -1;
	}
	if (name->failed || name->n == 0 || name->n > INDEX_NAME_MAX || !utf8_is_valid(buf_span(name)))
		return -1;
	if (span_ieq(buf_span(name), SPAN("INBOX")))
		memcpy(name->p, "INBOX", 5);
	return 0;
}

int
subscriptions_read(struct store *s, struct arena *a, struct span **out, size_t *count_out, struct err *e)
{
	struct buf text = BUF_INIT(FILE_OCTETS), name = BUF_INIT(4096);
	struct array names = ARRAY_INIT(struct span, NAMES_MAX);
	struct span line;
	size_t used = 0;
	int version = 1, rc = -1;

	*count_out = 0;
	*out = NULL;
	if (s->drv->blob_get(s->handle, s->subscriptions, FILE_OCTETS - 1, &text, e) != DRV_OK)
		goto out;
	if (text.n > 0 && text.p[text.n - 1] != '\n')
		buf_addc(&text, '\n');
	if (span_starts(buf_span(&text), SPAN("V\t2\n"))) {
		version = 2;
		used = 4;
	}
	while (span_line(buf_span(&text), &used, &line)) {
		struct span *slot;

		if (parse_line(s, version, line, &name) == -1)
			continue;
		slot = array_push(&names);
		if (slot == NULL) {
			err_set(e, ERR_LIMIT, "more than %d subscriptions", NAMES_MAX);
			goto out;
		}
		*slot = arena_dup(a, buf_span(&name));
	}
	*out = arena_alloc(a, names.n == 0 ? 1 : names.n, sizeof(**out));
	if (*out == NULL) {
		err_set(e, ERR_LIMIT, "too many subscriptions");
		goto out;
	}
	if (names.n > 0)
		memcpy(*out, names.p, names.n * sizeof(struct span));
	*count_out = names.n;
	rc = 0;
out:
	array_clear(&names);
	buf_clear(&text);
	buf_clear(&name);
	return rc;
}

static void
add_name(struct buf *text, struct span name)
{
	struct span level;
	bool first = true;

	while (span_next(&name, '/', &level)) {
		if (!first)
			buf_addc(text, '\t');
		first = false;
		buf_add(text, level);
	}
	buf_addc(text, '\n');
}

int
subscriptions_change(struct store *s, struct span inner, bool on, struct err *e)
{
	struct arena *a = arena_new((size_t)64 << 20);
	struct buf text = BUF_INIT(FILE_OCTETS);
	struct index_txn *t = NULL;
	struct span *names;
	size_t count;
	bool was = false;
	int rc = a == NULL ? err_set(e, ERR_TEMP, "out of memory") : 0;

	/* The index's write lock keeps two changes apart.  Nothing is written to it, and the file is small. */
	if (rc == 0)
		rc = index_write(s->ix, &t, e);
	if (rc == 0)
		rc = subscriptions_read(s, a, &names, &count, e);
	if (rc == 0) {
		buf_adds(&text, "V\t2\n\n");
		for (size_t i = 0; i < count; i++) {
			if (span_eq(names[i], inner)) {
				was = true;
				if (!on)
					continue;
			}
			add_name(&text, names[i]);
		}
		if (on && !was)
			add_name(&text, inner);
		if (text.failed)
			rc = err_set(e, ERR_LIMIT, "too many subscriptions");
		else if (was != on && s->drv->blob_put(s->handle, s->subscriptions, buf_span(&text), e) != DRV_OK)
			rc = -1;
	}
	index_abort(t);
	buf_clear(&text);
	arena_free(a);
	return rc;
}

struct namespace *
storage_subscriber(struct storage *st, struct namespace *ns)
{
	struct namespace *best = NULL, *inbox = NULL;

	if (ns->info.subscriptions && !namespace_is_template(ns) && ns->owner == NULL)
		return ns;
	for (size_t i = 0; i < st->ns_count; i++) {
		struct namespace *other = &st->ns[i];

		if (!other->info.subscriptions || namespace_is_template(other))
			continue;
		if (other->info.inbox || inbox == NULL)
			inbox = other;
		if (span_starts(ns->info.prefix, other->info.prefix) &&
		    (best == NULL || other->info.prefix.n > best->info.prefix.n))
			best = other;
	}
	return best != NULL ? best : inbox != NULL ? inbox : ns;
}

/* name, or a prefix, with '/' between its levels. */
static void
add_levels(struct buf *out, struct span name, char separator)
{
	for (size_t i = 0; i < name.n; i++)
		buf_addc(out, name.p[i] == separator ? '/' : name.p[i]);
}

bool
storage_subscribed_name(const struct namespace *keeper, const struct namespace *ns, struct span inner, struct buf *out)
{
	if (keeper != ns)
		add_levels(out, span_from(ns->info.prefix, span_starts(ns->info.prefix, keeper->info.prefix) ?
		    keeper->info.prefix.n : 0), ns->info.separator);
	buf_add(out, inner);
	return !out->failed;
}

bool
storage_subscribed_visible(struct storage *st, struct namespace *keeper, struct span inner, struct namespace **ns_out,
    struct buf *out)
{
	struct buf prefix = BUF_INIT(4096);
	struct namespace *ns = keeper;
	size_t skip = 0;

	for (size_t i = 0; i < st->ns_count; i++) {
		struct namespace *other = &st->ns[i];

		if ((other->info.subscriptions && !namespace_is_template(other)) || other->info.prefix.n == 0 || storage_subscriber(st, other) != keeper)
			continue;
		buf_reset(&prefix);
		storage_subscribed_name(keeper, other, SPAN_NONE, &prefix);
		if (prefix.n > skip && span_starts(inner, buf_span(&prefix))) {
			ns = other;
			skip = prefix.n;
		}
	}
	buf_clear(&prefix);
	*ns_out = ns;
	return storage_visible(ns, span_from(inner, skip), out);
}
