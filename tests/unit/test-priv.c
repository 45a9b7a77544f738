/* SPDX-License-Identifier: MIT */
/*
 * Each case gives up power in a forked child and tries what it may no longer do.  What only root can give up is passed
 * over, with a word, when the tests run as a plain user.
 */
#include "config.h"
#include "testing.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include "lib/log.h"
#include "lib/priv.h"
#include "lib/sys.h"

#define NOBODY 65534

/* In a child: says what was wrong, and ends it. */
#define REQUIRE(condition)                                                       \
	do {                                                                     \
		if (!(condition)) {                                              \
			fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
			_exit(1);                                                \
		}                                                                \
	} while (0)

static char top[64];

static void
need_root(void)
{
	if (geteuid() != 0) {
		print_message("passed over: only root can show this\n");
		skip();
	}
}

static int
child_drop(void *data)
{
	struct priv_user u = { .uid = NOBODY, .gid = NOBODY };
	struct err e = ERR_INIT;
	gid_t groups[10];
	struct stat st;

	(void)data;
	REQUIRE(priv_drop(&u, &e) == 0);
	REQUIRE(getuid() == NOBODY && geteuid() == NOBODY && getgid() == NOBODY);
	REQUIRE(getgroups(10, groups) == 0);
	REQUIRE(setuid(0) == -1 && seteuid(0) == -1 && setgid(0) == -1);
	REQUIRE(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
#ifndef CULVER_SANITIZED
	REQUIRE(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0);
#endif
	REQUIRE(stat("/etc/passwd", &st) == 0);
	REQUIRE(open("/etc/shadow", O_RDONLY) == -1);
	return 0;
}

static int
child_drop_chroot(void *data)
{
	gid_t groups[] = { 7, 8 }, have[10];
	struct priv_user u = { .uid = NOBODY, .gid = NOBODY, .groups = groups, .group_count = 2, .chroot_dir = top };
	struct err e = ERR_INIT;
	struct stat st;

	(void)data;
	REQUIRE(priv_drop(&u, &e) == 0);
	REQUIRE(getgroups(10, have) == 2 && have[0] == 7 && have[1] == 8);
	REQUIRE(stat("/etc", &st) == -1 && errno == ENOENT);
	REQUIRE(stat("/inside", &st) == 0);
	REQUIRE(stat("../../../../etc", &st) == -1);
	return 0;
}

static int
child_keep(void *data)
{
	struct priv_user u = { .uid = NOBODY, .gid = NOBODY };
	struct err e = ERR_INIT;
	int fd;

	(void)data;
	REQUIRE(priv_drop_keep(&u, CAP_DAC_READ_SEARCH, &e) == 0);
	REQUIRE(getuid() == NOBODY);
	fd = open("/etc/shadow", O_RDONLY);	/* the one kept */
	REQUIRE(fd != -1);
	REQUIRE(open("/etc/shadow", O_WRONLY) == -1);
	REQUIRE(chown("/etc/shadow", NOBODY, NOBODY) == -1);
	REQUIRE(setuid(0) == -1);
	return 0;
}

static int
child_drop_wrong(void *data)
{
	struct priv_user root = { .uid = 0, .gid = 0 }, bad_dir = { .uid = NOBODY, .gid = NOBODY,
								    .chroot_dir = "/nonexistent" };
	struct err e = ERR_INIT;

	(void)data;
	REQUIRE(priv_drop(&root, &e) == -1 && e.code == ERR_DENIED);
	REQUIRE(priv_drop(&bad_dir, &e) == -1 && e.code == ERR_NOTFOUND);
	REQUIRE(priv_drop_keep(&root, 64, &e) == -1 && e.code == ERR_LIMIT);
	return 0;
}

/* A plain user stays what it is, and can not be asked to become another. */
static int
child_plain(void *data)
{
	struct priv_user u = { .uid = getuid(), .gid = getgid(), .chroot_dir = "/nonexistent" };
	struct err e = ERR_INIT;

	(void)data;
	if (u.uid == 0) {
		REQUIRE(setresgid(NOBODY, NOBODY, NOBODY) == 0 && setresuid(NOBODY, NOBODY, NOBODY) == 0);
		u.uid = u.gid = NOBODY;
	}
	REQUIRE(priv_drop(&u, &e) == 0);	/* no chroot, which it could not do */
	REQUIRE(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
	u.uid++;
	REQUIRE(priv_drop(&u, &e) == -1 && e.code == ERR_DENIED);
	return 0;
}

static void
test_drop(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(in_child(child_drop, NULL), 0);
	assert_int_equal(in_child(child_drop_chroot, NULL), 0);
	assert_int_equal(in_child(child_keep, NULL), 0);
	assert_int_equal(in_child(child_drop_wrong, NULL), 0);
}

static void
test_plain_user(void **state)
{
	(void)state;
	assert_int_equal(in_child(child_plain, NULL), 0);
}

static void
test_lookup(void **state)
{
	struct err e = ERR_INIT;
	uid_t uid = 1;
	gid_t gid = 1;

	(void)state;
	assert_int_equal(priv_lookup_user("root", &uid, &gid, &e), 0);
	assert_int_equal(uid, 0);
	assert_int_equal(gid, 0);
	assert_int_equal(priv_lookup_user("no-such-user-here", &uid, &gid, &e), -1);
	assert_int_equal(e.code, ERR_NOTFOUND);
	gid = 1;
	assert_int_equal(priv_lookup_group("root", &gid, &e), 0);
	assert_int_equal(gid, 0);
	assert_int_equal(priv_lookup_group("no-such-group-here", &gid, &e), -1);
	assert_int_equal(e.code, ERR_NOTFOUND);
}

static int
child_landlock(void *data)
{
	char rw_dir[100], ro_dir[100], one_file[100], path[200], other[200];
	const char *rw[] = { rw_dir, one_file, "/nonexistent/at/all", NULL }, *ro[] = { ro_dir, NULL };
	struct err e = ERR_INIT;
	enum priv_confined active = PRIV_CONFINED_FILES;
	int fd;

	(void)data;
	snprintf(rw_dir, sizeof(rw_dir), "%s/rw", top);
	snprintf(ro_dir, sizeof(ro_dir), "%s/ro", top);
	snprintf(one_file, sizeof(one_file), "%s/file", top);
	snprintf(path, sizeof(path), "%s/rw/tmp", top);
	REQUIRE(dir_make(path, 0700, &e) == 0);
	snprintf(path, sizeof(path), "%s/rw/new", top);
	REQUIRE(dir_make(path, 0700, &e) == 0 && dir_make(ro_dir, 0700, &e) == 0);
	close(open(one_file, O_WRONLY | O_CREAT, 0600));
	snprintf(path, sizeof(path), "%s/ro/f", top);
	close(open(path, O_WRONLY | O_CREAT, 0600));
	fd = open("/etc/passwd", O_RDONLY);
	REQUIRE(priv_landlock(rw, ro, &active, &e) == 0);
	REQUIRE(priv_landlock_is_there() == (active != PRIV_CONFINED_NOT));
	if (!active)
		return 77;
	REQUIRE(read(fd, other, 1) == 1);	/* open before: stays */
	REQUIRE(open("/etc/passwd", O_RDONLY) == -1 && errno == EACCES);
	REQUIRE(open(path, O_WRONLY) == -1 && errno == EACCES);
	REQUIRE(open(path, O_RDONLY) != -1);
	REQUIRE(unlink(path) == -1);
	REQUIRE(open(one_file, O_RDWR | O_TRUNC) != -1);
	snprintf(path, sizeof(path), "%s/beside", top);
	REQUIRE(open(path, O_WRONLY | O_CREAT, 0600) == -1);
	/* a Maildir's life: make, move to another directory, link, remove */
	snprintf(path, sizeof(path), "%s/rw/tmp/1", top);
	snprintf(other, sizeof(other), "%s/rw/new/1", top);
	REQUIRE(open(path, O_WRONLY | O_CREAT, 0600) != -1);
	REQUIRE(rename(path, other) == 0);
	REQUIRE(link(other, path) == 0);
	REQUIRE(truncate(path, 0) == 0);
	REQUIRE(unlink(path) == 0 && unlink(other) == 0);
	REQUIRE(symlink("/etc/passwd", path) == -1 && errno == EACCES);
	REQUIRE(mkfifo(path, 0600) == -1);
	snprintf(path, sizeof(path), "%s/rw/new", top);
	REQUIRE(rmdir(path) == 0 && mkdir(path, 0700) == 0);
	return 0;
}

static int
child_landlock_nothing(void *data)
{
	struct err e = ERR_INIT;
	enum priv_confined active = PRIV_CONFINED_FILES;

	(void)data;
	REQUIRE(priv_landlock(NULL, NULL, &active, &e) == 0);
	if (active)
		REQUIRE(open("/", O_RDONLY) == -1);
	return active ? 0 : 77;
}

static void
test_landlock(void **state)
{
	int status = in_child(child_landlock, NULL);

	(void)state;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		print_message("passed over: this kernel has no Landlock\n");
		skip();
	}
	assert_int_equal(status, 0);
	assert_int_equal(in_child(child_landlock_nothing, NULL), 0);
}

#ifndef CULVER_SANITIZED	/* whose library needs more than any profile allows */
/* One attempt under one profile. */
enum { FINE = 0, REFUSED = 1, KILLED = 2 };

static bool
try_pid(void)
{
	return getppid() > 0 && malloc(1 << 22) != NULL;
}

static bool
try_read_file(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC) != -1;
}

