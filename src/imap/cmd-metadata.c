/* SPDX-License-Identifier: MIT */
/*
 * GETMETADATA and SETMETADATA (RFC 5464): annotations of mailboxes, and with an empty name those of the server.  Only with
 * imap_metadata.
 */
#include "imap/notify.h"
#include "lib-protocol/imap-quote.h"

#define ENTRIES_MAX 1000

struct get {
	struct span mailbox;
	struct span *names;
	size_t count;
	uint32_t depth;
	uint64_t max_size;
};

/* mailbox, or "" for the server.  False: s->reply is set. */
static bool
take_mailbox(struct imap_session *s, struct imap_in *in, struct span *out)
{
	struct imap_in ahead = *in;
	struct span name;

	if (imap_astring(&ahead, &name) && name.n == 0) {
		*in = ahead;
		*out = SPAN("");
		return true;
	}
	return imap_arg_mailbox(s, in, out);
}

/* "(" option *(SP option) ")" SP */
static bool
take_options(struct imap_in *in, struct get *g)
{
	if (!imap_take(in, '('))
		return true;
	while (!imap_peek(in, ')')) {
		if (imap_word(in, SPAN("MAXSIZE"))) {
			if (!imap_sp(in) || !imap_number(in, UINT32_MAX, &g->max_size))
				return imap_fail(in, "Invalid value for MAXSIZE option");
		} else if (imap_word(in, SPAN("DEPTH"))) {
			struct span depth;

			if (!imap_sp(in) || !imap_atom(in, &depth) || (!span_eq(depth, SPAN("0")) && !span_eq(depth, SPAN("1")) &&
			    !span_ieq(depth, SPAN("infinity"))))
				return imap_fail(in, "Invalid value for DEPTH option");
			g->depth = span_ieq(depth, SPAN("infinity")) ? METADATA_ALL : depth.p[0] == '1';
		} else
			return imap_fail(in, "Unknown option");
		if (!imap_peek(in, ')') && !imap_sp(in))
			return false;
	}
	return imap_take(in, ')') && imap_sp(in);
}

static bool
take_name(struct imap_session *s, struct imap_in *in, uint32_t depth, struct span *out)
{
	struct span name;
	const char *why;

	if (!imap_astring(in, &name))
		return false;
	/* All of a kind: only what is below it is meant. */
	if (depth > 0 && (span_ieq(name, SPAN("/private")) || span_ieq(name, SPAN("/shared")))) {
		*out = span_ieq(name, SPAN("/private")) ? SPAN("/private") : SPAN("/shared");
		return true;
	}
	*out = metadata_name(name, s->arena, &why);
	return out->p != NULL || imap_fail(in, why);
}

/* entry / "(" entry *(SP entry) ")" */
static bool
take_names(struct imap_session *s, struct imap_in *in, struct get *g)
{
	g->names = arena_alloc(s->arena, ENTRIES_MAX, sizeof(*g->names));
	if (g->names == NULL)
		return imap_fail(in, "Too many entries");
	if (!imap_take(in, '(')) {
		g->count = 1;
		return take_name(s, in, g->depth, &g->names[0]);
	}
	do {
		if (g->count == ENTRIES_MAX)
			return imap_fail(in, "Too many entries");
		if (!take_name(s, in, g->depth, &g->names[g->count++]))
			return false;
	} while (!imap_peek(in, ')') && imap_sp(in));
	return imap_take(in, ')');
}

static void
put_value(struct imap_session *s, struct span value)
{
	struct buf b = BUF_INIT(value.n * 2 + 64);

	if (value.p == NULL)
		buf_adds(&b, "NIL");
	else
		imap_quoted_write(&b, value);
	stream_put(&s->io, buf_span(&b));
	buf_clear(&b);
}

static void
put_name(struct imap_session *s, struct span name)
{
	struct buf b = BUF_INIT(name.n * 2 + 64);

	imap_astring_write(&b, name);
	stream_put(&s->io, buf_span(&b));
	buf_clear(&b);
}

