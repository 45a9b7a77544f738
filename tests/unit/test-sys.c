/* SPDX-License-Identifier: MIT */
#include "testing.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include "lib/sys.h"
#include "lib/title.h"

static char top[64];

static int
setup(void **state)
{
	(void)state;
	temp_dir_make(top);
	return chdir(top);
}

static int
teardown(void **state)
{
	(void)state;
	if (chdir("/") == -1)
		return -1;
	temp_dir_remove(top);
	return 0;
}

static void
test_clocks(void **state)
{
	int64_t us = clock_us(), ms = clock_ms(), wall = clock_wall_us();

	(void)state;
	assert_true(ms >= us / 1000);
	assert_true(clock_us() >= us);
	assert_true(llabs(wall / 1000000 - (int64_t)time(NULL)) <= 1);
}

static void
test_file_read(void **state)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT(1 << 20), small = BUF_INIT(5);
	char big[200000];
	int fd;

	(void)state;
	memset(big, 'x', sizeof(big));
	fd = open("f", O_RDWR | O_CREAT, 0600);
	assert_int_equal(fd_write_all(fd, span_of(big, sizeof(big)), &e), 0);
	assert_int_equal(file_read("f", sizeof(big), &b, &e), 0);
	assert_true(span_eq(buf_span(&b), span_of(big, sizeof(big))));
	assert_int_equal(file_read("f", sizeof(big), &b, &e), 0);	/* appends */
	assert_int_equal(b.n, 2 * sizeof(big));
	buf_reset(&b);
	assert_int_equal(file_read("f", sizeof(big) - 1, &b, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(file_read("f", SIZE_MAX, &small, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(file_read("none", 10, &b, &e), -1);
	assert_int_equal(e.code, ERR_NOTFOUND);
	assert_int_equal(file_read(".", 10, &b, &e), -1);
	assert_int_equal(e.code, ERR_TEMP);
	assert_int_equal(lseek(fd, 199990, SEEK_SET), 199990);
	buf_reset(&b);
	assert_int_equal(fd_read_all(fd, 10, &b, &e), 0);		/* from where it stands */
	assert_int_equal(b.n, 10);
	close(fd);
	assert_int_equal(fd_write_all(fd, SPAN("x"), &e), -1);
	buf_clear(&b);
	buf_clear(&small);
}

/* A non-blocking pipe that is full: the rest is written when the reader has made room. */
static void
test_write_waits(void **state)
{
	struct err e = ERR_INIT;
	static char big[300000];
	struct buf b = BUF_INIT(1 << 20);
	int fds[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fd_nonblock(fds[1], true), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		_exit(fd_write_all(fds[1], span_of(big, sizeof(big)), &e) == 0 ? 0 : 1);
	}
	close(fds[1]);
	assert_int_equal(fd_read_all(fds[0], sizeof(big), &b, &e), 0);
	assert_int_equal(b.n, sizeof(big));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(fds[0]);
	buf_clear(&b);
}

static void
assert_file(const char *path, const char *want, mode_t mode)
{
	struct err e = ERR_INIT;
	struct buf b = BUF_INIT(1000);
	struct stat st;

	assert_int_equal(file_read(path, 1000, &b, &e), 0);
	assert_span(buf_span(&b), want);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
	buf_clear(&b);
}

static void
test_file_replace(void **state)
{
	struct err e = ERR_INIT;
	char longest[256];
	int dir = open(".", O_RDONLY | O_DIRECTORY);
	mode_t mask = umask(077);

	(void)state;
	assert_int_equal(file_replace(dir, "r", SPAN("one"), 0640, true, &e), 0);
	assert_file("r", "one", 0640);
	assert_int_equal(file_replace(dir, "r", SPAN(""), 0600, false, &e), 0);
	assert_file("r", "", 0600);
	memset(longest, 'n', 255);
	longest[255] = '\0';
	assert_int_equal(file_replace(dir, longest, SPAN("two"), 0600, true, &e), 0);
	assert_file(longest, "two", 0600);
	assert_int_equal(mkdir("isdir", 0700), 0);
	assert_int_equal(file_replace(dir, "isdir", SPAN("x"), 0600, true, &e), -1);
	assert_int_equal(file_replace(dir, "a/b", SPAN("x"), 0600, true, &e), -1);
	assert_int_equal(e.code, ERR_SYNTAX);
	assert_int_equal(file_replace(dir, "", SPAN("x"), 0600, true, &e), -1);
	assert_int_equal(file_replace(-1, "x", SPAN("x"), 0600, true, &e), -1);
	unlink("r");
	unlink(longest);
	rmdir("isdir");
	assert_int_equal(unlinkat(dir, "f", 0) == 0 || errno == ENOENT, 1);
	/* no temporary file was left by the failures */
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(top), 0);
	assert_int_equal(mkdir(top, 0700), 0);
	assert_int_equal(chdir(top), 0);
	close(dir);
	umask(mask);
}

/* The disk is full (a limit on file size stands in): the old content stays, and no litter. */
static int
child_full(void *data)
{
	struct err e = ERR_INIT;
	struct rlimit two = { 2, 2 };
	int dir = open(".", O_RDONLY | O_DIRECTORY);

	(void)data;
	signal(SIGXFSZ, SIG_IGN);
	if (file_replace(dir, "full", SPAN("old"), 0600, true, &e) != 0)
		return 1;
	if (setrlimit(RLIMIT_FSIZE, &two) == -1)
		return 2;
	if (file_replace(dir, "full", SPAN("newer"), 0600, true, &e) != -1 || e.code != ERR_QUOTA)
		return 3;
	return 0;
}

static void
test_dir_make(void **state)
{
	struct err e = ERR_INIT;
	char path[5000];
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(dir_make("a/b//c/", 0750, &e), 0);
	assert_int_equal(stat("a/b/c", &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_int_equal(dir_make("a/b/c", 0700, &e), 0);
	assert_int_equal(dir_make("a/b/d", 0700, &e), 0);
	snprintf(path, sizeof(path), "%s/x/y", top);
	assert_int_equal(dir_make(path, 0700, &e), 0);
	assert_int_equal(stat("x/y", &st), 0);
	assert_int_equal(dir_make("/", 0700, &e), 0);
	assert_int_equal(dir_make(".", 0700, &e), 0);
	fd = open("plain", O_WRONLY | O_CREAT, 0600);
	close(fd);
	assert_int_equal(dir_make("plain", 0700, &e), -1);
	assert_int_equal(e.code, ERR_EXISTS);
	assert_int_equal(dir_make("plain/below", 0700, &e), -1);
	assert_int_equal(dir_make("", 0700, &e), -1);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(dir_make(path, 0700, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(dir_sync(-1, &e), -1);
}

static void
test_flags(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fd_nonblock(fds[0], true), 0);
	assert_true((fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(fd_nonblock(fds[0], false), 0);
	assert_false((fcntl(fds[0], F_GETFL) & O_NONBLOCK) != 0);
	assert_int_equal(fd_cloexec(fds[0], true), 0);
	assert_true((fcntl(fds[0], F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(fd_cloexec(fds[0], false), 0);
	assert_false((fcntl(fds[0], F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(fd_cloexec(-1, true), -1);
	close(fds[0]);
	close(fds[1]);
}

static void
test_memfd(void **state)
{
	struct err e = ERR_INIT;
	int fd = memfd_sealed("settings", SPAN("content"), &e);
	char got[20], name[400];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(read(fd, got, sizeof(got)), 7);
	assert_memory_equal(got, "content", 7);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 3), -1);
	assert_int_equal(ftruncate(fd, 30), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), -1);
	assert_ptr_equal(mmap(NULL, 7, PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	close(fd);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(memfd_sealed(name, SPAN("x"), &e), -1);
}

static void
test_random(void **state)
{
	unsigned char a[64] = { 0 }, b[64] = { 0 };

	(void)state;
	random_bytes(a, sizeof(a));
	random_bytes(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	random_bytes(a, 0);
	assert_true(strlen(host_name()) > 0);
	assert_ptr_equal(host_name(), host_name());
}

static void
test_addr(void **state)
{
	static const struct {
		int family;
		const char *in;
		uint16_t port;
		const char *want;
	} cases[] = {
		{ AF_INET, "127.0.0.1", 143, "127.0.0.1" },
		{ AF_INET6, "::1", 65535, "::1" },
		{ AF_INET6, "::ffff:192.0.2.7", 993, "192.0.2.7" },
		{ AF_INET6, "2001:db8:1111:2222:3333:4444:5555:6666", 1, "2001:db8:1111:2222:3333:4444:5555:6666" },
		{ AF_UNIX, NULL, 0, "unix" },
		{ AF_UNSPEC, NULL, 0, "unknown" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sockaddr_storage sa = { .ss_family = (sa_family_t)cases[i].family };
		char out[64];
		uint16_t port = 9;

		if (cases[i].family == AF_INET) {
			struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(cases[i].port) };

			inet_pton(AF_INET, cases[i].in, &v4.sin_addr);
			memcpy(&sa, &v4, sizeof(v4));
		} else if (cases[i].family == AF_INET6) {
			struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(cases[i].port) };

			inet_pton(AF_INET6, cases[i].in, &v6.sin6_addr);
			memcpy(&sa, &v6, sizeof(v6));
		}
		addr_format(&sa, out, &port);
		assert_string_equal(out, cases[i].want);
		assert_int_equal(port, cases[i].port);
	}
}

static void
on_alarm(int sig)
{
	(void)sig;
}

static void
test_wait(void **state)
{
	struct itimerval often = { { 0, 5000 }, { 0, 5000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction sa = { .sa_handler = on_alarm };
	struct err e = ERR_INIT;
	int64_t start = clock_ms();
	int one[2], two[2];

	(void)state;
	assert_int_equal(pipe(one), 0);
	assert_int_equal(pipe(two), 0);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	assert_int_equal(fd_wait(one[0], POLLIN, 60, &e), 0);
	assert_true(clock_ms() - start >= 60);
	setitimer(ITIMER_REAL, &never, NULL);
	assert_int_equal(fd_wait(one[1], POLLOUT, -1, &e), 1);
	assert_int_equal(write(two[1], "x", 1), 1);
	assert_int_equal(fd_wait2(one[0], POLLIN, two[0], POLLIN, -1, &e), 2);
	assert_int_equal(write(one[1], "x", 1), 1);
	assert_int_equal(fd_wait2(one[0], POLLIN, two[0], POLLIN, -1, &e), 1);
	assert_int_equal(fd_wait2(-1, POLLIN, two[0], POLLIN, -1, &e), 2);
	for (int i = 0; i < 2; i++) {
		close(one[i]);
		close(two[i]);
	}
	assert_int_equal(fd_wait(one[0], POLLIN, 0, &e), 1);	/* a closed one: the read will say so */
}

static void
test_full_disk(void **state)
{
	(void)state;
	assert_int_equal(in_child(child_full, NULL), 0);
	assert_file("full", "old", 0600);
	assert_int_equal(unlink("full"), 0);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(top), 0);	/* nothing else is in it */
	assert_int_equal(mkdir(top, 0700), 0);
	assert_int_equal(chdir(top), 0);
}

/* In a child: the title can not be taken back. */
static int
child_title(void *arg)
{
	char text[1024];
	ssize_t n;
	int fd;

	(void)arg;
	if (setenv("CULVER_TITLE_TEST", "kept", 1) == -1)
		return 1;
	for (int i = 0; i < 2; i++)
		title_set("culver/%s [%s %d]", "imap", "bob", i);
	fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return 2;
	text[n] = '\0';
	/* As much as there was room for. */
	if (strncmp(text, "culver/imap [bob 1]", strlen(text)) != 0 || strlen(text) < 4)
		return 3;
	return getenv("CULVER_TITLE_TEST") != NULL && strcmp(getenv("CULVER_TITLE_TEST"), "kept") == 0 ? 0 : 4;
}

static void
test_title(void **state)
{
	(void)state;
	assert_int_equal(in_child(child_title, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_file_read),
		cmocka_unit_test(test_write_waits),
		cmocka_unit_test(test_file_replace),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_dir_make),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_memfd),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_addr),
		cmocka_unit_test(test_wait),
		cmocka_unit_test(test_title),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
