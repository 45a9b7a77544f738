/* SPDX-License-Identifier: MIT */
#include "lib-deliver/filter-program.h"

#include <poll.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-deliver/program-socket.h"
#include "lib-filter/sieve/setting.h"

#define OUTPUT_MAX ((size_t)40 << 20)	/* of a program: with the message it was made from it fits a filter's memory */
#define MEMORY_DEFAULT ((uint64_t)1 << 30)
#define SAID_MAX ((size_t)16 << 10)
#define SAID_LINES 20
#define LINE_OCTETS 500
#define PROGRAM_UMASK 077
#define ENV_MAX 6

static const char *const dir_settings[] = { "sieve_pipe_bin_dir", "sieve_filter_bin_dir", "sieve_execute_bin_dir" };
#define DIRS (sizeof(dir_settings) / sizeof(dir_settings[0]))

bool
deliver_programs_wanted(const struct set_view *view)
{
	bool any = false;

	for (size_t i = 0; i < DIRS; i++)
		any = any || span_trim(set_plugin(view, dir_settings[i])).n > 0;
	return any && (set_list_has(view, SET_mail_plugins, SPAN("sieve")) || set_list_has(view, SET_mail_plugins, SPAN("imap_sieve")));
}

int
deliver_programs_start(const struct set_view *view, struct program_helper *out, struct err *e)
{
	struct program_limits limits = { .output = OUTPUT_MAX };
	struct span dirs[DIRS];

	*out = (struct program_helper){ -1, -1 };
	if (!deliver_programs_wanted(view))
		return 0;
	for (size_t i = 0; i < DIRS; i++) {
		struct span dir = span_trim(set_plugin(view, dir_settings[i]));

		if (dir.n > 0 && dir.p[0] == '/')
			dirs[limits.dir_count++] = dir;
		else if (dir.n > 0)
			return err_set(e, ERR_SYNTAX, "%s is no absolute path", dir_settings[i]);
	}
	limits.dirs = dirs;
	if (!sieve_parse_size(set_plugin(view, "sieve_program_memory"), &limits.memory))
		limits.memory = MEMORY_DEFAULT;
	return program_helper_start(out, &limits, NULL, NULL, e);
}

