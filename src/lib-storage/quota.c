/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include "lib/log.h"
#include "lib-index/check.h"
#include "lib-storage/quota-priv.h"
#include "lib-storage/storage-priv.h"

#define QUOTA_ARENA ((size_t)1 << 20)
#define USUAL_WORDS "Quota exceeded (mailbox for user is full)"

static bool
copy_span(struct arena *a, struct span *s)
{
	if (s->p == NULL)
		return true;
	*s = s->n == 0 ? SPAN("") : arena_dup(a, *s);
	return s->p != NULL;
}

static bool
copy_root(struct arena *a, struct quota_root *r)
{
	struct quota_rule *rules = arena_alloc(a, r->rule_count + 1, sizeof(*rules));
	struct quota_warning *warnings = arena_alloc(a, r->warning_count + 1, sizeof(*warnings));
	bool ok = rules != NULL && warnings != NULL && copy_span(a, &r->def.name) && copy_span(a, &r->def.ns);

	for (size_t i = 0; ok && i < r->rule_count; i++) {
		rules[i] = r->rules[i];
		ok = copy_span(a, &rules[i].mailbox);
		r->has_ignored = r->has_ignored || rules[i].ignore;
	}
	for (size_t i = 0; ok && i < r->warning_count; i++) {
		warnings[i] = r->warnings[i];
		ok = copy_span(a, &warnings[i].command);
	}
	r->rules = rules;
	r->warnings = warnings;
	return ok;
}

int
quota_new(const struct quota_conf *c, struct quota **out, struct err *e)
{
	struct quota *q = calloc(1, sizeof(*q));
	bool ok;

	if (q == NULL || (q->arena = arena_new(QUOTA_ARENA)) == NULL) {
		free(q);
		return err_set(e, ERR_TEMP, "out of memory");
	}
	q->conf = *c;
	ok = copy_span(q->arena, &q->conf.base_dir) && copy_span(q->arena, &q->conf.words);
	for (size_t i = 0; ok && i < q->conf.root_count; i++) {
		struct quota_root *r = &q->conf.roots[i];

		ok = copy_root(q->arena, r);
		q->has_file = q->has_file || r->def.backend == QUOTA_MAILDIR;
		for (size_t k = 0; ok && k < r->warning_count; k++)
			q->needs_falls = q->needs_falls || r->warnings[k].falls;
	}
	q->needs_falls = q->needs_falls || q->has_file;
	if (!ok) {
		quota_free(q);
		return err_set(e, ERR_LIMIT, "the quota settings are too long");
	}
	*out = q;
	return 0;
}

void
quota_free(struct quota *q)
{
	if (q == NULL)
		return;
	arena_free(q->arena);
	free(q);
}

bool
storage_has_quota(const struct storage *st)
{
	return st->quota != NULL;
}

struct span
storage_quota_words(const struct storage *st)
{
	return st->quota != NULL && st->quota->conf.words.n > 0 ? st->quota->conf.words : SPAN(USUAL_WORDS);
}

/* The rule of a mailbox: the first whose name matches. */
static const struct quota_rule *
rule_for(const struct quota_root *r, struct span visible)
{
	for (size_t i = 0; i < r->rule_count; i++)
		if (quota_mailbox_matches(r->rules[i].mailbox, visible))
			return &r->rules[i];
	return NULL;
}

bool
quota_root_ignores(const struct quota_root *r, struct span visible)
{
	const struct quota_rule *rule = r->has_ignored ? rule_for(r, visible) : NULL;

	return rule != NULL && rule->ignore;
}

/* Whose mail is in it: a shared or public namespace is not the user's, unless it is another way to the same store. */
bool
quota_root_covers(const struct storage *st, const struct quota_root *r, const struct namespace *ns)
{
	if (ns->info.type == NS_PRIVATE)
		return r->def.ns.p == NULL || span_eq(r->def.ns, ns->info.prefix);
	for (size_t i = 0; i < st->ns_count; i++)
		if (st->ns[i].info.type == NS_PRIVATE && st->ns[i].store == ns->store && quota_root_covers(st, r, &st->ns[i]))
			return true;
	return false;
}

