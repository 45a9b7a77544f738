/* SPDX-License-Identifier: MIT */
/*
 * What stands above the drivers, with one that answers conflict, unavailable and unknown at random: a NO is a NO, nothing
 * is doubled, nothing that was acknowledged is lost.
 */
#include "storage-fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include "faulty-driver.h"

#define STEPS 1500
#define NUMBERS 4000
#define FAULTS 35	/* percent */

enum { INBOX, WORK, BOXES };
static const char *const names[BOXES] = { "INBOX", "Work" };

/* Of each message: how often it may be in each mailbox, and its flags there. */
struct known {
	bool here[BOXES];
	unsigned flags[BOXES];
};

struct faults {
	struct fixture f;
	struct storage *clean;		/* another session, whose driver tells the truth */
	struct known known[NUMBERS];
	unsigned next;
	uint64_t seed;
	unsigned yes, no;
};

static unsigned
below(struct faults *t, unsigned n)
{
	t->seed = t->seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(t->seed >> 33) % n;
}

static int
save_some(struct faults *t, struct mailbox *box, unsigned count, struct err *e)
{
	struct save_params p = { .internal_date = INT64_MIN };
	struct saver *s = NULL;
	struct uid_list uids;
	uint32_t validity;
	char text[200];
	int rc = saver_new(box, &s, e);

	for (unsigned i = 0; i < count && rc == 0; i++) {
		snprintf(text, sizeof(text), "From: a@example.org\nSubject: Number %u\n\nBody\n", t->next + i);
		if (saver_begin(s, &p, e) == -1 || saver_write(s, span_str(text), e) == -1 || saver_finish(s, e) == -1)
			rc = -1;
	}
	if (rc == 0)
		rc = saver_commit(s, t->f.a, &validity, &uids, e);
	saver_free(s);
	return rc;
}

/* Counts and flags as another session sees them; the model takes what it may. */
static void
look(struct faults *t, const unsigned *touched, size_t touched_n, bool done, bool whole, unsigned box_nr,
    const struct known *after)
{
	struct mailbox *box;
	bool new_seen = false, old_seen = false;

	for (unsigned b = 0; b < BOXES; b++) {
		struct known seen[NUMBERS] = { 0 };

		box = box_of(t->clean, names[b], MAILBOX_READ);
		for (uint32_t seq = 1; seq <= mailbox_count(box); seq++) {
			uint32_t uid = mailbox_uid(box, seq);
			unsigned n = number_of(box, uid);

			assert_true(n < NUMBERS);
			if (seen[n].here[b])
				fail_msg("%s has number %u twice", names[b], n);
			seen[n].here[b] = true;
			seen[n].flags[b] = flags_of(box, uid);
		}
		check_counts(box);
		mailbox_close(box);
		for (unsigned n = 0; n < t->next; n++) {
			const struct known *old = &t->known[n], *new = old;
			bool is_old, is_new;

			for (size_t i = 0; i < touched_n; i++)
				if (touched[i] == n)
					new = &after[i];
			is_old = seen[n].here[b] == old->here[b] && (!old->here[b] || seen[n].flags[b] == old->flags[b]);
			is_new = seen[n].here[b] == new->here[b] && (!new->here[b] || seen[n].flags[b] == new->flags[b]);
			if (!is_new && (done || !is_old))
				fail_msg("%s: number %u is%s there with flags %x, %s (mailbox %u, %zu messages)", names[b], n,
				    seen[n].here[b] ? "" : " not", seen[n].flags[b], done ? "after OK" : "after NO", box_nr, touched_n);
			new_seen = new_seen || (!is_old && is_new);
			old_seen = old_seen || (!is_new && is_old);
			t->known[n].here[b] = seen[n].here[b];
			t->known[n].flags[b] = seen[n].flags[b];
		}
	}
	if (whole && new_seen && old_seen)
		fail_msg("a step was done by half");
}