bool
deliver_programs_gone(const struct program_helper *h)
{
	struct pollfd p = { .fd = h->sock };

	return h->sock != -1 && poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

bool
deliver_sockets_wanted(const struct set_view *view)
{
	return span_trim(set_plugin(view, "sieve_pipe_socket_dir")).n > 0 || span_trim(set_plugin(view, "sieve_filter_socket_dir")).n > 0 ||
	    span_trim(set_plugin(view, "sieve_execute_socket_dir")).n > 0;
}

static bool
put_env(struct arena *a, struct span *env, size_t *count, const char *name, struct span value)
{
	char *text;

	if (value.n == 0 && strcmp(name, "SENDER") != 0)
		return true;
	text = arena_printf(a, "%s=%.*s", name, SPAN_ARG(value));
	if (text == NULL)
		return false;
	env[(*count)++] = span_str(text);
	return true;
}

static bool
make_env(const struct deliver_request *r, struct arena *a, struct span env[ENV_MAX], size_t *count)
{
	struct span host = set_str(r->view, SET_hostname);

	*count = 0;
	return put_env(a, env, count, "USER", r->user) && put_env(a, env, count, "HOME", r->home) &&
	    put_env(a, env, count, "HOST", host.n > 0 ? host : span_str(host_name())) &&
	    put_env(a, env, count, "SENDER", r->sender) && put_env(a, env, count, "RECIPIENT", r->recipient) &&
	    put_env(a, env, count, "ORIG_RECIPIENT", r->orig_recipient.n > 0 ? r->orig_recipient : r->recipient);
}

static void
log_said(struct span path, struct span said)
{
	struct span line;

	for (size_t i = 0; i < SAID_LINES && span_next(&said, '\n', &line); i++)
		if (span_trim(line).n > 0)
			log_info("sieve: program %.*s: %.*s", SPAN_ARG(path), SPAN_ARG(span_sub(line, 0, LINE_OCTETS)));
}

/* In the helper. */
static int
run_file(struct deliver_host *h, struct span path, struct program_request *q, struct buf *out, int *status, struct err *e)
{
	struct buf said = BUF_INIT(SAID_MAX);
	int rc;

	if (h->r->means->programs == NULL)
		return err_set(e, ERR_NOTFOUND, "programs are not run");
	rc = program_helper_run(h->r->means->programs, q, out, &said, status, e);
	log_said(path, buf_span(&said));
	buf_clear(&said);
	return rc;
}

/* Where the service's socket is. */
static char *
socket_path(struct deliver_host *h, struct span socket, struct arena *a)
{
	struct span base = set_str(h->r->view, SET_base_dir);

	return socket.p[0] == '/' ? arena_cstr(a, socket) : arena_printf(a, "%.*s/%.*s", SPAN_ARG(base), SPAN_ARG(socket));
}

/* out: NULL where nobody wants its output. */
static int
run(struct deliver_host *h, const struct filter_program *p, struct span input, struct arena *a, struct buf *out, int *status,
    struct err *e)
{
	struct buf none = BUF_INIT(1);
	struct span *argv = arena_alloc(a, p->arg_count + 1, sizeof(*argv)), env[ENV_MAX];
	struct program_request q = { .argv = argv, .argc = p->arg_count + 1, .env = env, .dir = h->r->home, .input = input,
		.output_max = out == NULL ? 0 : out->max, .timeout = p->timeout, .umask = PROGRAM_UMASK };
	const char *socket;
	bool here = p->socket.n == 0;
	int rc = 0;

	if (h->r->means == NULL)
		return err_set(e, ERR_NOTFOUND, "programs are not run");
	if (here && p->path.n == 0)
		return err_set(e, ERR_NOTFOUND, "no directory of programs is configured");
	if (argv == NULL || !make_env(h->r, a, env, &q.env_count))
		return err_set(e, ERR_LIMIT, "out of memory");
	q.waiting = h->r->means->waiting;
	q.waiting_ctx = h->r->means->waiting_ctx;
	argv[0] = p->path;
	for (size_t i = 0; i < p->arg_count; i++)
		argv[i + 1] = p->args[i];
	if (!here) {
		socket = socket_path(h, p->socket, a);
		if (socket == NULL)
			return err_set(e, ERR_LIMIT, "out of memory");
		rc = program_socket_run(socket, &q, out == NULL ? &none : out, status, e);
		here = rc == -1 && e->code == ERR_NOTFOUND && p->path.n > 0;
	}
	if (here) {
		*e = (struct err)ERR_INIT;
		rc = run_file(h, p->path, &q, out == NULL ? &none : out, status, e);
	}
	buf_clear(&none);
	if (rc == 0 && out != NULL && out->failed)
		rc = err_set(e, ERR_LIMIT, "it wrote more than %zu octets", out->max);
	return rc;
}

int
deliver_program_run(struct deliver_host *h, const struct filter_program *p, struct span input, struct arena *a, struct span *out,
    int *status, struct err *e)
{
	struct buf text = BUF_INIT(OUTPUT_MAX);
	int rc = run(h, p, input, a, &text, status, e);

	if (rc == 0) {
		*out = arena_dup(a, buf_span(&text));
		if (out->p == NULL)
			rc = err_set(e, ERR_LIMIT, "out of memory for its output");
	}
	buf_clear(&text);
	return rc;
}

int
deliver_pipe(struct deliver_host *h, const struct filter_action *action, struct span message, struct err *e)
{
	const struct filter_program p = { .path = action->target, .socket = action->socket, .args = action->args,
		.arg_count = action->arg_count, .timeout = action->timeout };
	struct span name = p.path.n > 0 ? p.path : p.socket;
	int status;

	if (run(h, &p, message, h->a, NULL, &status, e) == -1)
		return err_wrap(e, "piping the message");
	if (status < 0)
		return err_set(e, ERR_TEMP, "%.*s ended by signal %d", SPAN_ARG(name), -status);
	return status == 0 ? 0 : err_set(e, ERR_TEMP, "%.*s ended with exit status %d", SPAN_ARG(name), status);
}
