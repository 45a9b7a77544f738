/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENT_NONE (-1)
#define STORM_TIMES 2

/* Where a call's arguments are: fd, or directory and path; two of the latter for renames and links. */
struct call_kind {
	const char *name;
	int nr;
	enum call_class class;
	bool changes;
	int fd, path, fd_to, path_to;	/* argument numbers; path without fd: AT_FDCWD */
};

#define NO ARGUMENT_NONE
static const struct call_kind kinds[] = {
	{ "open", SCMP_SYS(open), CALL_OPEN, false, NO, 0, NO, NO },
	{ "openat", SCMP_SYS(openat), CALL_OPEN, false, 0, 1, NO, NO },
	{ "creat", SCMP_SYS(creat), CALL_MAKE, true, NO, 0, NO, NO },
	{ "mkdir", SCMP_SYS(mkdir), CALL_MAKE, true, NO, 0, NO, NO },
	{ "mkdirat", SCMP_SYS(mkdirat), CALL_MAKE, true, 0, 1, NO, NO },
	{ "link", SCMP_SYS(link), CALL_MAKE, true, NO, 0, NO, 1 },
	{ "linkat", SCMP_SYS(linkat), CALL_MAKE, true, 0, 1, 2, 3 },
	{ "symlink", SCMP_SYS(symlink), CALL_MAKE, true, NO, 1, NO, NO },
	{ "symlinkat", SCMP_SYS(symlinkat), CALL_MAKE, true, 1, 2, NO, NO },
	{ "rename", SCMP_SYS(rename), CALL_RENAME, true, NO, 0, NO, 1 },
	{ "renameat", SCMP_SYS(renameat), CALL_RENAME, true, 0, 1, 2, 3 },
	{ "renameat2", SCMP_SYS(renameat2), CALL_RENAME, true, 0, 1, 2, 3 },
	{ "unlink", SCMP_SYS(unlink), CALL_REMOVE, true, NO, 0, NO, NO },
	{ "unlinkat", SCMP_SYS(unlinkat), CALL_REMOVE, true, 0, 1, NO, NO },
	{ "rmdir", SCMP_SYS(rmdir), CALL_REMOVE, true, NO, 0, NO, NO },
	{ "write", SCMP_SYS(write), CALL_WRITE, true, 0, NO, NO, NO },
	{ "pwrite64", SCMP_SYS(pwrite64), CALL_WRITE, true, 0, NO, NO, NO },
	{ "writev", SCMP_SYS(writev), CALL_WRITE, true, 0, NO, NO, NO },
	{ "pwritev", SCMP_SYS(pwritev), CALL_WRITE, true, 0, NO, NO, NO },
	{ "ftruncate", SCMP_SYS(ftruncate), CALL_SIZE, true, 0, NO, NO, NO },
	{ "fallocate", SCMP_SYS(fallocate), CALL_SIZE, true, 0, NO, NO, NO },
	{ "fsync", SCMP_SYS(fsync), CALL_SYNC, true, 0, NO, NO, NO },
	{ "fdatasync", SCMP_SYS(fdatasync), CALL_SYNC, true, 0, NO, NO, NO },
	{ "sync_file_range", SCMP_SYS(sync_file_range), CALL_META, false, 0, NO, NO, NO },
	{ "utimensat", SCMP_SYS(utimensat), CALL_META, true, 0, 1, NO, NO },
	{ "chmod", SCMP_SYS(chmod), CALL_META, true, NO, 0, NO, NO },
	{ "fchmod", SCMP_SYS(fchmod), CALL_META, true, 0, NO, NO, NO },
	{ "fchmodat", SCMP_SYS(fchmodat), CALL_META, true, 0, 1, NO, NO },
	{ "chown", SCMP_SYS(chown), CALL_META, true, NO, 0, NO, NO },
	{ "fchown", SCMP_SYS(fchown), CALL_META, true, 0, NO, NO, NO },
	{ "fchownat", SCMP_SYS(fchownat), CALL_META, true, 0, 1, NO, NO },
	{ "read", SCMP_SYS(read), CALL_READ, false, 0, NO, NO, NO },
	{ "pread64", SCMP_SYS(pread64), CALL_READ, false, 0, NO, NO, NO },
	{ "stat", SCMP_SYS(stat), CALL_LOOK, false, NO, 0, NO, NO },
	{ "lstat", SCMP_SYS(lstat), CALL_LOOK, false, NO, 0, NO, NO },
	{ "fstat", SCMP_SYS(fstat), CALL_LOOK, false, 0, NO, NO, NO },
	{ "newfstatat", SCMP_SYS(newfstatat), CALL_LOOK, false, 0, 1, NO, NO },
	{ "statx", SCMP_SYS(statx), CALL_LOOK, false, 0, 1, NO, NO },
	{ "access", SCMP_SYS(access), CALL_LOOK, false, NO, 0, NO, NO },
	{ "faccessat", SCMP_SYS(faccessat), CALL_LOOK, false, 0, 1, NO, NO },
	{ "faccessat2", SCMP_SYS(faccessat2), CALL_LOOK, false, 0, 1, NO, NO },
	{ "getdents64", SCMP_SYS(getdents64), CALL_LIST, false, 0, NO, NO, NO },
	{ "flock", SCMP_SYS(flock), CALL_LOCK, false, 0, NO, NO, NO },
	{ "fcntl", SCMP_SYS(fcntl), CALL_LOCK, false, 0, NO, NO, NO },
	{ "close", SCMP_SYS(close), CALL_CLOSE, false, 0, NO, NO, NO },
	{ "mmap", SCMP_SYS(mmap), CALL_MAP, false, 4, NO, NO, NO },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

const int *
errors_of(enum call_class class)
{
	static const int lists[CALL_CLASSES][6] = {
		[CALL_OPEN] = { EIO, EMFILE, EINTR, 0 },
		[CALL_MAKE] = { ENOSPC, EDQUOT, EIO, EACCES, 0 },
		[CALL_RENAME] = { ENOSPC, EDQUOT, EIO, 0 },
		[CALL_REMOVE] = { EIO, EACCES, 0 },
		[CALL_WRITE] = { ENOSPC, EDQUOT, EIO, EINTR, 0 },
		[CALL_SIZE] = { ENOSPC, EIO, EINTR, 0 },
		[CALL_SYNC] = { EIO, ENOSPC, EINTR, 0 },
		[CALL_META] = { EIO, EPERM, 0 },
		[CALL_READ] = { EIO, EINTR, 0 },
		[CALL_LOOK] = { EIO, 0 },
		[CALL_LIST] = { EIO, 0 },
		[CALL_LOCK] = { EINTR, ENOLCK, 0 },
		[CALL_CLOSE] = { EIO, 0 },
		[CALL_MAP] = { ENOMEM, 0 },
	};

	return lists[class];
}

/* The tracee's registers, where they can be changed. */
#if defined(__x86_64__)
static bool
set_argument(pid_t pid, int which, uint64_t v)
{
	struct user_regs_struct r;
	unsigned long long *const args[] = { &r.rdi, &r.rsi, &r.rdx, &r.r10, &r.r8, &r.r9 };

	if (ptrace(PTRACE_GETREGS, pid, NULL, &r) == -1)
		return false;
	*args[which] = v;
	return ptrace(PTRACE_SETREGS, pid, NULL, &r) == 0;
}

/* Before the call: it is not made.  Behind it: this is its answer. */
static bool
set_answer(pid_t pid, bool before, int64_t v)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &r) == -1)
		return false;
	if (before)
		r.orig_rax = (unsigned long long)-1;
	r.rax = (unsigned long long)v;
	return ptrace(PTRACE_SETREGS, pid, NULL, &r) == 0;
}
#elif defined(__aarch64__)
#include <elf.h>
#ifndef NT_ARM_SYSTEM_CALL
#define NT_ARM_SYSTEM_CALL 0x404
#endif
static bool
set_argument(pid_t pid, int which, uint64_t v)
{
	struct user_regs_struct r;
	struct iovec io = { &r, sizeof(r) };

	if (ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &io) == -1)
		return false;
	r.regs[which] = v;
	return ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &io) == 0;
}

