/* SPDX-License-Identifier: MIT */
/*
 * Quota: what the index sums up against what lies in the mail, under operations in any order; what is refused, and leaves
 * nothing behind; several processes at the last place; warnings; maildirsize.
 */
#include "storage-fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/sys.h"
#include "lib-config/script-request.h"

#define STEPS 400

static struct quota_rule rules[8];
static struct quota_warning warnings[8];

static struct quota_root *
with_root(struct fixture *f, enum quota_backend backend, int64_t bytes, int64_t messages)
{
	struct quota_conf *q = &f->conf.quota;
	struct quota_root *r = &q->roots[q->root_count++];

	memset(r, 0, sizeof(*r));
	r->def.backend = backend;
	r->def.name = SPAN("User quota");
	r->limits.bytes = (struct quota_amount){ .n = bytes, .is_set = true };
	r->limits.messages = (struct quota_amount){ .n = messages, .is_set = true };
	r->grace = (struct quota_amount)QUOTA_GRACE_DEFAULT;
	r->rules = rules;
	r->warnings = warnings;
	q->base_dir = span_str(f->home);
	return r;
}

static void
add_rule(struct quota_root *r, const char *text)
{
	struct err e = ERR_INIT;

	MUST(quota_rule_parse(span_str(text), &r->rules[r->rule_count++], &e), &e);
}

static void
add_warning(struct quota_root *r, const char *text)
{
	struct err e = ERR_INIT;

	MUST(quota_warning_parse(span_str(text), &r->warnings[r->warning_count++], &e), &e);
}

static struct quota_status
usage(struct fixture *f)
{
	struct quota_status *list;
	struct err e = ERR_INIT;
	size_t count;

	MUST(storage_quota(f->st, SPAN_NONE, f->a, &list, &count, &e), &e);
	assert_int_equal(count, 1);
	return *list;
}

/* A message of n octets, with LF line ends in the file. */
static struct span
message(char *room, size_t n)
{
	memcpy(room, "A: b\n\n", 6);
	memset(room + 6, 'x', n - 6);
	return span_of(room, n);
}

/* How many of `count' messages of n octets, as one commit: 0 or the error's code. */
static enum err_code
try_save(struct mailbox *box, size_t n, unsigned count)
{
	static char room[65536];
	struct save_params p = { .internal_date = INT64_MIN };
	struct arena *a = arena_new(1 << 20);
	struct err e = ERR_INIT;
	struct uid_list uids;
	struct saver *s;
	uint32_t validity;

	MUST(saver_new(box, &s, &e), &e);
	for (unsigned i = 0; i < count && e.code == ERR_NONE; i++)
		if (saver_begin(s, &p, &e) == 0 && saver_write(s, message(room, n), &e) == 0)
			saver_finish(s, &e);
	if (e.code == ERR_NONE)
		saver_commit(s, a, &validity, &uids, &e);
	saver_free(s);
	arena_free(a);
	return e.code;
}

static enum err_code
try_copy(struct fixture *f, struct mailbox *box, uint32_t uid, struct mailbox *to, bool move)
{
	struct copy_result result;
	struct err e = ERR_INIT;

	mailbox_copy(box, &uid, 1, to, move, f->a, &result, &e);
	return e.code;
}

static void
must_be_empty(struct fixture *f, const char *dir)
{
	assert_int_equal(fixture_number(f, "find %s -type f | wc -l", dir), 0);
}

