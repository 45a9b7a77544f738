/* SPDX-License-Identifier: MIT */
/*
 * Another program puts a message into a mailbox just when Culver changes or reads it: before and behind each system call
 * of ours that changes its directories.  The next sync must see it; nobody may have to wait for the next change.
 */
#include "storage-fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib-storage/maildir/listing.h"

#define CALLS_MAX 60
#define HELD 2		/* messages that are there before */

int __real_renameat(int from, const char *a, int to, const char *b);
int __real_linkat(int from, const char *a, int to, const char *b, int flags);
int __real_unlinkat(int dir, const char *path, int flags);
int __real_utimensat(int dir, const char *path, const struct timespec ts[2], int flags);
int __wrap_renameat(int from, const char *a, int to, const char *b);
int __wrap_linkat(int from, const char *a, int to, const char *b, int flags);
int __wrap_unlinkat(int dir, const char *path, int flags);
int __wrap_utimensat(int dir, const char *path, const struct timespec ts[2], int flags);
int __real_inotify_add_watch(int fd, const char *path, uint32_t mask);
int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask);
int __real_maildir_list_dir(struct maildir_box *box, int sub, maildir_listed_fn *fn, void *ctx, struct err *e);
int __wrap_maildir_list_dir(struct maildir_box *box, int sub, maildir_listed_fn *fn, void *ctx, struct err *e);

static unsigned lists;		/* directories read */
static bool is_blind;		/* nothing can be watched */

static struct {
	unsigned at;		/* the call at which it happens; 0: at none */
	bool behind;		/* that, not before it */
	const char *mail, *as;	/* files */
	unsigned calls;
	bool done;
} other;

static void
other_program(bool behind)
{
	if (!behind)
		other.calls++;
	if (other.at != other.calls || other.behind != behind || other.done)
		return;
	other.done = true;
	assert_int_equal(__real_renameat(AT_FDCWD, other.mail, AT_FDCWD, other.as), 0);
}

int
__wrap_renameat(int from, const char *a, int to, const char *b)
{
	int rc;

	other_program(false);
	rc = __real_renameat(from, a, to, b);
	other_program(true);
	return rc;
}

int
__wrap_linkat(int from, const char *a, int to, const char *b, int flags)
{
	int rc;

	other_program(false);
	rc = __real_linkat(from, a, to, b, flags);
	other_program(true);
	return rc;
}

int
__wrap_unlinkat(int dir, const char *path, int flags)
{
	int rc;

	other_program(false);
	rc = __real_unlinkat(dir, path, flags);
	other_program(true);
	return rc;
}

int
__wrap_utimensat(int dir, const char *path, const struct timespec ts[2], int flags)
{
	int rc;

	other_program(false);
	rc = __real_utimensat(dir, path, ts, flags);
	other_program(true);
	return rc;
}

int
__wrap_inotify_add_watch(int fd, const char *path, uint32_t mask)
{
	if (is_blind) {
		errno = ENOSPC;
		return -1;
	}
	return __real_inotify_add_watch(fd, path, mask);
}

int
__wrap_maildir_list_dir(struct maildir_box *box, int sub, maildir_listed_fn *fn, void *ctx, struct err *e)
{
	lists++;
	return __real_maildir_list_dir(box, sub, fn, ctx, e);
}

/* What is done to "Work" with its HELD messages; the number that it then has. */
typedef unsigned operation(struct fixture *f, struct mailbox *work);

static unsigned
find_new(struct fixture *f, struct mailbox *work)
{
	(void)f;
	sync_box(work, NULL);
	return HELD + 1;
}

static unsigned
deliver(struct fixture *f, struct mailbox *work)
{
	(void)f;
	save_numbered(work, 10);
	return HELD + 1;
}

static unsigned
save_seen(struct fixture *f, struct mailbox *work)
{
	(void)f;
	save_text(work, "Subject: seen\r\n\r\nx\r\n", IDX_SEEN);
	return HELD + 1;
}

static unsigned
expunge(struct fixture *f, struct mailbox *work)
{
	(void)f;
	expunge_uid(work, mailbox_uid(work, 1));
	return HELD - 1;
}

