/* SPDX-License-Identifier: MIT */
/*
 * Seeing what other programs did.  The index keeps the modification times of new/ and cur/ as they were when it last
 * agreed with them; while they are the same, a sync is two stats.
 *
 * Such a time is worth something only if every later change gives another one, and a file system's clock ticks in
 * milliseconds.  So a scan first sets the directory's time itself, to the nanosecond: whatever changes afterwards, even in
 * the same tick, leaves a different time ("sealing").  The list is exact when the seal is still there at its end; if not,
 * it is read again, and a message is taken for expunged only when an exact list does not have it (a rename by somebody
 * else, while the directory is read, can hide a file).
 *
 * Changes of our own (commit.c) are made in a write transaction: the seal is looked at before, and set anew behind them.
 * Another program's change in the microseconds between the two is noticed by nobody: IDX_STATE_WINDOW remembers that
 * this can have been, and maintenance scans again, when it is cheap or some minutes have gone by.
 *
 * A file whose name is as the index has it is done with at once (known.c); those that are left are compared with the records
 * that are left by the base of their names, in a hash table.  The list is read before the write transaction; if the index
 * has moved when that begins, it is read again within it.
 *
 * A file is new when its base is not in the index.  It keeps the UID of its name if that has the mailbox's UIDVALIDITY
 * and the UID can not have been anybody else's: it was not given yet (we died between rename and commit), or the index is
 * being rebuilt.  While the index is made anew, culver-uidlist (adopt.c) has UIDs of files whose names carry none yet.  All
 * others get the next UIDs, in the order in which they arrived, and are renamed.
 */
#include "lib-storage/maildir/adopt.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "lib/hash.h"
#include "lib/log.h"

#define LIST_TRIES 4
#define COARSE_AGE 3	/* seconds: FAT's clock ticks in two */
#define FILES_MAX 50000000u
#define NAMES_MAX ((size_t)4 << 30)
#define BATCHES 16
#define BATCH_AGE 3600	/* seconds after which nobody is about to begin any more */
#define WINDOW_RENAMES 64	/* with more renames than this the directory is read again instead of sealed */

struct file {
	size_t name;		/* offset in names */
	uint64_t hash;		/* of the base */
	uint32_t order;		/* in the list */
	uint16_t len, base_len;
	uint8_t sub;
	uint32_t twin;		/* another with the same base: its index + 1; 0: none */
	bool known, skip;
	/* of those that are new: */
	uint32_t uid;		/* it keeps, or 0 */
	uint32_t usec;
	int64_t sec;
};

struct scan {
	struct maildir_box *box;
	struct maildir_known recs;
	uint32_t listed;	/* files seen */
	struct buf names;
	struct file *files;	/* those that are not as the index has them */
	size_t count, cap;
	uint32_t *table;	/* open addressing: index of a file + 1 */
	size_t mask;
	struct idx_stamp seal[2];
	bool exact, coarse, was_coarse;
	/* What came out of it. */
	struct buf seen, gone, adds, text;
	size_t fresh;		/* files that are new */
	struct maildir_list_file facts;		/* of other servers; only while the index is made anew */
	bool has_facts;
	size_t renamed[2];
};

/*
 * Sets the directory's time to now, and says what it then is.  Where that can not be done (coarse times, a directory of
 * somebody else) the time counts once it has been the same for a while.  False: it can not be relied on.
 */
static bool
seal(struct maildir_box *box, int sub, bool coarse, struct idx_stamp *out)
{
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat sb;
	bool fine;

	clock_gettime(CLOCK_REALTIME, &ts[1]);
	fine = !coarse && !index_is_private(box->store->ix) && utimensat(box->fd, maildir_subdirs[sub], ts, 0) == 0;
	if (fstatat(box->fd, maildir_subdirs[sub], &sb, 0) == -1)
		return false;
	*out = (struct idx_stamp){ .sec = sb.st_mtim.tv_sec, .nsec = (uint32_t)sb.st_mtim.tv_nsec,
		.ino = (uint64_t)sb.st_ino };
	if (fine && sb.st_mtim.tv_sec == ts[1].tv_sec && sb.st_mtim.tv_nsec == ts[1].tv_nsec)
		return true;
	return sb.st_mtim.tv_sec + COARSE_AGE < ts[1].tv_sec;
}

