/* SPDX-License-Identifier: MIT */
/*
 * Files that are new.  One keeps the UID of its name if that has the mailbox's UIDVALIDITY and the UID can not have been
 * anybody else's: it was not given yet (we died between rename and commit), or the index is being rebuilt.  While the index
 * is made anew, culver-uidlist (adopt.c) and culver-uids (uids-file.c) have UIDs of files whose names carry none.  All others
 * get the next UIDs, in the order in which they arrived.  A few are renamed, so that their names tell the UIDs; of many that
 * come at once culver-uids does.
 */
#include "lib-storage/maildir/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"

#define FEW 32		/* files that are renamed; with more than that, those whose names can stay keep them */
#define BATCHES 16
#define BATCH_AGE 3600	/* seconds after which nobody is about to begin any more */

struct by_arrival {
	const struct scan *s;
	const struct scan_file *f;
	struct maildir_name n;
	bool listed;		/* the UID is the list's, by the file's name */
	bool named;		/* culver-uids has it, by the file's name */
};

/*
 * Those that keep a UID first, by UID; the others by the time in their names.  Of those with the same UID the latest comes
 * first: the others are of processes that died between rename and commit, after which the UID was given again.
 */
static int
arrival_cmp(const struct by_arrival *x, const struct by_arrival *y)
{
	if ((x->f->uid != 0) != (y->f->uid != 0))
		return x->f->uid != 0 ? -1 : 1;
	if (x->f->uid != y->f->uid)
		return x->f->uid < y->f->uid ? -1 : 1;
	if (x->listed != y->listed)
		return x->listed ? -1 : 1;
	if (x->f->uid != 0) {
		const struct by_arrival *other = x;

		x = y;
		y = other;
	}
	if (x->n.sec != y->n.sec)
		return x->n.sec < y->n.sec ? -1 : 1;
	if (x->n.usec != y->n.usec)
		return x->n.usec < y->n.usec ? -1 : 1;
	if (x->n.uid != y->n.uid)
		return x->n.uid < y->n.uid ? -1 : 1;
	return span_cmp(scan_file_name(x->s, x->f), scan_file_name(y->s, y->f));
}

/* Most are told apart by one number. */
struct by_rank {
	uint64_t rank;
	struct by_arrival *a;
};

static int
rank_cmp(const void *a, const void *b)
{
	const struct by_rank *x = a, *y = b;

	return x->rank != y->rank ? (x->rank < y->rank ? -1 : 1) : arrival_cmp(x->a, y->a);
}

#define DIGIT 11

/* By the ranks alone: digit by digit, the lowest first.  differ: the bits in which they differ.  False: there is no room. */
static bool
sort_by_rank(struct by_rank *order, size_t count, uint64_t differ)
{
	struct by_rank *room = malloc(count * sizeof(*room)), *from = order, *to = room;

	for (unsigned shift = 0; room != NULL && shift < 64; shift += DIGIT) {
		size_t at[1 << DIGIT] = { 0 }, sum = 0;
		struct by_rank *other = from;

		if ((differ >> shift & ((1 << DIGIT) - 1)) == 0)
			continue;
		for (size_t i = 0; i < count; i++)
			at[from[i].rank >> shift & ((1 << DIGIT) - 1)]++;
		for (size_t i = 0; i < 1 << DIGIT; i++) {
			size_t n = at[i];

			at[i] = sum;
			sum += n;
		}
		for (size_t i = 0; i < count; i++)
			to[at[from[i].rank >> shift & ((1 << DIGIT) - 1)]++] = from[i];
		from = to;
		to = other;
	}
	if (room != NULL && from != order)
		memcpy(order, from, count * sizeof(*order));
	free(room);
	return room != NULL;
}

