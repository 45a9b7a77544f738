/* SPDX-License-Identifier: MIT */
#include "storage-fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void
test_save_and_read(void **state)
{
	struct fixture f;
	struct mailbox *box;
	struct msg_rec rec;
	struct summary_view sum;
	struct view_changes vc;
	struct span body;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	box = box_of(f.st, "inbox", MAILBOX_WRITE);
	assert_int_equal(mailbox_count(box), 0);
	for (unsigned i = 1; i <= 5; i++)
		assert_int_equal(save_numbered(box, i), i);
	sync_box(box, &vc);
	assert_true(vc.exists_changed);
	assert_int_equal(mailbox_count(box), 5);
	for (unsigned i = 1; i <= 5; i++)
		assert_int_equal(number_of(box, i), i);
	MUST(mailbox_get(box, 3, &rec, &e), &e);
	MUST(mailbox_body(box, 3, &body, &e), &e);
	assert_int_equal(rec.physical_size, body.n);
	assert_int_equal(rec.size, body.n + 5);
	MUST(mailbox_summary(box, 3, NEED_HEADER | NEED_STRUCTURE, &sum, &e), &e);
	assert_true(span_find(sum.envelope, SPAN("Number 3")) != SIZE_MAX);
	assert_true(sum.flags & SUMMARY_STRUCTURE);
	assert_true(mailbox_is_recent(box, 5));
	check_counts(box);
	add_flags(box, 2, MSG_SEEN | MSG_FLAGGED);
	add_flags(box, 4, MSG_DELETED);
	sync_box(box, &vc);
	assert_int_equal(vc.flags_count, 2);
	assert_int_equal(flags_of(box, 2), MSG_SEEN | MSG_FLAGGED);
	MUST(storage_maintain(f.st, &e), &e);
	assert_int_equal(fixture_number(&f, "ls Maildir/cur | grep -c ':2,FS$'"), 1);
	assert_int_equal(number_of(box, 2), 2);
	MUST(mailbox_expunge(box, NULL, 0, false, &e), &e);
	sync_box(box, &vc);
	assert_int_equal(vc.expunged_count, 1);
	assert_int_equal(vc.expunged[0].uid, 4);
	assert_int_equal(vc.expunged[0].seq, 4);
	assert_int_equal(mailbox_count(box), 4);
	check_counts(box);
	assert_int_equal(fixture_number(&f, "ls Maildir/cur Maildir/new | grep -c U="), 4);
	mailbox_close(box);
	fixture_clear(&f);
}

static void
test_rebuild(void **state)
{
	struct fixture f;
	struct mailbox *box;
	struct mailbox_view_state before, after;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	for (unsigned i = 1; i <= 20; i++)
		save_numbered(box, i);
	add_flags(box, 7, MSG_SEEN);
	expunge_uid(box, 20);
	expunge_uid(box, 3);
	sync_box(box, NULL);
	mailbox_view_state(box, &before);
	mailbox_close(box);
	fixture_close(&f);
	fixture_lose_index(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	mailbox_view_state(box, &after);
	assert_int_equal(after.uidvalidity, before.uidvalidity);
	assert_int_equal(after.mailbox_id, before.mailbox_id);
	assert_true(after.uidnext >= before.uidnext);
	assert_true(after.highestmodseq >= before.highestmodseq);
	assert_int_equal(mailbox_count(box), 18);
	for (uint32_t seq = 1; seq <= 18; seq++)
		assert_int_equal(number_of(box, mailbox_uid(box, seq)), mailbox_uid(box, seq));
	assert_int_equal(flags_of(box, 7), MSG_SEEN);
	assert_true(save_numbered(box, 21) > 20);
	check_counts(box);
	mailbox_close(box);
	fixture_clear(&f);
}

static void
test_resync(void **state)
{
	struct fixture f;
	struct mailbox *box;
	struct mailbox_view_state before, after;
	struct view_changes vc;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	for (unsigned i = 1; i <= 10; i++)
		save_numbered(box, i);
	expunge_uid(box, 10);
	sync_box(box, NULL);
	mailbox_view_state(box, &before);
	add_flags(box, 4, MSG_FLAGGED);
	MUST(storage_resync(f.st, SPAN("INBOX"), &e), &e);
	/* The session that has it open goes on. */
	sync_box(box, &vc);
	assert_false(vc.gone);
	mailbox_view_state(box, &after);
	assert_int_equal(after.uidvalidity, before.uidvalidity);
	assert_true(after.uidnext >= before.uidnext);
	assert_true(after.highestmodseq > before.highestmodseq);
	assert_int_equal(mailbox_count(box), 9);
	assert_int_equal(flags_of(box, 4), MSG_FLAGGED);
	check_counts(box);
	mailbox_close(box);
	fixture_clear(&f);
}

static void
test_outside(void **state)
{
	struct fixture f;
	struct mailbox *box;
	struct view_changes vc;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	save_numbered(box, 1);
	save_numbered(box, 2);
	sync_box(box, NULL);
	fixture_run(&f, "printf 'From: a@example.org\\nSubject: Number 3\\n\\nx\\n' > Maildir/new/1700000000.M1P1.other");
	sync_box(box, &vc);
	assert_true(vc.exists_changed);
	assert_int_equal(mailbox_count(box), 3);
	assert_int_equal(number_of(box, 3), 3);
	fixture_run(&f, "cd Maildir/new && mv *U=*.1 ../cur/$(ls | grep 'U=.*[.]1$'):2,S");
	sync_box(box, &vc);
	assert_int_equal(vc.flags_count, 1);
	assert_int_equal(flags_of(box, 1), MSG_SEEN);
	fixture_run(&f, "rm Maildir/new/*U=*.2");
	sync_box(box, &vc);
	assert_int_equal(vc.expunged_count, 1);
	assert_int_equal(vc.expunged[0].uid, 2);
	assert_int_equal(mailbox_count(box), 2);
	check_counts(box);
	mailbox_close(box);
	fixture_clear(&f);
}

static void
test_copy_and_move(void **state)
{
	struct fixture f;
	struct mailbox *box, *target;
	struct copy_result r;
	struct view_changes vc;
	struct err e = ERR_INIT;
	uint32_t two[] = { 1, 3 };

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	MUST(storage_create(f.st, SPAN("Work.2026"), false, &e), &e);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	target = box_of(f.st, "Work.2026", MAILBOX_SAVE);
	for (unsigned i = 1; i <= 4; i++)
		save_numbered(box, i);
	add_flags(box, 3, MSG_SEEN);
	MUST(mailbox_copy(box, two, 2, target, false, f.a, &r, &e), &e);
	assert_int_equal(r.to.count, 2);
	assert_int_equal(r.to.uids[1], 2);
	MUST(mailbox_copy(box, two, 2, target, true, f.a, &r, &e), &e);
	assert_int_equal(r.to.uids[0], 3);
	sync_box(box, &vc);
	assert_int_equal(mailbox_count(box), 2);
	check_counts(box);
	check_counts(target);
	mailbox_close(target);
	target = box_of(f.st, "Work.2026", MAILBOX_WRITE);
	assert_int_equal(mailbox_count(target), 4);
	assert_int_equal(number_of(target, 1), 1);
	assert_int_equal(number_of(target, 4), 3);
	assert_int_equal(flags_of(target, 4), MSG_SEEN);
	mailbox_close(target);
	mailbox_close(box);
	fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_save_and_read),
		cmocka_unit_test(test_rebuild),
		cmocka_unit_test(test_resync),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_copy_and_move),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
