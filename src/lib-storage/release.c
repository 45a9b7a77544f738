/* SPDX-License-Identifier: MIT */
#include "lib-storage/release.h"

#include <stdlib.h>
#include "lib-storage/list-match.h"
#include "lib-storage/storage-priv.h"

#define OTHERS_MAX 1024
#define ARENA_OCTETS ((size_t)2 << 30)

static bool
is_wanted(const struct release_options *o, const struct mailbox_info *info)
{
	if (o->mask_count == 0)
		return true;
	for (int i = 0; i < o->mask_count; i++)
		if (list_match(span_str(o->masks[i]), info->name, info->separator) == LIST_YES)
			return true;
	return false;
}

static int
nobody_else(struct storage *st, const struct release_options *o, struct err *e)
{
	uint32_t pids[OTHERS_MAX];

	for (size_t i = 0; i < st->ns_count; i++) {
		bool own = st->ns[i].info.type == NS_PRIVATE;
		int others = own ? index_others(st->ns[i].store->ix, pids, OTHERS_MAX, e) : 0;

		if (others == -1)
			return -1;
		for (int k = others < OTHERS_MAX ? others : OTHERS_MAX; k > 0; k--)
			others -= o->may_stay != NULL && o->may_stay(pids[k - 1]);
		if (others > 0)
			return err_set(e, ERR_INUSE, "%d other process%s the mail open: end the sessions first (culveradm kick)",
			    others, others == 1 ? " has" : "es have");
	}
	return 0;
}

/* What POP3 calls each message, where that is made from the name of its file, which Dovecot would not see. */
static int
make_uidls(struct mailbox *box, const struct release_options *o, struct arena *a, struct release_params *p, struct err *e)
{
	uint32_t count = mailbox_count(box);
	struct mailbox_uidl *list;
	struct buf b = BUF_INIT(4096);
	int rc = 0;

	if (!uidl_format_has_file(o->uidl.format) || count == 0)
		return 0;
	list = arena_alloc(a, count, sizeof(*list));
	if (list == NULL)
		return err_set(e, ERR_LIMIT, "too many messages");
	for (uint32_t seq = 1; seq <= count && rc == 0; seq++) {
		uint32_t uid = mailbox_uid(box, seq);
		struct err one = ERR_INIT;

		buf_reset(&b);
		rc = mailbox_uidl(box, uid, &o->uidl, &b, &one);
		if (rc == -1 && one.code == ERR_GONE) {
			rc = 0;
			continue;
		}
		if (rc == -1) {
			*e = one;
			break;
		}
		list[p->count] = (struct mailbox_uidl){ uid, arena_dup(a, buf_span(&b)) };
		if (list[p->count++].uidl.p == NULL)
			rc = err_set(e, ERR_LIMIT, "UIDLs need too much memory");
	}
	mailbox_read_end(box);
	buf_clear(&b);
	p->uidls = list;
	return rc;
}

static int
release_one(struct storage *st, struct span name, const struct release_options *o, struct release_report *out,
    struct err *e)
{
	struct release_params p = { .dry_run = o->dry_run };
	struct mailbox *box = NULL;
	struct view_changes vc;
	struct arena *a = arena_new(ARENA_OCTETS);
	int rc = a == NULL ? err_set(e, ERR_TEMP, "out of memory") : mailbox_open(st, name, MAILBOX_READ, &box, e);

	if (rc == 0)
		rc = mailbox_sync(box, true, &vc, e);
	if (rc == 0)
		rc = make_uidls(box, o, a, &p, e);
	if (rc == 0) {
		index_read_end(box->store->ix);
		rc = box->drv->release(box->handle, &p, out, e) == DRV_OK ? 0 : -1;
	}
	mailbox_close(box);
	arena_free(a);
	return rc;
}

typedef int each_fn(struct storage *st, struct namespace *ns, const struct mailbox_info *info, struct span inner, void *ctx,
    struct err *e);