static bool
set_answer(pid_t pid, bool before, int64_t v)
{
	int none = -1;
	struct iovec io = { &none, sizeof(none) };

	if (before && ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &io) == -1)
		return false;
	return set_argument(pid, 0, (uint64_t)v);
}
#else
static bool
set_argument(pid_t pid, int which, uint64_t v)
{
	(void)pid, (void)which, (void)v;
	return false;
}

static bool
set_answer(pid_t pid, bool before, int64_t v)
{
	(void)pid, (void)before, (void)v;
	return false;
}
#endif

static void
install_filter(void)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);

	for (size_t i = 0; i < KINDS; i++)
		if (kinds[i].nr >= 0)
			seccomp_rule_add(f, SCMP_ACT_TRACE(i + 1), kinds[i].nr, 0);
	if (f == NULL || seccomp_load(f) != 0)
		_exit(98);
	seccomp_release(f);
}

struct tracer {
	pid_t pid;
	const char *root;
	size_t root_n;
	const struct plan *plan;
	const struct progress *progress;
	struct journal *j;
	struct traced *out;
	size_t cap;
	unsigned storm;		/* times that this call has been interrupted in a row */
	/* of the call at hand */
	const struct call_kind *kind;
	uint64_t args[6];
	char path[PATH_MAX], path_to[PATH_MAX];
	bool makes;		/* an open that makes the file, of one that is not there */
};

