/* SPDX-License-Identifier: MIT */
/* What is left of the filter's journal when others write to it, when it has no room, and when it is none. */
#include "testing.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "lib-deliver/journal.h"

#define MAX 4096

struct place {
	char path[64];
	int fd;
};

static void
place_make(struct place *p)
{
	temp_dir_make(p->path);
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->fd != -1);
}

static void
place_remove(struct place *p)
{
	close(p->fd);
	temp_dir_remove(p->path);
}

static int
add(const struct place *p, const char *id, struct err *e)
{
	const struct journal_entry entry = { .time = 1, .message_id = span_str(id), .sender = SPAN("s@example.org"),
		.recipient = SPAN("bob"), .session = SPAN("x"), .steps = { SPAN("kept") }, .step_count = 1 };

	return journal_add(p->fd, MAX, &entry, e);
}

/* How many entries there are, all whole; *last_out: whether that of the id is among them. */
static size_t
entries(const struct place *p, const char *id, bool *has_out)
{
	struct buf text = BUF_INIT(JOURNAL_MAX);
	struct arena *a = arena_new(1 << 20);
	struct journal_entry entry;
	struct err e = ERR_INIT;
	struct span line;
	size_t used = 0, n = 0;

	assert_non_null(a);
	*has_out = false;
	assert_int_equal(journal_read(p->fd, &text, &e), 0);
	while (span_line(buf_span(&text), &used, &line))
		if (journal_parse(line, a, &entry)) {
			*has_out = *has_out || span_eq(entry.message_id, span_str(id));
			n++;
		}
	buf_clear(&text);
	arena_free(a);
	return n;
}

/* Whether the process has the journal open. */
static bool
has_open(pid_t pid)
{
	char dir[64], link[400], to[400];
	struct dirent *entry;
	bool found = false;
	DIR *d;

	snprintf(dir, sizeof(dir), "/proc/%ld/fd", (long)pid);
	d = opendir(dir);
	while (d != NULL && (entry = readdir(d)) != NULL) {
		ssize_t n;

		snprintf(link, sizeof(link), "%s/%s", dir, entry->d_name);
		n = readlink(link, to, sizeof(to) - 1);
		if (n > 0) {
			to[n] = '\0';
			found = found || strstr(to, JOURNAL_FILE) != NULL;
		}
	}
	if (d != NULL)
		closedir(d);
	return found;
}

/* Another delivery has put its newer half in the place of the file that this one waits for. */
static void
test_replaced(void **state)
{
	struct err e = ERR_INIT;
	struct place p;
	int held, status, new, go[2];
	bool has;
	pid_t pid;
	char c;

	(void)state;
	place_make(&p);
	assert_int_equal(add(&p, "<first@x>", &e), 0);
	assert_int_equal(pipe(go), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(read(go[0], &c, 1) == 1 && add(&p, "<late@x>", &e) == 0 ? 0 : 1);
	held = openat(p.fd, JOURNAL_FILE, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(held, LOCK_EX), 0);
	assert_int_equal(write(go[1], "", 1), 1);
	while (!has_open(pid))
		usleep(1000);
	new = openat(p.fd, "new", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(new != -1);
	assert_int_equal(renameat(p.fd, "new", p.fd, JOURNAL_FILE), 0);
	close(new);
	close(held);
	close(go[0]);
	close(go[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(entries(&p, "<late@x>", &has), 1);
	assert_true(has);
	place_remove(&p);
}

/* A crash has left half an entry: what comes behind it is whole. */
static void
test_half(void **state)
{
	struct err e = ERR_INIT;
	struct place p;
	bool has;
	int fd;

	(void)state;
	place_make(&p);
	fd = openat(p.fd, JOURNAL_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "1\t5\t<half", 9), 9);
	close(fd);
	assert_int_equal(add(&p, "<next@x>", &e), 0);
	assert_int_equal(entries(&p, "<next@x>", &has), 1);
	assert_true(has);
	place_remove(&p);
}

static int
add_without_room(void *data)
{
	const struct rlimit limit = { 250, 250 };
	struct err e = ERR_INIT;
	int rc = 0;

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) == -1)
		return 2;
	for (int i = 0; i < 20 && rc == 0; i++)
		rc = add(data, "<many@x>", &e);
	return rc == -1 ? 0 : 1;
}

/* Where the disk is full, nothing is left of the entry that had no room. */
static void
test_full(void **state)
{
	struct err e = ERR_INIT;
	struct stat st;
	struct place p;
	size_t n;
	bool has;
	char last;
	int fd;

	(void)state;
	place_make(&p);
	assert_int_equal(add(&p, "<before@x>", &e), 0);
	assert_int_equal(in_child(add_without_room, &p), 0);
	n = entries(&p, "<before@x>", &has);
	assert_true(has && n > 1);
	fd = openat(p.fd, JOURNAL_FILE, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(pread(fd, &last, 1, st.st_size - 1), 1);
	assert_int_equal(last, '\n');
	close(fd);
	assert_int_equal(add(&p, "<after@x>", &e), 0);
	assert_int_equal(entries(&p, "<after@x>", &has), n + 1);
	assert_true(has);
	place_remove(&p);
}

static int
use_other(void *data)
{
	const struct place *p = data;
	struct buf text = BUF_INIT(JOURNAL_MAX);
	struct err e = ERR_INIT;
	int bad;

	alarm(20);
	bad = add(p, "<a@x>", &e) == 0 || journal_read(p->fd, &text, &e) == 0;
	buf_clear(&text);
	return bad;
}

/* It is in the user's directory: what the user puts in its place stops nobody, and leads nowhere. */
static void
test_no_plain_file(void **state)
{
	struct place p;
	struct stat st;

	(void)state;
	place_make(&p);
	assert_int_equal(mkfifoat(p.fd, JOURNAL_FILE, 0600), 0);
	assert_int_equal(in_child(use_other, &p), 0);
	assert_int_equal(unlinkat(p.fd, JOURNAL_FILE, 0), 0);
	assert_int_equal(symlinkat("elsewhere", p.fd, JOURNAL_FILE), 0);
	assert_int_equal(in_child(use_other, &p), 0);
	assert_int_equal(fstatat(p.fd, "elsewhere", &st, 0), -1);
	place_remove(&p);
}

/* Somebody does not let go of the lock: the delivery goes on. */
static void
test_held(void **state)
{
	struct err e = ERR_INIT;
	struct place p;
	int held;

	(void)state;
	place_make(&p);
	assert_int_equal(add(&p, "<first@x>", &e), 0);
	held = openat(p.fd, JOURNAL_FILE, O_RDWR | O_CLOEXEC);
	assert_int_equal(flock(held, LOCK_EX), 0);
	alarm(60);
	assert_int_equal(add(&p, "<second@x>", &e), -1);
	alarm(0);
	close(held);
	place_remove(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replaced), cmocka_unit_test(test_half), cmocka_unit_test(test_full),
		cmocka_unit_test(test_no_plain_file), cmocka_unit_test(test_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
