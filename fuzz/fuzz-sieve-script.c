/* SPDX-License-Identifier: MIT */
/*
 * Any script on a message: it is refused with a line that it has, or it runs within its limits; the message is not lost.  Whoever
 * asks for all that is wrong with it is told first what others are told, and so many things at most.
 */
#include <stdlib.h>
#include "lib-filter/sieve/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char mail[] =
    "From: Ann <ann+list@example.org>\nTo: bob@example.com, \"C D\" <c@example.net>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n"
    "X-Number: 17\nReceived: a\nReceived: b\n\nBody.\n";

static bool
on_name(void *ctx, struct span name)
{
	(void)ctx;
	return name.n % 2 == 0;
}

static bool
on_use(void *ctx, struct span mailbox, struct span use)
{
	(void)ctx;
	return mailbox.n > use.n;
}

static bool
on_metadata(void *ctx, struct span mailbox, struct span name, struct arena *a, struct span *out)
{
	(void)ctx;
	(void)a;
	*out = name;
	return mailbox.n < 6;
}

static bool
on_marked(void *ctx, struct span mark, int64_t seconds)
{
	(void)ctx;
	(void)mark;
	return seconds == 7;
}

/* Every script includes others: a, b, c... up to the limits. */
static int
on_script(void *ctx, bool personal, struct span name, struct arena *a, struct span *out, struct err *e)
{
	char *text;

	(void)ctx;
	if (name.n != 1 || name.p[0] >= 'z')
		return err_set(e, ERR_NOTFOUND, "none");
	text = arena_printf(a, "require [\"include\",\"variables\",\"fileinto\"]; global \"x\"; set \"x\" \"${x}%c\"; "
	    "include :global :optional \"%c\"; fileinto \"${x}\"; %s", name.p[0], name.p[0] + 1, personal ? "return;" : "");
	if (text == NULL)
		return err_set(e, ERR_LIMIT, "no room");
	*out = span_str(text);
	return 0;
}

struct told {
	const struct sieve_error *first;
	unsigned count, lines;
};

static bool
has_line(const struct sieve_error *error, unsigned lines)
{
	return error->text[0] != '\0' && (error->line <= lines || span_starts(span_str(error->text), SPAN("in the included")));
}

static void
on_error(void *ctx, const struct sieve_error *error)
{
	struct told *t = ctx;

	if ((t->count++ == 0 && (error->line != t->first->line || strcmp(error->text, t->first->text) != 0)) || !has_line(error, t->lines) ||
	    t->count > SIEVE_MISTAKES_MAX)
		abort();
}

/* first: of a script that is wrong. */
static void
tell_all(struct span text, struct sieve_compile_options options, const struct sieve_error *first, unsigned lines)
{
	struct told told = { first, 0, lines };
	struct sieve_error again;

	options.on_error = on_error;
	options.on_error_ctx = &told;
	if (sieve_compile_with(text, &options, &again) != NULL || told.count == 0 || strcmp(again.text, first->text) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of(data, size), bad;
	struct sieve_limits limits = SIEVE_LIMITS_DEFAULT;
	struct filter_host host = {
		.mailbox_exists = on_name, .mailbox_id_exists = on_name, .special_use_exists = on_use, .metadata = on_metadata,
		.is_marked = on_marked, .script = on_script,
	};
	struct sieve_compile_options options = { .host = &host };
	struct sieve_error error;
	struct sieve_script *script;
	struct filter_message m;
	struct filter_action *actions;
	struct arena *a = arena_new((size_t)64 << 20);
	unsigned lines = 1, kept = 0;
	size_t count = 0;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	sieve_extset_parse(&options.available, SPAN("+vacation-seconds +mboxmetadata +servermetadata"), &bad);
	options.available_global = options.available;
	script = sieve_compile_with(text, &options, &error);
	if (script == NULL) {
		if (!has_line(&error, lines))
			abort();
		tell_all(text, options, &error, lines);
		arena_free(a);
		return 0;
	}
	filter_message_init(&m, span_str(mail));
	m.sender = SPAN("ann@example.org");
	m.recipient = SPAN("bob+work@example.com");
	limits.steps = 100000;
	limits.memory = (size_t)16 << 20;
	if (sieve_script_run(script, &m, &host, &limits, a, &actions, &error) == -1 && (error.text[0] == '\0' || actions == NULL))
		abort();
	for (struct filter_action *x = actions; x != NULL; x = x->next) {
		count++;
		kept += x->kind == FILTER_SAVE && x->keep;
	}
	if (count > limits.actions + 1 || kept > 1)
		abort();
	sieve_script_free(script);
	arena_free(a);
	return 0;
}
