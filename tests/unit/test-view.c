/* SPDX-License-Identifier: MIT */
/*
 * Views against a model: three sessions of one user do random things in a random order.  Each session's model is what an
 * IMAP client would believe from what mailbox_sync told it: a list of UIDs, changed by EXPUNGE and EXISTS alone, and the
 * flags it was told to look at again.  After every full sync it must be the mailbox.
 */
#include "storage-fixture.h"

#include <stdio.h>
#include <stdlib.h>

#define SESSIONS 3
#define STEPS 6000
#define MOST 400

struct client {
	struct mailbox *box;
	uint32_t uids[MOST];
	unsigned flags[MOST];
	size_t count;
};

static unsigned seed;

static unsigned
roll(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % n;
}

static unsigned
flags_now(struct mailbox *box, uint32_t uid, bool *there)
{
	struct msg_rec rec = { 0 };
	struct err e = ERR_INIT;

	*there = mailbox_get(box, uid, &rec, &e) == 0;
	return rec.flags;
}

/* What the client takes in from one sync. */
static void
client_sync(struct client *c, bool expunges)
{
	struct view_changes vc;
	struct err e = ERR_INIT;
	size_t before = c->count;
	bool there;

	MUST(mailbox_sync(c->box, expunges, &vc, &e), &e);
	assert_false(vc.gone);
	assert_int_equal(vc.old_count, before);
	assert_true(expunges || vc.expunged_count == 0);
	for (size_t i = 0; i < vc.expunged_count; i++) {
		uint32_t seq = vc.expunged[i].seq;

		assert_in_range(seq, 1, c->count);
		assert_int_equal(c->uids[seq - 1], vc.expunged[i].uid);
		memmove(c->uids + seq - 1, c->uids + seq, (c->count - seq) * sizeof(*c->uids));
		memmove(c->flags + seq - 1, c->flags + seq, (c->count - seq) * sizeof(*c->flags));
		c->count--;
	}
	assert_int_equal(vc.exists_changed, mailbox_count(c->box) != c->count);
	for (; c->count < mailbox_count(c->box); c->count++) {
		c->uids[c->count] = mailbox_uid(c->box, (uint32_t)c->count + 1);
		c->flags[c->count] = flags_now(c->box, c->uids[c->count], &there);
	}
	for (size_t i = 0; i < vc.flags_count; i++) {
		uint32_t seq = mailbox_seq(c->box, vc.flags[i]);

		assert_in_range(seq, 1, c->count);
		assert_true(i == 0 || vc.flags[i] > vc.flags[i - 1]);
		c->flags[seq - 1] = flags_now(c->box, vc.flags[i], &there);
	}
}

static void
client_check(struct client *c, bool whole)
{
	assert_int_equal(mailbox_count(c->box), c->count);
	for (size_t i = 0; i < c->count; i++) {
		bool there;
		unsigned flags = flags_now(c->box, c->uids[i], &there);

		assert_int_equal(mailbox_uid(c->box, (uint32_t)i + 1), c->uids[i]);
		assert_true(i == 0 || c->uids[i] > c->uids[i - 1]);
		if (whole) {
			assert_true(there);
			assert_int_equal(c->flags[i], flags);
		}
	}
	mailbox_read_end(c->box);
}

static void
client_step(struct fixture *f, struct client *c)
{
	uint32_t uids[8], n = 0;
	struct flag_change fc = { .op = (enum flag_op)roll(3), .flags = roll(64) };
	struct uid_list modified, changed;
	struct copy_result r;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < c->count && n < 8; i++)
		if (roll(20) == 0)
			uids[n++] = c->uids[i];
	switch (roll(9)) {
	case 0:
	case 1:
		if (c->count < MOST / 2)
			save_text(c->box, "Subject: x\r\n\r\nx\r\n", roll(64));
		break;
	case 2:
	case 3:
		fc.conditional = roll(2);
		fc.unchanged_since = 1 + roll(3000);
		MUST(mailbox_store(c->box, uids, n, &fc, f->a, &modified, &changed, &e), &e);
		assert_true(modified.count + changed.count <= n);
		assert_true(fc.conditional || modified.count == 0);
		break;
	case 4:
		MUST(mailbox_expunge(c->box, uids, n > 2 ? 2 : n, roll(2), &e), &e);
		break;
	case 5:
		/* A copy into the same mailbox. */
		if (c->count < MOST / 2 && n > 0)
			MUST(mailbox_copy(c->box, uids, n > 2 ? 2 : n, c->box, roll(4) == 0, f->a, &r, &e), &e);
		break;
	case 6:
		client_sync(c, false);
		break;
	case 7:
		MUST(storage_maintain(c->box->st, &e), &e);
		break;
	default:
		client_sync(c, true);
		client_check(c, true);
		break;
	}
	arena_reset(f->a);
}

