/* SPDX-License-Identifier: MIT */
/*
 * Many files of another program keep their names, and culver-uids tells their UIDs, whatever is lost or happens to the files;
 * it also has the keywords that no name has a letter for.
 */
#include "storage-fixture.h"
#include "lib-storage/maildir/uids.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY 40

static struct fixture f;

static void
start(void)
{
	fixture_init(&f);
	fixture_run(&f, "mkdir -p Maildir/cur Maildir/new Maildir/tmp");
}

/* Files from..to: "Number i" in the file called i.host. */
static void
put(const char *box, unsigned from, unsigned to)
{
	fixture_run(&f, "for i in $(seq %u %u); do printf 'From: a@example.org\\nSubject: Number %%d\\n\\nBody\\n' $i > "
	    "Maildir/%s/cur/$((1700000000 + i)).M1P$i.host:2,; done",
	    from, to, box);
}

/* Message i has the UID first + i. */
static void
expect(struct mailbox *box, unsigned from, unsigned to, uint32_t first)
{
	for (unsigned i = from; i <= to; i++)
		assert_int_equal(number_of(box, first + i), i);
	mailbox_read_end(box);
}

static long
tagged(const char *sub)
{
	return fixture_number(&f, "ls Maildir/%s | grep -c ,U= || true", sub);
}

static void
reopen(bool lose)
{
	fixture_close(&f);
	if (lose)
		fixture_lose_index(&f);
	fixture_open(&f);
}

static void
test_kept(void **state)
{
	struct mailbox *box;
	struct err e = ERR_INIT;

	(void)state;
	start();
	put(".", 1, MANY);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	sync_box(box, NULL);
	expect(box, 1, MANY, 0);
	assert_int_equal(tagged("cur"), 0);
	assert_int_equal(fixture_number(&f, "grep -c : Maildir/culver-uids"), MANY);
	/* A few are renamed, and the file does not grow. */
	put(".", MANY + 1, MANY + 3);
	sync_box(box, NULL);
	expect(box, 1, MANY + 3, 0);
	assert_int_equal(tagged("cur"), 3);
	assert_int_equal(save_numbered(box, 900), MANY + 4);
	/* A name that changes for its flags gets its UID. */
	add_flags(box, 5, MSG_SEEN);
	MUST(storage_maintain(f.st, &e), &e);
	assert_int_equal(tagged("cur"), 4);
	expunge_uid(box, 7);
	/* Another program gives one other flags, and moves one to new/. */
	fixture_run(&f, "cd Maildir/cur && mv 1700000010.M1P10.host:2, 1700000010.M1P10.host:2,F && mv 1700000011.M1P11.host:2, ../new/1700000011.M1P11.host");
	sync_box(box, NULL);
	assert_int_equal(flags_of(box, 10), MSG_FLAGGED);
	check_counts(box);
	mailbox_close(box);
	for (int i = 0; i < 2; i++) {
		reopen(true);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		sync_box(box, NULL);
		assert_int_equal(mailbox_count(box), MANY + 3);
		expect(box, 1, 6, 0);
		expect(box, 8, MANY + 3, 0);
		assert_int_equal(number_of(box, MANY + 4), 900);
		assert_int_equal(flags_of(box, 5), MSG_SEEN);
		assert_int_equal(flags_of(box, 10), MSG_FLAGGED);
		check_counts(box);
		mailbox_close(box);
	}
	assert_int_equal(tagged("cur"), 4);
	fixture_clear(&f);
}

