/* SPDX-License-Identifier: MIT */
/*
 * Giving a mailbox to Dovecot: its lists are written as it would have written them, so that it goes on with the same
 * UIDVALIDITY, UIDs, keywords and names for POP3.
 *
 * Order, with the box locked, so that who opens the mailbox meanwhile waits and then finds it released:
 *	1. the index forgets the mailbox, in the transaction in which its messages are listed: no other process can change
 *	   it between the two, or write to it afterwards
 *	2. dovecot-keywords, then dovecot-uidlist in the place of the fence
 *	3. the control file becomes culver-mailbox.released: from now on nobody of ours opens it
 *	4. culver-uidlist and culver-uids go; all in them is in Dovecot's, but for keywords that have no letter: Dovecot keeps
 *	   those in its index alone
 * After a crash before 3 the control file stands, and the next open goes on from it: it has to look at it, as the index knows
 * nothing.  There maildir_release_undo() puts the fence back before a new UID is given.
 */
#include "lib-storage/maildir/uids-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib-storage/mailbox.h"
#include "lib/encode.h"
#include "lib/log.h"
#include "lib/sys.h"

#define HEAD_OCTETS 200
#define FLUSH_TRIES 4

/* Of the list there is, the UIDVALIDITY of its head; 0: none. */
static uint32_t
list_validity(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[HEAD_OCTETS];
	ssize_t n = fd == -1 ? -1 : read(fd, text, sizeof(text));
	struct span head = span_of(text, n < 0 ? 0 : (size_t)n);
	struct uidlist l;
	uint32_t v;

	if (fd != -1)
		close(fd);
	head.n = span_chr(head, '\n') < head.n ? span_chr(head, '\n') + 1 : 0;
	if (!uidlist_parse(head, &l))
		return 0;
	v = l.uidvalidity;
	uidlist_clear(&l);
	return v;
}

/* The fence's number, kept in culver-uidlist: who finds the control file lost must know the fence from a list. */
static int
note_fence(struct maildir_box *box, int dir, const struct maildir_control *c, uint32_t fence, struct err *e)
{
	struct maildir_list_file facts = { .text = BUF_INIT(1) };
	struct buf text = BUF_INIT(UIDLIST_OCTETS);
	int have = maildir_facts_read(box, c->uidvalidity, &facts, e), rc = have == -1 ? -1 : 0;
	size_t head = have == 1 ? span_chr(facts.list.text, '\n') + 1 : 0;

	uidlist_put_head(&text, c->uidvalidity, have == 1 ? facts.list.next : 1, have == 1 ? facts.list.guid : SPAN_NONE, fence);
	if (have == 1)
		buf_add(&text, span_from(facts.list.text, head));
	if (rc == 0)
		rc = text.failed ? err_set(e, ERR_LIMIT, "%s is too large", FACTS_NAME) :
		    maildir_replace(dir, FACTS_NAME, buf_span(&text), maildir_box_perm(box), e);
	if (have == 1)
		maildir_list_file_clear(&facts);
	buf_clear(&text);
	return rc;
}

int
maildir_release_undo(struct maildir_box *box, const struct maildir_control *c, struct err *e)
{
	int dir = maildir_control_dir(box, false, e), rc;
	struct index_txn *t;
	uint32_t fence;

	if (dir == -1 || list_validity(dir, "dovecot-uidlist") != c->uidvalidity) {
		if (dir != -1)
			close(dir);
		return 0;
	}
	log_warning("%s: a release to Dovecot was not finished, or an old dovecot-uidlist was put back: the mailbox stays with "
	    "Culver", box->path);
	rc = index_write(box->store->ix, &t, e);
	if (rc == 0 && (rc = index_new_number(t, &fence, e)) == -1)
		index_abort(t);
	else if (rc == 0)
		rc = index_commit(t, e);
	if (rc == 0)
		rc = note_fence(box, dir, c, fence, e);
	if (rc == 0)
		rc = maildir_fence(box, dir, fence, e);
	close(dir);
	return rc;
}

struct listing {
	struct maildir_box *box;
	const struct release_params *p;
	const struct uidlist *facts;	/* NULL: none */
	struct buf text;
	size_t at;			/* in p->uidls */
	uint32_t bare;			/* messages with keywords that have no letter */
};