static bool
stamp_eq(struct maildir_box *box, int sub, const struct idx_stamp *s)
{
	struct stat sb;

	return fstatat(box->fd, maildir_subdirs[sub], &sb, 0) == 0 && s->sec == sb.st_mtim.tv_sec &&
	    s->nsec == (uint32_t)sb.st_mtim.tv_nsec && s->ino == (uint64_t)sb.st_ino;
}

bool
maildir_stamp_holds(struct maildir_box *box, const struct idx_state *st, int sub)
{
	return !(st->bits & (IDX_STATE_COARSE | IDX_STATE_UNSCANNED)) && stamp_eq(box, sub, &st->stamp[sub]);
}

void
maildir_stamp_set(struct maildir_box *box, struct idx_state *st, int sub)
{
	if (!seal(box, sub, (st->bits & IDX_STATE_COARSE) != 0, &st->stamp[sub]))
		st->bits |= IDX_STATE_COARSE;
	st->bits |= IDX_STATE_WINDOW;
}

static bool
file_add(struct scan *s, int sub, struct span name)
{
	struct maildir_name n;
	struct file *f;

	if (maildir_known_match(&s->recs, sub, name, ++s->listed) || !maildir_name_parse(name, &n))
		return true;
	if (s->count == s->cap) {
		size_t cap = s->cap == 0 ? 1024 : s->cap * 2;
		struct file *more = cap > FILES_MAX ? NULL : realloc(s->files, cap * sizeof(*more));

		if (more == NULL)
			return false;
		s->files = more;
		s->cap = cap;
	}
	f = &s->files[s->count++];
	maildir_known_want(&s->recs, n.base);
	*f = (struct file){ .name = s->names.n, .hash = hash_of(n.base), .order = s->listed, .len = (uint16_t)name.n,
		.base_len = (uint16_t)n.base.n, .sub = (uint8_t)sub };
	buf_add(&s->names, name);
	buf_addc(&s->names, '\0');
	return !s->names.failed;
}