/* The control file is lost as well; or the file of UIDs is, or is damaged: then a UID is a new one. */
static void
test_lost(void **state)
{
	static const struct { const char *damage; bool kept; } cases[] = {
		{ "rm culver-mailbox", true },
		{ "rm culver-uids", false },
		{ "printf garbage > culver-uids", false },
		{ "sed -i 's/^culver-uids 1 .*/culver-uids 1 77/' culver-uids", false },
		{ "printf '9:1700000001.M1P1.ho' >> culver-uids", true },
		{ "printf '\\n4000000000:1700000001.M1P1.host/\\n' >> culver-uids", false },
		{ "rm culver-uids; mkdir culver-uids", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct mailbox *box;

		start();
		put(".", 1, MANY);
		fixture_open(&f);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		sync_box(box, NULL);
		mailbox_close(box);
		fixture_close(&f);
		fixture_lose_index(&f);
		fixture_run(&f, "cd Maildir && %s", cases[i].damage);
		fixture_open(&f);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		sync_box(box, NULL);
		assert_int_equal(mailbox_count(box), MANY);
		if (cases[i].kept)
			expect(box, 1, MANY, 0);
		else if (mailbox_uid(box, MANY) <= MANY)
			fail_msg("%s: a UID was given twice", cases[i].damage);
		assert_true(save_numbered(box, 900) > mailbox_uid(box, MANY));
		mailbox_close(box);
		fixture_clear(&f);
	}
}

/* Names that can not stay: of another message of the mailbox, or of two files at once. */
/* A list whose first line a loss of power has spoiled, or that is another mailbox's: what is written from now on counts. */
static void
test_spoiled(void **state)
{
	static const char *const spoiled[] = {
		"culver-ui", "\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0",
		"culver-uids 1 17\\n1:1700000009.M1P9.host/\\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(spoiled) / sizeof(spoiled[0]); i++) {
		struct mailbox *box;

		start();
		fixture_open(&f);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		save_numbered(box, 900);
		fixture_run(&f, "printf '%s' >Maildir/culver-uids", spoiled[i]);
		put(".", 1, MANY);
		sync_box(box, NULL);
		expect(box, 1, MANY, 1);
		assert_int_equal(tagged("cur"), 0);
		mailbox_close(box);
		reopen(true);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		sync_box(box, NULL);
		expect(box, 1, MANY, 1);
		mailbox_close(box);
		fixture_clear(&f);
	}
}

static void
test_names(void **state)
{
	struct mailbox *box;
	struct mailbox_view_state vs;

	(void)state;
	start();
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	save_numbered(box, 900);
	mailbox_view_state(box, &vs);
	put(".", 1, MANY);
	fixture_run(&f, "cd Maildir/cur && cp 1700000002.M1P2.host:2, 1700000002.M1P2.host:2,S && "
	    "mv 1700000003.M1P3.host:2, 1700000003.M1P3.host,U=%08x.1:2,", vs.uidvalidity);
	fixture_run(&f, "cd Maildir/cur && mv 1700000004.M1P4.host:2, 1700000004.M1P4.host,U=00000001.9:2,");
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), MANY + 2);
	assert_int_equal(tagged("cur"), 4);		/* both of 2, 3, and 4 with a tag that means nothing here */
	assert_int_equal(fixture_number(&f, "grep -c : Maildir/culver-uids"), MANY - 2);
	uint32_t uids[MANY + 3];
	unsigned numbers[MANY + 3];
	size_t n = mailbox_count(box);

	for (size_t i = 0; i < n; i++) {
		uids[i] = mailbox_uid(box, (uint32_t)i + 1);
		numbers[i] = number_of(box, uids[i]);
	}
	/* A copy by hand of one that kept its name: it is another message, and can not be called the same. */
	fixture_run(&f, "cd Maildir/cur && cp 1700000005.M1P5.host:2, 1700000005.M1P5.host:2,S");
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), n + 1);
	uids[n] = mailbox_uid(box, (uint32_t)n + 1);
	numbers[n++] = 5;
	mailbox_close(box);
	reopen(true);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(number_of(box, uids[i]), numbers[i]);
	mailbox_close(box);
	fixture_clear(&f);
}

/* Where the file can not be written the files are renamed, and where nothing can be the messages are served. */
static void
test_unwritable(void **state)
{
	struct mailbox *box;

	(void)state;
	start();
	fixture_run(&f, "mkdir Maildir/culver-uids");
	put(".", 1, MANY);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	sync_box(box, NULL);
	expect(box, 1, MANY, 0);
	assert_int_equal(tagged("cur"), MANY);
	check_counts(box);
	mailbox_close(box);
	reopen(true);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	sync_box(box, NULL);
	expect(box, 1, MANY, 0);
	mailbox_close(box);
	fixture_clear(&f);
}

