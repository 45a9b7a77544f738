/* SPDX-License-Identifier: MIT */
#include "lib/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define READ_STEP 65536

static int64_t
clock_read_us(clockid_t which)
{
	struct timespec ts;

	clock_gettime(which, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_us(void)
{
	return clock_read_us(CLOCK_MONOTONIC);
}

static volatile sig_atomic_t is_end_wanted;
static volatile int64_t end_wanted_at;

void
end_wanted(void)
{
	int saved = errno;

	if (!is_end_wanted) {
		end_wanted_at = clock_ms();
		is_end_wanted = 1;
	}
	errno = saved;
}

int64_t
end_wanted_ms(void)
{
	return is_end_wanted ? end_wanted_at : 0;
}

int64_t
clock_ms(void)
{
	return clock_us() / 1000;
}

int64_t
clock_wall_us(void)
{
	return clock_read_us(CLOCK_REALTIME);
}

int
fd_wait2(int fd, short events, int other_fd, short other_events, int timeout_ms, struct err *e)
{
	struct pollfd pfd[2] = { { .fd = fd, .events = events }, { .fd = other_fd, .events = other_events } };
	int64_t end = timeout_ms < 0 ? 0 : clock_ms() + timeout_ms;
	int rc;

	while ((rc = poll(pfd, 2, timeout_ms)) == -1 && errno == EINTR) {
		int64_t left = end - clock_ms();

		if (timeout_ms >= 0)
			timeout_ms = left > 0 ? (int)left : 0;
	}
	if (rc == -1)
		return err_errno(e, "poll");
	return pfd[0].revents != 0 ? 1 : pfd[1].revents != 0 ? 2 : 0;
}

int
fd_wait(int fd, short events, int timeout_ms, struct err *e)
{
	return fd_wait2(fd, events, -1, 0, timeout_ms, e);
}

int
fd_write_all(int fd, struct span s, struct err *e)
{
	while (s.n > 0) {
		ssize_t n = write(fd, s.p, s.n);

		if (n >= 0) {
			s = span_from(s, (size_t)n);
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (fd_wait(fd, POLLOUT, -1, e) == -1)
				return -1;
		} else if (errno != EINTR) {
			return err_errno(e, "write");
		}
	}
	return 0;
}

int
fd_read_all(int fd, size_t max, struct buf *out, struct err *e)
{
	size_t start = out->n;

	if (max > SIZE_MAX - 1)
		max = SIZE_MAX - 1;
	for (;;) {
		/* One octet more than may be there, to tell "just fits" from "too long". */
		size_t left = max - (out->n - start), want = left + 1 < READ_STEP ? left + 1 : READ_STEP;
		char step[READ_STEP];
		ssize_t n = read(fd, step, want);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_errno(e, "read");
		if (n == 0)
			return 0;
		if ((size_t)n > left)
			return err_set(e, ERR_LIMIT, "more than %zu octets", max);
		buf_add(out, span_of(step, (size_t)n));
		if (out->failed)
			return err_set(e, ERR_LIMIT, "no room for more than %zu octets", out->n);
	}
}

int
file_read(const char *path, size_t max, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), rc;

	if (fd == -1)
		return err_errno(e, "open %s", path);
	rc = fd_read_all(fd, max, out, e);
	close(fd);
	return rc == 0 ? 0 : err_wrap(e, "%s", path);
}

int
file_read_plain(const char *path, size_t max, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc;
	struct stat st;

	if (fd == -1)
		return err_errno(e, "open %s", path);
	if (fstat(fd, &st) == -1)
		rc = err_errno(e, "stat");
	else if (!S_ISREG(st.st_mode))
		rc = err_set(e, ERR_DENIED, "not a plain file");
	else
		rc = fd_read_all(fd, max, out, e);
	close(fd);
	return rc == 0 ? 0 : err_wrap(e, "%s", path);
}

int
dir_sync(int dir_fd, struct err *e)
{
	return fsync(dir_fd) == -1 ? err_errno(e, "fsync of a directory") : 0;
}

static int
write_temporary(int fd, struct span content, mode_t mode, struct err *e)
{
	if (fd_write_all(fd, content, e) == -1)
		return -1;
	/* open() took the umask off */
	if (fchmod(fd, mode) == -1)
		return err_errno(e, "fchmod");
	return fsync(fd) == -1 ? err_errno(e, "fsync") : 0;
}

int
file_replace(int dir_fd, const char *name, struct span content, mode_t mode, bool sync_dir, struct err *e)
{
	char temporary[40];
	uint64_t mark;
	int fd, rc;

	/* The temporary name lies in dir_fd itself, so a name that leads elsewhere could end on another file system. */
	if (name[0] == '\0' || strchr(name, '/') != NULL)
		return err_set(e, ERR_SYNTAX, "%s: not a plain file name", name);
	random_bytes(&mark, sizeof(mark));
	snprintf(temporary, sizeof(temporary), ".culver-tmp-%016llx", (unsigned long long)mark);
	fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return err_errno(e, "making a new %s", name);
	rc = write_temporary(fd, content, mode, e);
	if (close(fd) == -1 && rc == 0)
		rc = err_errno(e, "close");
	if (rc == 0 && renameat(dir_fd, temporary, dir_fd, name) == -1)
		rc = err_errno(e, "rename");
	if (rc == -1) {
		unlinkat(dir_fd, temporary, 0);
		return err_wrap(e, "replacing %s", name);
	}
	if (sync_dir && dir_sync(dir_fd, e) == -1)
		return err_wrap(e, "replacing %s", name);
	return 0;
}

#define LOCK_STEP_US 10000
#define LOCK_TRIES 10		/* files that take each other's place */

static int
lock_within(int fd, const char *name, unsigned wait_ms, struct err *e)
{
	int64_t until = clock_ms() + wait_ms;

	while (fd_flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK)
			return err_errno(e, "lock %s", name);
		if (clock_ms() >= until)
			return err_set(e, ERR_TIMEOUT, "%s is locked for too long", name);
		usleep(LOCK_STEP_US);
	}
	return 0;
}