static void
sort_by_arrival(struct by_rank *order, size_t count)
{
	uint64_t differ = 0;

	for (size_t i = 0; i < count; i++) {
		const struct by_arrival *a = order[i].a;

		/* A name's seconds have 33 bits at most, its microseconds 20. */
		order[i].rank = a->f->uid != 0 ? a->f->uid : (uint64_t)1 << 63 | (uint64_t)a->n.sec << 20 | a->n.usec;
	}
	for (size_t i = 1; i < count; i++)
		differ |= order[i].rank ^ order[0].rank;
	if (count < 1 << DIGIT || !sort_by_rank(order, count, differ)) {
		qsort(order, count, sizeof(*order), rank_cmp);
		return;
	}
	/* Those with the same number one by one. */
	for (size_t i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && order[end].rank == order[i].rank;)
			end++;
		if (end - i > 1)
			qsort(order + i, end - i, sizeof(*order), rank_cmp);
	}
}

/* Renames so that the name carries the UID; the new name is in out.  1, 0 the file has gone, -1. */
static int
rename_new(struct scan *s, struct by_arrival *a, const struct stat *sb, uint32_t validity, uint32_t uid,
    char out[MAILDIR_NAME_MAX + 1], struct err *e)
{
	char from[MAILDIR_NAME_MAX + 8], to[MAILDIR_NAME_MAX + 8], tagged[MAILDIR_NAME_MAX + 1];
	const char *dir = maildir_subdirs[a->f->sub];
	bool info = a->f->len > a->f->base_len || a->f->sub == SUB_CUR;
	uint64_t size, virtual_size;

	if (index_is_private(s->box->store->ix)) {
		memcpy(out, scan_file_name(s, a->f).p, (size_t)a->f->len + 1);
		return 1;
	}
	maildir_name_sizes(&a->n, (uint64_t)sb->st_size, IDX_SIZE_UNKNOWN, &size, &virtual_size);
	if (!maildir_name_tag(tagged, a->n.base, validity, uid) &&
	    !maildir_name_new(tagged, size, virtual_size, validity, uid))
		return err_set(e, ERR_LIMIT, "%s: no name for a file", s->box->path);
	maildir_name_info(out, span_str(tagged), a->n.info, a->n.flags, a->n.keywords, info);
	snprintf(from, sizeof(from), "%s/%s", dir, scan_file_name(s, a->f).p);
	snprintf(to, sizeof(to), "%s/%s", dir, out);
	maildir_own_will(&s->own, a->f->sub);
	if (renameat(s->box->fd, from, s->box->fd, to) == 0) {
		maildir_own_did(&s->own, a->f->sub, 2);
		return 1;
	}
	if (errno == ENOENT)
		return 0;
	if (errno == EACCES || errno == EPERM || errno == EROFS) {
		/* A directory that we may only read: the message is served all the same, from the name it has. */
		memcpy(out, scan_file_name(s, a->f).p, (size_t)a->f->len + 1);
		return 1;
	}
	return err_errno(e, "rename %s/%s", s->box->path, from);
}

static void
believe_name(const struct by_arrival *a, struct stat *sb)
{
	*sb = (struct stat){ .st_mode = S_IFREG, .st_size = (off_t)a->n.size, .st_mtim.tv_sec = a->n.sec };
}

/*
 * Whether the file of a name that tells enough is looked at when somebody wants to know more.  Not for one file in a hurry,
 * and only where it certainly is one.
 */
static bool
can_wait(const struct scan *s, const struct by_arrival *a)
{
	return s->fresh > FEW && s->exact && a->f->regular && a->n.size != IDX_SIZE_UNKNOWN && a->n.sec != 0 &&
	    !s->box->store->p.distrust_sizes;
}

/*
 * 1, 0: there is no message there, -1.  A disk that fails has a second chance; what it still does not tell of one file, the
 * file's name must, so that the others can be read.
 */