static bool
read_string(pid_t pid, uint64_t at, char *out, size_t max)
{
	size_t n = 0;

	while (n < max) {
		/* Up to the end of a page, so that a string at the end of a mapping can be read. */
		size_t want = 4096 - (at + n) % 4096;
		struct iovec to = { out + n, want < max - n ? want : max - n };
		struct iovec from = { (void *)(uintptr_t)(at + n), to.iov_len };
		ssize_t got = process_vm_readv(pid, &to, 1, &from, 1, 0);

		if (got <= 0)
			return false;
		if (memchr(out + n, '\0', (size_t)got) != NULL)
			return true;
		n += (size_t)got;
	}
	return false;
}

static bool
path_of_fd(struct tracer *t, int fd, char out[PATH_MAX])
{
	char link[64];
	ssize_t n;

	if (fd == AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/%d/cwd", (int)t->pid);
	else
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)t->pid, fd);
	n = readlink(link, out, PATH_MAX - 1);
	if (n < 0)
		return false;
	out[n] = '\0';
	return true;
}

/* The absolute path of an argument; false: there is none, or it can not be told. */
static bool
path_of(struct tracer *t, int fd_arg, int path_arg, char out[PATH_MAX])
{
	int fd = fd_arg == NO ? AT_FDCWD : (int)t->args[fd_arg];
	char name[PATH_MAX], dir[PATH_MAX];

	if (path_arg == NO || t->args[path_arg] == 0)
		return path_of_fd(t, fd, out);
	if (!read_string(t->pid, t->args[path_arg], name, sizeof(name)))
		return false;
	if (name[0] == '/')
		return snprintf(out, PATH_MAX, "%s", name) < PATH_MAX;
	if (!path_of_fd(t, fd, dir))
		return false;
	if (name[0] == '\0' || strcmp(name, ".") == 0)
		return snprintf(out, PATH_MAX, "%s", dir) < PATH_MAX;
	return snprintf(out, PATH_MAX, "%s/%s", dir, name) < PATH_MAX;
}

static bool
is_inside(const struct tracer *t, const char *path)
{
	return strncmp(path, t->root, t->root_n) == 0 && (path[t->root_n] == '/' || path[t->root_n] == '\0');
}

static const char *
below(const struct tracer *t, const char *path)
{
	return path[t->root_n] == '/' ? path + t->root_n + 1 : path + t->root_n;
}

/* Fills in what the call at hand is; false when it is none of ours. */
static bool
identify(struct tracer *t, struct call *c)
{
	const struct call_kind *k = t->kind;
	struct stat sb;
	bool inside;

	t->path_to[0] = '\0';
	t->makes = false;
	if (k->class == CALL_LOCK && k->nr == SCMP_SYS(fcntl) && t->args[1] != F_SETLK && t->args[1] != F_SETLKW &&
	    t->args[1] != F_OFD_SETLK && t->args[1] != F_OFD_SETLKW)
		return false;
	if (k->class == CALL_MAP && (int)t->args[4] < 0)
		return false;
	inside = path_of(t, k->fd, k->path, t->path) && is_inside(t, t->path);
	if (k->path_to != NO && path_of(t, k->fd_to, k->path_to, t->path_to) && is_inside(t, t->path_to))
		inside = true;
	if (!inside)
		return false;
	*c = (struct call){ .class = k->class, .changes = k->changes, .at = *t->progress };
	if (k->class == CALL_OPEN) {
		uint64_t flags = t->args[k->path + 1];

		t->makes = (flags & O_CREAT) && lstat(t->path, &sb) == -1;
		if (t->makes || flags & O_TRUNC) {
			c->class = CALL_MAKE;
			c->changes = true;
		}
	}
	snprintf(c->what, sizeof(c->what), "%s %s%s%.70s", k->name, below(t, t->path), t->path_to[0] == '\0' ? "" : " to ",
	    t->path_to[0] == '\0' ? "" : below(t, t->path_to));
	return true;
}

