/* SPDX-License-Identifier: MIT */
/*
 * Any script over any message (a form feed between them), with every extension: it ends within its limits, a failure leaves
 * the message as it came, and what is stored of a changed message is a message.
 */
#include <stdlib.h>
#include "lib-filter/sieve/script.h"
#include "lib-mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
on_setting(void *ctx, const char *name, struct span *out)
{
	static const char *const settings[][2] = { { "sieve_spamtest_status_header", "X-Spam: ([0-9.]+)" },
		{ "sieve_spamtest_max_value", "5" }, { "sieve_pipe_bin_dir", "/p" }, { "sieve_filter_bin_dir", "/f" },
		{ "sieve_execute_bin_dir", "/e" }, { "sieve_editheader_forbid_add", "X-No" } };

	(void)ctx;
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (strcmp(settings[i][0], name) == 0) {
			*out = span_str(settings[i][1]);
			return true;
		}
	return false;
}

static bool
on_list(void *ctx, struct span list)
{
	(void)ctx;
	return list.n % 2 == 0;
}

static bool
on_list_has(void *ctx, struct span list, struct span value)
{
	(void)ctx;
	return span_find(list, value) != SIZE_MAX;
}

static bool
on_members(void *ctx, struct span list, struct arena *a, struct span **out, size_t *count)
{
	(void)ctx;
	*out = arena_alloc(a, 1, sizeof(**out));
	*count = 1;
	if (*out != NULL)
		**out = list;
	return *out != NULL;
}

static int
on_run(void *ctx, const struct filter_program *p, struct span input, struct arena *a, struct span *out, int *status, struct err *e)
{
	(void)ctx;
	(void)a;
	if (p->path.n > 4)
		return err_set(e, ERR_TEMP, "not now");
	*out = p->arg_count > 0 ? p->args[0] : input;
	*status = (int)(p->arg_count % 2);
	return 0;
}

static int64_t
on_now(void *ctx)
{
	(void)ctx;
	return 1700000000;
}

static void
look_at(const struct filter_action *actions, struct span mail, bool failed, const struct sieve_limits *limits)
{
	size_t count = 0, kept = 0;

	for (const struct filter_action *x = actions; x != NULL; x = x->next) {
		count++;
		kept += x->kind == FILTER_SAVE && x->keep;
		if (failed && x->message.p != NULL)
			abort();
		if (x->message.n > mail.n + limits->memory || header_size(x->message) > x->message.n)
			abort();
		if (filter_sends(x->kind) && (x->target.n == 0 || x->text.n == 0))
			abort();
	}
	if (count > limits->actions + 1 || kept > 1 || (failed && count != 1))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size), text = span_sub(in, 0, span_chr(in, '\f')), mail = span_from(in, text.n + 1);
	struct filter_host host = { .setting = on_setting, .list_exists = on_list, .list_has = on_list_has, .list_members = on_members,
		.run = on_run, .now = on_now, .user = SPAN("bob") };
	struct sieve_limits limits = SIEVE_LIMITS_DEFAULT;
	struct sieve_extset all = { { 0 } };
	struct sieve_error error = { .line = 0 };
	struct sieve_script *script;
	struct filter_message m;
	struct filter_action *actions;
	struct arena *a;
	bool failed;

	for (int i = EXT_CORE + 1; i < EXT_COUNT; i++)
		if (i != EXT_TESTSUITE)
			extset_add(&all, (enum sieve_ext)i);
	script = sieve_compile(text, &all, &error);
	if (script == NULL) {
		if (error.text[0] == '\0')
			abort();
		return 0;
	}
	limits.steps = 200000;
	limits.memory = (size_t)16 << 20;
	a = arena_new(limits.memory);
	filter_message_init(&m, mail);
	m.sender = SPAN("ann@example.org");
	m.recipient = SPAN("bob+work@example.com");
	m.notify = SPAN("FAILURE,DELAY");
	m.bydeadline = SPAN("-5;NT");
	failed = sieve_script_run(script, &m, &host, &limits, a, &actions, &error) == -1;
	if (failed && (error.text[0] == '\0' || actions == NULL))
		abort();
	look_at(actions, mail, failed, &limits);
	sieve_script_free(script);
	arena_free(a);
	return 0;
}
