/* SPDX-License-Identifier: MIT */
/*
 * The mbox driver killed at each of its writes in turn: whatever it was at, the next session finds every message whole, once,
 * under its UID.  The calls that change files are counted here, in a process of its own, which ends itself at the n-th: before
 * it, or in the middle (a write that was cut).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/log.h"
#include "storage-fixture.h"
#include "testing.h"

#define MESSAGES 6
#define KILLED 77

static long left = -1;		/* calls until the end; -1: for ever */
static bool cut;		/* the last call is done by half */

static bool
is_last(void)
{
	return left > 0 && --left == 0;
}

ssize_t __wrap_pwrite(int fd, const void *p, size_t n, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *p, size_t n, off_t at);
ssize_t __wrap_write(int fd, const void *p, size_t n);
int __wrap_ftruncate(int fd, off_t n);
int __wrap_ftruncate64(int fd, off_t n);
int __wrap_unlinkat(int dir, const char *name, int flags);
int __wrap_renameat(int dir, const char *name, int to_dir, const char *to);

ssize_t
__wrap_pwrite(int fd, const void *p, size_t n, off_t at)
{
	if (is_last()) {
		if (cut && n > 1)
			syscall(SYS_pwrite64, fd, p, n / 2, at);
		_exit(KILLED);
	}
	return syscall(SYS_pwrite64, fd, p, n, at);
}

ssize_t
__wrap_pwrite64(int fd, const void *p, size_t n, off_t at)
{
	return __wrap_pwrite(fd, p, n, at);
}

ssize_t
__wrap_write(int fd, const void *p, size_t n)
{
	if (is_last()) {
		if (cut && n > 1)
			syscall(SYS_write, fd, p, n / 2);
		_exit(KILLED);
	}
	return syscall(SYS_write, fd, p, n);
}

int
__wrap_ftruncate(int fd, off_t n)
{
	if (is_last())
		_exit(KILLED);
	return (int)syscall(SYS_ftruncate, fd, n);
}

int
__wrap_ftruncate64(int fd, off_t n)
{
	return __wrap_ftruncate(fd, n);
}

int
__wrap_unlinkat(int dir, const char *name, int flags)
{
	if (is_last())
		_exit(KILLED);
	return (int)syscall(SYS_unlinkat, dir, name, flags);
}

int
__wrap_renameat(int dir, const char *name, int to_dir, const char *to)
{
	if (is_last())
		_exit(KILLED);
	return (int)syscall(SYS_renameat, dir, name, to_dir, to);
}

static void
text_of(char room[400], unsigned number)
{
	/* Of different lengths, so that what moves is seen. */
	snprintf(room, 400, "From: a@example.org\r\nSubject: Number %u\r\n\r\nBody %u %.*s\r\n", number, number, (int)(number * 37 % 190),
	    "................................................................................................................."
	    ".............................................................................................");
}

static void
whole_is(struct mailbox *box, uint32_t uid)
{
	struct err e = ERR_INIT;
	struct span body;
	char want[400];
	unsigned number;

	MUST(mailbox_body(box, uid, &body, &e), &e);
	if (body.n > 390 || sscanf(body.p, "From: a@example.org\nSubject: Number %u", &number) != 1)
		fail_msg("message %u is %.*s", uid, SPAN_ARG(body));
	text_of(want, number);
	/* as it is stored: without CRs */
	size_t n = 0;

	for (const char *p = want; *p != '\0'; p++)
		if (*p != '\r')
			want[n++] = *p;
	if (!span_eq(body, span_of(want, n)))
		fail_msg("message %u is\n%.*s\nnot\n%.*s", uid, SPAN_ARG(body), (int)n, want);
}

enum work { WORK_EXPUNGE_FIRST, WORK_EXPUNGE_SOME, WORK_FLAGS, WORK_SAVE, WORK_ADOPT, WORK_MOVE, WORK_LARGE_LEFT,
	WORK_LARGE_RIGHT, WORKS };

