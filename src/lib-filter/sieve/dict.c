/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/dict.h"

#include "lib/sys.h"

/* Whether key is prefix and name, of which each backslash is written twice. */
static bool
is_key(struct span key, struct span prefix, struct span name)
{
	size_t at = 0;

	if (!span_starts(key, prefix))
		return false;
	key = span_from(key, prefix.n);
	for (size_t i = 0; i < name.n; i++, at++) {
		if (name.p[i] == '\\' && (at >= key.n || key.p[at++] != '\\'))
			return false;
		if (at >= key.n || key.p[at] != name.p[i])
			return false;
	}
	return at == key.n;
}

static bool
find(struct span dict, struct span prefix, struct span name, struct span *out)
{
	struct span key, value;
	bool found = false;

	while (span_next(&dict, '\n', &key) && span_next(&dict, '\n', &value))
		if (is_key(key, prefix, name)) {
			*out = value;
			found = true;
		}
	return found;
}

bool
sieve_dict_get(struct span dict, struct span name, struct span *out)
{
	struct span id;

	return find(dict, SPAN("priv/sieve/name/"), name, &id) && find(dict, SPAN("priv/sieve/data/"), id, out);
}

struct span
sieve_dict_text(struct arena *a, struct span value)
{
	char *p = arena_alloc(a, value.n + 1, 1);
	size_t n = 0;

	if (p == NULL)
		return SPAN_NONE;
	for (size_t i = 0; i < value.n; i++) {
		char c = value.p[i];

		if (c == '\001') {
			if (++i == value.n)
				break;
			c = value.p[i];
			c = c == '0' ? '\0' : c == '1' ? '\001' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'n' ? '\n' : c;
		}
		p[n++] = c;
	}
	return span_of(p, n);
}

int
sieve_dict_read(const char *path, struct span name, size_t max, struct arena *a, struct span *out, struct err *e)
{
	struct buf dict = BUF_INIT(SIEVE_DICT_MAX);
	struct span text;
	int rc = file_read_plain(path, SIEVE_DICT_MAX, &dict, e);

	if (rc == 0 && !sieve_dict_get(buf_span(&dict), name, &text))
		rc = err_set(e, ERR_NOTFOUND, "%s: there is no script \"%.*s\"", path, SPAN_ARG(span_sub(name, 0, 100)));
	else if (rc == 0 && text.n > max)
		rc = err_set(e, ERR_TOOBIG, "%s: the script is larger than %zu octets", path, max);
	else if (rc == 0 && (*out = sieve_dict_text(a, text)).p == NULL)
		rc = err_set(e, ERR_LIMIT, "out of memory");
	buf_clear(&dict);
	return rc;
}
