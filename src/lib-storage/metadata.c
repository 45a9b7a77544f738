/* SPDX-License-Identifier: MIT */
#include "lib-storage/metadata.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/sys.h"
#include "lib-storage/metadata-dict.h"
#include "lib-storage/storage-priv.h"

#define ARENA_MAX (4 * METADATA_FILE_MAX)
#define FILE_NAME_MAX 64
#define DICT_FILE_MAX ((size_t)8 << 20)
#define PRIVATE SPAN("/private")
#define SHARED SPAN("/shared")

struct span
metadata_name(struct span name, struct arena *a, const char **why_out)
{
	char *out;

	*why_out = "Entry name must begin with /private/ or /shared/";
	if (name.n > METADATA_NAME_MAX) {
		*why_out = "Entry name is too long";
		return SPAN_NONE;
	}
	if (!span_istarts(name, SPAN("/private/")) && !span_istarts(name, SPAN("/shared/")))
		return SPAN_NONE;
	out = arena_alloc(a, name.n + 1, 1);
	for (size_t i = 0; i < name.n && out != NULL; i++) {
		out[i] = ascii_lower(name.p[i]);
		if (name.p[i] < ' ' || name.p[i] > '~' || name.p[i] == '*' || name.p[i] == '%') {
			*why_out = "Entry name has a character that it can not have";
			return SPAN_NONE;
		}
		if (name.p[i] == '/' && (i + 1 == name.n || name.p[i + 1] == '/')) {
			*why_out = "Entry name has an empty component";
			return SPAN_NONE;
		}
	}
	return out == NULL ? SPAN_NONE : span_of(out, name.n);
}

bool
metadata_is_settable(bool server, struct span name)
{
	if (server)
		return !span_eq(name, SPAN("/shared/comment")) && !span_eq(name, SPAN("/shared/admin"));
	return !span_eq(name, SPAN("/private/specialuse"));
}

/* Where annotations are: a directory, the name of the file in it, and who "private" is. */
struct place {
	struct namespace *ns;		/* NULL: the server */
	struct buf inner;
	int dir;			/* -1: nothing can be kept there */
	char file[FILE_NAME_MAX];
	struct span user;
	bool takes_over;		/* while there is no file, what Dovecot's dictionary has of it holds: */
	char guid[65];			/* of the mailbox there; empty: it has nothing of it */
};

static void
place_clear(struct place *p)
{
	buf_clear(&p->inner);
	if (p->dir != -1)
		close(p->dir);
}

static struct namespace *
inbox_namespace(struct storage *st)
{
	for (size_t i = 0; i < st->ns_count; i++)
		if (st->ns[i].info.inbox)
			return &st->ns[i];
	return NULL;
}

static void
open_dir(struct place *p, const struct namespace *ns, struct span inner, const char *behind)
{
	const struct driver *drv = ns->store->drv;
	struct err e = ERR_INIT;

	if (drv->metadata == NULL || drv->box_dir == NULL || drv->box_dir(ns->store->handle, inner, &p->dir, &e) != DRV_OK) {
		p->dir = -1;
		return;
	}
	snprintf(p->file, sizeof(p->file), "%s%s", drv->metadata, behind);
}

/* RFC 5464 section 5: who may look the mailbox up, and do something with it. */
static int
check_rights(struct storage *st, const struct namespace *ns, struct span inner, bool set_shared, struct span name, struct err *e)
{
	unsigned rights;

	if (st->acl == NULL)
		return 0;
	if (acl_rights(st, ns, inner, &rights, e) == -1 || acl_check(rights, ACL_LOOKUP, name, e) == -1)
		return -1;
	if ((rights & (ACL_READ | ACL_SEEN | ACL_WRITE | ACL_INSERT | ACL_POST)) == 0 || (set_shared && (rights & ACL_WRITE) == 0))
		return err_set(e, ERR_DENIED, "%.*s: a right is missing", SPAN_ARG(name));
	return 0;
}

/* INBOX is there without having been made: opening it makes its directory. */
static int
make_inbox(struct storage *st, struct span name, struct err *e)
{
	struct mailbox *box;

	if (mailbox_open_needing(st, name, MAILBOX_SAVE, 0, &box, e) == -1)
		return -1;
	mailbox_close(box);
	return 0;
}

/*
 * By what name mail_attribute_dict knows the mailbox (INBOX, for the server).  It is opened for that, which may take it over: before
 * the directory's lock is taken, since that takes it too.
 */