/* So large that moving them takes many steps of the journal. */
#define LARGE 3
#define LARGE_LINES 60000

static bool
is_large(enum work work)
{
	return work == WORK_LARGE_LEFT || work == WORK_LARGE_RIGHT;
}

static void
large_line(char room[128], unsigned number, unsigned line)
{
	snprintf(room, 128, "%u.%u ........................................................................................\n",
	    number, line);
}

static void
large_file(struct fixture *f)
{
	char path[128], text[128];
	FILE *out;

	snprintf(path, sizeof(path), "%s/mail/inbox", f->home);
	out = fopen(path, "w");
	assert_non_null(out);
	for (unsigned i = 1; i <= LARGE; i++) {
		fprintf(out, "From a@example.org Thu Nov 26 10:00:00 2026\nFrom: a@example.org\nSubject: Number %u\n\n", i);
		for (unsigned k = 0; k < LARGE_LINES; k++) {
			large_line(text, i, k);
			fputs(text, out);
		}
		fputc('\n', out);
	}
	fclose(out);
}

static void
large_is(struct mailbox *box, uint32_t uid)
{
	struct err e = ERR_INIT;
	struct span body, line;
	char text[128];
	unsigned number;
	size_t used = 0;

	MUST(mailbox_body(box, uid, &body, &e), &e);
	if (sscanf(body.p, "From: a@example.org\nSubject: Number %u", &number) != 1)
		fail_msg("message %u is %.100s", uid, body.p);
	for (int i = 0; i < 3; i++)
		assert_true(span_line(body, &used, &line));
	for (unsigned k = 0; k < LARGE_LINES; k++) {
		large_line(text, number, k);
		assert_true(span_line(body, &used, &line));
		if (!span_eq(line, span_of(text, strlen(text) - 1)))
			fail_msg("message %u: line %u is %.*s", uid, k, SPAN_ARG(line));
	}
	assert_int_equal(used, body.n);
}

static void
prepare(struct fixture *f, enum work work)
{
	char text[400];
	FILE *out;

	fixture_init(f);
	f->conf.location = SPAN("mbox:~/mail");
	fixture_run(f, "mkdir mail");
	if (is_large(work)) {
		large_file(f);
		if (work == WORK_LARGE_LEFT) {
			fixture_open(f);
			mailbox_close(box_of(f->st, "INBOX", MAILBOX_WRITE));
			fixture_close(f);
		}
		return;
	}
	if (work == WORK_ADOPT) {
		char path[128];

		/* Of another program: without UIDs, which are put in in front of all. */
		snprintf(path, sizeof(path), "%s/mail/inbox", f->home);
		out = fopen(path, "w");
		assert_non_null(out);
		for (unsigned i = 1; i <= MESSAGES; i++) {
			text_of(text, i);
			fputs("From a@example.org Thu Nov 26 10:00:00 2026\n", out);
			for (const char *p = text; *p != '\0'; p++)
				if (*p != '\r')
					fputc(*p, out);
			fputc('\n', out);
		}
		fclose(out);
		return;
	}
	fixture_open(f);
	struct err e = ERR_INIT;
	struct mailbox *box = box_of(f->st, "INBOX", MAILBOX_WRITE);

	for (unsigned i = 1; i <= MESSAGES; i++) {
		text_of(text, i);
		assert_int_equal(save_text(box, text, 0), i);
	}
	MUST(storage_create(f->st, SPAN("other"), false, &e), &e);
	sync_box(box, NULL);
	mailbox_close(box);
	fixture_close(f);
}

