/* SPDX-License-Identifier: MIT */
#include "memory-storage.h"

#include <stdlib.h>
#include "lib-mail/crlf.h"
#include "lib-mail/header.h"
#include "lib-config/quota-rule.h"
#include "lib-storage/quota.h"

#define BOXES_MAX 64
#define MSGS_MAX 4096
#define KEYWORDS_MAX 64

struct msg {
	uint32_t uid;
	unsigned flags;
	uint64_t keywords, modseq;
	int64_t date;
	struct span text;		/* owned */
	uint64_t expunged_modseq;	/* 0: it is there */
	bool recent;
};

struct box {
	struct span name;	/* owned; p NULL: deleted */
	uint32_t uidvalidity, uidnext;
	uint64_t modseq;
	struct msg msgs[MSGS_MAX];
	size_t count;
	struct span keywords[KEYWORDS_MAX];	/* owned */
	size_t keyword_count;
};

struct storage {
	bool has_quota;			/* one root, of one rule for all */
	struct quota_root_def root;	/* in the view */
	struct quota_rule rule;
};

struct mailbox {
	struct box *box;
	bool read_only;
	uint32_t *uids, count;		/* the view */
	uint64_t modseq;
	size_t keyword_count;
	bool recent[MSGS_MAX];
	struct view_change expunged[MSGS_MAX];
	uint32_t flags[MSGS_MAX];
	struct buf summary;
	struct span names[KEYWORDS_MAX];
	bool opened_deleted;
	uint32_t uidvalidity;
};

static struct box *boxes[BOXES_MAX];
static struct span subscribed[BOXES_MAX];
static size_t box_count, subscribed_count;
static uint32_t next_validity = 1000;
static struct storage the_storage;

static struct span
copy(struct span s)
{
	char *p = malloc(s.n + 1);

	if (p == NULL)
		abort();
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return span_of(p, s.n);
}

static void
drop(struct span *s)
{
	free((char *)(uintptr_t)s->p);
	*s = SPAN_NONE;
}

static struct box *
find(struct span name)
{
	for (size_t i = 0; i < box_count; i++)
		if (boxes[i]->name.p != NULL && span_eq(boxes[i]->name, name))
			return boxes[i];
	return NULL;
}

static struct box *
make(struct span name)
{
	struct box *b = calloc(1, sizeof(*b));

	if (b == NULL)
		abort();
	b->name = copy(name);
	b->uidvalidity = next_validity++;
	b->uidnext = 1;
	b->modseq = 1;
	boxes[box_count++] = b;
	return b;
}

void
memory_storage_reset(void)
{
	for (size_t i = 0; i < box_count; i++) {
		for (size_t k = 0; k < boxes[i]->count; k++)
			drop(&boxes[i]->msgs[k].text);
		for (size_t k = 0; k < boxes[i]->keyword_count; k++)
			drop(&boxes[i]->keywords[k]);
		drop(&boxes[i]->name);
		free(boxes[i]);
	}
	for (size_t i = 0; i < subscribed_count; i++)
		drop(&subscribed[i]);
	box_count = subscribed_count = 0;
	next_validity = 1000;
}

/* ---- storage.h ---- */

static struct mail_limits the_limits = MAIL_LIMITS_DEFAULT;

int
storage_open(const struct storage_params *p, struct storage **out, struct err *e)
{
	if (p != NULL && p->view != NULL) {
		struct storage *st = &the_storage;

		st->has_quota = set_list_has(p->view, SET_mail_plugins, SPAN("quota"));
		if (st->has_quota && (quota_root_parse(set_plugin(p->view, "quota"), &st->root, e) == -1 ||
		    quota_rule_parse(set_plugin(p->view, "quota_rule"), &st->rule, e) == -1))
			return -1;
		the_limits.mime_depth = (unsigned)set_num(p->view, SET_mail_max_mime_depth);
		the_limits.mime_parts = (unsigned)set_num(p->view, SET_mail_max_mime_parts);
	}
	if (find(SPAN("INBOX")) == NULL)
		make(SPAN("INBOX"));
	*out = &the_storage;
	return 0;
}

void
storage_close(struct storage *st)
{
	(void)st;
}