/* One message's line. */
static void
put_message(struct listing *l, uint32_t uid, const struct idx_message *m)
{
	struct span base = span_sub(m->name, 0, span_chr(m->name, ':')), v;
	const struct uidlist_entry *entry = l->facts == NULL ? NULL : uidlist_by_uid(l->facts, uid);
	char plain[MAILDIR_NAME_MAX + 1], number[24];
	struct maildir_name n;

	maildir_name_plain(plain, base);
	uidlist_put_uid(&l->text, uid);
	/* The name that the file had is what Dovecot takes for its GUID when it has no other. */
	if (entry != NULL && uidlist_field(l->facts, entry, UIDLIST_GUID, &v) && v.n > 0)
		uidlist_put_field(&l->text, UIDLIST_GUID, v);
	else if (!span_eq(base, span_str(plain)))
		uidlist_put_field(&l->text, UIDLIST_GUID, span_str(plain));
	while (l->at < l->p->count && l->p->uidls[l->at].uid < uid)
		l->at++;
	if (m->bits & IDX_UIDL)
		uidlist_put_field(&l->text, UIDLIST_UIDL, m->uidl);
	else if (l->at < l->p->count && l->p->uidls[l->at].uid == uid)
		uidlist_put_field(&l->text, UIDLIST_UIDL, l->p->uidls[l->at].uidl);
	if (entry != NULL && uidlist_field(l->facts, entry, UIDLIST_ORDER, &v))
		uidlist_put_field(&l->text, UIDLIST_ORDER, v);
	/* Of a file that is not compressed, for sure. */
	if (maildir_name_parse(base, &n) && n.virtual_size == IDX_SIZE_UNKNOWN && m->size != IDX_SIZE_UNKNOWN &&
	    n.size == m->physical_size) {
		snprintf(number, sizeof(number), "%llu", (unsigned long long)m->size);
		uidlist_put_field(&l->text, UIDLIST_VIRTUAL, span_str(number));
	}
	uidlist_put_name(&l->text, base);
}

static int
list_all(struct listing *l, struct index_txn *t, const struct idx_state *st, struct err *e)
{
	struct index_walk w;
	unsigned char guid[16];
	struct buf hex = BUF_INIT(64);
	int rc;

	random_bytes(guid, sizeof(guid));
	hex_encode(&hex, span_of(guid, sizeof(guid)));
	uidlist_put_head(&l->text, st->uidvalidity, st->uidnext,
	    l->facts != NULL && l->facts->guid.n > 0 ? l->facts->guid : buf_span(&hex), 0);
	buf_clear(&hex);
	if (index_walk_begin(&w, t, l->box->id, 1, e) == -1)
		return -1;
	while ((rc = index_walk_next(&w, e)) == 1) {
		put_message(l, w.uid, &w.m);
		l->bare += w.m.keywords >> MAILDIR_LETTERS != 0 || (w.m.flags & IDX_PASSED && !l->p->dry_run);
	}
	index_walk_end(&w);
	return rc == 0 && l->text.failed ? err_set(e, ERR_LIMIT, "%s: its list of UIDs is too large", l->box->path) : rc;
}

/* P becomes the letter of a keyword, since Dovecot knows no P: where there is one left. */
static int
letters_for_forwarded(struct maildir_box *box, struct err *e)
{
	static const struct span word = { "$Forwarded", 10 };
	struct span names[INDEX_KEYWORDS], value = SPAN_NONE;
	struct array uids = ARRAY_INIT(uint32_t, UINT32_MAX);
	struct change_flags f = { .op = CHANGE_ADD, .dirty = true };
	struct box_change c = { .id = box->id, .flags = &f };
	struct index_txn *t;
	struct index_walk w;
	struct idx_state st;
	int rc = index_read(box->store->ix, &t, e), count = 0;

	if (rc == 0 && (rc = index_walk_begin(&w, t, box->id, 1, e)) == 0) {
		while ((rc = index_walk_next(&w, e)) == 1) {
			uint32_t *slot = w.m.flags & IDX_PASSED ? array_push(&uids) : NULL;

			if (slot != NULL)
				*slot = w.uid;
		}
		index_walk_end(&w);
	}
	index_read_end(box->store->ix);
	if (rc == 0 && uids.n > 0 && maildir_keywords_add(box, &word, 1, e) != DRV_OK) {
		rc = e->code == ERR_LIMIT ? 0 : -1;
		uids.n = 0;
	}
	if (rc == 0 && uids.n > 0)
		rc = maildir_begin(box, 0, &t, &st, e) == DRV_OK ? 1 : -1;
	if (rc == 1) {
		rc = index_keywords_get(t, box->id, &value, e);
		count = rc == 1 ? idx_keywords_unpack(value, names) : 0;
		for (int i = 0; i < count && i < MAILDIR_LETTERS; i++)
			if (span_ieq(names[i], word))
				f.keywords = (uint64_t)1 << i;
		f.uids = uids.p;
		f.count = uids.n;
		if (f.keywords != 0 && rc == 1)
			rc = index_apply(t, &c, &st, e);
		f.op = CHANGE_REMOVE;
		f.flags = IDX_PASSED;
		if (f.keywords != 0 && rc == 0) {
			f.keywords = 0;
			rc = index_apply(t, &c, &st, e);
		}
		if (rc != -1)
			rc = index_commit(t, e);
		else
			index_abort(t);
	}
	array_clear(&uids);
	return rc == -1 ? -1 : 0;
}