static void
do_work(struct fixture *f, enum work work)
{
	struct err e = ERR_INIT;
	char text[400];
	struct mailbox *box, *other;
	struct copy_result r;

	fixture_open(f);
	box = box_of(f->st, "INBOX", MAILBOX_WRITE);
	switch (work) {
	case WORK_EXPUNGE_FIRST:
	case WORK_LARGE_LEFT:
		expunge_uid(box, 1);
		break;
	case WORK_EXPUNGE_SOME:
		MUST(mailbox_expunge(box, (uint32_t[]){ 2, 4, 5 }, 3, true, &e), &e);
		break;
	case WORK_FLAGS:
		add_flags(box, 2, MSG_FLAGGED);
		add_flags(box, 5, MSG_SEEN);
		break;
	case WORK_SAVE:
		text_of(text, 7);
		save_text(box, text, 0);
		break;
	case WORK_ADOPT:
	case WORK_LARGE_RIGHT:
		break;
	case WORK_MOVE:
		other = box_of(f->st, "other", MAILBOX_SAVE);
		MUST(mailbox_copy(box, (uint32_t[]){ 1, 3 }, 2, other, true, f->a, &r, &e), &e);
		mailbox_close(other);
		break;
	case WORKS:
		break;
	}
	mailbox_close(box);
	fixture_close(f);
}

static void
check(struct fixture *f, enum work work, bool done, bool lose)
{
	struct mailbox *box;
	unsigned seen[16] = { 0 };
	uint32_t count;

	if (lose)
		fixture_run(f, "rm -rf mail/.culver.index");
	for (int pass = 0; pass < 2; pass++) {
		fixture_open(f);
		box = box_of(f->st, "INBOX", MAILBOX_WRITE);
		count = mailbox_count(box);
		for (uint32_t i = 1; i <= count; i++) {
			uint32_t uid = mailbox_uid(box, i);

			if (is_large(work))
				large_is(box, uid);
			else
				whole_is(box, uid);
			/* What was told stays; an index that was lost with UIDs that the file had not yet is another matter. */
			if (!(lose && (work == WORK_ADOPT || work == WORK_LARGE_RIGHT)))
				assert_in_range(uid, 1, 7);
			if (uid < 16)
				seen[uid]++;
		}
		check_counts(box);
		mailbox_close(box);
		fixture_close(f);
	}
	if (is_large(work)) {
		assert_true(count == LARGE || (work == WORK_LARGE_LEFT && count == LARGE - 1));
		assert_false(work == WORK_LARGE_LEFT && done && count == LARGE);
		return;
	}
	for (unsigned uid = 1; uid <= MESSAGES && !(lose && work == WORK_ADOPT); uid++) {
		bool going = (work == WORK_EXPUNGE_FIRST && uid == 1) ||
		    (work == WORK_EXPUNGE_SOME && (uid == 2 || uid == 4 || uid == 5)) || (work == WORK_MOVE && (uid == 1 || uid == 3));

		if (!going && seen[uid] != 2)
			fail_msg("message %u is not there", uid);
		if (going && done && seen[uid] != 0)
			fail_msg("message %u is there again", uid);
	}
	if (lose && work == WORK_ADOPT)
		assert_int_equal(count, MESSAGES);
	if (work == WORK_SAVE && done)
		assert_int_equal(seen[7], 2);
	if (work == WORK_MOVE) {
		uint32_t there;

		fixture_open(f);
		box = box_of(f->st, "other", MAILBOX_WRITE);
		there = mailbox_count(box);
		for (uint32_t i = 1; i <= there; i++)
			whole_is(box, mailbox_uid(box, i));
		/* In one of the two at least. */
		assert_true(seen[1] == 2 || there == 2);
		assert_true(seen[3] == 2 || there == 2);
		mailbox_close(box);
		fixture_close(f);
	}
}