static struct event *
event_add(struct journal *j, enum event_kind kind, unsigned call)
{
	if (j->count == j->cap) {
		j->cap = j->cap == 0 ? 256 : j->cap * 2;
		j->events = realloc(j->events, j->cap * sizeof(*j->events));
		if (j->events == NULL)
			die("out of memory");
	}
	j->events[j->count] = (struct event){ .kind = kind, .call = call, .node = NO_NODE, .dir = NO_NODE, .dir_to = NO_NODE };
	return &j->events[j->count++];
}

/* Of what the child has open. */
static uint32_t
node_of_fd(struct tracer *t, int fd)
{
	char link[64];
	struct stat sb;
	const struct tree *now = &t->j->now;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)t->pid, fd);
	if (stat(link, &sb) == -1)
		return NO_NODE;
	for (size_t i = now->count; i-- > 0;)
		if (now->nodes[i].ino == sb.st_ino)
			return (uint32_t)i;
	return NO_NODE;
}

static void
fetch(struct tracer *t, uint64_t at, char *out, size_t n)
{
	struct iovec to = { out, n }, from = { (void *)(uintptr_t)at, n };

	if (n > 0 && process_vm_readv(t->pid, &to, 1, &from, 1, 0) != (ssize_t)n)
		die("read the child's memory");
}

static uint64_t
position_of(struct tracer *t, int fd)
{
	char path[64], line[128];
	unsigned long long pos = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)t->pid, fd);
	in = fopen(path, "r");
	if (in == NULL || fgets(line, sizeof(line), in) == NULL || sscanf(line, "pos: %llu", &pos) != 1)
		die("read %s", path);
	fclose(in);
	return pos;
}

static void
note_write(struct tracer *t, int64_t answer)
{
	uint32_t node = node_of_fd(t, (int)t->args[0]);
	bool vector = t->kind->nr == SCMP_SYS(writev) || t->kind->nr == SCMP_SYS(pwritev);
	struct event *ev;
	size_t n = (size_t)answer, got = 0;

	if (node == NO_NODE || answer <= 0)
		return;
	ev = event_add(t->j, EV_WRITE, t->out->calls);
	ev->node = node;
	ev->data = must_alloc(n);
	ev->n = n;
	ev->at = t->kind->nr == SCMP_SYS(pwrite64) || t->kind->nr == SCMP_SYS(pwritev) ? t->args[3] :
	    position_of(t, (int)t->args[0]) - n;
	if (!vector) {
		fetch(t, t->args[1], ev->data, n);
	} else {
		for (uint64_t i = 0; i < t->args[2] && got < n; i++) {
			struct iovec v;

			fetch(t, t->args[1] + i * sizeof(v), (char *)&v, sizeof(v));
			if (v.iov_len > n - got)
				v.iov_len = n - got;
			fetch(t, (uintptr_t)v.iov_base, ev->data + got, v.iov_len);
			got += v.iov_len;
		}
	}
	tree_write(&t->j->now, node, ev->at, ev->data, n);
}

static struct timespec
time_of(const char *path)
{
	struct stat sb;

	return stat(path, &sb) == 0 ? sb.st_mtim : (struct timespec){ 0 };
}

static struct timespec
time_of_dir(const char *path)
{
	char dir[PATH_MAX];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash != NULL)
		*slash = '\0';
	return time_of(dir);
}

static void
note_entry(struct tracer *t, const char *from, const char *to, uint32_t node)
{
	struct tree *now = &t->j->now;
	struct event *ev = event_add(t->j, EV_ENTRY, t->out->calls);
	const char *name;

	if (from != NULL) {
		ev->dir = tree_parent(now, below(t, from), &name);
		ev->name = must_dup(name);
		ev->dir_time = time_of_dir(from);
		if (ev->dir != NO_NODE)
			tree_unlink(now, ev->dir, name);
	}
	if (to != NULL) {
		ev->dir_to = tree_parent(now, below(t, to), &name);
		ev->name_to = must_dup(name);
		ev->node = node;
		ev->dir_to_time = time_of_dir(to);
		if (ev->dir_to != NO_NODE)
			tree_link(now, ev->dir_to, name, node);
	}
}