static bool
try_write_file(void)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/seccomp", top);
	return open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600) != -1 && unlink(path) == 0;
}

static bool
try_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0) != -1;
}

static bool
try_inet(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) != -1;
}

static bool
try_memfd(void)
{
	struct err e;

	return memfd_sealed("m", SPAN("x"), &e) != -1;
}

static bool
try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid != -1;
}

static bool
try_signal(void)
{
	return kill(getppid(), 0) == 0 && kill(getppid(), SIGCONT) == 0;
}

static bool
try_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool
try_limit(void)
{
	struct rlimit rl;

	return getrlimit(RLIMIT_NOFILE, &rl) == 0 && setrlimit(RLIMIT_NOFILE, &rl) == 0;
}

static bool
try_dumpable(void)
{
	return prctl(PR_SET_NAME, "renamed") == 0 && prctl(PR_SET_DUMPABLE, 1) == 0;
}

static bool
try_log(void)
{
	int fds[2], fd = -1;
	struct log_target t = { .info_fd = -1, .debug_fd = -1 };

	if (pipe2(fds, O_CLOEXEC) == -1)
		return false;
	t.fd = fds[1];
	log_init(&t);
	log_error("inside, %s", strerror(EIO));
	return read(fds[0], &fd, sizeof(fd)) > 0;
}