/* Returns whether it came to its end before the n-th call. */
static bool
run_killed(enum work work, long n, bool by_half, bool lose)
{
	struct fixture f;
	int status;
	pid_t pid;
	bool done;

	prepare(&f, work);
	pid = fork();
	assert_true(pid != -1);
	if (pid == 0) {
		cut = by_half;
		left = n;
		do_work(&f, work);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	done = WEXITSTATUS(status) == 0;
	if (!done)
		assert_int_equal(WEXITSTATUS(status), KILLED);
	check(&f, work, done, lose);
	fixture_clear(&f);
	return done;
}

static void
quiet(enum log_level level, const char *line)
{
	(void)level;
	(void)line;
}

static void
test_killed(void **state)
{
	enum work work = *(const enum work *)*state;
	long points = 0;

	log_hook(quiet);
	for (int how = 0; how < 2; how++)
		for (long n = 1;; n++) {
			points++;
			/* The large ones by every few, to be done with them soon. */
			if (run_killed(work, is_large(work) ? 6 * n + how : n, how == 1, n % 3 == 0))
				break;
			assert_true(n < 200);
		}
	log_hook(NULL);
	print_message("%ld points\n", points);
}

/* Ends itself at call n of one save: whether it came so far. */
static bool
save_until(struct fixture *f, long n)
{
	pid_t pid = fork();
	int status;

	assert_true(pid != -1);
	if (pid == 0) {
		struct mailbox *box;

		fixture_open(f);
		box = box_of(f->st, "INBOX", MAILBOX_SAVE);
		left = n;
		save_text(box, "From: a@example.org\r\nTo: a-name-that-is-long-enough-for-all-that-is-noted@example.org\r\n"
		    "Subject: Number 9\r\n\r\nBody 9\r\n", 0);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == KILLED || WEXITSTATUS(status) == 0));
	return WEXITSTATUS(status) == 0;
}

/*
 * A process dies when all is done but the note of its append, which is still there; then another program changes the
 * message, where it stands or to a shorter one.  It is not half of a message.
 */
static void
test_changed_behind_the_note(void **state)
{
	static const struct {
		const char *sed, *want;
	} changes[] = { { "s/^Body 9/Bxdy 9/", "Bxdy 9" }, { "s/^Body 9/9/", "\n9\n" } };

	(void)state;
	for (size_t i = 0; i < COUNT(changes); i++) {
		struct err e = ERR_INIT;
		struct mailbox *box;
		struct fixture f;
		struct span body;
		long calls = 1;

		/* The last call is the one that takes the note back. */
		for (;; calls++) {
			fixture_init(&f);
			f.conf.location = SPAN("mbox:~/mail");
			fixture_run(&f, "mkdir mail");
			if (save_until(&f, calls))
				break;
			fixture_clear(&f);
		}
		fixture_clear(&f);
		fixture_init(&f);
		f.conf.location = SPAN("mbox:~/mail");
		fixture_run(&f, "mkdir mail");
		assert_false(save_until(&f, calls - 1));
		fixture_run(&f, "sed '%s' mail/inbox >changed && cat changed >mail/inbox", changes[i].sed);
		fixture_open(&f);
		box = box_of(f.st, "INBOX", MAILBOX_READ);
		assert_int_equal(mailbox_count(box), 1);
		MUST(mailbox_body(box, mailbox_uid(box, 1), &body, &e), &e);
		assert_true(span_find(body, span_str(changes[i].want)) != SIZE_MAX);
		mailbox_close(box);
		fixture_clear(&f);
	}
}

/*
 * A process dies at some call of a save; the next message is saved, told of, and expunged; then the index is lost.  What is
 * saved after that has a UID that was never told, and what is there has those that it had.
 */
static void
test_no_uid_twice(void **state)
{
	(void)state;
	log_hook(quiet);
	for (long calls = 1;; calls++) {
		struct mailbox *box;
		struct fixture f;
		uint32_t told, before, before_uid, uid;
		bool done;

		fixture_init(&f);
		f.conf.location = SPAN("mbox:~/mail");
		fixture_run(&f, "mkdir mail");
		fixture_open(&f);
		box = box_of(f.st, "INBOX", MAILBOX_SAVE);
		assert_int_equal(save_text(box, "Subject: First\r\n\r\nBody\r\n", 0), 1);
		mailbox_close(box);
		fixture_close(&f);
		done = save_until(&f, calls);
		fixture_open(&f);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		told = save_text(box, "Subject: Second\r\n\r\nBody\r\n", 0);
		sync_box(box, NULL);
		before = mailbox_count(box) - 1;
		before_uid = mailbox_uid(box, before);
		assert_true(told > before_uid && before <= 2);
		expunge_uid(box, told);
		mailbox_close(box);
		fixture_close(&f);
		fixture_run(&f, "rm -rf mail/.culver.index");
		fixture_open(&f);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		assert_int_equal(mailbox_count(box), before);
		assert_int_equal(mailbox_uid(box, before), before_uid);
		uid = save_text(box, "Subject: Third\r\n\r\nBody\r\n", 0);
		assert_true(uid > told);
		mailbox_close(box);
		fixture_clear(&f);
		if (done)
			break;
	}
	log_hook(NULL);
}

