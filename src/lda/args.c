/* SPDX-License-Identifier: MIT */
#include "lda/args.h"

#include <stdio.h>
#include <string.h>
#include "lib-deliver/smtp-path.h"

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

/* A letter that takes no value.  The environment is cleared in no case: nothing looks at -k. */
static bool
take_flag(struct lda_args *a, char option)
{
	if (option == 'e')
		a->tells_rejection = true;
	else if (option == 'h')
		a->help = true;
	return option == 'e' || option == 'h' || option == 'k';
}

static int
take_value(struct lda_args *a, char option, const char *value, char *why, size_t room)
{
	const char **place = place_of(a, option);

	if (value == NULL) {
		snprintf(why, room, "-%c needs a value", option);
		return -1;
	}
	if (place != NULL)
		*place = value;
	else if (a->override_count == LDA_OVERRIDES) {
		snprintf(why, room, "more than %d times -o", LDA_OVERRIDES);
		return -1;
	} else
		a->overrides[a->override_count++] = value;
	return 0;
}

/* Not getopt(3): an MTA may give an empty value, and a sender that begins with "-".  Letters may stand together: -ek, -em Work. */
int
lda_args_parse(int argc, char *const *argv, struct lda_args *out, char *why, size_t room)
{
	struct lda_args a = { .override_count = 0 };

	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];
		size_t at = 1;

		if (strcmp(arg, "--help") == 0) {
			a.help = true;
			continue;
		}
		if (strcmp(arg, "--") == 0 && i + 1 == argc)
			break;
		while (arg[0] == '-' && arg[at] != '\0' && take_flag(&a, arg[at]))
			at++;
		if (arg[0] == '-' && at > 1 && arg[at] == '\0')
			continue;
		if (arg[0] != '-' || arg[at] == '\0' || (arg[at] != 'o' && place_of(&a, arg[at]) == NULL)) {
			snprintf(why, room, "unknown argument: %s", arg);
			return -1;
		}
		if (take_value(&a, arg[at], arg[at + 1] != '\0' ? arg + at + 1 : i + 1 < argc ? argv[++i] : NULL, why, room) == -1)
			return -1;
	}
	*out = a;
	return 0;
}

static struct span
without_brackets(struct span text)
{
	return text.n >= 2 && text.p[0] == '<' && text.p[text.n - 1] == '>' ? span_sub(text, 1, text.n - 2) : text;
}

bool
lda_address(struct span text, struct arena *a, struct span *out, const char **why_out)
{
	struct smtp_path path;

	text = without_brackets(text);
	if (smtp_address_parse(text, a, &path, why_out) == -1)
		return false;
	*out = text;
	return true;
}

bool
lda_sender(struct span text, struct arena *a, struct span *out, const char **why_out)
{
	struct span address = without_brackets(text);

	*out = SPAN_NONE;
	if (text.n > 0 && text.p[0] == '<' && span_chr(text, '>') == text.n)
		*why_out = "Missing '>' at the end of the path";
	else if (text.n > 0 && text.p[0] == ' ')
		*why_out = "Invalid character in address";
	else {
		for (size_t i = 0; i < text.n; i++)
			if ((unsigned char)text.p[i] < ' ' || text.p[i] == 127) {
				*why_out = "Invalid character in address";
				return false;
			}
		if (address.n == 0 || span_ieq(address, SPAN("MAILER-DAEMON")))
			*out = SPAN("");
		else if (!lda_address(address, a, out, why_out))
			*out = SPAN_NONE;
		return true;
	}
	return false;
}

struct span
lda_from_line(struct span *message)
{
	struct span line;
	size_t used = 0;

	if (!span_starts(*message, SPAN("From ")) || !span_line(*message, &used, &line))
		return SPAN_NONE;
	*message = span_from(*message, used);
	line = span_from(line, 5);
	return span_sub(line, 0, span_chr(line, ' '));
}
