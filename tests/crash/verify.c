/* SPDX-License-Identifier: MIT */
/* What a fresh process finds, and whether it can go on from there. */
#include "crash.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <unistd.h>
#include "lib-storage/maildir/uidlist.h"
#include "lib-storage/metadata.h"
#include "lib-storage/scrub.h"

#define TEXT_MAX ((size_t)512 << 10)

/* Octet for octet what was saved; with the date that it was saved with. */
static int
look_at_message(struct mailbox *box, uint32_t uid, struct seen_msg *m, struct err *e)
{
	static char text[TEXT_MAX];
	struct msg_rec rec;
	struct span body;
	unsigned summary;
	size_t at, n;

	if (mailbox_body(box, uid, &body, e) == -1)
		return err_wrap(e, "%.*s: body of %u", SPAN_ARG(mailbox_name(box)), uid);
	at = span_find(body, SPAN("\nSubject: Number "));
	m->number = at == SIZE_MAX ? 0 : (unsigned)strtoul(body.p + at + 17, NULL, 10);
	n = message_text(m->number, text, sizeof(text));
	if (!span_eq(body, span_of(text, n)))
		return err_set(e, ERR_TEMP, "%.*s: message %u (number %u) is not what was saved: %zu octets for %zu",
		    SPAN_ARG(mailbox_name(box)), uid, m->number, body.n, n);
	if (number_of_uid(box, uid, &summary, e) == -1 || mailbox_get(box, uid, &rec, e) == -1)
		return err_wrap(e, "%.*s: message %u", SPAN_ARG(mailbox_name(box)), uid);
	if (summary != m->number)
		return err_set(e, ERR_TEMP, "%.*s: the summary of %u is that of number %u, not %u", SPAN_ARG(mailbox_name(box)),
		    uid, summary, m->number);
	if (m->number < WORKS_NUMBER && rec.internal_date != DATE_OF(m->number))
		return err_set(e, ERR_TEMP, "%.*s: message %u has the date %lld", SPAN_ARG(mailbox_name(box)), uid,
		    (long long)rec.internal_date);
	if (box->drv == &maildir_driver && rec.physical_size != n)
		return err_set(e, ERR_TEMP, "%.*s: message %u has the size %llu", SPAN_ARG(mailbox_name(box)), uid,
		    (unsigned long long)rec.physical_size);
	m->uid = uid;
	m->flags = (uint8_t)rec.flags;
	m->keywords = known_keywords(box, rec.keywords);
	m->modseq = rec.modseq;
	return 0;
}

/* Counts in the state and in the records agree, and the marks hold. */
static int
check_counts(struct mailbox *box, struct err *e)
{
	struct index_txn *t;
	struct index_walk w;
	struct idx_state st, n = { 0 };
	int rc;

	mailbox_read_end(box);
	if (index_read(box->store->ix, &t, e) == -1 || index_state_get(t, box->id, &st, e) != 1 ||
	    index_walk_begin(&w, t, box->id, 1, e) == -1)
		return err_set(e, ERR_TEMP, "%s: no state", box->name);
	while ((rc = index_walk_next(&w, e)) == 1) {
		n.messages++;
		n.unseen += !(w.m.flags & IDX_SEEN);
		n.deleted += (w.m.flags & IDX_DELETED) != 0;
		n.dirty += (w.m.bits & IDX_DIRTY) != 0;
		n.unsized += w.m.size == IDX_SIZE_UNKNOWN;
		n.bytes += w.m.size == IDX_SIZE_UNKNOWN ? 0 : w.m.size;
		if (w.uid >= st.uidnext || w.m.modseq > st.highestmodseq)
			rc = err_set(e, ERR_TEMP, "%s: message %u is beyond the mailbox's numbers", box->name, w.uid);
	}
	index_walk_end(&w);
	mailbox_read_end(box);
	if (rc == -1)
		return -1;
	if (n.messages != st.messages || n.unseen != st.unseen || n.deleted != st.deleted || n.dirty != st.dirty ||
	    n.unsized != st.unsized || n.bytes != st.bytes)
		return err_set(e, ERR_TEMP, "%s: the counts are wrong", box->name);
	return 0;
}

