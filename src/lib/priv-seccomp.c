/* SPDX-License-Identifier: MIT */
/*
 * What each kind of process may ask of the kernel.  Three answers: the calls of its work are allowed; those that
 * libraries try on the way and live without (opening a file, a socket, a look at a terminal) fail with an errno; the
 * rest, which only an intruder would try, ends the process, and the kernel's audit log names the call.
 */
#include "config.h"
#include "lib/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "lib/sys.h"

/* A sanitizer's run-time library asks for much more than the program does. */
#ifdef CULVER_SANITIZED
static const bool is_sanitized = true;
#else
static const bool is_sanitized = false;
#endif

#define PROGRAM_MAX 4096	/* instructions; the kernel's own limit (BPF_MAXINSNS) */

struct priv_filter {
	struct sock_fprog program;
};

/* Every list ends with a number that no system call has. */
#define END_OF_LIST (-10000)

/* Memory, time, signals, numbers about oneself: any process. */
static const int calls_base[] = {
	SCMP_SYS(brk), SCMP_SYS(clock_getres), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(exit),
	SCMP_SYS(exit_group), SCMP_SYS(futex), SCMP_SYS(get_robust_list), SCMP_SYS(getcpu), SCMP_SYS(getegid),
	SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getgroups), SCMP_SYS(getpid), SCMP_SYS(getppid),
	SCMP_SYS(getrandom), SCMP_SYS(getresgid), SCMP_SYS(getresuid), SCMP_SYS(getrlimit), SCMP_SYS(getrusage),
	SCMP_SYS(gettid), SCMP_SYS(gettimeofday), SCMP_SYS(getuid), SCMP_SYS(madvise), SCMP_SYS(membarrier),
	SCMP_SYS(mlock), SCMP_SYS(mremap), SCMP_SYS(munlock), SCMP_SYS(munmap), SCMP_SYS(nanosleep), SCMP_SYS(pause),
	SCMP_SYS(restart_syscall), SCMP_SYS(rseq), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigpending),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigsuspend), SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield), SCMP_SYS(set_robust_list), SCMP_SYS(set_tid_address),
	SCMP_SYS(setitimer), SCMP_SYS(getitimer), SCMP_SYS(alarm), SCMP_SYS(sigaltstack), SCMP_SYS(sysinfo),
	SCMP_SYS(time), SCMP_SYS(times), SCMP_SYS(umask), SCMP_SYS(uname), END_OF_LIST
};

/* Descriptors that are there already: sockets, pipes, memory files, event queues. */
static const int calls_descriptors[] = {
	SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup), SCMP_SYS(dup2),
	SCMP_SYS(dup3), SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2), SCMP_SYS(epoll_wait), SCMP_SYS(eventfd), SCMP_SYS(eventfd2), SCMP_SYS(fcntl),
	SCMP_SYS(fdatasync), SCMP_SYS(fstat), SCMP_SYS(fstatfs), SCMP_SYS(fsync), SCMP_SYS(getpeername),
	SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(lseek), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(poll),
	SCMP_SYS(ppoll), SCMP_SYS(pread64), SCMP_SYS(preadv), SCMP_SYS(pselect6), SCMP_SYS(pwrite64),
	SCMP_SYS(pwritev), SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg), SCMP_SYS(recvmsg),
	SCMP_SYS(select), SCMP_SYS(sendfile), SCMP_SYS(sendmmsg), SCMP_SYS(sendmsg), SCMP_SYS(sendto),
	SCMP_SYS(setsockopt), SCMP_SYS(shutdown), SCMP_SYS(socketpair), SCMP_SYS(splice), SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_gettime), SCMP_SYS(timerfd_settime), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(signalfd4),
	END_OF_LIST
};

/* Looking at files by name; open and openat are apart, for their flags. */
static const int calls_look[] = {
	SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(getcwd), SCMP_SYS(getdents),
	SCMP_SYS(getdents64), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
	SCMP_SYS(stat), SCMP_SYS(statfs), SCMP_SYS(statx), SCMP_SYS(chdir), SCMP_SYS(fchdir), SCMP_SYS(readahead),
	SCMP_SYS(fadvise64), SCMP_SYS(inotify_add_watch), SCMP_SYS(inotify_init1), SCMP_SYS(inotify_rm_watch),
	SCMP_SYS(wait4), SCMP_SYS(waitid), END_OF_LIST
};