int
storage_maintain(struct storage *st, struct err *e)
{
	(void)st;
	(void)e;
	return 0;
}

int
storage_maintain_due_ms(const struct storage *st)
{
	(void)st;
	return -1;
}

size_t
storage_namespaces(const struct storage *st, const struct namespace_info **out)
{
	static const struct namespace_info ns = { .prefix = { "", 0 }, .separator = '/', .type = NS_PRIVATE, .list = true,
						  .inbox = true, .subscriptions = true };

	(void)st;
	*out = &ns;
	return 1;
}

char
storage_separator(const struct storage *st, struct span name)
{
	(void)st;
	(void)name;
	return '/';
}

static bool
is_below(struct span child, struct span name)
{
	return child.n > name.n && span_starts(child, name) && child.p[name.n] == '/';
}

static unsigned
attrs_of(struct span name)
{
	static const struct {
		struct span name;
		unsigned use;
	} uses[] = { { SPAN("Drafts"), MBOX_USE_DRAFTS }, { SPAN("Sent"), MBOX_USE_SENT }, { SPAN("Trash"), MBOX_USE_TRASH } };
	unsigned attrs = find(name) != NULL ? MBOX_EXISTS : 0;
	bool children = false;

	for (size_t i = 0; i < box_count; i++)
		children = children || (boxes[i]->name.p != NULL && is_below(boxes[i]->name, name));
	for (size_t i = 0; i < subscribed_count; i++)
		if (span_eq(subscribed[i], name))
			attrs |= MBOX_SUBSCRIBED;
	for (size_t i = 0; i < 3; i++)
		if (span_eq(uses[i].name, name) && (attrs & MBOX_EXISTS) != 0)
			attrs |= uses[i].use;
	if (children)
		attrs |= MBOX_CHILDREN;
	else if ((attrs & MBOX_EXISTS) != 0)
		attrs |= MBOX_NO_CHILDREN;
	return attrs;
}

int
storage_mailbox_info(struct storage *st, struct span name, struct mailbox_info *out, struct err *e)
{
	(void)st;
	(void)e;
	*out = (struct mailbox_info){ name, attrs_of(name), '/' };
	if ((out->attrs & MBOX_EXISTS) == 0)
		out->attrs = 0;
	return 0;
}

static int
info_cmp(const void *a, const void *b)
{
	const struct mailbox_info *x = a, *y = b;
	bool xi = span_eq(x->name, SPAN("INBOX")), yi = span_eq(y->name, SPAN("INBOX"));

	return xi != yi ? yi - xi : span_cmp(x->name, y->name);
}

static void
list_add(struct mailbox_info *list, size_t *n, struct span name)
{
	for (size_t i = 0; i < *n; i++)
		if (span_eq(list[i].name, name))
			return;
	list[(*n)++] = (struct mailbox_info){ name, attrs_of(name), '/' };
}

int
storage_list(struct storage *st, struct arena *a, struct mailbox_info **out, size_t *count_out, struct err *e)
{
	struct mailbox_info *list = arena_alloc(a, 4096, sizeof(*list));
	size_t n = 0;

	(void)st;
	if (list == NULL)
		return err_set(e, ERR_LIMIT, "no room");
	for (size_t i = 0; i < box_count; i++) {
		if (boxes[i]->name.p == NULL)
			continue;
		list_add(list, &n, boxes[i]->name);
		for (size_t k = 1; k < boxes[i]->name.n && n < 3000; k++)
			if (boxes[i]->name.p[k] == '/')
				list_add(list, &n, span_sub(boxes[i]->name, 0, k));
	}
	for (size_t i = 0; i < subscribed_count; i++)
		list_add(list, &n, subscribed[i]);
	qsort(list, n, sizeof(*list), info_cmp);
	for (size_t i = 0; i < n; i++)
		list[i].name = arena_dup(a, list[i].name);
	*out = list;
	*count_out = n;
	return 0;
}

static int
check_name(struct span name, struct err *e)
{
	if (name.n == 0 || name.p[0] == '/' || name.p[name.n - 1] == '/' || span_find(name, SPAN("//")) != SIZE_MAX)
		return err_set(e, ERR_SYNTAX, "bad name");
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < ' ')
			return err_set(e, ERR_SYNTAX, "bad name");
	return box_count == BOXES_MAX ? err_set(e, ERR_LIMIT, "too many") : 0;
}

