/* SPDX-License-Identifier: MIT */
#include "lda/args.h"

#include <stdio.h>
#include <string.h>

static const char **
place_of(struct lda_args *a, char option)
{
	switch (option) {
	case 'c':
		return &a->config;
	case 'd':
		return &a->user;
	case 'f':
		return &a->sender;
	case 'a':
		return &a->original;
	case 'r':
		return &a->recipient;
	case 'm':
		return &a->mailbox;
	case 'p':
		return &a->path;
	default:
		return NULL;
	}
}

/* Not getopt(3): an MTA may give an empty value, and a sender that begins with "-". */
int
lda_args_parse(int argc, char *const *argv, struct lda_args *out, char *why, size_t room)
{
	struct lda_args a = { .override_count = 0 };

	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i], *value;
		const char **place;

		if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
			a.help = true;
			continue;
		}
		if (strcmp(arg, "-e") == 0) {
			a.tells_rejection = true;
			continue;
		}
		/* The environment is cleared in no case: nothing looks at it. */
		if (strcmp(arg, "-k") == 0)
			continue;
		if (arg[0] != '-' || arg[1] == '\0' || (arg[1] != 'o' && place_of(&a, arg[1]) == NULL)) {
			snprintf(why, room, "unknown argument: %s", arg);
			return -1;
		}
		value = arg[2] != '\0' ? arg + 2 : i + 1 < argc ? argv[++i] : NULL;
		if (value == NULL) {
			snprintf(why, room, "-%c needs a value", arg[1]);
			return -1;
		}
		place = place_of(&a, arg[1]);
		if (place != NULL)
			*place = value;
		else if (a.override_count == LDA_OVERRIDES) {
			snprintf(why, room, "more than %d times -o", LDA_OVERRIDES);
			return -1;
		} else
			a.overrides[a.override_count++] = value;
	}
	*out = a;
	return 0;
}

struct span
lda_from_line(struct span *message)
{
	struct span line, word;
	size_t used = 0;

	if (!span_starts(*message, SPAN("From ")) || !span_line(*message, &used, &line))
		return SPAN("");
	*message = span_from(*message, used);
	line = span_from(line, 5);
	word = span_sub(line, 0, span_chr(line, ' '));
	return span_eq(word, SPAN("MAILER-DAEMON")) || span_eq(word, SPAN("<>")) ? SPAN("") : word;
}