static int
find_guid(struct storage *st, struct place *p, struct namespace *ns, struct span mailbox, struct err *e)
{
	struct mailbox *box;
	struct buf name = BUF_INIT(4096);
	int rc = 0;

	p->takes_over = st->attribute_dict != NULL && ns->info.type == NS_PRIVATE && ns->store->drv->foreign_guid != NULL;
	if (!p->takes_over || p->dir == -1 || faccessat(p->dir, p->file, F_OK, 0) == 0 || access(st->attribute_dict, F_OK) == -1)
		return 0;
	/* The server's are with INBOX. */
	if (mailbox.n == 0 && storage_visible(ns, SPAN("INBOX"), &name))
		mailbox = buf_span(&name);
	rc = mailbox_open_needing(st, mailbox, MAILBOX_SAVE, 0, &box, e);
	if (rc == 0) {
		rc = ns->store->drv->foreign_guid(box->handle, p->guid, e);
		mailbox_close(box);
	}
	buf_clear(&name);
	return rc;
}

enum purpose { TO_GET, TO_SET_PRIVATE, TO_SET_SHARED };

static int
place_open(struct storage *st, struct span mailbox, enum purpose purpose, struct place *p, struct err *e)
{
	struct namespace *ns = mailbox.n == 0 ? inbox_namespace(st) : NULL;
	bool is_inbox;
	int there;

	*p = (struct place){ .dir = -1 };
	buf_init(&p->inner, INDEX_NAME_MAX);
	if (mailbox.n == 0) {
		if (ns == NULL || ns->store == NULL)
			return 0;
		open_dir(p, ns, SPAN(""), "-server");
		return find_guid(st, p, ns, mailbox, e);
	}
	if (storage_resolve(st, mailbox, &p->ns, &p->inner, e) == -1 ||
	    check_rights(st, p->ns, buf_span(&p->inner), purpose == TO_SET_SHARED, mailbox, e) == -1)
		return -1;
	there = p->ns->store->drv->exists(p->ns->store->handle, buf_span(&p->inner));
	is_inbox = span_eq(buf_span(&p->inner), SPAN("INBOX"));
	if (there == 0 && !is_inbox && storage_ensure_auto(st, p->ns, buf_span(&p->inner), e) == -1)
		return -1;
	if (there == 0 && is_inbox && purpose != TO_GET && make_inbox(st, mailbox, e) == -1)
		return -1;
	if (p->ns->info.type != NS_PRIVATE)
		p->user = st->acl != NULL ? acl_user(st) : span_str(st->user);
	open_dir(p, p->ns, buf_span(&p->inner), "");
	return find_guid(st, p, p->ns, mailbox, e);
}

/* mail_attribute_dict: what Dovecot's users set, until the first change here writes a file of our own. */
static int
read_dict(const struct storage *st, const struct place *p, struct arena *a, struct metadata_items *out, struct err *e)
{
	struct buf text = BUF_INIT(DICT_FILE_MAX);
	int rc = file_read_plain(st->attribute_dict, DICT_FILE_MAX, &text, e);

	if (rc == 0)
		rc = metadata_dict_parse(buf_span(&text), span_str(p->guid), p->ns == NULL, a, out, e);
	else if (e->code == ERR_NOTFOUND)
		rc = 0;
	buf_clear(&text);
	return rc == 0 ? 0 : err_wrap(e, "mail_attribute_dict");
}

static int
read_items(const struct storage *st, const struct place *p, struct arena *a, struct metadata_items *out, struct err *e)
{
	struct buf text = BUF_INIT(METADATA_FILE_MAX);
	struct span kept;
	int fd = p->dir == -1 ? -1 : openat(p->dir, p->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW), rc;

	*out = (struct metadata_items){ NULL, 0 };
	if (fd == -1 && p->dir != -1 && errno != ENOENT)
		return err_errno(e, "open %s", p->file);
	if (fd == -1)
		return p->dir != -1 && p->guid[0] != '\0' ? read_dict(st, p, a, out, e) : 0;
	rc = fd_read_all(fd, METADATA_FILE_MAX, &text, e);
	close(fd);
	if (rc == 0) {
		kept = arena_dup(a, buf_span(&text));
		rc = kept.p == NULL ? err_set(e, ERR_LIMIT, "out of memory for annotations") : metadata_file_parse(kept, a, out, e);
	}
	buf_clear(&text);
	return rc == 0 ? 0 : err_wrap(e, "%s", p->file);
}

