/* SPDX-License-Identifier: MIT */
/*
 * sieve-actions [-p] [-s NAME=VALUE] SCRIPT MESSAGE: what a script would do with a message, in words that a test can compare
 * with those of another Sieve; -p: and the message that the last action stores.  Exit status 1: the script is wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib-filter/sieve/chain.h"
#include "lib-storage/mailbox.h"

#define SETTINGS_MAX 40

struct options {
	const char *settings[SETTINGS_MAX];
	size_t count;
};

static bool
on_setting(void *ctx, const char *name, struct span *out)
{
	const struct options *o = ctx;

	for (size_t i = 0; i < o->count; i++) {
		struct span s = span_str(o->settings[i]);
		size_t eq = span_chr(s, '=');

		if (span_eq(span_sub(s, 0, eq), span_str(name))) {
			*out = span_from(s, eq + 1);
			return true;
		}
	}
	return false;
}

static bool
on_mailbox(void *ctx, struct span name)
{
	(void)ctx;
	return span_ieq(name, SPAN("INBOX"));
}

static bool
read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rb");
	char block[65536];
	size_t n;

	if (f == NULL)
		return false;
	while ((n = fread(block, 1, sizeof(block), f)) > 0)
		buf_add(out, span_of(block, n));
	n = (size_t)ferror(f);
	fclose(f);
	return n == 0 && !out->failed;
}

static void
print_save(const struct filter_action *x)
{
	static const char *const names[] = { "\\answered", "\\deleted", "\\draft", "\\flagged", "\\seen" };
	static const unsigned bits[] = { MSG_ANSWERED, MSG_DELETED, MSG_DRAFT, MSG_FLAGGED, MSG_SEEN };

	printf("store %.*s", SPAN_ARG(x->keep ? SPAN("INBOX") : x->target));
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (x->flags.flags & bits[i])
			printf(" %s", names[i]);
	for (size_t i = 0; i < x->flags.keyword_count; i++)
		printf(" %.*s", SPAN_ARG(x->flags.keywords[i]));
	printf("\n");
}

static void
print_action(const struct filter_action *x)
{
	switch (x->kind) {
	case FILTER_SAVE:
		print_save(x);
		return;
	case FILTER_REDIRECT:
		printf("redirect %.*s\n", SPAN_ARG(x->target));
		return;
	case FILTER_REJECT:
		printf("reject %.*s\n", SPAN_ARG(span_trim(x->text)));
		return;
	case FILTER_SEND:
		printf("%s %.*s\n", x->verb == NULL ? "send" : x->verb, SPAN_ARG(x->target));
		return;
	case FILTER_ANSWER:
		printf("vacation\n");
		return;
	case FILTER_PIPE:
		printf("pipe %.*s\n", SPAN_ARG(x->target));
		return;
	case FILTER_FILE:
	case FILTER_MARK:
	case FILTER_DISCARD:
		return;
	}
}

static int
run(const struct options *o, struct span script_text, struct span message, bool print)
{
	struct filter_host host = { .ctx = (void *)(uintptr_t)o, .setting = on_setting, .mailbox_exists = on_mailbox, .user = SPAN("bob"),
		.keep_mailbox = SPAN("INBOX") };
	struct sieve_limits limits = SIEVE_LIMITS_DEFAULT;
	struct arena *a = arena_new((size_t)256 << 20);
	struct sieve_extset all = { { 0 } };
	struct sieve_error error = { .line = 0 };
	struct sieve_script *script;
	struct filter_message m;
	struct filter_action *actions;
	struct span last = message;

	for (int i = EXT_CORE + 1; i < EXT_COUNT; i++)
		extset_add(&all, (enum sieve_ext)i);
	script = sieve_compile(script_text, &all, &error);
	if (script == NULL || a == NULL) {
		fprintf(stderr, "line %u: %s\n", error.line, error.text);
		return 1;
	}
	filter_message_init(&m, message);
	m.sender = SPAN("ann@example.org");
	m.recipient = SPAN("bob@example.com");
	if (sieve_script_run(script, &m, &host, &limits, a, &actions, &error) == -1) {
		fprintf(stderr, "line %u: %s\n", error.line, error.text);
		printf("failed\n");
	}
	for (const struct filter_action *x = actions; x != NULL; x = x->next) {
		/* A sequence (chain.h) drops such a keep. */
		if (x->kind == FILTER_SAVE && sieve_action_known(actions, x, host.keep_mailbox) != NULL)
			continue;
		print_action(x);
		if (x->kind == FILTER_SAVE)
			last = x->message.p != NULL ? x->message : message;
	}
	if (print)
		printf("---\n%.*s", SPAN_ARG(last));
	sieve_script_free(script);
	arena_free(a);
	return 0;
}

int
main(int argc, char **argv)
{
	struct buf script = BUF_INIT(1 << 24), message = BUF_INIT(1 << 28);
	struct options o = { .count = 0 };
	bool print = false;
	int c, rc;

	while ((c = getopt(argc, argv, "ps:")) != -1) {
		if (c == 'p')
			print = true;
		else if (c == 's' && o.count < SETTINGS_MAX)
			o.settings[o.count++] = optarg;
		else
			return 2;
	}
	if (argc - optind != 2 || !read_file(argv[optind], &script) || !read_file(argv[optind + 1], &message)) {
		fprintf(stderr, "usage: sieve-actions [-p] [-s NAME=VALUE] SCRIPT MESSAGE\n");
		return 2;
	}
	rc = run(&o, buf_span(&script), buf_span(&message), print);
	buf_clear(&script);
	buf_clear(&message);
	return rc;
}
