/* SPDX-License-Identifier: MIT */
#include "lib-deliver/outgoing.h"

bool
outgoing_by_parse(struct span by, int64_t *seconds_out, char *mode_out, bool *trace_out)
{
	size_t n = span_chr(by, ';');
	struct span mode = span_from(by, n + 1), number = span_sub(by, 0, n);
	bool negative = number.n > 0 && number.p[0] == '-';
	uint64_t seconds;

	if (n == by.n || mode.n == 0 || mode.n > 2 || !span_u64(span_from(number, negative), OUTGOING_BY_MAX, &seconds))
		return false;
	*mode_out = ascii_upper(mode.p[0]);
	*trace_out = mode.n == 2;
	*seconds_out = negative ? -(int64_t)seconds : (int64_t)seconds;
	return (*mode_out == 'R' || *mode_out == 'N') && (mode.n == 1 || ascii_upper(mode.p[1]) == 'T');
}

/* Letters and commas. */
static bool
is_notify(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alpha(s.p[i]) && s.p[i] != ',')
			return false;
	return s.n <= 30;
}

/* One that ends no parameter and no line. */
static bool
is_parameter(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '=')
			return false;
	return s.n <= 500;
}

bool
outgoing_dsn_is_valid(const struct outgoing_dsn *d)
{
	int64_t seconds;
	bool trace;
	char mode;

	return is_notify(d->notify) && is_parameter(d->orcpt) && is_parameter(d->envid) &&
	    (d->ret.n == 0 || span_ieq(d->ret, SPAN("FULL")) || span_ieq(d->ret, SPAN("HDRS"))) &&
	    (d->by.n == 0 || outgoing_by_parse(d->by, &seconds, &mode, &trace));
}
