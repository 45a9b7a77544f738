/* SPDX-License-Identifier: MIT */
#include "adm/replay-apply.h"

#include <stdlib.h>

struct applying {
	struct storage *storage;
	struct arena *a;
	struct span name;		/* of the mailbox at hand */
	struct mailbox *box;
	void (*on_error)(void *ctx, struct span mailbox, uint32_t uid, const struct err *e);
	void *ctx;
	bool failed;
};

static void
complain(struct applying *x, uint32_t uid, const struct err *e)
{
	/* Somebody else has removed the message meanwhile: that is no failure. */
	if (e->code == ERR_GONE)
		return;
	x->failed = true;
	x->on_error(x->ctx, x->name, uid, e);
}

static int
set_flags(struct mailbox *box, uint32_t uid, const struct replay_flags *f, struct arena *a, struct err *e)
{
	struct flag_change change = { .op = FLAGS_SET, .flags = f->flags };

	if (mailbox_keyword_mask(box, f->keywords, f->keyword_count, true, &change.keywords, e) == -1)
		return -1;
	return mailbox_store(box, &uid, 1, &change, a, NULL, NULL, e);
}

/* The mailbox, made when the plan says so. */
static int
open_place(struct applying *x, const struct replay_place *place, enum mailbox_mode mode, struct mailbox **out, struct err *e)
{
	struct err create = ERR_INIT;

	if (mailbox_open(x->storage, place->mailbox, mode, out, e) == 0)
		return 0;
	if (e->code != ERR_NOTFOUND || !place->make)
		return -1;
	if (storage_create(x->storage, place->mailbox, false, &create) == -1 && create.code != ERR_EXISTS) {
		*e = create;
		return -1;
	}
	return mailbox_open(x->storage, place->mailbox, mode, out, e);
}

/* move: of the uids, whose flags are set already.  A copy has the flags of the place. */
static int
bring(struct applying *x, const struct replay_place *place, const uint32_t *uids, size_t count, bool move, struct err *e)
{
	struct copy_result done;
	struct mailbox *target;
	int rc;

	if (open_place(x, place, MAILBOX_SAVE, &target, e) == -1)
		return -1;
	rc = mailbox_copy(x->box, uids, count, target, move, x->a, &done, e);
	mailbox_close(target);
	if (rc == -1 || move || !place->set_flags || done.to.count == 0)
		return rc;
	if (mailbox_open(x->storage, place->mailbox, MAILBOX_WRITE, &target, e) == -1)
		return -1;
	rc = set_flags(target, done.to.uids[0], &place->flags, x->a, e);
	mailbox_close(target);
	return rc;
}

/* Copies first, then the flags of the message itself: when something fails it has not been moved. */
static int
apply_one(struct applying *x, const struct replay_todo *t, const struct replay_place **move_to, struct err *e)
{
	const struct replay_place *own = NULL;

	*move_to = NULL;
	for (const struct replay_place *p = t->plan->places; p != NULL; p = p->next) {
		if (p->there)
			continue;
		if (p->here)
			own = p;
		else if (!t->plan->stays && *move_to == NULL)
			own = *move_to = p;
		else if (bring(x, p, &t->uid, 1, false, e) == -1)
			return -1;
	}
	return own != NULL && own->set_flags ? set_flags(x->box, t->uid, &own->flags, x->a, e) : 0;
}

static int
by_number(const void *p, const void *q)
{
	uint32_t x = *(const uint32_t *)p, y = *(const uint32_t *)q;

	return x < y ? -1 : x > y;
}

/* Those that go to one mailbox go together: one transaction, one sync. */
struct move {
	const struct replay_place *to;	/* NULL: it has been moved, or stays */
	uint32_t uid;
};

static void
move_all(struct applying *x, struct move *moves, size_t count)
{
	uint32_t *uids = arena_alloc(x->a, count + 1, sizeof(*uids));
	struct err memory = ERR_INIT;

	if (uids == NULL) {
		err_set(&memory, ERR_TEMP, "out of memory");
		complain(x, 0, &memory);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const struct replay_place *to = moves[i].to;
		struct err e = ERR_INIT;
		size_t n = 0;

		for (size_t k = i; to != NULL && k < count; k++) {
			if (moves[k].to == NULL || !span_eq(moves[k].to->mailbox, to->mailbox))
				continue;
			uids[n++] = moves[k].uid;
			moves[k].to = NULL;
		}
		if (n == 0)
			continue;
		qsort(uids, n, sizeof(*uids), by_number);
		if (bring(x, to, uids, n, true, &e) == -1)
			complain(x, n == 1 ? uids[0] : 0, &e);
	}
}

/* Of one mailbox: count of them, from t on. */
static void
apply_box(struct applying *x, const struct replay_todo *t, size_t count)
{
	struct move *moves = arena_alloc(x->a, count, sizeof(*moves));
	struct err e = ERR_INIT;
	size_t n = 0;

	x->name = t->mailbox;
	if (moves == NULL)
		err_set(&e, ERR_TEMP, "out of memory");
	if (moves == NULL || mailbox_open(x->storage, t->mailbox, MAILBOX_WRITE, &x->box, &e) == -1) {
		complain(x, 0, &e);
		return;
	}
	for (size_t i = 0; i < count; i++, t = t->next) {
		struct err one = ERR_INIT;
		const struct replay_place *to;

		if (apply_one(x, t, &to, &one) == -1)
			complain(x, t->uid, &one);
		else if (to != NULL)
			moves[n++] = (struct move){ to, t->uid };
	}
	move_all(x, moves, n);
	mailbox_close(x->box);
}

bool
replay_apply(struct storage *st, const struct replay_todo *todo, struct arena *a,
    void (*on_error)(void *ctx, struct span mailbox, uint32_t uid, const struct err *e), void *ctx)
{
	struct applying x = { .storage = st, .a = a, .on_error = on_error, .ctx = ctx };

	while (todo != NULL) {
		const struct replay_todo *next = todo;
		size_t count = 0;

		for (; next != NULL && span_eq(next->mailbox, todo->mailbox); next = next->next)
			count++;
		apply_box(&x, todo, count);
		todo = next;
	}
	return !x.failed;
}
