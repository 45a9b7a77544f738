/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/path.h"

static bool
is_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f || strchr("<>()[],;:\\\"@", s.p[i]) != NULL)
			return false;
	return s.n > 0;
}

static bool
is_domain(struct span s)
{
	if (s.n < 2 || s.p[0] != '[' || span_chr(s, ']') != s.n - 1)
		return is_text(s);
	for (size_t i = 1; i + 1 < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] == 0x7f || s.p[i] == '\\')
			return false;
	return true;
}

/* "@a.example", of a source route. */
static bool
is_hop(struct span s)
{
	return span_starts(s, SPAN("@")) && is_domain(span_from(s, 1)) && s.p[1] != '.' && s.p[s.n - 1] != '.' &&
	    span_find(s, SPAN("..")) == SIZE_MAX;
}

/* Octets of the quoted string at the start; 0: it has no end. */
static size_t
quoted_size(struct span s)
{
	size_t i = 1;

	while (i < s.n && s.p[i] != '"')
		i += s.p[i] == '\\' ? 2 : 1;
	return i < s.n ? i + 1 : 0;
}

bool
sieve_path_is_valid(struct span path)
{
	size_t local = path.n > 0 && path.p[0] == '"' ? quoted_size(path) : span_chr(path, '@');

	if (local == 0 || (path.p[0] != '"' && !is_text(span_sub(path, 0, local))))
		return false;
	return local == path.n || (path.p[local] == '@' && is_domain(span_from(path, local + 1)));
}

struct span
sieve_path_bare(struct span path)
{
	struct span in = span_trim(path), route, hop;

	if (in.n < 2 || in.p[0] != '<' || in.p[in.n - 1] != '>')
		return in;
	in = span_sub(in, 1, in.n - 2);
	if (!span_starts(in, SPAN("@")))
		return in;
	route = span_sub(in, 0, span_chr(in, ':'));
	if (route.n == in.n)
		return path;
	in = span_from(in, route.n + 1);
	while (span_next(&route, ',', &hop))
		if (!is_hop(hop))
			return path;
	return in;
}