int
storage_create(struct storage *st, struct span name, bool only_parent, struct err *e)
{
	(void)st;
	(void)only_parent;
	if (check_name(name, e) == -1)
		return -1;
	if (find(name) != NULL)
		return err_set(e, ERR_EXISTS, "exists");
	make(name);
	return 0;
}

int
storage_delete(struct storage *st, struct span name, struct err *e)
{
	struct box *b = find(name);

	(void)st;
	if (b == NULL)
		return err_set(e, ERR_NOTFOUND, "not there");
	drop(&b->name);
	return 0;
}

int
storage_list_starting(struct storage *st, const struct span *starts, size_t start_count, struct arena *a,
    struct mailbox_info **out, size_t *count_out, struct err *e)
{
	(void)starts;
	(void)start_count;
	return storage_list(st, a, out, count_out, e);
}

bool
storage_has_acl(const struct storage *st)
{
	(void)st;
	return false;
}

bool
storage_acl_anyone(const struct storage *st)
{
	(void)st;
	return false;
}

int
storage_rights(struct storage *st, struct span name, unsigned *out, struct err *e)
{
	(void)st;
	(void)name;
	(void)e;
	*out = ACL_ALL;
	return 0;
}

int
storage_acl(struct storage *st, struct span name, unsigned need, struct arena *a, struct acl_list *out, struct span *owner_out,
    struct err *e)
{
	(void)st;
	(void)name;
	(void)need;
	(void)a;
	(void)out;
	(void)owner_out;
	return err_set(e, ERR_DENIED, "no access control");
}

int
storage_acl_change(struct storage *st, struct span name, unsigned need, const struct acl_entry *change, enum acl_change how,
    struct err *e)
{
	(void)st;
	(void)name;
	(void)need;
	(void)change;
	(void)how;
	return err_set(e, ERR_DENIED, "no access control");
}

unsigned
mailbox_rights(const struct mailbox *box)
{
	(void)box;
	return ACL_ALL;
}

unsigned
mailbox_permanent_flags(const struct mailbox *box, bool *keywords_out)
{
	*keywords_out = !box->read_only;
	return box->read_only ? 0 : MSG_SEEN | MSG_ANSWERED | MSG_FLAGGED | MSG_DELETED | MSG_DRAFT | MSG_PASSED;
}

int
storage_autoexpunge(struct storage *st, uint64_t *count_out, struct err *e)
{
	(void)st;
	(void)e;
	*count_out = 0;
	return 0;
}

bool
storage_can_rename(struct storage *st, struct span from, struct span to)
{
	(void)st;
	(void)from;
	(void)to;
	return true;
}

int
storage_rename(struct storage *st, struct span from, struct span to, struct err *e)
{
	struct box *b = find(from);
	size_t old = from.n;

	(void)st;
	if (check_name(to, e) == -1)
		return -1;
	if (find(to) != NULL)
		return err_set(e, ERR_EXISTS, "exists");
	if (b == NULL)
		return err_set(e, ERR_NOTFOUND, "not there");
	if (is_below(to, from))
		return err_set(e, ERR_SYNTAX, "below itself");
	for (size_t i = 0; i < box_count; i++) {
		struct span name = boxes[i]->name;
		struct buf n = BUF_INIT(4096);

		if (name.p == NULL || (boxes[i] != b && !is_below(name, from)))
			continue;
		buf_add(&n, to);
		buf_add(&n, span_from(name, old));
		boxes[i]->name = copy(buf_span(&n));
		drop(&name);
		buf_clear(&n);
	}
	if (span_eq(from, SPAN("INBOX")))
		make(SPAN("INBOX"));
	return 0;
}