static void
test_limits(void **state)
{
	struct fixture f;
	struct mailbox *inbox, *work;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	with_root(&f, QUOTA_COUNT, 1000, 5);
	fixture_open(&f);
	MUST(storage_create(f.st, SPAN("Work"), false, &e), &e);
	inbox = box_of(f.st, "INBOX", MAILBOX_WRITE);
	work = box_of(f.st, "Work", MAILBOX_WRITE);
	/* 98 octets and two more for CRLF */
	assert_int_equal(try_save(inbox, 398, 1), ERR_NONE);
	assert_true(usage(&f).bytes == 400 && usage(&f).messages == 1);
	assert_int_equal(try_save(inbox, 599, 1), ERR_OVERQUOTA);
	assert_int_equal(try_save(inbox, 300, 2), ERR_OVERQUOTA);	/* all or none */
	assert_int_equal(fixture_number(&f, "ls Maildir/new Maildir/cur | grep -c ,S="), 1);
	must_be_empty(&f, "Maildir/tmp");
	assert_int_equal(storage_quota_fits(f.st, SPAN("INBOX"), 601, &e), -1);
	assert_int_equal(e.code, ERR_OVERQUOTA);
	assert_int_equal(storage_quota_fits(f.st, SPAN("not there"), 600, &e), 0);
	assert_int_equal(try_save(inbox, 198, 1), ERR_NONE);
	sync_box(inbox, NULL);
	assert_int_equal(mailbox_count(inbox), 2);
	/* COPY counts, MOVE does not. */
	assert_int_equal(try_copy(&f, inbox, 1, work, false), ERR_NONE);
	assert_true(usage(&f).bytes == 1000);
	assert_int_equal(try_copy(&f, inbox, 2, work, false), ERR_OVERQUOTA);
	assert_int_equal(try_copy(&f, inbox, 2, work, true), ERR_NONE);
	assert_true(usage(&f).bytes == 1000 && usage(&f).messages == 3);
	assert_int_equal(fixture_number(&f, "ls Maildir/.Work/new Maildir/.Work/cur | grep -c ,S="), 2);
	expunge_uid(inbox, 1);
	assert_true(usage(&f).bytes == 600 && usage(&f).messages == 2);
	/* Messages. */
	assert_int_equal(try_save(inbox, 10, 3), ERR_NONE);
	assert_int_equal(try_save(inbox, 10, 1), ERR_OVERQUOTA);
	check_counts(inbox);
	check_counts(work);
	mailbox_close(work);
	MUST(storage_rename(f.st, SPAN("Work"), SPAN("Play"), &e), &e);
	assert_true(usage(&f).messages == 5);
	MUST(storage_delete(f.st, SPAN("Play"), &e), &e);
	assert_true(usage(&f).bytes == 36 && usage(&f).messages == 3);
	mailbox_close(inbox);
	fixture_clear(&f);
}

static void
test_mailbox_rules(void **state)
{
	struct fixture f;
	struct quota_root *r;
	struct mailbox *inbox, *trash, *spam;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	r = with_root(&f, QUOTA_COUNT, 1000, 0);
	add_rule(r, "Trash:storage=+10%%");
	add_rule(r, "Sp*:ignore");
	fixture_open(&f);
	MUST(storage_create(f.st, SPAN("Trash"), false, &e), &e);
	MUST(storage_create(f.st, SPAN("Spam"), false, &e), &e);
	inbox = box_of(f.st, "INBOX", MAILBOX_WRITE);
	trash = box_of(f.st, "Trash", MAILBOX_WRITE);
	spam = box_of(f.st, "Spam", MAILBOX_WRITE);
	assert_int_equal(try_save(spam, 5000, 1), ERR_NONE);
	assert_true(usage(&f).bytes == 0);
	assert_int_equal(try_save(inbox, 998, 1), ERR_NONE);
	assert_int_equal(try_save(inbox, 48, 1), ERR_OVERQUOTA);
	assert_int_equal(try_save(trash, 98, 1), ERR_NONE);
	assert_int_equal(try_save(trash, 10, 1), ERR_OVERQUOTA);
	assert_true(usage(&f).bytes == 1100 && usage(&f).messages == 2);
	/* From where it does not count: as if it were new.  To there: it counts no more. */
	assert_int_equal(try_copy(&f, spam, 1, inbox, true), ERR_OVERQUOTA);
	assert_int_equal(try_copy(&f, inbox, 1, spam, true), ERR_NONE);
	assert_true(usage(&f).bytes == 100 && usage(&f).messages == 1);
	assert_int_equal(try_copy(&f, spam, 2, inbox, true), ERR_OVERQUOTA);
	assert_int_equal(try_copy(&f, trash, 1, inbox, true), ERR_NONE);
	sync_box(spam, NULL);
	assert_int_equal(mailbox_count(spam), 2);
	mailbox_close(inbox);
	mailbox_close(trash);
	mailbox_close(spam);
	fixture_clear(&f);
}