static int
look_at(struct scan *s, const struct by_arrival *a, struct stat *sb, struct err *e)
{
	char path[MAILDIR_NAME_MAX + 8];

	snprintf(path, sizeof(path), "%s/%s", maildir_subdirs[a->f->sub], scan_file_name(s, a->f).p);
	for (int try = 0; try < 2; try++) {
		if (fstatat(s->box->fd, path, sb, 0) == 0)
			return S_ISREG(sb->st_mode);
		if (errno == ENOENT)
			return 0;
	}
	if (errno != EIO || a->n.size == IDX_SIZE_UNKNOWN)
		return err_errno(e, "stat %s/%s", s->box->path, path);
	log_warning("%s/%s: the disk fails: its name alone is used", s->box->path, path);
	believe_name(a, sb);
	return 1;
}

static bool
has_tag(const struct maildir_name *n, uint32_t validity, uint32_t uid)
{
	return n->uid == uid && n->uidvalidity == validity;
}

/* What another server's list says of a message that has kept its UID. */
static void
take_facts(struct scan *s, struct by_arrival *a, struct change_add *add, const struct stat *sb)
{
	const struct uidlist *l = &s->facts.list;
	char room[MAILDIR_NAME_MAX + 1];
	struct span uidl;

	if (!s->has_facts || a->f->uid == 0)
		return;
	if (maildir_facts_uidl(l, a->f->uid, a->n.base, room, &uidl)) {
		add->rec.bits |= IDX_UIDL;
		add->rec.uidl = (struct span){ (const char *)(uintptr_t)s->text.n, uidl.n };
		buf_add(&s->text, uidl);
	}
	if (a->n.size == IDX_SIZE_UNKNOWN && !s->box->store->p.distrust_sizes)
		add->rec.size = maildir_facts_size(l, a->f->uid, (uint64_t)sb->st_size);
}

/* Whether a name that does not tell its UID can stay, when culver-uids tells it: no other file is called the same. */
static bool
can_be_told(const struct by_arrival *a, const struct idx_state *st)
{
	struct span base = a->n.base;

	return !a->f->shared && a->n.uidvalidity != st->uidvalidity && memchr(base.p, '\n', base.n) == NULL;
}

static bool
keeps_name(struct scan *s, struct by_arrival *a, const struct idx_state *st, uint32_t uid)
{
	uint32_t keywords;

	if (a->f->uid == 0)
		return s->many && can_be_told(a, st);
	/* Kept outside of names; once, before the name has been changed. */
	keywords = a->listed && a->f->sub == SUB_CUR ? maildir_facts_keywords(&s->facts.list, a->n.base) : 0;
	a->n.keywords |= keywords;
	return has_tag(&a->n, st->uidvalidity, uid) || ((a->listed || a->named) && keywords == 0 && can_be_told(a, st));
}