/* The limit for what is saved to one mailbox (rule NULL: the default); false: there is none. */
static bool
limit_of(const struct quota_amount *base, const struct quota_amount *more, uint64_t *out)
{
	int64_t n = base->n;

	if (!base->is_set || base->n == 0)
		return false;	/* a mailbox's rule adds to nothing but a limit */
	if (more != NULL && more->is_set)
		n += quota_amount_of(more, base->n);
	*out = n < 0 ? 0 : (uint64_t)n;
	return true;
}

static struct quota_used
used_of(const struct quota *q, const struct quota_root *r, const struct idx_total *t)
{
	bool physical = r->def.backend == QUOTA_MAILDIR && !q->conf.vsizes;

	return (struct quota_used){ .bytes = physical ? t->physical : t->bytes, .messages = t->messages };
}

static void
take_away(struct quota_used *from, const struct quota_used *what)
{
	from->bytes -= what->bytes < from->bytes ? what->bytes : from->bytes;
	from->messages -= what->messages < from->messages ? what->messages : from->messages;
}

/* Takes out what ignored mailboxes of one store hold. */
static int
take_ignored(struct storage *st, const struct quota_root *r, const struct namespace *ns, struct index_txn *t,
    struct quota_used *used, struct err *e)
{
	struct index_cursor *c = index_cursor_open(t, DB_MAILBOX, e);
	struct buf name = BUF_INIT(4096);
	struct span key, value;
	int rc;

	if (c == NULL)
		return -1;
	rc = index_cursor_seek(c, SPAN("\0"), &key, &value, e);
	while (rc == 1) {
		struct idx_state state;
		int found = 0;

		buf_reset(&name);
		if (value.n == 4 && storage_visible(ns, key, &name) && quota_root_ignores(r, buf_span(&name)))
			found = index_state_get(t, be32_get(value.p), &state, e);
		if (found == 1) {
			struct idx_total total = idx_state_total(&state);
			struct quota_used ignored = used_of(st->quota, r, &total);

			take_away(used, &ignored);
		}
		rc = found == -1 ? -1 : index_cursor_next(c, &key, &value, e);
	}
	index_cursor_close(c);
	buf_clear(&name);
	return rc;
}

static int
store_usage(struct storage *st, const struct quota_root *r, const struct namespace *ns, struct index_txn *t,
    struct quota_used *out, struct err *e)
{
	struct idx_total total;

	if (index_total_get(t, &total, e) == -1)
		return -1;
	*out = used_of(st->quota, r, &total);
	return r->has_ignored ? take_ignored(st, r, ns, t, out, e) : 0;
}

static bool
was_counted(const struct storage *st, const struct quota_root *r, size_t ns)
{
	for (size_t i = 0; i < ns; i++)
		if (st->ns[i].store == st->ns[ns].store && quota_root_covers(st, r, &st->ns[i]))
			return true;
	return false;
}

int
quota_usage(struct storage *st, const struct quota_root *r, struct store *s, struct index_txn *t, struct quota_used *out,
    struct err *e)
{
	*out = (struct quota_used){ 0 };
	for (size_t i = 0; i < st->ns_count; i++) {
		struct store *store = st->ns[i].store;
		struct index_txn *txn = store == s ? t : NULL;
		struct quota_used one;
		int rc;

		if (!quota_root_covers(st, r, &st->ns[i]) || was_counted(st, r, i))
			continue;
		if (txn == NULL && index_read(store->ix, &txn, e) == -1)
			return -1;
		rc = store_usage(st, r, &st->ns[i], txn, &one, e);
		if (txn != t)
			index_read_end(store->ix);
		if (rc == -1)
			return -1;
		out->bytes += one.bytes;
		out->messages += one.messages;
	}
	return 0;
}

