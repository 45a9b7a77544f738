/* SPDX-License-Identifier: MIT */
#include "storage-fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib-mail/crlf.h"

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

/* What goes in with CRLF comes out octet for octet, however it is cut; sizes are those of what comes out. */
static void
test_line_ends(void **state)
{
	static const struct {
		const char *in, *stored;
	} cases[] = {
		{ "a: b\r\n\r\nx\r\n", "a: b\n\nx\n" },
		{ "a: b\n\nx\n", "a: b\n\nx\n" },
		{ "a: b\r\n\r\nno end", "a: b\n\nno end" },
		{ "a: b\r\n\r\nbare\rcr\r\n", "a: b\n\nbare\rcr\n" },
		{ "a: b\r\n\r\ntwo\r\r\nx\r\r\r\n", "a: b\n\ntwo\r\r\nx\r\r\r\n" },
		{ "a: b\r\n\r\nend\r", "a: b\n\nend\r" },
		{ "\r\n", "\n" },
		{ "", "" },
	};
	struct fixture f;
	struct mailbox *box;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span in = span_str(cases[i].in), body;

		for (size_t cut = 0; cut <= in.n; cut++) {
			struct save_params p = { .internal_date = 1000000000 };
			struct saver *s;
			struct uid_list uids;
			struct msg_rec rec;
			struct buf out = BUF_INIT(1000);
			uint32_t validity;

			MUST(saver_new(box, &s, &e), &e);
			MUST(saver_begin(s, &p, &e), &e);
			MUST(saver_write(s, span_sub(in, 0, cut), &e), &e);
			MUST(saver_write(s, span_from(in, cut), &e), &e);
			MUST(saver_finish(s, &e), &e);
			MUST(saver_commit(s, f.a, &validity, &uids, &e), &e);
			saver_free(s);
			MUST(mailbox_body(box, uids.uids[0], &body, &e), &e);
			assert_true(span_eq(body, span_str(cases[i].stored)));
			crlf_add(&out, body);
			MUST(mailbox_get(box, uids.uids[0], &rec, &e), &e);
			assert_int_equal(rec.size, out.n);
			assert_int_equal(rec.physical_size, body.n);
			assert_int_equal(rec.internal_date, 1000000000);
			buf_clear(&out);
		}
	}
	check_counts(box);
	mailbox_close(box);
	fixture_clear(&f);
}

