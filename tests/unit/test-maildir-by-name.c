/* SPDX-License-Identifier: MIT */
/*
 * Many files of another program whose names tell their sizes are not looked at before somebody wants to know more: then what
 * the file says counts, is kept, and stays.
 */
#include "storage-fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define MANY 40
#define LARGE 3000
#define SIZE 42		/* with CRLF; the files have four octets less */
#define THEN 1600000000

static struct fixture f;

/* Files 10..10 + MANY - 1, in the order of their UIDs; their times are THEN + i. */
static void
start(void)
{
	fixture_init(&f);
	fixture_run(&f, "mkdir -p Maildir/cur Maildir/new Maildir/tmp; cd Maildir/cur; for i in $(seq 10 %u); do "
	    "n=$((1700000000 + i)).M1P$i.host,S=%d,W=%d:2,; printf 'From: a@example.org\\nSubject: %%d\\n\\nBody\\n' $i > $n; "
	    "touch -d @$((%d + i)) $n; done", 10 + MANY - 1, SIZE - 4, SIZE, THEN);
	assert_int_equal(fixture_number(&f, "cat Maildir/cur/1700000010.* | wc -c"), SIZE - 4);
}

static struct msg_rec
record(struct mailbox *box, uint32_t uid)
{
	struct msg_rec rec;
	struct err e = ERR_INIT;

	MUST(mailbox_get(box, uid, &rec, &e), &e);
	return rec;
}

static int64_t
date_of(struct mailbox *box, uint32_t uid)
{
	struct err e = ERR_INIT;
	int64_t date;

	MUST(mailbox_date(box, uid, &date, &e), &e);
	return date;
}

static uint64_t
size_of(struct mailbox *box, uint32_t uid)
{
	struct err e = ERR_INIT;
	uint64_t size;

	MUST(mailbox_size(box, uid, &size, &e), &e);
	return size;
}

static void
reopen(struct mailbox **box, bool lose)
{
	mailbox_close(*box);
	fixture_close(&f);
	if (lose)
		fixture_lose_index(&f);
	fixture_open(&f);
	*box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	sync_box(*box, NULL);
	assert_int_equal(mailbox_count(*box), MANY);
}

/* A date that was told is kept, whatever is done to the file afterwards; one that was not is the file's. */
static void
test_date(void **state)
{
	struct mailbox *box;

	(void)state;
	start();
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	sync_box(box, NULL);
	assert_true(record(box, 1).internal_date == DATE_UNKNOWN);
	assert_true(record(box, 1).save_date == 1700000010);
	for (uint32_t uid = 1; uid <= 10; uid++)
		assert_int_equal(date_of(box, uid), THEN + 9 + uid);
	reopen(&box, false);
	fixture_run(&f, "touch -d @1500000000 Maildir/cur/*");
	for (uint32_t uid = 1; uid <= 10; uid++)
		assert_int_equal(date_of(box, uid), THEN + 9 + uid);
	assert_int_equal(record(box, 10).internal_date, THEN + 19);
	assert_int_equal(date_of(box, 11), 1500000000);
	/* Flags rename it, which changes no date; so does a new index. */
	add_flags(box, 12, MSG_SEEN);
	fixture_run(&f, "touch -d @1510000000 Maildir/cur/*");
	reopen(&box, true);
	assert_int_equal(date_of(box, 12), 1510000000);
	check_counts(box);
	mailbox_close(box);
	fixture_clear(&f);
}

/* Whoever opens the file for another reason has looked at it, too. */
static void
test_in_passing(void **state)
{
	struct summary_view sum;
	struct mailbox *box;
	struct err e = ERR_INIT;

	(void)state;
	start();
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	sync_box(box, NULL);
	MUST(mailbox_summary(box, 3, NEED_HEADER, &sum, &e), &e);
	fixture_run(&f, "touch -d @1500000000 Maildir/cur/*");
	assert_int_equal(date_of(box, 3), THEN + 12);
	assert_int_equal(size_of(box, 3), SIZE);
	reopen(&box, false);
	assert_int_equal(record(box, 3).internal_date, THEN + 12);
	assert_int_equal(record(box, 3).size, SIZE);
	mailbox_close(box);
	fixture_clear(&f);
}