/* Whether going from before to after is allowed by a root, in a mailbox. */
static int
check(const struct quota *q, const struct quota_root *r, struct span visible, const struct quota_used *before,
    const struct quota_used *after, struct err *e)
{
	const struct quota_rule *rule = rule_for(r, visible);
	uint64_t limit, grace = 0;

	if (r->def.noenforcing)
		return 0;
	if (limit_of(&r->limits.bytes, rule == NULL ? NULL : &rule->limits.bytes, &limit) && after->bytes > limit) {
		int64_t n = quota_amount_of(&r->grace, r->limits.bytes.n);

		/* The last mail may go beyond; there is no next one. */
		if (q->conf.is_delivery && before->bytes <= limit && n > 0)
			grace = (uint64_t)n;
		if (after->bytes - limit > grace)
			return err_set(e, ERR_OVERQUOTA, "quota %.*s: %llu octets, %llu allowed", SPAN_ARG(r->def.name),
			    (unsigned long long)after->bytes, (unsigned long long)limit);
	}
	if (limit_of(&r->limits.messages, rule == NULL ? NULL : &rule->limits.messages, &limit) && after->messages > limit)
		return err_set(e, ERR_OVERQUOTA, "quota %.*s: %llu messages, %llu allowed", SPAN_ARG(r->def.name),
		    (unsigned long long)after->messages, (unsigned long long)limit);
	return 0;
}

int
storage_quota_fits(struct storage *st, struct span mailbox, uint64_t size, struct err *e)
{
	struct buf inner = BUF_INIT(INDEX_NAME_MAX);
	struct namespace *ns;
	struct quota *q = st->quota;
	int rc;

	if (q == NULL)
		return 0;
	if (q->conf.max_mail_size > 0 && size > q->conf.max_mail_size)
		return err_set(e, ERR_TOOBIG, "a message of %llu octets, quota_max_mail_size is %llu", (unsigned long long)size,
		    (unsigned long long)q->conf.max_mail_size);
	rc = storage_resolve(st, mailbox, &ns, &inner, e);
	buf_clear(&inner);
	if (rc == -1)
		return -1;
	for (size_t i = 0; i < q->conf.root_count && rc == 0; i++) {
		struct quota_root *r = &q->conf.roots[i];
		struct quota_used before, after;

		if (!quota_root_covers(st, r, ns) || quota_root_ignores(r, mailbox))
			continue;
		quota_file_limits(st, r);
		rc = quota_usage(st, r, NULL, NULL, &before, e);
		after = (struct quota_used){ .bytes = before.bytes + size, .messages = before.messages + 1 };
		if (rc == 0)
			rc = check(q, r, mailbox, &before, &after, e);
	}
	return rc;
}

int
storage_quota(struct storage *st, struct span mailbox, struct arena *a, struct quota_status **out, size_t *count_out,
    struct err *e)
{
	struct buf inner = BUF_INIT(INDEX_NAME_MAX);
	struct namespace *ns = NULL;
	struct quota *q = st->quota;
	int rc = 0;

	*count_out = 0;
	if (q == NULL)
		return 0;
	if (mailbox.p != NULL)
		rc = storage_resolve(st, mailbox, &ns, &inner, e);
	buf_clear(&inner);
	*out = arena_alloc(a, q->conf.root_count + 1, sizeof(**out));
	if (rc == 0 && *out == NULL)
		rc = err_set(e, ERR_LIMIT, "too many quota roots");
	for (size_t i = 0; i < q->conf.root_count && rc == 0; i++) {
		struct quota_root *r = &q->conf.roots[i];
		struct quota_status *s = &(*out)[*count_out];
		struct quota_used used;

		if (ns != NULL && !quota_root_covers(st, r, ns))
			continue;
		quota_file_limits(st, r);
		s->bytes_limited = limit_of(&r->limits.bytes, NULL, &s->bytes_limit);
		s->messages_limited = limit_of(&r->limits.messages, NULL, &s->messages_limit);
		if (r->def.ignoreunlimited && !s->bytes_limited && !s->messages_limited)
			continue;
		rc = quota_usage(st, r, NULL, NULL, &used, e);
		s->root = r->def.name;
		s->hidden = r->def.hidden;
		s->bytes = used.bytes;
		s->messages = used.messages;
		(*count_out)++;
	}
	return rc;
}

