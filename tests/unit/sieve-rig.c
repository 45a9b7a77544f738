/* SPDX-License-Identifier: MIT */
#include "sieve-rig.h"

#include <stdio.h>

#include "testing.h"

static bool
on_setting(void *ctx, const char *name, struct span *out)
{
	const struct sieve_rig *rig = ctx;

	for (size_t i = 0; rig->settings != NULL && rig->settings[i][0] != NULL; i++)
		if (strcmp(rig->settings[i][0], name) == 0) {
			*out = span_str(rig->settings[i][1]);
			return true;
		}
	return false;
}

static int64_t
on_now(void *ctx)
{
	(void)ctx;
	return RIG_NOW;
}

static void
add_line(struct sieve_rig *rig, struct span *to, struct span line)
{
	*to = span_str(arena_printf(rig->a, "%.*s%s%.*s", SPAN_ARG(*to), to->n > 0 ? "\n" : "", SPAN_ARG(line)));
}

static void
on_log(void *ctx, struct span text)
{
	struct sieve_rig *rig = ctx;

	add_line(rig, &rig->logged, text);
}

static bool
find_list(const struct sieve_rig *rig, struct span name, struct span *values)
{
	struct span rest = span_str(rig->lists), one;

	while (span_next(&rest, ';', &one))
		if (span_eq(span_sub(one, 0, span_chr(one, '=')), name)) {
			*values = span_from(one, span_chr(one, '=') + 1);
			return true;
		}
	return false;
}

static bool
on_list_exists(void *ctx, struct span list)
{
	struct span values;

	return find_list(ctx, list, &values);
}

static bool
on_list_has(void *ctx, struct span list, struct span value)
{
	struct span values = SPAN_NONE, one;

	find_list(ctx, list, &values);
	while (span_next(&values, ',', &one))
		if (span_ieq(one, value))
			return true;
	return false;
}

static bool
on_list_members(void *ctx, struct span list, struct arena *a, struct span **out, size_t *count)
{
	struct span values, one;

	if (!find_list(ctx, list, &values))
		return false;
	*out = arena_alloc(a, values.n + 1, sizeof(**out));
	*count = 0;
	while (*out != NULL && span_next(&values, ',', &one))
		(*out)[(*count)++] = one;
	return *out != NULL;
}

static int
on_run(void *ctx, const struct filter_program *p, struct span input, struct arena *a, struct span *out, int *status, struct err *e)
{
	struct sieve_rig *rig = ctx;
	struct span line = span_str(arena_printf(rig->a, "%.*s%s%.*s", SPAN_ARG(p->socket), p->socket.n > 0 ? "," : "", SPAN_ARG(p->path)));

	for (size_t i = 0; i < p->arg_count; i++)
		line = span_str(arena_printf(rig->a, "%.*s %.*s", SPAN_ARG(line), SPAN_ARG(p->args[i])));
	rig->ran = span_str(arena_printf(rig->a, "%.*s < %.*s", SPAN_ARG(line), SPAN_ARG(input)));
	rig->timeout = p->timeout;
	if (rig->program_status < 0)
		return err_set(e, rig->program_status == -2 ? ERR_TIMEOUT : ERR_NOTFOUND, "it is not there");
	*out = arena_dup(a, rig->program_output == NULL ? input : span_str(rig->program_output));
	*status = rig->program_status;
	return 0;
}

void
rig_init(struct sieve_rig *rig, const char *mail)
{
	*rig = (struct sieve_rig){ .mail = mail, .limits = SIEVE_LIMITS_DEFAULT, .a = arena_new((size_t)128 << 20) };
	assert_non_null(rig->a);
	rig->envelope.sender = SPAN("ann+list@example.org");
	rig->envelope.recipient = SPAN("bob+work@example.com");
}

void
rig_clear(struct sieve_rig *rig)
{
	arena_free(rig->a);
}

void
rig_put_actions(struct buf *out, const struct filter_action *actions)
{
	static const char *const names[] = { "save", "file", "redirect", "reject", "send", "send", "pipe", "mark" };
	size_t told = 0;

	for (const struct filter_action *x = actions; x != NULL; x = x->next) {
		if (x->kind == FILTER_DISCARD)
			continue;
		if (told++ > 0)
			buf_adds(out, "; ");
		buf_adds(out, x->keep ? "keep" : names[x->kind]);
		if (!x->keep)
			buf_addf(out, " %.*s", SPAN_ARG(x->kind == FILTER_REJECT ? x->text : x->target));
		for (size_t i = 0; i < x->arg_count; i++)
			buf_addf(out, " %.*s", SPAN_ARG(x->args[i]));
		if (x->create)
			buf_adds(out, " create");
		for (unsigned bit = 0; bit < 6; bit++)
			if (x->flags.flags >> bit & 1)
				buf_addf(out, " flag%u", 1u << bit);
		for (size_t i = 0; i < x->flags.keyword_count; i++)
			buf_addf(out, " %.*s", SPAN_ARG(x->flags.keywords[i]));
	}
	if (told == 0)
		buf_adds(out, "nothing");
}

struct span
rig_run(struct sieve_rig *rig, const char *text)
{
	struct filter_host host = {
		.ctx = rig, .setting = on_setting, .now = on_now, .log = on_log, .list_exists = on_list_exists,
		.list_has = on_list_has, .list_members = on_list_members, .run = rig->no_programs ? NULL : on_run,
		.user = SPAN("bob"),
	};
	struct buf out = BUF_INIT(1 << 20);
	struct sieve_script *script;
	struct sieve_extset all = { { 0 } };
	struct filter_message m = rig->envelope, parts;
	struct span result;

	for (int i = EXT_CORE + 1; i < EXT_COUNT; i++)
		extset_add(&all, (enum sieve_ext)i);
	filter_message_init(&parts, rig->mail_size > 0 ? span_of(rig->mail, rig->mail_size) : span_str(rig->mail));
	m.text = parts.text;
	m.header = parts.header;
	m.body = parts.body;
	rig->actions = NULL;
	rig->logged = rig->ran = SPAN_NONE;
	script = sieve_compile(span_str(text), &all, &rig->error);
	if (script == NULL) {
		buf_addf(&out, "line %u: %s", rig->error.line, rig->error.text);
	} else if (sieve_script_run(script, &m, &host, &rig->limits, rig->a, &rig->actions, &rig->error) == -1) {
		buf_addf(&out, "failed at line %u: %s: ", rig->error.line, rig->error.text);
		rig_put_actions(&out, rig->actions);
	} else {
		rig_put_actions(&out, rig->actions);
	}
	sieve_script_free(script);
	result = arena_dup(rig->a, buf_span(&out));
	buf_clear(&out);
	return result;
}

const struct filter_action *
rig_action(const struct sieve_rig *rig, size_t idx)
{
	const struct filter_action *x = rig->actions;

	while (x != NULL && idx-- > 0)
		x = x->next;
	assert_non_null(x);
	return x;
}

struct span
rig_message(const struct sieve_rig *rig, size_t idx)
{
	const struct filter_action *x = rig_action(rig, idx);

	if (filter_sends(x->kind))
		return x->text;
	return x->message.p != NULL ? x->message : span_str(rig->mail);
}

size_t
rig_cases(struct sieve_rig *rig, const struct rig_case *cases, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++) {
		struct span got = rig_run(rig, cases[i].script);

		if (!span_eq(got, span_str(cases[i].want))) {
			print_error("%s\n  have: %.*s\n  want: %s\n", cases[i].script, SPAN_ARG(got), cases[i].want);
			bad++;
		}
	}
	return bad;
}
