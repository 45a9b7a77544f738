/* SPDX-License-Identifier: MIT */
/*
 * Other users' mailboxes: what is saved there counts to their owner, and his limits hold.  A session knows nobody's limits
 * but its own user's, so each user's are written into his index when his sessions begin, and read there in the transaction
 * of whoever saves:
 *
 *	ns <separator> <prefix>			how the owner's names are made
 *	root <octets> <messages> <v or p>	limits, 0: none; octets with CRLF line ends, or as stored; then its rules:
 *	rule <octets> <messages> <mask>		what is added for a mailbox
 *	ignore <mask>
 */
#include <stdio.h>
#include <stdlib.h>
#include "lib/log.h"
#include "lib-storage/quota-priv.h"
#include "lib-storage/storage-priv.h"

#define META_KEY "quota"
#define TEXT_MAX 65536

static bool
is_line(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ')
			return false;
	return true;
}

static void
put_root(struct buf *out, const struct quota *q, const struct quota_root *r)
{
	bool physical = r->def.backend == QUOTA_MAILDIR && !q->conf.vsizes;

	if (r->def.noenforcing)
		return;
	buf_addf(out, "root %lld %lld %c\n", (long long)r->limits.bytes.n, (long long)r->limits.messages.n, physical ? 'p' : 'v');
	for (size_t i = 0; i < r->rule_count; i++) {
		const struct quota_rule *rule = &r->rules[i];

		if (!is_line(rule->mailbox))
			continue;
		if (rule->ignore)
			buf_addf(out, "ignore %.*s\n", SPAN_ARG(rule->mailbox));
		else
			buf_addf(out, "rule %lld %lld %.*s\n", (long long)quota_amount_of(&rule->limits.bytes, r->limits.bytes.n),
			    (long long)quota_amount_of(&rule->limits.messages, r->limits.messages.n), SPAN_ARG(rule->mailbox));
	}
}

static int
write_text(struct index *ix, struct span text, struct err *e)
{
	struct index_txn *t;
	struct span now;
	int rc = index_read(ix, &t, e);

	if (rc == 0)
		rc = index_get(t, DB_META, SPAN(META_KEY), &now, e);
	if (rc == 1 && span_eq(now, text)) {
		index_read_end(ix);
		return 0;
	}
	index_read_end(ix);
	if (rc == -1 || index_write(ix, &t, e) == -1)
		return -1;
	if (index_put(t, DB_META, SPAN(META_KEY), text, e) == 0)
		return index_commit(t, e);
	index_abort(t);
	return -1;
}

void
quota_owner_publish(struct storage *st)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	const struct namespace *ns = NULL;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < st->ns_count && ns == NULL; i++)
		if (st->ns[i].info.inbox && st->ns[i].info.type == NS_PRIVATE)
			ns = &st->ns[i];
	if (st->quota == NULL || ns == NULL || !is_line(ns->info.prefix))
		return;
	buf_addf(&text, "ns %c %.*s\n", ns->info.separator, SPAN_ARG(ns->info.prefix));
	for (size_t i = 0; i < st->quota->conf.root_count; i++) {
		struct quota_root *r = &st->quota->conf.roots[i];

		quota_file_limits(st, r);
		if (quota_root_covers(st, r, ns))
			put_root(&text, st->quota, r);
	}
	if (!text.failed && write_text(ns->store->ix, buf_span(&text), &e) == -1)
		log_debug("quota for other users' sessions: %s", e.log);
	buf_clear(&text);
}

/* One root of the text, as it is read. */
struct owner_root {
	char separator;
	struct span prefix;
	uint64_t bytes, messages;
	bool physical;
	struct span rules;		/* the lines that follow, up to the next root */
};

static bool
take_number(struct span *line, int64_t *out)
{
	struct span word;
	uint64_t n;
	bool minus;

	if (!span_next(line, ' ', &word))
		return false;
	minus = word.n > 0 && word.p[0] == '-';
	if (!span_u64(span_from(word, minus), (uint64_t)QUOTA_AMOUNT_MAX, &n))
		return false;
	*out = minus ? -(int64_t)n : (int64_t)n;
	return true;
}