/* Larger than what is held in memory; several at once; all or none. */
static void
test_many_and_large(void **state)
{
	struct fixture f;
	struct mailbox *box;
	struct save_params p = { .internal_date = INT64_MIN };
	struct saver *s;
	struct uid_list uids;
	struct summary_view sum;
	struct span body;
	struct err e = ERR_INIT;
	uint32_t validity;
	char line[1002];

	(void)state;
	memset(line, 'x', 1000);
	memcpy(line + 1000, "\r\n", 2);
	fixture_init(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	for (int round = 0; round < 2; round++) {
		MUST(saver_new(box, &s, &e), &e);
		for (int i = 0; i < 3; i++) {
			MUST(saver_begin(s, &p, &e), &e);
			MUST(saver_write(s, SPAN("Subject: Large\r\n\r\n"), &e), &e);
			for (int k = 0; k < 5000 * i; k++)
				MUST(saver_write(s, span_of(line, 1002), &e), &e);
			MUST(saver_finish(s, &e), &e);
		}
		assert_int_equal(fixture_number(&f, "ls Maildir/tmp | wc -l"), 3);
		if (round == 1)
			MUST(saver_commit(s, f.a, &validity, &uids, &e), &e);
		saver_free(s);
		assert_int_equal(fixture_number(&f, "ls Maildir/tmp | wc -l"), 0);
		assert_int_equal(fixture_number(&f, "ls Maildir/new | wc -l"), round * 3);
	}
	MUST(mailbox_body(box, 3, &body, &e), &e);
	assert_int_equal(body.n, 16 + 10000 * 1001);
	MUST(mailbox_summary(box, 3, NEED_HEADER | NEED_STRUCTURE, &sum, &e), &e);
	assert_int_equal(sum.virtual_size, 18 + 10000 * 1002);
	check_counts(box);
	mailbox_close(box);
	fixture_clear(&f);
}

/* A file system that is full, as a limit on the size of files makes it: refused, and nothing half-written is left. */
static void
test_full(void **state)
{
	struct fixture f;
	pid_t pid;
	int status;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	mailbox_close(box_of(f.st, "INBOX", MAILBOX_WRITE));
	fixture_close(&f);
	for (unsigned kind = 0; kind < 2; kind++) {
		pid = fork();
		if (pid == 0) {
			struct rlimit limit = { kind == 0 ? 65536 : 8192, RLIM_INFINITY };
			struct save_params p = { .internal_date = INT64_MIN };
			struct arena *a = arena_new(65536);
			struct mailbox *box;
			struct saver *s;
			struct uid_list uids;
			struct err e = ERR_INIT;
			uint32_t validity;
			char text[2000] = "";
			int rc;

			signal(SIGXFSZ, SIG_IGN);
			fixture_open(&f);
			box = box_of(f.st, "INBOX", MAILBOX_SAVE);
			setrlimit(RLIMIT_FSIZE, &limit);
			rc = saver_new(box, &s, &e);
			if (rc == 0)
				rc = saver_begin(s, &p, &e);
			for (unsigned i = 0; i < (kind == 0 ? 500 : 1) && rc == 0; i++)
				rc = saver_write(s, span_of(text, sizeof(text)), &e);
			if (rc == 0)
				rc = saver_finish(s, &e);
			if (rc == 0)
				rc = saver_commit(s, a, &validity, &uids, &e);
			saver_free(s);
			_exit(rc == -1 && e.code == ERR_QUOTA ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_int_equal(fixture_number(&f, "ls Maildir/tmp Maildir/new Maildir/cur | grep -c -e culver -e U="), 0);
	}
	fixture_open(&f);
	struct mailbox *box = box_of(f.st, "INBOX", MAILBOX_WRITE);

	assert_int_equal(mailbox_count(box), 0);
	save_numbered(box, 1);
	sync_box(box, NULL);
	assert_int_equal(number_of(box, mailbox_uid(box, 1)), 1);
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
	assert_true(after.highestmodseq >= before.highestmodseq);
	assert_int_equal(mailbox_count(box), 9);
	assert_int_equal(flags_of(box, 4), MSG_FLAGGED);
	check_counts(box);
	mailbox_close(box);
	fixture_clear(&f);
}

/* A process died between its rename and its commit: its file has the UID that the next message was given, too. */
static void
test_uid_of_the_dead(void **state)
{
	struct fixture f;
	struct mailbox *box;
	struct mailbox_view_state vs;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	save_numbered(box, 1);
	mailbox_view_state(box, &vs);
	fixture_run(&f, "printf 'From: a@example.org\\nSubject: Number 7\\n\\n' "
	    "> Maildir/new/1700000000.M1P1.host,U=%08x.2", vs.uidvalidity);
	assert_int_equal(save_numbered(box, 2), 2);
	mailbox_close(box);
	fixture_close(&f);
	fixture_lose_index(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	assert_int_equal(mailbox_count(box), 3);
	assert_int_equal(number_of(box, 2), 2);
	assert_int_equal(number_of(box, mailbox_uid(box, 3)), 7);
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

/* EXPUNGE takes what is flagged: what this session has flagged, what another has, and nothing that it was not told of. */
static void
test_expunge_finds(void **state)
{
	struct mailbox *box, *other;
	struct fixture f;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	for (unsigned i = 1; i <= 100; i++)
		save_numbered(box, i);
	sync_box(box, NULL);
	MUST(mailbox_expunge(box, NULL, 0, false, &e), &e);
	other = box_of(fixture_storage(&f), "INBOX", MAILBOX_WRITE);
	/* Its own alone. */
	add_flags(box, 7, MSG_DELETED);
	add_flags(box, 3, MSG_DELETED);
	add_flags(box, 7, MSG_DELETED);
	MUST(mailbox_expunge(box, NULL, 0, false, &e), &e);
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), 98);
	/* Another's as well; not one that it has not seen. */
	add_flags(box, 10, MSG_DELETED);
	sync_box(other, NULL);
	add_flags(other, 20, MSG_DELETED);
	save_text(other, "Subject: Number 101\r\n\r\n", MSG_DELETED);
	MUST(mailbox_expunge(box, NULL, 0, false, &e), &e);
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), 97);
	assert_int_equal(mailbox_seq(box, 10), 0);
	assert_int_equal(mailbox_seq(box, 20), 0);
	assert_int_not_equal(mailbox_seq(box, 101), 0);
	/* More than are remembered. */
	for (uint32_t uid = 21; uid <= 95; uid++)
		add_flags(box, uid, MSG_DELETED);
	MUST(mailbox_expunge(box, NULL, 0, false, &e), &e);
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), 97 - 75 - 1);
	check_counts(box);
	mailbox_close(other);
	mailbox_close(box);
	fixture_clear(&f);
}