#define OTHERS "From b@example.org Thu Nov 26 10:00:00 2026\nFrom: b@example.org\nSubject: Of others\n\nOther body\n"

/*
 * A process dies when half of a message is written; before anybody looks, another program puts mail behind it, without a
 * look at how the file ends, or with one, or mail that looks like ours.  The half goes, and that mail stays.
 */
static void
test_mail_behind_a_half(void **state)
{
	static const char *const before[] = { "", "\n", "\n\n", "\n\nFrom b@example.org Thu Nov 26 10:00:00 2026\nX-UID: 1\n\nFirst\n\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(before); i++) {
		struct err e = ERR_INIT;
		struct mailbox *box;
		struct fixture f;
		struct span body;
		uint32_t uid;
		bool half = false;

		cut = true;
		for (long calls = 1; !half; calls++) {
			fixture_init(&f);
			f.conf.location = SPAN("mbox:~/mail");
			fixture_run(&f, "mkdir mail");
			fixture_open(&f);
			mailbox_close(box_of(f.st, "INBOX", MAILBOX_WRITE));
			fixture_close(&f);
			if (save_until(&f, calls))
				fail_msg("half of a message was never written");
			half = fixture_number(&f, "grep -c ^X-UID mail/inbox") == 1 &&
			    fixture_number(&f, "grep -c '^Subject: Number 9' mail/inbox") == 0;
			if (!half)
				fixture_clear(&f);
		}
		cut = false;
		fixture_run(&f, "printf '%s' >>mail/inbox", before[i]);
		fixture_run(&f, "printf '%%s' '%s' >>mail/inbox", OTHERS);
		fixture_open(&f);
		box = box_of(f.st, "INBOX", MAILBOX_READ);
		assert_int_equal(mailbox_count(box), i == 3 ? 2 : 1);
		uid = mailbox_uid(box, mailbox_count(box));
		MUST(mailbox_body(box, uid, &body, &e), &e);
		assert_true(span_eq(body, SPAN("From: b@example.org\nSubject: Of others\n\nOther body\n")));
		mailbox_close(box);
		fixture_close(&f);
		assert_int_equal(fixture_number(&f, "grep -c 'From: a@ex' mail/inbox"), 0);
		fixture_clear(&f);
	}
}

int
main(void)
{
	static enum work works[] = { WORK_EXPUNGE_FIRST, WORK_EXPUNGE_SOME, WORK_FLAGS, WORK_SAVE, WORK_ADOPT, WORK_MOVE,
		WORK_LARGE_LEFT, WORK_LARGE_RIGHT };
	const struct CMUnitTest tests[] = {
		{ "expunge_first", test_killed, NULL, NULL, &works[0] },
		{ "expunge_some", test_killed, NULL, NULL, &works[1] },
		{ "flags", test_killed, NULL, NULL, &works[2] },
		{ "save", test_killed, NULL, NULL, &works[3] },
		{ "adopt", test_killed, NULL, NULL, &works[4] },
		{ "move", test_killed, NULL, NULL, &works[5] },
		{ "large_left", test_killed, NULL, NULL, &works[6] },
		{ "large_right", test_killed, NULL, NULL, &works[7] },
		cmocka_unit_test(test_changed_behind_the_note),
		cmocka_unit_test(test_mail_behind_a_half),
		cmocka_unit_test(test_no_uid_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