static void
test_grace_and_size(void **state)
{
	struct fixture f;
	struct mailbox *inbox;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	with_root(&f, QUOTA_COUNT, 1000, 0);
	f.conf.quota.max_mail_size = 700;
	f.conf.quota.is_delivery = true;
	fixture_open(&f);
	inbox = box_of(f.st, "INBOX", MAILBOX_SAVE);
	assert_int_equal(try_save(inbox, 699, 1), ERR_TOOBIG);
	must_be_empty(&f, "Maildir/tmp");
	assert_int_equal(storage_quota_fits(f.st, SPAN("INBOX"), 701, &e), -1);
	assert_int_equal(e.code, ERR_TOOBIG);
	assert_int_equal(try_save(inbox, 498, 1), ERR_NONE);
	/* 10% beyond, once. */
	assert_int_equal(try_save(inbox, 599, 1), ERR_OVERQUOTA);
	assert_int_equal(try_save(inbox, 598, 1), ERR_NONE);
	assert_int_equal(try_save(inbox, 10, 1), ERR_OVERQUOTA);
	mailbox_close(inbox);
	fixture_clear(&f);
}

static void
test_outside_sizes(void **state)
{
	struct mailbox_status status;
	struct fixture f;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	with_root(&f, QUOTA_COUNT, 1000, 0);
	fixture_open(&f);
	mailbox_close(box_of(f.st, "INBOX", MAILBOX_SAVE));
	fixture_run(&f, "printf 'a: b\\n\\nx\\n' > Maildir/new/1.a.host");
	MUST(storage_status(f.st, SPAN("INBOX"), STATUS_MESSAGES, &status, &e), &e);
	/* Nobody has looked: as it is stored. */
	assert_true(usage(&f).bytes == 8 && usage(&f).messages == 1);
	MUST(storage_status(f.st, SPAN("INBOX"), STATUS_SIZE, &status, &e), &e);
	assert_true(status.size == 11);
	assert_true(usage(&f).bytes == 11 && usage(&f).messages == 1);
	fixture_run(&f, "printf 'a: b\\n\\ny\\n' > Maildir/new/2.a.host");
	MUST(storage_quota_recalc(f.st, &e), &e);
	assert_true(usage(&f).bytes == 22 && usage(&f).messages == 2);
	fixture_run(&f, "rm Maildir/new/*");
	MUST(storage_status(f.st, SPAN("INBOX"), STATUS_MESSAGES, &status, &e), &e);
	assert_true(usage(&f).bytes == 0 && usage(&f).messages == 0);
	fixture_clear(&f);
}

/* Several processes at once: never one more than fits, and no fewer. */
static void
test_race(void **state)
{
	struct fixture f;
	pid_t pids[4];
	unsigned saved = 0;

	(void)state;
	fixture_init(&f);
	with_root(&f, QUOTA_COUNT, 0, 57);
	fixture_run(&f, "mkdir -p Maildir/new Maildir/cur Maildir/tmp");
	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			struct mailbox *inbox;
			int n = 0;

			fixture_open(&f);
			inbox = box_of(f.st, "INBOX", MAILBOX_SAVE);
			for (int k = 0; k < 60; k++)
				n += try_save(inbox, 100, 1) == ERR_NONE;
			mailbox_close(inbox);
			storage_close(f.st);
			_exit(n);
		}
	}
	for (int i = 0; i < 4; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status));
		saved += (unsigned)WEXITSTATUS(status);
	}
	assert_int_equal(saved, 57);
	assert_int_equal(fixture_number(&f, "ls Maildir/new | wc -l"), 57);
	must_be_empty(&f, "Maildir/tmp");
	fixture_open(&f);
	assert_true(usage(&f).messages == 57);
	fixture_clear(&f);
}

/* What the lines of maildirsize add up to. */
static void
file_sum(struct fixture *f, int64_t *bytes, int64_t *messages)
{
	struct buf text = BUF_INIT(65536);
	struct quota_file_limits limits;
	struct err e = ERR_INIT;
	char path[128];

	snprintf(path, sizeof(path), "%s/Maildir/maildirsize", f->home);
	MUST(file_read(path, 65536, &text, &e), &e);
	assert_true(quota_file_parse(buf_span(&text), &limits, bytes, messages));
	assert_true(limits.bytes == 100000 && limits.messages == 300);
	assert_true(text.n < 5120 + 100);
	buf_clear(&text);
}

