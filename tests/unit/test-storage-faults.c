/* SPDX-License-Identifier: MIT */
/*
 * What the system does to a process that works on mail: a limit on the size of files, signals at any moment, another
 * process that stands still in the middle of a message.
 */
#include "storage-fixture.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/sys.h"

#define MESSAGES 6

static void
limit_files(rlim_t size)
{
	struct rlimit limit = { size, RLIM_INFINITY };

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static int
save_one(struct storage *st, const char *name, size_t octets, struct err *e)
{
	static char line[1000] = "Subject: Number 1\n\n";
	struct save_params p = { .internal_date = INT64_MIN };
	struct arena *a = arena_new(65536);
	struct mailbox *box = NULL;
	struct saver *s = NULL;
	struct uid_list uids;
	uint32_t validity;
	int rc = mailbox_open(st, span_str(name), MAILBOX_SAVE, &box, e);

	if (rc == 0)
		rc = saver_new(box, &s, e);
	if (rc == 0)
		rc = saver_begin(s, &p, e);
	for (size_t done = 0; done < octets && rc == 0; done += sizeof(line))
		rc = saver_write(s, span_of(line, sizeof(line)), e);
	if (rc == 0)
		rc = saver_finish(s, e);
	if (rc == 0)
		rc = saver_commit(s, a, &validity, &uids, e);
	saver_free(s);
	mailbox_close(box);
	arena_free(a);
	return rc;
}

/* One of the operations; those that change nothing on disk but the index as well. */
static int
operate(struct storage *st, int which, struct err *e)
{
	struct flag_change fc = { .op = FLAGS_ADD, .flags = MSG_SEEN };
	struct arena *a = arena_new(65536);
	struct mailbox *box = NULL, *to = NULL;
	struct copy_result result;
	struct span keyword = SPAN("Label");
	uint32_t uid = 2;
	int rc;

	if (which == 0 || which == 1) {
		arena_free(a);
		return save_one(st, "INBOX", which == 0 ? 1000 : 2000000, e);
	}
	if (which == 2 || which == 3) {
		arena_free(a);
		return which == 2 ? storage_create(st, SPAN("New"), false, e) : storage_subscribe(st, SPAN("Work"), true, e);
	}
	rc = mailbox_open(st, SPAN("INBOX"), MAILBOX_WRITE, &box, e);
	if (rc == 0 && which == 4)
		rc = mailbox_keyword_mask(box, &keyword, 1, true, &fc.keywords, e);
	if (rc == 0 && (which == 4 || which == 5))
		rc = mailbox_store(box, &uid, 1, &fc, NULL, NULL, NULL, e);
	if (rc == 0 && (which == 6 || which == 7)) {
		rc = mailbox_open(st, SPAN("Work"), MAILBOX_SAVE, &to, e);
		if (rc == 0)
			rc = mailbox_copy(box, &uid, 1, to, which == 7, a, &result, e);
	}
	if (rc == 0 && which == 8)
		rc = mailbox_expunge(box, &uid, 1, true, e);
	mailbox_close(to);
	mailbox_close(box);
	arena_free(a);
	return rc;
}
#define OPERATIONS 9

static void
prepare(struct fixture *f)
{
	struct err e = ERR_INIT;
	struct mailbox *box;

	fixture_init(f);
	f->conf.copy_by_link = false;
	fixture_open(f);
	box = box_of(f->st, "INBOX", MAILBOX_SAVE);
	for (unsigned i = 1; i <= MESSAGES; i++)
		save_numbered(box, i);
	mailbox_close(box);
	MUST(storage_create(f->st, SPAN("Work"), false, &e), &e);
	fixture_close(f);
}

/* How many messages are in INBOX and Work together; all of them can be read. */
static uint32_t
total(struct fixture *f, struct mailbox_view_state *state)
{
	uint32_t n = 0;

	for (int i = 0; i < 2; i++) {
		struct mailbox *box = box_of(f->st, i == 0 ? "INBOX" : "Work", MAILBOX_READ);
		struct span body;
		struct err e = ERR_INIT;

		if (i == 0)
			mailbox_view_state(box, state);
		for (uint32_t seq = 1; seq <= mailbox_count(box); seq++)
			MUST(mailbox_body(box, mailbox_uid(box, seq), &body, &e), &e);
		n += mailbox_count(box);
		check_counts(box);
		mailbox_close(box);
	}
	return n;
}

/*
 * A file may not grow beyond what has been reached already (or a few octets): whatever is asked for succeeds or is refused
 * as if the disk were full; nothing half-written stays; without the limit all works again.
 */
static void
test_file_limit(void **state)
{
	static const rlim_t limits[] = { 0, 100, 4096, 65536, 300000 };

	(void)state;
	for (int which = 0; which < OPERATIONS; which++) {
		for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
			struct mailbox_view_state before, after;
			struct fixture f;
			struct err e = ERR_INIT;
			uint32_t had;
			int status;
			pid_t pid;

			prepare(&f);
			fixture_open(&f);
			had = total(&f, &before);
			fixture_close(&f);
			pid = fork();
			if (pid == 0) {
				int rc;

				signal(SIGXFSZ, SIG_IGN);
				fixture_open(&f);
				limit_files(limits[i]);
				rc = operate(f.st, which, &e);
				/* LMDB says EIO where it could write a part. */
				if (rc == -1 && e.code != ERR_QUOTA && e.code != ERR_TEMP)
					print_error("operation %d, limit %lu: %s\n", which, (unsigned long)limits[i], e.log);
				storage_close(f.st);
				_exit(rc == 0 ? 1 : e.code == ERR_QUOTA || e.code == ERR_TEMP ? 2 : 3);
			}
			assert_int_equal(waitpid(pid, &status, 0), pid);
			assert_true(WIFEXITED(status));
			assert_int_not_equal(WEXITSTATUS(status), 3);
			assert_int_equal(fixture_number(&f, "ls -A Maildir/tmp Maildir/.Work/tmp | grep -c culver"), 0);
			fixture_open(&f);
			uint32_t has = total(&f, &after);

			if (WEXITSTATUS(status) == 1)
				had = had + (which == 0 || which == 1 || which == 6) - (which == 8);
			/* The file of an expunged message goes first: that a full disk lets go of it is as well. */
			if (which == 8 && WEXITSTATUS(status) == 2 && has == had - 1)
				had = has;
			if (has != had)
				fail_msg("operation %d, limit %lu, status %d: %u messages, not %u", which, (unsigned long)limits[i],
				    WEXITSTATUS(status), has, had);
			assert_int_equal(after.uidvalidity, before.uidvalidity);
			assert_int_equal(save_one(f.st, "INBOX", 5000, &e), 0);
			assert_int_equal(total(&f, &after), had + 1);
			if (WEXITSTATUS(status) == 2)
				MUST(operate(f.st, which, &e), &e);
			fixture_clear(&f);
		}
	}
}