static const int calls_memory_files[] = {
	SCMP_SYS(copy_file_range), SCMP_SYS(fallocate), SCMP_SYS(ftruncate), SCMP_SYS(memfd_create), END_OF_LIST
};

/* Changing a mail store. */
static const int calls_store[] = {
	SCMP_SYS(chmod), SCMP_SYS(chown), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(fchown), SCMP_SYS(fchownat),
	SCMP_SYS(fgetxattr), SCMP_SYS(flistxattr), SCMP_SYS(flock), SCMP_SYS(fsetxattr), SCMP_SYS(getxattr),
	SCMP_SYS(lchown), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(msync),
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(preadv2), SCMP_SYS(pwritev2), SCMP_SYS(rename), SCMP_SYS(renameat),
	SCMP_SYS(renameat2), SCMP_SYS(rmdir), SCMP_SYS(sync_file_range), SCMP_SYS(syncfs), SCMP_SYS(truncate),
	SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(utime), SCMP_SYS(utimensat), SCMP_SYS(utimes),
	SCMP_SYS(mincore), SCMP_SYS(setfsgid), END_OF_LIST
};

/*
 * What a parent of workers does before and in each of them.  A worker inherits this, for a filter costs 200 microseconds
 * to put on and nothing to inherit; when it has become the mail user, these calls have no power any more.
 */
static const int calls_become[] = {
	SCMP_SYS(capget), SCMP_SYS(capset), SCMP_SYS(chroot), SCMP_SYS(clone), SCMP_SYS(fork), SCMP_SYS(kill),
	SCMP_SYS(landlock_add_rule), SCMP_SYS(landlock_create_ruleset), SCMP_SYS(landlock_restrict_self), SCMP_SYS(prctl),
	SCMP_SYS(prlimit64), SCMP_SYS(seccomp), SCMP_SYS(setgid), SCMP_SYS(setgroups), SCMP_SYS(setregid),
	SCMP_SYS(setresgid), SCMP_SYS(setresuid), SCMP_SYS(setreuid), SCMP_SYS(setrlimit), SCMP_SYS(setuid), END_OF_LIST
};

/* Tried by libraries, and failing is an answer they know.  What a profile allows above is taken out of this. */
static const int calls_refused[] = {
	SCMP_SYS(access), SCMP_SYS(bind), SCMP_SYS(clone), SCMP_SYS(clone3), SCMP_SYS(connect), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(fork), SCMP_SYS(getcwd), SCMP_SYS(listen), SCMP_SYS(lstat), SCMP_SYS(open),
	SCMP_SYS(openat), SCMP_SYS(openat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(sched_setaffinity),
	SCMP_SYS(setrlimit), SCMP_SYS(socket), SCMP_SYS(stat), SCMP_SYS(statfs), SCMP_SYS(statx), SCMP_SYS(sysfs),
	SCMP_SYS(vfork), END_OF_LIST
};

static const int calls_connect[] = { SCMP_SYS(connect), END_OF_LIST };
/* The C library's fstat() is this call with an empty name, which a filter can not see; and it only looks. */
static const int calls_fstat[] = { SCMP_SYS(newfstatat), END_OF_LIST };
static const int calls_links[] = { SCMP_SYS(symlink), SCMP_SYS(symlinkat), END_OF_LIST };
static const int calls_executable[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect), END_OF_LIST };

/* One profile's lists. */
struct profile {
	const int *allowed[11];	/* ends with NULL */
	bool unix_sockets, read_files, write_files, load_code, become, inet_sockets;
};

static const struct profile profiles[] = {
	[PRIV_LOGIN] = { { calls_base, calls_descriptors, calls_fstat }, false, false, false, false, false, false },
	[PRIV_EVENTS] = { { calls_base, calls_descriptors, calls_fstat, calls_look, calls_memory_files, calls_connect,
			    calls_executable }, true, true, false, true, false, false },
	[PRIV_LMTP] = { { calls_base, calls_descriptors, calls_fstat, calls_memory_files, calls_connect },
			true, false, false, false, false, false },
	[PRIV_LMTP_INET] = { { calls_base, calls_descriptors, calls_fstat, calls_memory_files, calls_connect },
			true, false, false, false, false, true },
	[PRIV_MAIL] = { { calls_base, calls_descriptors, calls_fstat, calls_look, calls_memory_files, calls_store,
			  calls_connect, calls_executable }, true, true, true, true, false, false },
	[PRIV_MAIL_INET] = { { calls_base, calls_descriptors, calls_fstat, calls_look, calls_memory_files, calls_store,
			  calls_connect, calls_executable }, true, true, true, true, false, true },
	[PRIV_PARENT] = { { calls_base, calls_descriptors, calls_fstat, calls_look, calls_memory_files, calls_store,
			    calls_connect, calls_executable, calls_become }, true, true, true, true, true, false },
	[PRIV_PARENT_INET] = { { calls_base, calls_descriptors, calls_fstat, calls_look, calls_memory_files, calls_store,
				 calls_connect, calls_executable, calls_become }, true, true, true, true, true, true },
	[PRIV_PARENT_LINKS] = { { calls_base, calls_descriptors, calls_fstat, calls_look, calls_memory_files, calls_store,
				  calls_connect, calls_executable, calls_become, calls_links }, true, true, true, true, true, false },
};

