/* SPDX-License-Identifier: MIT */
/*
 * A UID is in a file's name before the transaction that takes it is committed.  Whoever dies between the two leaves a file
 * that the index does not know: its UID must never be another message's, whatever becomes of the index afterwards.
 */
#include "storage-fixture.h"

#include <lmdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMMITS_MAX 40
#define HELD 2		/* messages that are there before */
#define NEXT 1000	/* the number of what is saved afterwards */

static unsigned commits_left;	/* of this process until it is killed; 0: it lives */
static pid_t test_process;

int __real_mdb_txn_commit(MDB_txn *txn);
int __wrap_mdb_txn_commit(MDB_txn *txn);

int
__wrap_mdb_txn_commit(MDB_txn *txn)
{
	if (commits_left != 0 && --commits_left == 0)
		kill(getpid(), SIGKILL);
	return __real_mdb_txn_commit(txn);
}

enum victim { VICTIM_SAVE, VICTIM_SAVE_MANY, VICTIM_COPY, VICTIM_MOVE, VICTIM_SCAN, VICTIMS };
static const char *const victim_names[VICTIMS] = { "save", "save many", "copy", "move", "scan" };

enum afterwards { FILE_STAYS, FILE_GOES, OTHER_BOX_FIRST, AFTERWARDS };
static const char *const afterwards_names[AFTERWARDS] = { "its file stays", "its file is removed", "another mailbox first" };

/* What is told to clients by any process: in memory that they share. */
struct told {
	uint32_t uid[2], uidnext;
	unsigned number[2];
	int ready[2], go[2];	/* pipes of a process that has the storage open all the time */
};

static void
victim_work(struct fixture *f, enum victim what)
{
	struct storage *st = fixture_storage(f);
	struct mailbox *to = box_of(st, "Work", MAILBOX_SAVE), *from = box_of(st, "INBOX", MAILBOX_WRITE);
	struct copy_result result;
	struct err e = ERR_INIT;
	uint32_t uids[HELD];

	for (uint32_t i = 0; i < HELD; i++)
		uids[i] = mailbox_uid(from, i + 1);
	switch (what) {
	case VICTIM_SAVE:
		save_numbered(to, 1);
		break;
	case VICTIM_SAVE_MANY: {
		struct save_params p = { .internal_date = INT64_MIN };
		struct uid_list list;
		struct saver *s;
		uint32_t validity;

		MUST(saver_new(to, &s, &e), &e);
		for (unsigned i = 1; i <= 2; i++) {
			char text[80];

			snprintf(text, sizeof(text), "From: a@example.org\nSubject: Number %u\n\n", i);
			MUST(saver_begin(s, &p, &e), &e);
			MUST(saver_write(s, span_str(text), &e), &e);
			MUST(saver_finish(s, &e), &e);
		}
		MUST(saver_commit(s, f->a, &validity, &list, &e), &e);
		saver_free(s);
		break;
	}
	case VICTIM_COPY:
	case VICTIM_MOVE:
		MUST(mailbox_copy(from, uids, HELD, to, what == VICTIM_MOVE, f->a, &result, &e), &e);
		break;
	case VICTIM_SCAN:
		fixture_run(f, "for n in 1 2; do printf 'From: a@example.org\\nSubject: Number %%d\\n\\n' $n > Maildir/.Work/new/$n.x.y; "
		    "done");
		mailbox_close(box_of(st, "Work", MAILBOX_READ));
		break;
	case VICTIMS:
	default:
		break;
	}
	mailbox_close(from);
	mailbox_close(to);
	storage_close(st);
}

static int
in_child(void (*body)(struct fixture *f, void *ctx), struct fixture *f, void *ctx)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		body(f, ctx);
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

struct dying {
	enum victim what;
	unsigned commit;
};

static void
die_at(struct fixture *f, void *ctx)
{
	const struct dying *d = ctx;

	commits_left = d->commit;
	victim_work(f, d->what);
	commits_left = 0;
}

static void
prepare(struct fixture *f, void *ctx)
{
	struct err e = ERR_INIT;
	struct mailbox *box;

	(void)ctx;
	fixture_open(f);
	MUST(storage_create(f->st, SPAN("Work"), false, &e), &e);
	box = box_of(f->st, "INBOX", MAILBOX_SAVE);
	for (unsigned i = 1; i <= HELD; i++)
		save_numbered(box, i);
	mailbox_close(box);
	box = box_of(f->st, "Work", MAILBOX_WRITE);
	save_numbered(box, NEXT - 1);
	sync_box(box, NULL);
	mailbox_close(box);
	fixture_close(f);
}

/* Saves a message where the victim died, and is told its UID. */
static void
save_next(struct storage *st, struct told *told, int i)
{
	struct mailbox *box = box_of(st, "Work", MAILBOX_SAVE);

	told->number[i] = NEXT + (unsigned)i;
	told->uid[i] = save_numbered(box, told->number[i]);
	mailbox_close(box);
}

struct after {
	struct told *told;
	enum afterwards how;
};

