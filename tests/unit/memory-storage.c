/* SPDX-License-Identifier: MIT */
#include "memory-storage-priv.h"

#include <stdio.h>
#include <stdlib.h>
#include "lib-mail/crlf.h"
#include "lib-mail/header.h"
#include "lib-config/quota-rule.h"
#include "lib-storage/metadata.h"
#include "lib-storage/quota.h"

#define BOXES_MAX 64

struct storage {
	bool has_quota;			/* one root, of one rule for all */
	struct quota_root_def root;	/* in the view */
	struct quota_rule rule;
};

static struct box *boxes[BOXES_MAX];
static struct span subscribed[BOXES_MAX];
static size_t box_count, subscribed_count;
static uint32_t next_validity = 1000;
static struct storage the_storage;

struct span
memory_copy(struct span s)
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

struct box *
memory_find(struct span name)
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
	b->name = memory_copy(name);
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
	if (memory_find(SPAN("INBOX")) == NULL)
		make(SPAN("INBOX"));
	*out = &the_storage;
	return 0;
}

bool
storage_rest(struct storage *st)
{
	(void)st;
	return false;
}

bool
storage_wake(struct storage *st, int notify_fd)
{
	(void)st;
	(void)notify_fd;
	return false;
}

void
storage_close(struct storage *st)
{
	(void)st;
}

void
storage_stay(void)
{
}

int
storage_maintain(struct storage *st, struct err *e)
{
	(void)st;
	(void)e;
	return 0;
}

void
storage_maintain_soon(struct storage *st)
{
	(void)st;
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
	unsigned attrs = memory_find(name) != NULL ? MBOX_EXISTS : 0;
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

int
memory_check_name(struct span name, struct err *e)
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
	if (memory_check_name(name, e) == -1)
		return -1;
	if (memory_find(name) != NULL)
		return err_set(e, ERR_EXISTS, "exists");
	make(name);
	return 0;
}

int
storage_delete(struct storage *st, struct span name, struct err *e)
{
	struct box *b = memory_find(name);

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
	struct box *b = memory_find(from);
	size_t old = from.n;

	(void)st;
	if (memory_check_name(to, e) == -1)
		return -1;
	if (memory_find(to) != NULL)
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
		boxes[i]->name = memory_copy(buf_span(&n));
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
	if (!on || memory_check_name(name, e) == -1)
		return on ? -1 : 0;
	if (subscribed_count == BOXES_MAX)
		return err_set(e, ERR_LIMIT, "too many");
	subscribed[subscribed_count++] = memory_copy(name);
	return 0;
}

bool
memory_is_there(const struct msg *m)
{
	return m->expunged_modseq == 0;
}

int
storage_status(struct storage *st, struct span name, unsigned items, struct mailbox_status *out, struct err *e)
{
	struct box *b = memory_find(name);

	(void)st;
	(void)items;
	if (b == NULL)
		return err_set(e, ERR_NOTFOUND, "not there");
	*out = (struct mailbox_status){ .uidnext = b->uidnext, .uidvalidity = b->uidvalidity, .highestmodseq = b->modseq,
					.mailbox_id = b->uidvalidity };
	snprintf(out->id, sizeof(out->id), "M%08x", b->uidvalidity);
	for (size_t i = 0; i < b->count; i++) {
		const struct msg *m = &b->msgs[i];

		if (!memory_is_there(m))
			continue;
		out->messages++;
		out->recent += m->recent;
		out->unseen += (m->flags & MSG_SEEN) == 0;
		out->deleted += (m->flags & MSG_DELETED) != 0;
		out->size += crlf_size(m->text);
		out->deleted_storage += (m->flags & MSG_DELETED) != 0 ? crlf_size(m->text) : 0;
	}
	return 0;
}

int
storage_mailbox_id(struct storage *st, struct span name, char out[MAILBOX_ID_MAX], struct err *e)
{
	struct box *b = memory_find(name);

	(void)st;
	if (b == NULL)
		return err_set(e, ERR_NOTFOUND, "not there");
	snprintf(out, MAILBOX_ID_MAX, "M%08x", b->uidvalidity);
	return 0;
}

uint64_t
mailbox_number(const struct mailbox *box)
{
	return box->box->uidvalidity;
}

struct span
storage_listed_name(struct storage *st, struct span name, struct buf *room)
{
	(void)st;
	(void)room;
	return name;
}

uint64_t
storage_mailbox_number(struct storage *st, struct span name)
{
	struct box *b = memory_find(name);

	(void)st;
	return b == NULL ? 0 : b->uidvalidity;
}

int
storage_watch(struct storage *st, struct span name, unsigned items, uint32_t *id_out, struct mailbox_status *out, struct err *e)
{
	if (storage_status(st, name, items, out, e) == -1)
		return -1;
	*id_out = out->uidvalidity;
	return 0;
}

int
storage_watch_metadata(struct storage *st, struct span name, uint32_t *id_out, struct err *e)
{
	(void)st;
	if (name.n > 0 && memory_find(name) == NULL)
		return err_set(e, ERR_NOTFOUND, "not there");
	*id_out = 1;
	return 0;
}

void
storage_unwatch(struct storage *st, uint32_t id)
{
	(void)st;
	(void)id;
}

void
storage_watch_lists(struct storage *st, bool on)
{
	(void)st;
	(void)on;
}

void
storage_read_notices(struct storage *st, struct storage_notices *n)
{
	(void)st;
	n->any = n->kicked = false;
	n->gone = true;
}

const struct mail_limits *
mailbox_limits(const struct mailbox *box)
{
	(void)box;
	return &the_limits;
}

/* ---- annotations: there are none ---- */

struct span
metadata_name(struct span name, struct arena *a, const char **why_out)
{
	*why_out = "Entry name can not be kept";
	return arena_dup(a, name);
}

bool
metadata_is_settable(bool server, struct span name)
{
	(void)server;
	(void)name;
	return false;
}

size_t
storage_metadata_value_max(const struct storage *st)
{
	(void)st;
	return 0;
}

int
storage_metadata_get(struct storage *st, struct span mailbox, const struct span *names, size_t count, uint32_t depth,
    struct arena *a, struct metadata **out, size_t *count_out, struct err *e)
{
	(void)st;
	(void)mailbox;
	*count_out = depth == 0 ? count : 0;
	*out = arena_alloc(a, count + 1, sizeof(**out));
	for (size_t i = 0; *out != NULL && i < *count_out; i++)
		(*out)[i].name = names[i];
	return *out == NULL ? err_set(e, ERR_LIMIT, "out of memory") : 0;
}

int
storage_metadata_set(struct storage *st, struct span mailbox, const struct metadata *set, size_t count, struct err *e)
{
	(void)st;
	(void)mailbox;
	(void)set;
	(void)count;
	return err_set(e, ERR_DENIED, "annotations are not kept");
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

int
memory_quota_allows(uint64_t bytes, uint64_t messages, struct err *e)
{
	const struct storage *st = &the_storage;
	struct quota_status s = quota_now(st);

	if (st->has_quota && ((s.bytes_limited && s.bytes + bytes > s.bytes_limit) ||
	    (s.messages_limited && s.messages + messages > s.messages_limit)))
		return err_set(e, ERR_OVERQUOTA, "full");
	return 0;
}

int
storage_quota_fits(struct storage *st, struct span mailbox, uint64_t size, struct err *e)
{
	(void)st;
	(void)mailbox;
	return memory_quota_allows(size, 1, e);
}