static void
note_made(struct tracer *t, bool dir, const char *path)
{
	struct stat sb;

	if (lstat(path, &sb) == -1)
		return;
	note_entry(t, NULL, path, tree_add(&t->j->now, dir, sb.st_ino, sb.st_mode & 07777));
}

static void
note_meta(struct tracer *t)
{
	uint32_t node = t->kind->path != NO && t->args[t->kind->path] != 0 ? tree_find(&t->j->now, below(t, t->path)) :
	    node_of_fd(t, (int)t->args[0]);
	struct event *ev;
	struct stat sb;

	if (node == NO_NODE || stat(t->path, &sb) == -1)
		return;
	t->j->now.nodes[node].mode = sb.st_mode & 07777;
	ev = event_add(t->j, EV_TIME, t->out->calls);
	ev->node = node;
	ev->time = sb.st_mtim;
}

static void
note(struct tracer *t, int64_t answer)
{
	struct tree *now = &t->j->now;
	struct event *ev;
	uint32_t node;

	switch (t->kind->class) {
	case CALL_OPEN:
		if (t->makes) {
			note_made(t, false, t->path);
		} else if (t->args[t->kind->path + 1] & O_TRUNC && (node = tree_find(now, below(t, t->path))) != NO_NODE) {
			ev = event_add(t->j, EV_SIZE, t->out->calls);
			ev->node = node;
			tree_truncate(now, node, 0);
		}
		break;
	case CALL_MAKE:
		if (t->path_to[0] != '\0')
			note_entry(t, NULL, t->path_to, tree_find(now, below(t, t->path)));
		else
			note_made(t, t->kind->nr == SCMP_SYS(mkdir) || t->kind->nr == SCMP_SYS(mkdirat), t->path);
		break;
	case CALL_RENAME:
		note_entry(t, t->path, t->path_to, tree_find(now, below(t, t->path)));
		break;
	case CALL_REMOVE:
		note_entry(t, t->path, NULL, NO_NODE);
		break;
	case CALL_WRITE:
		note_write(t, answer);
		break;
	case CALL_SIZE:
		node = node_of_fd(t, (int)t->args[0]);
		if (node == NO_NODE)
			break;
		ev = event_add(t->j, EV_SIZE, t->out->calls);
		ev->node = node;
		ev->at = t->kind->nr == SCMP_SYS(ftruncate) ? t->args[1] : t->args[2] + t->args[3];
		if (t->kind->nr == SCMP_SYS(fallocate) && ev->at < now->nodes[node].n)
			ev->at = now->nodes[node].n;
		tree_truncate(now, node, ev->at);
		break;
	case CALL_SYNC:
		node = node_of_fd(t, (int)t->args[0]);
		ev = event_add(t->j, EV_SYNC, t->out->calls);
		ev->node = node;
		break;
	case CALL_META:
		note_meta(t);
		break;
	default:
		break;
	}
}

/* LMDB takes an interrupted call for a failed one: its answer is no, and nothing is lost. */
bool
is_lmdb(const char *what)
{
	return strstr(what, ".mdb") != NULL;
}

static bool
is_interruptible(const struct tracer *t, enum call_class class)
{
	if (is_lmdb(t->path))
		return false;
	if (class == CALL_LOCK)
		return t->kind->nr == SCMP_SYS(flock) || t->args[1] == F_SETLKW || t->args[1] == F_OFD_SETLKW;
	return class == CALL_READ || class == CALL_WRITE;
}