/* Names of files tell all flags, and the index all files. */
static enum drv_rc
flush(struct maildir_box *box, bool dry_run, struct err *e)
{
	enum drv_rc drc = maildir_sync(box, true, e);

	if (drc == DRV_OK && !dry_run && letters_for_forwarded(box, e) == -1)
		return drv_of(e);
	maildir_dirty(box, 1, UINT32_MAX - 1);
	return drc == DRV_OK ? maildir_write_behind(box, NULL, 0, e) : drc;
}

/* Lists the messages, and makes the index forget them.  1; 0: flags wait that other processes changed just now; -1. */
static int
take_out(struct listing *l, bool dry_run, uint32_t *number_out, struct release_report *out, struct err *e)
{
	struct maildir_box *box = l->box;
	struct index_txn *t;
	struct idx_state st;
	int rc;

	if (index_write(box->store->ix, &t, e) == -1)
		return -1;
	rc = index_state_get(t, box->id, &st, e);
	if (rc == 0)
		rc = err_set(e, ERR_NOTFOUND, "mailbox %s was deleted", box->name);
	if (rc == 1 && (st.dirty > 0 || st.bits & IDX_STATE_UNSCANNED)) {
		index_abort(t);
		return 0;
	}
	if (rc == 1)
		rc = list_all(l, t, &st, e) == -1 ? -1 : 1;
	if (rc == 1) {
		out->messages = st.messages;
		out->uidvalidity = st.uidvalidity;
		out->uidnext = st.uidnext;
		out->bare = l->bare;
	}
	if (rc == 1 && !dry_run)
		rc = index_new_number(t, number_out, e) == -1 || index_mailbox_remove(t, span_str(box->name), e) == -1 ? -1 : 1;
	if (rc == -1 || dry_run) {
		index_abort(t);
		return rc;
	}
	return index_commit(t, e) == -1 ? -1 : 1;
}

static int
write_keywords(struct maildir_box *box, int dir, const struct maildir_control *c, struct err *e)
{
	struct buf text = BUF_INIT(65536);
	int rc = 0;

	for (int i = 0; i < MAILDIR_LETTERS; i++)
		if (c->keywords[i] != NULL)
			buf_addf(&text, "%d %s\n", i, c->keywords[i]);
	if (text.n > 0)
		rc = maildir_replace(dir, "dovecot-keywords", buf_span(&text), maildir_box_perm(box), e);
	buf_clear(&text);
	return rc;
}

int
maildir_keywords_tell(struct maildir_box *box, const struct maildir_control *c, struct err *e)
{
	int dir = maildir_control_dir(box, false, e), rc = 0;

	if (dir != -1 && faccessat(dir, "dovecot-uidlist", F_OK, 0) == 0)
		rc = write_keywords(box, dir, c, e);
	if (dir != -1)
		close(dir);
	return rc;
}

