/* SPDX-License-Identifier: MIT */
/* The file, its control directory and the index side by side: what scrub asks the driver. */
#include <stdarg.h>
#include <stdio.h>
#include "lib-storage/mbox/mbox.h"

struct look {
	struct mbox_box *box;
	driver_finding_fn *fn;
	void *ctx;
	size_t found;
};

static void tell(struct look *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
tell(struct look *l, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	l->found++;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	l->fn(l->ctx, text);
}

static void
look_at_control(struct look *l, const struct mbox_control *c, const struct idx_state *st)
{
	if (c->uidvalidity != st->uidvalidity)
		tell(l, "UIDVALIDITY is %u in the control file, and %u in the index", c->uidvalidity, st->uidvalidity);
	if (c->id != st->id)
		tell(l, "the mailbox's id is %u in the control file, and %u in the index", c->id, st->id);
	if (c->uid_reserved < st->uidnext || c->uid_reserved < st->uid_reserved)
		tell(l, "UIDs are reserved up to %u in the control file; uidnext is %u, and the index goes up to %u", c->uid_reserved,
		    st->uidnext, st->uid_reserved);
	if (c->modseq_reserved < st->highestmodseq || c->modseq_reserved < st->modseq_reserved)
		tell(l, "modseqs are reserved up to %llu in the control file; the highest is %llu, and the index goes up to %llu",
		    (unsigned long long)c->modseq_reserved, (unsigned long long)st->highestmodseq,
		    (unsigned long long)st->modseq_reserved);
}

/* With the file's lock: the index must know each message of the file, in its place. */
static int
look_at_file(struct look *l, struct err *e)
{
	struct mbox_reading r;
	struct index_walk w;
	struct index_txn *t;
	struct stat sb;
	size_t i = 0;
	int rc;

	mbox_reading_init(&r);
	rc = fstat(l->box->fd, &sb) == -1 ? err_errno(e, "stat %s", l->box->path) :
	    mbox_read(l->box, 0, (uint64_t)sb.st_size, &r, e);
	if (rc == 0)
		rc = index_read(l->box->store->ix, &t, e);
	if (rc == 0)
		rc = index_walk_begin(&w, t, l->box->id, 1, e);
	if (rc == 0) {
		while ((rc = index_walk_next(&w, e)) == 1) {
			const struct mbox_msg *m = i < r.msgs.n ? array_at(&r.msgs, i) : NULL;
			struct mbox_msg at;

			i++;
			if (m == NULL)
				tell(l, "message %u: the file has no such message", w.uid);
			else if (!mbox_place_parse(w.m.name, &at) || at.off != m->off)
				tell(l, "message %u: it stands elsewhere in the file than the index says", w.uid);
			else if (w.m.physical_size != m->size)
				tell(l, "message %u: it has %llu octets, and the index says %llu", w.uid, (unsigned long long)m->size,
				    (unsigned long long)w.m.physical_size);
			else if (m->uid != 0 && m->uid != w.uid && !(w.m.bits & IDX_NEW))
				tell(l, "message %u: the file says that it is %u", w.uid, m->uid);
		}
		index_walk_end(&w);
		if (i < r.msgs.n)
			tell(l, "the file has %zu messages, and the index knows %zu", r.msgs.n, i);
	}
	index_read_end(l->box->store->ix);
	mbox_reading_clear(&r);
	return rc;
}

enum drv_rc
mbox_check(void *b, bool repair, driver_finding_fn *fn, void *ctx, struct err *e)
{
	struct mbox_box *box = b;
	struct look l = { box, fn, ctx, 0 };
	struct mbox_control c;
	struct idx_state st;
	enum drv_rc drc;
	int known, rc = 0;

	if (mbox_lock(box, MBOX_READ, -1, e) == -1)
		return mbox_rc(e);
	drc = mbox_sync_locked(box, false, &st, e);
	if (drc == DRV_OK) {
		known = mbox_control_read(box, &c, e);
		if (known == 0 && box->control_fd != -1)
			tell(&l, "the control file is missing or damaged");
		else if (known == 1)
			look_at_control(&l, &c, &st);
		rc = known == -1 ? -1 : look_at_file(&l, e);
		if (rc == -1)
			drc = mbox_rc(e);
		else if (l.found > 0 && repair)
			drc = mbox_reserve(box, 0, e);
	}
	mbox_unlock(box);
	return drc;
}