/* Copies have proper names; the file goes and comes with its mailbox. */
static void
test_mailboxes(void **state)
{
	static const char *const configurations[] = { "", ":LAYOUT=fs", ":CONTROL=~/ctl", ":LAYOUT=fs:CONTROL=~/ctl" };

	(void)state;
	for (size_t c = 0; c < sizeof(configurations) / sizeof(configurations[0]); c++) {
		const char *work = strstr(configurations[c], "LAYOUT") != NULL ? "Work" : ".Work";
		struct mailbox *box, *other;
		struct copy_result r;
		struct err e = ERR_INIT;
		char location[100];
		uint32_t uids[MANY];

		start();
		snprintf(location, sizeof(location), "maildir:~/Maildir%s", configurations[c]);
		f.conf.location = span_str(location);
		fixture_open(&f);
		MUST(storage_create(f.st, SPAN("Work"), false, &e), &e);
		MUST(storage_create(f.st, SPAN("Copies"), false, &e), &e);
		put(work, 1, MANY);
		box = box_of(f.st, "Work", MAILBOX_WRITE);
		sync_box(box, NULL);
		expect(box, 1, MANY, 0);
		for (uint32_t i = 0; i < MANY; i++)
			uids[i] = i + 1;
		other = box_of(f.st, "Copies", MAILBOX_SAVE);
		MUST(mailbox_copy(box, uids, 3, other, false, f.a, &r, &e), &e);
		MUST(mailbox_copy(box, uids + 3, 2, other, true, f.a, &r, &e), &e);
		mailbox_close(other);
		mailbox_close(box);
		assert_int_equal(fixture_number(&f, "find Maildir -path '*Copies*' -name '*,U=*' | wc -l"), 5);
		MUST(storage_rename(f.st, SPAN("Work"), SPAN("Play"), &e), &e);
		reopen(true);
		box = box_of(f.st, "Play", MAILBOX_WRITE);
		sync_box(box, NULL);
		assert_int_equal(mailbox_count(box), MANY - 2);
		expect(box, 1, 3, 0);
		expect(box, 6, MANY, 0);
		mailbox_close(box);
		assert_int_equal(fixture_number(&f, "find . -name culver-uids | wc -l"), 1);
		MUST(storage_delete(f.st, SPAN("Play"), &e), &e);
		assert_int_equal(fixture_number(&f, "find . -name culver-uids | wc -l"), 0);
		fixture_clear(&f);
	}
}

/* What is of no use any more goes, when it is much. */
static void
test_shrinks(void **state)
{
	struct mailbox *box;
	uint32_t first = 0;

	(void)state;
	start();
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	for (int round = 0; round < 5; round++) {
		fixture_run(&f, "rm -f Maildir/cur/*; for i in $(seq 1 500); do printf 'From: a@example.org\\nSubject: Number %%d\\n\\nBody\\n' $i > "
		    "Maildir/cur/$((1700000000 + i)).M1P$i.a-host-with-a-name-that-is-longer-than-it-needs-to-be.example.org.r%d:2,; done", round);
		sync_box(box, NULL);
		expect(box, 1, 500, first);
		first += 500;
	}
	assert_true(fixture_number(&f, "grep -c : Maildir/culver-uids") < 1600);
	mailbox_close(box);
	reopen(true);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	sync_box(box, NULL);
	expect(box, 1, 500, first - 500);
	mailbox_close(box);
	fixture_clear(&f);
}

#define KEYWORDS 60

static uint64_t
mask_of(struct mailbox *box, unsigned i, bool create)
{
	char name[16];
	struct span one = span_of(name, (size_t)snprintf(name, sizeof(name), "word-%u", i));
	struct err e = ERR_INIT;
	uint64_t mask = 0;

	MUST(mailbox_keyword_mask(box, &one, 1, create, &mask, &e), &e);
	return mask;
}

static void
store(struct mailbox *box, uint32_t uid, enum flag_op op, uint64_t mask)
{
	struct flag_change fc = { .op = op, .keywords = mask };
	struct err e = ERR_INIT;

	MUST(mailbox_store(box, &uid, 1, &fc, f.a, NULL, NULL, &e), &e);
}

static uint64_t
keywords_of(struct mailbox *box, uint32_t uid)
{
	struct msg_rec rec;
	struct err e = ERR_INIT;

	MUST(mailbox_get(box, uid, &rec, &e), &e);
	mailbox_read_end(box);
	return rec.keywords;
}

