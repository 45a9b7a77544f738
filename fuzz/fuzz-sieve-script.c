/* SPDX-License-Identifier: MIT */
/* Any script on a message: it is refused with a line that it has, or it runs within its limits; the message is not lost. */
#include <stdlib.h>
#include "lib-filter/sieve/script.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char mail[] =
    "From: Ann <ann+list@example.org>\nTo: bob@example.com, \"C D\" <c@example.net>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n"
    "X-Number: 17\nReceived: a\nReceived: b\n\nBody.\n";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of(data, size), bad;
	struct sieve_limits limits = SIEVE_LIMITS_DEFAULT;
	struct filter_host host = { .user = SPAN_NONE };
	struct sieve_extset all;
	struct sieve_error error;
	struct sieve_script *script;
	struct filter_message m;
	struct filter_action *actions;
	struct arena *a = arena_new((size_t)64 << 20);
	unsigned lines = 1, kept = 0;
	size_t count = 0;

	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	sieve_extset_parse(&all, SPAN(""), &bad);
	script = sieve_compile(text, &all, &error);
	if (script == NULL) {
		if (error.text[0] == '\0' || error.line > lines)
			abort();
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