static struct span
special_use_words(unsigned use, struct arena *a)
{
	static const char *const words[] = { "\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Junk", "\\Sent", "\\Trash" };
	struct buf b = BUF_INIT(200);
	struct span out;

	for (unsigned i = 0; i < 7; i++)
		if (use & ((unsigned)MBOX_USE_ALL << i)) {
			buf_adds(&b, b.n > 0 ? " " : "");
			buf_adds(&b, words[i]);
		}
	out = b.n > 0 ? arena_dup(a, buf_span(&b)) : SPAN_NONE;
	buf_clear(&b);
	return out;
}

/* What has a value without having been set. */
static struct span
value_by_itself(const struct storage *st, const struct place *p, struct span name, struct arena *a)
{
	const struct special *sp = p->ns == NULL ? NULL : storage_special(p->ns, buf_span(&p->inner));
	bool comment = span_eq(name, SPAN("/shared/comment"));
	const char *text = NULL;

	if (p->ns == NULL)
		text = comment ? st->server_comment : span_eq(name, SPAN("/shared/admin")) ? st->server_admin : NULL;
	else if (sp != NULL && (comment || span_eq(name, SPAN("/private/comment"))))
		text = sp->comment;
	else if (sp != NULL && span_eq(name, SPAN("/private/specialuse")))
		return special_use_words(sp->use, a);
	return text == NULL || *text == '\0' ? SPAN_NONE : span_str(text);
}

static bool
is_mine(const struct place *p, const struct metadata_item *item)
{
	return item->shared || span_eq(item->user, p->user);
}

struct answer {
	struct metadata *v;
	size_t n, room;
	struct arena *a;
};

static void
answer_add(struct answer *x, struct span name, struct span value)
{
	for (size_t i = 0; i < x->n; i++)
		if (span_eq(x->v[i].name, name))
			return;
	if (x->n < x->room)
		x->v[x->n++] = (struct metadata){ name, value };
}

static struct span
full_name(const struct metadata_item *item, struct arena *a)
{
	return span_str(arena_printf(a, "%s%.*s", item->shared ? "/shared" : "/private", SPAN_ARG(item->name)));
}

/* Whether name is below top, no deeper than depth. */
static bool
is_below(struct span name, struct span top, uint32_t depth)
{
	struct span rest = span_from(name, top.n);

	return span_starts(name, top) && rest.n > 1 && rest.p[0] == '/' &&
	    (depth == METADATA_ALL || span_chr(span_from(rest, 1), '/') == rest.n - 1);
}

static struct span
value_of(const struct storage *st, const struct place *p, const struct metadata_items *items, struct span name, struct arena *a)
{
	bool shared = span_starts(name, SHARED);
	struct span rest = span_from(name, shared ? SHARED.n : PRIVATE.n);

	if (metadata_is_settable(p->ns == NULL, name))
		for (size_t i = 0; i < items->n; i++)
			if (items->v[i].shared == shared && is_mine(p, &items->v[i]) && span_eq(items->v[i].name, rest))
				return items->v[i].value;
	return value_by_itself(st, p, name, a);
}

static void
add_below(struct answer *x, const struct storage *st, const struct place *p, const struct metadata_items *items, struct span top,
    uint32_t depth)
{
	static const char *const own[] = { "/private/comment", "/private/specialuse", "/shared/comment", "/shared/admin" };

	for (size_t i = 0; i < items->n; i++) {
		struct span name = is_mine(p, &items->v[i]) ? full_name(&items->v[i], x->a) : SPAN_NONE;

		if (name.n > 0 && is_below(name, top, depth))
			answer_add(x, name, value_of(st, p, items, name, x->a));
	}
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		struct span value = is_below(span_str(own[i]), top, depth) ? value_of(st, p, items, span_str(own[i]), x->a) : SPAN_NONE;

		if (value.p != NULL)
			answer_add(x, span_str(own[i]), value);
	}
}

int
storage_metadata_get(struct storage *st, struct span mailbox, const struct span *names, size_t count, uint32_t depth,
    struct arena *a, struct metadata **out, size_t *count_out, struct err *e)
{
	struct metadata_items items;
	struct answer x = { .a = a };
	struct place p;
	int rc = place_open(st, mailbox, TO_GET, &p, e);

