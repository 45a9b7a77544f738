/* SPDX-License-Identifier: MIT */
/*
 * REFERENCES, in the steps of RFC 5256 section 3.  While messages are linked (step 1) only parents are kept: lists of
 * children are made when all is known, and sorted once.
 *	1	link() along each message's references
 *	3	lift(): children of messages that are not there go to the nearest ancestor that is
 *	4-5	gather(): top threads of one base subject become one
 *	6	arrange(): the children of each node by date
 * Step 2 is the root, nodes[0].  ORDEREDSUBJECT is a sort, and the same arrange().
 *
 * Whether a link would make a circle is seen by walking up from the new parent.  Mail that is made to be threaded badly
 * could make that quadratic, so the steps of all walks are counted: past the budget links are left out.
 */
#include "lib-storage/thread.h"

#include <stdlib.h>

#include "lib-storage/sort.h"
#include "lib/array.h"
#include "lib/hash.h"

#define ID_MAX 998			/* octets of a Message-ID */
#define NODES_MAX 4000000
#define WALK_BUDGET 50000000
#define BREATH 1000

struct node {
	uint32_t seq;		/* 0: a dummy */
	uint32_t parent;	/* 0: the root */
	uint32_t moved_to;	/* a dummy whose children went to another; 0 */
	bool dead;		/* a dummy that is not shown */
	bool is_reply;
	int64_t date;		/* of a dummy: its first child's */
	uint32_t order;		/* what decides between equal dates: a sequence number */
	struct span subject;	/* the base subject, as compared */
};

struct threader {
	struct mailbox *box;
	struct arena *a;
	struct array nodes;	/* struct node */
	struct hash *ids;	/* Message-ID: index of its node */
	struct charset_cache *charsets;
	struct buf text, room, id;
	size_t walked;
	struct err *e;
};

static struct node *
node_at(const struct threader *t, uint32_t at)
{
	return (struct node *)t->nodes.p + at;
}

static int
too_large(struct threader *t)
{
	return err_set(t->e, ERR_LIMIT, "THREAD: too many messages and references");
}

/* The new node's index; 0 when there is no room. */
static uint32_t
node_new(struct threader *t, uint32_t seq)
{
	struct node *n = array_push(&t->nodes);

	if (n == NULL) {
		too_large(t);
		return 0;
	}
	n->seq = n->order = seq;
	return (uint32_t)(t->nodes.n - 1);
}

/* An id without white space and quotes, in room; SPAN_NONE: it is none. */
static struct span
plain_id(struct span id, struct buf *room)
{
	buf_reset(room);
	for (size_t i = 0; i < id.n && room->n < ID_MAX; i++) {
		char c = id.p[i];

		if (c == '<')
			buf_reset(room);	/* the one before was not closed */
		else if ((unsigned char)c > ' ' && c != '"' && c != '\\')
			buf_addc(room, c);
	}
	return span_chr(buf_span(room), '@') == room->n ? SPAN_NONE : buf_span(room);
}

enum { ID_END = 1, ID_AT = 2, ID_ODD = 4 };

/* What an octet means inside of "<...>"; the controls and the space are odd as well. */
static const unsigned char id_octets[256] = {
	ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD,
	ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD, ID_ODD,
	ID_ODD, ID_ODD, ID_ODD, ['"'] = ID_ODD, ['\\'] = ID_ODD, ['<'] = ID_ODD, ['>'] = ID_END, ['@'] = ID_AT,
};

/*
 * The next Message-ID of a field: the forms of RFC 5322 that are the same id are the same octets.  Valid until the next
 * call.  False at the end.
 */
static bool
next_id(struct span *field, struct buf *room, struct span *out)
{
	for (;;) {
		size_t open = span_chr(*field, '<'), i;
		unsigned seen = 0;

		if (open == field->n)
			return false;
		*field = span_from(*field, open + 1);
		for (i = 0; i < field->n && !(seen & ID_END); i++)
			seen |= id_octets[(unsigned char)field->p[i]];
		if (!(seen & ID_END))
			return false;
		*out = span_sub(*field, 0, i - 1);
		*field = span_from(*field, i);
		if (!(seen & ID_AT))
			continue;
		if (seen & ID_ODD || out->n > ID_MAX)
			*out = plain_id(*out, room);
		if (out->p != NULL)
			return true;
	}
}

/* The node of an id, made if need be; 0: no room. */
static uint32_t
node_of(struct threader *t, struct span id)
{
	void **slot = hash_slot(t->ids, id);

	if (slot == NULL)
		return too_large(t), 0;
	if (*slot == NULL)
		*slot = (void *)(uintptr_t)node_new(t, 0);
	return (uint32_t)(uintptr_t)*slot;
}

