/* SPDX-License-Identifier: MIT */
/*
 * LIST and LSUB (RFC 3501 sections 6.3.8 and 6.3.9; LIST-EXTENDED RFC 5258; SPECIAL-USE RFC 6154; LIST-STATUS RFC 5819).
 * The storage gives all names once; what the client wants of them is decided here.
 */
#include <stdlib.h>

#include "imap/session.h"
#include "lib/hash.h"
#include "lib-protocol/imap-quote.h"
#include "lib-storage/list-match.h"

enum {
	SELECT_SUBSCRIBED = 1 << 0,
	SELECT_REMOTE = 1 << 1,		/* there are none: all mailboxes are here */
	SELECT_RECURSIVE = 1 << 2,
	SELECT_SPECIAL_USE = 1 << 3,
	RETURN_SUBSCRIBED = 1 << 4,
	RETURN_CHILDREN = 1 << 5,
	RETURN_SPECIAL_USE = 1 << 6,
	RETURN_STATUS = 1 << 7,
	RETURN_MYRIGHTS = 1 << 8,	/* RFC 8440 */
};

struct list {
	unsigned options, status_items;
	bool lsub, extended;
	struct span *patterns;		/* with the reference in front, UTF-8 */
	size_t pattern_count;
	bool ask_root;			/* the pattern was "": the separator is wanted */
	struct span reference;
};

struct entry {
	struct mailbox_info info;
	bool matches;		/* a pattern */
	bool selected;		/* by the selection options */
	bool child_selected;	/* something below it is selected, */
	bool child_hidden;	/* and does not match a pattern itself */
};

struct names {
	struct entry **v;
	size_t n, max;
	struct hash *by_name;
};

static bool
take_options(struct imap_session *s, struct imap_in *in, struct list *l, bool returns)
{
	const struct {
		struct span word;
		unsigned select, give;
	} opts[] = {
		{ SPAN("SUBSCRIBED"), SELECT_SUBSCRIBED, RETURN_SUBSCRIBED },
		{ SPAN("REMOTE"), SELECT_REMOTE, 0 },
		{ SPAN("RECURSIVEMATCH"), SELECT_RECURSIVE, 0 },
		{ SPAN("SPECIAL-USE"), SELECT_SPECIAL_USE, RETURN_SPECIAL_USE },
		{ SPAN("CHILDREN"), 0, RETURN_CHILDREN },
		{ SPAN("STATUS"), 0, RETURN_STATUS },
		{ SPAN("MYRIGHTS"), 0, s->lim.acl ? RETURN_MYRIGHTS : 0 },
	};

	if (!imap_take(in, '('))
		return false;
	while (!imap_peek(in, ')')) {
		struct span word;
		size_t i = 0;
		unsigned bit;

		if (!imap_atom(in, &word))
			return false;
		while (i < sizeof(opts) / sizeof(opts[0]) && !span_ieq(word, opts[i].word))
			i++;
		bit = i == sizeof(opts) / sizeof(opts[0]) ? 0 : returns ? opts[i].give : opts[i].select;
		if (bit == 0)
			return imap_fail(in, returns ? "Unknown return option" : "Unknown selection option");
		l->options |= bit;
		if (bit == RETURN_STATUS && (!imap_sp(in) || !imap_arg_status_items(s, in, &l->status_items)))
			return false;
		if (!imap_peek(in, ')') && !imap_sp(in))
			return false;
	}
	return imap_take(in, ')');
}

/* Modified UTF-7 or, when it is none (a wildcard inside of an encoded part), as it is: then it matches ASCII alone. */
static struct span
decode(struct imap_session *s, struct span raw)
{
	struct span utf8 = imap_mailbox_utf8(s, raw);

	return utf8.p == NULL ? raw : utf8;
}

static bool
take_pattern(struct imap_session *s, struct imap_in *in, struct list *l)
{
	struct span raw, ref = l->reference, pattern;
	char *p;

	if (!imap_list_mailbox(in, &raw))
		return false;
	if (l->pattern_count == s->lim.list_patterns)
		return imap_fail(in, "Too many patterns");
	pattern = decode(s, raw);
	if (pattern.n + ref.n > s->lim.mailbox_name * 4)
		return imap_fail(in, "Too long pattern");
	p = arena_alloc(s->arena, ref.n + pattern.n + 1, 1);
	if (p == NULL)
		return imap_fail(in, "Too long command");
	if (ref.n > 0)
		memcpy(p, ref.p, ref.n);
	if (pattern.n > 0)
		memcpy(p + ref.n, pattern.p, pattern.n);
	l->ask_root = raw.n == 0;
	l->patterns[l->pattern_count++] = span_of(p, ref.n + pattern.n);
	return true;
}