static bool
try_exec(void)
{
	execl("/bin/true", "true", (char *)NULL);
	return false;
}

static bool
try_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool
try_chroot(void)
{
	return chroot("/") == 0;
}

static const struct {
	const char *name;
	bool (*attempt)(void);
	int want[4];	/* by profile: login, events, lmtp, mail */
} attempts[] = {
	{ "pid and memory", try_pid, { FINE, FINE, FINE, FINE } },
	{ "log", try_log, { FINE, FINE, FINE, FINE } },
	{ "read a file", try_read_file, { REFUSED, FINE, REFUSED, FINE } },
	{ "write a file", try_write_file, { REFUSED, REFUSED, REFUSED, FINE } },
	{ "unix socket", try_unix, { REFUSED, FINE, FINE, FINE } },
	{ "inet socket", try_inet, { REFUSED, REFUSED, REFUSED, REFUSED } },
	{ "memory file", try_memfd, { KILLED, FINE, FINE, FINE } },
	{ "fork", try_fork, { REFUSED, REFUSED, REFUSED, REFUSED } },
	{ "signal another", try_signal, { REFUSED, REFUSED, REFUSED, REFUSED } },
	{ "new code", try_code, { REFUSED, FINE, REFUSED, FINE } },
	{ "set a limit", try_limit, { REFUSED, REFUSED, REFUSED, REFUSED } },
	{ "dumpable", try_dumpable, { REFUSED, REFUSED, REFUSED, REFUSED } },
	{ "exec", try_exec, { KILLED, KILLED, KILLED, KILLED } },
	{ "ptrace", try_ptrace, { KILLED, KILLED, KILLED, KILLED } },
	{ "chroot", try_chroot, { KILLED, KILLED, KILLED, KILLED } },
};