int
storage_subscribe(struct storage *st, struct span name, bool on, struct err *e)
{
	(void)st;
	for (size_t i = 0; i < subscribed_count; i++) {
		if (!span_eq(subscribed[i], name))
			continue;
		if (!on) {
			drop(&subscribed[i]);
			subscribed[i] = subscribed[--subscribed_count];
		}
		return 0;
	}
	if (!on || check_name(name, e) == -1)
		return on ? -1 : 0;
	if (subscribed_count == BOXES_MAX)
		return err_set(e, ERR_LIMIT, "too many");
	subscribed[subscribed_count++] = copy(name);
	return 0;
}

static bool
there(const struct msg *m)
{
	return m->expunged_modseq == 0;
}

int
storage_status(struct storage *st, struct span name, unsigned items, struct mailbox_status *out, struct err *e)
{
	struct box *b = find(name);

	(void)st;
	(void)items;
	if (b == NULL)
		return err_set(e, ERR_NOTFOUND, "not there");
	*out = (struct mailbox_status){ .uidnext = b->uidnext, .uidvalidity = b->uidvalidity, .highestmodseq = b->modseq,
					.mailbox_id = b->uidvalidity };
	for (size_t i = 0; i < b->count; i++) {
		const struct msg *m = &b->msgs[i];

		if (!there(m))
			continue;
		out->messages++;
		out->recent += m->recent;
		out->unseen += (m->flags & MSG_SEEN) == 0;
		out->deleted += (m->flags & MSG_DELETED) != 0;
		out->size += crlf_size(m->text);
	}
	return 0;
}

/* ---- mailbox.h: the view ---- */

static struct msg *
msg_of(struct mailbox *box, uint32_t uid, struct err *e)
{
	struct box *b = box->box;

	for (size_t i = 0; i < b->count; i++)
		if (b->msgs[i].uid == uid && there(&b->msgs[i]))
			return &b->msgs[i];
	err_set(e, ERR_GONE, "UID %u is gone", uid);
	return NULL;
}

static void
view_load(struct mailbox *box)
{
	struct box *b = box->box;

	box->count = 0;
	for (size_t i = 0; i < b->count; i++) {
		if (!there(&b->msgs[i]))
			continue;
		box->uids[box->count++] = b->msgs[i].uid;
		if (b->msgs[i].recent) {
			box->recent[i] = true;
			b->msgs[i].recent = box->read_only;
		}
	}
	box->modseq = b->modseq;
	box->keyword_count = b->keyword_count;
}

int
mailbox_open(struct storage *st, struct span name, enum mailbox_mode mode, struct mailbox **out, struct err *e)
{
	struct box *b = find(name);
	struct mailbox *box;

	(void)st;
	if (b == NULL)
		return check_name(name, e) == -1 ? -1 : err_set(e, ERR_NOTFOUND, "not there");
	box = calloc(1, sizeof(*box));
	if (box == NULL || (box->uids = calloc(MSGS_MAX, sizeof(uint32_t))) == NULL)
		abort();
	box->box = b;
	box->uidvalidity = b->uidvalidity;
	box->read_only = mode == MAILBOX_READ;
	buf_init(&box->summary, 1 << 20);
	if (mode < MAILBOX_SAVE)
		view_load(box);
	*out = box;
	return 0;
}

void
mailbox_close(struct mailbox *box)
{
	if (box == NULL)
		return;
	buf_clear(&box->summary);
	free(box->uids);
	free(box);
}

struct span
mailbox_name(const struct mailbox *box)
{
	return box->box->name;
}

bool
mailbox_is_readonly(const struct mailbox *box)
{
	return box->read_only;
}

bool
mailbox_is_recent(const struct mailbox *box, uint32_t uid)
{
	for (size_t i = 0; i < box->box->count; i++)
		if (box->box->msgs[i].uid == uid)
			return box->recent[i];
	return false;
}

void
mailbox_view_state(struct mailbox *box, struct mailbox_view_state *out)
{
	*out = (struct mailbox_view_state){ .uidvalidity = box->box->uidvalidity, .uidnext = box->box->uidnext,
					    .mailbox_id = box->box->uidvalidity, .highestmodseq = box->modseq };
	for (uint32_t seq = 1; seq <= box->count; seq++) {
		struct err e = ERR_INIT;
		struct msg *m = msg_of(box, box->uids[seq - 1], &e);

		out->recent += mailbox_is_recent(box, box->uids[seq - 1]);
		if (m != NULL && out->first_unseen == 0 && (m->flags & MSG_SEEN) == 0)
			out->first_unseen = seq;
	}
}