int
file_open_locked(int dir_fd, const char *name, unsigned wait_ms, struct err *e)
{
	for (int try = 0; try < LOCK_TRIES; try++) {
		int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_APPEND | O_NONBLOCK, 0600);
		struct stat mine, there;

		if (fd == -1)
			return err_errno(e, "open %s", name);
		if (fstat(fd, &mine) == -1 || !S_ISREG(mine.st_mode)) {
			close(fd);
			return err_set(e, ERR_DENIED, "%s is no plain file", name);
		}
		if (lock_within(fd, name, wait_ms, e) == -1) {
			close(fd);
			return -1;
		}
		if (fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && mine.st_ino == there.st_ino && mine.st_dev == there.st_dev)
			return fd;
		close(fd);
	}
	return err_set(e, ERR_TEMP, "%s is replaced again and again", name);
}

static int
sync_parent(char *path, size_t end, struct err *e)
{
	char saved = path[end];
	int fd, rc;

	path[end] = '\0';
	fd = open(end == 0 ? (saved == '/' ? "/" : ".") : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Who may add to a directory but not read it can not sync it either; the directory is made nonetheless. */
	rc = fd == -1 ? (errno == EACCES ? 0 : err_errno(e, "open %s", path)) : dir_sync(fd, e);
	path[end] = saved;
	if (fd != -1)
		close(fd);
	return rc;
}

static bool
is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int
dir_make(const char *path, mode_t mode, struct err *e)
{
	char part[PATH_MAX];
	size_t n = strlen(path), end;

	while (n > 1 && path[n - 1] == '/')
		n--;
	if (n == 0 || n >= sizeof(part))
		return err_set(e, ERR_LIMIT, "a path of %zu octets can not be made", n);
	memcpy(part, path, n);
	part[n] = '\0';
	if (is_dir(part))
		return 0;
	/* Back to what is there, so that directories above need only be searchable. */
	for (end = n; end > 0;) {
		while (end > 0 && part[end - 1] != '/')
			end--;
		while (end > 0 && part[end - 1] == '/')
			end--;
		if (end == 0)
			break;
		part[end] = '\0';
		if (is_dir(part)) {
			part[end] = '/';
			break;
		}
		part[end] = '/';
	}
	while (end < n) {
		size_t above = end;

		while (part[end] == '/')
			end++;
		while (end < n && part[end] != '/')
			end++;
		part[end] = '\0';
		if (mkdir(part, mode) == -1) {
			if (errno != EEXIST || !is_dir(part))
				return err_errno(e, "mkdir %s", part);
		} else if (sync_parent(part, above, e) == -1) {
			return err_wrap(e, "mkdir %s", part);
		}
		if (end < n)
			part[end] = '/';
	}
	return 0;
}

static int
set_flag(int fd, int get, int set, int flag, bool on)
{
	int flags = fcntl(fd, get);

	if (flags == -1)
		return -1;
	return fcntl(fd, set, on ? flags | flag : flags & ~flag) == -1 ? -1 : 0;
}

int
fd_flock(int fd, int operation)
{
	int rc;

	do {
		rc = flock(fd, operation);
	} while (rc == -1 && errno == EINTR);
	return rc;
}

int
fd_nonblock(int fd, bool on)
{
	return set_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on);
}