	if (rc == 0)
		rc = read_items(st, &p, a, &items, e);
	if (rc == 0) {
		x.room = count + (depth == 0 ? 0 : items.n + 4);
		x.v = arena_alloc(a, x.room + 1, sizeof(*x.v));
		if (x.v == NULL)
			rc = err_set(e, ERR_LIMIT, "out of memory for annotations");
	}
	for (size_t i = 0; rc == 0 && i < count; i++) {
		bool top = span_eq(names[i], PRIVATE) || span_eq(names[i], SHARED);
		struct span value = top ? SPAN_NONE : value_of(st, &p, &items, names[i], a);

		if (value.p != NULL || depth == 0)
			answer_add(&x, names[i], value);
		if (depth > 0)
			add_below(&x, st, &p, &items, names[i], depth);
	}
	place_clear(&p);
	*out = x.v;
	*count_out = x.n;
	return rc == 0 ? 0 : err_wrap(e, "annotations of %.*s", SPAN_ARG(mailbox));
}

/* One change of the list, which has room for it. */
static void
change_items(struct metadata_items *items, const struct place *p, const struct metadata *m)
{
	bool shared = span_starts(m->name, SHARED);
	struct span rest = span_from(m->name, shared ? SHARED.n : PRIVATE.n);
	size_t i = 0;

	while (i < items->n && !(items->v[i].shared == shared && is_mine(p, &items->v[i]) && span_eq(items->v[i].name, rest)))
		i++;
	if (m->value.p == NULL && i < items->n)
		items->v[i] = items->v[--items->n];
	else if (m->value.p != NULL) {
		if (i == items->n)
			items->n++;
		items->v[i] = (struct metadata_item){ .shared = shared, .user = shared ? SPAN("") : p->user, .name = rest,
			.value = m->value };
	}
}

static int
write_items(struct storage *st, const struct place *p, const struct metadata_items *items, size_t before, struct err *e)
{
	struct buf text = BUF_INIT(METADATA_FILE_MAX);
	struct stat sb;
	int rc;

	/* An empty one says that nothing of the dictionary holds any more. */
	if (items->n == 0 && !p->takes_over)
		rc = unlinkat(p->dir, p->file, 0) == -1 && errno != ENOENT ? err_errno(e, "remove %s", p->file) : dir_sync(p->dir, e);
	else {
		metadata_file_write(&text, items);
		/* What was there already may be over a limit that was lowered: it may be changed and removed. */
		if (text.failed || (items->n > st->conf.metadata_count_max && items->n > before) || items->n > METADATA_ENTRIES_MAX)
			rc = err_set(e, ERR_LIMIT, "too many annotations");
		else if (fstat(p->dir, &sb) == -1)
			rc = err_errno(e, "stat the directory of %s", p->file);
		else
			rc = file_replace(p->dir, p->file, buf_span(&text), sb.st_mode & 0666, true, e);
	}
	buf_clear(&text);
	return rc;
}

static int
lock_dir(const struct place *p, struct err *e)
{
	return fd_flock(p->dir, LOCK_EX) == 0 ? 0 : err_errno(e, "lock the directory of %s", p->file);
}

int
storage_metadata_set(struct storage *st, struct span mailbox, const struct metadata *set, size_t count, struct err *e)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct metadata_items items = { NULL, 0 }, more = { NULL, 0 };
	enum purpose purpose = TO_SET_PRIVATE;
	struct place p;
	int rc;

	if (a == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	for (size_t i = 0; i < count; i++)
		if (span_starts(set[i].name, SHARED))
			purpose = TO_SET_SHARED;
	rc = place_open(st, mailbox, purpose, &p, e);
	if (rc == 0 && p.dir == -1)
		rc = err_set(e, ERR_DENIED, "annotations can not be kept there");
	if (rc == 0)
		rc = lock_dir(&p, e);
	if (rc == 0)
		rc = read_items(st, &p, a, &items, e);
	if (rc == 0 && (more.v = arena_alloc(a, items.n + count + 1, sizeof(*more.v))) == NULL)
		rc = err_set(e, ERR_LIMIT, "too many annotations");
	if (rc == 0) {
		if (items.n > 0)
			memcpy(more.v, items.v, items.n * sizeof(*items.v));
		more.n = items.n;
		for (size_t i = 0; i < count; i++)
			change_items(&more, &p, &set[i]);
		rc = count == 0 ? 0 : write_items(st, &p, &more, items.n, e);
	}
	place_clear(&p);
	arena_free(a);
	if (rc == 0)
		storage_announce_metadata(st, mailbox);
	return rc == 0 ? 0 : err_wrap(e, "annotations of %.*s", SPAN_ARG(mailbox));
}

size_t
storage_metadata_value_max(const struct storage *st)
{
	return st->conf.metadata_value_max;
}