uint32_t
mailbox_count(const struct mailbox *box)
{
	return box->count;
}

uint32_t
mailbox_uid(const struct mailbox *box, uint32_t seq)
{
	return seq == 0 || seq > box->count ? 0 : box->uids[seq - 1];
}

uint32_t
mailbox_seq_from(const struct mailbox *box, uint32_t uid)
{
	uint32_t seq = 1;

	while (seq <= box->count && box->uids[seq - 1] < uid)
		seq++;
	return seq;
}

uint32_t
mailbox_seq(const struct mailbox *box, uint32_t uid)
{
	uint32_t seq = mailbox_seq_from(box, uid);

	return seq <= box->count && box->uids[seq - 1] == uid ? seq : 0;
}

int
mailbox_sync(struct mailbox *box, bool expunges, struct view_changes *out, struct err *e)
{
	struct box *b = box->box;
	uint32_t last = box->count == 0 ? 0 : box->uids[box->count - 1];

	(void)e;
	*out = (struct view_changes){ .expunged = box->expunged, .flags = box->flags, .old_count = box->count };
	out->gone = b->name.p == NULL || b->uidvalidity != box->uidvalidity;
	for (uint32_t seq = box->count; expunges && seq > 0; seq--) {
		struct err gone = ERR_INIT;

		if (msg_of(box, box->uids[seq - 1], &gone) != NULL)
			continue;
		box->expunged[out->expunged_count++] = (struct view_change){ box->uids[seq - 1], seq };
		memmove(&box->uids[seq - 1], &box->uids[seq], (box->count - seq) * sizeof(uint32_t));
		box->count--;
	}
	for (size_t i = 0; i < b->count; i++) {
		struct msg *m = &b->msgs[i];

		if (!there(m) || m->modseq <= box->modseq)
			continue;
		if (m->uid > last) {
			box->uids[box->count++] = m->uid;
			box->recent[i] = m->recent;
			m->recent = m->recent && box->read_only;
			out->exists_changed = true;
		} else
			box->flags[out->flags_count++] = m->uid;
	}
	out->keywords_changed = box->keyword_count != b->keyword_count;
	box->keyword_count = b->keyword_count;
	box->modseq = b->modseq;
	return 0;
}

int
mailbox_since(struct mailbox *box, uint64_t modseq, struct arena *a, struct mailbox_since *out, struct err *e)
{
	struct box *b = box->box;

	*out = (struct mailbox_since){ .complete = modseq > 1 };	/* 1: as if the log had been pruned */
	out->expunged.uids = arena_alloc(a, b->count + 1, sizeof(uint32_t));
	out->changed.uids = arena_alloc(a, b->count + 1, sizeof(uint32_t));
	if (out->expunged.uids == NULL || out->changed.uids == NULL)
		return err_set(e, ERR_LIMIT, "no room");
	for (size_t i = 0; i < b->count; i++) {
		bool viewed = mailbox_seq(box, b->msgs[i].uid) != 0;

		if (b->msgs[i].expunged_modseq > modseq && !viewed && out->complete)
			out->expunged.uids[out->expunged.count++] = b->msgs[i].uid;
		else if (there(&b->msgs[i]) && viewed && b->msgs[i].modseq > modseq)
			out->changed.uids[out->changed.count++] = b->msgs[i].uid;
	}
	return 0;
}

size_t
mailbox_view_runs(const struct mailbox *box, size_t at, struct uid_range *out, size_t room)
{
	size_t n = 0;

	for (; n < room && at + n < box->count; n++)
		out[n].first = out[n].last = box->uids[at + n];
	return n;
}

int
mailbox_view_restore(struct mailbox *box, const struct uid_range *uids, size_t count, uint32_t uidnext, uint64_t modseq,
    struct err *e)
{
	(void)box, (void)uids, (void)count, (void)uidnext, (void)modseq;
	return err_set(e, ERR_GONE, "nobody wakes up here");
}

/* ---- reading ---- */