static int
look_at_note(struct storage *st, struct span name, unsigned *out, struct err *e)
{
	const struct span entry = SPAN("/private/comment");
	struct arena *a = arena_new((size_t)8 << 20);
	struct metadata *found;
	uint64_t number;
	size_t count;
	int rc = storage_metadata_get(st, name, &entry, 1, 0, a, &found, &count, e);

	if (rc == 0 && found[0].value.p != NULL) {
		if (span_u64(found[0].value, 100000, &number))
			*out = (unsigned)number;
		else
			rc = err_set(e, ERR_TEMP, "an annotation that nobody has set");
	}
	arena_free(a);
	return rc;
}

static int
look_at_box(struct world *w, struct storage *st, struct span name, struct seen *out, struct err *e)
{
	struct seen_box *b = &out->box[out->count];
	struct mailbox_view_state state;
	struct mailbox *box;
	int rc = 0;

	if (out->count == BOXES)
		return err_set(e, ERR_TEMP, "more mailboxes than there ever were");
	if (mailbox_open(st, name, MAILBOX_READ, &box, e) == -1)
		return -1;
	mailbox_view_state(box, &state);
	*b = (struct seen_box){ .validity = state.uidvalidity, .uidnext = state.uidnext, .id = state.mailbox_id,
		.modseq = state.highestmodseq };
	snprintf(b->name, sizeof(b->name), "%.*s", SPAN_ARG(name));
	for (char *p = b->name; *p != '\0'; p++)
		if (*p == w->format->separator)
			*p = '/';
	rc = look_at_note(st, name, &b->note, e);
	for (uint32_t seq = 1; seq <= mailbox_count(box) && rc == 0; seq++) {
		if (b->count == MESSAGES)
			rc = err_set(e, ERR_TEMP, "%s: more messages than there ever were", b->name);
		else
			rc = look_at_message(box, mailbox_uid(box, seq), &b->m[b->count++], e);
	}
	if (rc == 0)
		rc = check_counts(box, e);
	mailbox_close(box);
	out->count++;
	return rc;
}

int
observe(struct world *w, struct storage *st, struct seen *out, struct err *e)
{
	struct arena *a = arena_new(1 << 20);
	struct mailbox_info *list;
	size_t count = 0;
	int rc = storage_list(st, a, &list, &count, e);

	*out = (struct seen){ 0 };
	for (size_t i = 0; i < count && rc == 0; i++) {
		if (list[i].attrs & MBOX_SUBSCRIBED && out->subscribed_count < 8) {
			char *name = out->subscribed[out->subscribed_count++];

			snprintf(name, sizeof(out->subscribed[0]), "%.*s", SPAN_ARG(list[i].name));
			for (char *p = name; *p != '\0'; p++)
				if (*p == w->format->separator)
					*p = '/';
		}
		if (list[i].attrs & MBOX_EXISTS)
			rc = look_at_box(w, st, list[i].name, out, e);
	}
	arena_free(a);
	return rc;
}

/* The highest UID that anybody was told of with this UIDVALIDITY. */
static uint32_t
highest_told(const struct world *w, uint32_t validity)
{
	uint32_t highest = 0;

	for (unsigned k = 0; k < w->told_count + w->sh->at.announced; k++) {
		const struct seen_box *b = k < w->told_count ? &w->told[k] : &w->sh->announced[k - w->told_count];

		for (unsigned i = 0; i < b->count && b->validity == validity; i++)
			if (b->m[i].uid > highest)
				highest = b->m[i].uid;
		if (b->validity == validity && b->uidnext - 1 > highest)
			highest = b->uidnext - 1;
	}
	return highest;
}

