/* SPDX-License-Identifier: MIT */
/* Each thing that must hold in an index is broken in turn: it is found, put right, and no UID, flag or message is lost. */
#include "storage-fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-index/check.h"
#include "lib-index/index-priv.h"
#include "lib-storage/resync.h"
#include "lib-storage/scrub.h"

#define COUNT 30

static void
fill(struct fixture *f, const char *name, unsigned count)
{
	static const struct span word = { "Work", 4 };
	struct mailbox *box = box_of(f->st, name, MAILBOX_WRITE);
	struct flag_change fc = { .op = FLAGS_ADD };
	struct err e = ERR_INIT;
	uint32_t uid = 4;

	for (unsigned i = 1; i <= count; i++)
		save_numbered(box, i);
	sync_box(box, NULL);
	for (unsigned i = 1; i <= count; i += 3)
		add_flags(box, i, MSG_SEEN);
	MUST(mailbox_keyword_mask(box, &word, 1, true, &fc.keywords, &e), &e);
	MUST(mailbox_store(box, &uid, 1, &fc, NULL, NULL, NULL, &e), &e);
	expunge_uid(box, 2);
	/* A flag that is in the index alone. */
	MUST(storage_maintain(f->st, &e), &e);
	add_flags(box, 5, MSG_FLAGGED);
	mailbox_made_flush(box, &e);
	index_read_end(box->store->ix);
}

static void
check(struct fixture *f, const char *name, unsigned count, bool waiting)
{
	struct mailbox *box = box_of(f->st, name, MAILBOX_WRITE);
	const struct span *names;

	assert_int_equal(mailbox_count(box), count - 1);
	for (uint32_t seq = 1; seq <= mailbox_count(box); seq++) {
		uint32_t uid = mailbox_uid(box, seq);
		unsigned want = uid % 3 == 1 ? MSG_SEEN : 0;

		assert_int_equal(number_of(box, uid), uid);
		if (uid == 5 && waiting)
			want |= MSG_FLAGGED;
		if (uid != 5 || waiting)
			assert_int_equal(flags_of(box, uid), want);
	}
	assert_int_equal(mailbox_keywords(box, &names), 1);
	assert_true(span_eq(names[0], SPAN("Work")));
	check_counts(box);
	mailbox_close(box);
}

struct found {
	const char *want;
	size_t hits, all;
};

static void
on_finding(void *ctx, struct span name, const char *text)
{
	struct found *fo = ctx;

	(void)name;
	fo->all++;
	fo->hits += fo->want != NULL && strstr(text, fo->want) != NULL;
}

static size_t
findings(struct index *ix, const char *want)
{
	struct found fo = { .want = want };
	struct index_verdict v;
	struct err e = ERR_INIT;

	MUST(index_verify(ix, 0, on_finding, &fo, &v, &e), &e);
	assert_int_equal(v.findings, fo.all);
	if (want != NULL && fo.hits == 0)
		fail_msg("\"%s\" was not found", want);
	return fo.all;
}

/* What each damage gets: a write transaction, the mailbox's id and state. */
struct damage {
	const char *what, *want;
	void (*make)(struct index_txn *t, uint32_t id, struct idx_state *st);
};

static void
flip(struct index_txn *t, enum idx_db db, const void *key, size_t key_n, size_t at)
{
	MDB_val k = { key_n, (void *)(uintptr_t)key }, v;
	char copy[4096];

	assert_int_equal(mdb_get(t->txn, t->ix->env->dbi[db], &k, &v), 0);
	assert_true(v.mv_size <= sizeof(copy));
	memcpy(copy, v.mv_data, v.mv_size);
	copy[at % v.mv_size] ^= 0x10;
	v.mv_data = copy;
	assert_int_equal(mdb_put(t->txn, t->ix->env->dbi[db], &k, &v, 0), 0);
}

static void
put_state(struct index_txn *t, const struct idx_state *st)
{
	struct err e = ERR_INIT;

	MUST(index_state_put(t, st, &e), &e);
}

static void
damage_record(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	char key[IDX_KEY_MESSAGE];

	(void)st;
	idx_key_message(key, id, 7);
	flip(t, DB_MESSAGE, key, sizeof(key), 30);
}

