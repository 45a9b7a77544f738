/* SPDX-License-Identifier: MIT */
/* What scrub finds in mail, names, control files and summaries, and what it puts right; damage of the index: test-index-check. */
#include "storage-fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib-storage/resync.h"
#include "lib-storage/scrub.h"

#define COUNT 8

struct seen {
	const char *want;
	size_t hits, repaired;
};

static void
on_problem(void *ctx, struct span name, const char *text, bool repaired)
{
	struct seen *s = ctx;

	assert_true(name.n == 0 || span_eq(name, SPAN("INBOX")));
	s->hits += s->want != NULL && strstr(text, s->want) != NULL;
	s->repaired += repaired;
	if (getenv("SCRUB_LOG") != NULL)
		print_message("%.*s: %s%s\n", SPAN_ARG(name), text, repaired ? " (repaired)" : "");
}

/* All of INBOX; the number of problems.  want: one of them must say so. */
static size_t
scrub(struct fixture *f, bool repair, const char *want)
{
	struct scrub_result r = { 0 };
	struct seen s = { .want = want };
	struct err e = ERR_INIT;

	MUST(storage_scrub_index(f->st, repair, on_problem, &s, &r, &e), &e);
	MUST(storage_scrub(f->st, SPAN("INBOX"), repair, on_problem, &s, &r, &e), &e);
	assert_int_equal(r.mailboxes, 1);
	assert_int_equal(r.repaired, s.repaired);
	if (want != NULL && s.hits == 0)
		fail_msg("\"%s\" was not found", want);
	return r.problems;
}

/* A body of so many lines besides. */
static void
fill_with(struct fixture *f, unsigned lines)
{
	struct buf text = BUF_INIT(65536);
	struct mailbox *box;
	struct err e = ERR_INIT;
	char id[33];

	fixture_open(f);
	box = box_of(f->st, "INBOX", MAILBOX_WRITE);
	for (unsigned i = 1; i <= COUNT; i++) {
		buf_reset(&text);
		buf_addf(&text, "From: a@example.org\r\nSubject: Number %u\r\n\r\nBody %u\r\n", i, i);
		for (unsigned k = 0; k < lines; k++)
			buf_adds(&text, "One of many lines\r\n");
		save_text(box, buf_cstr(&text), 0);
	}
	buf_clear(&text);
	sync_box(box, NULL);
	add_flags(box, 3, MSG_SEEN);
	/* Content digests are there when somebody has asked for them. */
	for (uint32_t uid = 1; uid <= COUNT; uid++)
		MUST(mailbox_email_id(box, uid, id, &e), &e);
	mailbox_close(box);
	assert_int_equal(scrub(f, false, NULL), 0);
}

static void
fill(struct fixture *f)
{
	fill_with(f, 0);
}

/* The summary and the size of message 4 are made those of another. */
static void
falsify(struct fixture *f)
{
	struct mailbox *box = box_of(f->st, "INBOX", MAILBOX_SAVE);
	char copy[4096], name[INDEX_FILE_NAME_MAX];
	struct idx_message m;
	struct idx_state st;
	struct index_txn *t;
	struct err e = ERR_INIT;
	struct span v;

	MUST(index_write(box->store->ix, &t, &e), &e);
	assert_int_equal(index_summary_get(t, box->id, 5, &v, &e), 1);
	assert_true(v.n <= sizeof(copy));
	memcpy(copy, v.p, v.n);
	MUST(index_summary_put(t, box->id, 4, span_of(copy, v.n), &e), &e);
	assert_int_equal(index_message_get(t, box->id, 4, &m, &e), 1);
	memcpy(name, m.name.p, m.name.n);
	m.name.p = name;
	m.size += 5;
	MUST(index_message_put(t, box->id, 4, &m, &e), &e);
	assert_int_equal(index_state_get(t, box->id, &st, &e), 1);
	st.bytes += 5;
	MUST(index_state_put(t, &st, &e), &e);
	MUST(index_commit(t, &e), &e);
	mailbox_close(box);
}

static void
check_all(struct fixture *f)
{
	struct mailbox *box = box_of(f->st, "INBOX", MAILBOX_READ);

	assert_int_equal(mailbox_count(box), COUNT);
	for (uint32_t seq = 1; seq <= COUNT; seq++)
		assert_int_equal(number_of(box, mailbox_uid(box, seq)), seq);
	check_counts(box);
	mailbox_close(box);
}

