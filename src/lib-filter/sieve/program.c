/* SPDX-License-Identifier: MIT */
/*
 * vnd.dovecot.pipe, vnd.dovecot.filter, vnd.dovecot.execute: programs that get the message.  A script names one of those that
 * the administrator has put in a directory (sieve_pipe_bin_dir, sieve_filter_bin_dir, sieve_execute_bin_dir), or that has a
 * socket in one (sieve_pipe_socket_dir ...), never a path.
 */
#include <stdio.h>

#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/run.h"
#include "lib-filter/sieve/setting.h"

#define NAME_MAX_OCTETS 128
#define TIMEOUT_DEFAULT "10s"
#define ARGS_MAX 16
#define ARG_OCTETS_MAX 1024

static bool
is_program(struct span s)
{
	if (s.n == 0 || s.n > NAME_MAX_OCTETS || s.p[0] == '.')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '/')
			return false;
	/* Nor the control characters and line ends of Unicode: U+0080 to U+009F, U+2028, U+2029. */
	for (size_t i = 0; i + 1 < s.n; i++)
		if ((s.p[i] == '\xc2' && (unsigned char)s.p[i + 1] < 0xa0) || span_starts(span_from(s, i), SPAN("\xe2\x80\xa8")) ||
		    span_starts(span_from(s, i), SPAN("\xe2\x80\xa9")))
			return false;
	return true;
}

static bool
is_argument(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' || s.p[i] == '\r' || s.p[i] == '\n')
			return false;
	return s.n <= ARG_OCTETS_MAX;
}

static int
check_program(struct sieve_checker *c, struct sieve_node *n)
{
	const struct sieve_tagged *output = sieve_tag_get(n, TAG_OUTPUT);
	struct span name = n->pos[0]->strings[0];

	if (sieve_is_constant(c, name) && !is_program(name))
		return sieve_fail(c, n, "\"%.*s\" is no name of a program", SPAN_ARG(span_sub(name, 0, 60)));
	if (n->pos[1] != NULL && n->pos[1]->count > ARGS_MAX)
		return sieve_fail(c, n, "a program takes %d arguments at most", ARGS_MAX);
	for (size_t i = 0; n->pos[1] != NULL && i < n->pos[1]->count; i++)
		if (sieve_is_constant(c, n->pos[1]->strings[i]) && !is_argument(n->pos[1]->strings[i]))
			return sieve_fail(c, n, "argument %zu of the program has a line end, or is too long", i + 1);
	if (output == NULL)
		return 0;
	if (!extset_has(&c->required, EXT_VARIABLES))
		return sieve_fail(c, n, ":output needs require \"variables\"");
	return sieve_check_variable(c, n, output->value->strings[0]);
}

struct program {
	struct filter_program p;
	struct span args[ARGS_MAX];
};

static struct span
setting_of(const struct sieve_run *r, const struct sieve_node *n, const char *what)
{
	char name[64];

	snprintf(name, sizeof(name), "sieve_%.*s_%s", SPAN_ARG(span_sub(n->name, 0, 20)), what);
	for (char *p = name; *p != '\0'; p++)
		*p = ascii_lower(*p);
	return span_trim(sieve_setting_text(r->host, name));
}

/* The name in the directory that a setting has; 0: none is set. */
static int
place_in(struct sieve_run *r, const struct sieve_node *n, const char *setting, struct span name, struct span *out)
{
	struct span dir = setting_of(r, n, setting);
	char *path;

	if (dir.n == 0)
		return 0;
	while (dir.n > 1 && dir.p[dir.n - 1] == '/')
		dir.n--;
	path = arena_printf(r->a, "%.*s/%.*s", SPAN_ARG(dir), SPAN_ARG(name));
	if (path == NULL)
		return sieve_run_fail(r, n, "the script needs too much memory");
	*out = span_str(path);
	return 0;
}