int
mailbox_get(struct mailbox *box, uint32_t uid, struct msg_rec *out, struct err *e)
{
	struct msg *m = msg_of(box, uid, e);

	if (m == NULL)
		return -1;
	*out = (struct msg_rec){ .uid = uid, .flags = m->flags, .keywords = m->keywords, .modseq = m->modseq,
				 .internal_date = m->date, .save_date = m->date, .size = crlf_size(m->text),
				 .physical_size = m->text.n };
	return 0;
}

int
mailbox_summary(struct mailbox *box, uint32_t uid, unsigned need, struct summary_view *out, struct err *e)
{
	struct msg *m = msg_of(box, uid, e);
	struct arena *a;
	int rc;

	(void)need;
	if (m == NULL)
		return -1;
	a = arena_new(MAIL_ARENA_MAX);
	buf_reset(&box->summary);
	rc = a == NULL ? -1 : summary_from_message(&box->summary, a, m->text, &MAIL_LIMITS_DEFAULT);
	arena_free(a);
	if (rc == -1 || !summary_view(buf_span(&box->summary), out))
		return err_set(e, ERR_TEMP, "no summary");
	return 0;
}

int
mailbox_size(struct mailbox *box, uint32_t uid, uint64_t *out, struct err *e)
{
	struct msg *m = msg_of(box, uid, e);

	if (m != NULL)
		*out = crlf_size(m->text);
	return m == NULL ? -1 : 0;
}

void
mailbox_read_end(struct mailbox *box)
{
	/* What came from the index is not to be used any more: let a sanitizer see it. */
	if (box->summary.n > 0)
		memset(box->summary.p, 'x', box->summary.n);
}

int
mailbox_body(struct mailbox *box, uint32_t uid, struct span *out, struct err *e)
{
	struct msg *m = msg_of(box, uid, e);

	if (m != NULL)
		*out = m->text;
	return m == NULL ? -1 : 0;
}

int
mailbox_header(struct mailbox *box, uint32_t uid, struct span *out, struct err *e)
{
	struct msg *m = msg_of(box, uid, e);

	if (m != NULL)
		*out = span_sub(m->text, 0, header_size(m->text));
	return m == NULL ? -1 : 0;
}

/* ---- keywords ---- */

size_t
mailbox_keywords(struct mailbox *box, const struct span **names_out)
{
	memcpy(box->names, box->box->keywords, sizeof(box->names));
	*names_out = box->names;
	return box->box->keyword_count;
}

bool
mailbox_keywords_full(struct mailbox *box)
{
	return box->box->keyword_count == KEYWORDS_MAX;
}

int
mailbox_keyword_mask(struct mailbox *box, const struct span *names, size_t count, bool create, uint64_t *out,
    struct err *e)
{
	struct box *b = box->box;

	*out = 0;
	for (size_t i = 0; i < count; i++) {
		size_t bit = 0;

		while (bit < b->keyword_count && !span_ieq(b->keywords[bit], names[i]))
			bit++;
		if (bit == b->keyword_count) {
			if (!create)
				continue;
			if (bit == KEYWORDS_MAX || names[i].n > 50)
				return err_set(e, ERR_LIMIT, "too many keywords");
			b->keywords[b->keyword_count++] = copy(names[i]);
		}
		*out |= 1ULL << bit;
	}
	return 0;
}

/* ---- changing ---- */

int
mailbox_store(struct mailbox *box, const uint32_t *uids, size_t count, const struct flag_change *fc, struct arena *a,
    struct uid_list *modified, struct uid_list *changed, struct err *e)
{
	uint64_t modseq = box->box->modseq + 1;

	if (modified != NULL)
		*modified = (struct uid_list){ arena_alloc(a, count + 1, sizeof(uint32_t)), 0 };
	if (changed != NULL)
		*changed = (struct uid_list){ arena_alloc(a, count + 1, sizeof(uint32_t)), 0 };
	for (size_t i = 0; i < count; i++) {
		struct msg *m = msg_of(box, uids[i], e);
		unsigned flags;
		uint64_t keywords;

		if (m == NULL)
			continue;
		if (fc->conditional && m->modseq > fc->unchanged_since) {
			modified->uids[modified->count++] = m->uid;
			continue;
		}
		flags = fc->op == FLAGS_SET ? fc->flags : fc->op == FLAGS_ADD ? m->flags | fc->flags : m->flags & ~fc->flags;
		keywords = fc->op == FLAGS_SET ? fc->keywords : fc->op == FLAGS_ADD ? m->keywords | fc->keywords :
		    m->keywords & ~fc->keywords;
		if (flags == m->flags && keywords == m->keywords)
			continue;
		m->flags = flags;
		m->keywords = keywords;
		m->modseq = box->box->modseq = modseq;
		if (changed != NULL)
			changed->uids[changed->count++] = m->uid;
	}
	return 0;
}