static void
test_index_against_mail(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fill(&f);
	falsify(&f);
	assert_int_equal(scrub(&f, false, "message 4: its summary is not that of the message"), 2);
	assert_int_equal(scrub(&f, false, "message 4: RFC822.SIZE is"), 2);
	assert_int_equal(scrub(&f, true, NULL), 2);
	assert_int_equal(scrub(&f, false, NULL), 0);
	check_all(&f);
	fixture_clear(&f);
}

/* Other octets of the same number: nothing but the digest can tell. */
static void
test_rot(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fill(&f);
	fixture_run(&f, "f=$(ls Maildir/new/*.6) && sed -i 's/Number/Nubmer/' $f");
	assert_true(scrub(&f, false, "message 6: its content is not what it was") >= 1);
	/* The mail itself is never touched. */
	scrub(&f, true, NULL);
	assert_true(scrub(&f, false, "message 6: its content is not what it was") >= 1);
	fixture_run(&f, "f=$(ls Maildir/new/*.6) && sed -i 's/Nubmer/Number/' $f");
	assert_int_equal(scrub(&f, true, NULL), scrub(&f, false, NULL));
	assert_int_equal(scrub(&f, false, NULL), 0);
	fixture_clear(&f);
}

static void
test_files(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fill(&f);
	/* What another program does is no problem, but what it does unseen is one. */
	fixture_run(&f, "printf 'Subject: outside\\n\\ntext\\n' > Maildir/new/1600000000.outside");
	assert_int_equal(scrub(&f, false, NULL), 0);
	fixture_run(&f, "touch -r Maildir/new stamp && f=$(ls Maildir/new/*.7) && mv $f $(echo $f | sed 's/\\.7$/.99/') && "
	    "touch -r stamp Maildir/new");
	assert_true(scrub(&f, false, "is not in the index") >= 2);
	/* Whoever misses a file looks at the whole directory. */
	assert_int_equal(scrub(&f, false, NULL), 0);
	fixture_run(&f, "echo more >> $(ls Maildir/new/*.5)");
	assert_true(scrub(&f, false, "message 5: its file") >= 1);
	fixture_clear(&f);
}

static void
test_control(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fill(&f);
	fixture_run(&f, "sed -i 's/^uid-reserved .*/uid-reserved 4/' Maildir/culver-mailbox");
	assert_int_equal(scrub(&f, false, "UIDs are reserved up to 4"), 1);
	assert_int_equal(scrub(&f, true, NULL), 1);
	assert_int_equal(scrub(&f, false, NULL), 0);
	fixture_run(&f, "sed -i 's/^modseq-reserved .*/modseq-reserved 2/' Maildir/culver-mailbox");
	assert_int_equal(scrub(&f, true, "modseqs are reserved up to 2"), 1);
	assert_int_equal(scrub(&f, false, NULL), 0);
	fixture_run(&f, "rm Maildir/culver-mailbox");
	assert_int_equal(scrub(&f, true, "the control file is missing"), 1);
	assert_int_equal(scrub(&f, false, NULL), 0);
	fixture_run(&f, "sed -i 's/^id .*/id 77/' Maildir/culver-mailbox");
	assert_int_equal(scrub(&f, false, "the mailbox's id is 77"), 1);
	check_all(&f);
	fixture_clear(&f);
}

