/* SPDX-License-Identifier: MIT */
/* The index lost, damaged, replaced, full; and what the sessions' file tells of those who died. */
#include "storage-fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/log.h"

static void
fill(struct fixture *f, unsigned count)
{
	struct mailbox *box;

	fixture_open(f);
	box = box_of(f->st, "INBOX", MAILBOX_WRITE);
	for (unsigned i = 1; i <= count; i++)
		save_numbered(box, i);
	sync_box(box, NULL);
	for (unsigned i = 1; i <= count; i += 3)
		add_flags(box, i, MSG_SEEN);
	expunge_uid(box, 2);
	mailbox_close(box);
}

static void
check(struct fixture *f, unsigned count)
{
	struct mailbox *box = box_of(f->st, "INBOX", MAILBOX_WRITE);

	assert_int_equal(mailbox_count(box), count - 1);
	for (uint32_t seq = 1; seq <= mailbox_count(box); seq++) {
		uint32_t uid = mailbox_uid(box, seq);

		assert_int_equal(number_of(box, uid), uid);
		assert_int_equal(flags_of(box, uid), uid % 3 == 1 ? MSG_SEEN : 0);
	}
	check_counts(box);
	mailbox_close(box);
}

/* rm -rf while sessions are open: they go on, with the same UIDs. */
static void
test_lost_while_open(void **state)
{
	struct fixture f;
	struct mailbox *box;
	struct view_changes vc;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	fill(&f, 30);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	fixture_run(&f, "rm -rf Maildir/culver.index");
	MUST(mailbox_sync(box, true, &vc, &e), &e);
	assert_false(vc.gone);
	assert_int_equal(mailbox_count(box), 29);
	assert_true(save_numbered(box, 31) > 30);
	fixture_run(&f, "rm -rf Maildir/culver.index");
	add_flags(box, 5, MSG_FLAGGED);
	sync_box(box, &vc);
	assert_int_equal(mailbox_count(box), 30);
	assert_int_equal(flags_of(box, 5) & MSG_FLAGGED, MSG_FLAGGED);
	check_counts(box);
	mailbox_close(box);
	fixture_clear(&f);
}

/* Every page of the file in turn is overwritten; the session that notices may fail, the next must not. */
static void
test_damage(void **state)
{
	struct fixture f;
	struct stat sb;
	char path[128];
	size_t pages;

	(void)state;
	fixture_init(&f);
	fill(&f, 60);
	fixture_close(&f);
	fixture_run(&f, "cp -r Maildir/culver.index good");
	snprintf(path, sizeof(path), "%s/Maildir/culver.index/data.mdb", f.home);
	assert_int_equal(stat(path, &sb), 0);
	pages = (size_t)sb.st_size / 4096;
	for (size_t page = 0; page < pages; page++) {
		char junk[4096];
		int fd;

		fixture_run(&f, "rm -rf Maildir/culver.index && cp -r good Maildir/culver.index");
		fd = open(path, O_WRONLY);
		memset(junk, page % 2 ? 0xff : (int)(page * 37 + 1), sizeof(junk));
		assert_true(fd != -1);
		assert_int_equal(pwrite(fd, junk, sizeof(junk), (off_t)(page * 4096)), sizeof(junk));
		close(fd);
		/* What a worker that died over it leaves behind. */
		fixture_run(&f, "printf '\\001' | dd of=Maildir/culver.index/sessions bs=1 seek=24 conv=notrunc status=none");
		fixture_open(&f);
		check(&f, 60);
		fixture_close(&f);
	}
	fixture_run(&f, "echo junk > Maildir/culver.index/data.mdb");
	fixture_open(&f);
	check(&f, 60);
	fixture_close(&f);
	fixture_run(&f, ": > Maildir/culver.index/data.mdb");
	fixture_open(&f);
	check(&f, 60);
	fixture_clear(&f);
}

/* After another boot the index is copied: what was known comes along, summaries too. */
static void
test_reboot(void **state)
{
	struct fixture f;
	struct mailbox *box;
	struct mailbox_view_state before, after;
	struct index_txn *t;
	struct span value;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	fill(&f, 40);
	box = box_of(f.st, "INBOX", MAILBOX_READ);
	mailbox_view_state(box, &before);
	mailbox_close(box);
	fixture_close(&f);
	fixture_run(&f, "printf 'xxxxxxxxxxxxxxxx' | dd of=Maildir/culver.index/sessions bs=1 seek=8 conv=notrunc status=none");
	fixture_open(&f);
	check(&f, 40);
	box = box_of(f.st, "INBOX", MAILBOX_READ);
	mailbox_view_state(box, &after);
	/* Whatever was told before: this is above it. */
	assert_true(before.highestmodseq < after.highestmodseq);
	assert_int_equal(before.uidvalidity, after.uidvalidity);
	assert_true(after.uidnext > before.uidnext);
	MUST(index_read(box->store->ix, &t, &e), &e);
	assert_int_equal(index_summary_get(t, box->id, 7, &value, &e), 1);
	mailbox_close(box);
	assert_int_equal(fixture_number(&f, "ls Maildir/culver.index | grep -c damaged"), 0);
	fixture_clear(&f);
}

