/* SPDX-License-Identifier: MIT */
/*
 * The tree of a binary: its head and digest are made here, so that what is behind them is reached.  What is loaded can be
 * dumped and loaded again to the same octets, and does no more than any script.
 */
#include <stdlib.h>
#include "lib-filter/sieve/binary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char mail[] = "From: Ann <ann@example.org>\nTo: bob@example.com\nSubject: x\n\nBody.\n";
static const char script_a[] = "require \"fileinto\"; fileinto \"x\";";

static int
on_script(void *ctx, bool personal, struct span name, struct arena *a, struct span *out, struct err *e)
{
	(void)ctx;
	(void)personal;
	(void)a;
	if (!span_eq(name, SPAN("a")))
		return err_set(e, ERR_NOTFOUND, "none");
	*out = SPAN("require \"fileinto\"; fileinto \"x\";");
	return 0;
}

static void
run(const struct sieve_script *s, const struct filter_host *host)
{
	struct arena *a = arena_new((size_t)64 << 20);
	struct sieve_limits limits = SIEVE_LIMITS_DEFAULT;
	struct sieve_error error = { 0 };
	struct filter_message m;
	struct filter_action *actions;
	size_t count = 0;

	filter_message_init(&m, span_str(mail));
	m.sender = SPAN("ann@example.org");
	m.recipient = SPAN("bob@example.com");
	limits.steps = 100000;
	if (sieve_script_run(s, &m, host, &limits, a, &actions, &error) == -1 && (error.text[0] == '\0' || actions == NULL))
		abort();
	for (struct filter_action *x = actions; x != NULL; x = x->next)
		count++;
	if (count > limits.actions + 1)
		abort();
	arena_free(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct filter_host host = { .script = on_script };
	struct sieve_compile_options options = { .host = &host };
	struct sieve_stamp stamp = { .size = sizeof(script_a) };
	struct buf bin = BUF_INIT(SIEVE_BINARY_MAX), again = BUF_INIT(SIEVE_BINARY_MAX), third = BUF_INIT(SIEVE_BINARY_MAX);
	unsigned char digest[SIEVE_DIGEST];
	struct sieve_error error = { 0 };
	struct sieve_script *s, *t;
	struct span bad;

	sieve_extset_parse(&options.available, SPAN("+vacation-seconds +mboxmetadata +servermetadata"), &bad);
	options.available_global = options.available;
	s = sieve_compile_with(SPAN(""), &options, &error);
	if (s == NULL || sieve_script_dump(s, &stamp, &bin) == -1)
		abort();
	sieve_script_free(s);
	bin.n -= SIEVE_DIGEST + 8;	/* of an empty script: no commands, no included scripts */
	buf_add(&bin, span_of(data, size));
	sieve_digest(digest, buf_span(&bin));
	buf_add(&bin, span_of(digest, sizeof(digest)));
	s = sieve_script_load(buf_span(&bin), &options, &error);
	if (s == NULL && error.text[0] == '\0')
		abort();
	if (s != NULL) {
		run(s, &host);
		if (s->included == NULL) {
			if (sieve_script_dump(s, &stamp, &again) == -1 || (t = sieve_script_load(buf_span(&again), &options, &error)) == NULL)
				abort();
			if (sieve_script_dump(t, &stamp, &third) == -1 || !span_eq(buf_span(&third), buf_span(&again)))
				abort();
			sieve_script_free(t);
		}
		sieve_script_free(s);
	}
	buf_clear(&bin);
	buf_clear(&again);
	buf_clear(&third);
	return 0;
}
