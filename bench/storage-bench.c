/* SPDX-License-Identifier: MIT */
/*
 * What the storage costs, without a protocol around it: storage-bench DIRECTORY [messages...].  Makes its own users there.
 * With several sizes: what must not cost more as the mailbox grows.  "cpu" is this process's own time, user and system,
 * which other load on the machine disturbs least.  "cold" means without an index, not without a page cache.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/sys.h"
#include "lib-storage/storage-priv.h"

#define ONES 200	/* of what is done to single messages */

static struct err e;
static struct arena *a;

struct timer {
	int64_t wall, cpu;	/* us */
};

struct user {
	char home[200];
	size_t count;		/* messages at first */
	bool mbox;
	struct storage *st;
	struct mailbox *box;
	struct buf text;
	uint32_t *uids;
	struct timer t;
};

static void
check(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, e.log);
	exit(1);
}

static struct timer
now(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (struct timer){ clock_us(), (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * (int64_t)1000000 + r.ru_utime.tv_usec +
		r.ru_stime.tv_usec };
}

static void
begin(struct user *u)
{
	u->t = now();
}

static void
show(struct user *u, const char *what, size_t count)
{
	struct timer t = now();
	double n = count == 0 ? 1 : (double)count;

	printf("%-52s %10.2f ms  %10.2f us each  %10.2f us cpu\n", what, (double)(t.wall - u->t.wall) / 1000,
	    (double)(t.wall - u->t.wall) / n, (double)(t.cpu - u->t.cpu) / n);
	fflush(stdout);
	u->t = now();
}

static void
run(const struct user *u, const char *what)
{
	char cmd[600];

	snprintf(cmd, sizeof(cmd), "cd '%s' && %s", u->home, what);
	check(system(cmd) == 0 ? 0 : -1, cmd);
}

static long
number(const struct user *u, const char *what)
{
	char cmd[600];
	long n = -1;
	FILE *in;

	snprintf(cmd, sizeof(cmd), "cd '%s' && %s", u->home, what);
	in = popen(cmd, "r");
	if (in == NULL || fscanf(in, "%ld", &n) != 1)
		n = -1;
	if (in != NULL)
		pclose(in);
	return n;
}

static void
open_user(struct user *u, enum fsync_mode fsync)
{
	struct storage_conf conf = STORAGE_CONF_DEFAULT;

	conf.user = SPAN("bench");
	conf.home = span_str(u->home);
	conf.fsync = fsync;
	if (u->mbox)
		conf.location = SPAN("mbox:~/mail:INBOX=~/inbox");
	check(storage_open_conf(&conf, -1, &u->st, &e), "open");
}

static struct mailbox *
open_box(struct user *u, struct span name, enum mailbox_mode mode)
{
	struct mailbox *box;

	check(mailbox_open(u->st, name, mode, &box, &e), "open a mailbox");
	return box;
}

static void
reopen(struct user *u, enum fsync_mode fsync)
{
	mailbox_close(u->box);
	storage_close(u->st);
	open_user(u, fsync);
	u->box = open_box(u, SPAN("INBOX"), MAILBOX_WRITE);
}

static void
sync_box(struct mailbox *box)
{
	struct view_changes vc;

	check(mailbox_sync(box, true, &vc, &e), "sync");
}

static void
save(struct mailbox *box, struct span text)
{
	struct save_params p = { .internal_date = INT64_MIN };
	struct saver *s;
	struct uid_list uids;
	uint32_t validity;

	check(saver_new(box, &s, &e), "save");
	check(saver_begin(s, &p, &e), "save");
	check(saver_write(s, text, &e), "save");
	check(saver_finish(s, &e), "save");
	check(saver_commit(s, a, &validity, &uids, &e), "save");
	saver_free(s);
	arena_reset(a);
}

/* One file as another program leaves it. */
static void
make_file(struct user *u, const char *sub, size_t i)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/Maildir/%s/%zu.M%zuP1.host,S=%zu%s", u->home, sub, 1600000000 + i, i, u->text.n,
	    sub[0] == 'c' ? ":2," : "");
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	check(fd, path);
	check(fd_write_all(fd, buf_span(&u->text), &e), path);
	close(fd);
}

/* Messages at the end of INBOX, as a delivery agent leaves them. */
static void
append_mbox(struct user *u, size_t count)
{
	char path[512];
	FILE *out;

	snprintf(path, sizeof(path), "%s/inbox", u->home);
	out = fopen(path, "a");
	check(out == NULL ? -1 : 0, path);
	for (size_t i = 0; i < count; i++)
		fprintf(out, "From a@example.org Sat Nov 21 10:00:00 2026\n%.*s\n", SPAN_ARG(buf_span(&u->text)));
	check(fclose(out) == 0 ? 0 : -1, path);
}

