/* SPDX-License-Identifier: MIT */
#include "lib-deliver/recipient/virtual.h"

#include <stdlib.h>
#include "lib/hash.h"
#include "lib-deliver/recipient/lines.h"
#include "lib-deliver/smtp-path.h"

#define KEY_MAX 1100
#define KEYS_MAX 4000000

struct recipient_virtual {
	struct arena *a;
	struct hash *keys;
};

/* Addresses alone; "@other" stands for "%1%3@other". */
static int
take_list(struct recipient_virtual *t, struct span list, unsigned number, size_t max, struct recipient_targets *out, struct err *e)
{
	if (list.n > 0 && list.p[0] == '@') {
		char *text = arena_printf(t->a, "%%1%%3%.*s", SPAN_ARG(list));

		if (text == NULL)
			return err_set(e, ERR_TEMP, "out of memory");
		list = span_str(text);
	}
	if (recipient_targets_parse(list, number, max, t->a, out, e) == -1)
		return -1;
	if (out->count == 0)
		return err_set(e, ERR_SYNTAX, "nothing behind the address");
	for (size_t i = 0; i < out->count; i++)
		if (out->list[i].kind != RECIPIENT_ADDRESS && out->list[i].kind != RECIPIENT_ERROR)
			return err_set(e, ERR_SYNTAX, "%.*s: an address leads to addresses, or to error:",
			    SPAN_ARG(span_sub(out->list[i].text, 0, 100)));
	return 0;
}

struct parsing {
	struct recipient_virtual *t;
	const struct recipient_limits *limits;
	struct recipient_remarks *remarks;
};

static int
take_line(void *ctx, struct span line, unsigned number, struct err *e)
{
	struct parsing *p = ctx;
	struct recipient_virtual *t = p->t;
	struct recipient_virtual_entry *entry;
	struct span key;
	size_t n = 0;

	while (n < line.n && !ascii_is_wsp(line.p[n]))
		n++;
	if (n > KEY_MAX)
		return err_set(e, ERR_LIMIT, "the address is longer than %d octets", KEY_MAX);
	key = recipient_lower(span_sub(line, 0, n), t->a);
	entry = arena_alloc(t->a, 1, sizeof(*entry));
	if (key.p == NULL || entry == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	entry->line = number;
	if (take_list(t, span_trim(span_from(line, n)), number, p->limits->max_list, &entry->targets, e) == -1)
		return -1;
	p->remarks->good++;
	if (hash_get(t->keys, key) != NULL) {
		recipient_remark_doubt(p->remarks, number, key, "is there already: this line is not used");
		return 0;
	}
	if (entry->targets.list[0].reply.mended)
		recipient_remark_doubt(p->remarks, number, entry->targets.list[0].text, RECIPIENT_REPLY_MENDED);
	return hash_set(t->keys, key, entry) ? 0 : err_set(e, ERR_TEMP, "too many addresses, or out of memory");
}

static int
take_bad(void *ctx, struct span line, unsigned number, struct err *e)
{
	struct parsing *p = ctx;
	struct recipient_virtual_entry *entry;
	struct span key;
	size_t n = 0;

	recipient_remark_mistake(p->remarks, number, e);
	while (n < line.n && !ascii_is_wsp(line.p[n]))
		n++;
	if (n == 0 || n > KEY_MAX)
		return 0;
	key = recipient_lower(span_sub(line, 0, n), p->t->a);
	entry = arena_alloc(p->t->a, 1, sizeof(*entry));
	if (key.p == NULL || entry == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	if (hash_get(p->t->keys, key) != NULL)
		return 0;
	entry->line = number;
	return recipient_targets_wait(&entry->targets, number, p->t->a, e) && hash_set(p->t->keys, key, entry) ? 0 :
	    err_set(e, ERR_TEMP, "too many addresses, or out of memory");
}

int
recipient_virtual_parse(struct span text, const struct recipient_limits *limits, struct recipient_virtual **out,
    struct recipient_remarks *remarks, unsigned *line_out, struct err *e)
{
	struct recipient_virtual *t = calloc(1, sizeof(*t));
	struct recipient_lines lines = { .text = text, .max = limits->max_line };
	struct parsing p = { t, limits, remarks };
	int rc = -1;

	*line_out = 0;
	recipient_remarks_begin(remarks);
	if (t == NULL || (t->a = arena_new(((size_t)1 << 20) + text.n * 100)) == NULL || (t->keys = hash_new(KEYS_MAX)) == NULL)
		err_set(e, ERR_TEMP, "out of memory");
	else
		rc = recipient_lines_each(&lines, t->a, take_line, remarks->go_on ? take_bad : NULL, &p, line_out, e);
	if (rc == 0) {
		*out = t;
		return 0;
	}
	recipient_virtual_free(t);
	return -1;
}

void
recipient_virtual_free(struct recipient_virtual *t)
{
	if (t == NULL)
		return;
	hash_free(t->keys);
	arena_free(t->a);
	free(t);
}

size_t
recipient_virtual_count(const struct recipient_virtual *t)
{
	return hash_count(t->keys);
}

/* The entry of a key that is made of parts, in lower case. */
static bool
look(const struct recipient_virtual *t, struct span user, const char *wild, struct span detail, bool at, struct span domain,
    struct recipient_virtual_match *out)
{
	const struct span parts[] = { user, span_str(wild), detail, at ? SPAN("@") : SPAN(""), domain };
	char key[KEY_MAX];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].n > sizeof(key) - n)
			return false;
		for (size_t k = 0; k < parts[i].n; k++)
			key[n++] = ascii_lower(parts[i].p[k]);
	}
	out->entry = hash_get(t->keys, span_of(key, n));
	return out->entry != NULL;
}