/* Three of what is there at most, as UIDs and numbers. */
static size_t
pick(struct faults *t, struct mailbox *box, uint32_t uids[3], unsigned numbers[3])
{
	uint32_t count = mailbox_count(box), seq = 0;
	size_t n = 0;

	while (count > 0 && n < 3 && (seq += 1 + below(t, (count + 2) / 2)) <= count) {
		uids[n] = mailbox_uid(box, seq);
		n++;
	}
	/* Through the session that tells the truth: the other may say that a body is gone. */
	struct mailbox *clean = box_of(t->clean, names[strcmp(box->name, "INBOX") == 0 ? INBOX : WORK], MAILBOX_READ);

	for (size_t i = 0; i < n; i++)
		numbers[i] = number_of(clean, uids[i]);
	mailbox_close(clean);
	return n;
}

static void
step(struct faults *t)
{
	unsigned b = below(t, BOXES), what = below(t, 10), numbers[3];
	struct flag_change fc = { .op = (enum flag_op)below(t, 3), .flags = 1u << below(t, 4) };
	struct known after[3];
	struct mailbox *box = NULL, *to = NULL;
	struct copy_result result;
	struct err e = ERR_INIT;
	uint32_t uids[3];
	size_t n = 0;
	bool whole = true;
	int rc = mailbox_open(t->f.st, span_str(names[b]), what < 4 ? MAILBOX_SAVE : MAILBOX_WRITE, &box, &e);

	if (rc == -1) {
		assert_int_not_equal(e.code, ERR_NONE);
		t->no++;
		return;
	}
	if (what < 4) {
		n = 1 + below(t, 3);
		for (unsigned i = 0; i < n; i++) {
			numbers[i] = t->next + i;
			after[i] = (struct known){ .here = { b == INBOX, b == WORK } };
		}
		rc = save_some(t, box, (unsigned)n, &e);
		t->next += (unsigned)n;
	} else {
		n = pick(t, box, uids, numbers);
		for (size_t i = 0; i < n; i++)
			after[i] = t->known[numbers[i]];
	}
	if (what >= 4 && what < 6) {
		for (size_t i = 0; i < n; i++) {
			unsigned *flags = &after[i].flags[b];

			*flags = fc.op == FLAGS_SET ? fc.flags : fc.op == FLAGS_ADD ? *flags | fc.flags : *flags & ~fc.flags;
		}
		rc = mailbox_store(box, uids, n, &fc, t->f.a, NULL, NULL, &e);
	} else if (what == 6 || what == 7) {
		/* A copy of what is there already would be there twice. */
		size_t kept = 0;

		for (size_t i = 0; i < n; i++) {
			if (t->known[numbers[i]].here[!b])
				continue;
			uids[kept] = uids[i];
			numbers[kept] = numbers[i];
			after[kept] = t->known[numbers[i]];
			after[kept].here[!b] = true;
			after[kept].flags[!b] = after[kept].flags[b];
			after[kept].here[b] = what == 6;
			kept++;
		}
		n = kept;
		rc = mailbox_open(t->f.st, span_str(names[!b]), MAILBOX_SAVE, &to, &e);
		if (rc == 0)
			rc = mailbox_copy(box, uids, n, to, what == 7, t->f.a, &result, &e);
		if (rc == 0 && (result.to.count != n || result.from.count != n))
			fail_msg("%zu of %zu were copied", result.to.count, n);
		mailbox_close(to);
	} else if (what > 7) {
		for (size_t i = 0; i < n; i++)
			after[i].here[b] = false;
		rc = mailbox_expunge(box, uids, n, true, &e);
		whole = false;
	}
	mailbox_close(box);
	if (rc == -1)
		assert_int_not_equal(e.code, ERR_NONE);
	t->yes += rc == 0;
	t->no += rc == -1;
	look(t, numbers, n, rc == 0, whole, b, after);
	arena_reset(t->f.a);
}