static void
on_alarm(int sig)
{
	(void)sig;
}

/* A signal every few microseconds: whatever can be interrupted is, and nobody notices. */
static void
test_interrupted(void **state)
{
	struct itimerval often = { { 0, 150 }, { 0, 150 } }, never = { 0 };
	struct sigaction sa = { .sa_handler = on_alarm }, old;	/* without SA_RESTART */
	struct mailbox_view_state view;
	struct fixture f;

	(void)state;
	prepare(&f);
	fixture_open(&f);
	sigaction(SIGALRM, &sa, &old);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int round = 0; round < 20; round++) {
		struct err e = ERR_INIT;

		for (int which = 0; which < OPERATIONS; which++)
			if ((which != 2 || round == 0) && which < 6)
				MUST(operate(f.st, which, &e), &e);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	assert_int_equal(total(&f, &view), MESSAGES + 40);
	fixture_clear(&f);
}

/* A client that sends half of a message and then nothing: nobody waits for it. */
static void
test_stalled_append(void **state)
{
	struct fixture f;
	struct storage *other;
	struct mailbox *box, *mine;
	struct save_params p = { .internal_date = INT64_MIN };
	struct saver *s;
	struct uid_list uids;
	struct err e = ERR_INIT;
	uint32_t validity, uid = 3;
	int pipes[2][2], status;
	int64_t since;
	char c;
	pid_t pid;

	(void)state;
	prepare(&f);
	assert_int_equal(pipe(pipes[0]), 0);
	assert_int_equal(pipe(pipes[1]), 0);
	pid = fork();
	if (pid == 0) {
		/* The one that stands still: a message written, another begun, also beyond what is held in memory. */
		static char text[600000];

		memset(text, 'x', sizeof(text));
		fixture_open(&f);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		if (saver_new(box, &s, &e) == -1 || saver_begin(s, &p, &e) == -1 ||
		    saver_write(s, SPAN("From: a@example.org\nSubject: Number 77\n\n"), &e) == -1 || saver_finish(s, &e) == -1 ||
		    saver_begin(s, &p, &e) == -1 ||
		    saver_write(s, SPAN("From: a@example.org\nSubject: Number 78\n\n"), &e) == -1 ||
		    saver_write(s, span_of(text, sizeof(text)), &e) == -1)
			_exit(1);
		mailbox_read_end(box);
		if (write(pipes[0][1], "x", 1) != 1 || read(pipes[1][0], &c, 1) != 1)
			_exit(2);
		if (saver_finish(s, &e) == -1 || saver_commit(s, f.a, &validity, &uids, &e) == -1 || uids.count != 2)
			_exit(3);
		saver_free(s);
		mailbox_close(box);
		storage_close(f.st);
		_exit(0);
	}
	assert_int_equal(read(pipes[0][0], &c, 1), 1);
	since = clock_ms();
	other = fixture_storage(&f);
	mine = box_of(other, "INBOX", MAILBOX_WRITE);
	for (unsigned i = 100; i < 120; i++)
		save_numbered(mine, i);
	add_flags(mine, uid, MSG_FLAGGED);
	expunge_uid(mine, uid);
	MUST(storage_create(other, SPAN("Elsewhere"), false, &e), &e);
	MUST(storage_maintain(other, &e), &e);
	sync_box(mine, NULL);
	assert_int_equal(mailbox_count(mine), MESSAGES + 20 - 1);
	/* It would have been for ever. */
	assert_true(clock_ms() - since < 20000);
	assert_int_equal(write(pipes[1][1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	sync_box(mine, NULL);
	assert_int_equal(mailbox_count(mine), MESSAGES + 20 - 1 + 2);
	assert_int_equal(number_of(mine, mailbox_uid(mine, mailbox_count(mine) - 1)), 77);
	mailbox_close(mine);
	storage_close(other);
	for (int i = 0; i < 4; i++)
		close(pipes[i / 2][i % 2]);
	fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file_limit),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_stalled_append),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