static bool
would_circle(struct threader *t, uint32_t parent, uint32_t child)
{
	for (; parent != 0; parent = node_at(t, parent)->parent)
		if (parent == child || ++t->walked > WALK_BUDGET)
			return true;
	return false;
}

/* What of a message's fields matters; p is NULL where there is none. */
struct fields {
	struct span message_id, references, in_reply_to, subject;
};

static struct span *
field_wanted(struct fields *f, enum header_id id)
{
	switch (id) {
	case HEADER_MESSAGE_ID:
		return &f->message_id;
	case HEADER_REFERENCES:
		return &f->references;
	case HEADER_IN_REPLY_TO:
		return &f->in_reply_to;
	case HEADER_SUBJECT:
		return &f->subject;
	default:
		return NULL;
	}
}

static void
find_fields(const struct sort_message *m, struct fields *f)
{
	struct summary_cursor at = { 0, 0 };
	enum header_id id;
	struct span raw;

	*f = (struct fields){ .subject = SPAN_NONE };
	if (m->header.p != NULL) {
		sort_message_field(m, HEADER_MESSAGE_ID, SPAN("Message-ID"), &f->message_id);
		sort_message_field(m, HEADER_REFERENCES, SPAN("References"), &f->references);
		sort_message_field(m, HEADER_IN_REPLY_TO, SPAN("In-Reply-To"), &f->in_reply_to);
		sort_message_field(m, HEADER_SUBJECT, SPAN("Subject"), &f->subject);
		return;
	}
	while (summary_field_next(&m->sum, &at, &id, &raw)) {
		struct span *to = field_wanted(f, id);

		if (to != NULL && to->p == NULL)
			*to = sort_field_value(raw);
	}
}

/* Step 1.A: the ids of References (else the first of In-Reply-To), each the child of the one before.  The last in *out. */
static int
link_references(struct threader *t, const struct fields *f, uint32_t *last_out)
{
	struct span field = f->references, id;
	uint32_t before = 0;
	bool more = next_id(&field, &t->id, &id), only_one = false;

	*last_out = 0;
	if (!more) {
		field = f->in_reply_to;
		more = only_one = next_id(&field, &t->id, &id);
	}
	for (; more; more = !only_one && next_id(&field, &t->id, &id)) {
		uint32_t at = node_of(t, id);

		if (at == 0)
			return -1;
		if (before != 0 && node_at(t, at)->parent == 0 && !would_circle(t, before, at))
			node_at(t, at)->parent = before;
		before = *last_out = at;
	}
	return 0;
}

/* A message's own node: that of its id, or one of its own when another message has the id already. */
static uint32_t
own_node(struct threader *t, const struct fields *f, uint32_t seq)
{
	struct span field = f->message_id, id;
	uint32_t at = 0;

	if (next_id(&field, &t->id, &id)) {
		at = node_of(t, id);
		if (at == 0)
			return 0;
		if (node_at(t, at)->seq != 0)
			at = 0;
	}
	if (at == 0)
		return node_new(t, seq);
	node_at(t, at)->seq = node_at(t, at)->order = seq;
	return at;
}

static int
fill_node(struct threader *t, const struct sort_message *m, const struct fields *f, uint32_t at)
{
	struct node *n = node_at(t, at);

	n->date = sort_message_date(m);
	buf_reset(&t->text);
	n->is_reply = f->subject.p != NULL && sort_subject(t->charsets, &t->room, f->subject, &t->text);
	n->subject = arena_dup(t->a, buf_span(&t->text));
	return n->subject.p == NULL ? too_large(t) : 0;
}

/* Step 1 for one message. */
static int
link_message(struct threader *t, const struct sort_message *m, const struct fields *f, uint32_t seq)
{
	uint32_t at = own_node(t, f, seq), parent;

	if (at == 0 || fill_node(t, m, f, at) == -1 || link_references(t, f, &parent) == -1)
		return -1;
	node_at(t, at)->parent = 0;
	if (parent != 0 && !would_circle(t, parent, at))
		node_at(t, at)->parent = parent;
	return 0;
}

/*
 * Step 3.  A dummy that is not at the top goes, and its children rise; one at the top goes when it has one child at most.
 */
static void
lift(struct threader *t, uint32_t *children)
{
	for (uint32_t i = 1; i < t->nodes.n; i++) {
		uint32_t top = node_at(t, i)->parent, p, next;

		if (top == 0)
			continue;
		while (node_at(t, top)->seq == 0 && node_at(t, top)->parent != 0)
			top = node_at(t, top)->parent;
		/* The way is made short behind us: a chain of dummies is walked once. */
		for (p = node_at(t, i)->parent; p != top; p = next) {
			next = node_at(t, p)->parent;
			node_at(t, p)->parent = top;
		}
		node_at(t, i)->parent = top;
		if (node_at(t, i)->seq != 0)
			children[top]++;
	}
	for (uint32_t i = 1; i < t->nodes.n; i++) {
		struct node *n = node_at(t, i);

		if (n->seq == 0)
			n->dead = n->parent != 0 || children[i] < 2;
		else if (n->parent != 0 && node_at(t, n->parent)->seq == 0 && children[n->parent] == 1)
			n->parent = 0;
	}
}