static void
go_on(struct fixture *f, struct storage *st, const struct after *a)
{
	if (a->how == OTHER_BOX_FIRST) {
		struct mailbox *box = box_of(st, "INBOX", MAILBOX_SAVE);

		save_numbered(box, NEXT);
		mailbox_close(box);
	}
	save_next(st, a->told, 0);
	if (a->how == FILE_GOES)
		fixture_run(f, "rm -f $(grep -l 'Subject: Number %u' Maildir/.Work/new/* Maildir/.Work/cur/* 2>/dev/null)", NEXT);
}

/* A new session, or one that had the mail open all the time. */
static void
fresh_session(struct fixture *f, void *ctx)
{
	struct storage *st = fixture_storage(f);

	go_on(f, st, ctx);
	storage_close(st);
}

static void
old_session(struct fixture *f, void *ctx)
{
	const struct after *a = ctx;
	struct storage *st = fixture_storage(f);
	char c = 0;

	mailbox_close(box_of(st, "Work", MAILBOX_READ));
	if (write(a->told->ready[1], &c, 1) != 1 || read(a->told->go[0], &c, 1) != 1)
		_exit(9);
	go_on(f, st, a);
	storage_close(st);
}

/* The index is lost before anybody looked: no UID is another message's, and no new one is below what was told. */
static void
look(struct fixture *f, void *ctx)
{
	struct told *told = ctx;
	struct mailbox *box;
	struct storage *st = fixture_storage(f);

	save_next(st, told, 1);
	box = box_of(st, "Work", MAILBOX_READ);
	if (told->uid[1] <= told->uid[0]) {
		print_error("UID %u came behind %u\n", told->uid[1], told->uid[0]);
		_exit(1);
	}
	for (uint32_t seq = 1; seq <= mailbox_count(box); seq++) {
		uint32_t uid = mailbox_uid(box, seq);
		unsigned number = number_of(box, uid);

		for (int i = 0; i < 2; i++) {
			if (uid != told->uid[i] || number == told->number[i])
				continue;
			print_error("UID %u was number %u, and is number %u\n", uid, told->number[i], number);
			_exit(1);
		}
	}
	check_counts(box);
	mailbox_close(box);
	storage_close(st);
}

/* One victim that dies at one commit.  False: it came to its end alive. */
static bool
round_of(enum victim what, unsigned commit, enum afterwards how, bool old)
{
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct dying d = { what, commit };
	struct after a = { told, how };
	struct fixture f;
	int status;
	bool died;
	pid_t pid = 0;
	char c = 0;

	assert_true(told != MAP_FAILED);
	fixture_init(&f);
	assert_int_equal(in_child(prepare, &f, NULL), 0);
	if (old) {
		assert_int_equal(pipe(told->ready) | pipe(told->go), 0);
		pid = fork();
		if (pid == 0) {
			old_session(&f, &a);
			_exit(0);
		}
		assert_int_equal(read(told->ready[0], &c, 1), 1);
	}
	status = in_child(die_at, &f, &d);
	died = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	assert_true(died || status == 0);
	if (old) {
		assert_int_equal(write(told->go[1], &c, 1), 1);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		for (int i = 0; i < 2; i++) {
			close(told->ready[i]);
			close(told->go[i]);
		}
	} else {
		status = in_child(fresh_session, &f, &a);
	}
	if (status == 0) {
		fixture_lose_index(&f);
		status = in_child(look, &f, told);
	}
	if (status != 0)
		fail_msg("%s killed at commit %u, %s, %s session", victim_names[what], commit, afterwards_names[how],
		    old ? "an old" : "a new");
	fixture_clear(&f);
	munmap(told, sizeof(*told));
	return died;
}

static void
test_killed_before_commit(void **state)
{
	enum victim what = *(enum victim *)*state;

	for (int old = 0; old < 2; old++) {
		for (int how = 0; how < AFTERWARDS; how++) {
			unsigned commit = 1;

			while (round_of(what, commit, (enum afterwards)how, old != 0))
				assert_true(++commit < COMMITS_MAX);
			assert_true(commit > 1);
		}
	}
}

/* A child whose check failed does not go on with the next test. */
static int
end_child(void **state)
{
	(void)state;
	if (getpid() != test_process)
		_exit(1);
	return 0;
}

int
main(void)
{
	static enum victim what[VICTIMS] = { VICTIM_SAVE, VICTIM_SAVE_MANY, VICTIM_COPY, VICTIM_MOVE, VICTIM_SCAN };
	const struct CMUnitTest tests[] = {
		{ "save", test_killed_before_commit, NULL, end_child, &what[0] },
		{ "save_many", test_killed_before_commit, NULL, end_child, &what[1] },
		{ "copy", test_killed_before_commit, NULL, end_child, &what[2] },
		{ "move", test_killed_before_commit, NULL, end_child, &what[3] },
		{ "scan", test_killed_before_commit, NULL, end_child, &what[4] },
	};

	test_process = getpid();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