/* What the plan wants done with the call at hand.  True: behind the call its answer is wanted. */
static bool
act(struct tracer *t, const struct call *c)
{
	const struct plan *p = t->plan;
	bool here = t->out->calls == p->at;

	if (p->kind == PLAN_STORM) {
		if (!is_interruptible(t, c->class))
			return false;
		t->out->fired = true;
		if (t->storm < STORM_TIMES && set_answer(t->pid, true, -EINTR))
			t->storm++;
		else
			t->storm = 0;
		return false;
	}
	/* A full disk lets files go; one that fails lets nothing be done. */
	if (p->kind == PLAN_FAIL_ALL && t->out->calls >= p->at && c->changes && (c->class != CALL_REMOVE || p->error == EIO)) {
		if (!t->out->fired)
			t->out->call = *c;
		t->out->fired = set_answer(t->pid, true, -p->error);
		return false;
	}
	if (p->kind == PLAN_NONE || p->kind == PLAN_FAIL_ALL || !here)
		return p->kind == PLAN_NONE && c->changes;
	t->out->call = *c;
	t->out->fired = true;
	switch (p->kind) {
	case PLAN_KILL:
		kill(t->pid, SIGKILL);
		break;
	case PLAN_FAIL:
		/* A descriptor is closed, whatever close() says. */
		if (c->class == CALL_CLOSE)
			return true;
		set_answer(t->pid, true, -p->error);
		break;
	case PLAN_SHORT:
		if (c->class == CALL_WRITE && t->args[2] > 1)
			set_argument(t->pid, 2, t->args[2] / 2);
		break;
	case PLAN_LIE:
		return true;
	default:
		break;
	}
	return false;
}

/* Up to the end of the call: what it answered, or changed for what the plan wants. */
static bool
finish_call(struct tracer *t)
{
	struct __ptrace_syscall_info info;
	int status;

	if (ptrace(PTRACE_SYSCALL, t->pid, NULL, NULL) == -1 || waitpid(t->pid, &status, 0) != t->pid)
		return false;
	if (!WIFSTOPPED(status)) {
		t->out->status = status;
		return false;
	}
	if (WSTOPSIG(status) != (SIGTRAP | 0x80) ||
	    ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, (void *)sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_EXIT)
		return true;
	if (t->plan->kind != PLAN_NONE)
		set_answer(t->pid, false, -t->plan->error);
	else if (t->j != NULL && !info.exit.is_error)
		note(t, info.exit.rval);
	return true;
}

static void
on_call(struct tracer *t)
{
	struct __ptrace_syscall_info info;
	struct call c;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, (void *)sizeof(info), &info) <= 0 ||
	    info.op != PTRACE_SYSCALL_INFO_SECCOMP || info.seccomp.ret_data == 0 || info.seccomp.ret_data > KINDS)
		return;
	t->kind = &kinds[info.seccomp.ret_data - 1];
	memcpy(t->args, info.seccomp.args, sizeof(t->args));
	if (!identify(t, &c))
		return;
	t->out->calls++;
	if (t->plan->kind == PLAN_NONE) {
		if (t->out->calls > t->cap) {
			t->cap = t->cap == 0 ? 256 : t->cap * 2;
			t->out->list = realloc(t->out->list, t->cap * sizeof(c));
			if (t->out->list == NULL)
				die("out of memory");
		}
		t->out->list[t->out->calls - 1] = c;
	}
	if (act(t, &c))
		finish_call(t);
}

static void
child(void (*body)(void *), void *ctx)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1)
		_exit(98);
	raise(SIGSTOP);
	install_filter();
	body(ctx);
	_exit(0);
}

bool
trace_run(void (*body)(void *), void *ctx, const char *root, const struct plan *plan,
    const struct progress *progress, struct journal *j, struct traced *out)
{
	struct tracer *t = must_alloc(sizeof(*t));
	long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
	bool ok = false;
	int status, sig = 0;

	*out = (struct traced){ 0 };
	*t = (struct tracer){ .root = root, .root_n = strlen(root), .plan = plan, .progress = progress, .j = j, .out = out };
	t->pid = fork();
	if (t->pid == 0)
		child(body, ctx);
	if (t->pid == -1 || waitpid(t->pid, &status, 0) != t->pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, t->pid, NULL, options) == -1)
		goto out;
	out->status = -1;
	while (ptrace(PTRACE_CONT, t->pid, NULL, (long)sig) == 0 && waitpid(t->pid, &status, 0) == t->pid) {
		sig = 0;
		if (!WIFSTOPPED(status)) {
			out->status = status;
			break;
		}
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
			on_call(t);
		else if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP)
			sig = WSTOPSIG(status);
	}
	/* Killed while it stood: gone, or about to be. */
	if (out->status == -1 && waitpid(t->pid, &status, 0) == t->pid)
		out->status = status;
	ok = !(WIFEXITED(out->status) && WEXITSTATUS(out->status) == 98);
out:
	free(t);
	return ok;
}

void
traced_clear(struct traced *t)
{
	free(t->list);
	t->list = NULL;
}