/* A process that was killed is noticed by the next, which verifies and finds nothing wrong. */
static void
test_killed(void **state)
{
	struct fixture f;
	pid_t pid;
	int status;

	(void)state;
	fixture_init(&f);
	fill(&f, 10);
	fixture_close(&f);
	pid = fork();
	if (pid == 0) {
		fixture_open(&f);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(fixture_number(&f, "od -An -tx1 -j32 -N4 Maildir/culver.index/sessions | grep -vc '00 00 00 00'"), 1);
	fixture_open(&f);
	check(&f, 10);
	fixture_close(&f);
	assert_int_equal(fixture_number(&f, "od -An -tx1 -j32 -N4056 Maildir/culver.index/sessions | grep -c '[1-9a-f]'"), 0);
	fixture_clear(&f);
}

/* One in whom nobody is: the next one that opens finds nothing to verify. */
static bool
nobody_is_noted(struct fixture *f)
{
	return fixture_number(f, "od -An -tx1 -v -j32 -N4056 Maildir/culver.index/sessions | grep -c '[1-9a-f]' || true") == 0;
}

/* Between two sessions an open index counts as closed, whatever happens to its process. */
static void
test_rest(void **state)
{
	struct fixture f;
	struct mailbox *box;
	pid_t pid;
	int status;

	(void)state;
	fixture_init(&f);
	fill(&f, 10);
	assert_false(nobody_is_noted(&f));
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	assert_false(storage_rest(f.st));
	mailbox_close(box);
	for (int i = 0; i < 3; i++) {
		assert_true(storage_rest(f.st));
		assert_true(nobody_is_noted(&f));
		assert_true(storage_wake(f.st, -1));
		assert_false(nobody_is_noted(&f));
		check(&f, 10);
	}
	/* What others do meanwhile is seen. */
	assert_true(storage_rest(f.st));
	fixture_run(&f, "printf 'Subject: x\\n\\nx\\n' > Maildir/new/1.x.y");
	assert_true(storage_wake(f.st, -1));
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), 10);
	mailbox_close(box);
	/* Somebody found damage, or died of it. */
	assert_true(storage_rest(f.st));
	fixture_run(&f, "printf '\\001' | dd of=Maildir/culver.index/sessions bs=1 seek=24 conv=notrunc status=none");
	assert_false(storage_wake(f.st, -1));
	fixture_close(&f);
	fixture_open(&f);
	/* The directory is another one, or gone. */
	assert_true(storage_rest(f.st));
	fixture_run(&f, "mv Maildir/culver.index old; cp -r old Maildir/culver.index");
	assert_false(storage_wake(f.st, -1));
	fixture_close(&f);
	fixture_open(&f);
	assert_true(storage_rest(f.st));
	fixture_run(&f, "rm -r Maildir/culver.index");
	assert_false(storage_wake(f.st, -1));
	fixture_close(&f);
	/* Killed at rest. */
	pid = fork();
	if (pid == 0) {
		fixture_open(&f);
		if (storage_rest(f.st))
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_true(nobody_is_noted(&f));
	fixture_clear(&f);
}

/* The control file lost as well: the files' names tell the UIDs, and those in doubt are left out. */
static void
test_all_derived_lost(void **state)
{
	struct fixture f;
	struct mailbox *box;

	(void)state;
	fixture_init(&f);
	fill(&f, 20);
	fixture_close(&f);
	fixture_run(&f, "rm -rf Maildir/culver*");
	fixture_open(&f);
	check(&f, 20);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	assert_true(save_numbered(box, 21) > 21);
	mailbox_close(box);
	fixture_clear(&f);
}