static bool
comes_before(const struct node *a, const struct node *b)
{
	return a->date != b->date ? a->date < b->date : a->order < b->order;
}

/* What a dummy stands for: its first child's date, place and subject. */
static void
date_dummies(struct threader *t)
{
	for (uint32_t i = 1; i < t->nodes.n; i++)
		if (node_at(t, i)->seq == 0)
			node_at(t, i)->order = 0;
	for (uint32_t i = 1; i < t->nodes.n; i++) {
		const struct node *n = node_at(t, i);
		struct node *p;

		if (n->dead || n->seq == 0 || n->parent == 0)
			continue;
		p = node_at(t, n->parent);
		if (p->seq != 0 || (p->order != 0 && !comes_before(n, p)))
			continue;
		p->date = n->date;
		p->order = n->order;
		p->subject = n->subject;
	}
}

struct sorting {
	const struct threader *t;
};

static int
node_cmp(const void *a, const void *b, void *ctx)
{
	const struct sorting *s = ctx;
	const struct node *x = node_at(s->t, *(const uint32_t *)a), *y = node_at(s->t, *(const uint32_t *)b);

	return comes_before(x, y) ? -1 : comes_before(y, x);
}

/* Step 5.C for one top thread, `at', when the table has `there'. */
static uint32_t
merge(struct threader *t, uint32_t there, uint32_t at)
{
	struct node *n = node_at(t, at), *with = node_at(t, there);
	uint32_t dummy;

	if (with->seq == 0 && n->seq == 0) {
		n->moved_to = there;
		n->dead = true;
		return there;
	}
	if (with->seq == 0 || (n->is_reply && !with->is_reply)) {
		n->parent = there;
		return there;
	}
	dummy = node_new(t, 0);
	if (dummy == 0)
		return 0;
	node_at(t, at)->parent = dummy;
	node_at(t, there)->parent = dummy;
	return dummy;
}

/* Steps 4 and 5. */
static int
gather(struct threader *t)
{
	struct array tops = ARRAY_INIT(uint32_t, NODES_MAX);
	struct hash *subjects = hash_new_in(t->a, 0, NODES_MAX);
	struct sorting s = { t };
	int rc = subjects == NULL ? too_large(t) : 0;

	for (uint32_t i = 1; i < t->nodes.n && rc == 0; i++) {
		uint32_t *slot;

		if (node_at(t, i)->dead || node_at(t, i)->parent != 0)
			continue;
		if ((slot = array_push(&tops)) == NULL)
			rc = too_large(t);
		else
			*slot = i;
	}
	if (rc == 0 && tops.n > 1)
		qsort_r(tops.p, tops.n, sizeof(uint32_t), node_cmp, &s);
	for (size_t i = 0; i < tops.n && rc == 0; i++) {
		uint32_t at = *(uint32_t *)array_at(&tops, i);
		const struct node *n = node_at(t, at), *there;
		uint32_t found;

		if (n->subject.n == 0)
			continue;
		found = (uint32_t)(uintptr_t)hash_get(subjects, n->subject);
		there = found == 0 ? NULL : node_at(t, found);
		if (there == NULL || (there->seq != 0 && (n->seq == 0 || (there->is_reply && !n->is_reply))))
			rc = hash_set(subjects, n->subject, (void *)(uintptr_t)at) ? 0 : too_large(t);
	}
	for (size_t i = 0; i < tops.n && rc == 0; i++) {
		uint32_t at = *(uint32_t *)array_at(&tops, i), found, now;
		struct span subject = node_at(t, at)->subject;

		if (subject.n == 0 || (found = (uint32_t)(uintptr_t)hash_get(subjects, subject)) == at || found == 0)
			continue;
		/* A thread that became part of another already, as the one in the table, is not merged again. */
		if (node_at(t, at)->parent != 0)
			continue;
		now = merge(t, found, at);
		rc = now == 0 ? -1 : now == found || hash_set(subjects, subject, (void *)(uintptr_t)now) ? 0 : too_large(t);
	}
	hash_free(subjects);
	array_clear(&tops);
	return rc;
}

static uint32_t
parent_of(const struct threader *t, const struct node *n)
{
	uint32_t p = n->parent;

	while (p != 0 && node_at(t, p)->moved_to != 0)
		p = node_at(t, p)->moved_to;
	return p;
}

