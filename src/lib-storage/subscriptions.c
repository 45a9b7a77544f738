/* SPDX-License-Identifier: MIT */
/*
 * Who is subscribed to what: the file `subscriptions' (subscription-file.h).  As long as there is none, Courier's file is
 * read in its place.
 *
 * A namespace with subscriptions = no has none of its own: its names are in the file of the namespace around it, with the
 * prefix that clients see.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include "lib/sys.h"
#include "lib-storage/storage-priv.h"
#include "lib-storage/subscription-file.h"

#define FILE_OCTETS ((size_t)8 << 20)
#define NAMES_MAX 200000
#define COURIER_NAME "courierimapsubscribed"

int
subscriptions_read(struct store *s, struct arena *a, struct span **out, size_t *count_out, struct err *e)
{
	struct buf text = BUF_INIT(FILE_OCTETS), name = BUF_INIT(4096);
	struct array names = ARRAY_INIT(struct span, NAMES_MAX);
	struct subscription_reader r;
	bool courier;
	int rc = -1;

	*count_out = 0;
	*out = NULL;
	if (s->drv->blob_get(s->handle, s->subscriptions, FILE_OCTETS - 1, &text, e) != DRV_OK)
		goto out;
	courier = text.n == 0;
	if (courier && s->drv->blob_get(s->handle, COURIER_NAME, FILE_OCTETS - 1, &text, e) != DRV_OK)
		goto out;
	subscriptions_begin(&r, buf_span(&text), s->fs_layout ? '/' : '.', s->utf8, courier);
	while (subscriptions_next(&r, &name)) {
		struct span *slot = array_push(&names);

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

/*
 * Keeps two changes apart: a lock on the directory of the index, which is a local one.  Not the index's write lock, which all
 * of the user's mail would wait for while the file is synced.
 */
static int
lock_changes(const struct store *s, struct err *e)
{
	int fd = open(s->index_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return err_errno(e, "open %s", s->index_path);
	if (fd_flock(fd, LOCK_EX) == 0)
		return fd;
	err_errno(e, "lock %s", s->index_path);
	close(fd);
	return -1;
}

int
subscriptions_change(struct store *s, struct span inner, bool on, struct err *e)
{
	struct arena *a = arena_new((size_t)64 << 20);
	struct buf text = BUF_INIT(FILE_OCTETS);
	struct span *names;
	size_t count;
	bool was = false;
	int rc = a == NULL ? err_set(e, ERR_TEMP, "out of memory") : 0, lock = rc == 0 ? lock_changes(s, e) : -1;

	if (lock == -1)
		rc = -1;
	if (rc == 0)
		rc = subscriptions_read(s, a, &names, &count, e);
	if (rc == 0) {
		buf_adds(&text, SUBSCRIPTIONS_HEAD);
		for (size_t i = 0; i < count; i++) {
			if (span_eq(names[i], inner)) {
				was = true;
				if (!on)
					continue;
			}
			subscription_put(&text, names[i], s->utf8);
		}
		if (on && !was)
			subscription_put(&text, inner, s->utf8);
		if (text.failed)
			rc = err_set(e, ERR_LIMIT, "too many subscriptions");
		else if (was != on && s->drv->blob_put(s->handle, s->subscriptions, buf_span(&text), e) != DRV_OK)
			rc = -1;
	}
	if (lock != -1)
		close(lock);
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

/* Aliases have their mailboxes' file. */
static bool
is_same_keeper(const struct namespace *a, const struct namespace *b)
{
	return (a->alias != NULL ? a->alias : a) == (b->alias != NULL ? b->alias : b);
}

bool
storage_subscribed_visible(struct storage *st, struct namespace *keeper, struct span inner, struct namespace **ns_out,
    struct buf *out)
{
	struct buf prefix = BUF_INIT(4096);
	struct namespace *ns = keeper;
	size_t skip = 0;

	for (size_t i = 0; i < st->ns_count; i++) {
		struct namespace *other = &st->ns[i], *its;

		if ((other->info.subscriptions && !namespace_is_template(other)) || other->info.prefix.n == 0)
			continue;
		its = storage_subscriber(st, other);
		if (!is_same_keeper(its, keeper))
			continue;
		buf_reset(&prefix);
		storage_subscribed_name(its, other, SPAN_NONE, &prefix);
		if (prefix.n > skip && span_starts(inner, buf_span(&prefix))) {
			ns = other;
			skip = prefix.n;
		}
	}
	buf_clear(&prefix);
	*ns_out = ns;
	return storage_visible(ns, span_from(inner, skip), out);
}
