/* SPDX-License-Identifier: MIT */
/* From the text of a value to its number, and from a wrong name to the right one. */
#include "lib-config/table.h"

struct span
enum_word(const char *words, unsigned idx)
{
	struct span rest = span_str(words), word = SPAN_NONE;

	do {
		if (!span_next(&rest, ':', &word))
			return SPAN_NONE;
	} while (idx-- > 0);
	return word;
}

struct span
value_default(const struct setting_def *def)
{
	return def->type == TYPE_ENUM ? enum_word(def->def, 0) : span_str(def->def);
}

static bool
is_any_of(struct span text, const char *words)
{
	struct span rest = span_str(words), word;

	while (span_next(&rest, ' ', &word)) {
		if (span_ieq(word, text))
			return true;
	}
	return false;
}

/* The digits at the start, and what follows them without white space around it. */
static bool
split_unit(struct span text, uint64_t *num_out, struct span *unit_out)
{
	size_t digits = 0;

	while (digits < text.n && ascii_is_digit(text.p[digits]))
		digits++;
	*unit_out = span_trim(span_from(text, digits));
	return span_u64(span_sub(text, 0, digits), UINT64_MAX, num_out);
}

static int
parse_size(struct span text, uint64_t *num_out, struct err *e)
{
	static const char letters[] = "bkmgt";
	struct span unit;
	uint64_t num;
	unsigned power = 0;

	if (is_any_of(text, "unlimited infinite")) {
		*num_out = UINT64_MAX;
		return 0;
	}
	if (!split_unit(text, &num, &unit))
		goto bad;
	if (unit.n > 0) {
		const char *at = memchr(letters, ascii_lower(unit.p[0]), sizeof(letters) - 1);
		struct span tail = span_from(unit, 1);

		if (at == NULL)
			goto bad;
		power = (unsigned)(at - letters);
		if (tail.n > 0 && (power == 0 || !is_any_of(tail, "b ib")))
			goto bad;
	}
	if (num > UINT64_MAX >> (10 * power))
		return err_set(e, ERR_SYNTAX, "'%.*s' is too large", SPAN_ARG(text));
	*num_out = num << (10 * power);
	return 0;
bad:
	return err_set(e, ERR_SYNTAX, "'%.*s' is not a size: a number and B, k, M, G or T", SPAN_ARG(text));
}

static int
parse_time(struct span text, uint64_t *num_out, struct err *e)
{
	/* A unit may be cut short: "m" is minutes; "ms" only fits milliseconds. */
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {
		{ "seconds", 1000 }, { "secs", 1000 }, { "minutes", 60000 }, { "mins", 60000 },
		{ "hours", 3600000 }, { "days", 86400000 }, { "weeks", 604800000 },
		{ "msecs", 1 }, { "mseconds", 1 }, { "milliseconds", 1 }, { "millisecs", 1 },
	};
	struct span unit;
	uint64_t num;

	if (is_any_of(text, "infinite unlimited")) {
		*num_out = UINT64_MAX;
		return 0;
	}
	if (!split_unit(text, &num, &unit))
		return err_set(e, ERR_SYNTAX, "'%.*s' is not a time: a number and s, min, h, d, w or ms",
		    SPAN_ARG(text));
	if (unit.n == 0 && num != 0)
		return err_set(e, ERR_SYNTAX, "'%.*s' has no unit: add s, min, h, d or w", SPAN_ARG(text));
	if (unit.n == 0) {
		*num_out = 0;
		return 0;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!span_istarts(span_str(units[i].unit), unit))
			continue;
		/* 2^53 milliseconds are 285,000 years: far from where sums could wrap. */
		if (num > (UINT64_C(1) << 53) / units[i].ms)
			return err_set(e, ERR_SYNTAX, "'%.*s' is too long", SPAN_ARG(text));
		*num_out = num * units[i].ms;
		return 0;
	}
	return err_set(e, ERR_SYNTAX, "'%.*s' is not a unit of time: s, min, h, d, w or ms", SPAN_ARG(unit));
}

static int
parse_mode(struct span text, uint64_t *num_out, struct err *e)
{
	uint64_t mode = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '7' || mode > 07777)
			text.n = 0;
		else
			mode = mode * 8 + (uint64_t)(text.p[i] - '0');
	}
	if (text.n == 0 || mode > 07777)
		return err_set(e, ERR_SYNTAX, "permissions are an octal number such as 0600");
	*num_out = mode;
	return 0;
}

static int
parse_enum(const char *words, struct span text, uint64_t *num_out, struct err *e)
{
	struct span rest = span_str(words), word;

	for (uint64_t idx = 0; span_next(&rest, ':', &word); idx++) {
		if (span_eq(word, text)) {
			*num_out = idx;
			return 0;
		}
	}
	return err_set(e, ERR_SYNTAX, "'%.*s' is not one of %s", SPAN_ARG(text), words);
}

int
value_parse(const struct setting_def *def, struct span text, uint64_t *num_out, struct err *e)
{
	*num_out = 0;
	switch (def->type) {
	case TYPE_BOOL:
		if (is_any_of(text, "yes y 1"))
			*num_out = 1;
		else if (!is_any_of(text, "no n 0"))
			return err_set(e, ERR_SYNTAX, "'%.*s' is neither yes nor no", SPAN_ARG(text));
		return 0;
	case TYPE_NUM:
		if (is_any_of(text, "unlimited"))
			*num_out = UINT64_MAX;
		else if (!span_u64(text, UINT64_MAX, num_out))
			return err_set(e, ERR_SYNTAX, "'%.*s' is not a number", SPAN_ARG(text));
		return 0;
	case TYPE_SIZE:
		return parse_size(text, num_out, e);
	case TYPE_TIME:
		return parse_time(text, num_out, e);
	case TYPE_MODE:
		return parse_mode(text, num_out, e);
	case TYPE_ENUM:
		return parse_enum(def->def, text, num_out, e);
	case TYPE_STR:
	case TYPE_VARS:
	case TYPE_FILE:
	case TYPE_LIST:
		break;
	}
	return 0;
}

#define EDIT_MAX 64	/* longer names are compared in their first 64 octets */

unsigned
edit_distance(struct span a, struct span b, unsigned max)
{
	unsigned rows[3][EDIT_MAX + 1];

	a = span_sub(a, 0, EDIT_MAX);
	b = span_sub(b, 0, EDIT_MAX);
	for (unsigned j = 0; j <= b.n; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= a.n; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

		row[0] = i;
		for (unsigned j = 1; j <= b.n; j++) {
			unsigned d = above[j - 1] + (a.p[i - 1] != b.p[j - 1]);

			if (above[j] + 1 < d)
				d = above[j] + 1;
			if (row[j - 1] + 1 < d)
				d = row[j - 1] + 1;
			if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1] &&
			    above2[j - 2] + 1 < d)
				d = above2[j - 2] + 1;
			row[j] = d;
		}
	}
	return rows[a.n % 3][b.n] > max ? max + 1 : rows[a.n % 3][b.n];
}

void
nearest_init(struct nearest *n, struct span name)
{
	n->name = name;
	n->best = NULL;
	/* More than a third of it wrong is not a slip of the finger. */
	n->distance = (unsigned)(name.n < EDIT_MAX ? name.n : EDIT_MAX) / 3 + 1;
}

void
nearest_try(struct nearest *n, const char *candidate)
{
	unsigned d = edit_distance(n->name, span_str(candidate), n->distance);

	if (d < n->distance || (n->best == NULL && d == n->distance)) {
		n->distance = d;
		n->best = candidate;
	}
}