struct trial {
	const struct priv_filter *filter;
	bool (*attempt)(void);
};

static int
child_attempt(void *data)
{
	struct trial *t = data;
	struct rlimit no_core = { 0, 0 };
	struct err e = ERR_INIT;

	setrlimit(RLIMIT_CORE, &no_core);
	if (priv_filter_apply(t->filter, &e) == -1)
		return 99;
	return t->attempt() ? FINE : REFUSED;
}

static bool
try_both_filters(void)
{
	struct err e = ERR_INIT;
	struct priv_filter *inner = priv_filter_new(PRIV_PARENT_INET, &e), *outer = priv_filter_new(PRIV_ONLY_UNIX, &e);
	int fd;

	if (inner == NULL || outer == NULL || priv_filter_apply(inner, &e) == -1 || !try_inet() || priv_filter_apply(outer, &e) == -1)
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	return fd != -1 && !try_inet() && socket(AF_INET6, SOCK_DGRAM, 0) == -1 && errno == EACCES;
}

static int
child_both(void *arg)
{
	(void)arg;
	return try_both_filters() ? 0 : 1;
}

/* A worker whose parent's filter lets others connect. */
static void
test_only_unix(void **state)
{
	(void)state;
	assert_int_equal(in_child(child_both, NULL), 0);
}

static void
test_seccomp(void **state)
{
	static const enum priv_profile all[] = { PRIV_LOGIN, PRIV_EVENTS, PRIV_LMTP, PRIV_MAIL, PRIV_MAIL_INET, PRIV_LMTP_INET };
	int bad = 0;

	(void)state;
	for (size_t p = 0; p < COUNT(all); p++) {
		struct err e = ERR_INIT;
		struct priv_filter *filter = priv_filter_new(all[p], &e);
		struct trial t = { .filter = filter };

		assert_non_null(filter);
		for (size_t i = 0; i < COUNT(attempts); i++) {
			int status, got, want;

			t.attempt = attempts[i].attempt;
			status = in_child(child_attempt, &t);
			got = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? KILLED :
				WIFEXITED(status) ? WEXITSTATUS(status) : -1;
			want = all[p] == PRIV_LMTP_INET || all[p] == PRIV_MAIL_INET ? attempts[i].attempt == try_inet ? FINE :
			    attempts[i].want[all[p] == PRIV_MAIL_INET ? PRIV_MAIL : PRIV_LMTP] : attempts[i].want[all[p]];
			if (got != want) {
				print_error("profile %d, %s: %d (status %#x)\n", (int)all[p], attempts[i].name, got,
					    (unsigned)status);
				bad++;
			}
		}
		priv_filter_free(filter);
	}
	assert_int_equal(bad, 0);
	priv_filter_free(NULL);
}
#endif

static int
setup(void **state)
{
	char inside[100];

	(void)state;
	temp_dir_make(top);
	snprintf(inside, sizeof(inside), "%s/inside", top);
	return chmod(top, 0755) == 0 && mkdir(inside, 0755) == 0 ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	temp_dir_remove(top);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_plain_user),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_landlock),
#ifndef CULVER_SANITIZED
		cmocka_unit_test(test_seccomp), cmocka_unit_test(test_only_unix),
#endif
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
