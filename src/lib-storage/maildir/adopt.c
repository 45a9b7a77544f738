/* SPDX-License-Identifier: MIT */
/*
 * A Maildir that another server wrote is taken over when its mailbox has no control file of ours: UIDVALIDITY, UIDs, POP3's
 * names, keywords.  What no file name can carry goes into two files of ours; the scan that follows gives each file its
 * UID, by the name that the list has of it.  The name gets it when it changes for another reason.
 *
 *	culver-uidlist	a list of version 3, whatever it was made from: what POP3 calls messages, GUIDs, and the UIDs until
 *			names carry them.  Read when the index is made anew.
 *	dovecot-uidlist	becomes an empty list with another UIDVALIDITY (the fence).  Were Dovecot started again without
 *			`culveradm release', it would number the renamed files anew: with the fence its clients notice, while
 *			under the old UIDVALIDITY two messages could get the same UID.
 *
 * Order: culver-uidlist, the fence (Courier's files get other names), then the control file.  Whatever a crash leaves is
 * taken up by the next try with the same result: without the control file a dovecot-uidlist that is not the fence counts
 * first, then culver-uidlist, then Courier's files.
 *
 * A mailbox that was released (release.c) is not taken back by whoever opens it: maildir_adopt_refused().
 */
#include "lib-storage/maildir/listing.h"
#include "lib-storage/maildir/uids-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "lib/encode.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "lib/sys.h"

#define SMALL_FILE 65536
#define FENCE_OCTETS 100
#define COURIER_FILES 200000	/* of courierimapkeywords */
#define COURIER_ARENA ((size_t)1 << 30)
#define UID_GAP 65536		/* UIDs left out when the mark has been lost: some may have been given */
#define TAG_JUMP 1000000u	/* a name's UID further above all others is not believed */

int
maildir_read_at(int dir, const char *name, size_t max, struct buf *out, struct err *e)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;
	struct stat sb;

	if (fd == -1)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(e, "open %s", name);
	if (fstat(fd, &sb) == -1)
		rc = err_errno(e, "stat %s", name);
	else if (!S_ISREG(sb.st_mode))
		rc = err_set(e, ERR_LIMIT, "%s is no plain file", name);
	else
		rc = fd_read_all(fd, max, out, e);
	close(fd);
	return rc == 0 ? 1 : -1;
}

/* A list of that name: 1, 0 not there or not sound (*unsound_out), -1. */
static int
read_list(int dir, const char *name, struct maildir_list_file *out, bool *unsound_out, struct err *e)
{
	int rc;

	*out = (struct maildir_list_file){ .text = BUF_INIT(UIDLIST_OCTETS) };
	rc = dir == -1 ? 0 : maildir_read_at(dir, name, UIDLIST_OCTETS - 1, &out->text, e);
	if (rc == 1 && uidlist_parse(buf_span(&out->text), &out->list))
		return 1;
	if (rc == 1 || (rc == -1 && e->code == ERR_LIMIT)) {
		*unsound_out = true;
		rc = 0;
	}
	maildir_list_file_clear(out);
	return rc;
}

void
maildir_list_file_clear(struct maildir_list_file *f)
{
	uidlist_clear(&f->list);
	buf_clear(&f->text);
}

int
maildir_facts_read(struct maildir_box *box, uint32_t uidvalidity, struct maildir_list_file *out, struct err *e)
{
	int dir = maildir_control_dir(box, false, e), rc;
	bool unsound = false;

	rc = read_list(dir, FACTS_NAME, out, &unsound, e);
	if (dir != -1)
		close(dir);
	if (unsound)
		log_warning("%s/%s is damaged: what POP3 calls older messages is made anew", box->path, FACTS_NAME);
	if (rc == 1 && out->list.uidvalidity != uidvalidity) {
		maildir_list_file_clear(out);
		return 0;
	}
	if (rc == 1 && !uidlist_index(&out->list)) {
		maildir_list_file_clear(out);
		return err_set(e, ERR_TEMP, "out of memory");
	}
	return rc;
}