static int
program_of(struct sieve_run *r, const struct sieve_node *n, struct program *x)
{
	struct filter_program *p = &x->p;
	struct span name;
	uint64_t timeout;

	if (!sieve_parse_time(setting_of(r, n, "exec_timeout"), &timeout) || timeout == 0)
		sieve_parse_time(SPAN(TIMEOUT_DEFAULT), &timeout);
	*p = (struct filter_program){ .args = x->args, .timeout = timeout > UINT32_MAX ? UINT32_MAX : (unsigned)timeout };
	if (sieve_run_string(r, n, n->pos[0]->strings[0], &name) == -1)
		return -1;
	if (!is_program(name))
		return sieve_run_fail(r, n, "\"%.*s\" is no name of a program", SPAN_ARG(span_sub(name, 0, 60)));
	if (place_in(r, n, "socket_dir", name, &p->socket) == -1 || place_in(r, n, "bin_dir", name, &p->path) == -1)
		return -1;
	if (p->path.n > 0 && p->path.p[0] != '/')
		p->path = SPAN("");
	for (size_t i = 0; n->pos[1] != NULL && i < n->pos[1]->count; i++) {
		if (sieve_run_string(r, n, n->pos[1]->strings[i], &x->args[i]) == -1)
			return -1;
		if (!is_argument(x->args[i]))
			return sieve_run_fail(r, n, "argument %zu of the program has a line end, or is too long", i + 1);
		p->arg_count++;
	}
	return 0;
}

/* Text with the line ends that the setting asks for: CRLF, if it does not say "lf". */
static int
with_line_ends(struct sieve_run *r, const struct sieve_node *n, struct span text, struct span *out)
{
	struct span eol = span_ieq(setting_of(r, n, "input_eol"), SPAN("lf")) ? SPAN("\n") : SPAN("\r\n"), rest;
	struct buf b;
	size_t lines = 0;
	int rc;

	if (sieve_run_work(r, n, 1 + text.n / 1024) == -1)
		return -1;
	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	buf_init(&b, text.n + lines + 1);
	for (rest = text; rest.n > 0;) {
		size_t lf = span_chr(rest, '\n'), end = lf;

		if (lf < rest.n && lf > 0 && rest.p[lf - 1] == '\r')
			end--;
		buf_add(&b, span_sub(rest, 0, end));
		if (lf < rest.n)
			buf_add(&b, eol);
		rest = span_from(rest, lf + 1);
	}
	rc = b.failed ? sieve_run_fail(r, n, "the input of the program is too large") : sieve_run_dup(r, n, buf_span(&b), out);
	buf_clear(&b);
	return rc;
}

static int
input_of(struct sieve_run *r, const struct sieve_node *n, struct span *out)
{
	struct span text;

	return sieve_message_text(r, n, &text) == -1 ? -1 : with_line_ends(r, n, text, out);
}

static int
run_pipe(struct sieve_run *r, const struct sieve_node *n)
{
	struct filter_action *action;
	struct program p;
	struct span input;

	if (program_of(r, n, &p) == -1 || input_of(r, n, &input) == -1)
		return -1;
	action = sieve_run_action(r, n, FILTER_PIPE);
	if (action == NULL)
		return -1;
	action->target = p.p.path;
	action->socket = p.p.socket;
	action->message = input;
	action->args = arena_alloc(r->a, p.p.arg_count + 1, sizeof(*action->args));
	if (action->args == NULL)
		return sieve_run_fail(r, n, "the script needs too much memory");
	memcpy(action->args, p.args, p.p.arg_count * sizeof(*p.args));
	action->arg_count = p.p.arg_count;
	action->timeout = p.p.timeout;
	/* :try is for a program that may fail: then the message must not be kept a second time. */
	action->or_keep = sieve_tag_get(n, TAG_TRY) == NULL || sieve_tag_get(n, TAG_COPY) == NULL;
	if (sieve_tag_get(n, TAG_COPY) == NULL)
		r->keep = false;
	return 0;
}

/*
 * 1: the program ended well; 0: it did not, which is logged.  -1: as a command it is not there, or took too long: what the
 * script wanted of it is not done, and the message is kept.  A test tells the script, which decides.
 */