/* A message is saved, flagged, found, expunged. */
int
check_works(struct world *w, struct storage *st, struct err *e)
{
	static char text[TEXT_MAX];
	struct save_params p = { .internal_date = INT64_MIN };
	struct flag_change fc = { .op = FLAGS_ADD, .flags = MSG_SEEN };
	struct arena *a = arena_new(1 << 20);
	struct mailbox *box = NULL;
	struct saver *saver = NULL;
	struct uid_list uids = { 0 };
	struct view_changes vc;
	struct seen_msg m;
	uint32_t validity = 0;
	size_t n = message_text(WORKS_NUMBER, text, sizeof(text));
	int rc = mailbox_open(st, SPAN("INBOX"), MAILBOX_WRITE, &box, e);

	if (rc == 0)
		rc = saver_new(box, &saver, e);
	if (rc == 0 && (saver_begin(saver, &p, e) == -1 || saver_write(saver, span_of(text, n), e) == -1 ||
	    saver_finish(saver, e) == -1))
		rc = -1;
	if (rc == 0)
		rc = saver_commit(saver, a, &validity, &uids, e);
	saver_free(saver);
	if (rc == 0 && (uids.count != 1 || uids.uids[0] <= highest_told(w, validity)))
		rc = err_set(e, ERR_TEMP, "a new message got UID %u, and %u was given before", uids.count == 1 ? uids.uids[0] : 0,
		    highest_told(w, validity));
	if (rc == 0)
		rc = mailbox_store(box, uids.uids, 1, &fc, NULL, NULL, NULL, e);
	if (rc == 0)
		rc = mailbox_sync(box, true, &vc, e);
	if (rc == 0)
		rc = look_at_message(box, uids.uids[0], &m, e);
	if (rc == 0 && (m.number != WORKS_NUMBER || m.flags != MSG_SEEN))
		rc = err_set(e, ERR_TEMP, "a new message is number %u with flags %x", m.number, m.flags);
	if (rc == 0)
		rc = storage_maintain(st, e);
	if (rc == 0)
		rc = mailbox_expunge(box, uids.uids, 1, true, e);
	if (rc == 0)
		rc = mailbox_sync(box, true, &vc, e);
	if (rc == 0 && mailbox_seq(box, uids.uids[0]) != 0)
		rc = err_set(e, ERR_TEMP, "a message stays that was expunged");
	if (rc == 0)
		rc = check_counts(box, e);
	mailbox_close(box);
	arena_free(a);
	return rc == 0 ? 0 : err_wrap(e, "going on from there");
}

static const struct seen_msg *
find_uid(const struct seen_msg *m, unsigned count, uint32_t uid)
{
	for (unsigned i = 0; i < count; i++)
		if (m[i].uid == uid)
			return &m[i];
	return NULL;
}

static bool
has_uid(const struct uid_list *list, uint32_t uid)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->uids[i] == uid)
			return true;
	return false;
}

/* A client that knows b asks what has happened since: with the answer it must know what there is. */
static int
check_told_one(struct mailbox *box, const struct seen_box *b, const struct seen_box *now, struct arena *a, struct err *e)
{
	struct mailbox_since since;

	if (mailbox_since(box, b->modseq, a, &since, e) == -1)
		return -1;
	for (unsigned i = 0; i < b->count; i++) {
		uint32_t uid = b->m[i].uid;
		/* The log may not go back that far: then all that is not there has vanished. */
		bool there = find_uid(now->m, now->count, uid) != NULL, told = since.complete ? !has_uid(&since.expunged, uid) : there;

		if (there != told)
			return err_set(e, ERR_TEMP, "%s: a client of modseq %llu takes %u to be %s", b->name,
			    (unsigned long long)b->modseq, uid, told ? "there" : "gone");
	}
	for (unsigned i = 0; i < now->count; i++) {
		const struct seen_msg *m = &now->m[i], *known = find_uid(b->m, b->count, m->uid);

		if (has_uid(&since.changed, m->uid) != (m->modseq > b->modseq))
			return err_set(e, ERR_TEMP, "%s: whether %u changed after %llu has two answers", b->name, m->uid,
			    (unsigned long long)b->modseq);
		if (m->modseq > b->modseq)
			continue;
		if (known == NULL || known->flags != m->flags || known->keywords != m->keywords)
			return err_set(e, ERR_TEMP, "%s: a client of modseq %llu is not told %s %u", b->name,
			    (unsigned long long)b->modseq, known == NULL ? "of" : "the flags of", m->uid);
	}
	return 0;
}