static void
make_user(struct user *u)
{
	char path[512];
	static const char *const subs[] = { "", "/cur", "/new", "/tmp" };

	mkdir(u->home, 0700);
	for (int i = 0; i < 4 && !u->mbox; i++) {
		snprintf(path, sizeof(path), "%s/Maildir%s", u->home, subs[i]);
		mkdir(path, 0700);
	}
	buf_init(&u->text, 65536);
	buf_adds(&u->text, "From: Somebody <a@example.org>\nTo: bob@example.org\nSubject: A subject of a usual length\n"
	    "Date: Sat, 21 Nov 2026 10:00:00 +0000\nMessage-ID: <1@example.org>\nContent-Type: text/plain\n\n");
	while (u->text.n < 4000)
		buf_adds(&u->text, "A line of text as it stands in most of the messages of this world.\n");
	if (u->mbox)
		append_mbox(u, u->count);
	for (size_t i = 0; i < u->count && !u->mbox; i++)
		make_file(u, "cur", i);
}

/* Opening. */
static void
bench_open(struct user *u)
{
	begin(u);
	open_user(u, FSYNC_OPTIMIZED);
	show(u, "open the user, no index", 1);
	u->box = open_box(u, SPAN("INBOX"), MAILBOX_WRITE);
	show(u, "select, all files new (renamed)", u->count);
	mailbox_close(u->box);
	storage_close(u->st);
	show(u, "close", 1);
	for (int i = 0; i < 100; i++) {
		open_user(u, FSYNC_OPTIMIZED);
		storage_close(u->st);
	}
	show(u, "open and close the user", 100);
	open_user(u, FSYNC_OPTIMIZED);
	begin(u);
	for (int i = 0; i < ONES; i++)
		mailbox_close(open_box(u, SPAN("INBOX"), MAILBOX_WRITE));
	show(u, "select, warm", ONES);
	u->box = open_box(u, SPAN("INBOX"), MAILBOX_WRITE);
	begin(u);
	for (int i = 0; i < ONES; i++) {
		struct mailbox_status st;

		check(storage_status(u->st, SPAN("INBOX"), STATUS_MESSAGES | STATUS_UNSEEN, &st, &e), "status");
	}
	show(u, "status", ONES);
	for (int i = 0; i < 1000; i++)
		sync_box(u->box);
	show(u, "sync, nothing changed", 1000);
}

static void
bench_read(struct user *u)
{
	begin(u);
	for (uint32_t i = 1; i <= u->count; i++) {
		struct summary_view sv;

		check(mailbox_summary(u->box, i, NEED_HEADER, &sv, &e), "summary");
	}
	mailbox_read_end(u->box);
	show(u, "summaries made from headers", u->count);
	for (uint32_t i = 1; i <= u->count; i++) {
		struct summary_view sv;
		struct msg_rec rec;

		check(mailbox_get(u->box, i, &rec, &e), "get");
		check(mailbox_summary(u->box, i, NEED_HEADER, &sv, &e), "summary");
	}
	mailbox_read_end(u->box);
	show(u, "summaries and records read", u->count);
	for (uint32_t i = 1; i <= u->count; i++) {
		struct span body;

		check(mailbox_body(u->box, i, &body, &e), "body");
	}
	show(u, "bodies read", u->count);
}

static void
bench_flags(struct user *u)
{
	struct flag_change seen = { .op = FLAGS_ADD, .flags = MSG_SEEN };
	struct flag_change flag = { .op = FLAGS_ADD, .flags = MSG_FLAGGED };

	begin(u);
	for (uint32_t i = 0; i < ONES; i++) {
		uint32_t uid = (uint32_t)(i * 7 % u->count) + 1;

		check(mailbox_store(u->box, &uid, 1, &flag, a, NULL, NULL, &e), "store");
	}
	show(u, "store of one message", ONES);
	sync_box(u->box);
	show(u, "sync after them", 1);
	check(storage_maintain(u->st, &e), "maintain");
	show(u, "their renames behind", ONES);
	for (size_t i = 0; i < u->count; i++)
		u->uids[i] = (uint32_t)i + 1;
	check(mailbox_store(u->box, u->uids, u->count, &seen, a, NULL, NULL, &e), "store");
	show(u, "store of all", u->count);
	check(storage_maintain(u->st, &e), "maintain");
	show(u, "their renames behind", u->count);
	sync_box(u->box);
	show(u, "sync after it", 1);
	arena_reset(a);
}