static bool
take_patterns(struct imap_session *s, struct imap_in *in, struct list *l)
{
	l->patterns = arena_alloc(s->arena, s->lim.list_patterns, sizeof(*l->patterns));
	if (l->patterns == NULL)
		return imap_fail(in, "Too long command");
	if (l->lsub || !imap_peek(in, '('))
		return take_pattern(s, in, l);
	imap_take(in, '(');
	l->extended = true;
	for (;;) {
		if (!take_pattern(s, in, l))
			return false;
		l->ask_root = false;	/* RFC 5258 section 3: only a single "" asks for it */
		if (imap_take(in, ')'))
			return true;
		if (!imap_sp(in))
			return false;
	}
}

static bool
take_arguments(struct imap_session *s, struct imap_in *in, struct list *l)
{
	struct span raw;

	if (!l->lsub && imap_peek(in, '(')) {
		l->extended = true;
		if (!take_options(s, in, l, false) || !imap_sp(in))
			return false;
	}
	if ((l->options & SELECT_RECURSIVE) != 0 && (l->options & (SELECT_SUBSCRIBED | SELECT_SPECIAL_USE)) == 0)
		return imap_fail(in, "RECURSIVEMATCH needs another selection option");
	if (!imap_astring(in, &raw) || !imap_sp(in))
		return false;
	if (raw.n > s->lim.mailbox_name * 4)
		return imap_fail(in, "Too long reference");
	l->reference = decode(s, raw);
	if (!take_patterns(s, in, l))
		return false;
	if (!l->lsub && imap_sp(in) && in->s.n > 0) {
		l->extended = true;
		if (!imap_word(in, SPAN("RETURN")) || !imap_sp(in))
			return imap_fail(in, "Expected RETURN");
		if (!take_options(s, in, l, true))
			return false;
	}
	return imap_end(in);
}

/* A name without mail above selected ones: "a" when only "a/b" is there, or is subscribed to. */
static struct entry *
add_name(struct names *names, struct arena *a, struct mailbox_info info)
{
	struct entry *en = arena_alloc(a, 1, sizeof(*en));

	if (en == NULL || names->n == names->max)
		return NULL;
	en->info = info;
	names->v[names->n++] = en;
	return hash_set(names->by_name, info.name, en) ? en : NULL;
}

static bool
matches_any(const struct list *l, const struct entry *en)
{
	for (size_t i = 0; i < l->pattern_count; i++)
		if (list_match(l->patterns[i], en->info.name, en->info.separator) == LIST_YES)
			return true;
	return false;
}

static bool
is_selected(const struct list *l, const struct entry *en)
{
	unsigned attrs = en->info.attrs;

	if ((l->options & SELECT_SUBSCRIBED) != 0)
		return (attrs & MBOX_SUBSCRIBED) != 0 &&
		    ((l->options & SELECT_SPECIAL_USE) == 0 || (attrs & MBOX_USE_MASK) != 0);
	if ((attrs & (MBOX_EXISTS | MBOX_NOSELECT | MBOX_CHILDREN)) == 0)
		return false;	/* a subscription alone, or a parent of such */
	return (l->options & SELECT_SPECIAL_USE) == 0 || (attrs & MBOX_USE_MASK) != 0;
}

/* Tells everything above a selected name about it. */
static int
mark_parents(struct names *names, struct arena *a, const struct list *l, const struct entry *child, struct err *e)
{
	struct span name = child->info.name;

	for (size_t i = name.n; i-- > 1; ) {
		struct entry *parent;

		if (name.p[i] != child->info.separator)
			continue;
		parent = hash_get(names->by_name, span_of(name.p, i));
		if (parent == NULL) {
			parent = add_name(names, a, (struct mailbox_info){ span_of(name.p, i), MBOX_CHILDREN,
			    child->info.separator });
			if (parent == NULL)
				return err_set(e, ERR_LIMIT, "LIST");
			parent->matches = matches_any(l, parent);
		}
		parent->child_selected = true;
		parent->child_hidden = parent->child_hidden || !child->matches;
	}
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;

	return span_cmp(x->info.name, y->info.name);
}

