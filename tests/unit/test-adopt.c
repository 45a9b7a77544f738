/* SPDX-License-Identifier: MIT */
/* Maildirs that other servers wrote, made by hand; what real ones write is tried in tests/e2e/test_adopt.py. */
#include "storage-fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib-storage/release.h"

#define VALIDITY 1275660208u
#define LIST "3 V1275660208 N30 G3085f01b7f11094c501100008c4a11c1\\n"

static void
make_maildir(struct fixture *f)
{
	fixture_init(f);
	fixture_run(f, "mkdir -p Maildir/cur Maildir/new Maildir/tmp");
}

/* A message with its number in it. */
static void
put(struct fixture *f, const char *where, unsigned number)
{
	fixture_run(f, "printf 'Subject: Number %u\\n\\nbody\\n' > 'Maildir/%s'", number, where);
}

static void
expect(struct mailbox *box, uint32_t uid, unsigned number, const char *uidl)
{
	struct mailbox_names names;
	struct err e = ERR_INIT;

	struct span body;
	char text[32];

	snprintf(text, sizeof(text), "Number %u\n", number);
	MUST(mailbox_body(box, uid, &body, &e), &e);
	if (span_find(body, span_str(text)) == SIZE_MAX)
		fail_msg("message %u has not number %u", uid, number);
	MUST(mailbox_names(box, uid, true, &names, &e), &e);
	if (strcmp(names.uidl, uidl) != 0)
		fail_msg("message %u is called %s, not %s", uid, names.uidl, uidl);
	mailbox_read_end(box);
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

static struct mailbox *
open_inbox(struct fixture *f, uint32_t validity, uint32_t next)
{
	struct mailbox *box = box_of(f->st, "INBOX", MAILBOX_WRITE);
	struct mailbox_view_state vs;

	mailbox_view_state(box, &vs);
	if (validity != 0)
		assert_int_equal(vs.uidvalidity, validity);
	if (next != 0)
		assert_int_equal(vs.uidnext, next);
	return box;
}

static void
make_dovecot(struct fixture *f)
{
	make_maildir(f);
	put(f, "cur/100.a.host,S=24:2,S", 1);
	put(f, "cur/101.b.host,S=24:2,Fab", 2);
	put(f, "new/102.c.host", 3);
	put(f, "cur/103.d.host:2,", 4);
	put(f, "new/105.later.host", 6);
	put(f, "new/104.new.host", 5);
	fixture_run(f, "printf '" LIST "7 :100.a.host,S=24\\n9 P Gg.1 :101.b.host,S=24\\n20 Pold-uidl W27 S24 :102.c.host\\n"
	    "28 :103.d.host\\n' > Maildir/dovecot-uidlist");
	fixture_run(f, "printf '0 foo\\n1 $Bar\\n27 above\\n' > Maildir/dovecot-keywords");
	fixture_run(f, "printf '7fffffff' > Maildir/dovecot-uidvalidity");
}

static void
check_dovecot(struct fixture *f, uint32_t next)
{
	struct mailbox *box = open_inbox(f, VALIDITY, next);
	struct mailbox_names names;
	struct msg_rec rec;
	struct err e = ERR_INIT;
	const struct span *kw;

	assert_int_equal(mailbox_count(box), 6);
	expect(box, 7, 1, "");
	expect(box, 9, 2, "101.b.host,S=24");
	expect(box, 20, 3, "old-uidl");
	expect(box, 28, 4, "");
	expect(box, 30, 5, "");
	expect(box, 31, 6, "");
	assert_int_equal(mailbox_keywords(box, &kw), 2);
	assert_true(span_eq(kw[0], SPAN("foo")) && span_eq(kw[1], SPAN("$Bar")));
	assert_int_equal(keywords_of(box, 9), 3);
	assert_int_equal(flags_of(box, 9), MSG_FLAGGED);
	MUST(mailbox_get(box, 20, &rec, &e), &e);
	assert_int_equal(rec.size, 27);
	MUST(mailbox_names(box, 9, true, &names, &e), &e);
	assert_string_equal(names.guid, "g.1");
	assert_string_equal(names.file, "101.b.host,S=24");
	MUST(mailbox_names(box, 28, true, &names, &e), &e);
	assert_string_equal(names.guid, "103.d.host");
	check_counts(box);
	mailbox_close(box);
}

static void
test_dovecot(void **state)
{
	struct fixture f;

	(void)state;
	make_dovecot(&f);
	fixture_open(&f);
	check_dovecot(&f, 32);
	/* The list tells what names do not: the two that it does not have. */
	assert_int_equal(fixture_number(&f, "ls Maildir/cur Maildir/new | grep -c U=4c0907b0"), 2);
	assert_int_equal(fixture_number(&f, "grep -c V1275660208 Maildir/dovecot-uidlist || true"), 0);
	fixture_close(&f);
	/* All of it outlives the index. */
	fixture_lose_index(&f);
	fixture_open(&f);
	check_dovecot(&f, 0);
	fixture_close(&f);
	/* And the control file: no UID is given again. */
	fixture_lose_index(&f);
	fixture_run(&f, "rm Maildir/culver-mailbox");
	fixture_open(&f);
	check_dovecot(&f, 32 + 65536);
	fixture_clear(&f);
}

static void
test_version_1(void **state)
{
	struct fixture f;
	struct mailbox *box;

	(void)state;
	make_maildir(&f);
	put(&f, "cur/100.a.host:2,S", 1);
	put(&f, "cur/101.b.host:2,", 2);
	fixture_run(&f, "printf '1 1275660208 12\\n3 101.b.host:2,\\n5 gone\\n8 100.a.host\\n' > Maildir/dovecot-uidlist");
	fixture_open(&f);
	box = open_inbox(&f, VALIDITY, 12);
	expect(box, 3, 2, "");
	expect(box, 8, 1, "");
	assert_int_equal(mailbox_count(box), 2);
	mailbox_close(box);
	fixture_clear(&f);
}

/* What a process that died in the middle of taking over leaves. */
static void
test_interrupted(void **state)
{
	static const char *const crashes[] = {
		/* before the fence; before the control file; before the scan; when a name had got its UID */
		"cp list Maildir/dovecot-uidlist; rm Maildir/culver-mailbox",
		"rm Maildir/culver-mailbox",
		"true",
		"mv Maildir/cur/101.b.host,S=24:2,Fab Maildir/cur/101.b.host,S=24,U=4c0907b0.9:2,Fab",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++) {
		struct fixture f;

		make_dovecot(&f);
		fixture_run(&f, "cp Maildir/dovecot-uidlist list; mkdir copy; cp -a Maildir/cur Maildir/new copy/");
		fixture_open(&f);
		check_dovecot(&f, 32);
		fixture_close(&f);
		fixture_lose_index(&f);
		fixture_run(&f, "rm -r Maildir/cur Maildir/new; cp -a copy/cur copy/new Maildir/");
		fixture_run(&f, "%s", crashes[i]);
		fixture_open(&f);
		/* Where the control file stood, its mark counts for the two that the list does not know. */
		if (i < 2) {
			check_dovecot(&f, 32);
		} else {
			struct mailbox *box = open_inbox(&f, VALIDITY, 0);

			expect(box, 7, 1, "");
			expect(box, 9, 2, "101.b.host,S=24");
			expect(box, 20, 3, "old-uidl");
			expect(box, 28, 4, "");
			assert_int_equal(mailbox_count(box), 6);
			mailbox_close(box);
		}
		fixture_clear(&f);
	}
}

static void
test_damaged(void **state)
{
	static const struct { const char *list; uint32_t validity, uid_of_a, uid_of_b; } cases[] = {
		{ "", 0, 1, 2 },
		{ "garbage", 0, 1, 2 },
		{ "3 V12 N", 0, 1, 2 },
		{ "2 V12 N4\\n1 :100.a\\n", 0, 1, 2 },
		{ "3 V1275660208 N4\\n", VALIDITY, 4, 5 },
		{ "3 V1275660208 N4\\n3 :101.b\\n3 :100.a\\nx\\n", VALIDITY, 4, 3 },
		{ "3 V1275660208 N4\\n3 :101.b\\n9 :100.", VALIDITY, 4, 3 },
		{ "3 V1275660208 N4\\n4294967290 :100.a\\n2 :101.b\\n", VALIDITY, 4, 2 },
		{ "3 V1275660208 N4\\n1 :100.a\\n2 :100.a\\n", VALIDITY, 2, 4 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;
		struct mailbox *box;

		make_maildir(&f);
		put(&f, "cur/100.a:2,", 1);
		put(&f, "cur/101.b:2,", 2);
		fixture_run(&f, "printf '%s' > Maildir/dovecot-uidlist; printf '0 (\\nx\\n' > Maildir/dovecot-keywords", cases[i].list);
		fixture_open(&f);
		box = open_inbox(&f, cases[i].validity, 0);
		assert_int_equal(mailbox_count(box), 2);
		expect(box, cases[i].uid_of_a, 1, "");
		expect(box, cases[i].uid_of_b, 2, "");
		mailbox_close(box);
		fixture_clear(&f);
	}
	/* No plain file at all. */
	struct fixture f;
	struct mailbox *box;

	make_maildir(&f);
	put(&f, "cur/100.a:2,", 1);
	fixture_run(&f, "mkfifo Maildir/dovecot-uidlist; mkdir Maildir/courierimapuiddb Maildir/dovecot-keywords");
	fixture_open(&f);
	box = open_inbox(&f, 0, 2);
	expect(box, 1, 1, "");
	mailbox_close(box);
	fixture_clear(&f);
}

static void
test_courier(void **state)
{
	struct fixture f;
	struct mailbox *box;
	const struct span *kw;

	(void)state;
	make_maildir(&f);
	put(&f, "cur/100.a.host,S=24:2,S", 1);
	put(&f, "cur/101.b.host,S=24:2,", 2);
	put(&f, "cur/102.c.host,S=24:2,", 3);
	put(&f, "cur/103.d.host,S=24:2,", 4);
	fixture_run(&f, "printf '1 1275660208 12\\n4 100.a.host,S=24\\n6 101.b.host,S=24\\n11 103.d.host,S=24\\n' > Maildir/courierimapuiddb");
	fixture_run(&f, "printf '/3 9 777\\n100.a.host,S=24:2,S 27 3:777:0\\n101.b.host,S=24:2, 27 0:0:0\\n102.c.host,S=24:2, 27 8:0:0\\n'"
	    " > Maildir/courierpop3dsizelist");
	fixture_run(&f, "mkdir Maildir/courierimapkeywords; cd Maildir/courierimapkeywords; "
	    "printf 'Junk\\n$Label1\\n\\n100.a.host,S=24:0 1\\n101.b.host,S=24:0\\n' > :list;"
	    "printf 'Junk\\n' > .3.101.b.host,S=24; printf 'New\\n' > .12.101.b.host,S=24; : > .2.100.a.host,S=24;"
	    "printf '$Label1\\nNew\\n' > 100.a.host,S=24");
	fixture_run(&f, "printf 'INBOX\\nINBOX.Sent\\nINBOX.Gone.Deep\\n' > Maildir/courierimapsubscribed; mkdir -p Maildir/.Sent/cur");
	fixture_open(&f);
	for (int round = 0; round < 2; round++) {
		struct mailbox_info info;
		struct err e = ERR_INIT;

		box = open_inbox(&f, VALIDITY, round == 0 ? 13 : 0);
		assert_int_equal(mailbox_count(box), 4);
		expect(box, 4, 1, "UID3-777");
		expect(box, 6, 2, "101.b.host,S=24");
		expect(box, 11, 4, "");
		expect(box, 12, 3, "UID8");
		assert_int_equal(mailbox_keywords(box, &kw), 3);
		assert_true(span_eq(kw[0], SPAN("Junk")) && span_eq(kw[1], SPAN("$Label1")) && span_eq(kw[2], SPAN("New")));
		assert_int_equal(keywords_of(box, 4), 6);
		assert_int_equal(keywords_of(box, 6), 4);
		assert_int_equal(keywords_of(box, 12), 0);
		mailbox_close(box);
		MUST(storage_mailbox_info(f.st, SPAN("Sent"), &info, &e), &e);
		assert_true(info.attrs & MBOX_SUBSCRIBED);
		MUST(storage_mailbox_info(f.st, SPAN("Gone.Deep"), &info, &e), &e);
		assert_true(info.attrs & MBOX_SUBSCRIBED);
		if (round == 0) {
			MUST(storage_subscribe(f.st, SPAN("Gone.Deep"), true, &e), &e);
			fixture_close(&f);
			fixture_lose_index(&f);
			fixture_open(&f);
		}
	}
	assert_int_equal(fixture_number(&f, "ls Maildir | grep -c '^courier.*adopted$'"), 2);
	fixture_clear(&f);
}

/* Courier's POP3 alone was used. */
static void
test_courier_pop3(void **state)
{
	struct fixture f;
	struct mailbox *box;

	(void)state;
	make_maildir(&f);
	put(&f, "cur/100.a.host:2,", 1);
	put(&f, "new/101.b.host", 2);
	put(&f, "new/102.c.host", 3);
	fixture_run(&f, "printf '/2 9 777\\n100.a.host 27 3:777\\n101.b.host 27 4:777\\n' > Maildir/courierpop3dsizelist");
	fixture_open(&f);
	box = open_inbox(&f, 0, 4);
	expect(box, 1, 1, "UID3-777");
	expect(box, 2, 2, "UID4-777");
	expect(box, 3, 3, "");
	mailbox_close(box);
	fixture_clear(&f);
}

struct told {
	unsigned count;
	enum held_by by;
	struct release_report last;
};

static bool
on_mailbox(void *ctx, struct span name, enum held_by by, const struct release_report *report)
{
	struct told *t = ctx;

	(void)name;
	t->count++;
	t->by = by;
	t->last = *report;
	return true;
}

static const struct release_options plain = { .uidl = { .format = { "%08Xu%08Xv", 10 } } };

static void
test_release(void **state)
{
	struct fixture f;
	struct mailbox *box;
	struct mailbox_view_state vs;
	struct told told = { 0 };
	struct err e = ERR_INIT;
	uint32_t id;

	(void)state;
	make_dovecot(&f);
	fixture_open(&f);
	check_dovecot(&f, 32);
	box = open_inbox(&f, VALIDITY, 32);
	mailbox_view_state(box, &vs);
	id = vs.mailbox_id;
	add_flags(box, 30, MSG_SEEN);	/* still to be written behind */
	assert_int_equal(save_numbered(box, 7), 32);
	expunge_uid(box, 32);
	mailbox_close(box);
	/* Nothing is written by a dry run. */
	struct release_options dry = plain;

	dry.dry_run = true;
	MUST(storage_release(f.st, &dry, on_mailbox, &told, &e), &e);
	assert_int_equal(told.count, 1);
	assert_int_equal(told.last.messages, 6);
	assert_int_equal(fixture_number(&f, "grep -c V1275660208 Maildir/dovecot-uidlist || true"), 0);
	MUST(storage_release(f.st, &plain, on_mailbox, &told, &e), &e);
	assert_int_equal(told.last.uidnext, 33);
	assert_int_equal(fixture_number(&f, "grep -c '^3 V1275660208 N33 G3085f01b7f11094c501100008c4a11c1$' Maildir/dovecot-uidlist"), 1);
	assert_int_equal(fixture_number(&f, "grep -c '^9 Gg.1 P101.b.host,S=24 :101.b.host,S=24$' Maildir/dovecot-uidlist"), 1);
	assert_int_equal(fixture_number(&f, "grep -c '^20 Pold-uidl :102.c.host$' Maildir/dovecot-uidlist"), 1);
	assert_int_equal(fixture_number(&f, "grep -c '^30 G104.new.host .*:104.new.host,U=4c0907b0.30$' Maildir/dovecot-uidlist"), 1);
	assert_int_equal(fixture_number(&f, "ls Maildir/cur | grep -c '104.new.host,U=4c0907b0.30:2,S'"), 1);
	assert_int_equal(fixture_number(&f, "ls Maildir | grep -c -e culver-mailbox$ -e culver-uidlist || true"), 0);
	/* Nobody takes it back by opening it, nor makes an index. */
	assert_int_equal(mailbox_open(f.st, SPAN("INBOX"), MAILBOX_WRITE, &box, &e), -1);
	assert_int_equal(e.code, ERR_INUSE);
	fixture_close(&f);
	assert_int_equal(storage_open_conf(&f.conf, -1, &f.st, &e), -1);
	assert_int_equal(e.code, ERR_INUSE);
	assert_int_equal(fixture_number(&f, "ls Maildir | grep -c culver.index || true"), 0);
	f.conf.released_too = true;
	fixture_open(&f);
	assert_int_equal(mailbox_open(f.st, SPAN("INBOX"), MAILBOX_SAVE, &box, &e), -1);
	/* Released again: there is nothing to do. */
	MUST(storage_release(f.st, &plain, on_mailbox, &told, &e), &e);
	assert_int_equal(told.by, HELD_RELEASED);
	/* Meanwhile Dovecot expunges one, and gets one. */
	fixture_run(&f, "rm Maildir/cur/103.d.host*; sed -i '/^28 /d; s/N33/N34/' Maildir/dovecot-uidlist; "
	    "echo '33 :200.x.host' >> Maildir/dovecot-uidlist; echo '2 More' >> Maildir/dovecot-keywords");
	put(&f, "cur/200.x.host:2,c", 9);
	MUST(storage_adopt(f.st, false, on_mailbox, &told, &e), &e);
	assert_int_equal(told.by, HELD_BY_DOVECOT);
	box = open_inbox(&f, VALIDITY, 34);
	mailbox_view_state(box, &vs);
	assert_int_equal(vs.mailbox_id, id);
	assert_int_equal(mailbox_count(box), 6);
	expect(box, 9, 2, "101.b.host,S=24");
	expect(box, 20, 3, "old-uidl");
	expect(box, 30, 5, "");
	expect(box, 33, 9, "");
	assert_int_equal(keywords_of(box, 33), 4);
	mailbox_close(box);
	fixture_clear(&f);
}

static void
test_release_file_names(void **state)
{
	struct release_options o = { .uidl = { .format = { "%f", 2 } } };
	struct fixture f;
	struct told told = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	make_dovecot(&f);
	fixture_open(&f);
	check_dovecot(&f, 32);
	MUST(storage_release(f.st, &o, on_mailbox, &told, &e), &e);
	assert_int_equal(fixture_number(&f, "grep -c '^28 P103.d.host :103.d.host$' Maildir/dovecot-uidlist"), 1);
	assert_int_equal(fixture_number(&f, "grep -c '^30 G104.new.host P104.new.host :' Maildir/dovecot-uidlist"), 1);
	fixture_clear(&f);
}

/* A release that died after Dovecot's list was there: the mailbox is still ours, and Dovecot's list is no list any more. */
static void
test_release_interrupted(void **state)
{
	struct fixture f;
	struct mailbox *box;
	struct told told = { 0 };
	struct err e = ERR_INIT;

	(void)state;
	make_dovecot(&f);
	fixture_open(&f);
	check_dovecot(&f, 32);
	fixture_run(&f, "cp Maildir/culver-mailbox Maildir/culver-uidlist .");
	MUST(storage_release(f.st, &plain, on_mailbox, &told, &e), &e);
	fixture_run(&f, "mv culver-mailbox culver-uidlist Maildir; rm Maildir/culver-mailbox.released");
	box = open_inbox(&f, VALIDITY, 0);
	expect(box, 20, 3, "old-uidl");
	expect(box, 30, 5, "");
	assert_true(save_numbered(box, 8) >= 32);
	assert_int_equal(fixture_number(&f, "grep -c V1275660208 Maildir/dovecot-uidlist || true"), 0);
	assert_int_equal(fixture_number(&f, "wc -l < Maildir/dovecot-uidlist"), 1);
	mailbox_close(box);
	MUST(storage_release(f.st, &plain, on_mailbox, &told, &e), &e);
	assert_int_equal(fixture_number(&f, "grep -c 'V1275660208' Maildir/dovecot-uidlist"), 1);
	fixture_clear(&f);
}

/* Dovecot was started on the mailbox without a release: its numbers are its own. */
static void
test_not_released(void **state)
{
	struct fixture f;
	struct mailbox *box;
	const struct span *kw;

	(void)state;
	make_dovecot(&f);
	fixture_open(&f);
	check_dovecot(&f, 32);
	for (int lose = 0; lose < 2; lose++) {
		fixture_close(&f);
		if (lose == 1)
			fixture_lose_index(&f);
		fixture_run(&f, "n=1; sleep 0.01; for x in Maildir/cur/*; do echo \"$n :$(basename $x)\" >> Maildir/dovecot-uidlist; "
		    "n=$((n+1)); done; echo '%d More%d' >> Maildir/dovecot-keywords", 2 + lose, lose);
		put(&f, lose == 0 ? "cur/300.x.host:2,c" : "new/301.x.host", (unsigned)(10 + lose));
		fixture_open(&f);
		box = open_inbox(&f, VALIDITY, 0);
		expect(box, 7, 1, "");
		expect(box, 20, 3, "old-uidl");
		assert_int_equal(mailbox_count(box), (uint32_t)(7 + lose));
		if (lose == 0) {
			expect(box, 32, 10, "");
			assert_int_equal(keywords_of(box, 32), 4);
			assert_true(mailbox_keywords(box, &kw) == 3 && span_eq(kw[2], SPAN("More0")));
		}
		mailbox_close(box);
	}
	fixture_clear(&f);
}

static void
test_save_uidls(void **state)
{
	struct mailbox_uidl list[] = { { 7, SPAN("saved-7") }, { 20, SPAN("not-saved") }, { 30, SPAN("saved-30") } };
	struct fixture f;
	struct mailbox *box;
	struct err e = ERR_INIT;
	struct mailbox_names names;

	(void)state;
	make_dovecot(&f);
	fixture_open(&f);
	box = open_inbox(&f, VALIDITY, 32);
	MUST(mailbox_save_uidls(box, list, 1, &e), &e);
	MUST(mailbox_save_uidls(box, list + 2, 1, &e), &e);
	for (int round = 0; round < 2; round++) {
		expect(box, 7, 1, "saved-7");
		expect(box, 20, 3, "old-uidl");
		expect(box, 30, 5, "saved-30");
		MUST(mailbox_names(box, 9, true, &names, &e), &e);
		assert_string_equal(names.guid, "g.1");
		mailbox_close(box);
		fixture_close(&f);
		fixture_lose_index(&f);
		fixture_open(&f);
		box = open_inbox(&f, VALIDITY, 0);
	}
	mailbox_close(box);
	/* In a mailbox that was always ours. */
	MUST(storage_create(f.st, SPAN("Own"), false, &e), &e);
	box = box_of(f.st, "Own", MAILBOX_WRITE);
	save_numbered(box, 1);
	save_numbered(box, 2);
	list[0].uid = 2;
	MUST(mailbox_save_uidls(box, list, 1, &e), &e);
	sync_box(box, NULL);
	expect(box, 2, 2, "saved-7");
	mailbox_close(box);
	fixture_close(&f);
	fixture_lose_index(&f);
	fixture_open(&f);
	box = box_of(f.st, "Own", MAILBOX_WRITE);
	expect(box, 1, 1, "");
	expect(box, 2, 2, "saved-7");
	mailbox_close(box);
	fixture_clear(&f);
}

static unsigned
flags_and_keywords(struct mailbox *box, uint32_t uid)
{
	assert_int_equal(keywords_of(box, uid), 0);
	return flags_of(box, uid);
}

/* $Forwarded is a flag of ours, P in names, and a keyword with a letter to Dovecot. */
static void
test_forwarded(void **state)
{
	static const uint32_t uids[] = { 11, 12 };
	struct flag_change off = { .op = FLAGS_REMOVE, .flags = MSG_PASSED };
	const struct span *kw;
	struct told told = { 0 };
	struct copy_result r;
	struct fixture f;
	struct mailbox *box, *other;
	struct err e = ERR_INIT;

	(void)state;
	make_maildir(&f);
	put(&f, "cur/100.a.host:2,a", 1);
	put(&f, "cur/101.b.host:2,Sab", 2);
	put(&f, "cur/102.c.host:2,", 3);
	fixture_run(&f, "printf '0 $forwarded\\n1 x\\n' > Maildir/dovecot-keywords");
	fixture_run(&f, "printf '" LIST "11 :100.a.host\\n12 :101.b.host\\n13 :102.c.host\\n' > Maildir/dovecot-uidlist");
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	assert_int_equal(flags_and_keywords(box, 11), MSG_PASSED);
	assert_int_equal(flags_of(box, 12), MSG_PASSED | MSG_SEEN);
	assert_int_equal(keywords_of(box, 12), 2);
	/* It is not listed twice. */
	assert_int_equal(mailbox_keywords(box, &kw), 2);
	assert_int_equal(kw[0].n, 0);
	MUST(storage_create(f.st, SPAN("Other"), false, &e), &e);
	other = box_of(f.st, "Other", MAILBOX_WRITE);
	MUST(mailbox_copy(box, uids, 1, other, false, f.a, &r, &e), &e);
	sync_box(other, NULL);
	assert_int_equal(flags_and_keywords(other, 1), MSG_PASSED);
	mailbox_close(other);
	MUST(mailbox_store(box, uids, 1, &off, f.a, NULL, NULL, &e), &e);
	assert_int_equal(flags_and_keywords(box, 11), 0);
	add_flags(box, 13, MSG_PASSED);
	mailbox_close(box);
	MUST(storage_release(f.st, &plain, on_mailbox, &told, &e), &e);
	fixture_run(&f, "ls Maildir/cur > names; grep -q '^100.a.host.*:2,$' names && grep -q ':2,Sab$' names && "
	    "grep -q '^102.*:2,a$' names || { cat names; false; }");
	fixture_run(&f, "grep -q '^0 .forwarded$' Maildir/dovecot-keywords && grep -q '^0 .Forwarded$' Maildir/.Other/dovecot-keywords");
	fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dovecot),
		cmocka_unit_test(test_version_1),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_courier),
		cmocka_unit_test(test_courier_pop3),
		cmocka_unit_test(test_release),
		cmocka_unit_test(test_release_file_names),
		cmocka_unit_test(test_release_interrupted),
		cmocka_unit_test(test_not_released),
		cmocka_unit_test(test_save_uidls),
		cmocka_unit_test(test_forwarded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