/* Deliveries, copies, moves and expunges of single messages: into and out of this mailbox. */
static void
bench_singles(struct user *u)
{
	struct mailbox *other, *box;
	struct copy_result r;

	reopen(u, FSYNC_NEVER);
	check(storage_create(u->st, SPAN("Other"), false, &e), "create");
	other = open_box(u, SPAN("Other"), MAILBOX_SAVE);
	begin(u);
	for (int i = 0; i < ONES; i++) {
		box = open_box(u, SPAN("INBOX"), MAILBOX_SAVE);
		save(box, buf_span(&u->text));
		mailbox_close(box);
	}
	show(u, "open, save, close, mail_fsync=never", ONES);
	sync_box(u->box);
	show(u, "sync after it", 1);
	for (uint32_t i = 1; i <= ONES; i++) {
		check(mailbox_copy(u->box, &i, 1, other, false, a, &r, &e), "copy");
		arena_reset(a);
	}
	show(u, "copy of one message", ONES);
	for (uint32_t i = 1; i <= ONES; i++) {
		check(mailbox_copy(u->box, &i, 1, other, true, a, &r, &e), "move");
		sync_box(u->box);
		arena_reset(a);
	}
	show(u, "move of one message out, and sync", ONES);
	for (uint32_t i = ONES + 1; i <= 2 * ONES; i++) {
		check(mailbox_expunge(u->box, &i, 1, true, &e), "expunge");
		sync_box(u->box);
	}
	show(u, "expunge of one message, and sync", ONES);
	mailbox_close(other);
	for (int i = 0; i < ONES; i++)
		mailbox_close(open_box(u, SPAN("INBOX"), MAILBOX_WRITE));
	show(u, "select, warm, with a gap", ONES);
}

/* What other programs do. */
static void
bench_outside(struct user *u)
{
	begin(u);
	for (size_t i = 0; i < 10; i++) {
		make_file(u, "new", u->count + i);
		begin(u);
		sync_box(u->box);
	}
	show(u, "sync after a program outside added one", 1);
	mailbox_close(u->box);
	make_file(u, "new", u->count + 10);
	begin(u);
	u->box = open_box(u, SPAN("INBOX"), MAILBOX_WRITE);
	show(u, "select after a program outside added one", 1);
	run(u, "rm $(find Maildir/new -type f | head -1)");
	begin(u);
	sync_box(u->box);
	show(u, "sync after a program outside removed one", 1);
}

static void
bench_many(struct user *u)
{
	struct copy_result r;
	struct mailbox *other = open_box(u, SPAN("Other"), MAILBOX_SAVE);
	size_t n = 0;

	for (uint32_t seq = 1; seq <= mailbox_count(u->box) && n < u->count; seq += 2)
		u->uids[n++] = mailbox_uid(u->box, seq);
	begin(u);
	check(mailbox_copy(u->box, u->uids, n, other, false, a, &r, &e), "copy");
	show(u, "copy of every second", n);
	arena_reset(a);
	check(mailbox_copy(u->box, u->uids, n / 2, other, true, a, &r, &e), "move");
	show(u, "move of every second of the first half", n / 2);
	arena_reset(a);
	check(mailbox_expunge(u->box, u->uids + n / 2, n - n / 2, true, &e), "expunge");
	show(u, "expunge of every second of the rest", n - n / 2);
	sync_box(u->box);
	show(u, "sync after it", 1);
	mailbox_close(other);
	begin(u);
	for (int i = 0; i < ONES; i++)
		mailbox_close(open_box(u, SPAN("INBOX"), MAILBOX_WRITE));
	show(u, "select, warm, every second missing", ONES);
}

static void
bench_rebuild(struct user *u)
{
	uint32_t count = mailbox_count(u->box);
	long kb;

	mailbox_close(u->box);
	storage_close(u->st);
	kb = number(u, "du -k Maildir/culver.index/data.mdb");
	printf("%-52s %10ld kB\n", "index, with what was deleted", kb);
	run(u, "rm -rf Maildir/culver.index");
	open_user(u, FSYNC_OPTIMIZED);
	begin(u);
	u->box = open_box(u, SPAN("INBOX"), MAILBOX_WRITE);
	show(u, "select, index lost", count);
	mailbox_close(u->box);
	storage_close(u->st);
	kb = number(u, "du -k Maildir/culver.index/data.mdb");
	printf("%-52s %10.0f octets a message\n", "index, rebuilt", (double)kb * 1024 / (count == 0 ? 1 : count));
}