static void
look_at_all(struct fixture *f)
{
	struct mailbox_status status;
	struct mailbox_info *list;
	struct err e = ERR_INIT;
	size_t count;

	MUST(storage_list(f->st, f->a, &list, &count, &e), &e);
	for (size_t i = 0; i < count; i++)
		MUST(storage_status(f->st, list[i].name, STATUS_MESSAGES, &status, &e), &e);
}

static void
compare(struct fixture *f)
{
	struct quota_status s;
	int64_t bytes, messages;

	look_at_all(f);
	s = usage(f);
	assert_int_equal(s.messages, fixture_number(f, "find Maildir -path '*/culver*' -prune -o -type f -path '*/new/*' "
	    "-print -o -type f -path '*/cur/*' -print | wc -l"));
	assert_int_equal(s.bytes, fixture_number(f, "find Maildir -path '*/culver*' -prune -o -type f \\( -path '*/new/*' -o "
	    "-path '*/cur/*' \\) -printf '%%s\\n' | awk '{ n += $1 } END { print n + 0 }'"));
	file_sum(f, &bytes, &messages);
	assert_int_equal(bytes, s.bytes);
	assert_int_equal(messages, s.messages);
}

static void
random_step(struct fixture *f, unsigned step)
{
	static const char *const names[] = { "INBOX", "A", "B", "A.C" };
	static const char *const dirs[] = { "Maildir", "Maildir/.A", "Maildir/.B", "Maildir/.A.C" };
	unsigned from = (unsigned)rand() % 4, to = (unsigned)rand() % 4, what = (unsigned)rand() % 100;
	struct mailbox *box, *target;
	struct err e = ERR_INIT;
	uint32_t uid = 0;

	if (what < 8) {
		/* A program that keeps maildirsize delivers. */
		fixture_run(f, "printf 'a: b\\n\\n%u\\n' > %s/new/%u.out.host && [ -f Maildir/maildirsize ] && "
		    "stat -c '%%s 1' %s/new/%u.out.host >> Maildir/maildirsize", step, dirs[from], step, dirs[from], step);
		return;
	}
	if (what == 8 || what == 9) {
		if (from > 0 && storage_delete(f->st, span_str(names[from]), &e) == 0)
			MUST(storage_create(f->st, span_str(names[from]), false, &e), &e);
		return;
	}
	if (what == 10) {
		MUST(storage_rename(f->st, SPAN("B"), SPAN("D"), &e), &e);
		MUST(storage_rename(f->st, SPAN("D"), SPAN("B"), &e), &e);
		return;
	}
	if (what == 11) {
		fixture_close(f);
		fixture_lose_index(f);
		fixture_open(f);
		return;
	}
	box = box_of(f->st, names[from], MAILBOX_WRITE);
	if (mailbox_count(box) > 0)
		uid = mailbox_uid(box, 1 + (uint32_t)rand() % mailbox_count(box));
	if (what < 60 || uid == 0) {
		try_save(box, 10 + (unsigned)rand() % 600, 1 + (unsigned)rand() % 3);
	} else if (what < 70) {
		add_flags(box, uid, MSG_SEEN);
	} else if (what < 85) {
		target = box_of(f->st, names[to], MAILBOX_SAVE);
		try_copy(f, box, uid, target, what < 77);
		mailbox_close(target);
	} else {
		expunge_uid(box, uid);
	}
	mailbox_close(box);
}

static void
test_model(void **state)
{
	struct fixture f;
	struct err e = ERR_INIT;

	(void)state;
	srand(20);
	fixture_init(&f);
	with_root(&f, QUOTA_MAILDIR, 100000, 300);
	fixture_open(&f);
	mailbox_close(box_of(f.st, "INBOX", MAILBOX_SAVE));
	MUST(storage_create(f.st, SPAN("A"), false, &e), &e);
	MUST(storage_create(f.st, SPAN("B"), false, &e), &e);
	MUST(storage_create(f.st, SPAN("A.C"), false, &e), &e);
	MUST(storage_quota_recalc(f.st, &e), &e);
	for (unsigned i = 0; i < STEPS; i++) {
		random_step(&f, i);
		if (i % 25 == 24)
			compare(&f);
		arena_reset(f.a);
	}
	fixture_clear(&f);
}

