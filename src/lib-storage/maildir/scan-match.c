/* SPDX-License-Identifier: MIT */
/*
 * Files against records.  Those that are not as the index has them (known.c) are compared with the records that are left by
 * the base of their names, in a hash table: what is renamed stays the message that it was, what nobody knows is new.
 */
#include "lib-storage/maildir/scan.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include "lib/hash.h"

/*
 * Whether two names of the same base are two files.  One that somebody renames while the directories are read is seen twice,
 * and one with two names (a link) is one message.
 */
static bool
are_two(const struct scan *s, const struct scan_file *f, int sub, struct span name)
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
		struct scan_file *f = &s->files[i];
		size_t at = f->hash & s->mask;

		for (; s->table[at] != 0; at = (at + 1) & s->mask) {
			struct scan_file *g = &s->files[s->table[at] - 1];

			if (g->hash != f->hash || !span_eq(scan_file_base(s, g), scan_file_base(s, f)))
				continue;
			f->twin = s->table[at];
			f->shared = g->shared = true;
			if (!are_two(s, f, g->sub, scan_file_name(s, g))) {
				f->twin = g->twin;
				g->skip = true;
			}
			break;
		}
		s->table[at] = (uint32_t)i + 1;
	}
	return 0;
}

static struct scan_file *
table_find(const struct scan *s, struct span base)
{
	uint64_t hash = hash_of(base);

	for (size_t at = hash & s->mask; s->table[at] != 0; at = (at + 1) & s->mask) {
		struct scan_file *f = &s->files[s->table[at] - 1];

		if (f->hash == hash && span_eq(scan_file_base(s, f), base))
			return f;
	}
	return NULL;
}

/* The file of a record; of several with its base, the one with its name. */
static struct scan_file *
table_find_record(const struct scan *s, const struct idx_message *m)
{
	struct scan_file *f = table_find(s, span_sub(m->name, 0, span_chr(m->name, ':')));

	for (struct scan_file *g = f; g != NULL && f->twin != 0; g = g->twin == 0 ? NULL : &s->files[g->twin - 1])
		if (!g->skip && span_eq(scan_file_name(s, g), m->name) && (g->sub == SUB_NEW) == ((m->bits & IDX_NEW) != 0))
			return g;
	return f;
}

static void
seen_add(struct scan *s, uint32_t uid, const struct idx_message *m, const struct scan_file *f)
{
	struct change_seen c = { .uid = uid, .rec = *m };
	struct maildir_name n;

	maildir_name_parse(scan_file_name(s, f), &n);
	c.rec.name = scan_file_name(s, f);
	/* pointers into the index's pages do not outlive the transaction's next change */
	if (m->bits & IDX_UIDL) {
		size_t at = s->text.n;

		buf_add(&s->text, m->uidl);
		c.rec.uidl = (struct span){ (const char *)(uintptr_t)at, m->uidl.n };
	}
	c.rec.bits = (uint8_t)(f->sub == SUB_NEW ? c.rec.bits | IDX_NEW : c.rec.bits & ~IDX_NEW);
	/* Flags of ours that wait to be written behind are newer than what a rename by somebody else says. */
	if (!(m->bits & IDX_DIRTY) && (n.flags != m->flags || n.keywords != (m->keywords & MAILDIR_LETTER_BITS))) {
		c.rec.flags = n.flags;
		c.rec.keywords = (m->keywords & ~MAILDIR_LETTER_BITS) | n.keywords;
		c.flags_changed = true;
	}
	buf_add(&s->seen, span_of(&c, sizeof(c)));
}

/* Files that have the base of a record whose own file was seen: other messages, or its other name. */
static void
compare_twins(struct scan *s, const struct maildir_known_rec *r, const struct idx_message *m)
{
	struct scan_file *f = table_find(s, span_sub(m->name, 0, span_chr(m->name, ':')));

	for (; f != NULL; f = f->twin == 0 ? NULL : &s->files[f->twin - 1]) {
		f->shared = true;
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
	char tagged[MAILDIR_NAME_MAX + 1];
	struct idx_message m;
	struct scan_file *f;
	int rc = index_message_get(t, s->box->id, r->uid, &m, e);

	if (rc != 1)
		return rc;
	if (r->order != 0) {
		compare_twins(s, r, &m);
		return 0;
	}
	f = table_find_record(s, &m);
	/* We died when the file had got its UID into its name, and the record had not got the name. */
	if (f == NULL && !r->tagged && maildir_name_tag(tagged, span_sub(m.name, 0, span_chr(m.name, ':')), s->uidvalidity, r->uid))
		f = table_find(s, span_str(tagged));
	if (f == NULL) {
		buf_add(&s->gone, span_of(&r->uid, sizeof(r->uid)));
		return 0;
	}
	f->known = true;
	if (!span_eq(scan_file_name(s, f), m.name) || (f->sub == SUB_NEW) != ((m.bits & IDX_NEW) != 0))
		seen_add(s, r->uid, &m, f);
	return 0;
}

int
scan_match(struct scan *s, struct index_txn *t, struct err *e)
{
	int rc = table_build(s, e);

	buf_reset(&s->seen);
	buf_reset(&s->gone);
	buf_reset(&s->text);
	for (size_t i = 0; i < s->recs.count && rc != -1; i++) {
		const struct maildir_known_rec *r = &s->recs.recs[i];

		if (r->order == 0 || r->wanted)
			rc = compare_one(s, t, r, e);
	}
	s->fresh = 0;
	for (size_t i = 0; i < s->count; i++)
		s->fresh += !s->files[i].known && !s->files[i].skip;
	if (rc != -1 && (s->seen.failed || s->gone.failed || s->text.failed))
		rc = err_set(e, ERR_LIMIT, "%s: too many changes", s->box->path);
	return rc == -1 ? -1 : 0;
}