int
mailbox_expunge(struct mailbox *box, const uint32_t *uids, size_t count, bool any, struct err *e)
{
	struct box *b = box->box;
	uint64_t modseq = b->modseq + 1;

	(void)e;
	for (size_t i = 0, k = 0; i < b->count; i++) {
		struct msg *m = &b->msgs[i];

		while (k < count && uids[k] < m->uid)
			k++;
		if (!there(m) || (!any && (m->flags & MSG_DELETED) == 0) || (uids != NULL && (k == count || uids[k] != m->uid)))
			continue;
		m->expunged_modseq = b->modseq = modseq;
	}
	return 0;
}

static struct msg *
add(struct box *b, struct span text, unsigned flags, uint64_t keywords, int64_t date)
{
	struct msg *m;

	if (b->count == MSGS_MAX)
		return NULL;
	m = &b->msgs[b->count++];
	*m = (struct msg){ .uid = b->uidnext++, .flags = flags, .keywords = keywords, .modseq = ++b->modseq, .date = date,
			   .text = copy(text), .recent = true };
	return m;
}

/* ---- quota ---- */

bool
storage_has_quota(const struct storage *st)
{
	return st->has_quota;
}

struct span
storage_quota_words(const struct storage *st)
{
	(void)st;
	return SPAN("Quota exceeded (mailbox for user is full)");
}

static struct quota_status
quota_now(const struct storage *st)
{
	struct quota_status s = { .root = st->root.name, .hidden = st->root.hidden };

	s.bytes_limited = st->rule.limits.bytes.n > 0;
	s.bytes_limit = (uint64_t)st->rule.limits.bytes.n;
	s.messages_limited = st->rule.limits.messages.n > 0;
	s.messages_limit = (uint64_t)st->rule.limits.messages.n;
	for (size_t i = 0; i < box_count; i++)
		for (size_t k = 0; boxes[i]->name.p != NULL && k < boxes[i]->count; k++)
			if (boxes[i]->msgs[k].expunged_modseq == 0) {
				s.bytes += crlf_size(boxes[i]->msgs[k].text);
				s.messages++;
			}
	return s;
}

int
storage_quota(struct storage *st, struct span mailbox, struct arena *a, struct quota_status **out, size_t *count_out,
    struct err *e)
{
	(void)mailbox;
	*count_out = 1;
	*out = arena_alloc(a, 1, sizeof(**out));
	if (*out == NULL)
		return err_set(e, ERR_LIMIT, "no room");
	**out = quota_now(st);
	return 0;
}

static int
quota_allows(const struct storage *st, uint64_t bytes, uint64_t messages, struct err *e)
{
	struct quota_status s = quota_now(st);

	if (st->has_quota && ((s.bytes_limited && s.bytes + bytes > s.bytes_limit) ||
	    (s.messages_limited && s.messages + messages > s.messages_limit)))
		return err_set(e, ERR_OVERQUOTA, "full");
	return 0;
}

int
storage_quota_fits(struct storage *st, struct span mailbox, uint64_t size, struct err *e)
{
	(void)mailbox;
	return quota_allows(st, size, 1, e);
}