static void
test_file(void **state)
{
	static const char *const wrong[] = { "", "abc\n", "10S\nx 1\n", "10S\n5\n", "10S\n1 2 3\n", "S\n", "-1S\n",
					     "1S\n1152921504606846977 1\n" };
	struct quota_file_limits limits;
	struct quota_root *r;
	struct fixture f;
	struct mailbox *inbox;
	int64_t bytes, messages;

	(void)state;
	assert_true(quota_file_parse(SPAN("10000S,100C\n 10 1\n20 2\n-5 -1\n"), &limits, &bytes, &messages));
	assert_true(limits.bytes == 10000 && limits.messages == 100 && bytes == 25 && messages == 2);
	assert_true(quota_file_parse(SPAN("7C,3Z"), &limits, &bytes, &messages));
	assert_true(!limits.has_bytes && limits.has_messages && limits.messages == 7);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (quota_file_parse(span_str(wrong[i]), &limits, &bytes, &messages))
			fail_msg("%s was taken", wrong[i]);
	/* Without a rule the file's own limits hold; its sums are nothing to us. */
	fixture_init(&f);
	r = with_root(&f, QUOTA_MAILDIR, 0, 0);
	r->limits.bytes.is_set = r->limits.messages.is_set = false;
	r->yields = true;
	fixture_run(&f, "mkdir -p Maildir/new Maildir/cur Maildir/tmp && printf '1000S,3C\\n900 2\\n' > Maildir/maildirsize");
	fixture_open(&f);
	inbox = box_of(f.st, "INBOX", MAILBOX_SAVE);
	assert_int_equal(try_save(inbox, 700, 1), ERR_NONE);
	assert_int_equal(try_save(inbox, 700, 1), ERR_OVERQUOTA);
	assert_int_equal(fixture_number(&f, "grep -c '^1000S,3C$' Maildir/maildirsize"), 1);
	assert_int_equal(fixture_number(&f, "grep -c '^700 1$' Maildir/maildirsize"), 1);
	mailbox_close(inbox);
	fixture_close(&f);
	/* A symbolic link is not followed. */
	fixture_run(&f, "rm Maildir/maildirsize && echo 1000S,3C > victim && ln -s ../victim Maildir/maildirsize");
	fixture_open(&f);
	inbox = box_of(f.st, "INBOX", MAILBOX_SAVE);
	assert_int_equal(try_save(inbox, 100, 1), ERR_NONE);
	mailbox_close(inbox);
	assert_int_equal(fixture_number(&f, "wc -l < victim"), 1);
	fixture_clear(&f);
}

/* A file that several messages share: what is refused has not touched it. */
static void
test_mbox(void **state)
{
	struct fixture f;
	struct mailbox *inbox, *work;
	struct err e = ERR_INIT;
	long size;

	(void)state;
	fixture_init(&f);
	with_root(&f, QUOTA_COUNT, 1000, 0);
	f.conf.location = SPAN("mbox:~/mail:INBOX=~/inbox");
	fixture_run(&f, "mkdir mail && : > inbox");
	fixture_open(&f);
	MUST(storage_create(f.st, SPAN("Work"), false, &e), &e);
	inbox = box_of(f.st, "INBOX", MAILBOX_WRITE);
	work = box_of(f.st, "Work", MAILBOX_WRITE);
	assert_int_equal(try_save(inbox, 498, 1), ERR_NONE);
	assert_true(usage(&f).messages == 1 && usage(&f).bytes >= 500);
	size = fixture_number(&f, "stat -c %%s inbox");
	assert_int_equal(try_save(inbox, 598, 1), ERR_OVERQUOTA);
	assert_int_equal(try_save(inbox, 300, 2), ERR_OVERQUOTA);
	assert_int_equal(fixture_number(&f, "stat -c %%s inbox"), size);
	sync_box(inbox, NULL);
	assert_int_equal(mailbox_count(inbox), 1);
	assert_int_equal(try_copy(&f, inbox, 1, work, true), ERR_NONE);
	assert_true(usage(&f).messages == 1);
	size = fixture_number(&f, "stat -c %%s mail/Work");
	sync_box(work, NULL);
	assert_int_equal(try_save(inbox, 300, 1), ERR_NONE);
	assert_int_equal(try_copy(&f, work, 1, work, false), ERR_OVERQUOTA);
	assert_int_equal(fixture_number(&f, "stat -c %%s mail/Work"), size);
	expunge_uid(work, 1);
	assert_true(usage(&f).messages == 1 && usage(&f).bytes < 400);
	mailbox_close(work);
	mailbox_close(inbox);
	fixture_clear(&f);
}

