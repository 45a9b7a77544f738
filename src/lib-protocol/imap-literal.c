/* SPDX-License-Identifier: MIT */
#include "lib-protocol/imap-literal.h"

enum parse
imap_literal_parse(struct span in, uint64_t max, struct imap_literal *out, size_t *used_out)
{
	struct imap_literal lit = { 0, false };
	size_t i;

	if (in.n == 0)
		return PARSE_MORE;
	if (in.p[0] != '{')
		return PARSE_BAD;
	for (i = 1; i < in.n && ascii_is_digit(in.p[i]); i++) {
		uint64_t digit = (uint64_t)(in.p[i] - '0');

		if (digit > max || lit.size > (max - digit) / 10)
			return PARSE_BAD;
		lit.size = lit.size * 10 + digit;
	}
	if (i < in.n && i == 1)
		return PARSE_BAD;
	if (i < in.n && in.p[i] == '+') {
		lit.nonsync = true;
		i++;
	}
	if (i == in.n)
		return PARSE_MORE;
	if (in.p[i++] != '}')
		return PARSE_BAD;
	if (i < in.n && in.p[i] == '\r')
		i++;
	if (i == in.n)
		return PARSE_MORE;
	if (in.p[i++] != '\n')
		return PARSE_BAD;
	*out = lit;
	*used_out = i;
	return PARSE_DONE;
}

/* Where the last character of line stands: inside of a quoted string? */
static bool
ends_in_quotes(struct span line)
{
	bool quoted = false;

	for (size_t i = 0; i < line.n; i++) {
		if (line.p[i] == '"')
			quoted = !quoted;
		else if (quoted && line.p[i] == '\\')
			i++;
	}
	return quoted;
}

bool
imap_literal_tail(struct span line, struct imap_literal *out)
{
	struct imap_literal lit = { 0, false };
	size_t end = line.n, start;

	if (end < 3 || line.p[--end] != '}')
		return false;
	if (line.p[end - 1] == '+') {
		lit.nonsync = true;
		end--;
	}
	for (start = end; start > 0 && ascii_is_digit(line.p[start - 1]); start--)
		;
	if (start == end || start == 0 || line.p[start - 1] != '{' || ends_in_quotes(line))
		return false;
	for (; start < end; start++) {
		uint64_t digit = (uint64_t)(line.p[start] - '0');

		if (lit.size > (UINT64_MAX - digit) / 10)
			lit.size = UINT64_MAX;
		else
			lit.size = lit.size * 10 + digit;
	}
	*out = lit;
	return true;
}