/* Fills in the record of a new file; 0: it has gone. */
static int
take_new(struct scan *s, struct by_arrival *a, struct idx_state *st, struct err *e)
{
	struct change_add add = { 0 };
	char name[MAILDIR_NAME_MAX + 1];
	bool by_name = can_wait(s, a);
	struct stat sb;
	uint64_t more;
	int rc = 1;

	/* A UID that we can not keep would be somebody else's later: without one, the message waits for who may give it. */
	if (a->f->uid == 0 && index_is_private(s->box->store->ix) && !(st->bits & IDX_STATE_PRIVATE))
		return 0;
	if (by_name)
		believe_name(a, &sb);
	else
		rc = look_at(s, a, &sb, e);
	if (rc != 1)
		return rc;
	add.uid = a->f->uid != 0 ? a->f->uid : st->uidnext;
	if (add.uid >= UINT32_MAX - 1)
		return err_set(e, ERR_LIMIT, "mailbox %s has no UIDs left", s->box->name);
	if (!keeps_name(s, a, st, add.uid))
		rc = rename_new(s, a, &sb, st->uidvalidity, add.uid, name, e);
	else
		memcpy(name, scan_file_name(s, a->f).p, (size_t)a->f->len + 1);
	if (rc != 1)
		return rc;
	if (a->f->uid == 0 && s->many && (st->dev == 0 || add.uid < st->dev))
		st->dev = add.uid;
	if (add.uid >= st->uidnext)
		st->uidnext = add.uid + 1;
	more = s->has_uids && a->f->uid != 0 ? uids_keywords(&s->uids.list, add.uid) & (UINT64_MAX >> MAILDIR_LETTERS) : 0;
	add.rec = (struct idx_message){
		.flags = a->n.flags,
		.bits = (uint8_t)((a->f->sub == SUB_NEW ? IDX_NEW : 0) | (more != 0 ? IDX_MORE : 0) | (by_name ? IDX_BY_NAME : 0)),
		.keywords = a->n.keywords | more << MAILDIR_LETTERS,
		.internal_date = sb.st_mtim.tv_sec,
		.save_date = a->n.sec != 0 ? a->n.sec : sb.st_mtim.tv_sec,
		/* S= is believed when it is true; then W= is as well. */
		.size = a->n.size == (uint64_t)sb.st_size && !s->box->store->p.distrust_sizes ? a->n.virtual_size :
		    IDX_SIZE_UNKNOWN,
		.physical_size = (uint64_t)sb.st_size,
		.name = { (const char *)(uintptr_t)s->text.n, strlen(name) },
	};
	buf_adds(&s->text, name);
	take_facts(s, a, &add, &sb);
	buf_add(&s->adds, span_of(&add, sizeof(add)));
	return s->adds.failed || s->text.failed ? err_set(e, ERR_LIMIT, "%s: too many new files", s->box->path) : 1;
}

/* The UID that a new file comes with; 0: none. */
static uint32_t
claimed_uid(const struct scan *s, const struct idx_state *st, struct by_arrival *a)
{
	const struct uidlist_entry *entry = s->has_facts ? uidlist_by_name(&s->facts.list, a->n.base) : NULL;
	uint32_t named;

	a->listed = entry != NULL;
	if (entry != NULL)
		return entry->uid;
	named = s->has_uids ? uids_by_name(&s->uids.list, a->n.base) : 0;
	a->named = named != 0;
	if (named != 0)
		return named;
	if (a->n.uidvalidity != st->uidvalidity || (s->has_facts && !maildir_facts_tag_fits(&s->facts.list, &a->n)))
		return 0;
	return a->n.uid;
}

/* Which of the new files may keep the UID of their names, or of the list. */
static int
judge_uids(struct scan *s, struct index_txn *t, const struct idx_state *st, struct by_rank *order, size_t count, struct err *e)
{
	uint32_t last = 0;
	struct idx_message m;
	bool twice = false;

	for (size_t i = 0; i < count; i++) {
		struct scan_file *f = &s->files[order[i].a->f - s->files];
		uint32_t uid = claimed_uid(s, st, order[i].a);
		int rc;

		f->uid = 0;
		if (uid == 0 || uid >= st->uid_reserved || (!s->first && uid < st->uidnext))
			continue;
		rc = st->messages == 0 ? 0 : index_message_get(t, s->box->id, uid, &m, e);
		if (rc == -1)
			return -1;
		if (rc == 0)
			f->uid = uid;
	}
	sort_by_arrival(order, count);
	/* Two with the same UID: the first in this order keeps it. */
	for (size_t i = 0; i < count && order[i].a->f->uid != 0; i++) {
		struct scan_file *f = &s->files[order[i].a->f - s->files];

		if (f->uid == last) {
			f->uid = 0;
			twice = true;
		} else
			last = f->uid;
	}
	if (twice)
		sort_by_arrival(order, count);
	return 0;
}