static void
lose_record(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	char key[IDX_KEY_MESSAGE];
	struct err e = ERR_INIT;

	(void)st;
	idx_key_message(key, id, 7);
	MUST(index_del(t, DB_MESSAGE, span_of(key, sizeof(key)), &e), &e);
}

static void
damage_state(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	char key[IDX_KEY_ID];

	(void)st;
	be32_put(key, id);
	flip(t, DB_STATE, key, sizeof(key), 50);
}

static void
wrong_messages(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	(void)id;
	st->messages--;
	put_state(t, st);
}

static void
wrong_unseen(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	(void)id;
	st->unseen++;
	put_state(t, st);
}

static void
wrong_bytes(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	(void)id;
	st->bytes += 1000;
	put_state(t, st);
}

static void
wrong_dirty(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	(void)id;
	st->dirty = 0;
	put_state(t, st);
}

static void
low_uidnext(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	(void)id;
	st->uidnext = COUNT;
	put_state(t, st);
}

static void
low_modseq(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	(void)id;
	st->highestmodseq -= 2;
	put_state(t, st);
}

static void
damage_log(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	char key[IDX_KEY_CHANGE];

	idx_key_change(key, id, st->highestmodseq, 5);
	flip(t, DB_CHANGE, key, sizeof(key), 0);
}

static void
lose_log(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	char key[IDX_KEY_CHANGE];
	struct err e = ERR_INIT;

	idx_key_change(key, id, st->highestmodseq, 5);
	MUST(index_del(t, DB_CHANGE, span_of(key, sizeof(key)), &e), &e);
}

static void
more_log(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	char key[IDX_KEY_CHANGE];
	struct err e = ERR_INIT;

	idx_key_change(key, id, st->highestmodseq, 9);
	MUST(index_put(t, DB_CHANGE, span_of(key, sizeof(key)), SPAN("\1"), &e), &e);
}

static void
false_expunge(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	char key[IDX_KEY_CHANGE];
	struct err e = ERR_INIT;

	idx_key_change(key, id, st->highestmodseq, 9);
	MUST(index_put(t, DB_CHANGE, span_of(key, sizeof(key)), SPAN("\2"), &e), &e);
	st->tombstones++;
	put_state(t, st);
}

static void
wrong_tombstones(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	(void)id;
	st->tombstones += 5;
	put_state(t, st);
}

static void
pruned_too_far(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	(void)id;
	st->pruned_to = st->highestmodseq;
	put_state(t, st);
}

static void
damage_summary(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	char key[IDX_KEY_MESSAGE];

	(void)st;
	idx_key_message(key, id, 8);
	flip(t, DB_SUMMARY, key, sizeof(key), 90);
}

static void
stray_summary(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	char key[IDX_KEY_MESSAGE], copy[4096];
	struct span v;
	struct err e = ERR_INIT;

	(void)st;
	assert_int_equal(index_summary_get(t, id, 8, &v, &e), 1);
	memcpy(copy, v.p, v.n);
	idx_key_message(key, id, 2);
	MUST(index_put(t, DB_SUMMARY, span_of(key, sizeof(key)), span_of(copy, v.n), &e), &e);
}

static void
damage_keywords(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	char key[IDX_KEY_ID];

	(void)st;
	be32_put(key, id);
	flip(t, DB_KEYWORD, key, sizeof(key), 1);
}

static void
name_to_nowhere(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	struct err e = ERR_INIT;

	(void)id;
	(void)st;
	MUST(index_put(t, DB_MAILBOX, SPAN("Nowhere"), SPAN("\0\0\1\1"), &e), &e);
}

static void
second_name(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	char v[4];
	struct err e = ERR_INIT;

	(void)st;
	be32_put(v, id);
	MUST(index_put(t, DB_MAILBOX, SPAN("Second"), span_of(v, 4), &e), &e);
}

static void
no_name(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	struct err e = ERR_INIT;

	(void)id;
	MUST(index_del(t, DB_MAILBOX, idx_state_name(st), &e), &e);
}

static void
no_state(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	char key[IDX_KEY_ID];
	struct err e = ERR_INIT;

	(void)st;
	be32_put(key, id);
	MUST(index_del(t, DB_STATE, span_of(key, sizeof(key)), &e), &e);
}