/* dovecot-uidvalidity, and the empty file with the number in its name: the highest that was given. */
static void
write_validity(struct maildir_store *s, uint32_t number)
{
	int dir = open(s->control != NULL ? s->control : s->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
	struct buf old = BUF_INIT(64);
	char hex[16], name[64], old_name[64];
	struct err e = ERR_INIT;
	uint32_t before = 0;

	if (dir == -1)
		return;
	if (maildir_read_at(dir, "dovecot-uidvalidity", 63, &old, &e) == 1)
		maildir_hex32(span_trim(buf_span(&old)), &before);
	buf_clear(&old);
	snprintf(hex, sizeof(hex), "%08x", number);
	snprintf(name, sizeof(name), "dovecot-uidvalidity.%s", hex);
	snprintf(old_name, sizeof(old_name), "dovecot-uidvalidity.%08x", before);
	/* Only for mailboxes that Dovecot makes later: it looks at the time as well. */
	if (number > before && maildir_replace(dir, "dovecot-uidvalidity", span_str(hex), &s->perm, &e) == 0 &&
	    (before == 0 || renameat(dir, old_name, dir, name) == -1) &&
	    (fd = maildir_perm_create(dir, name, O_WRONLY, &s->perm)) != -1)
		close(fd);
	close(dir);
}

static int
write_files(struct listing *l, const struct maildir_control *c, uint32_t number, struct err *e)
{
	struct maildir_box *box = l->box;
	int dir = maildir_control_dir(box, false, e), rc;

	if (dir == -1)
		return err_errno(e, "open the control directory of %s", box->path);
	rc = write_keywords(box, dir, c, e);
	if (rc == 0)
		rc = maildir_replace(dir, "dovecot-uidlist", buf_span(&l->text), maildir_box_perm(box), e);
	if (rc == 0)
		write_validity(box->store, number);
	if (rc == 0 && renameat(dir, "culver-mailbox", dir, RELEASED_NAME) == -1)
		rc = err_errno(e, "rename %s/culver-mailbox", box->path);
	if (rc == 0)
		rc = dir_sync(dir, e);
	if (rc == 0) {
		unlinkat(dir, FACTS_NAME, 0);
		unlinkat(dir, UIDS_NAME, 0);
	}
	close(dir);
	return rc;
}

static int
release_locked(struct listing *l, bool dry_run, struct release_report *out, struct err *e)
{
	struct maildir_control c;
	uint32_t number = 0;
	int rc = maildir_control_read(l->box, &c, e);

	if (rc == 0)
		rc = err_set(e, ERR_NOTFOUND, "%s has no control file", l->box->path);
	if (rc == 1)
		rc = take_out(l, dry_run, &number, out, e);
	if (rc == 1 && !dry_run) {
		rc = write_files(l, &c, number, e) == -1 ? -1 : 1;
		index_mailbox_sweep(l->box->store->ix, l->box->id);
	}
	maildir_control_clear(&c);
	return rc;
}

enum drv_rc
maildir_release(void *b, const struct release_params *p, struct release_report *out, struct err *e)
{
	struct maildir_box *box = b;
	struct maildir_list_file facts;
	struct listing l = { .box = box, .p = p, .text = BUF_INIT(UIDLIST_OCTETS) };
	struct index_txn *t;
	struct idx_state st;
	int rc = 0, have;

	for (int try = 0; try < FLUSH_TRIES && rc == 0; try++) {
		enum drv_rc drc = flush(box, p->dry_run, e);

		if (drc != DRV_OK)
			return drc;
		rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, &st, e);
		index_read_end(box->store->ix);
		have = rc != 1 ? -1 : maildir_facts_read(box, st.uidvalidity, &facts, e);
		if (have == -1 || maildir_box_lock(box, e) == -1)
			return rc == 0 ? DRV_GONE : drv_of(e);
		l.facts = have == 1 ? &facts.list : NULL;
		buf_reset(&l.text);
		l.at = 0;
		l.bare = 0;
		rc = release_locked(&l, p->dry_run, out, e);
		maildir_box_unlock(box);
		if (have == 1)
			maildir_list_file_clear(&facts);
	}
	buf_clear(&l.text);
	if (rc == 0)
		err_set(e, ERR_INUSE, "%s: flags are changed all the time", box->path);
	return rc == 1 ? DRV_OK : drv_of(e);
}

char *
maildir_control_path_of(const struct maildir_store *s, struct span name, struct err *e)
{
	return s->control == NULL ? maildir_path(s, name, e) : maildir_control_path(s, name, false, e);
}

/* Whose mailbox a file of that name makes it. */
static const struct {
	const char *name;
	enum held_by by;
	bool control;		/* in the directory of control files */
} signs[] = {
	{ "culver-mailbox", HELD_HERE, true }, { RELEASED_NAME, HELD_RELEASED, true },
	{ "dovecot-uidlist", HELD_BY_DOVECOT, true }, { "courierimapuiddb", HELD_BY_COURIER, false },
	{ "courierpop3dsizelist", HELD_BY_COURIER, false },
};

enum held_by
maildir_held_by(void *store, struct span name, struct err *e)
{
	struct maildir_store *s = store;
	char *path = maildir_path(s, name, e), *dir = path == NULL ? NULL : maildir_control_path_of(s, name, e);
	enum held_by by = dir == NULL ? HELD_UNKNOWN : HELD_BY_NOBODY;

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]) && by == HELD_BY_NOBODY; i++) {
		char file[4600];

		if ((size_t)snprintf(file, sizeof(file), "%s/%s", signs[i].control ? dir : path, signs[i].name) >= sizeof(file))
			continue;
		if (access(file, F_OK) == 0) {
			by = signs[i].by;
		} else if (errno != ENOENT && errno != ENOTDIR) {
			err_errno(e, "look for %s", file);
			by = HELD_UNKNOWN;
		}
	}
	free(path);
	free(dir);
	return by;
}

enum drv_rc
maildir_take_back(void *store, struct span name, struct err *e)
{
	char *dir = maildir_control_path_of(store, name, e), from[4600], to[4600];
	int rc = 0;

	if (dir == NULL)
		return drv_of(e);
	if ((size_t)snprintf(from, sizeof(from), "%s/%s", dir, RELEASED_NAME) >= sizeof(from) ||
	    (size_t)snprintf(to, sizeof(to), "%s/%s", dir, RETURNED_NAME) >= sizeof(to))
		rc = err_set(e, ERR_LIMIT, "a path is too long");
	else if (rename(from, to) == -1 && errno != ENOENT)
		rc = err_errno(e, "rename %s", from);
	free(dir);
	return rc == 0 ? DRV_OK : drv_of(e);
}