static void
test_random_answers(void **state)
{
	struct faults *t = calloc(1, sizeof(*t));
	struct err e = ERR_INIT;

	(void)state;
	assert_non_null(t);
	t->seed = 1;
	fixture_init(&t->f);
	fixture_open(&t->f);
	t->clean = fixture_storage(&t->f);
	MUST(storage_create(t->clean, SPAN("Work"), false, &e), &e);
	faulty_driver_on(t->f.st, FAULTS, 7);
	for (unsigned i = 0; i < STEPS && t->next + 3 < NUMBERS; i++)
		step(t);
	/* It was hard, and it went on. */
	assert_true(t->yes > STEPS / 3);
	assert_true(t->no > STEPS / 20);
	assert_true(faulty_driver_count(DRV_UNKNOWN) > 50);
	assert_true(faulty_driver_count(DRV_CONFLICT) > 50);
	faulty_driver_off(t->f.st);
	storage_close(t->clean);
	fixture_clear(&t->f);
	free(t);
}

/* CREATE, RENAME, DELETE, SUBSCRIBE: whatever the answer, each name is there or not, and its mail with it. */
static void
test_names(void **state)
{
	struct fixture f;
	struct storage *clean;
	unsigned yes = 0;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	clean = fixture_storage(&f);
	for (unsigned i = 0; i < 150; i++) {
		struct mailbox_info a, b;
		struct mailbox_status st;
		struct mailbox *box;
		struct err e = ERR_INIT, none = ERR_INIT;
		int rc;

		faulty_driver_on(f.st, FAULTS, i);
		rc = storage_create(f.st, SPAN("One"), false, &e);
		faulty_driver_off(f.st);
		MUST(storage_mailbox_info(clean, SPAN("One"), &a, &none), &none);
		if (rc == 0 && !(a.attrs & MBOX_EXISTS))
			fail_msg("created, and not there");
		if (!(a.attrs & MBOX_EXISTS))
			MUST(storage_create(clean, SPAN("One"), false, &none), &none);
		box = box_of(clean, "One", MAILBOX_SAVE);
		save_numbered(box, i);
		mailbox_close(box);
		yes += rc == 0;

		faulty_driver_on(f.st, FAULTS, i + 1000);
		e = (struct err)ERR_INIT;
		rc = storage_rename(f.st, SPAN("One"), SPAN("Two"), &e);
		faulty_driver_off(f.st);
		MUST(storage_mailbox_info(clean, SPAN("One"), &a, &none), &none);
		MUST(storage_mailbox_info(clean, SPAN("Two"), &b, &none), &none);
		if (((a.attrs ^ b.attrs) & MBOX_EXISTS) == 0)
			fail_msg("after RENAME (%d): %x, %x", rc, a.attrs, b.attrs);
		assert_true(rc == -1 || b.attrs & MBOX_EXISTS);
		assert_true(rc == 0 || e.code != ERR_NONE);
		MUST(storage_status(clean, b.attrs & MBOX_EXISTS ? SPAN("Two") : SPAN("One"), STATUS_MESSAGES, &st, &none), &none);
		assert_int_equal(st.messages, 1);
		yes += rc == 0;

		faulty_driver_on(f.st, FAULTS, i + 2000);
		rc = storage_delete(f.st, SPAN("Two"), &none);
		faulty_driver_off(f.st);
		MUST(storage_mailbox_info(clean, SPAN("Two"), &b, &none), &none);
		assert_true(rc == -1 || !(b.attrs & MBOX_EXISTS));
		yes += rc == 0;
		if (b.attrs & MBOX_EXISTS)
			MUST(storage_delete(clean, SPAN("Two"), &none), &none);
		MUST(storage_mailbox_info(clean, SPAN("One"), &a, &none), &none);
		if (a.attrs & MBOX_EXISTS)
			MUST(storage_delete(clean, SPAN("One"), &none), &none);
	}
	assert_true(yes > 150);
	storage_close(clean);
	fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_answers),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
