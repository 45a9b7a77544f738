/* SPDX-License-Identifier: MIT */
/*
 * Tables of recipients.  The first line is an address; the tables follow, each behind a line of one letter: a aliases, v virtual
 * users, x access, i the file /i that may be included.  Whatever they say, the address leads to something, each end is what it
 * is called, and what is packed is the same when it has been unpacked.
 */
#include <stdlib.h>
#include "lib-deliver/recipient/expand.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct recipient_limits limits = { 1 << 16, 2000, 50, true };

static void
add(struct buf *packed, char letter, struct span text)
{
	static const char letters[] = "xvai";	/* in the order of the kinds */
	const char *at = letter == '\0' ? NULL : strchr(letters, letter);
	char path[2] = { '/', letter };

	if (at == NULL)
		return;
	buf_add_be32(packed, (uint32_t)(at - letters));
	buf_add_be32(packed, 1);
	buf_add_be32(packed, sizeof(path));
	buf_add(packed, span_of(path, sizeof(path)));
	buf_add_be32(packed, (uint32_t)text.n);
	buf_add(packed, text);
}

/* What is no table at all (a list without an address) is left out. */
static void
take(struct recipient_tables *t, struct buf *all, char letter, struct span text)
{
	struct buf more = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;

	buf_add(&more, buf_span(all));
	add(&more, letter, text);
	if (recipient_tables_unpack(t, buf_span(&more), 1, &e) == 0) {
		buf_reset(all);
		buf_add(all, buf_span(&more));
	} else if (e.code == ERR_NONE || e.log[0] == '\0')
		abort();
	buf_clear(&more);
}

static void
check_leg(const struct recipient_leg *l, struct arena *a)
{
	struct smtp_path path;
	const char *why;

	switch (l->end) {
	case RECIPIENT_END_USER:
	case RECIPIENT_END_REMOTE:
		/* It goes to auth, into header fields and over SMTP. */
		if (smtp_address_parse(l->text, a, &path, &why) == -1 || !span_eq(path.local, l->local))
			abort();
		break;
	case RECIPIENT_END_PROGRAM:
	case RECIPIENT_END_FILE:
		for (size_t i = 0; i < l->text.n; i++)
			if (l->text.p[i] == '\n' || l->text.p[i] == '\r' || l->text.p[i] == '\0')
				abort();
		break;
	case RECIPIENT_END_LOOP:
		if (l->user_count == 0)
			abort();
		for (size_t i = 0; i < l->user_count; i++)
			if (smtp_address_parse(l->users[i].text, a, &path, &why) == -1 || !span_eq(path.local, l->users[i].local))
				abort();
		/* fall through */
	case RECIPIENT_END_FAIL:
		for (size_t i = 0; i < l->text.n; i++)
			if (l->text.p[i] >= 0 && l->text.p[i] < ' ')
				abort();
		if (l->reply.code < 400 || l->reply.code > 599 || l->reply.text.n == 0 || l->reply.status[0] != (char)('0' + l->reply.code / 100))
			abort();
		break;
	case RECIPIENT_END_DISCARD:
		break;
	}
	if (l->sender.p != NULL && smtp_address_parse(l->sender, a, &path, &why) == -1)
		abort();
}

static void
look_up(struct recipient_tables *t, const struct smtp_path *rcpt, struct arena *a)
{
	struct recipient_expand_options o = { .tables = t, .delimiters = SPAN("+-"), .domains = SPAN("x y.z"), .hostname = SPAN("h"),
		.max_depth = 8, .max_targets = 30, .files = true, .programs = true, .explain = true };
	struct recipient_expansion x;
	struct recipient_place place;
	struct err e = ERR_INIT;

	for (int i = 0; i < 3; i++)
		(void)recipient_tables_address(t, (enum recipient_access_tag)i, rcpt->local, rcpt->domain, SPAN("+"), &place);
	(void)recipient_tables_client(t, rcpt->domain, rcpt->local, &place);
	if (recipient_expand(&o, rcpt, a, &x, &e) == -1) {
		if (e.code != ERR_LIMIT && e.code != ERR_TEMP)
			abort();
		return;
	}
	if (x.leg_count == 0 || x.leg_count > 30)
		abort();
	for (size_t i = 0; i < x.leg_count; i++)
		check_leg(&x.legs[i], a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size), first, line;
	struct arena *a = arena_new(8 << 20);
	struct buf all = BUF_INIT(1 << 20), packed = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;
	struct recipient_tables *t = recipient_tables_of(SPAN(""), SPAN(""), SPAN("/none"), &limits, &e);
	struct smtp_path rcpt;
	const char *why;
	size_t used = 0, from, end;
	char letter = '\0';

	if (t == NULL || a == NULL || size > 1 << 16 || !span_line(in, &used, &first) ||
	    recipient_tables_unpack(t, SPAN(""), 1, &e) == -1)
		goto out;
	for (from = end = used; span_line(in, &used, &line); end = used)
		if (line.n == 1) {
			take(t, &all, letter, span_sub(in, from, end - from));
			letter = line.p[0];
			from = used;
		}
	take(t, &all, letter, span_from(in, from));
	recipient_tables_pack(t, &packed);
	if (!span_eq(buf_span(&packed), buf_span(&all)))
		abort();
	if (smtp_address_parse(first, a, &rcpt, &why) == 0)
		look_up(t, &rcpt, a);
	/* Any octets: refused, or taken. */
	(void)recipient_tables_unpack(t, in, 2, &e);
out:
	recipient_tables_free(t);
	buf_clear(&all);
	buf_clear(&packed);
	arena_free(a);
	return 0;
}