/* Mailboxes of private namespaces whose driver can release. */
static int
each_mailbox(struct storage *st, each_fn *fn, void *ctx, struct err *e)
{
	struct arena *a = arena_new((size_t)256 << 20);
	struct buf inner = BUF_INIT(4096);
	struct mailbox_info *infos;
	size_t count = 0;
	int rc = a == NULL ? err_set(e, ERR_TEMP, "out of memory") : storage_list(st, a, &infos, &count, e);

	for (size_t i = 0; i < count && rc == 0; i++) {
		struct namespace *ns;

		if (!(infos[i].attrs & MBOX_EXISTS) || infos[i].attrs & MBOX_NOSELECT)
			continue;
		buf_reset(&inner);
		rc = storage_resolve(st, infos[i].name, &ns, &inner, e);
		if (rc == -1 || ns->info.type != NS_PRIVATE || ns->store->drv->release == NULL)
			continue;
		rc = fn(st, ns, &infos[i], buf_span(&inner), ctx, e);
		/* Deleted since it was listed: the others still want theirs. */
		if (rc == -1 && (e->code == ERR_NOTFOUND || e->code == ERR_GONE) &&
		    ns->store->drv->exists(ns->store->handle, buf_span(&inner)) == 0) {
			*e = (struct err)ERR_INIT;
			rc = 0;
		}
	}
	buf_clear(&inner);
	arena_free(a);
	return rc;
}

struct releasing {
	const struct release_options *o;
	release_fn *fn;
	void *ctx;
	bool dry_run;
};

static int
release_each(struct storage *st, struct namespace *ns, const struct mailbox_info *info, struct span inner, void *ctx,
    struct err *e)
{
	struct releasing *r = ctx;
	struct release_report report = { 0 };
	enum held_by by;

	if (!is_wanted(r->o, info))
		return 0;
	by = ns->store->drv->held_by(ns->store->handle, inner, e);
	if (by == HELD_UNKNOWN)
		return err_wrap(e, "%.*s", SPAN_ARG(info->name));
	/* What nobody has opened yet has nothing that Dovecot could not see. */
	if (by == HELD_HERE && release_one(st, info->name, r->o, &report, e) == -1)
		return err_wrap(e, "%.*s", SPAN_ARG(info->name));
	return r->fn(r->ctx, info->name, by, &report) ? 0 : err_set(e, ERR_TEMP, "it was told to stop");
}

int
storage_release(struct storage *st, const struct release_options *o, release_fn *fn, void *ctx, struct err *e)
{
	struct releasing r = { .o = o, .fn = fn, .ctx = ctx };

	if (!o->dry_run && nobody_else(st, o, e) == -1)
		return -1;
	if (each_mailbox(st, release_each, &r, e) == -1)
		return -1;
	/* Where folders are directories, Dovecot would show the index among them. */
	for (size_t i = 0; i < st->ns_count && !o->dry_run && o->mask_count == 0; i++)
		st->ns[i].store->given_away = st->ns[i].info.type == NS_PRIVATE && st->ns[i].store->drv->release != NULL;
	return 0;
}

static int
take_back_each(struct storage *st, struct namespace *ns, const struct mailbox_info *info, struct span inner, void *ctx,
    struct err *e)
{
	(void)st;
	(void)info;
	(void)ctx;
	return ns->store->drv->take_back(ns->store->handle, inner, e) == DRV_OK ? 0 : -1;
}

static int
adopt_each(struct storage *st, struct namespace *ns, const struct mailbox_info *info, struct span inner, void *ctx,
    struct err *e)
{
	struct releasing *r = ctx;
	struct release_report report = { 0 };
	struct mailbox_status status;
	enum held_by by = ns->store->drv->held_by(ns->store->handle, inner, e);

	if (by == HELD_UNKNOWN)
		return err_wrap(e, "%.*s", SPAN_ARG(info->name));
	if (!r->dry_run && by != HELD_HERE) {
		if (storage_status(st, info->name, STATUS_MESSAGES | STATUS_UIDNEXT | STATUS_UIDVALIDITY, &status, e) == -1)
			return err_wrap(e, "%.*s", SPAN_ARG(info->name));
		report = (struct release_report){ .messages = status.messages, .uidvalidity = status.uidvalidity,
		    .uidnext = status.uidnext };
	}
	return r->fn(r->ctx, info->name, by, &report) ? 0 : err_set(e, ERR_TEMP, "it was told to stop");
}

int
storage_adopt(struct storage *st, bool dry_run, release_fn *fn, void *ctx, struct err *e)
{
	struct releasing r = { .fn = fn, .ctx = ctx, .dry_run = dry_run };

	/* INBOX speaks for folders that Dovecot made since: so all of them first. */
	if (!dry_run && each_mailbox(st, take_back_each, NULL, e) == -1)
		return -1;
	return each_mailbox(st, adopt_each, &r, e);
}