/* The next root of *rest.  False: there is none, or the text is damaged. */
static bool
next_root(struct span *rest, struct owner_root *out)
{
	struct span line, word;
	int64_t bytes, messages;

	while (span_next(rest, '\n', &line)) {
		if (span_starts(line, SPAN("ns ")) && line.n >= 5) {
			out->separator = line.p[3];
			out->prefix = span_from(line, 5);
			continue;
		}
		if (!span_next(&line, ' ', &word) || !span_eq(word, SPAN("root")))
			continue;
		if (!take_number(&line, &bytes) || !take_number(&line, &messages) || bytes < 0 || messages < 0)
			return false;
		out->bytes = (uint64_t)bytes;
		out->messages = (uint64_t)messages;
		out->physical = span_eq(line, SPAN("p"));
		out->rules = *rest;
		return true;
	}
	return false;
}

enum { RULE_NONE, RULE_ADDS, RULE_IGNORES };

/* The first rule of root that matches a mailbox, by the name that drivers know. */
static int
find_rule(const struct owner_root *root, struct span inner, int64_t *bytes, int64_t *messages)
{
	struct buf name = BUF_INIT(4096);
	struct span rest = root->rules, line, word;
	int found = RULE_NONE;

	if (!span_eq(inner, SPAN("INBOX")))
		buf_add(&name, root->prefix);
	for (size_t i = 0; i < inner.n; i++)
		buf_addc(&name, inner.p[i] == '/' ? root->separator : inner.p[i]);
	*bytes = *messages = 0;
	while (found == RULE_NONE && span_next(&rest, '\n', &line) && span_next(&line, ' ', &word)) {
		if (span_eq(word, SPAN("root")))
			break;
		if (span_eq(word, SPAN("ignore")) && quota_mailbox_matches(line, buf_span(&name)))
			found = RULE_IGNORES;
		else if (span_eq(word, SPAN("rule")) && take_number(&line, bytes) && take_number(&line, messages) &&
		    quota_mailbox_matches(line, buf_span(&name)))
			found = RULE_ADDS;
	}
	buf_clear(&name);
	return found;
}

static struct quota_used
used_of(const struct owner_root *root, const struct idx_total *t)
{
	return (struct quota_used){ .bytes = root->physical ? t->physical : t->bytes, .messages = t->messages };
}

static int
usage(struct index_txn *t, const struct owner_root *root, struct quota_used *out, struct err *e)
{
	struct index_cursor *c;
	struct idx_total total;
	struct span key, value;
	int64_t bytes, messages;
	int rc;

	if (index_total_get(t, &total, e) == -1)
		return -1;
	*out = used_of(root, &total);
	if (span_find(root->rules, SPAN("ignore ")) == SIZE_MAX)
		return 0;
	c = index_cursor_open(t, DB_MAILBOX, e);
	if (c == NULL)
		return -1;
	for (rc = index_cursor_seek(c, SPAN("\0"), &key, &value, e); rc == 1; rc = index_cursor_next(c, &key, &value, e)) {
		struct idx_state state;
		struct quota_used one;

		if (value.n != 4 || find_rule(root, key, &bytes, &messages) != RULE_IGNORES)
			continue;
		if (index_state_get(t, be32_get(value.p), &state, e) != 1)
			continue;
		total = idx_state_total(&state);
		one = used_of(root, &total);
		out->bytes -= one.bytes < out->bytes ? one.bytes : out->bytes;
		out->messages -= one.messages < out->messages ? one.messages : out->messages;
	}
	index_cursor_close(c);
	return rc;
}

static bool
is_over(uint64_t used, uint64_t limit, int64_t more)
{
	if (limit == 0)
		return false;
	if (more < 0)
		limit -= (uint64_t)-more < limit ? (uint64_t)-more : limit;
	else
		limit += (uint64_t)more;
	return used > limit;
}

int
quota_owner_check(struct mailbox *box, struct index_txn *t, uint64_t bytes, uint64_t messages, struct err *e)
{
	struct owner_root root = { .separator = '/', .prefix = SPAN("") };
	struct buf text = BUF_INIT(TEXT_MAX);
	struct span rest;
	int rc = index_get(t, DB_META, SPAN(META_KEY), &rest, e);

	if (rc != 1)
		return rc;
	buf_add(&text, rest);
	rest = buf_span(&text);
	rc = 0;
	while (rc == 0 && next_root(&rest, &root)) {
		struct quota_used used;
		int64_t more_bytes, more_messages;

		if (find_rule(&root, span_str(box->inner), &more_bytes, &more_messages) == RULE_IGNORES)
			continue;
		rc = usage(t, &root, &used, e);
		if (rc == 0 && (is_over(used.bytes + bytes, root.bytes, more_bytes) ||
		    is_over(used.messages + messages, root.messages, more_messages)))
			rc = err_set(e, ERR_OVERQUOTA, "the quota of the owner of %s", box->name);
	}
	buf_clear(&text);
	return rc;
}
