/* SPDX-License-Identifier: MIT */
/* Files of mail that recipes name by a path: whole or not at all, and never in the way of what is there. */
#include "lib-deliver/procmail-folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/sys.h"

static const char mail[] = "From a@example.org Sat Nov 21 12:00:00 2026\nSubject: x\n\nText\n\n";

static char top[64];

static int
setup(void **state)
{
	(void)state;
	snprintf(top, sizeof(top), "%s", "/tmp/culver-folder.XXXXXX");
	return mkdtemp(top) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	char command[100];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", top);
	return system(command);
}

static int
save(enum procmail_place place, const struct span *names, size_t count, struct buf *out, struct err *e)
{
	struct procmail_files f = { .sequence = 0 };
	const struct procmail_delivery d = { .place = place, .dir = span_str(top), .names = names, .name_count = count,
		.text = span_str(mail), .prefix = SPAN("msg."), .umask = 077 };

	*e = (struct err)ERR_INIT;
	buf_init(out, 65536);
	return procmail_folder_save(&f, &d, out, e);
}

/* Also without names in out. */
static enum err_code
try_one(enum procmail_place place, const char *name)
{
	struct span names[] = { span_str(name) };
	struct buf out;
	struct err e;
	int rc = save(place, names, 1, &out, &e);

	buf_clear(&out);
	return rc == 0 ? ERR_NONE : e.code;
}