/* Names that lie, or tell less, or of which the file has gone. */
static void
test_false_names(void **state)
{
	struct mailbox_status st;
	struct mailbox *box;
	struct err e = ERR_INIT;
	int64_t date;

	(void)state;
	start();
	fixture_run(&f, "cd Maildir/cur; mv 1700000010.*, 1700000010.M1P1.host,S=39,W=43:2,; "
	    "mv 1700000011.*, 1700000011.M1P1.host,S=10,W=12:2,; mv 1700000012.*, 1700000012.M1P1.host,S=%d:2,; "
	    "mv 1700000013.*, 1700000013.M1P1.host:2,; mv 1700000014.*, 1700000014.M1P1.host,S=4000000000000,W=4000000000001:2,",
	    SIZE - 4);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), MANY);
	for (uint32_t uid = 1; uid <= 6; uid++)
		assert_int_equal(size_of(box, uid), SIZE);
	assert_int_equal(record(box, 4).internal_date, THEN + 13);
	assert_true(record(box, 4).physical_size == SIZE - 4);
	reopen(&box, false);
	for (uint32_t uid = 1; uid <= 6; uid++) {
		assert_int_equal(record(box, uid).size, SIZE);
		assert_int_equal(record(box, uid).physical_size, SIZE - 4);
		assert_int_equal(date_of(box, uid), THEN + 9 + uid);
	}
	MUST(storage_status(f.st, SPAN("INBOX"), STATUS_SIZE, &st, &e), &e);
	assert_int_equal(st.size, MANY * SIZE);
	check_counts(box);
	fixture_run(&f, "rm Maildir/cur/1700000030.*");
	assert_int_equal(mailbox_date(box, 21, &date, &e), -1);
	assert_int_equal(e.code, ERR_GONE);
	mailbox_close(box);
	fixture_clear(&f);
}

/* Copies and moves take with them that nobody has looked; between stores what the file says. */
static void
test_copies(void **state)
{
	struct mailbox *box, *other;
	struct copy_result r;
	struct err e = ERR_INIT;
	uint32_t uids[] = { 5, 6, 7 };

	(void)state;
	start();
	fixture_open(&f);
	MUST(storage_create(f.st, SPAN("Other"), false, &e), &e);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	other = box_of(f.st, "Other", MAILBOX_SAVE);
	MUST(mailbox_copy(box, uids, 2, other, false, f.a, &r, &e), &e);
	MUST(mailbox_copy(box, uids + 2, 1, other, true, f.a, &r, &e), &e);
	mailbox_close(other);
	other = box_of(f.st, "Other", MAILBOX_WRITE);
	sync_box(other, NULL);
	for (uint32_t uid = 1; uid <= 3; uid++) {
		assert_int_equal(date_of(other, uid), THEN + 13 + uid);
		assert_int_equal(size_of(other, uid), SIZE);
	}
	check_counts(other);
	mailbox_close(other);
	sync_box(box, NULL);
	check_counts(box);
	mailbox_close(box);
	fixture_clear(&f);
}

/* So many that they are sorted in another way: by the times in their names, those of one time by their names. */
static void
test_order(void **state)
{
	struct mailbox *box;
	struct mailbox_names names;
	struct err e = ERR_INIT;
	char last[256] = "";
	int64_t then = 0;

	(void)state;
	fixture_init(&f);
	fixture_run(&f, "mkdir -p Maildir/cur Maildir/new Maildir/tmp; cd Maildir/cur; for i in $(seq 1 %u); do "
	    ": > $((1500000000 + i * 7919 %% 1000 * 100003)).M$((i %% 3))P$((i * 31 %% 4000 + 1000)).host,S=0,W=0:2,; done", LARGE);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), LARGE);
	for (uint32_t uid = 1; uid <= LARGE; uid++) {
		struct msg_rec rec = record(box, uid);

		MUST(mailbox_names(box, uid, false, &names, &e), &e);
		assert_true(rec.save_date > then || (rec.save_date == then && strcmp(names.file, last) > 0));
		then = rec.save_date;
		memcpy(last, names.file, sizeof(last));
	}
	mailbox_close(box);
	fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_date),
		cmocka_unit_test(test_in_passing),
		cmocka_unit_test(test_false_names),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