/* More keywords than a name has letters: in a Maildir, and the same in an mbox, which has room for their names. */
static void
test_keywords(void **state)
{
	(void)state;
	for (int mbox = 0; mbox < 2; mbox++) {
		struct mailbox *box, *other;
		struct copy_result r;
		struct err e = ERR_INIT;
		uint32_t uids[] = { 1, 2, 3 };

		fixture_init(&f);
		if (mbox)
			f.conf.location = SPAN("mbox:~/mail:INBOX=~/inbox");
		fixture_open(&f);
		MUST(storage_create(f.st, SPAN("Copies"), false, &e), &e);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		for (unsigned i = 1; i <= 4; i++)
			save_numbered(box, i);
		sync_box(box, NULL);
		for (unsigned i = 0; i < KEYWORDS; i++) {
			store(box, 1, FLAGS_ADD, mask_of(box, i, true));
			if (i >= 20 && i % 3 == 0)
				store(box, 2, FLAGS_ADD, mask_of(box, i, true));
		}
		store(box, 3, FLAGS_ADD, mask_of(box, 50, false));
		MUST(storage_maintain(f.st, &e), &e);
		store(box, 1, FLAGS_REMOVE, mask_of(box, 40, false));
		store(box, 3, FLAGS_SET, mask_of(box, 1, false));
		MUST(storage_maintain(f.st, &e), &e);
		other = box_of(f.st, "Copies", MAILBOX_SAVE);
		MUST(mailbox_copy(box, uids, 2, other, false, f.a, &r, &e), &e);
		mailbox_close(other);
		mailbox_close(box);
		for (int i = 0; i < 3; i++) {
			box = box_of(f.st, "INBOX", MAILBOX_WRITE);
			sync_box(box, NULL);
			assert_false(mailbox_keywords_full(box));
			for (unsigned k = 0; k < KEYWORDS; k++) {
				uint64_t mask = mask_of(box, k, false);

				assert_int_equal((keywords_of(box, 1) & mask) != 0, k != 40);
				assert_int_equal((keywords_of(box, 2) & mask) != 0, k >= 20 && k % 3 == 0);
				assert_int_equal((keywords_of(box, 3) & mask) != 0, k == 1);
			}
			assert_int_equal(keywords_of(box, 4), 0);
			mailbox_close(box);
			box = box_of(f.st, "Copies", MAILBOX_WRITE);
			sync_box(box, NULL);
			for (unsigned k = 0; k < KEYWORDS; k++)
				assert_int_equal((keywords_of(box, 1) & mask_of(box, k, k == 40)) != 0, k != 40);
			check_counts(box);
			mailbox_close(box);
			reopen(i == 0);
		}
		fixture_clear(&f);
	}
}

static void
test_parse(void **state)
{
	static const char text[] = "culver-uids 1 77\n1:a/\n2:b/\n3:a/\n0:c/\n5:/\n6:x/y/\n7:cut\nx:q/\n4294967295:z/\n"
	    "8=ff/\n9=1/\n8=0/\n9=12345678901234567/\n9=g/\n\n10:d:2,S/\n11:e/";
	struct buf b = BUF_INIT(1000);
	struct uids u;

	(void)state;
	assert_true(uids_parse(span_str(text), &u));
	assert_true(uids_index(&u));
	assert_int_equal(u.uidvalidity, 77);
	assert_int_equal(u.highest, 6 - 3);
	assert_int_equal(uids_by_name(&u, SPAN("a")), 3);
	assert_int_equal(uids_by_name(&u, SPAN("b")), 2);
	assert_int_equal(uids_by_name(&u, SPAN("cut")), 0);
	assert_int_equal(uids_by_name(&u, SPAN("e")), 0);
	assert_int_equal(uids_by_name(&u, SPAN("")), 0);
	assert_int_equal(uids_keywords(&u, 8), 0);
	assert_int_equal(uids_keywords(&u, 9), 1);
	assert_int_equal(uids_keywords(&u, 10), 0);
	assert_int_equal(u.unsound, 9);
	uids_clear(&u);
	assert_false(uids_parse(SPAN("culver-uids 1 0\n"), &u));
	assert_false(uids_parse(SPAN("culver-uids 2 5\n"), &u));
	assert_false(uids_parse(SPAN(""), &u));
	assert_false(uids_put_name(&b, 1, SPAN("a\nb")));
	assert_false(uids_put_name(&b, 1, SPAN("")));
	assert_int_equal(b.n, 0);
	buf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_spoiled),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_unwritable),
		cmocka_unit_test(test_mailboxes),
		cmocka_unit_test(test_shrinks),
		cmocka_unit_test(test_keywords),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