static const struct {
	unsigned bit;
	const char *word;
} attr_words[] = {
	{ MBOX_NOINFERIORS, "\\Noinferiors" },
	{ MBOX_CHILDREN, "\\HasChildren" },
	{ MBOX_NO_CHILDREN, "\\HasNoChildren" },
	{ MBOX_MARKED, "\\Marked" },
	{ MBOX_UNMARKED, "\\UnMarked" },
	{ MBOX_USE_ALL, "\\All" },
	{ MBOX_USE_ARCHIVE, "\\Archive" },
	{ MBOX_USE_DRAFTS, "\\Drafts" },
	{ MBOX_USE_FLAGGED, "\\Flagged" },
	{ MBOX_USE_JUNK, "\\Junk" },
	{ MBOX_USE_SENT, "\\Sent" },
	{ MBOX_USE_TRASH, "\\Trash" },
};

static void
add_attr(struct buf *b, size_t start, const char *word)
{
	if (b->n > start)
		buf_addc(b, ' ');
	buf_adds(b, word);
}

static void
put_attrs(struct buf *b, const struct list *l, const struct entry *en)
{
	unsigned attrs = en->info.attrs;
	size_t start;

	buf_addc(b, '(');
	start = b->n;
	if (l->lsub && !l->extended) {
		/* RFC 3501 section 6.3.9: \Noselect says that the name itself is not subscribed to. */
		if (!en->selected || (attrs & (MBOX_EXISTS | MBOX_NOSELECT)) == MBOX_NOSELECT)
			add_attr(b, start, "\\Noselect");
		buf_addc(b, ')');
		return;
	}
	/* A mailbox is selectable, a mere name, or not there (RFC 5258 section 3.3; plain LIST knows \Noselect only). */
	if ((attrs & MBOX_NOSELECT) != 0 || ((attrs & MBOX_EXISTS) == 0 && !l->extended))
		add_attr(b, start, "\\Noselect");
	else if ((attrs & MBOX_EXISTS) == 0)
		add_attr(b, start, "\\NonExistent");
	if ((l->options & (SELECT_SUBSCRIBED | RETURN_SUBSCRIBED)) != 0 && (attrs & MBOX_SUBSCRIBED) != 0)
		add_attr(b, start, "\\Subscribed");
	for (size_t i = 0; i < sizeof(attr_words) / sizeof(attr_words[0]); i++)
		if ((attrs & attr_words[i].bit) != 0)
			add_attr(b, start, attr_words[i].word);
	buf_addc(b, ')');
}

static void
put_entry(struct imap_session *s, const struct list *l, const struct entry *en)
{
	buf_reset(&s->scratch);
	buf_adds(&s->scratch, l->lsub ? "* LSUB " : "* LIST ");
	put_attrs(&s->scratch, l, en);
	buf_addc(&s->scratch, ' ');
	imap_quoted_write(&s->scratch, span_of(&en->info.separator, 1));
	buf_addc(&s->scratch, ' ');
	imap_mailbox_write(&s->scratch, en->info.name);
	if ((l->options & SELECT_RECURSIVE) != 0 && en->child_selected)
		buf_adds(&s->scratch, (l->options & SELECT_SUBSCRIBED) != 0 ? " (\"CHILDINFO\" (\"SUBSCRIBED\"))" :
		    " (\"CHILDINFO\" (\"SPECIAL-USE\"))");
	buf_adds(&s->scratch, "\r\n");
	stream_put(&s->io, buf_span(&s->scratch));
}

void
imap_put_list(struct imap_session *s, const struct mailbox_info *info, bool no_access, struct span old_name)
{
	const struct list l = { .options = RETURN_SUBSCRIBED, .extended = true };
	const struct entry en = { .info = *info };

	buf_reset(&s->scratch);
	buf_adds(&s->scratch, "* LIST ");
	put_attrs(&s->scratch, &l, &en);
	if (no_access) {
		s->scratch.n--;		/* the parenthesis */
		buf_adds(&s->scratch, s->scratch.p[s->scratch.n - 1] == '(' ? "\\NoAccess)" : " \\NoAccess)");
	}
	buf_addc(&s->scratch, ' ');
	imap_quoted_write(&s->scratch, span_of(&info->separator, 1));
	buf_addc(&s->scratch, ' ');
	imap_mailbox_write(&s->scratch, info->name);
	if (old_name.n > 0) {
		buf_adds(&s->scratch, " (\"OLDNAME\" (");
		imap_mailbox_write(&s->scratch, old_name);
		buf_adds(&s->scratch, "))");
	}
	buf_adds(&s->scratch, "\r\n");
	stream_put(&s->io, buf_span(&s->scratch));
}

/* Whether en is in the answer. */
static bool
is_wanted(const struct list *l, const struct entry *en)
{
	if (!en->matches)
		return false;
	if (en->selected)
		return true;
	if (l->lsub)	/* "%" does not reach the subscribed name: its parent stands for it */
		return en->child_hidden;
	return (l->options & SELECT_RECURSIVE) != 0 && en->child_selected;
}

