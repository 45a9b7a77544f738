/* SPDX-License-Identifier: MIT */
#include "lib-deliver/recipient/command.h"

static bool
is_shells(char c, char quote)
{
	if (quote == '\'')
		return false;
	return c == '$' || c == '`' || (quote == '\0' && c != '\0' && strchr(";&|<>()*?[\r\n", c) != NULL);
}

/* One word from *i on, without its quotes. */
static int
word(struct span text, size_t *i, char *room, size_t *n_out, struct err *e)
{
	char quote = '\0';
	size_t n = 0;

	for (; *i < text.n && (quote != '\0' || !ascii_is_wsp(text.p[*i])); ++*i) {
		char c = text.p[*i];

		if (quote != '\0' && c == quote) {
			quote = '\0';
		} else if (quote == '\0' && (c == '"' || c == '\'')) {
			quote = c;
		} else if (c == '\\' && quote != '\'' && *i + 1 < text.n) {
			room[n++] = text.p[++*i];
		} else {
			if (is_shells(c, quote))
				return err_set(e, ERR_SYNTAX, "%c is for a shell, and there is none", c < ' ' ? '?' : c);
			room[n++] = c;
		}
	}
	*n_out = n;
	return quote == '\0' ? 0 : err_set(e, ERR_SYNTAX, "a quote without its end");
}

int
recipient_command_parse(struct span text, struct arena *a, struct span argv[RECIPIENT_ARGUMENTS], size_t *count_out, struct err *e)
{
	char *room = arena_alloc(a, text.n + 1, 1);
	size_t count = 0;

	if (room == NULL)
		return err_set(e, ERR_LIMIT, "out of memory");
	for (size_t i = 0; i < text.n;) {
		size_t n = 0;

		if (ascii_is_wsp(text.p[i])) {
			i++;
			continue;
		}
		if (word(text, &i, room, &n, e) == -1)
			return -1;
		if (count == 0 && span_eq(span_of(room, n), SPAN("exec")))
			continue;
		if (count == RECIPIENT_ARGUMENTS)
			return err_set(e, ERR_LIMIT, "more than %d arguments", RECIPIENT_ARGUMENTS);
		argv[count++] = span_of(room, n);
		room += n;
	}
	if (count == 0 || argv[0].n == 0)
		return err_set(e, ERR_SYNTAX, "no program");
	*count_out = count;
	return 0;
}