/* More than one transaction moves. */
static void
test_move_many(void **state)
{
	enum { COUNT_OF_MANY = 4500 };
	struct mailbox *box, *target;
	struct copy_result r;
	struct fixture f;
	struct err e = ERR_INIT;
	uint32_t *uids = calloc(COUNT_OF_MANY, sizeof(*uids));

	(void)state;
	fixture_init(&f);
	fixture_run(&f, "mkdir -p Maildir/cur Maildir/new Maildir/tmp; cd Maildir/cur; "
	    "seq %d | awk '{ f = \"1700000000.M\" $1 \".host:2,\"; print \"Subject: Number \" $1 \"\\n\" >f; close(f) }'", (int)COUNT_OF_MANY);
	fixture_open(&f);
	MUST(storage_create(f.st, SPAN("Work"), false, &e), &e);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	target = box_of(f.st, "Work", MAILBOX_SAVE);
	assert_int_equal(mailbox_count(box), COUNT_OF_MANY);
	for (uint32_t i = 0; i < COUNT_OF_MANY; i++)
		uids[i] = i + 1;
	/* One has gone meanwhile. */
	expunge_uid(box, 2000);
	MUST(mailbox_copy(box, uids, COUNT_OF_MANY, target, true, f.a, &r, &e), &e);
	assert_int_equal(r.from.count, COUNT_OF_MANY - 1);
	assert_int_equal(r.to.count, COUNT_OF_MANY - 1);
	for (uint32_t i = 0; i < r.to.count; i++) {
		assert_int_equal(r.to.uids[i], i + 1);
		assert_int_equal(r.from.uids[i], i < 1999 ? i + 1 : i + 2);
	}
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), 0);
	check_counts(box);
	check_counts(target);
	mailbox_close(target);
	mailbox_close(box);
	fixture_clear(&f);
	free(uids);
}

/* One of the messages was expunged, and the file of one behind it was renamed by another program: the copy begins again. */
static void
test_copy_again(void **state)
{
	uint32_t uids[] = { 1, 2, 3, 4 };
	struct fixture f;
	struct mailbox *box, *target;
	struct copy_result r;
	struct err e = ERR_INIT;

	(void)state;
	for (int move = 0; move < 2; move++) {
		fixture_init(&f);
		fixture_open(&f);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		for (unsigned i = 1; i <= 4; i++)
			save_numbered(box, i);
		sync_box(box, NULL);
		MUST(storage_create(f.st, SPAN("Work"), false, &e), &e);
		target = box_of(f.st, "Work", MAILBOX_WRITE);
		expunge_uid(box, 2);
		fixture_run(&f, "mv Maildir/new/*.4 Maildir/cur/$(basename Maildir/new/*.4):2,S");
		MUST(mailbox_copy(box, uids, 4, target, move, f.a, &r, &e), &e);
		assert_int_equal(r.from.count, 3);
		assert_int_equal(r.from.uids[1], 3);
		sync_box(target, NULL);
		assert_int_equal(mailbox_count(target), 3);
		for (uint32_t i = 0; i < 3; i++)
			assert_int_equal(number_of(target, r.to.uids[i]), r.from.uids[i]);
		assert_int_equal(flags_of(target, r.to.uids[2]), MSG_SEEN);
		sync_box(box, NULL);
		assert_int_equal(mailbox_count(box), move ? 0 : 3);
		mailbox_close(target);
		mailbox_close(box);
		fixture_clear(&f);
	}
}

/* A flag that was set and taken off again is as the file's name has it; still it is newer than what another program wrote. */
static void
test_flags_and_back(void **state)
{
	struct flag_change off = { .op = FLAGS_REMOVE, .flags = MSG_FLAGGED };
	struct fixture f;
	struct mailbox *box;
	struct err e = ERR_INIT;
	uint32_t uid = 1;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	save_numbered(box, 1);
	add_flags(box, 1, MSG_SEEN);
	MUST(storage_maintain(f.st, &e), &e);
	add_flags(box, 1, MSG_FLAGGED);
	MUST(mailbox_store(box, &uid, 1, &off, NULL, NULL, NULL, &e), &e);
	fixture_run(&f, "cd Maildir/cur && for i in *:2,S; do mv $i ${i%%S}T; done");
	MUST(storage_maintain(f.st, &e), &e);
	sync_box(box, NULL);
	assert_int_equal(flags_of(box, 1), MSG_SEEN);
	MUST(storage_maintain(f.st, &e), &e);
	assert_int_equal(fixture_number(&f, "ls Maildir/cur | grep -c ':2,S$'"), 1);
	mailbox_close(box);
	fixture_clear(&f);
}