static void
bench(const char *directory, size_t count)
{
	struct user u = { .count = count };

	snprintf(u.home, sizeof(u.home), "%s/%zu", directory, count);
	u.uids = calloc(count + 1, sizeof(*u.uids));
	if (u.uids == NULL || count < 2 * ONES + 10)
		exit(64);
	printf("\n%zu messages\n", count);
	make_user(&u);
	bench_open(&u);
	bench_read(&u);
	bench_flags(&u);
	bench_singles(&u);
	bench_outside(&u);
	bench_many(&u);
	bench_rebuild(&u);
	buf_clear(&u.text);
	free(u.uids);
}

static void
bench_mbox(const char *directory, size_t count)
{
	struct user u = { .count = count, .mbox = true };
	struct flag_change seen = { .op = FLAGS_ADD, .flags = MSG_SEEN };
	size_t n = 0;

	snprintf(u.home, sizeof(u.home), "%s/mbox-%zu", directory, count);
	u.uids = calloc(count + 1, sizeof(*u.uids));
	if (u.uids == NULL)
		exit(64);
	printf("\n%zu messages in an mbox file\n", count);
	make_user(&u);
	open_user(&u, FSYNC_NEVER);
	begin(&u);
	u.box = open_box(&u, SPAN("INBOX"), MAILBOX_WRITE);
	show(&u, "select, no index", count);
	check(storage_maintain(u.st, &e), "maintain");
	show(&u, "what is written behind it", count);
	mailbox_close(u.box);
	begin(&u);
	for (int i = 0; i < ONES; i++)
		mailbox_close(open_box(&u, SPAN("INBOX"), MAILBOX_WRITE));
	show(&u, "select, warm", ONES);
	u.box = open_box(&u, SPAN("INBOX"), MAILBOX_WRITE);
	begin(&u);
	for (uint32_t i = 0; i < 20; i++) {
		uint32_t uid = mailbox_uid(u.box, (uint32_t)(i * 7 % count) + 1);

		check(mailbox_store(u.box, &uid, 1, &seen, a, NULL, NULL, &e), "store");
		check(storage_maintain(u.st, &e), "maintain");
	}
	show(&u, "store of one message, written", 20);
	for (uint32_t seq = 1; seq <= mailbox_count(u.box); seq++)
		u.uids[n++] = mailbox_uid(u.box, seq);
	check(mailbox_store(u.box, u.uids, n, &seen, a, NULL, NULL, &e), "store");
	check(storage_maintain(u.st, &e), "maintain");
	show(&u, "store of all, written", n);
	append_mbox(&u, 1);
	begin(&u);
	sync_box(u.box);
	show(&u, "sync after a program outside appended one", 1);
	save(u.box, buf_span(&u.text));
	show(&u, "save", 1);
	sync_box(u.box);
	begin(&u);
	check(mailbox_expunge(u.box, &u.uids[n - 1], 1, true, &e), "expunge");
	show(&u, "expunge of the last but two", 1);
	check(mailbox_expunge(u.box, &u.uids[0], 1, true, &e), "expunge");
	show(&u, "expunge of the first", 1);
	check(mailbox_expunge(u.box, u.uids + 1, n / 2, true, &e), "expunge");
	show(&u, "expunge of half", n / 2);
	mailbox_close(u.box);
	storage_close(u.st);
	run(&u, "rm -rf mail/culver.index");
	open_user(&u, FSYNC_NEVER);
	begin(&u);
	u.box = open_box(&u, SPAN("INBOX"), MAILBOX_WRITE);
	show(&u, "select, index lost", mailbox_count(u.box));
	mailbox_close(u.box);
	storage_close(u.st);
	buf_clear(&u.text);
	free(u.uids);
	arena_reset(a);
}

int
main(int argc, char **argv)
{
	a = arena_new((size_t)1 << 30);
	if (argc < 2 || a == NULL) {
		fprintf(stderr, "usage: storage-bench DIRECTORY [messages...]\n");
		return 64;
	}
	mkdir(argv[1], 0700);
	for (int i = 2; i < argc; i++)
		bench(argv[1], strtoul(argv[i], NULL, 10));
	if (argc == 2)
		bench(argv[1], 10000);
	bench_mbox(argv[1], 10000);
	arena_free(a);
	return 0;
}