static int
list_sub(struct scan *s, int sub, struct err *e)
{
	int fd = openat(s->box->fd, maildir_subdirs[sub], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *d;
	int rc = 0;

	if (dir == NULL) {
		err_errno(e, "open %s/%s", s->box->path, maildir_subdirs[sub]);
		if (fd != -1)
			close(fd);
		return -1;
	}
	while (rc == 0 && (errno = 0, d = readdir(dir)) != NULL) {
		/* A message is a plain file: a symbolic link could lead anywhere, and opening a FIFO would never end. */
		if (d->d_type != DT_REG && d->d_type != DT_UNKNOWN)
			continue;
		if (!file_add(s, sub, span_str(d->d_name)))
			rc = err_set(e, ERR_LIMIT, "%s: too many files", s->box->path);
	}
	if (rc == 0 && errno != 0)
		rc = err_errno(e, "read %s/%s", s->box->path, maildir_subdirs[sub]);
	closedir(dir);
	return rc;
}

/*
 * Reads both directories, in the light of what the transaction's records say; files has what they do not know.  Exact when
 * nobody changed anything meanwhile.
 */
static int
list_files(struct scan *s, struct index_txn *t, const struct idx_state *st, struct err *e)
{
	for (int try = 0; try < LIST_TRIES; try++) {
		if (maildir_known_load(&s->recs, t, st, e) == -1)
			return -1;
		s->count = 0;
		s->listed = 0;
		buf_reset(&s->names);
		s->coarse = false;
		for (int sub = 0; sub < 2; sub++)
			if (!seal(s->box, sub, s->was_coarse, &s->seal[sub]))
				s->coarse = true;
		/* new/ first: a file that moves on to cur/ meanwhile is seen twice, not never. */
		if (list_sub(s, SUB_NEW, e) == -1 || list_sub(s, SUB_CUR, e) == -1)
			return -1;
		s->exact = stamp_eq(s->box, SUB_NEW, &s->seal[SUB_NEW]) && stamp_eq(s->box, SUB_CUR, &s->seal[SUB_CUR]);
		if (s->exact)
			break;
	}
	return 0;
}

static struct span
file_name(const struct scan *s, const struct file *f)
{
	return span_of(s->names.p + f->name, f->len);
}

static struct span
file_base(const struct scan *s, const struct file *f)
{
	return span_of(s->names.p + f->name, f->base_len);
}

/*
 * Whether two names of the same base are two files.  One that somebody renames while the directories are read is seen twice,
 * and one with two names (a link) is one message.
 */
static bool
are_two(const struct scan *s, const struct file *f, int sub, struct span name)
{
	char path[MAILDIR_NAME_MAX + 8];
	struct stat a, b;

	snprintf(path, sizeof(path), "%s/%s", maildir_subdirs[f->sub], s->names.p + f->name);
	if (fstatat(s->box->fd, path, &a, AT_SYMLINK_NOFOLLOW) == -1)
		return false;
	snprintf(path, sizeof(path), "%s/%.*s", maildir_subdirs[sub], SPAN_ARG(name));
	if (fstatat(s->box->fd, path, &b, AT_SYMLINK_NOFOLLOW) == -1)
		return false;
	return a.st_ino != b.st_ino || a.st_dev != b.st_dev;
}

/*
 * The table of bases.  A base twice (a copy by hand with other flags, a restore without deletion): each is a message, the
 * last one in cur/ comes first.
 */
static int
table_build(struct scan *s, struct err *e)
{
	size_t size = 16;

	while (size < s->count * 2)
		size *= 2;
	free(s->table);
	s->table = calloc(size, sizeof(*s->table));
	if (s->table == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	s->mask = size - 1;
	for (size_t i = 0; i < s->count; i++) {
		struct file *f = &s->files[i];
		size_t at = f->hash & s->mask;

		for (; s->table[at] != 0; at = (at + 1) & s->mask) {
			struct file *g = &s->files[s->table[at] - 1];

			if (g->hash != f->hash || !span_eq(file_base(s, g), file_base(s, f)))
				continue;
			f->twin = s->table[at];
			if (!are_two(s, f, g->sub, file_name(s, g))) {
				f->twin = g->twin;
				g->skip = true;
			}
			break;
		}
		s->table[at] = (uint32_t)i + 1;
	}
	return 0;
}

static struct file *
table_find(const struct scan *s, struct span base)
{
	uint64_t hash = hash_of(base);

	for (size_t at = hash & s->mask; s->table[at] != 0; at = (at + 1) & s->mask) {
		struct file *f = &s->files[s->table[at] - 1];

		if (f->hash == hash && span_eq(file_base(s, f), base))
			return f;
	}
	return NULL;
}

/* The file of a record; of several with its base, the one with its name. */
static struct file *
table_find_record(const struct scan *s, const struct idx_message *m)
{
	struct file *f = table_find(s, span_sub(m->name, 0, span_chr(m->name, ':')));

	for (struct file *g = f; g != NULL && f->twin != 0; g = g->twin == 0 ? NULL : &s->files[g->twin - 1])
		if (!g->skip && span_eq(file_name(s, g), m->name) && (g->sub == SUB_NEW) == ((m->bits & IDX_NEW) != 0))
			return g;
	return f;
}

static void
seen_add(struct scan *s, uint32_t uid, const struct idx_message *m, const struct file *f)
{
	struct change_seen c = { .uid = uid, .rec = *m };
	struct maildir_name n;

	maildir_name_parse(file_name(s, f), &n);
	c.rec.name = file_name(s, f);
	/* pointers into the index's pages do not outlive the transaction's next change */
	if (m->bits & IDX_UIDL) {
		size_t at = s->text.n;

		buf_add(&s->text, m->uidl);
		c.rec.uidl = (struct span){ (const char *)(uintptr_t)at, m->uidl.n };
	}
	c.rec.bits = (uint8_t)(f->sub == SUB_NEW ? c.rec.bits | IDX_NEW : c.rec.bits & ~IDX_NEW);
	/* Flags of ours that wait to be written behind are newer than what a rename by somebody else says. */
	if (!(m->bits & IDX_DIRTY) && (n.flags != m->flags || n.keywords != m->keywords)) {
		c.rec.flags = n.flags;
		c.rec.keywords = n.keywords;
		c.flags_changed = true;
	}
	buf_add(&s->seen, span_of(&c, sizeof(c)));
}

/* Files that have the base of a record whose own file was seen: other messages, or its other name. */
static void
compare_twins(struct scan *s, const struct maildir_known_rec *r, const struct idx_message *m)
{
	struct file *f = table_find(s, span_sub(m->name, 0, span_chr(m->name, ':')));

	for (; f != NULL; f = f->twin == 0 ? NULL : &s->files[f->twin - 1]) {
		if (f->skip || are_two(s, f, r->sub, m->name))
			continue;
		/* Renamed while the directories were read: the later in the list counts. */
		if (f->order < r->order) {
			f->skip = true;
			continue;
		}
		f->known = true;
		seen_add(s, r->uid, m, f);
		return;
	}
}

/* One record whose file has another name now, or is gone, or that may have two. */
static int
compare_one(struct scan *s, struct index_txn *t, const struct maildir_known_rec *r, struct err *e)
{
	struct idx_message m;
	struct file *f;
	int rc = index_message_get(t, s->box->id, r->uid, &m, e);

	if (rc != 1)
		return rc;
	if (r->order != 0) {
		compare_twins(s, r, &m);
		return 0;
	}
	f = table_find_record(s, &m);
	if (f == NULL) {
		buf_add(&s->gone, span_of(&r->uid, sizeof(r->uid)));
		return 0;
	}
	f->known = true;
	if (!span_eq(file_name(s, f), m.name) || (f->sub == SUB_NEW) != ((m.bits & IDX_NEW) != 0))
		seen_add(s, r->uid, &m, f);
	return 0;
}

/* The records against the table. */
static int
compare(struct scan *s, struct index_txn *t, struct err *e)
{
	int rc = 0;

	buf_reset(&s->seen);
	buf_reset(&s->gone);
	buf_reset(&s->text);
	for (size_t i = 0; i < s->recs.count && rc != -1; i++) {
		const struct maildir_known_rec *r = &s->recs.recs[i];

		if (r->order == 0 || r->wanted || (!r->tagged && s->count > 0))
			rc = compare_one(s, t, r, e);
	}
	s->fresh = 0;
	for (size_t i = 0; i < s->count; i++)
		s->fresh += !s->files[i].known && !s->files[i].skip;
	if (rc != -1 && (s->seen.failed || s->gone.failed || s->text.failed))
		rc = err_set(e, ERR_LIMIT, "%s: too many changes", s->box->path);
	return rc == -1 ? -1 : 0;
}

struct by_arrival {
	const struct scan *s;
	const struct file *f;
	struct maildir_name n;
	bool listed;		/* the UID is the list's, by the file's name */
};

/*
 * Those that keep a UID first, by UID; the others by the time in their names.  Of those with the same UID the latest comes
 * first: the others are of processes that died between rename and commit, after which the UID was given again.
 */
static int
arrival_cmp(const void *a, const void *b)
{
	const struct by_arrival *x = a, *y = b;

	if ((x->f->uid != 0) != (y->f->uid != 0))
		return x->f->uid != 0 ? -1 : 1;
	if (x->f->uid != y->f->uid)
		return x->f->uid < y->f->uid ? -1 : 1;
	if (x->listed != y->listed)
		return x->listed ? -1 : 1;
	if (x->f->uid != 0) {
		x = b;
		y = a;
	}
	if (x->n.sec != y->n.sec)
		return x->n.sec < y->n.sec ? -1 : 1;
	if (x->n.usec != y->n.usec)
		return x->n.usec < y->n.usec ? -1 : 1;
	if (x->n.uid != y->n.uid)
		return x->n.uid < y->n.uid ? -1 : 1;
	return span_cmp(file_name(x->s, x->f), file_name(y->s, y->f));
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
		memcpy(out, file_name(s, a->f).p, (size_t)a->f->len + 1);
		return 1;
	}
	maildir_name_sizes(&a->n, (uint64_t)sb->st_size, IDX_SIZE_UNKNOWN, &size, &virtual_size);
	if (!maildir_name_tag(tagged, a->n.base, validity, uid) &&
	    !maildir_name_new(tagged, size, virtual_size, validity, uid))
		return err_set(e, ERR_LIMIT, "%s: no name for a file", s->box->path);
	maildir_name_info(out, span_str(tagged), a->n.info, a->n.flags, a->n.keywords, info);
	snprintf(from, sizeof(from), "%s/%s", dir, file_name(s, a->f).p);
	snprintf(to, sizeof(to), "%s/%s", dir, out);
	if (renameat(s->box->fd, from, s->box->fd, to) == 0) {
		s->renamed[a->f->sub]++;
		return 1;
	}
	if (errno == ENOENT)
		return 0;
	if (errno == EACCES || errno == EPERM || errno == EROFS) {
		/* A directory that we may only read: the message is served all the same, from the name it has. */
		memcpy(out, file_name(s, a->f).p, (size_t)a->f->len + 1);
		return 1;
	}
	return err_errno(e, "rename %s/%s", s->box->path, from);
}

/*
 * 1, 0: there is no message there, -1.  A disk that fails has a second chance; what it still does not tell of one file, the
 * file's name must, so that the others can be read.
 */
static int
look_at(struct scan *s, const struct by_arrival *a, const char *path, struct stat *sb, struct err *e)
{
	for (int try = 0; try < 2; try++) {
		if (fstatat(s->box->fd, path, sb, 0) == 0)
			return S_ISREG(sb->st_mode);
		if (errno == ENOENT)
			return 0;
	}
	if (errno != EIO || a->n.size == IDX_SIZE_UNKNOWN)
		return err_errno(e, "stat %s/%s", s->box->path, path);
	log_warning("%s/%s: the disk fails: its name alone is used", s->box->path, path);
	*sb = (struct stat){ .st_mode = S_IFREG, .st_size = (off_t)a->n.size, .st_mtim.tv_sec = a->n.sec };
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

/* Fills in the record of a new file; 0: it has gone. */
static int
take_new(struct scan *s, struct by_arrival *a, struct idx_state *st, struct err *e)
{
	struct change_add add = { 0 };
	char path[MAILDIR_NAME_MAX + 8], name[MAILDIR_NAME_MAX + 1];
	struct stat sb;
	int rc = 1;

	/* A UID that we can not keep would be somebody else's later: without one, the message waits for who may give it. */
	if (a->f->uid == 0 && index_is_private(s->box->store->ix) && !(st->bits & IDX_STATE_PRIVATE))
		return 0;
	snprintf(path, sizeof(path), "%s/%s", maildir_subdirs[a->f->sub], file_name(s, a->f).p);
	rc = look_at(s, a, path, &sb, e);
	if (rc != 1)
		return rc;
	add.uid = a->f->uid != 0 ? a->f->uid : st->uidnext;
	if (add.uid >= UINT32_MAX - 1)
		return err_set(e, ERR_LIMIT, "mailbox %s has no UIDs left", s->box->name);
	/* Kept outside of names; once, before the name has been changed. */
	if (a->listed && a->f->sub == SUB_CUR)
		a->n.keywords |= maildir_facts_keywords(&s->facts.list, a->n.base);
	if (a->f->uid == 0 || !has_tag(&a->n, st->uidvalidity, add.uid))
		rc = rename_new(s, a, &sb, st->uidvalidity, add.uid, name, e);
	else
		memcpy(name, file_name(s, a->f).p, (size_t)a->f->len + 1);
	if (rc != 1)
		return rc;
	if (add.uid >= st->uidnext)
		st->uidnext = add.uid + 1;
	add.rec = (struct idx_message){
		.flags = a->n.flags,
		.bits = a->f->sub == SUB_NEW ? IDX_NEW : 0,
		.keywords = a->n.keywords,
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

	a->listed = entry != NULL;
	if (entry != NULL)
		return entry->uid;
	if (a->n.uidvalidity != st->uidvalidity || (s->has_facts && !maildir_facts_tag_fits(&s->facts.list, &a->n)))
		return 0;
	return a->n.uid;
}

/* Which of the new files may keep the UID of their names, or of the list. */
static int
judge_uids(struct scan *s, struct index_txn *t, const struct idx_state *st, struct by_arrival *list, size_t count,
    struct err *e)
{
	bool rebuild = st->bits & IDX_STATE_UNSCANNED;
	uint32_t last = 0;
	struct idx_message m;
	bool twice = false;

	for (size_t i = 0; i < count; i++) {
		struct file *f = &s->files[list[i].f - s->files];
		uint32_t uid = claimed_uid(s, st, &list[i]);
		int rc;

		f->uid = 0;
		if (uid == 0 || uid >= st->uid_reserved || (!rebuild && uid < st->uidnext))
			continue;
		rc = s->recs.count == 0 ? 0 : index_message_get(t, s->box->id, uid, &m, e);
		if (rc == -1)
			return -1;
		if (rc == 0)
			f->uid = uid;
	}
	qsort(list, count, sizeof(*list), arrival_cmp);
	/* Two with the same UID: the first in this order keeps it. */
	for (size_t i = 0; i < count && list[i].f->uid != 0; i++) {
		struct file *f = &s->files[list[i].f - s->files];

		if (f->uid == last) {
			f->uid = 0;
			twice = true;
		} else
			last = f->uid;
	}
	if (twice)
		qsort(list, count, sizeof(*list), arrival_cmp);
	return 0;
}

/* Halves of what was to come all or not at all go back to tmp/; *count less those. */
static int
hide_halves(struct scan *s, struct index_txn *t, const struct idx_state *st, struct by_arrival *list, size_t *count,
    struct err *e)
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
			    st->bits & IDX_STATE_UNSCANNED) {
				list[kept++] = list[i];
				continue;
			}
			snprintf(from, sizeof(from), "%s/%s", maildir_subdirs[list[i].f->sub], file_name(s, list[i].f).p);
			snprintf(to, sizeof(to), "tmp/%.*s", SPAN_ARG(list[i].n.base));
			if (s->exact && renameat(s->box->fd, from, s->box->fd, to) == -1 && errno != ENOENT)
				return err_errno(e, "rename %s/%s", s->box->path, from);
			s->renamed[list[i].f->sub]++;
		}
		*count = kept;
		if (s->exact && index_batch_end(t, &batches[b], e) == -1)
			return -1;
	}
	return 0;
}