/* The index is lost while a session is at work: COPY and EXPUNGE find the messages, and their keywords, all the same. */
static void
test_lost_in_between(void **state)
{
	static const struct span word = { "word", 4 };
	uint32_t uids[] = { 1, 2 };
	struct flag_change fc = { .op = FLAGS_ADD, .flags = MSG_DELETED };
	struct fixture f;
	struct mailbox *box, *target;
	struct copy_result r;
	struct msg_rec rec;
	struct err e = ERR_INIT;
	uint64_t mask;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	MUST(storage_create(f.st, SPAN("Work"), false, &e), &e);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	target = box_of(f.st, "Work", MAILBOX_WRITE);
	save_numbered(box, 1);
	save_numbered(box, 2);
	MUST(mailbox_keyword_mask(box, &word, 1, true, &fc.keywords, &e), &e);
	MUST(mailbox_store(box, uids, 2, &fc, f.a, NULL, NULL, &e), &e);
	MUST(storage_maintain(f.st, &e), &e);
	fixture_run(&f, "rm -rf Maildir/culver.index");
	/* The index is opened anew by something that has nothing to do with INBOX. */
	save_numbered(target, 3);
	MUST(mailbox_copy(box, uids, 1, target, false, f.a, &r, &e), &e);
	assert_int_equal(r.to.count, 1);
	MUST(mailbox_keyword_mask(target, &word, 1, false, &mask, &e), &e);
	assert_true(mask != 0);
	MUST(mailbox_get(target, r.to.uids[0], &rec, &e), &e);
	assert_true(rec.keywords == mask);
	mailbox_read_end(target);
	fixture_run(&f, "rm -rf Maildir/culver.index");
	save_numbered(target, 4);
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), 2);
	fixture_run(&f, "rm -rf Maildir/culver.index");
	save_numbered(target, 5);
	MUST(mailbox_expunge(box, uids, 2, false, &e), &e);
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), 0);
	mailbox_close(target);
	mailbox_close(box);
	fixture_clear(&f);
}

/* What lies in a mailbox before anybody has opened it does not make it another: not even that of its name, deleted. */
static void
test_made_anew(void **state)
{
	struct fixture f;
	struct mailbox *box;
	struct mailbox_view_state first, second;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	MUST(storage_create(f.st, SPAN("Work"), false, &e), &e);
	box = box_of(f.st, "Work", MAILBOX_WRITE);
	save_numbered(box, 1);
	mailbox_view_state(box, &first);
	mailbox_close(box);
	fixture_run(&f, "cp Maildir/.Work/new/* .");
	MUST(storage_delete(f.st, SPAN("Work"), &e), &e);
	MUST(storage_create(f.st, SPAN("Work"), false, &e), &e);
	fixture_run(&f, "cp *U=* Maildir/.Work/new/ 2>/dev/null; test -n \"$(ls Maildir/.Work/new)\"");
	box = box_of(f.st, "Work", MAILBOX_WRITE);
	mailbox_view_state(box, &second);
	assert_int_equal(mailbox_count(box), 1);
	assert_true(second.uidvalidity > first.uidvalidity);
	/* And when the index is lost in between. */
	mailbox_close(box);
	fixture_run(&f, "rm -rf Maildir/culver.index");
	MUST(storage_delete(f.st, SPAN("Work"), &e), &e);
	MUST(storage_create(f.st, SPAN("Work"), false, &e), &e);
	box = box_of(f.st, "Work", MAILBOX_WRITE);
	mailbox_view_state(box, &first);
	assert_true(first.uidvalidity > second.uidvalidity);
	mailbox_close(box);
	fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_save_and_read),
		cmocka_unit_test(test_rebuild),
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_many_and_large),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_resync),
		cmocka_unit_test(test_uid_of_the_dead),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_copy_and_move),
		cmocka_unit_test(test_expunge_finds),
		cmocka_unit_test(test_move_many),
		cmocka_unit_test(test_copy_again),
		cmocka_unit_test(test_flags_and_back),
		cmocka_unit_test(test_lost_in_between),
		cmocka_unit_test(test_made_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