static void
test_keywords(void **state)
{
	static const struct span two[] = { { "$Junk", 5 }, { "Work", 4 } };
	static const struct span same[] = { { "WORK", 4 } };
	struct fixture f;
	struct mailbox *box, *other;
	struct flag_change fc = { .op = FLAGS_SET };
	struct copy_result r;
	struct msg_rec rec;
	struct err e = ERR_INIT;
	const struct span *names;
	uint64_t mask, again;
	uint32_t uid = 1;
	char name[8];

	(void)state;
	fixture_init(&f);
	fill(&f, 5);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	MUST(mailbox_keyword_mask(box, two, 2, false, &mask, &e), &e);
	assert_true(mask == 0);
	MUST(mailbox_keyword_mask(box, two, 2, true, &mask, &e), &e);
	assert_true(mask == 3);
	MUST(mailbox_keyword_mask(box, same, 1, true, &again, &e), &e);
	assert_true(again == 2);
	fc.keywords = 2;
	MUST(mailbox_store(box, &uid, 1, &fc, f.a, NULL, NULL, &e), &e);
	MUST(storage_maintain(f.st, &e), &e);
	assert_int_equal(fixture_number(&f, "ls Maildir/cur | grep -c ':2,b$'"), 1);
	/* A copy has the same keyword by name, under another letter. */
	MUST(storage_create(f.st, SPAN("K"), false, &e), &e);
	other = box_of(f.st, "K", MAILBOX_SAVE);
	MUST(mailbox_copy(box, &uid, 1, other, false, f.a, &r, &e), &e);
	assert_int_equal(mailbox_keywords(other, &names), 1);
	assert_true(span_eq(names[0], SPAN("Work")));
	MUST(mailbox_get(other, 1, &rec, &e), &e);
	assert_true(rec.keywords == 1);
	mailbox_close(other);
	for (int i = 0; i < 62; i++) {
		struct span one = span_of(name, (size_t)snprintf(name, sizeof(name), "kw%d", i));

		assert_false(mailbox_keywords_full(box));
		MUST(mailbox_keyword_mask(box, &one, 1, true, &mask, &e), &e);
	}
	assert_true(mailbox_keywords_full(box));
	assert_int_equal(mailbox_keyword_mask(box, (struct span[]){ { "more", 4 } }, 1, true, &mask, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	mailbox_close(box);
	fixture_close(&f);
	fixture_lose_index(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	assert_int_equal(mailbox_keywords(box, &names), 64);
	assert_true(span_eq(names[1], SPAN("Work")));
	MUST(mailbox_get(box, 1, &rec, &e), &e);
	assert_true(rec.keywords == 2);
	mailbox_close(box);
	fixture_clear(&f);
}

/* Damaged values are refused, whatever they are. */
static void
test_values(void **state)
{
	struct idx_message m = { .name = SPAN("a:2,"), .bits = IDX_DIGEST | IDX_UIDL, .uidl = SPAN("u") }, out;
	struct idx_state st = { .id = 1, .uidvalidity = 1, .uidnext = 5, .highestmodseq = 7, .messages = 2 }, st_out;
	char room[IDX_MESSAGE_MAX], state_room[IDX_STATE_MAX], key[4] = { 0, 0, 0, 1 };
	size_t n = idx_message_pack(room, &m), sn;

	(void)state;
	assert_true(idx_message_unpack(span_of(room, n), &out));
	assert_true(span_eq(out.name, m.name) && span_eq(out.uidl, m.uidl));
	for (size_t cut = 0; cut < n - m.name.n; cut++)
		assert_false(idx_message_unpack(span_of(room, cut), &out));
	room[1] = (char)0xff;
	assert_false(idx_message_unpack(span_of(room, n), &out));
	idx_state_set_name(&st, SPAN("INBOX"));
	sn = idx_state_pack(state_room, &st);
	assert_true(idx_state_unpack(span_of(key, 4), span_of(state_room, sn), &st_out));
	assert_true(span_eq(idx_state_name(&st_out), SPAN("INBOX")));
	assert_false(idx_state_unpack(span_of(key, 4), span_of(state_room, 100), &st_out));
	/* The checksum belongs to the key, the database, and each octet. */
	{
		struct span k = span_of(key, 4), v;
		char stored[IDX_STATE_MAX + IDX_SUM_LEN];

		memcpy(stored, state_room, sn);
		be32_put(stored + sn, idx_sum(DB_STATE, k, span_of(state_room, sn)));
		v = span_of(stored, sn + IDX_SUM_LEN);
		assert_true(idx_value_open(DB_STATE, k, &v));
		assert_int_equal(v.n, sn);
		v = span_of(stored, sn + IDX_SUM_LEN);
		assert_false(idx_value_open(DB_MESSAGE, k, &v));
		assert_false(idx_value_open(DB_STATE, span_of("\0\0\0\2", 4), &v));
		for (size_t i = 0; i < (sn + IDX_SUM_LEN) * 8; i++) {
			stored[i / 8] = (char)(stored[i / 8] ^ 1 << i % 8);
			assert_false(idx_value_open(DB_STATE, k, &v));
			stored[i / 8] = (char)(stored[i / 8] ^ 1 << i % 8);
		}
		for (size_t cut = 0; cut < v.n; cut++) {
			struct span part = span_sub(v, 0, cut);

			assert_false(idx_value_open(DB_STATE, k, &part));
		}
	}
	st.messages = 9;
	sn = idx_state_pack(state_room, &st);
	assert_false(idx_state_unpack(span_of(key, 4), span_of(state_room, sn), &st_out));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_lost_while_open),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_reboot),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_all_derived_lost),
		cmocka_unit_test(test_keywords),
	};

	/* What is said about damage is not what is tested. */
	log_init(&(struct log_target){ .fd = open("/dev/null", O_WRONLY), .info_fd = -1, .debug_fd = -1 });
	return cmocka_run_group_tests(tests, NULL, NULL);
}