/* Step 6, and the arrays of the answer. */
static int
arrange(struct threader *t, struct thread_tree *out)
{
	struct sorting s = { t };
	uint32_t at = 0, *fill;

	out->nodes = arena_alloc(t->a, t->nodes.n, sizeof(*out->nodes));
	out->order = arena_alloc(t->a, t->nodes.n, sizeof(*out->order));
	fill = arena_alloc(t->a, t->nodes.n, sizeof(*fill));
	if (out->nodes == NULL || out->order == NULL || fill == NULL)
		return too_large(t);
	for (uint32_t i = 1; i < t->nodes.n; i++) {
		struct node *n = node_at(t, i);

		n->parent = parent_of(t, n);
		out->nodes[i].seq = n->seq;
		if (!n->dead)
			out->nodes[n->parent].count++;
	}
	date_dummies(t);
	for (uint32_t i = 0; i < t->nodes.n; i++) {
		out->nodes[i].first = fill[i] = at;
		at += out->nodes[i].count;
	}
	for (uint32_t i = 1; i < t->nodes.n; i++)
		if (!node_at(t, i)->dead)
			out->order[fill[node_at(t, i)->parent]++] = i;
	for (uint32_t i = 0; i < t->nodes.n; i++)
		if (out->nodes[i].count > 1)
			qsort_r(out->order + out->nodes[i].first, out->nodes[i].count, sizeof(uint32_t), node_cmp, &s);
	return 0;
}

static int
by_references(struct threader *t, struct thread_tree *out)
{
	uint32_t *children = calloc(t->nodes.n, sizeof(*children));

	if (children == NULL)
		return err_set(t->e, ERR_TEMP, "out of memory");
	lift(t, children);
	free(children);
	date_dummies(t);
	return gather(t) == -1 ? -1 : arrange(t, out);
}

static int
subject_cmp(const void *a, const void *b, void *ctx)
{
	const struct sorting *s = ctx;
	int c = span_cmp(node_at(s->t, *(const uint32_t *)a)->subject, node_at(s->t, *(const uint32_t *)b)->subject);

	return c != 0 ? c : node_cmp(a, b, ctx);
}

/* Of each base subject the first message is the parent of the others. */
static int
by_subject(struct threader *t, struct thread_tree *out)
{
	uint32_t *list = calloc(t->nodes.n, sizeof(*list)), first = 0;
	struct sorting s = { t };
	size_t n = t->nodes.n - 1;

	if (list == NULL)
		return err_set(t->e, ERR_TEMP, "out of memory");
	for (uint32_t i = 0; i < n; i++)
		list[i] = i + 1;
	if (n > 1)
		qsort_r(list, n, sizeof(*list), subject_cmp, &s);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || !span_eq(node_at(t, list[i])->subject, node_at(t, first)->subject))
			first = list[i];
		else
			node_at(t, list[i])->parent = first;
	}
	free(list);
	return arrange(t, out);
}

static int
take_message(struct threader *t, enum thread_algorithm how, uint32_t seq)
{
	struct sort_message m;
	struct err why = ERR_INIT;
	struct fields f;
	uint32_t at;

	if (sort_message_get(t->box, mailbox_uid(t->box, seq), SORT_FIELDS | SORT_SENT, &m, &why) == -1) {
		if (why.code == ERR_GONE)
			return 0;
		*t->e = why;
		return -1;
	}
	find_fields(&m, &f);
	if (how == THREAD_REFERENCES)
		return link_message(t, &m, &f, seq);
	at = node_new(t, seq);
	return at == 0 ? -1 : fill_node(t, &m, &f, at);
}

int
thread_messages(struct mailbox *box, enum thread_algorithm how, const uint32_t *seqs, size_t count, struct arena *a,
    struct thread_tree *out, struct err *e)
{
	struct threader t = {
		.box = box, .a = a, .nodes = ARRAY_INIT(struct node, NODES_MAX), .e = e,
		.charsets = charset_cache_new(), .ids = hash_new_in(a, count, NODES_MAX),
		.text = BUF_INIT(65536), .room = BUF_INIT(131072), .id = BUF_INIT(2 * ID_MAX),
	};
	int rc = 0;

	if (t.ids == NULL || t.charsets == NULL || array_push(&t.nodes) == NULL)
		rc = err_set(e, ERR_TEMP, "out of memory");
	for (size_t i = 0; i < count && rc == 0; i++) {
		rc = take_message(&t, how, seqs[i]);
		if (i % BREATH == BREATH - 1)
			mailbox_read_end(box);
	}
	mailbox_read_end(box);
	if (rc == 0)
		rc = how == THREAD_REFERENCES ? by_references(&t, out) : by_subject(&t, out);
	buf_clear(&t.id);
	buf_clear(&t.text);
	buf_clear(&t.room);
	charset_cache_free(t.charsets);
	hash_free(t.ids);
	array_clear(&t.nodes);
	return rc;
}