static const char *
path_of(const char *name)
{
	static char path[200];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static void
put(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void
expect_file(const char *name, const char *first, const char *then)
{
	struct buf text = BUF_INIT(65536);
	struct err e = ERR_INIT;
	int fd = open(path_of(name), O_RDONLY);

	assert_int_not_equal(fd, -1);
	assert_int_equal(fd_read_all(fd, text.max, &text, &e), 0);
	close(fd);
	assert_int_equal(text.n, strlen(first) + strlen(then));
	assert_memory_equal(text.p, first, strlen(first));
	assert_memory_equal(text.p + strlen(first), then, strlen(then));
	buf_clear(&text);
}

static size_t
count_files(const char *name)
{
	DIR *d = opendir(path_of(name));
	struct dirent *entry;
	size_t n = 0;

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(d);
	return n;
}

static void
test_mbox(void **state)
{
	(void)state;
	assert_int_equal(try_one(PROCMAIL_PLACE_FILE, "box"), ERR_NONE);
	expect_file("box", mail, "");
	assert_int_equal(try_one(PROCMAIL_PLACE_FILE, "box"), ERR_NONE);
	expect_file("box", mail, mail);
	/* What a crash has left: the next From_ line must begin a line. */
	put("cut", "From b@example.org Sat Nov 21 12:00:00 2026\nSubj");
	assert_int_equal(try_one(PROCMAIL_PLACE_FILE, "cut"), ERR_NONE);
	expect_file("cut", "From b@example.org Sat Nov 21 12:00:00 2026\nSubj\n\n", mail);
}

/* A full disk: the file is what it was. */
static void
test_full(void **state)
{
	struct rlimit before, low;

	(void)state;
	put("full", "From b@example.org Sat Nov 21 12:00:00 2026\nSubj");
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	low = before;
	low.rlim_cur = 80;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	assert_int_not_equal(try_one(PROCMAIL_PLACE_FILE, "full"), ERR_NONE);
	low.rlim_cur = 10;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	assert_int_not_equal(try_one(PROCMAIL_PLACE_FILE, "fresh"), ERR_NONE);
	assert_int_not_equal(try_one(PROCMAIL_PLACE_MAILDIR, "fullbox/"), ERR_NONE);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	expect_file("full", "From b@example.org Sat Nov 21 12:00:00 2026\nSubj", "");
	expect_file("fresh", "", "");
	assert_int_equal(count_files("fullbox/new"), 0);
	assert_int_equal(count_files("fullbox/tmp"), 0);
}

static void
test_dirs(void **state)
{
	struct span names[] = { SPAN("first/"), SPAN("mh/."), SPAN("plain"), SPAN("/nonexistent/x/") };
	struct buf out;
	struct err e;

	(void)state;
	assert_int_equal(mkdir(path_of("plain"), 0700), 0);
	put("mh-file", "");
	assert_int_equal(save(PROCMAIL_PLACE_MAILDIR, names, 4, &out, &e), 0);
	assert_true(span_starts(buf_span(&out), SPAN("first/new/")));
	assert_true(span_find(buf_span(&out), SPAN(" mh/1 plain/msg.")) < out.n);
	buf_clear(&out);
	assert_int_equal(count_files("first/new"), 1);
	assert_int_equal(count_files("first/tmp"), 0);
	assert_int_equal(count_files("first/cur"), 0);
	assert_int_equal(count_files("plain"), 1);
	expect_file("mh/1", mail, "");
	put("mh/7", "");
	put("mh/12x", "");
	assert_int_equal(try_one(PROCMAIL_PLACE_MH, "mh/."), ERR_NONE);
	expect_file("mh/8", mail, "");
	assert_int_equal(count_files("mh"), 4);
	/* A file is where the directory should be. */
	assert_int_not_equal(try_one(PROCMAIL_PLACE_MH, "mh-file/."), ERR_NONE);
	expect_file("mh-file", "", "");
}

static void
test_refused(void **state)
{
	struct span names[] = { span_of("a\0b", 3) };
	struct buf out;
	struct err e;

	(void)state;
	assert_int_equal(mkfifo(path_of("fifo"), 0600), 0);
	assert_int_equal(symlink("loop", path_of("loop")), 0);
	assert_int_not_equal(try_one(PROCMAIL_PLACE_FILE, "fifo"), ERR_NONE);
	assert_int_not_equal(try_one(PROCMAIL_PLACE_FILE, "loop"), ERR_NONE);
	assert_int_not_equal(try_one(PROCMAIL_PLACE_FILE, "/dev/zero"), ERR_NONE);
	assert_int_not_equal(try_one(PROCMAIL_PLACE_FILE, ""), ERR_NONE);
	assert_int_not_equal(try_one(PROCMAIL_PLACE_MAILDIR, "none/there/"), ERR_NONE);
	assert_int_equal(save(PROCMAIL_PLACE_FILE, names, 1, &out, &e), -1);
	buf_clear(&out);
}

static enum err_code
lock(const char *name, unsigned timeout)
{
	struct procmail_files f = { .lock_wait = 1 };
	const struct procmail_lock l = { .dir = span_str(top), .name = span_str(name), .sleep = 1, .timeout = timeout };
	struct procmail_host host;
	struct err e = ERR_INIT;

	procmail_files_host(&f, &host);
	return host.lock(&f, &l, &e) == 0 ? ERR_NONE : e.code;
}

static void
unlock(const char *name)
{
	struct procmail_files f = { .lock_wait = 1 };
	struct procmail_host host;

	procmail_files_host(&f, &host);
	host.unlock(&f, span_str(top), span_str(name));
}

static void
age(const char *name)
{
	const struct timespec times[2] = { { 1000000000, 0 }, { 1000000000, 0 } };

	assert_int_equal(utimensat(AT_FDCWD, path_of(name), times, 0), 0);
}

/* A recipe that gives its lock the name of a folder must not be that folder's end. */
static void
test_locks(void **state)
{
	static const struct { const char *name, *text; bool breaks; } cases[] = {
		{ "plain", "0", true }, { "empty", "", true }, { "pid", "4711:mx.example.org\n", true }, { "box", mail, false },
		{ "short", "From a@b  Sat Nov 21\n\n", false },
		{ "any", "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
			 "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
			 "01234567890123456789012345678901234567890123456789012345", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(cases[i].name, cases[i].text);
		age(cases[i].name);
		assert_int_equal(lock(cases[i].name, 10), cases[i].breaks ? ERR_NONE : ERR_EXISTS);
		expect_file(cases[i].name, cases[i].breaks ? "0" : cases[i].text, "");
		unlock(cases[i].name);
		assert_int_equal(access(path_of(cases[i].name), F_OK), cases[i].breaks ? -1 : 0);
	}
	/* Mail that a program has put behind the lock's digit stays. */
	assert_int_equal(lock("out", 10), ERR_NONE);
	assert_int_equal(lock("out", 10), ERR_INUSE);
	assert_int_equal(chmod(path_of("out"), 0600), 0);
	put("out", "0From a@b\n\n");
	unlock("out");
	expect_file("out", "0From a@b\n\n", "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_mbox, setup, teardown), cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dirs, setup, teardown), cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_locks, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
