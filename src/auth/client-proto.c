/* SPDX-License-Identifier: MIT */
#include "auth/client-proto.h"

#define PROTOCOL_MAJOR 1

static const char escapes[] = "0" "1" "t" "r" "n";
static const char escaped[] = "\0" "\001" "\t" "\r" "\n";

void
client_escape(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char *at = memchr(escaped, s.p[i], 5);

		if (at == NULL) {
			buf_addc(out, s.p[i]);
		} else {
			buf_addc(out, '\001');
			buf_addc(out, escapes[at - escaped]);
		}
	}
}

bool
client_unescape(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		const char *at;

		if (s.p[i] != '\001') {
			buf_addc(out, s.p[i]);
			continue;
		}
		if (++i == s.n || (at = memchr(escapes, s.p[i], 5)) == NULL)
			return false;
		buf_addc(out, escaped[at - escapes]);
	}
	return !out->failed;
}

static int
unescape_to(struct arena *a, struct span in, struct span *out, struct err *e)
{
	struct buf b = BUF_INIT(CLIENT_LINE_MAX);

	if (span_chr(in, '\001') == in.n) {
		*out = in;
		return 0;
	}
	if (!client_unescape(&b, in))
		err_set(e, ERR_SYNTAX, "malformed escape");
	else if ((*out = arena_dup(a, buf_span(&b))).p == NULL)
		err_set(e, ERR_LIMIT, "line too long");
	else {
		buf_wipe(&b);
		return 0;
	}
	buf_wipe(&b);
	return -1;
}

static enum client_cmd
command(struct span word)
{
	static const struct {
		const char *word;
		enum client_cmd cmd;
	} table[] = {
		{ "VERSION", CMD_VERSION }, { "CPID", CMD_CPID }, { "AUTH", CMD_AUTH }, { "CONT", CMD_CONT },
		{ "CANCEL", CMD_CANCEL }, { "USER", CMD_USER }, { "PASS", CMD_PASS }, { "LIST", CMD_LIST },
		{ "CACHE-FLUSH", CMD_CACHE_FLUSH },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (span_eq(word, span_str(table[i].word)))
			return table[i].cmd;
	return CMD_UNKNOWN;
}

/* The next field; unlike span_next() an empty one at the end is one too. */
static bool
next_field(struct span *rest, bool *more, struct span *out)
{
	size_t tab = span_chr(*rest, '\t');

	if (!*more)
		return false;
	*out = span_sub(*rest, 0, tab);
	*more = tab < rest->n;
	*rest = span_from(*rest, tab + 1);
	return true;
}

static int
params(struct span rest, bool more, struct arena *a, struct client_line *out, struct err *e)
{
	struct span field;

	while (next_field(&rest, &more, &field)) {
		/* The response is the last field, and may be long: base64 has nothing to unescape. */
		if (out->cmd == CMD_AUTH && span_starts(field, SPAN("resp="))) {
			out->has_resp = true;
			out->resp = span_from(field, 5);
			return more ? err_set(e, ERR_SYNTAX, "resp= is not the last field") : 0;
		}
		if (out->param_count == CLIENT_PARAMS_MAX)
			return err_set(e, ERR_SYNTAX, "too many fields");
		if (unescape_to(a, field, &out->params[out->param_count++], e) == -1)
			return -1;
	}
	return 0;
}

int
client_line_parse(struct span line, struct arena *a, struct client_line *out, struct err *e)
{
	struct span word = SPAN_NONE, id = SPAN_NONE, name = SPAN_NONE;
	bool more = true;

	memset(out, 0, sizeof(*out));
	next_field(&line, &more, &word);
	out->cmd = command(word);
	if (out->cmd == CMD_UNKNOWN)
		return 0;
	if (!next_field(&line, &more, &id) || !span_u32(id, &out->id))
		return err_set(e, ERR_SYNTAX, "%.*s without a number", SPAN_ARG(word));
	switch (out->cmd) {
	case CMD_VERSION:
		return out->id == PROTOCOL_MAJOR ? 0 : err_set(e, ERR_SYNTAX, "version %u of the protocol", out->id);
	case CMD_CPID:
	case CMD_CANCEL:
	case CMD_UNKNOWN:
		return 0;
	case CMD_LIST:
	case CMD_CACHE_FLUSH:
		return params(line, more, a, out, e);
	case CMD_CONT:
		if (!next_field(&line, &more, &out->name) || more)
			return err_set(e, ERR_SYNTAX, "CONT without its data");
		return 0;
	case CMD_AUTH:
	case CMD_USER:
	case CMD_PASS:
		if (!next_field(&line, &more, &name))
			return err_set(e, ERR_SYNTAX, "%.*s without a name", SPAN_ARG(word));
		return unescape_to(a, name, &out->name, e) == -1 ? -1 : params(line, more, a, out, e);
	}
	return 0;
}

struct span
client_param(const struct client_line *l, const char *key)
{
	struct span k = span_str(key);

	for (size_t i = 0; i < l->param_count; i++) {
		struct span p = l->params[i];
		size_t eq = span_chr(p, '=');

		if (span_eq(span_sub(p, 0, eq), k))
			return eq == p.n ? span_of("", 0) : span_from(p, eq + 1);
	}
	return SPAN_NONE;
}

enum parse
mux_parse(struct span in, struct mux_request *out, size_t *used_out)
{
	struct span *const parts[] = { &out->user, &out->password, &out->service, &out->realm };
	size_t pos = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		size_t n;

		if (in.n - pos < 2)
			return PARSE_MORE;
		n = be16_get(in.p + pos);
		if (n > MUX_STRING_MAX)
			return PARSE_BAD;
		pos += 2;
		if (in.n - pos < n)
			return PARSE_MORE;
		*parts[i] = span_sub(in, pos, n);
		pos += n;
	}
	*used_out = pos;
	return PARSE_DONE;
}

void
mux_answer(struct buf *out, struct span text)
{
	buf_add_be16(out, (uint16_t)text.n);
	buf_add(out, text);
}