static void
stray_record(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	struct idx_message m = { .name = SPAN("x"), .modseq = 1 };
	struct err e = ERR_INIT;

	(void)id;
	(void)st;
	MUST(index_message_put(t, 99, 1, &m, &e), &e);
}

static void
damage_meta(struct index_txn *t, uint32_t id, struct idx_state *st)
{
	(void)id;
	(void)st;
	flip(t, DB_META, "number", 6, 1);
}

static const struct damage damages[] = {
	{ "a damaged record", "the record of message 7 is damaged", damage_record },
	{ "a lost record", "it counts 29 messages, and has 28", lose_record },
	{ "a damaged state", "the state of mailbox", damage_state },
	{ "a wrong count", "it counts 28 messages, and has 29", wrong_messages },
	{ "a wrong count of unseen", "its counts (unseen", wrong_unseen },
	{ "wrong octets", "its counts (unseen", wrong_bytes },
	{ "a wrong count of waiting flags", "flags to be written", wrong_dirty },
	{ "a low uidnext", "it has UID 30, and uidnext is 30", low_uidnext },
	{ "a low highestmodseq", "it has modseq", low_modseq },
	{ "a damaged log entry", "an entry of the log of changes is damaged", damage_log },
	{ "a lost log entry", "the log of changes and the messages do not agree", lose_log },
	{ "a log entry too many", "the log of changes and the messages do not agree", more_log },
	{ "an expunge that was not", "has UID 9 as expunged, and it is there", false_expunge },
	{ "a wrong count of expunges", "expunges in the log of changes", wrong_tombstones },
	{ "a mark of pruning above the log", "which can not be", pruned_too_far },
	{ "a damaged summary", "the summary of message 8 is damaged", damage_summary },
	{ "a summary of nothing", "there is a summary of message 2, and no such message", stray_summary },
	{ "damaged keywords", "the names of its keywords are damaged", damage_keywords },
	{ "a name that leads nowhere", "the name Nowhere leads to no mailbox", name_to_nowhere },
	{ "a second name", "the name Second leads to it as well", second_name },
	{ "no name", "its name does not lead to it", no_name },
	{ "no state", "leads to no mailbox", no_state },
	{ "a record of nothing", "there are entries of mailbox 99", stray_record },
	{ "a damaged value of meta", "the value of number is damaged", damage_meta },
};

static void
make_damage(struct index *ix, const char *name, const struct damage *d, struct mailbox_status *before)
{
	struct index_txn *t;
	struct idx_state st;
	struct err e = ERR_INIT;
	uint32_t id;

	MUST(index_write(ix, &t, &e), &e);
	assert_int_equal(index_mailbox_find(t, span_str(name), &id, &e), 1);
	assert_int_equal(index_state_get(t, id, &st, &e), 1);
	*before = (struct mailbox_status){ .uidvalidity = st.uidvalidity, .uidnext = st.uidnext,
		.highestmodseq = st.highestmodseq };
	d->make(t, id, &st);
	MUST(index_commit(t, &e), &e);
}

static struct index *
ix_of(struct fixture *f)
{
	return (*(struct store **)array_at(&f->st->stores, 0))->ix;
}

static void
fill_and_damage(struct fixture *f, const struct damage *d, struct mailbox_status *before)
{
	struct err e = ERR_INIT;

	fixture_open(f);
	MUST(storage_create(f->st, SPAN("Other"), false, &e), &e);
	fill(f, "Other", COUNT);
	fill(f, "INBOX", COUNT);
	assert_int_equal(findings(ix_of(f), NULL), 0);
	make_damage(ix_of(f), "INBOX", d, before);
	assert_true(findings(ix_of(f), d->want) > 0);
}

/* In a process that dies over it, and leaves flags that wait to be written. */
static void
die_over(struct fixture *f, const struct damage *d, struct mailbox_status *before)
{
	int pipes[2], status;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		fill_and_damage(f, d, before);
		if (write(pipes[1], before, sizeof(*before)) == sizeof(*before))
			raise(SIGKILL);
		_exit(1);
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], before, sizeof(*before)), sizeof(*before));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	close(pipes[0]);
	fixture_open(f);
}