/* 1, 0, -1 it can not be told. */
static int
has_file(int dir, const char *name, struct err *e)
{
	if (faccessat(dir, name, F_OK, 0) == 0)
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(e, "look for %s", name);
}

int
maildir_adopt_waits(struct maildir_box *box, struct err *e)
{
	int dir = maildir_control_dir(box, false, e), rc;

	if (dir == -1)
		return 0;
	rc = has_file(dir, RELEASED_NAME, e);
	if (rc == 0)
		rc = has_file(dir, RETURNED_NAME, e);
	close(dir);
	return rc;
}

int
maildir_adopt_refused(struct maildir_box *box, struct err *e)
{
	char *path = maildir_control_path_of(box->store, SPAN("INBOX"), e);
	int inbox = path == NULL ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int dir = maildir_control_dir(box, false, e), rc;

	rc = dir == -1 ? 0 : has_file(dir, RELEASED_NAME, e);
	/* A folder made by the other server since then is the other server's too. */
	if (rc == 0 && inbox != -1)
		rc = has_file(inbox, RELEASED_NAME, e);
	if (rc == 1)
		rc = err_set(e, ERR_INUSE, "%s has been released to Dovecot; `culveradm adopt' takes it back", box->path);
	/* Clients are told that it is in use, which is no failure to those who log failures: but the administrator's to know. */
	if (rc == -1)
		log_warning("%s", e->log);
	if (dir != -1)
		close(dir);
	if (inbox != -1)
		close(inbox);
	free(path);
	return rc;
}

/* The highest UID of uidvalidity that a name carries, and how many files there are. */
static void
names_highest(struct maildir_box *box, uint32_t uidvalidity, uint32_t below, uint32_t *highest_out, size_t *files_out)
{
	struct maildir_name n;
	struct span name;
	bool regular;
	size_t at = 0;
	int sub;

	*highest_out = 0;
	*files_out = 0;
	if (!maildir_early_list(box))
		return;
	while (maildir_early_next(box, &at, &sub, &regular, &name)) {
		if (!maildir_name_parse(name, &n))
			continue;
		(*files_out)++;
		if (n.uidvalidity == uidvalidity && n.uid > *highest_out && n.uid < below)
			*highest_out = n.uid;
	}
}

static int
read_keywords(int dir, struct maildir_control *c, size_t *unsound, struct err *e)
{
	struct buf text = BUF_INIT(SMALL_FILE);
	struct span names[KEYWORD_LETTERS];
	size_t bad = 0;
	int rc = maildir_read_at(dir, "dovecot-keywords", SMALL_FILE - 1, &text, e);

	if (rc == -1 && e->code == ERR_LIMIT)
		rc = 0;
	if (rc == 1)
		dovecot_keywords_parse(buf_span(&text), names, &bad);
	for (int i = 0; i < MAILDIR_LETTERS && rc == 1; i++) {
		if (names[i].n == 0)
			continue;
		c->keywords[i] = strndup(names[i].p, names[i].n);
		if (c->keywords[i] == NULL)
			rc = err_set(e, ERR_TEMP, "out of memory");
	}
	buf_clear(&text);
	*unsound += bad;
	return rc == -1 ? -1 : 0;
}

/* Fields and names as they are; names without their flags. */
static void
copy_entries(const struct uidlist *l, struct buf *out)
{
	for (size_t i = 0; i < l->entries.n; i++) {
		static const char fields[] = { UIDLIST_UIDL, UIDLIST_GUID, UIDLIST_ORDER, UIDLIST_PHYSICAL,
			UIDLIST_VIRTUAL, UIDLIST_KEYWORDS };
		const struct uidlist_entry *entry = array_at(&l->entries, i);
		struct span value;

		uidlist_put_uid(out, entry->uid);
		for (size_t k = 0; k < sizeof(fields); k++)
			if (uidlist_field(l, entry, (enum uidlist_field)fields[k], &value))
				uidlist_put_field(out, (enum uidlist_field)fields[k], value);
		uidlist_put_name(out, uidlist_name(l, entry));
	}
}