int
check_told(struct world *w, struct storage *st, struct err *e)
{
	struct arena *a = arena_new(1 << 20);
	int rc = 0;

	for (unsigned k = 0; k < w->told_count + w->sh->at.announced && rc == 0; k++) {
		const struct seen_box *b = k < w->told_count ? &w->told[k] : &w->sh->announced[k - w->told_count], *now;
		struct mailbox *box;
		char name[64];

		now = seen_box(&w->sh->seen, b->name);
		if (now == NULL || now->validity != b->validity || now->id != b->id)
			continue;
		snprintf(name, sizeof(name), "%s", b->name);
		for (char *p = name; *p != '\0'; p++)
			if (*p == '/')
				*p = w->format->separator;
		rc = mailbox_open(st, span_str(name), MAILBOX_READ, &box, e);
		if (rc == 0) {
			rc = check_told_one(box, b, now, a, e);
			mailbox_close(box);
		}
		arena_reset(a);
	}
	arena_free(a);
	return rc;
}

static int
litter_in(const char *path, unsigned depth, struct err *e)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	bool tmp = strlen(path) > 4 && strcmp(path + strlen(path) - 4, "/tmp") == 0;
	int rc = 0;

	while (dir != NULL && rc == 0 && (d = readdir(dir)) != NULL) {
		char below[600];

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (tmp || span_ends(span_str(d->d_name), SPAN(".lock")) || strstr(d->d_name, "journal") != NULL || strncmp(d->d_name, ".culver-tmp", 11) == 0 || strncmp(d->d_name, ".culver-mailbox.", 16) == 0)
			rc = err_set(e, ERR_TEMP, "%s/%s was left", path, d->d_name);
		snprintf(below, sizeof(below), "%.300s/%.255s", path, d->d_name);
		if (rc == 0 && d->d_type == DT_DIR && depth < 6)
			rc = litter_in(below, depth + 1, e);
	}
	if (dir != NULL)
		closedir(dir);
	return rc;
}

int
check_litter(struct world *w, struct err *e)
{
	return litter_in(w->home, 0, e);
}

static void
on_problem(void *ctx, struct span mailbox, const char *text, bool repaired)
{
	struct err *e = ctx;

	(void)repaired;
	if (e->code == ERR_NONE)
		err_set(e, ERR_TEMP, "scrub: %.*s: %s", SPAN_ARG(mailbox), text);
}

int
check_scrub(struct storage *st, struct err *e)
{
	struct arena *a = arena_new(1 << 20);
	struct scrub_result result = { 0 };
	struct err found = ERR_INIT;
	struct mailbox_info *list;
	size_t count = 0;
	int rc = storage_list(st, a, &list, &count, e);

	if (rc == 0)
		rc = storage_scrub_index(st, false, on_problem, &found, &result, e);
	for (size_t i = 0; i < count && rc == 0; i++)
		if (list[i].attrs & MBOX_EXISTS)
			rc = storage_scrub(st, list[i].name, false, on_problem, &found, &result, e);
	arena_free(a);
	if (rc == 0 && result.problems > 0) {
		*e = found;
		rc = -1;
	}
	return rc;
}

/* The UID that a message was told to have, 0: nobody was told. */
static uint32_t
told_uid(const struct world *w, const char *name, unsigned number, uint32_t *validity, uint32_t *uidnext)
{
	uint32_t uid = 0;

	*validity = *uidnext = 0;
	for (unsigned k = 0; k < w->told_count + w->sh->at.announced; k++) {
		const struct seen_box *b = k < w->told_count ? &w->told[k] : &w->sh->announced[k - w->told_count];

		if (strcmp(b->name, name) != 0)
			continue;
		*validity = b->validity;
		if (b->uidnext > *uidnext)
			*uidnext = b->uidnext;
		for (unsigned i = 0; i < b->count; i++)
			if (b->m[i].number == number)
				uid = b->m[i].uid;
	}
	return uid;
}

