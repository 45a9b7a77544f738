/* SPDX-License-Identifier: MIT */
#include "lib-deliver/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/arena.h"
#include "lib/ipc.h"
#include "lib/sys.h"

#define REQUEST_MAX ((size_t)1 << 30)	/* arguments, environment and input, in a sealed memory file */
#define SAID_MAX ((size_t)64 << 10)
#define ANSWER_MORE_MS 30000		/* what the helper may need beyond the time of a program */
#define WAITING_MS 200

enum { ASK = 1, ANSWER = 2, READY = 3 };
enum {
	TAG_ARGC = 1, TAG_ENVC, TAG_OUTPUT, TAG_TIMEOUT, TAG_UMASK, TAG_IGNORE, TAG_SHELL, TAG_OUT_MAX, TAG_SAID_MAX,
	TAG_FAILED, TAG_TEXT, TAG_STATUS, TAG_CUT, TAG_OUT,
};

/* A string with its length in front. */
static void
put_string(struct buf *b, struct span s)
{
	buf_add_be32(b, (uint32_t)s.n);
	buf_add(b, s);
}

static bool
take_string(struct span *rest, struct span *out)
{
	uint32_t n;

	if (rest->n < 4 || (n = be32_get(rest->p)) > rest->n - 4)
		return false;
	*out = span_sub(*rest, 4, n);
	*rest = span_from(*rest, 4 + (size_t)n);
	return true;
}