static int
take_all_new(struct scan *s, struct index_txn *t, struct idx_state *st, struct err *e)
{
	struct by_arrival *list;
	size_t n = 0;
	int rc = 0;

	buf_reset(&s->adds);
	if (s->fresh == 0)
		return 0;
	list = calloc(s->fresh, sizeof(*list));
	if (list == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	for (size_t i = 0; i < s->count && n < s->fresh; i++) {
		if (s->files[i].known || s->files[i].skip)
			continue;
		list[n].s = s;
		list[n].f = &s->files[i];
		maildir_name_parse(file_name(s, &s->files[i]), &list[n].n);
		n++;
	}
	rc = hide_halves(s, t, st, list, &n, e);
	if (rc == 0)
		rc = judge_uids(s, t, st, list, n, e);
	for (size_t i = 0; i < n && rc != -1; i++)
		rc = take_new(s, &list[i], st, e);
	free(list);
	return rc == -1 ? -1 : 0;
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

static int
add_cmp(const void *a, const void *b)
{
	const struct change_add *x = a, *y = b;

	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

/* Within a write transaction, with a list that fits the index: takes it all in. */
static int
apply_scan(struct scan *s, struct index_txn *t, struct idx_state *st, struct err *e)
{
	struct box_change c = { .id = s->box->id };
	bool first = st->bits & IDX_STATE_UNSCANNED, sorted = true;

	if (take_all_new(s, t, st, e) == -1)
		return -1;
	settle(s);
	c.adds = (struct change_add *)(void *)s->adds.p;
	c.add_count = s->adds.n / sizeof(*c.adds);
	for (size_t i = 1; i < c.add_count && sorted; i++)
		sorted = c.adds[i - 1].uid < c.adds[i].uid;
	if (!sorted)
		qsort(c.adds, c.add_count, sizeof(*c.adds), add_cmp);
	c.seen = (struct change_seen *)(void *)s->seen.p;
	c.seen_count = s->seen.n / sizeof(*c.seen);
	if (s->exact) {
		c.expunges = (const uint32_t *)(const void *)s->gone.p;
		c.expunge_count = s->gone.n / sizeof(uint32_t);
	}
	st->bits &= ~(uint32_t)(IDX_STATE_COARSE | IDX_STATE_WINDOW);
	if (s->coarse || !s->exact)
		st->bits |= IDX_STATE_COARSE;
	if (s->exact)
		st->bits &= ~(uint32_t)IDX_STATE_UNSCANNED;
	st->scanned_at = time(NULL);
	for (int sub = 0; sub < 2; sub++) {
		st->stamp[sub] = s->seal[sub];
		/* After a few renames of our own the window was short; after many the next sync reads again. */
		if (s->renamed[sub] > 0 && s->renamed[sub] <= WINDOW_RENAMES)
			maildir_stamp_set(s->box, st, sub);
	}
	if (index_apply(t, &c, st, e) == -1)
		return -1;
	/* Of a Maildir seen for the first time what lies in new/ is \Recent; the mark is one number, so nearly so. */
	for (size_t i = 0; first && i < c.add_count; i++)
		if (!(c.adds[i].rec.bits & IDX_NEW) && c.adds[i].uid >= st->recent_uid)
			st->recent_uid = c.adds[i].uid + 1;
	return index_state_put(t, st, e);
}

static bool
same_state(const struct idx_state *a, const struct idx_state *b)
{
	for (int i = 0; i < 2; i++)
		if (a->stamp[i].sec != b->stamp[i].sec || a->stamp[i].nsec != b->stamp[i].nsec)
			return false;
	return a->highestmodseq == b->highestmodseq && a->uidnext == b->uidnext && a->bits == b->bits && a->dirty == b->dirty;
}

static enum drv_rc
scan_once(struct scan *s, const struct idx_state *before, bool *again_out, struct err *e)
{
	struct index_txn *t;
	struct idx_state st;
	struct maildir_claim claim;
	int rc;
	enum drv_rc drc = maildir_begin(s->box, 0, &t, &st, e);

	if (drc != DRV_OK)
		return drc;
	*again_out = false;
	s->renamed[0] = s->renamed[1] = 0;
	rc = maildir_claim_left(s->box, t, &claim, e);
	/* What somebody left who died is there by now, whenever the list was read. */
	if (rc == 0 && (!same_state(before, &st) || claim.left != 0))
		rc = list_files(s, t, &st, e);
	if (rc == 0)
		rc = table_build(s, e);
	if (rc == 0)
		rc = compare(s, t, e);
	if (rc == 0 && !maildir_has_room(&st, (uint32_t)s->fresh)) {
		index_abort(t);
		*again_out = true;
		return maildir_reserve(s->box, (uint32_t)s->fresh, e);
	}
	if (rc == 0 && s->fresh > 0 && (drc = maildir_claim_more(s->box, t, &st, (uint32_t)s->fresh, &claim, e)) != DRV_OK) {
		*again_out = drc == DRV_CONFLICT;
		return drc == DRV_CONFLICT ? DRV_OK : drc;
	}
	if (rc == 0)
		rc = apply_scan(s, t, &st, e);
	if (rc == 0)
		rc = maildir_claim_meet(t, &st, &claim, e);
	if (rc == 0)
		rc = index_commit(t, e);
	else
		index_abort(t);
	return rc == 0 ? DRV_OK : drv_of(e);
}

static enum drv_rc
scan(struct maildir_box *box, struct err *e)
{
	struct scan s = { .box = box, .names = BUF_INIT(NAMES_MAX), .seen = BUF_INIT(NAMES_MAX),
		.gone = BUF_INIT(NAMES_MAX), .adds = BUF_INIT(NAMES_MAX), .text = BUF_INIT(NAMES_MAX) };
	enum drv_rc drc = DRV_OK;
	bool again = true;

	for (int try = 0; try < LIST_TRIES && again && drc == DRV_OK; try++) {
		struct index_txn *t;
		struct idx_state before;
		int rc = index_read(box->store->ix, &t, e) == -1 ? -1 : index_state_get(t, box->id, &before, e);

		s.was_coarse = rc == 1 && before.bits & IDX_STATE_COARSE;
		if (rc == 0)
			err_set(e, ERR_NOTFOUND, "mailbox %s was deleted", box->name);
		if (rc == 1 && maildir_adopt_look(box, &before, e) == -1)
			rc = -1;
		if (rc == 1 && before.bits & IDX_STATE_UNSCANNED && !s.has_facts) {
			int facts = maildir_facts_read(box, before.uidvalidity, &s.facts, e);

			s.has_facts = facts == 1;
			rc = facts == -1 ? -1 : 1;
		}
		/* Either may have ended the transaction. */
		if (rc == 1 && index_read(box->store->ix, &t, e) == -1)
			rc = -1;
		drc = rc != 1 || list_files(&s, t, &before, e) == -1 ? drv_of(e) : DRV_OK;
		index_read_end(box->store->ix);
		if (drc == DRV_OK)
			drc = scan_once(&s, &before, &again, e);
	}
	if (s.has_facts)
		maildir_list_file_clear(&s.facts);
	buf_clear(&s.names);
	buf_clear(&s.seen);
	buf_clear(&s.gone);
	buf_clear(&s.adds);
	buf_clear(&s.text);
	free(s.files);
	free(s.table);
	maildir_known_clear(&s.recs);
	return drc;
}

enum drv_rc
maildir_sync(void *b, bool thorough, struct err *e)
{
	struct maildir_box *box = b;
	struct index_txn *t;
	struct idx_state st;
	bool fresh;
	int rc;

	if (index_check(box->store->ix, e) == -1 || index_read(box->store->ix, &t, e) == -1)
		return drv_of(e);
	rc = box->generation == index_generation(box->store->ix) ? index_state_get(t, box->id, &st, e) : 0;
	if (rc == 0) {
		enum drv_rc drc;

		index_read_end(box->store->ix);
		drc = maildir_find_again(box, e);
		if (drc != DRV_OK || index_read(box->store->ix, &t, e) == -1)
			return drc != DRV_OK ? drc : drv_of(e);
		rc = index_state_get(t, box->id, &st, e);
	}
	if (rc != 1)
		return rc == 0 ? DRV_GONE : drv_of(e);
	/* What opening the mailbox saw of cur/ a moment ago need not be looked at again. */
	fresh = box->cur_is_fresh && !(st.bits & (IDX_STATE_COARSE | IDX_STATE_UNSCANNED)) &&
	    box->cur.sec == st.stamp[SUB_CUR].sec && box->cur.nsec == st.stamp[SUB_CUR].nsec &&
	    box->cur.ino == st.stamp[SUB_CUR].ino;
	box->cur_is_fresh = false;
	if (!thorough && maildir_stamp_holds(box, &st, SUB_NEW) && (fresh || maildir_stamp_holds(box, &st, SUB_CUR)))
		return DRV_OK;
	return scan(box, e);
}