static int
put_all(struct imap_session *s, const struct list *l, const struct names *names, struct err *e)
{
	for (size_t i = 0; i < names->n && !s->io.failed; i++) {
		const struct entry *en = names->v[i];

		if (!is_wanted(l, en))
			continue;
		put_entry(s, l, en);
		if ((l->options & RETURN_MYRIGHTS) != 0 && (en->info.attrs & MBOX_EXISTS) != 0 &&
		    imap_put_myrights(s, en->info.name, e) == -1)
			*e = (struct err)ERR_INIT;
		if ((l->options & RETURN_STATUS) == 0 || (en->info.attrs & MBOX_EXISTS) == 0)
			continue;
		/* RFC 5819 section 2: a mailbox whose status can not be had just has none. */
		if (imap_put_status(s, en->info.name, l->status_items, e) == -1)
			*e = (struct err)ERR_INIT;
	}
	return 0;
}

static int
list_names(struct imap_session *s, const struct list *l, struct err *e)
{
	struct mailbox_info *infos = NULL;
	struct names names = { NULL, 0, 0, NULL };
	size_t count = 0, listed;
	int rc = -1;

	if (storage_list_starting(s->st, l->patterns, l->pattern_count, s->arena, &infos, &count, e) == -1)
		return -1;
	names.max = 2 * count + 1024;	/* parents of subscribed names that are not there are few */
	names.v = arena_alloc(s->arena, names.max, sizeof(struct entry *));
	names.by_name = hash_new(names.max);
	if (names.v == NULL || names.by_name == NULL) {
		err_set(e, ERR_LIMIT, "LIST: too many mailboxes");
		goto out;
	}
	for (size_t i = 0; i < count; i++) {
		struct entry *en = add_name(&names, s->arena, infos[i]);

		if (en == NULL) {
			err_set(e, ERR_LIMIT, "LIST: too many mailboxes");
			goto out;
		}
		en->matches = matches_any(l, en);
		en->selected = is_selected(l, en);
	}
	if (l->lsub || (l->options & SELECT_RECURSIVE) != 0) {
		for (size_t i = 0; i < count; i++)
			if (names.v[i]->selected && mark_parents(&names, s->arena, l, names.v[i], e) == -1)
				goto out;
		listed = count > 0 && imap_is_inbox(names.v[0]->info.name) ? 1 : 0;
		qsort(names.v + listed, names.n - listed, sizeof(struct entry *), by_name);
	}
	rc = put_all(s, l, &names, e);
out:
	hash_free(names.by_name);
	return rc;
}

/* LIST "" "": the separator, and the root of the reference's namespace (RFC 3501 section 6.3.8). */
static void
put_root(struct imap_session *s, const struct list *l)
{
	const struct namespace_info *ns = NULL;
	size_t count = storage_namespaces(s->st, &ns);
	struct span prefix = SPAN("");
	char separator = storage_separator(s->st, l->reference);

	for (size_t i = 0; i < count; i++)
		if (ns[i].prefix.n > prefix.n && span_starts(l->reference, ns[i].prefix))
			prefix = ns[i].prefix;
	buf_reset(&s->scratch);
	buf_adds(&s->scratch, l->lsub ? "* LSUB (\\Noselect) " : "* LIST (\\Noselect) ");
	imap_quoted_write(&s->scratch, span_of(&separator, 1));
	buf_addc(&s->scratch, ' ');
	if (prefix.n == 0)
		buf_adds(&s->scratch, "\"\"");
	else
		imap_mailbox_write(&s->scratch, prefix);
	buf_adds(&s->scratch, "\r\n");
	stream_put(&s->io, buf_span(&s->scratch));
}

static int
list(struct imap_session *s, struct imap_in *in, bool lsub, struct err *e)
{
	struct list l = { .lsub = lsub, .options = lsub ? SELECT_SUBSCRIBED : 0, .extended = lsub && s->lim.lsub_flags };
	const char *done = lsub ? "Lsub completed." : "List completed.";

	if (!take_arguments(s, in, &l)) {
		imap_bad(s, in->why);
		return 0;
	}
	if (l.ask_root)
		put_root(s, &l);
	else if (list_names(s, &l, e) == -1)
		return -1;
	imap_ok(s, done);
	return 0;
}

int
imap_cmd_list(struct imap_session *s, struct imap_in *in, struct err *e)
{
	return list(s, in, false, e);
}

int
imap_cmd_lsub(struct imap_session *s, struct imap_in *in, struct err *e)
{
	return list(s, in, true, e);
}