static unsigned
set_flags(struct fixture *f, struct mailbox *work)
{
	struct err e = ERR_INIT;

	for (uint32_t seq = 1; seq <= HELD; seq++)
		add_flags(work, mailbox_uid(work, seq), IDX_SEEN);
	MUST(storage_maintain(f->st, &e), &e);
	return HELD;
}

static unsigned
transfer(struct fixture *f, struct mailbox *from, struct mailbox *to, bool move)
{
	uint32_t uids[HELD];
	struct copy_result result;
	struct err e = ERR_INIT;

	for (uint32_t i = 0; i < HELD; i++)
		uids[i] = mailbox_uid(from, i + 1);
	MUST(mailbox_copy(from, uids, HELD, to, move, f->a, &result, &e), &e);
	return HELD;
}

static unsigned
copy_in(struct fixture *f, struct mailbox *work)
{
	struct mailbox *inbox = box_of(f->st, "INBOX", MAILBOX_WRITE);

	transfer(f, inbox, work, false);
	mailbox_close(inbox);
	return 2 * HELD;
}

static unsigned
move_in(struct fixture *f, struct mailbox *work)
{
	struct mailbox *inbox = box_of(f->st, "INBOX", MAILBOX_WRITE);

	transfer(f, inbox, work, true);
	mailbox_close(inbox);
	return 2 * HELD;
}

static unsigned
move_out(struct fixture *f, struct mailbox *work)
{
	struct mailbox *inbox = box_of(f->st, "INBOX", MAILBOX_SAVE);

	transfer(f, work, inbox, true);
	mailbox_close(inbox);
	return 0;
}

static struct mailbox *
prepare(struct fixture *f, operation *what)
{
	struct err e = ERR_INIT;
	struct mailbox *work;

	fixture_open(f);
	MUST(storage_create(f->st, SPAN("Work"), false, &e), &e);
	for (unsigned i = 1; i <= HELD; i++) {
		struct mailbox *inbox = box_of(f->st, "INBOX", MAILBOX_SAVE);

		save_numbered(inbox, i);
		mailbox_close(inbox);
	}
	work = box_of(f->st, "Work", MAILBOX_WRITE);
	for (unsigned i = 1; i <= HELD; i++)
		save_numbered(work, i);
	sync_box(work, NULL);
	fixture_run(f, "printf 'Subject: other\\n\\nx\\n' > other.mail");
	if (what == find_new)
		fixture_run(f, "printf 'Subject: found\\n\\nx\\n' > Maildir/.Work/new/1700000000.first.host");
	return work;
}

/* False: the operation has no such call. */
static bool
round_of(operation *what, const char *sub, unsigned at, bool behind)
{
	char mail[128], as[160];
	struct mailbox *work;
	struct fixture f;
	unsigned wanted;
	bool done;

	fixture_init(&f);
	work = prepare(&f, what);
	snprintf(mail, sizeof(mail), "%s/other.mail", f.home);
	snprintf(as, sizeof(as), "%s/Maildir/.Work/%s", f.home, sub);
	other.mail = mail;
	other.as = as;
	other.calls = 0;
	other.done = false;
	other.behind = behind;
	other.at = at;
	wanted = what(&f, work);
	other.at = 0;
	done = other.done;
	if (done) {
		sync_box(work, NULL);
		if (mailbox_count(work) != wanted + 1)
			fail_msg("a message in %s %s call %u: %u messages, not %u", sub, behind ? "behind" : "before", at,
			    mailbox_count(work), wanted + 1);
		check_counts(work);
	}
	mailbox_close(work);
	fixture_clear(&f);
	return done;
}

static void
test_other_program(void **state)
{
	operation *what = *(operation **)*state;
	unsigned at = 1;

	while (round_of(what, "new/1700000001.other.host", at, false)) {
		round_of(what, "new/1700000001.other.host", at, true);
		round_of(what, "cur/1700000001.other.host:2,S", at, false);
		round_of(what, "cur/1700000001.other.host:2,S", at, true);
		assert_true(++at < CALLS_MAX);
	}
	assert_true(at > 1);
}