static bool
is_listed(const int *calls, int call)
{
	while (*calls != END_OF_LIST && *calls != call)
		calls++;
	return *calls == call;
}

static int
add(scmp_filter_ctx ctx, uint32_t action, int call)
{
	return seccomp_rule_add(ctx, action, call, 0);
}

/*
 * Calls that are right with certain arguments only.  Where one of the conditions and their opposite both have a rule,
 * the opposite is written out: a rule without conditions would replace the others.
 */
static int
add_if(scmp_filter_ctx ctx, uint32_t action, int call, unsigned arg, enum scmp_compare op, uint64_t a, uint64_t b)
{
	struct scmp_arg_cmp cmp = { arg, op, a, b };

	return seccomp_rule_add_array(ctx, action, call, 1, &cmp);
}

#define REFUSE SCMP_ACT_ERRNO(EACCES)
static int
add_inet(scmp_filter_ctx ctx)
{
	for (int af = 0; af <= AF_MAX; af++)
		if (add_if(ctx, af == AF_UNIX || af == AF_INET || af == AF_INET6 ? SCMP_ACT_ALLOW : REFUSE, SCMP_SYS(socket),
			   0, SCMP_CMP_EQ, (uint64_t)af, 0) != 0)
			return -1;
	return add_if(ctx, REFUSE, SCMP_SYS(socket), 0, SCMP_CMP_GT, AF_MAX, 0) != 0 ? -1 : 0;
}

/* One value of one argument is fine, the others fail. */
#define ONLY(call, arg, value)                                                                     \
	(add_if(ctx, SCMP_ACT_ALLOW, SCMP_SYS(call), arg, SCMP_CMP_EQ, value, 0) != 0 ||   \
	 add_if(ctx, REFUSE, SCMP_SYS(call), arg, SCMP_CMP_NE, value, 0) != 0)
/* The same for the bits of an argument under a mask of one bit. */
#define WITHOUT_BIT(call, arg, bit)                                                                       \
	(add_if(ctx, SCMP_ACT_ALLOW, SCMP_SYS(call), arg, SCMP_CMP_MASKED_EQ, bit, 0) != 0 ||  \
	 add_if(ctx, REFUSE, SCMP_SYS(call), arg, SCMP_CMP_MASKED_EQ, bit, bit) != 0)

static int
add_conditional(scmp_filter_ctx ctx, const struct profile *p)
{
	static const unsigned long ioctls[] = { FIONREAD, FIONBIO, FIOCLEX, FIONCLEX, TIOCOUTQ, TCGETS };

	for (size_t i = 0; i < sizeof(ioctls) / sizeof(ioctls[0]); i++)
		if (add_if(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_CMP_EQ, ioctls[i], 0) != 0)
			return -1;
	if (p->write_files && add_if(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_CMP_EQ, FICLONE, 0) != 0)
		return -1;
	if (!p->load_code && (WITHOUT_BIT(mmap, 2, PROT_EXEC) || WITHOUT_BIT(mprotect, 2, PROT_EXEC)))
		return -1;
	/* abort(); whether a process lives; one's name; a limit may be read, not set */
	if (add_if(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 2, SCMP_CMP_EQ, SIGABRT, 0) != 0)
		return -1;
	if (!p->become && (ONLY(kill, 1, 0) || ONLY(prctl, 0, PR_SET_NAME) || ONLY(prlimit64, 2, 0)))
		return -1;
	if (p->unix_sockets && !p->inet_sockets && ONLY(socket, 0, AF_UNIX))
		return -1;
	if (p->inet_sockets && add_inet(ctx) == -1)
		return -1;
	if (p->read_files && !p->write_files)
		for (unsigned mode = 0; mode <= O_ACCMODE; mode++)
			if (add_if(ctx, mode == O_RDONLY ? SCMP_ACT_ALLOW : REFUSE, SCMP_SYS(openat),
				   2, SCMP_CMP_MASKED_EQ, O_ACCMODE, mode) != 0)
				return -1;
	return 0;
}