int
mailbox_copy(struct mailbox *box, const uint32_t *uids, size_t count, struct mailbox *target, bool move, struct arena *a,
    struct copy_result *out, struct err *e)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		struct msg *m = msg_of(box, uids[i], e);

		bytes += m == NULL ? 0 : crlf_size(m->text);
	}
	if (!move && quota_allows(&the_storage, bytes, count, e) == -1)
		return -1;
	out->uidvalidity = target->box->uidvalidity;
	out->from = (struct uid_list){ arena_alloc(a, count + 1, sizeof(uint32_t)), 0 };
	out->to = (struct uid_list){ arena_alloc(a, count + 1, sizeof(uint32_t)), 0 };
	for (size_t i = 0; i < count; i++) {
		struct msg *m = msg_of(box, uids[i], e), *to;
		uint64_t mask = 0;

		if (m == NULL)
			continue;
		for (size_t bit = 0; bit < box->box->keyword_count; bit++) {
			uint64_t one = 0;

			if ((m->keywords & (1ULL << bit)) != 0 &&
			    mailbox_keyword_mask(target, &box->box->keywords[bit], 1, true, &one, e) == 0)
				mask |= one;
		}
		to = add(target->box, m->text, m->flags, mask, m->date);
		if (to == NULL)
			return err_set(e, ERR_QUOTA, "full");
		out->from.uids[out->from.count++] = m->uid;
		out->to.uids[out->to.count++] = to->uid;
		if (move)
			m->expunged_modseq = ++box->box->modseq;
	}
	return 0;
}

/* ---- saving ---- */

struct saver {
	struct mailbox *target;
	struct {
		struct buf text;
		struct save_params p;
	} msgs[32];
	size_t count;
};

int
saver_new(struct mailbox *target, struct saver **out, struct err *e)
{
	struct saver *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	s->target = target;
	*out = s;
	return 0;
}

int
saver_begin(struct saver *s, const struct save_params *p, struct err *e)
{
	if (s->count == 32)
		return err_set(e, ERR_LIMIT, "too many");
	buf_init(&s->msgs[s->count].text, 64 << 20);
	s->msgs[s->count++].p = *p;
	return 0;
}

int
saver_write(struct saver *s, struct span bytes, struct err *e)
{
	struct buf *b = &s->msgs[s->count - 1].text;

	buf_add(b, bytes);
	return b->failed ? err_set(e, ERR_QUOTA, "full") : 0;
}

int
saver_finish(struct saver *s, struct err *e)
{
	(void)s;
	(void)e;
	return 0;
}

int
saver_commit(struct saver *s, struct arena *a, uint32_t *uidvalidity_out, struct uid_list *uids_out, struct err *e)
{
	uint64_t bytes = 0;

	*uids_out = (struct uid_list){ arena_alloc(a, s->count + 1, sizeof(uint32_t)), 0 };
	*uidvalidity_out = s->target->box->uidvalidity;
	if (uids_out->uids == NULL)
		return err_set(e, ERR_LIMIT, "no room");
	for (size_t i = 0; i < s->count; i++)
		bytes += crlf_size(buf_span(&s->msgs[i].text));
	if (quota_allows(&the_storage, bytes, s->count, e) == -1)
		return -1;
	for (size_t i = 0; i < s->count; i++) {
		const struct save_params *p = &s->msgs[i].p;
		struct msg *m = add(s->target->box, buf_span(&s->msgs[i].text), p->flags, p->keywords,
		    p->internal_date == INT64_MIN ? 1700000000 : p->internal_date);

		if (m == NULL)
			return err_set(e, ERR_QUOTA, "full");
		uids_out->uids[uids_out->count++] = m->uid;
	}
	return 0;
}

void
saver_free(struct saver *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++)
		buf_clear(&s->msgs[i].text);
	free(s);
}

/* ---- notification: none ---- */

int
mailbox_watch(struct mailbox *box, bool on, struct err *e)
{
	(void)box;
	(void)on;
	(void)e;
	return 0;
}

bool
mailbox_watch_read(struct mailbox *box, bool *gone_out, bool *kicked_out)
{
	(void)box;
	*gone_out = true;
	*kicked_out = false;
	return false;
}

void
mailbox_watch_key(const struct mailbox *box, char key_out[32], size_t *n_out, int dirs_out[2])
{
	key_out[0] = (char)box->box->uidvalidity;
	*n_out = 1;
	dirs_out[0] = dirs_out[1] = -1;
}

const struct mail_limits *
mailbox_limits(const struct mailbox *box)
{
	(void)box;
	return &the_limits;
}