int
fd_cloexec(int fd, bool on)
{
	return set_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on);
}

int
memfd_sealed(const char *name, struct span content, struct err *e)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd == -1)
		return err_errno(e, "memfd_create");
	if (fd_write_all(fd, content, e) == -1)
		goto fail;
	if (lseek(fd, 0, SEEK_SET) == -1 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == -1) {
		err_errno(e, "sealing memory file %s", name);
		goto fail;
	}
	return fd;
fail:
	close(fd);
	return -1;
}

/* Nobody can change or shorten what is mapped while it is read. */
int
memfd_map(int fd, struct span *out, struct err *e)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	void *p;

	if (seals == -1 || (seals & (F_SEAL_WRITE | F_SEAL_SHRINK)) != (F_SEAL_WRITE | F_SEAL_SHRINK))
		return err_set(e, ERR_SYNTAX, "a memory file that is not sealed");
	if (fstat(fd, &st) == -1)
		return err_errno(e, "fstat");
	*out = SPAN("");
	if (st.st_size == 0)
		return 0;
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (p == MAP_FAILED)
		return err_errno(e, "mapping a memory file");
	*out = span_of(p, (size_t)st.st_size);
	return 0;
}

size_t
heap_used(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
	struct mallinfo2 m = mallinfo2();

	return m.arena + m.hblkhd;
#else
	return 0;
#endif
}

void
random_bytes(void *out, size_t n)
{
	char *p = out;

	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got == -1 && errno != EINTR)
			abort();
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
}

const char *
host_name(void)
{
	static char name[HOST_NAME_MAX + 1];

	if (name[0] == '\0' && (gethostname(name, sizeof(name) - 1) == -1 || name[0] == '\0'))
		snprintf(name, sizeof(name), "localhost");
	return name;
}

void
addr_format(const struct sockaddr_storage *sa, char out[64], uint16_t *port_out)
{
	/* Copies, since a sockaddr_storage may not be read through another type. */
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	const char *text = NULL;

	*port_out = 0;
	if (sa->ss_family == AF_INET) {
		memcpy(&v4, sa, sizeof(v4));
		*port_out = ntohs(v4.sin_port);
		text = inet_ntop(AF_INET, &v4.sin_addr, out, 64);
	} else if (sa->ss_family == AF_INET6) {
		memcpy(&v6, sa, sizeof(v6));
		*port_out = ntohs(v6.sin6_port);
		if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
			text = inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], out, 64);
		else
			text = inet_ntop(AF_INET6, &v6.sin6_addr, out, 64);
	} else if (sa->ss_family == AF_UNIX) {
		text = "unix";
		memcpy(out, "unix", 5);
	}
	if (text == NULL)
		memcpy(out, "unknown", 8);
}