/* Within the driver's transaction. */
static int
allows(struct change_guard *base, struct index_txn *t, const struct box_change *c, struct err *e)
{
	struct quota_guard *g = (struct quota_guard *)(void *)base;
	struct quota *q = g->st->quota;

	for (size_t i = 0; i < q->conf.root_count; i++) {
		const struct quota_root *r = &q->conf.roots[i];
		struct quota_used delta = used_of(q, r, &c->delta), before, after;

		if (!(g->roots >> i & 1) || (delta.bytes == 0 && delta.messages == 0))
			continue;
		if (quota_usage(g->st, r, g->box->store, t, &after, e) == -1)
			return -1;
		/* Modulo 2^64: what was taken away comes back. */
		before = (struct quota_used){ .bytes = after.bytes - delta.bytes, .messages = after.messages - delta.messages };
		if (g->enforce && check(q, r, span_str(g->box->name), &before, &after, e) == -1)
			return -1;
		/* Expunges come in several transactions: what was before the first counts. */
		if (!g->root[i].seen || g->enforce)
			g->root[i].before = before;
		g->root[i].after = after;
		g->root[i].seen = true;
	}
	/* Its limits are in the same index. */
	if (g->is_others && g->enforce && c->delta.messages > 0 && quota_owner_check(g->box, t, 0, 0, e) == -1)
		return -1;
	for (size_t i = 0; q->has_file && i < q->conf.root_count; i++) {
		const struct quota_root *r = &q->conf.roots[i];

		if (!(g->roots >> i & 1) || r->def.backend != QUOTA_MAILDIR || c->delta.messages == 0)
			continue;
		if (g->enforce && (g->file_bytes != 0 || g->file_messages != 0))
			q->recount_file = true;		/* the commit is tried again: it would be there twice */
		quota_file_change(g->st, r, (int64_t)c->delta.physical, (int64_t)c->delta.messages);
		g->file_bytes += (int64_t)c->delta.physical;
		g->file_messages += (int64_t)c->delta.messages;
	}
	return 0;
}

static bool
is_own_store(const struct storage *st, const struct store *s)
{
	for (size_t i = 0; i < st->ns_count; i++)
		if (st->ns[i].info.type == NS_PRIVATE && st->ns[i].store == s)
			return true;
	return false;
}

void
quota_guard_init(struct quota_guard *g, struct mailbox *box, struct mailbox *other, bool enforce)
{
	struct quota *q = box->st->quota;

	memset(g, 0, sizeof(*g));
	g->base.allows = allows;
	g->st = box->st;
	g->box = box;
	g->enforce = enforce;
	if (q == NULL || (!enforce && !q->needs_falls))
		return;
	g->is_others = enforce && box->ns->info.type == NS_SHARED && !is_own_store(box->st, box->store) &&
	    (other == NULL || other->store != box->store);
	for (size_t i = 0; i < q->conf.root_count; i++) {
		struct quota_root *r = &q->conf.roots[i];

		if (!quota_root_covers(box->st, r, box->ns) || quota_root_ignores(r, span_str(box->name)))
			continue;
		/* It only changes its place. */
		if (other != NULL && quota_root_covers(box->st, r, other->ns) && !quota_root_ignores(r, span_str(other->name)))
			continue;
		if (enforce)
			quota_file_limits(box->st, r);
		g->roots |= 1u << i;
	}
}