/* Somebody else's mailbox: its owner's limits hold, in the transaction of who saves. */
static void
test_owner(void **state)
{
	struct namespace_conf spaces[2] = {
		{ .inbox = true, .subscriptions = true },
		{ .prefix = SPAN("bob/"), .separator = '/', .type = NS_SHARED, .subscriptions = true },
	};
	struct fixture owner, other;
	struct quota_root *r;
	struct mailbox *box, *spam, *mine;
	char location[128];
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&owner);
	r = with_root(&owner, QUOTA_COUNT, 1000, 0);
	add_rule(r, "Trash:storage=+10%");
	add_rule(r, "Spam:ignore");
	fixture_open(&owner);
	MUST(storage_create(owner.st, SPAN("Trash"), false, &e), &e);
	MUST(storage_create(owner.st, SPAN("Spam"), false, &e), &e);
	box = box_of(owner.st, "INBOX", MAILBOX_SAVE);
	assert_int_equal(try_save(box, 498, 1), ERR_NONE);
	mailbox_close(box);
	fixture_close(&owner);
	/* The other user has much room of his own. */
	fixture_init(&other);
	with_root(&other, QUOTA_COUNT, 1000000, 0);
	snprintf(location, sizeof(location), "maildir:%s/Maildir", owner.home);
	spaces[1].location = span_str(location);
	other.conf.namespaces = spaces;
	other.conf.namespace_count = 2;
	fixture_open(&other);
	mine = box_of(other.st, "INBOX", MAILBOX_WRITE);
	box = box_of(other.st, "bob/Trash", MAILBOX_WRITE);
	spam = box_of(other.st, "bob/Spam", MAILBOX_WRITE);
	assert_int_equal(try_save(spam, 5000, 1), ERR_NONE);
	assert_int_equal(try_save(box, 599, 1), ERR_OVERQUOTA);
	assert_int_equal(try_save(box, 598, 1), ERR_NONE);
	assert_int_equal(try_save(mine, 5000, 1), ERR_NONE);
	assert_int_equal(try_copy(&other, mine, 1, box, false), ERR_OVERQUOTA);
	assert_int_equal(try_copy(&other, mine, 1, box, true), ERR_OVERQUOTA);
	assert_true(usage(&other).bytes == 5002);
	mailbox_close(mine);
	mailbox_close(spam);
	mailbox_close(box);
	fixture_clear(&other);
	fixture_open(&owner);
	assert_true(usage(&owner).bytes == 1100 && usage(&owner).messages == 2);
	fixture_clear(&owner);
}