static int
build(scmp_filter_ctx ctx, const struct profile *p)
{
	for (size_t i = 0; p->allowed[i] != NULL; i++)
		for (const int *call = p->allowed[i]; *call != END_OF_LIST; call++)
			if (add(ctx, SCMP_ACT_ALLOW, *call) != 0)
				return -1;
	for (const int *call = calls_refused; *call != END_OF_LIST; call++) {
		bool has_rule = (p->unix_sockets && *call == SCMP_SYS(socket)) ||
			(p->read_files && *call == SCMP_SYS(openat));

		for (size_t i = 0; p->allowed[i] != NULL; i++)
			has_rule = has_rule || is_listed(p->allowed[i], *call);
		/* ENOSYS makes the C library fall back on the older call. */
		if (!has_rule && add(ctx, *call == SCMP_SYS(clone3) ? SCMP_ACT_ERRNO(ENOSYS) : REFUSE, *call) != 0)
			return -1;
	}
	return add_conditional(ctx, p);
}

/* Everything but signals to others (and sockets) is another filter's to judge.  Few rules: it is put on for each session. */
static int
build_on_top(scmp_filter_ctx ctx, bool only_unix)
{
	static const int calls[] = { SCMP_SYS(kill), SCMP_SYS(tkill), SCMP_SYS(rt_sigqueueinfo),
				     SCMP_SYS(rt_tgsigqueueinfo), SCMP_SYS(pidfd_send_signal), END_OF_LIST };

	for (const int *call = calls; *call != END_OF_LIST; call++)
		if (add(ctx, REFUSE, *call) != 0)
			return -1;
	return only_unix && add_if(ctx, REFUSE, SCMP_SYS(socket), 0, SCMP_CMP_NE, AF_UNIX, 0) != 0 ? -1 : 0;
}

/* The finished program, taken from libseccomp once, so that applying it costs a forked process one system call. */
static int
export_program(scmp_filter_ctx ctx, struct priv_filter *f, struct err *e)
{
	struct buf code = BUF_INIT(PROGRAM_MAX * sizeof(struct sock_filter));
	int fd = memfd_create("filter", MFD_CLOEXEC), rc = -1;

	if (fd == -1)
		return err_errno(e, "memfd_create");
	if (seccomp_export_bpf(ctx, fd) != 0 || lseek(fd, 0, SEEK_SET) == -1)
		err_set(e, ERR_TEMP, "seccomp: exporting the filter");
	else
		rc = fd_read_all(fd, code.max, &code, e);
	close(fd);
	f->program.len = (unsigned short)(code.n / sizeof(struct sock_filter));
	f->program.filter = (struct sock_filter *)(void *)code.p;
	return rc;
}

struct priv_filter *
priv_filter_new(enum priv_profile profile, struct err *e)
{
	struct priv_filter *f = calloc(1, sizeof(*f));
	bool on_top = profile == PRIV_NO_SIGNALS || profile == PRIV_ONLY_UNIX;
	scmp_filter_ctx ctx;
	int rc = -1;

	if (f == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		return NULL;
	}
	if (is_sanitized)
		return f;
	ctx = seccomp_init(on_top ? SCMP_ACT_ALLOW : SCMP_ACT_KILL_PROCESS);
	if (ctx == NULL || (on_top ? build_on_top(ctx, profile == PRIV_ONLY_UNIX) : build(ctx, &profiles[profile])) != 0)
		err_set(e, ERR_TEMP, "seccomp: building profile %d", (int)profile);
	else
		rc = export_program(ctx, f, e);
	seccomp_release(ctx);
	if (rc == -1) {
		priv_filter_free(f);
		return NULL;
	}
	return f;
}

int
priv_filter_apply(const struct priv_filter *f, struct err *e)
{
	if (priv_no_new(e) == -1)
		return -1;
	if (f->program.len > 0 && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &f->program) == -1)
		return err_errno(e, "seccomp");
	return 0;
}

void
priv_filter_free(struct priv_filter *f)
{
	if (f == NULL)
		return;
	free(f->program.filter);
	free(f);
}