struct change_guard *
quota_guard_of(struct quota_guard *g)
{
	return g->roots != 0 || g->is_others ? &g->base : NULL;
}

void
quota_guard_done(struct quota_guard *g, bool committed)
{
	struct quota *q = g->st->quota;

	if (g->roots == 0)
		return;
	for (size_t i = 0; i < q->conf.root_count; i++) {
		const struct quota_root *r = &q->conf.roots[i];

		if (committed && g->root[i].seen)
			quota_warn(q, r, &g->root[i].before, &g->root[i].after);
		if (!committed && (g->file_bytes != 0 || g->file_messages != 0) && r->def.backend == QUOTA_MAILDIR)
			q->recount_file = true;
	}
	quota_file_settle(g->st);
}

void
quota_delete_begin(struct storage *st, struct quota_guard *g)
{
	struct quota *q = st->quota;
	struct err e = ERR_INIT;

	memset(g, 0, sizeof(*g));
	g->st = st;
	for (size_t i = 0; q != NULL && q->needs_falls && i < q->conf.root_count; i++)
		if (quota_usage(st, &q->conf.roots[i], NULL, NULL, &g->root[i].before, &e) == 0)
			g->roots |= 1u << i;
}

void
quota_delete_end(struct quota_guard *g)
{
	struct quota *q = g->st->quota;
	struct err e = ERR_INIT;

	for (size_t i = 0; q != NULL && i < q->conf.root_count; i++) {
		const struct quota_root *r = &q->conf.roots[i];

		if (!(g->roots >> i & 1))
			continue;
		g->root[i].seen = quota_usage(g->st, r, NULL, NULL, &g->root[i].after, &e) == 0;
		q->recount_file = q->recount_file || r->def.backend == QUOTA_MAILDIR;
	}
	quota_guard_done(g, true);
}

/* Sizes that nobody knows are found out, file by file. */
static int
look_at(struct storage *st, struct span name, struct err *e)
{
	struct mailbox_status status;
	struct mailbox *box;
	int rc = mailbox_open(st, name, MAILBOX_SAVE, &box, e);

	if (rc == 0) {
		struct err why = ERR_INIT;

		/* Compared with its records, and with the mail. */
		err_set(&why, ERR_NONE, "asked for by quota recalc");
		rc = index_mend(box->store->ix, box->id, &why);
		if (rc == -1)
			*e = why;
		else
			rc = mailbox_driver_sync(box, true, e) == DRV_OK ? 0 : -1;
		mailbox_close(box);
	}
	if (rc == 0 && storage_status(st, name, STATUS_SIZE, &status, e) == 0)
		return 0;
	/* Deleted meanwhile. */
	return e->code == ERR_NOTFOUND ? 0 : -1;
}

int
storage_quota_recalc(struct storage *st, struct err *e)
{
	struct arena *a = arena_new((size_t)256 << 20);
	struct mailbox_info *list;
	struct index_txn *t;
	size_t count = 0;
	int rc = 0;

	if (a == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	if (storage_list(st, a, &list, &count, e) == -1)
		rc = -1;
	for (size_t i = 0; i < count && rc == 0; i++)
		if (list[i].attrs & MBOX_EXISTS && !(list[i].attrs & MBOX_NOSELECT))
			rc = look_at(st, list[i].name, e);
	arena_free(a);
	for (size_t i = 0; i < st->stores.n && rc == 0; i++) {
		struct store *s = *(struct store **)array_at(&st->stores, i);

		rc = index_write(s->ix, &t, e);
		if (rc == 0 && index_total_recount(t, e) == 0)
			rc = index_commit(t, e);
		else if (rc == 0) {
			index_abort(t);
			rc = -1;
		}
	}
	if (rc == 0 && st->quota != NULL && st->quota->has_file) {
		st->quota->recount_file = true;
		quota_file_settle(st);
	}
	return rc;
}