static int
listen_at(const struct fixture *f, const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/%s", f->home, name);
	assert_int_not_equal(fd, -1);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* The arguments of the one warning that came since; "" when none did. */
static const char *
warned(int fd)
{
	static char out[256];
	static char room[SCRIPT_REQUEST_MAX], in[SCRIPT_REQUEST_MAX];
	struct script_request q;
	struct buf b = BUF_INIT(SCRIPT_REQUEST_MAX);
	ssize_t n;
	int conn = accept(fd, NULL, NULL);

	out[0] = '\0';
	if (conn == -1)
		return out;
	while ((n = read(conn, in, sizeof(in))) > 0)
		buf_add(&b, span_of(in, (size_t)n));
	close(conn);
	assert_int_equal(script_request_parse(buf_span(&b), room, &q), SCRIPT_DONE);
	for (size_t i = 0; i < q.count; i++)
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%s", i > 0 ? " " : "", q.arguments[i]);
	buf_clear(&b);
	assert_int_equal(accept(fd, NULL, NULL), -1);
	return out;
}

static void
test_warnings(void **state)
{
	struct fixture f;
	struct quota_root *r;
	struct mailbox *inbox, *spam;
	struct err e = ERR_INIT;
	int fd;

	(void)state;
	fixture_init(&f);
	r = with_root(&f, QUOTA_COUNT, 1000, 10);
	add_warning(r, "storage=95%% quota-warning 95 bob");
	add_warning(r, "storage=50% quota-warning 50 bob");
	add_warning(r, "-storage=50%% quota-warning below");
	add_warning(r, "messages=50%% quota-warning five messages");
	add_warning(r, "-messages=2 quota-warning few");
	add_rule(r, "Spam:ignore");
	fd = listen_at(&f, "quota-warning");
	fixture_open(&f);
	MUST(storage_create(f.st, SPAN("Spam"), false, &e), &e);
	inbox = box_of(f.st, "INBOX", MAILBOX_WRITE);
	spam = box_of(f.st, "Spam", MAILBOX_WRITE);
	assert_int_equal(try_save(inbox, 398, 1), ERR_NONE);
	assert_string_equal(warned(fd), "");
	assert_int_equal(try_save(inbox, 98, 1), ERR_NONE);
	assert_string_equal(warned(fd), "50 bob");
	assert_int_equal(try_save(inbox, 98, 1), ERR_NONE);
	assert_string_equal(warned(fd), "");		/* once */
	assert_int_equal(try_save(inbox, 598, 1), ERR_OVERQUOTA);
	assert_string_equal(warned(fd), "");
	expunge_uid(inbox, 1);
	assert_string_equal(warned(fd), "below");
	/* The first that is met, the highest. */
	assert_int_equal(try_save(inbox, 748, 1), ERR_NONE);
	assert_string_equal(warned(fd), "95 bob");
	expunge_uid(inbox, 4);
	assert_string_equal(warned(fd), "below");
	assert_int_equal(try_save(inbox, 10, 3), ERR_NONE);
	assert_string_equal(warned(fd), "five messages");
	/* What moves to where it does not count has gone. */
	sync_box(inbox, NULL);
	for (uint32_t seq = mailbox_count(inbox); seq > 0; seq--) {
		assert_int_equal(try_copy(&f, inbox, mailbox_uid(inbox, seq), spam, true), ERR_NONE);
		assert_string_equal(warned(fd), seq == 2 ? "few" : "");
	}
	close(fd);
	/* Nobody listens: it is logged, and nothing else. */
	assert_int_equal(try_save(inbox, 598, 1), ERR_NONE);
	mailbox_close(inbox);
	mailbox_close(spam);
	fixture_clear(&f);
}

static void
test_crossing(void **state)
{
	static const struct {
		const char *warning;
		uint64_t before, after;
		bool want;
	} cases[] = {
		{ "bytes=100 x", 99, 100, true }, { "bytes=100 x", 100, 101, false }, { "bytes=100 x", 0, 99, false },
		{ "bytes=100 x", 150, 100, false }, { "-bytes=100 x", 100, 99, true }, { "-bytes=100 x", 99, 98, false },
		{ "-bytes=100 x", 99, 100, false }, { "bytes=0 x", 0, 5, false }, { "storage=10% x", 0, 1000, true },
	};
	struct quota_limits base = { .bytes = { .n = 10000, .is_set = true } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct quota_used before = { .bytes = cases[i].before }, after = { .bytes = cases[i].after };
		struct quota_warning w;
		struct err e = ERR_INIT;

		MUST(quota_warning_parse(span_str(cases[i].warning), &w, &e), &e);
		if (quota_warning_is_met(&w, &base, &before, &after) != cases[i].want)
			fail_msg("%s from %d to %d", cases[i].warning, (int)before.bytes, (int)after.bytes);
	}
	/* Of no limit there are no percent. */
	struct quota_used before = { 0 }, after = { .bytes = 1 << 20 };
	struct quota_limits none = { 0 };
	struct quota_warning w;
	struct err e = ERR_INIT;

	MUST(quota_warning_parse(SPAN("storage=1% x"), &w, &e), &e);
	assert_false(quota_warning_is_met(&w, &none, &before, &after));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits), cmocka_unit_test(test_mailbox_rules), cmocka_unit_test(test_grace_and_size),
		cmocka_unit_test(test_outside_sizes), cmocka_unit_test(test_race), cmocka_unit_test(test_file),
		cmocka_unit_test(test_model), cmocka_unit_test(test_owner), cmocka_unit_test(test_mbox), cmocka_unit_test(test_warnings), cmocka_unit_test(test_crossing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
