/* SPDX-License-Identifier: MIT */
/*
 * Any expression on any text (a line end between them; the first octet says whether case counts): what is found is inside, goes
 * on, is found by both ways of searching, and again when the automaton is warm.
 */
#include <stdlib.h>
#include "lib-filter/procmail/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BUDGET ((uint64_t)3000000)

static size_t
count_matches(struct procmail_regex *r, struct span text, bool extract)
{
	uint64_t budget = BUDGET;
	size_t pos = 0, before = SIZE_MAX, count = 0;

	while (pos != before) {
		enum procmail_found found;
		struct span part = SPAN_NONE;

		before = pos;
		found = extract ? procmail_regex_extract(r, text, SIZE_MAX, &pos, &part, &budget) : procmail_regex_next(r, text, &pos, &budget);
		if (budget > BUDGET || pos < before || pos > text.n + 2)
			abort();
		if (found == PROCMAIL_FOUND_TOO_LONG)
			return SIZE_MAX;
		if (found == PROCMAIL_FOUND_NO)
			break;
		if (part.p != NULL && part.n > 0 && (part.p < text.p || part.n > text.n - (size_t)(part.p - text.p)))
			abort();
		count++;
	}
	return count;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size), expression, text;
	const char *why = NULL;
	struct procmail_regex *r;
	size_t first, again, extracts;

	if (size == 0)
		return 0;
	in = span_from(in, 1);
	expression = span_sub(in, 0, span_chr(in, '\n'));
	text = span_from(in, expression.n + 1);
	r = procmail_regex_new(expression, data[0] & 1, &why);
	if (r == NULL) {
		if (why == NULL)
			abort();
		return 0;
	}
	first = count_matches(r, text, false);
	again = count_matches(r, text, false);
	extracts = count_matches(r, text, true);
	if (first != SIZE_MAX && again != first)
		abort();
	if (first != SIZE_MAX && extracts != SIZE_MAX && (first == 0) != (extracts == 0))
		abort();
	if (procmail_regex_octets(r) > ((size_t)64 << 20))
		abort();
	procmail_regex_free(r);
	return 0;
}