int
imap_cmd_getmetadata(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct get g = { .max_size = UINT64_MAX };
	const char *before = " (";
	struct metadata *found;
	uint64_t longest = 0;
	size_t count;

	if (!take_options(in, &g)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (!take_mailbox(s, in, &g.mailbox))
		return 0;
	if (!imap_sp(in) || !take_names(s, in, &g) || !imap_end(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (storage_metadata_get(s->st, g.mailbox, g.names, g.count, g.depth, s->arena, &found, &count, e) == -1)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (found[i].value.n > g.max_size) {
			if (found[i].value.n > longest)
				longest = found[i].value.n;
			continue;
		}
		if (before[1] == '(') {
			stream_put(&s->io, SPAN("* METADATA "));
			imap_put_mailbox(s, g.mailbox);
		}
		stream_puts(&s->io, before);
		put_name(s, found[i].name);
		stream_put(&s->io, SPAN(" "));
		put_value(s, found[i].value);
		before = " ";
	}
	if (before[1] == '\0')
		stream_put(&s->io, SPAN(")\r\n"));
	if (longest > 0)
		imap_okf(s, "[METADATA LONGENTRIES %llu] Getmetadata completed.", (unsigned long long)longest);
	else
		imap_ok(s, "Getmetadata completed.");
	return 0;
}

/* nstring / literal8, and as others take it, an atom. */
static bool
take_value(struct imap_in *in, struct span *out)
{
	if (imap_take(in, '~'))
		return imap_string(in, out);
	if (imap_peek(in, '"') || imap_peek(in, '{'))
		return imap_string(in, out);
	if (!imap_astring(in, out))
		return imap_fail(in, "Entry value missing");
	if (span_ieq(*out, SPAN("NIL")))
		*out = SPAN_NONE;
	return true;
}

/* "(" entry SP value *(SP entry SP value) ")" */
static bool
take_changes(struct imap_session *s, struct imap_in *in, struct metadata **out, size_t *count_out)
{
	struct metadata *list = arena_alloc(s->arena, ENTRIES_MAX, sizeof(*list));
	size_t n = 0;

	if (list == NULL || !imap_take(in, '('))
		return imap_fail(in, "Expected a list");
	while (!imap_peek(in, ')')) {
		if (n == ENTRIES_MAX)
			return imap_fail(in, "Too many entries");
		if (!take_name(s, in, 0, &list[n].name))
			return false;
		if (!imap_sp(in) || !take_value(in, &list[n].value))
			return imap_fail(in, "Entry value missing");
		n++;
		if (!imap_peek(in, ')') && !imap_sp(in))
			return false;
	}
	*out = list;
	*count_out = n;
	return imap_take(in, ')');
}

/* False: s->reply says what is not to be. */
static bool
may_set(struct imap_session *s, struct span mailbox, const struct metadata *list, size_t count)
{
	size_t max = storage_metadata_value_max(s->st);

	for (size_t i = 0; i < count; i++) {
		if (list[i].value.n > max) {
			buf_reset(&s->reply);
			buf_addf(&s->reply, "NO [METADATA MAXSIZE %zu] An annotation is too large.", max);
			return false;
		}
		if (!metadata_is_settable(mailbox.n == 0, list[i].name)) {
			imap_no(s, "[CANNOT] That entry can not be changed.");
			return false;
		}
		if (list[i].value.p != NULL && span_chr(list[i].value, '\0') < list[i].value.n) {
			imap_no(s, "[CANNOT] An annotation can not have a NUL.");
			return false;
		}
	}
	return true;
}

int
imap_cmd_setmetadata(struct imap_session *s, struct imap_in *in, struct err *e)
{
	struct span mailbox;
	struct metadata *list = NULL;
	size_t count = 0;

	if (!take_mailbox(s, in, &mailbox))
		return 0;
	if (!imap_sp(in) || !take_changes(s, in, &list, &count) || !imap_end(in)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (!may_set(s, mailbox, list, count))
		return 0;
	if (storage_metadata_set(s->st, mailbox, list, count, e) == 0) {
		imap_notify_own_metadata(s, mailbox, list, count);
		imap_ok(s, "Setmetadata completed.");
		return 0;
	}
	if (e->code != ERR_LIMIT)
		return -1;
	imap_no(s, "[METADATA TOOMANY] There are too many annotations.");
	return 0;
}