/* Halves of what was to come all or not at all go back to tmp/; *count less those. */
static int
hide_halves(struct scan *s, struct index_txn *t, struct by_arrival *list, size_t *count, struct err *e)
{
	struct idx_batch batches[BATCHES];
	size_t batch_n;

	if (index_batch_list(t, s->box->id, batches, BATCHES, &batch_n, e) == -1)
		return -1;
	for (size_t b = 0; b < batch_n; b++) {
		size_t members = 0, kept = 0;

		for (size_t i = 0; i < *count; i++)
			members += maildir_batch_has(&batches[b], &list[i].n);
		if (members == 0 && batches[b].begun_us / 1000000 + BATCH_AGE > time(NULL))
			continue;
		for (size_t i = 0; i < *count; i++) {
			char from[MAILDIR_NAME_MAX + 8], to[MAILDIR_NAME_MAX + 8];

			if (!maildir_batch_has(&batches[b], &list[i].n) || members == batches[b].count ||
			    s->first) {
				list[kept++] = list[i];
				continue;
			}
			snprintf(from, sizeof(from), "%s/%s", maildir_subdirs[list[i].f->sub], scan_file_name(s, list[i].f).p);
			snprintf(to, sizeof(to), "tmp/%.*s", SPAN_ARG(list[i].n.base));
			if (!s->exact)
				continue;
			maildir_own_will(&s->own, list[i].f->sub);
			if (renameat(s->box->fd, from, s->box->fd, to) == 0)
				maildir_own_did(&s->own, list[i].f->sub, 1);
			else if (errno != ENOENT)
				return err_errno(e, "rename %s/%s", s->box->path, from);
		}
		*count = kept;
		if (s->exact && index_batch_end(t, &batches[b], e) == -1)
			return -1;
	}
	return 0;
}

/* Offsets become pointers when the text moves no more. */
static void
settle(struct scan *s)
{
	struct change_add *adds = (struct change_add *)(void *)s->adds.p;
	struct change_seen *seen = (struct change_seen *)(void *)s->seen.p;

	for (size_t i = 0; i < s->adds.n / sizeof(*adds); i++) {
		adds[i].rec.name.p = s->text.p + (uintptr_t)adds[i].rec.name.p;
		if (adds[i].rec.bits & IDX_UIDL)
			adds[i].rec.uidl.p = s->text.p + (uintptr_t)adds[i].rec.uidl.p;
	}
	for (size_t i = 0; i < s->seen.n / sizeof(*seen); i++)
		if (seen[i].rec.bits & IDX_UIDL)
			seen[i].rec.uidl.p = s->text.p + (uintptr_t)seen[i].rec.uidl.p;
}

int
scan_take_new(struct scan *s, struct index_txn *t, struct idx_state *st, struct err *e)
{
	struct by_arrival *list;
	struct by_rank *order;
	size_t n = 0;
	int rc = 0;

	buf_reset(&s->adds);
	if (s->fresh == 0) {
		settle(s);
		return 0;
	}
	list = calloc(s->fresh, sizeof(*list));
	order = calloc(s->fresh, sizeof(*order));
	if (list == NULL || order == NULL)
		rc = err_set(e, ERR_TEMP, "out of memory");
	for (size_t i = 0; i < s->count && n < s->fresh && rc == 0; i++) {
		if (s->files[i].known || s->files[i].skip)
			continue;
		list[n].s = s;
		list[n].f = &s->files[i];
		maildir_name_parse(scan_file_name(s, &s->files[i]), &list[n].n);
		n++;
	}
	if (rc == 0)
		rc = hide_halves(s, t, list, &n, e);
	for (size_t i = 0; i < n && rc == 0; i++)
		order[i].a = &list[i];
	if (rc == 0)
		rc = judge_uids(s, t, st, order, n, e);
	s->many = false;
	for (size_t i = 0, nameless = 0; i < n && rc == 0 && !s->many; i++) {
		nameless += order[i].a->f->uid == 0 && can_be_told(order[i].a, st);
		s->many = nameless > FEW && !index_is_private(s->box->store->ix);
	}
	for (size_t i = 0; i < n && rc != -1; i++)
		rc = take_new(s, order[i].a, st, e);
	free(list);
	free(order);
	settle(s);
	return rc == -1 ? -1 : 0;
}