/* A session that reads all: what it can not have is there after its next sync. */
static void
meet(struct fixture *f)
{
	struct mailbox *box = box_of(f->st, "INBOX", MAILBOX_READ);
	struct err e = ERR_INIT;
	struct summary_view sv;
	size_t failed = 0;

	for (int round = 0; round < 2; round++) {
		failed = 0;
		for (uint32_t seq = 1; seq <= mailbox_count(box); seq++)
			failed += mailbox_summary(box, mailbox_uid(box, seq), NEED_HEADER, &sv, &e) == -1 ||
			    mailbox_size(box, mailbox_uid(box, seq), &(uint64_t){ 0 }, &e) == -1;
		sync_box(box, NULL);
	}
	assert_int_equal(failed, 0);
	mailbox_close(box);
}

/* Three ways to the same: asked for; by the next session, after a process died; by the session that meets it. */
static void
test_damages(void **state)
{
	struct fixture f;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		const struct damage *d = &damages[i];

		/* Only what is read in passing is met. */
		for (int way = 0; way < (d->make == damage_record || d->make == damage_state || d->make == damage_summary ||
		    d->make == damage_keywords ? 3 : 2); way++) {
			struct mailbox_status before, after;
			struct scrub_result r = { 0 };
			/* With the state itself all goes that the mail does not tell. */
			bool keeps = d->make != damage_state && d->make != no_state;

			if (way == 1)
				die_over(&f, d, &before);
			else
				fill_and_damage(&f, d, &before);
			if (way == 0) {
				err_set(&e, ERR_NONE, "a test");
				MUST(index_mend(ix_of(&f), 0, &e), &e);
			}
			else if (way == 2)
				meet(&f);
			if (way != 2 || d->make != damage_state)
				assert_int_equal(findings(ix_of(&f), NULL), 0);
			check(&f, "INBOX", COUNT, keeps);
			check(&f, "Other", COUNT, true);
			MUST(storage_status(f.st, SPAN("INBOX"), STATUS_MESSAGES, &after, &e), &e);
			assert_int_equal(before.uidvalidity, after.uidvalidity);
			assert_true(after.uidnext >= before.uidnext);
			assert_true(after.highestmodseq >= before.highestmodseq);
			{
				MUST(storage_maintain(f.st, &e), &e);
				MUST(storage_scrub_index(f.st, false, NULL, NULL, &r, &e), &e);
				MUST(storage_scrub(f.st, SPAN("INBOX"), false, NULL, NULL, &r, &e), &e);
				MUST(storage_scrub(f.st, SPAN("Other"), false, NULL, NULL, &r, &e), &e);
				assert_int_equal(r.problems, 0);
				assert_int_equal(r.messages, 2 * (COUNT - 1));
			}
			fixture_close(&f);
			fixture_run(&f, "rm -rf Maildir");
		}
	}
	fixture_clear(&f);
}

/* Damage that only hurts one mailbox leaves the other as it was, summaries and all. */
static void
test_one_of_two(void **state)
{
	struct fixture f;
	struct stat sb;
	char path[128];
	size_t pages, kept = 0;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	struct err e = ERR_INIT;

	MUST(storage_create(f.st, SPAN("Other"), false, &e), &e);
	fill(&f, "INBOX", COUNT);
	fill(&f, "Other", COUNT);
	fixture_close(&f);
	fixture_run(&f, "cp -r Maildir/culver.index good");
	snprintf(path, sizeof(path), "%s/Maildir/culver.index/data.mdb", f.home);
	assert_int_equal(stat(path, &sb), 0);
	pages = (size_t)sb.st_size / 4096;
	for (size_t page = 2; page < pages; page++) {
		struct index_stats s;
		char junk[4096];
		int fd;

		fixture_run(&f, "rm -rf Maildir/culver.index && cp -r good Maildir/culver.index");
		fd = open(path, O_WRONLY);
		memset(junk, page % 2 ? 0xff : (int)(page * 37 + 1), sizeof(junk));
		assert_true(fd != -1);
		assert_int_equal(pwrite(fd, junk, sizeof(junk), (off_t)(page * 4096)), sizeof(junk));
		close(fd);
		fixture_run(&f, "printf '\\001' | dd of=Maildir/culver.index/sessions bs=1 seek=24 conv=notrunc status=none");
		fixture_open(&f);
		check(&f, "INBOX", COUNT, true);
		check(&f, "Other", COUNT, true);
		MUST(index_stats(ix_of(&f), &s, &e), &e);
		kept += s.db[DB_SUMMARY].entries >= COUNT - 1;
		assert_int_equal(findings(ix_of(&f), NULL), 0);
		fixture_close(&f);
	}
	/* Leaves of summaries are the most pages; each costs those on it alone. */
	assert_true(kept > pages / 2);
	fixture_clear(&f);
}