static void
run(unsigned number, bool prune)
{
	struct fixture f;
	struct client c[SESSIONS] = { 0 };
	struct err e = ERR_INIT;

	seed = number;
	fixture_init(&f);
	for (int i = 0; i < SESSIONS; i++) {
		c[i].box = box_of(fixture_storage(&f), "INBOX", MAILBOX_WRITE);
		client_sync(&c[i], true);
	}
	for (int step = 0; step < STEPS; step++) {
		struct client *cl = &c[roll(SESSIONS)];

		client_step(&f, cl);
		if (prune && roll(50) == 0) {
			struct index_txn *t;
			struct idx_state st;

			MUST(index_write(cl->box->store->ix, &t, &e), &e);
			assert_int_equal(index_state_get(t, cl->box->id, &st, &e), 1);
			MUST(index_prune(t, &st, 4, &e), &e);
			MUST(index_commit(t, &e), &e);
		}
		client_check(cl, false);
	}
	for (int i = 0; i < SESSIONS; i++) {
		struct storage *st = c[i].box->st;

		client_sync(&c[i], true);
		client_check(&c[i], true);
		check_counts(c[i].box);
		mailbox_close(c[i].box);
		storage_close(st);
	}
	fixture_clear(&f);
}

static void
test_interleavings(void **state)
{
	(void)state;
	run(1, false);
	run(2, false);
}

static void
test_pruned(void **state)
{
	(void)state;
	run(3, true);
}

static void
check_uids(const struct uid_list *got, const uint32_t *want, size_t count)
{
	assert_int_equal(got->count, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(got->uids[i], want[i]);
}

/* What QRESYNC and CHANGEDSINCE ask. */
static void
test_since(void **state)
{
	static const uint32_t gone[] = { 4, 7, 9 }, all_gone[] = { 2, 4, 7, 9 }, changed[] = { 3, 5, 10, 11, 12 };
	struct fixture f;
	struct mailbox *box;
	struct mailbox_view_state at;
	struct mailbox_since since;
	struct err e = ERR_INIT;
	struct index_txn *t;
	struct idx_state st;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	for (unsigned i = 1; i <= 10; i++)
		save_numbered(box, i);
	add_flags(box, 1, MSG_SEEN);
	expunge_uid(box, 2);
	sync_box(box, NULL);
	mailbox_view_state(box, &at);
	expunge_uid(box, 9);
	add_flags(box, 10, MSG_FLAGGED);
	add_flags(box, 4, MSG_FLAGGED);
	expunge_uid(box, 4);
	save_numbered(box, 11);
	add_flags(box, 3, MSG_FLAGGED);
	expunge_uid(box, 7);
	add_flags(box, 5, MSG_FLAGGED);
	save_numbered(box, 12);
	add_flags(box, 11, MSG_FLAGGED);
	/* Still in the view: to be told by the next sync, not as gone before. */
	MUST(mailbox_since(box, at.highestmodseq, f.a, &since, &e), &e);
	check_uids(&since.expunged, NULL, 0);
	sync_box(box, NULL);
	MUST(mailbox_since(box, at.highestmodseq, f.a, &since, &e), &e);
	assert_true(since.complete);
	check_uids(&since.expunged, gone, 3);
	check_uids(&since.changed, changed, 5);
	MUST(mailbox_since(box, 1, f.a, &since, &e), &e);
	assert_true(since.complete);
	check_uids(&since.expunged, all_gone, 4);
	assert_int_equal(since.changed.count, 8);
	MUST(index_write(box->store->ix, &t, &e), &e);
	assert_int_equal(index_state_get(t, box->id, &st, &e), 1);
	MUST(index_prune(t, &st, 2, &e), &e);
	assert_true(st.pruned_to > at.highestmodseq);
	MUST(index_commit(t, &e), &e);
	MUST(mailbox_since(box, at.highestmodseq, f.a, &since, &e), &e);
	assert_false(since.complete);
	check_uids(&since.expunged, NULL, 0);
	check_uids(&since.changed, changed, 5);
	mailbox_close(box);
	fixture_clear(&f);
}

/* UNSEEN is the first without \Seen, whatever was flagged and in whatever order. */
static void
test_first_unseen(void **state)
{
	struct fixture f;
	struct mailbox *box;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	seed = 5;
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	for (unsigned i = 1; i <= 300; i++)
		save_text(box, "Subject: x\r\n\r\nx\r\n", MSG_SEEN);
	for (int step = 0; step < 400; step++) {
		struct mailbox_view_state vs;
		struct flag_change fc = { .op = roll(3) > 0 ? FLAGS_ADD : FLAGS_REMOVE, .flags = MSG_SEEN };
		uint32_t uids[40], n = 0, want = 0;
		bool there;

		sync_box(box, NULL);
		for (uint32_t seq = 1 + roll(mailbox_count(box)); seq <= mailbox_count(box) && n < 1 + roll(40); seq++)
			uids[n++] = mailbox_uid(box, seq);
		MUST(mailbox_store(box, uids, n, &fc, NULL, NULL, NULL, &e), &e);
		if (step % 20 == 0)
			save_text(box, "Subject: x\r\n\r\nx\r\n", roll(2) ? MSG_SEEN : 0);
		if (step % 7 == 0)
			expunge_uid(box, uids[0]);
		mailbox_close(box);
		box = box_of(f.st, "INBOX", roll(2) ? MAILBOX_READ : MAILBOX_WRITE);
		mailbox_view_state(box, &vs);
		for (uint32_t seq = 1; seq <= mailbox_count(box) && want == 0; seq++)
			if (!(flags_now(box, mailbox_uid(box, seq), &there) & MSG_SEEN))
				want = seq;
		assert_int_equal(vs.first_unseen, want);
		mailbox_close(box);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	}
	check_counts(box);
	mailbox_close(box);
	fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interleavings),
		cmocka_unit_test(test_pruned),
		cmocka_unit_test(test_since),
		cmocka_unit_test(test_first_unseen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