/* All descendants that a program has left: they became this process's children, since it is their subreaper. */
static void
end_descendants(void)
{
	char path[64], list[4096];

	snprintf(path, sizeof(path), "/proc/self/task/%ld/children", (long)getpid());
	for (unsigned round = 0; round < 1000; round++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd == -1 ? 0 : read(fd, list, sizeof(list) - 1);

		if (fd != -1)
			close(fd);
		if (n <= 0)
			break;
		list[n] = '\0';
		for (char *p = list, *end; *p != '\0'; p = end) {
			long pid = strtol(p, &end, 10);

			if (end == p)
				break;
			if (pid > 1 && (*end == ' ' || *end == '\0'))
				(void)kill((pid_t)pid, SIGKILL);
		}
		usleep(1000);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* What is asked for, from the memory file mapped at `rest'. */
static int
decode(struct ipc_msg *m, struct span rest, struct program_request *r, struct arena *a, struct err *e)
{
	uint32_t argc = ipc_u32(m, TAG_ARGC), env_count = ipc_u32(m, TAG_ENVC);
	struct span *strings;

	r->output_max = (size_t)ipc_u64(m, TAG_OUTPUT);
	r->timeout = ipc_u32(m, TAG_TIMEOUT);
	r->umask = ipc_u32(m, TAG_UMASK);
	r->ignore_write_errors = ipc_u32(m, TAG_IGNORE) != 0;
	r->or_shell = ipc_u32(m, TAG_SHELL) != 0;
	if (m->bad || argc == 0 || argc > PROGRAM_STRINGS || env_count > PROGRAM_STRINGS)
		return err_set(e, ERR_SYNTAX, "a request that is not understood");
	strings = arena_alloc(a, argc + env_count, sizeof(*strings));
	if (strings == NULL)
		return err_set(e, ERR_LIMIT, "out of memory");
	if (!take_string(&rest, &r->dir))
		return err_set(e, ERR_SYNTAX, "a request that is cut off");
	for (size_t i = 0; i < argc + env_count; i++)
		if (!take_string(&rest, &strings[i]))
			return err_set(e, ERR_SYNTAX, "a request that is cut off");
	r->argv = strings;
	r->argc = argc;
	r->env = strings + argc;
	r->env_count = env_count;
	r->input = rest;
	return 0;
}

/* The user's processes as they were counted last: /proc is read once in a while, not for each program. */
struct processes {
	unsigned count;
	int64_t counted_ms;
};
#define COUNT_AGAIN_MS 2000

static void
count_again(struct processes *known, const struct program_limits *l)
{
	int64_t now = clock_ms();

	if (l->processes == 0 || (known->counted_ms != 0 && now - known->counted_ms < COUNT_AGAIN_MS))
		return;
	known->count = program_count_processes();
	known->counted_ms = now;
}

/* One request and its answer; false: the asker is gone. */
static bool
answer(int sock, struct ipc_msg *m, const struct program_limits *l, const struct processes *known)
{
	struct arena *a = arena_new((size_t)1 << 20);
	struct program_request r = { .watch_fd = sock, .running = known->count };
	struct buf out, said;
	struct ipc_out o;
	struct err e = ERR_INIT, sent = ERR_INIT;
	struct stat st;
	void *map = MAP_FAILED;
	int fd = ipc_fd(m), status = 0, rc = -1, out_fd;
	uint64_t out_max = ipc_u64(m, TAG_OUT_MAX), said_max = ipc_u64(m, TAG_SAID_MAX);

	buf_init(&out, out_max > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)out_max);
	buf_init(&said, said_max > SAID_MAX ? SAID_MAX : (size_t)said_max);
	if (fd != -1 && fstat(fd, &st) == 0 && st.st_size > 0 && (uint64_t)st.st_size <= REQUEST_MAX)
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED || a == NULL)
		err_set(&e, ERR_LIMIT, "a request that is too large, or no memory for it");
	else if (decode(m, span_of(map, (size_t)st.st_size), &r, a, &e) == 0)
		rc = program_run(&r, l, &out, &said, &status, &e);
	end_descendants();
	ipc_begin(&o, ANSWER);
	ipc_put_u32(&o, TAG_FAILED, rc == 0 ? 0 : (uint32_t)e.code);
	ipc_put_str(&o, TAG_TEXT, e.log);
	ipc_put_u32(&o, TAG_STATUS, (uint32_t)status);
	ipc_put_u32(&o, TAG_CUT, out.failed);
	ipc_put_u64(&o, TAG_OUT, out.n);
	/* Output first, then what was said. */
	buf_grow(&out, 1);
	out.max = SIZE_MAX / 2;
	out.failed = false;
	buf_add(&out, buf_span(&said));
	out_fd = memfd_sealed("program-output", buf_span(&out), &sent);
	if (out_fd != -1)
		ipc_put_fd(&o, out_fd);
	rc = out_fd == -1 ? -1 : ipc_send(sock, &o, &sent);
	if (out_fd != -1)
		close(out_fd);
	ipc_out_clear(&o);
	if (map != MAP_FAILED)
		(void)munmap(map, (size_t)st.st_size);
	if (fd != -1)
		close(fd);
	buf_clear(&out);
	buf_clear(&said);
	arena_free(a);
	return rc == 0;
}

static void
serve(int sock, const struct program_limits *l)
{
	struct processes known = { 0 };
	struct ipc_msg m;
	struct err e = ERR_INIT;
	bool going = true;

	(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (ipc_msg_init(&m, &e) == -1)
		return;
	while (going && ipc_recv(sock, &m, &e) == 1 && m.type == ASK) {
		count_again(&known, l);
		going = answer(sock, &m, l, &known);
	}
	ipc_msg_clear(&m);
}

/* The whole life of the helper, in the forked process. */
static void __attribute__((noreturn))
help(int sock, const struct program_limits *l, program_become *become, void *ctx)
{
	struct err e = ERR_INIT;
	struct ipc_out o;

	if (become != NULL)
		(void)become(ctx, &e);
	/* Nothing of what the asker has open is for programs, nor for this process. */
	if (dup2(sock, 3) == -1)
		_exit(1);
	(void)close_range(4, ~0u, 0);
	ipc_begin(&o, READY);
	ipc_put_u32(&o, TAG_FAILED, (uint32_t)e.code);
	ipc_put_str(&o, TAG_TEXT, e.log);
	if (ipc_send(3, &o, &e) == 0 && e.code == ERR_NONE)
		serve(3, l);
	_exit(0);
}

/* Whether it has become what it should be. */
static int
wait_ready(const struct program_helper *h, struct err *e)
{
	struct ipc_msg m;
	int rc = -1;

	if (ipc_msg_init(&m, e) == -1)
		return -1;
	if (ipc_recv_wait(h->sock, &m, ANSWER_MORE_MS, e) == 1 && m.type == READY) {
		uint32_t failed = ipc_u32(&m, TAG_FAILED);
		struct span text = ipc_opt_bytes(&m, TAG_TEXT, 1000);

		rc = failed == 0 ? 0 : err_set(e, failed < ERR_CODES ? (enum err_code)failed : ERR_TEMP, "%.*s", SPAN_ARG(text));
	} else {
		err_set(e, ERR_EOF, "the helper for programs did not start");
	}
	ipc_msg_clear(&m);
	return rc;
}

int
program_helper_start(struct program_helper *h, const struct program_limits *l, program_become *become, void *ctx, struct err *e)
{
	int pair[2];

	*h = (struct program_helper){ -1, -1 };
	if (ipc_pair(pair, e) == -1)
		return -1;
	h->pid = fork();
	if (h->pid == -1) {
		err_errno(e, "fork");
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	if (h->pid == 0)
		help(pair[1], l, become, ctx);
	close(pair[1]);
	h->sock = pair[0];
	if (wait_ready(h, e) == 0)
		return 0;
	program_helper_stop(h);
	return -1;
}

void
program_helper_stop(struct program_helper *h)
{
	if (h->sock != -1)
		close(h->sock);
	if (h->pid > 0)
		while (waitpid(h->pid, NULL, 0) == -1 && errno == EINTR)
			;
	*h = (struct program_helper){ -1, -1 };
}

/* 1: the answer; 0: the helper has gone; -1. */
static int
wait_answer(int sock, const struct program_request *r, struct ipc_msg *m, struct err *e)
{
	int64_t until = clock_ms() + PROGRAM_TIMEOUT * 1000 + ANSWER_MORE_MS;

	for (;;) {
		int64_t left = until - clock_ms();
		bool slice = r->waiting != NULL && left > WAITING_MS;
		int got = ipc_recv_wait(sock, m, slice ? WAITING_MS : left < 0 ? 0 : (int)left, e);

		if (got != -1 || e->code != ERR_TIMEOUT || !slice)
			return got;
		r->waiting(r->waiting_ctx);
	}
}

static int
take_answer(struct ipc_msg *m, struct buf *out, struct buf *said, int *status, struct err *e)
{
	uint32_t failed = ipc_u32(m, TAG_FAILED), how = ipc_u32(m, TAG_STATUS), cut = ipc_u32(m, TAG_CUT);
	struct span text = ipc_opt_bytes(m, TAG_TEXT, 1000);
	uint64_t octets = ipc_u64(m, TAG_OUT);
	struct buf both = BUF_INIT(out->max + said->max + 1);
	int fd = ipc_fd(m), rc = -1;

	if (m->bad || m->type != ANSWER || octets > out->max || fd_read_all(fd, both.max, &both, e) == -1 || both.n < octets) {
		err_set(e, ERR_TEMP, "the helper for programs gave an answer that is not understood");
	} else {
		buf_add(out, span_sub(buf_span(&both), 0, (size_t)octets));
		buf_add(said, span_from(buf_span(&both), (size_t)octets));
		out->failed |= cut != 0;
		*status = (int)how;
		rc = failed == 0 ? 0 : err_set(e, failed < ERR_CODES ? (enum err_code)failed : ERR_TEMP, "%.*s", SPAN_ARG(text));
	}
	if (fd != -1)
		close(fd);
	buf_clear(&both);
	return rc;
}

int
program_helper_run(const struct program_helper *h, const struct program_request *r, struct buf *out, struct buf *said, int *status,
    struct err *e)
{
	struct buf all = BUF_INIT(REQUEST_MAX);
	struct ipc_out o;
	struct ipc_msg m;
	int fd, rc = -1;

	*status = 0;
	if (h->sock == -1)
		return err_set(e, ERR_DENIED, "programs are not run");
	put_string(&all, r->dir);
	for (size_t i = 0; i < r->argc; i++)
		put_string(&all, r->argv[i]);
	for (size_t i = 0; i < r->env_count; i++)
		put_string(&all, r->env[i]);
	buf_add(&all, r->input);
	if (all.failed || r->argc > PROGRAM_STRINGS || r->env_count > PROGRAM_STRINGS) {
		buf_clear(&all);
		return err_set(e, ERR_LIMIT, "too much for a program");
	}
	fd = memfd_sealed("program-input", buf_span(&all), e);
	buf_clear(&all);
	if (fd == -1)
		return -1;
	ipc_begin(&o, ASK);
	ipc_put_u32(&o, TAG_ARGC, (uint32_t)r->argc);
	ipc_put_u32(&o, TAG_ENVC, (uint32_t)r->env_count);
	ipc_put_u64(&o, TAG_OUTPUT, r->output_max);
	ipc_put_u32(&o, TAG_TIMEOUT, r->timeout);
	ipc_put_u32(&o, TAG_UMASK, r->umask);
	ipc_put_u32(&o, TAG_IGNORE, r->ignore_write_errors);
	ipc_put_u32(&o, TAG_SHELL, r->or_shell);
	ipc_put_u64(&o, TAG_OUT_MAX, out->max - out->n);
	ipc_put_u64(&o, TAG_SAID_MAX, said->max - said->n);
	ipc_put_fd(&o, fd);
	if (ipc_send(h->sock, &o, e) == 0 && ipc_msg_init(&m, e) == 0) {
		int got = wait_answer(h->sock, r, &m, e);

		if (got == 1)
			rc = take_answer(&m, out, said, status, e);
		else if (got == 0)
			err_set(e, ERR_EOF, "the helper for programs is gone");
		ipc_msg_clear(&m);
	}
	ipc_out_clear(&o);
	close(fd);
	return rc;
}