/* The names of keywords: what only the control file has, nobody has used yet. */
static void
test_keywords(void **state)
{
	struct span name = SPAN("Label"), value;
	struct flag_change fc = { .op = FLAGS_ADD };
	struct fixture f;
	struct mailbox *box;
	struct index_txn *t;
	uint32_t uid = 2;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	fill(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	MUST(mailbox_keyword_mask(box, &name, 1, true, &fc.keywords, &e), &e);
	MUST(mailbox_store(box, &uid, 1, &fc, NULL, NULL, NULL, &e), &e);
	assert_int_equal(scrub(&f, false, NULL), 0);
	MUST(index_write(box->store->ix, &t, &e), &e);
	MUST(index_keywords_put(t, box->id, SPAN_NONE, &e), &e);
	MUST(index_commit(t, &e), &e);
	assert_int_equal(scrub(&f, false, NULL), 0);
	MUST(index_write(box->store->ix, &t, &e), &e);
	MUST(index_keywords_put(t, box->id, span_of("Other", 6), &e), &e);
	MUST(index_commit(t, &e), &e);
	assert_int_equal(scrub(&f, false, "the names of keywords"), 1);
	assert_int_equal(scrub(&f, true, NULL), 1);
	assert_int_equal(scrub(&f, false, NULL), 0);
	MUST(index_read(box->store->ix, &t, &e), &e);
	assert_int_equal(index_keywords_get(t, box->id, &value, &e), 1);
	assert_true(span_eq(value, span_of("Label", 6)));
	mailbox_close(box);
	fixture_clear(&f);
}

/* Compressed mail, whoever wrote it: what is compared is the plain message. */
static void
test_packed(void **state)
{
	static const enum pack_kind kinds[] = { PACK_GZIP, PACK_ZSTD };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fixture f;

		fixture_init(&f);
		f.conf.pack = kinds[i];
		fill_with(&f, 100);
		assert_int_equal(fixture_number(&f, "find Maildir/new Maildir/cur -type f -size -500c | wc -l"), COUNT);
		falsify(&f);
		assert_int_equal(scrub(&f, false, "message 4: its summary is not that of the message"), 2);
		assert_int_equal(scrub(&f, true, "message 4: RFC822.SIZE is"), 2);
		assert_int_equal(scrub(&f, false, NULL), 0);
		check_all(&f);
		/* Of another program, which says nothing of sizes. */
		fixture_run(&f, "printf 'Subject: outside\\n\\ntext\\n' | %s > Maildir/new/1600000000.outside,S=23",
		    i == 0 ? "gzip" : "zstd -q");
		assert_int_equal(scrub(&f, false, NULL), 0);
		fixture_run(&f, "rm Maildir/new/1600000000.outside*");
		assert_int_equal(scrub(&f, false, NULL), 0);
		/* Other content, and a file of which the end is missing. */
		fixture_run(&f, "f=$(ls Maildir/new/*.6) && touch -r $f stamp && %s -dc < $f | sed 's/Number/Nubmer/' | %s > x && "
		    "cat x > $f && touch -r stamp $f", i == 0 ? "gzip" : "zstd", i == 0 ? "gzip" : "zstd -q");
		assert_true(scrub(&f, false, "message 6: its content is not what it was") >= 1);
		fixture_run(&f, "f=$(ls Maildir/new/*.7) && truncate -s -9 $f");
		assert_true(scrub(&f, false, "message 7: it can not be read") >= 1);
		fixture_clear(&f);
	}
}

/* The same for the other driver. */
static void
test_mbox(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	f.conf.location = SPAN("mbox:~/mail:INBOX=~/inbox");
	fill(&f);
	falsify(&f);
	assert_int_equal(scrub(&f, false, "message 4: its summary is not that of the message"), 2);
	assert_int_equal(scrub(&f, true, NULL), 2);
	assert_int_equal(scrub(&f, false, NULL), 0);
	check_all(&f);
	fixture_clear(&f);
}

/* All that the index knows thrown away: the same UIDs, flags and UIDVALIDITY. */
static void
test_rebuild(void **state)
{
	struct fixture f;
	struct mailbox_status before, after;
	struct mailbox *box;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	fill(&f);
	MUST(storage_status(f.st, SPAN("INBOX"), STATUS_MESSAGES, &before, &e), &e);
	MUST(storage_rebuild(f.st, SPAN("INBOX"), &e), &e);
	MUST(storage_status(f.st, SPAN("INBOX"), STATUS_MESSAGES, &after, &e), &e);
	assert_int_equal(before.uidvalidity, after.uidvalidity);
	assert_int_equal(before.uidnext, after.uidnext);
	assert_true(after.highestmodseq > before.highestmodseq);
	assert_int_equal(scrub(&f, false, NULL), 0);
	check_all(&f);
	box = box_of(f.st, "INBOX", MAILBOX_READ);
	assert_int_equal(flags_of(box, 3), MSG_SEEN);
	mailbox_close(box);
	fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index_against_mail),
		cmocka_unit_test(test_rot),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_control),
		cmocka_unit_test(test_keywords),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_mbox),
		cmocka_unit_test(test_rebuild),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