static int
run_program(struct sieve_run *r, const struct sieve_node *n, bool is_test, struct span input, struct span *out)
{
	struct program p;
	struct err e = { .code = ERR_NONE };
	struct span path;
	int status = -1;
	char *why;

	if (program_of(r, n, &p) == -1 || sieve_run_work(r, n, 1000 + input.n / 256) == -1)
		return -1;
	if (p.p.path.n == 0 && p.p.socket.n == 0)
		return sieve_run_fail(r, n, "no directory of programs is configured");
	if (r->host->run == NULL)
		return sieve_run_fail(r, n, "no programs are run here");
	*out = SPAN("");
	if (r->host->run(r->host->ctx, &p.p, input, r->a, out, &status, &e) == 0 && status == 0)
		return 1;
	if (!is_test && (e.code == ERR_TIMEOUT || e.code == ERR_TEMP || e.code == ERR_NOTFOUND || e.code == ERR_DENIED))
		return sieve_run_fail(r, n, "%s", e.log);
	path = p.p.path.n > 0 ? p.p.path : p.p.socket;
	why = e.code != ERR_NONE ? arena_printf(r->a, "%.*s: %s", SPAN_ARG(path), e.log) :
	    arena_printf(r->a, "%.*s: exit status %d", SPAN_ARG(path), status);
	if (why != NULL && r->host->log != NULL)
		r->host->log(r->host->ctx, span_str(why));
	return 0;
}

static int
do_filter(struct sieve_run *r, const struct sieve_node *n, bool is_test)
{
	struct span input, output;
	int rc;

	if (input_of(r, n, &input) == -1 || (rc = run_program(r, n, is_test, input, &output)) == -1)
		return -1;
	/* A program that writes nothing has not made a message of it. */
	if (rc == 0 || span_trim(output).n == 0)
		return 0;
	return sieve_message_set_text(r, n, output) == -1 ? -1 : 1;
}

static int
run_filter(struct sieve_run *r, const struct sieve_node *n)
{
	return do_filter(r, n, false) == -1 ? -1 : 0;
}

static int
test_filter(struct sieve_run *r, const struct sieve_node *n)
{
	return do_filter(r, n, true);
}

static int
do_execute(struct sieve_run *r, const struct sieve_node *n, bool is_test)
{
	const struct sieve_tagged *input = sieve_tag_get(n, TAG_INPUT), *output = sieve_tag_get(n, TAG_OUTPUT);
	struct span in = SPAN(""), out;
	int rc;

	if (input != NULL ? sieve_run_string(r, n, input->value->strings[0], &in) == -1 || with_line_ends(r, n, in, &in) == -1 :
	    sieve_tag_get(n, TAG_PIPE) != NULL && input_of(r, n, &in) == -1)
		return -1;
	rc = run_program(r, n, is_test, in, &out);
	if (rc == 1 && output != NULL && sieve_variable_set(r, n, output->value->strings[0], out) == -1)
		return -1;
	return rc;
}

static int
run_execute(struct sieve_run *r, const struct sieve_node *n)
{
	return do_execute(r, n, false) == -1 ? -1 : 0;
}

static int
test_execute(struct sieve_run *r, const struct sieve_node *n)
{
	return do_execute(r, n, true);
}

static const struct sieve_tag_use pipe_tags[] = { { TAG_COPY, EXT_COPY }, { TAG_TRY, EXT_VND_PIPE }, { TAG_NONE, EXT_CORE } };
static const struct sieve_tag_use execute_tags[] = {
	{ TAG_INPUT, EXT_VND_EXECUTE }, { TAG_PIPE, EXT_VND_EXECUTE }, { TAG_OUTPUT, EXT_VND_EXECUTE }, { TAG_NONE, EXT_CORE }
};

const struct sieve_word sieve_words_program[] = {
	{ .name = "pipe", .ext = EXT_VND_PIPE, .args = "S?L", .tags = pipe_tags, .check = check_program, .run = run_pipe },
	{ .name = "filter", .ext = EXT_VND_FILTER, .args = "S?L", .check = check_program, .run = run_filter },
	{ .name = "filter", .is_test = true, .ext = EXT_VND_FILTER, .args = "S?L", .check = check_program, .run = test_filter },
	{ .name = "execute", .ext = EXT_VND_EXECUTE, .args = "S?L", .tags = execute_tags, .check = check_program, .run = run_execute },
	{ .name = "execute", .is_test = true, .ext = EXT_VND_EXECUTE, .args = "S?L", .tags = execute_tags, .check = check_program,
	    .run = test_execute },
	{ .name = NULL },
};