static bool
read_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char room[4096];
	ssize_t n = -1;

	while (fd != -1 && (n = read(fd, room, sizeof(room))) > 0)
		buf_add(out, span_of(room, (size_t)n));
	if (fd != -1)
		close(fd);
	return n == 0;
}

/* One file that Dovecot would see: in the list, under the right UID. */
static int
check_listed(struct world *w, const char *box, const char *path, const char *file, const struct uidlist *l, struct err *e)
{
	struct buf text = BUF_INIT((size_t)1 << 20);
	const struct uidlist_entry *entry = uidlist_by_name(l, span_sub(span_str(file), 0, span_chr(span_str(file), ':')));
	uint32_t uid, validity, uidnext;
	char full[800];
	size_t at;

	snprintf(full, sizeof(full), "%.400s/%.255s", path, file);
	read_file(full, &text);
	at = span_find(buf_span(&text), SPAN("Subject: Number "));
	uid = told_uid(w, box, at == SIZE_MAX ? 0 : (unsigned)strtoul(buf_cstr(&text) + at + 16, NULL, 10), &validity, &uidnext);
	buf_clear(&text);
	if (entry == NULL)
		return err_set(e, ERR_TEMP, "Dovecot's list does not have %s", full);
	if (l->uidvalidity != validity || l->next < uidnext || (uid != 0 && entry->uid != uid))
		return err_set(e, ERR_TEMP, "Dovecot's list has %s as UID %u of %u (UIDNEXT %u), and %u of %u was told (%u)", full,
		    entry->uid, l->uidvalidity, l->next, uid, validity, uidnext);
	return 0;
}

static int
check_dovecot_box(struct world *w, const struct want_box *b, struct err *e)
{
	static const char *const subs[] = { "new", "cur" };
	struct buf text = BUF_INIT((size_t)1 << 20);
	char path[400], list[420], sub[420];
	struct uidlist l;
	unsigned files = 0;
	int rc = 0;

	if (strcmp(b->name, "INBOX") == 0)
		snprintf(path, sizeof(path), "%s/Maildir", w->home);
	else
		snprintf(path, sizeof(path), "%s/Maildir/%s%s", w->home, w->format->separator == '.' ? "." : "", b->name);
	for (char *p = path + strlen(w->home) + 9; w->format->separator == '.' && *p != '\0'; p++)
		if (*p == '/')
			*p = '.';
	snprintf(list, sizeof(list), "%s/dovecot-uidlist", path);
	if (!read_file(list, &text) || !uidlist_parse(buf_span(&text), &l) || !uidlist_index(&l)) {
		buf_clear(&text);
		return err_set(e, ERR_TEMP, "%s is no list of Dovecot's", list);
	}
	for (int i = 0; i < 2 && rc == 0; i++) {
		struct dirent *d;
		DIR *dir;

		snprintf(sub, sizeof(sub), "%s/%s", path, subs[i]);
		dir = opendir(sub);
		while (dir != NULL && rc == 0 && (d = readdir(dir)) != NULL) {
			if (d->d_name[0] == '.')
				continue;
			files++;
			rc = check_listed(w, b->name, sub, d->d_name, &l, e);
		}
		if (dir != NULL)
			closedir(dir);
	}
	uidlist_clear(&l);
	buf_clear(&text);
	return rc == 0 && files != b->count ? err_set(e, ERR_TEMP, "%s: %u files for %u messages", path, files, b->count) : rc;
}

int
check_dovecot(struct world *w, struct err *e)
{
	const struct want *want = &w->want[w->steps];

	for (unsigned i = 0; i < want->count; i++)
		if (check_dovecot_box(w, &want->box[i], e) == -1)
			return -1;
	return 0;
}