/* A UID that a name carries, as a mailbox that was released has them, may be above all of the list. */
static uint32_t
start_above(struct maildir_box *box, const struct uidlist *l, bool gap)
{
	uint32_t highest, below = l->next < UINT32_MAX - 2 * TAG_JUMP ? l->next + TAG_JUMP : UINT32_MAX - TAG_JUMP;
	struct maildir_uids uids;
	struct err none = ERR_INIT;
	size_t files;

	names_highest(box, l->uidvalidity, below, &highest, &files);
	if (maildir_uids_read(box, l->uidvalidity, &uids, &none) == 1) {
		if (uids.list.highest > highest && uids.list.highest < below)
			highest = uids.list.highest;
		maildir_uids_clear(&uids);
	}
	/* The control file was lost after the names got their UIDs: others were given, and are gone. */
	if (gap && (highest > 0 || files == 0))
		return (highest >= l->next ? highest + 1 : l->next) + UID_GAP;
	return highest >= l->next ? highest + 1 : l->next;
}

static int
adopt_list(struct maildir_box *box, int dir, const struct uidlist *l, struct maildir_control *c, struct adoption *a,
    struct err *e)
{
	c->uidvalidity = l->uidvalidity;
	c->uid_start = start_above(box, l, a->from == ADOPT_OURS);
	a->next = l->next;
	a->unsound += l->unsound + l->cut;
	a->count = l->entries.n;
	a->fence = l->fence;
	if (l->guid.n > 0 && l->guid.n < sizeof(a->guid))
		memcpy(a->guid, l->guid.p, l->guid.n);
	if (a->from == ADOPT_DOVECOT)
		copy_entries(l, &a->entries);
	if (a->entries.failed)
		return err_set(e, ERR_LIMIT, "%s: a list of UIDs is too large", box->path);
	return read_keywords(dir, c, &a->unsound, e);
}

/* Courier: what is known of a file beside its UID. */
struct courier_file {
	const char *uidl;	/* NULL: none */
	uint32_t keywords;
	uint64_t rank;		/* of the update that told the keywords; 0: the list */
	bool used;
};

struct courier {
	struct arena *a;
	struct hash *files;	/* base -> struct courier_file */
	struct array order;	/* struct span: bases of the POP3 list, in its order */
	struct courier_keywords keywords;
	struct buf list, pop3;
};

static struct courier_file *
courier_file(struct courier *c, struct span base)
{
	struct courier_file *f = hash_get(c->files, base);

	if (f != NULL)
		return f;
	f = arena_alloc(c->a, 1, sizeof(*f));
	return f != NULL && hash_set(c->files, base, f) ? f : NULL;
}

/* Files in courierimapkeywords: a name a line for the message that the file is called after; ".<n>.<name>" before it. */
static void
read_keyword_update(struct courier *c, int dir, const char *entry)
{
	struct span name = span_str(entry), line;
	struct buf text = BUF_INIT(SMALL_FILE);
	struct err e = ERR_INIT;
	uint64_t rank = UINT64_MAX;
	uint32_t mask = 0;
	struct courier_file *f;
	size_t used = 0;

	if (name.p[0] == '.') {
		size_t dot = span_chr(span_from(name, 1), '.');

		if (!span_u64(span_sub(name, 1, dot), INT64_MAX, &rank) || dot + 2 >= name.n)
			return;
		rank++;
		name = span_from(name, dot + 2);
	}
	f = courier_file(c, span_sub(name, 0, span_chr(name, ':')));
	if (f == NULL || rank <= f->rank || maildir_read_at(dir, entry, SMALL_FILE - 1, &text, &e) != 1) {
		buf_clear(&text);
		return;
	}
	buf_addc(&text, '\n');
	while (span_line(buf_span(&text), &used, &line)) {
		struct span kept = line.n == 0 ? SPAN_NONE : arena_dup(c->a, line);

		mask |= kept.n == 0 ? 0 : courier_keyword_bit(&c->keywords, kept);
	}
	f->keywords = mask;
	f->rank = rank;
	buf_clear(&text);
}