static void
set_version(struct index *ix, uint32_t version)
{
	MDB_val k = { 7, (char[]){ "version" } }, v;
	char value[4];
	struct index_txn *t;
	struct err e = ERR_INIT;

	be32_put(value, version);
	v = (MDB_val){ 4, value };
	MUST(index_write(ix, &t, &e), &e);
	assert_int_equal(mdb_put(t->txn, ix->env->dbi[DB_META], &k, &v, 0), 0);
	MUST(index_commit(t, &e), &e);
}

/* Of another version it is made anew; but not under the hands of processes that understand a newer one. */
static void
test_versions(void **state)
{
	struct fixture f;
	struct err e = ERR_INIT;
	struct index *ix = NULL;
	char path[128], c;
	int hold[2], release[2], status;
	pid_t pid;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	fill(&f, "INBOX", COUNT);
	MUST(storage_maintain(f.st, &e), &e);
	set_version(ix_of(&f), INDEX_VERSION - 1);
	fixture_close(&f);
	fixture_open(&f);
	check(&f, "INBOX", COUNT, true);
	fixture_close(&f);
	snprintf(path, sizeof(path), "%s/Maildir/culver.index", f.home);
	assert_int_equal(pipe(hold), 0);
	assert_int_equal(pipe(release), 0);
	pid = fork();
	if (pid == 0) {
		/* The other end must be seen to close. */
		close(release[1]);
		fixture_open(&f);
		set_version(ix_of(&f), INDEX_VERSION + 1);
		if (write(hold[1], "x", 1) != 1 || read(release[0], &c, 1) != 0)
			_exit(1);
		fixture_close(&f);
		_exit(0);
	}
	assert_int_equal(read(hold[0], &c, 1), 1);
	assert_int_equal(index_open(path, 0600, 0, &ix, &e), -1);
	assert_int_equal(e.code, ERR_TEMP);
	close(release[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fixture_open(&f);
	check(&f, "INBOX", COUNT, true);
	fixture_clear(&f);
	close(hold[0]);
	close(hold[1]);
	close(release[0]);
}

/* Compacted while another session has it open: both go on. */
static void
test_compact(void **state)
{
	struct fixture f;
	struct storage *other;
	struct mailbox *box, *mine;
	struct err e = ERR_INIT;
	uint64_t before, after;
	struct index_stats s;
	int status;
	pid_t pid;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	for (unsigned i = 1; i <= 600; i++)
		save_numbered(box, i);
	for (unsigned i = 100; i <= 600; i++)
		expunge_uid(box, i);
	sync_box(box, NULL);
	pid = fork();
	if (pid == 0) {
		/* LMDB's environment is not taken over a fork: a process of its own. */
		char home[64];

		snprintf(home, sizeof(home), "%s", f.home);
		execl("/proc/self/exe", "test-index-check", "compact", home, (char *)NULL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* Our file is not there any more. */
	assert_true(save_numbered(box, 601) == 601);
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), 100);
	MUST(index_stats(box->store->ix, &s, &e), &e);
	assert_true(s.free_pages * 3 < s.pages);	/* what one change has freed of a small index */
	assert_int_equal(findings(box->store->ix, NULL), 0);
	mailbox_close(box);
	/* And by the same process, with two handles. */
	other = fixture_storage(&f);
	mine = box_of(other, "INBOX", MAILBOX_WRITE);
	MUST(storage_index_compact(f.st, 0, &before, &after, &e), &e);
	assert_true(after <= before);
	assert_int_equal(number_of(mine, 601), 601);
	assert_true(save_numbered(mine, 602) == 602);
	storage_close(other);
	check_counts(box = box_of(f.st, "INBOX", MAILBOX_READ));
	mailbox_close(box);
	assert_int_equal(fixture_number(&f, "ls Maildir/culver.index | grep -c fresh"), 0);
	fixture_clear(&f);
}

/* The map is too small in the middle of a change: it is made again in a larger one. */
static void
test_map_growth(void **state)
{
	struct fixture f;
	struct mailbox *box, *target;
	struct err e = ERR_INIT;
	struct copy_result r;
	uint32_t uids[400];
	MDB_envinfo info;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	for (unsigned i = 1; i <= 400; i++) {
		save_numbered(box, i);
		uids[i - 1] = i;
	}
	MUST(storage_create(f.st, SPAN("Copy"), false, &e), &e);
	target = box_of(f.st, "Copy", MAILBOX_SAVE);
	index_read_end(box->store->ix);
	/* LMDB takes what is in use at least; index_env_room would make it larger before, but for the limit. */
	assert_int_equal(mdb_env_set_mapsize(box->store->ix->env->env, 1), 0);
	mdb_env_info(box->store->ix->env->env, &info);
	box->store->ix->env->map_max = info.me_mapsize;
	arena_reset(f.a);
	assert_int_equal(mailbox_copy(box, uids, 400, target, false, f.a, &r, &e), -1);
	assert_int_equal(e.code, ERR_QUOTA);
	assert_int_equal(fixture_number(&f, "ls Maildir/.Copy/cur Maildir/.Copy/new | grep -c U="), 0);
	box->store->ix->env->map_max = (uint64_t)1 << 30;
	MUST(mailbox_copy(box, uids, 400, target, false, f.a, &r, &e), &e);
	assert_int_equal(r.to.count, 400);
	mailbox_close(target);
	target = box_of(f.st, "Copy", MAILBOX_READ);
	assert_int_equal(mailbox_count(target), 400);
	check_counts(target);
	assert_int_equal(number_of(target, 400), 400);
	assert_int_equal(findings(ix_of(&f), NULL), 0);
	fixture_clear(&f);
}

static int
compact_main(char *home)
{
	struct fixture f = { .conf = STORAGE_CONF_DEFAULT };
	struct err e = ERR_INIT;
	uint64_t before, after;

	f.conf.user = SPAN("tester");
	f.conf.home = span_str(home);
	f.conf.fsync = FSYNC_NEVER;
	if (storage_open_conf(&f.conf, -1, &f.st, &e) == -1 || storage_index_compact(f.st, 0, &before, &after, &e) == -1)
		return 1;
	storage_close(f.st);
	return after < before ? 0 : 2;
}

/* 100,000 messages are verified in well under a second. */
static void
test_cost(void **state)
{
	struct fixture f;
	struct index_verdict v;
	struct index_txn *t;
	struct idx_state st;
	struct mailbox *box;
	struct change_add *adds = calloc(100000, sizeof(*adds));
	struct box_change c = { .adds = adds, .add_count = 100000 };
	struct err e = ERR_INIT;
	int64_t since;

	(void)state;
	assert_non_null(adds);
	fixture_init(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_SAVE);
	for (uint32_t i = 0; i < 100000; i++)
		adds[i] = (struct change_add){ .uid = i + 1, .rec = { .size = 100, .physical_size = 100,
			.name = SPAN("1700000000.M1P1.host,S=100,W=100,U=65000000.1:2,S") } };
	c.id = box->id;
	MUST(index_write(box->store->ix, &t, &e), &e);
	assert_int_equal(index_state_get(t, box->id, &st, &e), 1);
	MUST(index_apply(t, &c, &st, &e), &e);
	MUST(index_commit(t, &e), &e);
	since = clock_ms();
	MUST(index_verify(box->store->ix, 0, NULL, NULL, &v, &e), &e);
	assert_int_equal(v.findings, 0);
	assert_int_equal(v.messages, 100000);
	assert_true(clock_ms() - since < 5000);		/* some 30 ms; slow machines under sanitizers count here */
	print_message("verified 100,000 messages in %d ms\n", (int)(clock_ms() - since));
	fixture_clear(&f);
	free(adds);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damages),
		cmocka_unit_test(test_one_of_two),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_compact),
		cmocka_unit_test(test_map_growth),
		cmocka_unit_test(test_cost),
	};

	/* What is said about damage is not what is tested. */
	if (getenv("INDEX_LOG") == NULL)
		log_init(&(struct log_target){ .fd = open("/dev/null", O_WRONLY), .info_fd = -1, .debug_fd = -1 });
	if (argc == 3 && strcmp(argv[1], "compact") == 0)
		return compact_main(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