/* Changes of ours alone are no reason to read the directories again. */
static void
test_alone(void **state)
{
	operation *what = *(operation **)*state;
	struct mailbox *work;
	struct fixture f;
	unsigned wanted;

	for (int blind = 0; blind < 2; blind++) {
		fixture_init(&f);
		is_blind = blind != 0;
		work = prepare(&f, what);
		wanted = what(&f, work);
		lists = 0;
		sync_box(work, NULL);
		assert_int_equal(lists, 0);
		assert_int_equal(mailbox_count(work), wanted);
		is_blind = false;
		mailbox_close(work);
		fixture_clear(&f);
	}
}

/* Where the kernel does not tell, maintenance finds what came while a scan was taken in. */
static void
test_blind(void **state)
{
	struct err e = ERR_INIT;
	struct mailbox *work;
	struct fixture f;
	char mail[128], as[160];
	unsigned missed = 0;

	(void)state;
	for (unsigned at = 1; at < 8; at++) {
		fixture_init(&f);
		is_blind = true;
		work = prepare(&f, find_new);
		snprintf(mail, sizeof(mail), "%s/other.mail", f.home);
		snprintf(as, sizeof(as), "%s/Maildir/.Work/new/1700000001.other.host", f.home);
		other.mail = mail;
		other.as = as;
		other.calls = 0;
		other.done = false;
		other.behind = true;
		other.at = at;
		sync_box(work, NULL);
		other.at = 0;
		if (other.done) {
			sync_box(work, NULL);
			missed += mailbox_count(work) != HELD + 2;
			assert_true(mailbox_count(work) == HELD + 2 || storage_maintain_due_ms(f.st) >= 0);
			MUST(storage_maintain(f.st, &e), &e);
			sync_box(work, NULL);
			assert_int_equal(mailbox_count(work), HELD + 2);
			/* That was a change as well; the next time there is none. */
			MUST(storage_maintain(f.st, &e), &e);
			assert_int_equal(storage_maintain_due_ms(f.st), -1);
		}
		is_blind = false;
		mailbox_close(work);
		fixture_clear(&f);
	}
	assert_true(missed > 0);
}

int
main(void)
{
	static operation *const what[] = { find_new, deliver, save_seen, expunge, set_flags, copy_in, move_in, move_out };
	const struct CMUnitTest tests[] = {
		{ "find_new", test_other_program, NULL, NULL, (void *)(uintptr_t)&what[0] },
		{ "deliver", test_other_program, NULL, NULL, (void *)(uintptr_t)&what[1] },
		{ "save_seen", test_other_program, NULL, NULL, (void *)(uintptr_t)&what[2] },
		{ "expunge", test_other_program, NULL, NULL, (void *)(uintptr_t)&what[3] },
		{ "set_flags", test_other_program, NULL, NULL, (void *)(uintptr_t)&what[4] },
		{ "copy_in", test_other_program, NULL, NULL, (void *)(uintptr_t)&what[5] },
		{ "move_in", test_other_program, NULL, NULL, (void *)(uintptr_t)&what[6] },
		{ "move_out", test_other_program, NULL, NULL, (void *)(uintptr_t)&what[7] },
		{ "find_new_alone", test_alone, NULL, NULL, (void *)(uintptr_t)&what[0] },
		{ "deliver_alone", test_alone, NULL, NULL, (void *)(uintptr_t)&what[1] },
		{ "save_seen_alone", test_alone, NULL, NULL, (void *)(uintptr_t)&what[2] },
		{ "expunge_alone", test_alone, NULL, NULL, (void *)(uintptr_t)&what[3] },
		{ "set_flags_alone", test_alone, NULL, NULL, (void *)(uintptr_t)&what[4] },
		{ "copy_in_alone", test_alone, NULL, NULL, (void *)(uintptr_t)&what[5] },
		{ "move_in_alone", test_alone, NULL, NULL, (void *)(uintptr_t)&what[6] },
		{ "move_out_alone", test_alone, NULL, NULL, (void *)(uintptr_t)&what[7] },
		cmocka_unit_test(test_blind),
	};

	storage_stay();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