bool
recipient_virtual_find(const struct recipient_virtual *t, struct span local, struct span domain, struct span delimiters,
    bool is_local, struct recipient_virtual_match *out)
{
	struct span user = local, detail = SPAN_NONE;
	bool divided = smtp_detail_split(local, delimiters, &user, &detail);

	*out = (struct recipient_virtual_match){ .user = local };
	if (look(t, local, "", SPAN(""), true, domain, out))
		return true;
	if (divided) {
		out->user = user;
		out->detail = detail;
		out->has_detail = true;
		out->delimiter = local.p[user.n];
		if ((detail.n > 0 && look(t, user, "++", SPAN(""), true, domain, out)) ||
		    look(t, user, "+*", SPAN(""), true, domain, out) || look(t, user, "", SPAN(""), true, domain, out))
			return true;
	}
	if (is_local && (look(t, local, "", SPAN(""), false, SPAN(""), out) ||
	    (divided && look(t, user, "", SPAN(""), false, SPAN(""), out))))
		return true;
	if (divided && ((detail.n > 0 && look(t, SPAN(""), "++", SPAN(""), true, domain, out)) ||
	    look(t, SPAN(""), "+*", SPAN(""), true, domain, out)))
		return true;
	return look(t, SPAN(""), "", SPAN(""), true, domain, out);
}

/* in with %1, %2 and %3 replaced. */
static bool
replace(const struct recipient_virtual_match *m, struct span in, struct arena *a, struct span *out)
{
	char text[SMTP_PATH_MAX];
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		struct span piece = span_sub(in, i, 1);

		if (in.p[i] == '%' && i + 1 < in.n && in.p[i + 1] >= '1' && in.p[i + 1] <= '3') {
			i++;
			piece = in.p[i] == '1' ? m->user : m->detail;
			if (in.p[i] == '3' && m->has_detail) {
				if (n == sizeof(text))
					return false;
				text[n++] = m->delimiter;
			}
		}
		if (piece.n > sizeof(text) - n)
			return false;
		if (piece.n > 0)
			memcpy(text + n, piece.p, piece.n);
		n += piece.n;
	}
	*out = arena_dup(a, span_of(text, n));
	return out->p != NULL;
}

bool
recipient_virtual_target(const struct recipient_virtual_match *m, size_t i, struct arena *a, struct recipient_target *out)
{
	*out = m->entry->targets.list[i];
	if (out->kind != RECIPIENT_ADDRESS || (span_chr(out->local, '%') == out->local.n && span_chr(out->domain, '%') == out->domain.n))
		return true;
	if (!replace(m, out->local, a, &out->local) || !replace(m, out->domain, a, &out->domain))
		return false;
	out->text = recipient_address_text(out->local, out->domain, a);
	return out->text.p != NULL && out->text.n <= SMTP_PATH_MAX && out->local.n > 0;
}