static int
read_courier_keywords(struct courier *c, int box_fd, struct err *e)
{
	int fd = openat(box_fd, "courierimapkeywords", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), count = 0, rc;
	struct span base;
	uint32_t mask;
	struct dirent *d;
	DIR *dir;

	if (fd == -1)
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(e, "open courierimapkeywords");
	rc = maildir_read_at(fd, ":list", UIDLIST_OCTETS / 4, &c->list, e);
	if (rc == -1 && e->code != ERR_LIMIT) {
		close(fd);
		return -1;
	}
	courier_keywords_begin(&c->keywords, buf_span(&c->list));
	while (courier_keywords_next(&c->keywords, &base, &mask)) {
		struct courier_file *f = courier_file(c, base);

		if (f != NULL)
			f->keywords = mask;
	}
	dir = fdopendir(fd);
	if (dir == NULL) {
		close(fd);
		return err_errno(e, "read courierimapkeywords");
	}
	while (count++ < COURIER_FILES && (d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ":list") != 0 && strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			read_keyword_update(c, fd, d->d_name);
	closedir(dir);
	return 0;
}

static int
read_courier_pop3(struct courier *c, int box_fd, bool *there_out, size_t *unsound, struct err *e)
{
	struct courier_pop3 p;
	struct span base;
	char uidl[512];
	int rc = maildir_read_at(box_fd, "courierpop3dsizelist", UIDLIST_OCTETS / 4, &c->pop3, e);

	if (rc == -1 && e->code != ERR_LIMIT)
		return -1;
	*there_out = rc == 1;
	courier_pop3_begin(&p, buf_span(&c->pop3));
	while (rc == 1 && courier_pop3_next(&p, &base, uidl)) {
		struct courier_file *f = courier_file(c, base);
		struct span *slot = f == NULL || f->uidl != NULL ? NULL : array_push(&c->order);

		if (f == NULL)
			return err_set(e, ERR_LIMIT, "courierpop3dsizelist is too large");
		if (slot == NULL)
			continue;
		*slot = base;
		f->uidl = arena_cstr(c->a, span_str(uidl));
	}
	*unsound += p.unsound;
	return 0;
}

static void
put_courier_entry(struct buf *out, uint32_t uid, struct span base, struct courier_file *f)
{
	char letters[KEYWORD_LETTERS];
	size_t n = 0;

	uidlist_put_uid(out, uid);
	for (int k = 0; f != NULL && k < KEYWORD_LETTERS; k++)
		if (f->keywords >> k & 1)
			letters[n++] = (char)('a' + k);
	if (f != NULL && f->uidl != NULL)
		uidlist_put_field(out, UIDLIST_UIDL, span_str(f->uidl));
	if (n > 0)
		uidlist_put_field(out, UIDLIST_KEYWORDS, span_of(letters, n));
	if (f != NULL)
		f->used = true;
	uidlist_put_name(out, base);
}

/* 1 there is something of Courier's, 0, -1. */
static int
merge_courier(struct maildir_box *box, struct courier *cu, struct maildir_control *c, struct adoption *a, struct err *e)
{
	struct maildir_list_file uids;
	bool unsound = false, pop3 = false;
	int imap = read_list(box->fd, "courierimapuiddb", &uids, &unsound, e), rc = imap;

	if (rc != -1)
		rc = read_courier_pop3(cu, box->fd, &pop3, &a->unsound, e);
	if (rc != -1 && (imap == 1 || pop3))
		rc = read_courier_keywords(cu, box->fd, e);
	if (rc == -1 || (imap == 0 && !pop3 && !unsound)) {
		maildir_list_file_clear(&uids);
		return rc;
	}
	a->from = ADOPT_COURIER;
	a->unsound += unsound;
	a->next = 1;
	if (imap == 1) {
		const struct uidlist *l = &uids.list;

		c->uidvalidity = l->uidvalidity;
		a->next = start_above(box, l, false);
		a->unsound += l->unsound + l->cut;
		for (size_t i = 0; i < l->entries.n; i++) {
			const struct uidlist_entry *entry = array_at(&l->entries, i);
			struct span base = uidlist_name(l, entry);

			put_courier_entry(&a->entries, entry->uid, base, hash_get(cu->files, base));
			a->count++;
		}
	}
	/* Those that POP3 alone has seen. */
	for (size_t i = 0; i < cu->order.n; i++) {
		struct span base = *(struct span *)array_at(&cu->order, i);
		struct courier_file *f = hash_get(cu->files, base);

		if (f == NULL || f->used)
			continue;
		put_courier_entry(&a->entries, a->next++, base, f);
		a->count++;
	}
	c->uid_start = a->next;
	for (size_t i = 0; i < cu->keywords.count; i++) {
		struct span name = cu->keywords.names[i];

		if (name.n > 0 && (c->keywords[i] = strndup(name.p, name.n)) == NULL)
			rc = err_set(e, ERR_TEMP, "out of memory");
	}
	if (a->entries.failed)
		rc = err_set(e, ERR_LIMIT, "%s: Courier's lists are too large", box->path);
	maildir_list_file_clear(&uids);
	return rc == -1 ? -1 : 1;
}

static int
adopt_courier(struct maildir_box *box, struct maildir_control *c, struct adoption *a, struct err *e)
{
	struct courier cu = { .list = BUF_INIT(UIDLIST_OCTETS), .pop3 = BUF_INIT(UIDLIST_OCTETS),
		.order = ARRAY_INIT(struct span, UIDLIST_ENTRIES) };
	int rc;

	if (faccessat(box->fd, "courierimapuiddb", F_OK, 0) == -1 && faccessat(box->fd, "courierpop3dsizelist", F_OK, 0) == -1)
		return 0;
	cu.a = arena_new(COURIER_ARENA);
	cu.files = hash_new(UIDLIST_ENTRIES);
	if (cu.a == NULL || cu.files == NULL)
		rc = err_set(e, ERR_TEMP, "out of memory");
	else
		rc = merge_courier(box, &cu, c, a, e);
	arena_free(cu.a);
	hash_free(cu.files);
	array_clear(&cu.order);
	buf_clear(&cu.list);
	buf_clear(&cu.pop3);
	return rc;
}

/* What a mailbox that comes back from Dovecot was: its id goes on being its id. */
static int
read_returned(int dir, struct maildir_control *c, struct adoption *a, struct err *e)
{
	struct buf text = BUF_INIT(SMALL_FILE);
	struct maildir_control old;
	int rc = maildir_read_at(dir, RETURNED_NAME, SMALL_FILE - 1, &text, e);

	if (rc == 1 && maildir_control_parse(buf_span(&text), &old) == 1) {
		a->returned = true;
		if (old.uidvalidity == c->uidvalidity)
			a->id = old.id;
		if (old.modseq_reserved > c->modseq_start)
			c->modseq_start = old.modseq_reserved;
		if (old.uidvalidity == c->uidvalidity && old.uid_reserved - MAILDIR_RESERVE > c->uid_start &&
		    old.uid_reserved > MAILDIR_RESERVE && a->from != ADOPT_DOVECOT)
			c->uid_start = old.uid_reserved;
		maildir_control_clear(&old);
	}
	buf_clear(&text);
	return rc == -1 && e->code != ERR_LIMIT ? -1 : 0;
}

/* The highest UIDVALIDITY that Dovecot gave to any mailbox of this user. */
static uint32_t
highest_validity(struct maildir_store *s, bool look)
{
	int fd = open(s->control != NULL ? s->control : s->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	static const char prefix[] = "dovecot-uidvalidity.";
	struct buf text = BUF_INIT(64);
	struct err e = ERR_INIT;
	struct dirent *d;
	uint32_t v = 0, n;
	DIR *dir;

	if (fd == -1)
		return 0;
	if (maildir_read_at(fd, "dovecot-uidvalidity", 63, &text, &e) == 1) {
		look = true;
		maildir_hex32(span_trim(buf_span(&text)), &v);
	}
	buf_clear(&text);
	dir = look ? fdopendir(fd) : NULL;
	while (dir != NULL && (d = readdir(dir)) != NULL)
		if (strncmp(d->d_name, prefix, sizeof(prefix) - 1) == 0 &&
		    maildir_hex32(span_str(d->d_name + sizeof(prefix) - 1), &n) && n > v)
			v = n;
	if (dir != NULL)
		closedir(dir);
	else
		close(fd);
	return v;
}

int
maildir_adopt_read(struct maildir_box *box, struct maildir_control *c, struct adoption *a, struct err *e)
{
	struct maildir_list_file ours, theirs;
	bool unsound = false;
	int dir = maildir_control_dir(box, false, e), rc, have_ours, have_theirs = 0;

	*a = (struct adoption){ .entries = BUF_INIT(UIDLIST_OCTETS) };
	have_ours = read_list(dir, FACTS_NAME, &ours, &unsound, e);
	rc = have_ours == -1 ? -1 : (have_theirs = read_list(dir, "dovecot-uidlist", &theirs, &unsound, e));
	if (rc != -1 && have_theirs == 1 && !(have_ours == 1 && ours.list.fence == theirs.list.uidvalidity))
		a->from = ADOPT_DOVECOT;
	else if (rc != -1 && have_ours == 1)
		a->from = ADOPT_OURS;
	a->unsound = unsound;
	if (rc != -1 && a->from != ADOPT_NOTHING)
		rc = adopt_list(box, dir, a->from == ADOPT_DOVECOT ? &theirs.list : &ours.list, c, a, e);
	else if (rc != -1)
		rc = adopt_courier(box, c, a, e);
	if (have_ours == 1)
		maildir_list_file_clear(&ours);
	if (have_theirs == 1)
		maildir_list_file_clear(&theirs);
	if (rc != -1) {
		if (a->from != ADOPT_NOTHING)
			c->modseq_start = (uint64_t)time(NULL) << 10;	/* above any that another server's clients saw */
		if (dir != -1 && read_returned(dir, c, a, e) == -1)
			rc = -1;
		a->highest_validity = highest_validity(box->store, a->from == ADOPT_DOVECOT);
	}
	if (dir != -1)
		close(dir);
	return rc == -1 ? -1 : 0;
}

int
maildir_fence(struct maildir_box *box, int dir, uint32_t number, struct err *e)
{
	struct buf text = BUF_INIT(256);
	unsigned char guid[16];
	int rc;

	random_bytes(guid, sizeof(guid));
	buf_addf(&text, "3 V%u N1 G", number);
	hex_encode(&text, span_of(guid, sizeof(guid)));
	buf_addc(&text, '\n');
	rc = maildir_replace(dir, "dovecot-uidlist", buf_span(&text), maildir_box_perm(box), e);
	buf_clear(&text);
	return rc;
}

/* Other names for Courier's files: it would go on from them with UIDs that have been given here. */
static int
courier_aside(struct maildir_box *box, struct err *e)
{
	static const char *const names[] = { "courierimapuiddb", "courierpop3dsizelist" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char to[64];

		snprintf(to, sizeof(to), "%s.adopted", names[i]);
		if (renameat(box->fd, names[i], box->fd, to) == -1 && errno != ENOENT)
			return err_errno(e, "rename %s/%s", box->path, names[i]);
	}
	return 0;
}

int
maildir_adopt_write(struct maildir_box *box, const struct maildir_control *c, struct adoption *a, struct err *e)
{
	static const char *const servers[] = { "", "", "Dovecot", "Courier" };
	struct buf text = BUF_INIT(UIDLIST_OCTETS);
	int dir, rc = 0;

	if (a->from != ADOPT_DOVECOT && a->from != ADOPT_COURIER) {
		if (a->unsound > 0 && a->from == ADOPT_NOTHING)
			log_warning("%s: a list of UIDs of another server is damaged; all messages get new UIDs", box->path);
		return 0;
	}
	dir = maildir_control_dir(box, true, e);
	if (dir == -1)
		return err_errno(e, "open the control directory of %s", box->path);
	uidlist_put_head(&text, c->uidvalidity, a->next, span_str(a->guid), a->fence);
	buf_add(&text, buf_span(&a->entries));
	if (text.failed)
		rc = err_set(e, ERR_LIMIT, "%s: a list of UIDs is too large", box->path);
	if (rc == 0)
		rc = maildir_replace(dir, FACTS_NAME, buf_span(&text), maildir_box_perm(box), e);
	if (rc == 0 && a->from == ADOPT_DOVECOT)
		rc = maildir_fence(box, dir, a->fence, e);
	if (rc == 0 && a->from == ADOPT_COURIER)
		rc = courier_aside(box, e);
	close(dir);
	buf_clear(&text);
	if (rc == 0)
		log_info("%s: taken over from %s: UIDVALIDITY %u, next UID %u, %zu messages in its list, %zu lines left out "
		    "as damaged", box->path, servers[a->from], c->uidvalidity, c->uid_start, a->count, a->unsound);
	return rc;
}

void
maildir_adopt_done(struct maildir_box *box, const struct adoption *a)
{
	struct err none = ERR_INIT;
	int dir = a->returned ? maildir_control_dir(box, false, &none) : -1;

	if (dir == -1)
		return;
	unlinkat(dir, RETURNED_NAME, 0);
	close(dir);
}

void
maildir_adopt_clear(struct adoption *a)
{
	buf_clear(&a->entries);
}

static bool
is_foreign(int dir, int64_t since)
{
	struct stat sb;

	/* The fence is one line. */
	return fstatat(dir, "dovecot-uidlist", &sb, AT_SYMLINK_NOFOLLOW) == 0 && sb.st_size > FENCE_OCTETS &&
	    sb.st_mtim.tv_sec >= since;
}

static bool
has_keyword(const struct maildir_control *c, const char *name)
{
	for (int i = 0; i < INDEX_KEYWORDS; i++)
		if (c->keywords[i] != NULL && span_ieq(span_str(c->keywords[i]), span_str(name)))
			return true;
	return false;
}

/* Takes over keywords whose letters are free here. */
static int
take_keywords(struct maildir_box *box, struct err *e)
{
	struct maildir_control c, theirs = { 0 };
	struct buf value = BUF_INIT(65536);
	struct index_txn *t;
	size_t unsound = 0;
	int dir, rc, taken = 0;

	if (maildir_box_lock(box, e) == -1)
		return -1;
	rc = maildir_control_read(box, &c, e);
	dir = rc == 1 ? maildir_control_dir(box, false, e) : -1;
	if (dir != -1) {
		if (read_keywords(dir, &theirs, &unsound, e) == -1)
			rc = -1;
		close(dir);
	}
	for (int i = 0; i < MAILDIR_LETTERS && rc == 1; i++) {
		if (theirs.keywords[i] == NULL || c.keywords[i] != NULL || has_keyword(&c, theirs.keywords[i]))
			continue;
		c.keywords[i] = theirs.keywords[i];
		theirs.keywords[i] = NULL;
		taken++;
	}
	if (rc == 1 && taken > 0) {
		maildir_control_keywords(&c, &value);
		rc = maildir_control_write(box, &c, true, e) == -1 || index_write(box->store->ix, &t, e) == -1 ? -1 : 1;
		if (rc == 1 && index_keywords_put(t, box->id, buf_span(&value), e) == -1) {
			index_abort(t);
			rc = -1;
		} else if (rc == 1) {
			rc = index_commit(t, e);
		}
	}
	maildir_box_unlock(box);
	maildir_control_clear(&c);
	maildir_control_clear(&theirs);
	buf_clear(&value);
	return rc == -1 ? -1 : 0;
}

int
maildir_adopt_look(struct maildir_box *box, const struct idx_state *st, struct err *e)
{
	bool foreign;
	int dir;

	if (box->warned || st->bits & IDX_STATE_UNSCANNED)
		return 0;
	box->warned = true;
	dir = maildir_control_dir(box, false, e);
	if (dir == -1)
		return 0;
	foreign = is_foreign(dir, st->scanned_at);
	close(dir);
	if (!foreign)
		return 0;
	log_warning("%s: Dovecot has used this mailbox, which was not released to it: its UIDs are not taken over, mail that "
	    "came meanwhile gets new ones", box->path);
	return take_keywords(box, e);
}
