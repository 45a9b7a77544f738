/* SPDX-License-Identifier: MIT */
/*
 * What the storage costs, without a protocol around it: storage-bench DIRECTORY [messages].  Makes its own user there.
 * Times are of one process on an otherwise idle machine; "cold" means without an index, not without a page cache.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/sys.h"
#include "lib-storage/storage-priv.h"

static struct err e;
static struct arena *a;

static void
check(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, e.log);
	exit(1);
}

static int64_t
show(const char *what, int64_t since, size_t count)
{
	int64_t us = clock_us() - since;

	printf("%-44s %10.2f ms", what, (double)us / 1000);
	if (count > 1)
		printf("  %8.2f us each", (double)us / (double)count);
	printf("\n");
	return clock_us();
}

static struct storage *
open_user(const char *home, enum fsync_mode fsync)
{
	struct storage_conf conf = STORAGE_CONF_DEFAULT;
	struct storage *st;

	conf.user = SPAN("bench");
	conf.home = span_str(home);
	conf.fsync = fsync;
	check(storage_open_conf(&conf, -1, &st, &e), "open");
	return st;
}

static struct mailbox *
open_box(struct storage *st, enum mailbox_mode mode)
{
	struct mailbox *box;

	check(mailbox_open(st, SPAN("INBOX"), mode, &box, &e), "open INBOX");
	return box;
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

/* count files as another program leaves them. */
static void
make_files(const char *home, size_t count, struct span text)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/Maildir", home);
	mkdir(path, 0700);
	for (int i = 0; i < 3; i++) {
		static const char *const subs[] = { "cur", "new", "tmp" };

		snprintf(path, sizeof(path), "%s/Maildir/%s", home, subs[i]);
		mkdir(path, 0700);
	}
	for (size_t i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/Maildir/cur/%zu.M%zuP1.host,S=%zu:2,", home, 1600000000 + i, i, text.n);
		int fd = open(path, O_WRONLY | O_CREAT, 0600);

		check(fd, path);
		check(fd_write_all(fd, text, &e), path);
		close(fd);
	}
}

int
main(int argc, char **argv)
{
	const char *home = argc > 1 ? argv[1] : NULL;
	size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 10000, i;
	struct buf text = BUF_INIT(65536);
	struct storage *st;
	struct mailbox *box;
	struct view_changes vc;
	struct flag_change seen = { .op = FLAGS_ADD, .flags = MSG_SEEN };
	struct flag_change flag = { .op = FLAGS_ADD, .flags = MSG_FLAGGED };
	uint32_t uid = 1, *uids = calloc(count + 1, sizeof(*uids));
	int64_t t;

	a = arena_new((size_t)1 << 30);
	if (home == NULL || a == NULL || uids == NULL) {
		fprintf(stderr, "usage: storage-bench DIRECTORY [messages]\n");
		return 64;
	}
	buf_adds(&text, "From: Somebody <a@example.org>\nTo: bob@example.org\nSubject: A subject of a usual length\n"
	    "Date: Sat, 21 Nov 2026 10:00:00 +0000\nMessage-ID: <1@example.org>\nContent-Type: text/plain\n\n");
	while (text.n < 4000)
		buf_adds(&text, "A line of text as it stands in most of the messages of this world.\n");
	make_files(home, count, buf_span(&text));

	t = clock_us();
	st = open_user(home, FSYNC_OPTIMIZED);
	t = show("open the user, no index", t, 1);
	box = open_box(st, MAILBOX_WRITE);
	t = show("select, all files new (renamed)", t, count);
	mailbox_close(box);
	storage_close(st);
	t = show("close", t, 1);
	for (i = 0; i < 100; i++)
		storage_close(open_user(home, FSYNC_OPTIMIZED));
	t = show("open and close the user", t, 100);
	st = open_user(home, FSYNC_OPTIMIZED);
	t = clock_us();
	for (i = 0; i < 20; i++)
		mailbox_close(open_box(st, MAILBOX_READ));
	t = show("select, warm (each of 20)", t, 20);
	box = open_box(st, MAILBOX_WRITE);
	t = clock_us();
	for (i = 0; i < 1000; i++)
		check(mailbox_sync(box, true, &vc, &e), "sync");
	t = show("sync, nothing changed", t, 1000);
	for (i = 1; i <= count; i++) {
		struct summary_view sv;

		check(mailbox_summary(box, (uint32_t)i, NEED_HEADER, &sv, &e), "summary");
	}
	mailbox_read_end(box);
	t = show("summaries made from headers", t, count);
	for (i = 1; i <= count; i++) {
		struct summary_view sv;
		struct msg_rec rec;

		check(mailbox_get(box, (uint32_t)i, &rec, &e), "get");
		check(mailbox_summary(box, (uint32_t)i, NEED_HEADER, &sv, &e), "summary");
	}
	mailbox_read_end(box);
	t = show("summaries and records read", t, count);
	for (i = 1; i <= count; i++) {
		struct span body;

		check(mailbox_body(box, (uint32_t)i, &body, &e), "body");
	}
	t = show("bodies read", t, count);
	for (i = 0; i < 1000; i++) {
		uid = (uint32_t)(i * 7 % count) + 1;
		check(mailbox_store(box, &uid, 1, i % 2 ? &seen : &flag, a, NULL, NULL, &e), "store");
	}
	t = show("store of one message", t, 1000);
	check(storage_maintain(st, &e), "maintain");
	t = show("their renames behind", t, 1000);
	for (i = 0; i < count; i++)
		uids[i] = (uint32_t)i + 1;
	check(mailbox_store(box, uids, count, &seen, a, NULL, NULL, &e), "store");
	t = show("store of all", t, count);
	check(storage_maintain(st, &e), "maintain");
	t = show("their renames behind", t, count);
	check(mailbox_sync(box, true, &vc, &e), "sync");
	t = show("sync after it", t, 1);
	for (i = 0; i < 1000; i++)
		save(box, buf_span(&text));
	t = show("save, mail_fsync=optimized", t, 1000);
	check(mailbox_sync(box, true, &vc, &e), "sync");
	t = show("sync after it", t, 1);
	mailbox_close(box);
	storage_close(st);
	st = open_user(home, FSYNC_NEVER);
	t = clock_us();
	for (i = 0; i < 1000; i++) {
		box = open_box(st, MAILBOX_SAVE);
		save(box, buf_span(&text));
		mailbox_close(box);
	}
	t = show("open, save, close, mail_fsync=never", t, 1000);
	box = open_box(st, MAILBOX_WRITE);
	t = show("select", t, 1);
	check(mailbox_expunge(box, uids, count / 2, true, &e), "expunge");
	t = show("expunge of half", t, count / 2);
	check(mailbox_sync(box, true, &vc, &e), "sync");
	t = show("sync after it", t, 1);
	mailbox_close(box);
	storage_close(st);
	char cmd[600];

	snprintf(cmd, sizeof(cmd), "rm -rf '%s/Maildir/culver.index'", home);
	if (system(cmd) != 0)
		return 1;
	st = open_user(home, FSYNC_OPTIMIZED);
	t = clock_us();
	box = open_box(st, MAILBOX_WRITE);
	show("select, index lost", t, mailbox_count(box));
	mailbox_close(box);
	storage_close(st);
	arena_free(a);
	buf_clear(&text);
	free(uids);
	return 0;
}
