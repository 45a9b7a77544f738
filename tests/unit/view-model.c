/* SPDX-License-Identifier: MIT */
#include "view-model.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/sys.h"

#define NOTES 48

const char *const model_names[MODEL_NAMES] = { "INBOX", "A", "B", "C", "D" };
static char notes[NOTES][160];
static uint64_t noted;
static struct model *current;

unsigned
model_roll(struct model *m, unsigned n)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (unsigned)((m->random >> 11) % n);
}

void
model_note(struct model *m, const char *fmt, ...)
{
	char *to = notes[noted++ % NOTES];
	int n = snprintf(to, sizeof(notes[0]), "%llu: ", (unsigned long long)m->steps);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(to + n, sizeof(notes[0]) - (size_t)n, fmt, ap);
	va_end(ap);
	if (getenv("VIEW_MODEL_TRACE") != NULL)
		print_error("  %s\n", to);
}

void
model_fail(struct model *m, const char *fmt, ...)
{
	char what[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	for (uint64_t i = noted > NOTES ? noted - NOTES : 0; i < noted; i++)
		print_error("  %s\n", notes[i % NOTES]);
	print_error("VIEW_MODEL_SEED=%llu, step %llu, mail in %s: %s\n", (unsigned long long)m->seed,
	    (unsigned long long)m->steps, m->f.home, what);
	fail();
	abort();
}

void
model_must(int rc, const struct err *e, const char *what)
{
	if (rc < 0)
		model_fail(current, "%s: %s", what, e->log);
}

struct model_msg *
model_find(struct model_box *b, uint32_t uid)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->msgs[i].uid == uid)
			return &b->msgs[i];
	return NULL;
}

/* A UID never stands for anything else than it did. */
static void
remember(struct model *m, struct model_box *b, uint32_t uid, unsigned content)
{
	if (uid >= b->history_cap) {
		size_t cap = (size_t)uid * 2 + 1024;

		b->history = realloc(b->history, cap * sizeof(*b->history));
		assert_non_null(b->history);
		memset(b->history + b->history_cap, 0, (cap - b->history_cap) * sizeof(*b->history));
		b->history_cap = cap;
	}
	MODEL_CHECK(m, b->history[uid] == 0 || b->history[uid] == content + 1, "UID %u was message %u and is %u", uid,
	    b->history[uid] - 1, content);
	b->history[uid] = content + 1;
}

struct model_msg *
model_add(struct model *m, struct model_box *b, uint32_t uid, unsigned content)
{
	size_t at = b->count;

	MODEL_CHECK(m, b->count < sizeof(b->msgs) / sizeof(b->msgs[0]), "too many messages");
	MODEL_CHECK(m, uid >= b->uidnext, "UID %u is given, and UIDNEXT was %u", uid, b->uidnext);
	remember(m, b, uid, content);
	/* One step may take in files from outside, before or behind its own. */
	while (at > 0 && b->msgs[at - 1].uid > uid)
		at--;
	memmove(b->msgs + at + 1, b->msgs + at, (b->count - at) * sizeof(*b->msgs));
	b->count++;
	b->msgs[at] = (struct model_msg){ .uid = uid, .content = content, .choices = 1, .touched = true };
	return &b->msgs[at];
}

void
model_remove(struct model_box *b, struct model_msg *msg)
{
	size_t i = (size_t)(msg - b->msgs);

	memmove(b->msgs + i, b->msgs + i + 1, (b->count - i - 1) * sizeof(*b->msgs));
	b->count--;
}

struct model_box *
model_box_new(struct model *m)
{
	struct model_box *b = calloc(1, sizeof(*b));

	(void)m;
	assert_non_null(b);
	b->uidnext = 1;
	b->references = 1;
	return b;
}

void
model_box_drop(struct model_box *b)
{
	if (b == NULL || --b->references > 0)
		return;
	free(b->history);
	free(b);
}

void
model_begin(struct model *m, uint64_t seed, bool mbox)
{
	*m = (struct model){ .seed = seed, .mbox = mbox, .random = seed * 0x9e3779b97f4a7c15 + 1, .next_content = 1 };
	current = m;
	fixture_init(&m->f);
	if (seed & 1)
		m->f.conf.cache_least = 6;
	if (mbox)
		m->f.conf.location = SPAN("mbox:~/mail:INBOX=~/inbox");
	m->observer = fixture_storage(&m->f);
	m->reader = fixture_storage(&m->f);
	m->names[0] = model_box_new(m);
	m->a = m->f.a;
	for (int i = 0; i < 10; i++)
		model_roll(m, 2);
}

void
model_end(struct model *m)
{
	storage_close(m->observer);
	storage_close(m->reader);
	for (int i = 0; i < MODEL_NAMES; i++)
		model_box_drop(m->names[i]);
	fixture_clear(&m->f);
}

unsigned
model_keywords(const struct span *names, size_t count, uint64_t mask)
{
	unsigned out = 0;

	for (size_t i = 0; i < count; i++)
		if (mask >> i & 1 && names[i].n == 2 && names[i].p[0] == 'k')
			out |= 1u << (names[i].p[1] - '0');
	return out;
}

static void
dir_of(struct model *m, int name, char out[200])
{
	snprintf(out, 200, "%s/Maildir%s%s", m->f.home, name == 0 ? "" : "/.", name == 0 ? "" : model_names[name]);
}

/* The number in the message of a file. */
static int
content_of(const char *path)
{
	char text[200] = "";
	unsigned n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd != -1)
		close(fd);
	return got > 0 && sscanf(text, "From: a@example.org\nSubject: Number %u", &n) == 1 ? (int)n : -1;
}

static void
message_path(struct model *m, int name, const struct idx_message *rec, char out[600])
{
	char dir[200];

	dir_of(m, name, dir);
	snprintf(out, 600, "%s/%s/%.*s", dir, rec->bits & IDX_NEW ? "new" : "cur", SPAN_ARG(rec->name));
}

/* A record that the model does not know: one of the files that were put there. */
static struct model_msg *
arrival(struct model *m, int name, const struct index_walk *w)
{
	struct model_box *b = m->names[name];
	char path[600];
	int content;

	if (m->mbox) {
		struct mailbox *box = box_of(m->reader, model_names[name], MAILBOX_SAVE);

		content = (int)number_of(box, w->uid);
		mailbox_close(box);
	} else {
		message_path(m, name, &w->m, path);
		content = content_of(path);
		MODEL_CHECK(m, content != -1, "%s: UID %u: no message in %s", model_names[name], w->uid, path);
	}
	for (size_t i = 0; i < b->arrived_count; i++) {
		struct model_msg *msg;

		if (b->arrived[i] != (unsigned)content)
			continue;
		msg = model_add(m, b, w->uid, (unsigned)content);
		msg->flags[0] = b->arrived_flags[i];
		b->arrived_count--;
		b->arrived[i] = b->arrived[b->arrived_count];
		b->arrived_flags[i] = b->arrived_flags[b->arrived_count];
		return msg;
	}
	model_fail(m, "%s: UID %u is message %d, and nobody put it there", model_names[name], w->uid, content);
}

/* One record against the model. */
static void
compare(struct model *m, int name, const struct index_walk *w, unsigned keywords, uint64_t floor, bool settled)
{
	struct model_box *b = m->names[name];
	struct model_msg *msg = model_find(b, w->uid);
	bool found = false, was_new = msg == NULL;

	if (msg == NULL)
		msg = arrival(m, name, w);
	MODEL_CHECK(m, msg->keywords == keywords, "%s: UID %u has keywords %x, not %x", model_names[name], w->uid, keywords,
	    msg->keywords);
	for (unsigned i = 0; i < msg->choices; i++)
		found = found || msg->flags[i] == w->m.flags;
	MODEL_CHECK(m, found, "%s: UID %u has flags %x, not %x%s", model_names[name], w->uid, w->m.flags, msg->flags[0],
	    msg->choices > 1 ? " or others" : "");
	if (was_new || msg->touched || b->lost)
		MODEL_CHECK(m, w->m.modseq == msg->modseq || w->m.modseq > floor, "%s: UID %u changed and got modseq %llu",
		    model_names[name], w->uid, (unsigned long long)w->m.modseq);
	else if (msg->choices == 1)
		MODEL_CHECK(m, w->m.modseq == msg->modseq, "%s: UID %u has modseq %llu, not %llu", model_names[name], w->uid,
		    (unsigned long long)w->m.modseq, (unsigned long long)msg->modseq);
	/* Other flags than they were need a new modseq. */
	if (msg->modseq == w->m.modseq && msg->modseq != 0)
		MODEL_CHECK(m, msg->flags[0] == w->m.flags || msg->touched, "%s: flags of UID %u changed without a modseq",
		    model_names[name], w->uid);
	if (w->m.modseq != msg->modseq || settled) {
		msg->flags[0] = w->m.flags;
		msg->choices = 1;
	}
	msg->modseq = w->m.modseq;
	MODEL_CHECK(m, !settled || !msg->file_gone, "%s: UID %u was removed, and a sync did not see it", model_names[name],
	    w->uid);
}

void
model_absorb(struct model *m, int name, bool settled)
{
	struct model_box *b = m->names[name];
	struct index *ix = m->observer->ns[0].store->ix;
	struct span value = SPAN_NONE, names[INDEX_KEYWORDS];
	struct err e = ERR_INIT;
	struct index_txn *t;
	struct index_walk w;
	struct idx_state st;
	uint32_t id;
	uint64_t floor;
	size_t k = 0;
	int rc, count;

	if (b == NULL)
		return;
	MUST(index_read(ix, &t, &e), &e);
	rc = index_mailbox_find(t, span_str(model_names[name]), &id, &e);
	if (rc == 1)
		rc = index_state_get(t, id, &st, &e);
	if (rc != 1 || st.bits & IDX_STATE_UNSCANNED) {
		MODEL_CHECK(m, !settled, "%s is not in the index after a sync", model_names[name]);
		index_read_end(ix);
		return;
	}
	if (b->uidvalidity == 0) {
		MODEL_CHECK(m, b->renamed ? st.uidvalidity != m->validity_before[name] :
		    st.uidvalidity > m->validity_before[name], "%s was made anew with UIDVALIDITY %u, after %u",
		    model_names[name], st.uidvalidity, m->validity_before[name]);
		b->uidvalidity = st.uidvalidity;
	}
	MODEL_CHECK(m, st.uidvalidity == b->uidvalidity, "%s: UIDVALIDITY %u, not %u", model_names[name], st.uidvalidity,
	    b->uidvalidity);
	floor = b->highest;
	MODEL_CHECK(m, st.highestmodseq >= floor, "%s: HIGHESTMODSEQ went from %llu to %llu", model_names[name],
	    (unsigned long long)floor, (unsigned long long)st.highestmodseq);
	MUST(index_keywords_get(t, id, &value, &e), &e);
	count = idx_keywords_unpack(value, names);
	MUST(index_walk_begin(&w, t, id, 1, &e), &e);
	while ((rc = index_walk_next(&w, &e)) == 1) {
		while (k < b->count && b->msgs[k].uid < w.uid) {
			MODEL_CHECK(m, b->msgs[k].file_gone, "%s: UID %u is not there", model_names[name], b->msgs[k].uid);
			MODEL_CHECK(m, st.highestmodseq > floor, "%s: UID %u went without a modseq", model_names[name],
			    b->msgs[k].uid);
			model_remove(b, &b->msgs[k]);
		}
		compare(m, name, &w, model_keywords(names, (size_t)count, w.m.keywords), floor, settled);
		MODEL_CHECK(m, w.m.modseq <= st.highestmodseq, "UID %u: modseq over the highest", w.uid);
		k++;
	}
	MUST(rc, &e);
	index_walk_end(&w);
	while (k < b->count) {
		MODEL_CHECK(m, b->msgs[k].file_gone, "%s: UID %u is not there", model_names[name], b->msgs[k].uid);
		MODEL_CHECK(m, st.highestmodseq > floor, "%s: UID %u went without a modseq", model_names[name], b->msgs[k].uid);
		model_remove(b, &b->msgs[k]);
	}
	MODEL_CHECK(m, st.uidnext >= b->uidnext, "%s: UIDNEXT is %u, and was %u", model_names[name], st.uidnext, b->uidnext);
	MODEL_CHECK(m, st.messages == b->count, "%s: %u messages in the state, %zu there", model_names[name], st.messages,
	    b->count);
	MODEL_CHECK(m, !settled || b->arrived_count == 0, "%s: a new file was not seen by a sync", model_names[name]);
	b->uidnext = st.uidnext;
	b->highest = st.highestmodseq;
	/* One that was made anew knows nothing of what was before it. */
	if (st.pruned_to > floor)
		b->lost = false;
	for (size_t i = 0; i < b->count; i++)
		b->msgs[i].touched = false;
	index_read_end(ix);
}

/* ---- outside ---- */

/* Another program's way to write flags, with the letters of keywords as they are. */
static void
put_flags(char *to, unsigned flags, const char *old)
{
	static const char *const letters[] = { "D", "F", "P", "R", "S", "T" };
	static const unsigned bits[] = { MSG_DRAFT, MSG_FLAGGED, MSG_PASSED, MSG_ANSWERED, MSG_SEEN, MSG_DELETED };

	strcpy(to, ":2,");
	for (int i = 0; i < 6; i++)
		if (flags & bits[i])
			strcat(to, letters[i]);
	for (to += strlen(to); old != NULL && *old != '\0'; old++)
		if (*old >= 'a' && *old <= 'z')
			*to++ = *old;
	*to = '\0';
}

/* As a delivery agent does it, with nobody else at it. */
static void
outside_append(struct model *m, int name)
{
	struct model_box *b = m->names[name];
	unsigned content = m->next_content;
	char path[400];
	FILE *out;

	if (b->arrived_count == sizeof(b->arrived) / sizeof(b->arrived[0]) || b->count + b->arrived_count > MODEL_MOST)
		return;
	snprintf(path, sizeof(path), "%s/%s%s", m->f.home, name == 0 ? "inbox" : "mail/", name == 0 ? "" : model_names[name]);
	out = access(path, F_OK) == 0 ? fopen(path, "a") : NULL;
	if (out == NULL)
		return;
	fprintf(out, "From a@example.org Sat Nov 21 10:00:00 2026\nFrom: a@example.org\nSubject: Number %u\n\nBody %u\n\n", content,
	    content);
	fclose(out);
	m->next_content++;
	b->arrived[b->arrived_count] = content;
	b->arrived_flags[b->arrived_count++] = 0;
	model_note(m, "outside appends %u to %s", content, model_names[name]);
}

static void
outside_add(struct model *m, int name)
{
	struct model_box *b = m->names[name];
	unsigned content = m->next_content, flags = model_roll(m, 2) ? model_roll(m, 64) : 0;
	char dir[200], path[400], info[40], text[200];
	static const char *const tags[] = { "", ",S=5", ",U=00000001.7", ",S=17,W=18" };
	int fd;

	if (b->arrived_count == sizeof(b->arrived) / sizeof(b->arrived[0]) || b->count + b->arrived_count > MODEL_MOST)
		return;
	dir_of(m, name, dir);
	put_flags(info, flags, NULL);
	if (flags == 0)
		info[0] = '\0';
	snprintf(path, sizeof(path), "%s/%s/%u.M%uP1.outside%s%s", dir, flags == 0 ? "new" : "cur",
	    1500000000 + model_roll(m, 200000000), content, tags[model_roll(m, 4)], info);
	/* Sometimes the UID of another message, or one that is yet to come, is in the name: as a copy by hand has it. */
	if (b->uidvalidity != 0 && !b->lost && model_roll(m, 6) == 0)
		snprintf(path, sizeof(path), "%s/%s/%u.M%uP1.outside,U=%08x.%u%s", dir, flags == 0 ? "new" : "cur",
		    1500000000 + model_roll(m, 200000000), content, b->uidvalidity, 1 + model_roll(m, b->uidnext),
		    info);
	snprintf(text, sizeof(text), "From: a@example.org\nSubject: Number %u\n\nBody %u\n", content, content);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd == -1)
		return;		/* the mailbox has no directory yet */
	MODEL_CHECK(m, write(fd, text, strlen(text)) == (ssize_t)strlen(text), "write %s", path);
	close(fd);
	m->next_content++;
	b->arrived[b->arrived_count] = content;
	b->arrived_flags[b->arrived_count++] = flags;
	model_note(m, "outside puts %u into %s: %s", content, model_names[name], path + strlen(dir));
}

/* A random message whose file is where the index has it: its record, and its path. */
static struct model_msg *
pick_file(struct model *m, int name, struct idx_message *rec, char path[600])
{
	struct model_box *b = m->names[name];
	struct index *ix = m->observer->ns[0].store->ix;
	struct model_msg *msg = b->count == 0 ? NULL : &b->msgs[model_roll(m, (unsigned)b->count)];
	struct index_txn *t;
	struct err e = ERR_INIT;
	uint32_t id;
	bool there = false;

	if (msg == NULL || b->lost || msg->file_gone || msg->choices > 1)
		return NULL;
	MUST(index_read(ix, &t, &e), &e);
	if (index_mailbox_find(t, span_str(model_names[name]), &id, &e) == 1 &&
	    index_message_get(t, id, msg->uid, rec, &e) == 1) {
		message_path(m, name, rec, path);
		there = access(path, F_OK) == 0;
	}
	index_read_end(ix);
	return there ? msg : NULL;
}

static void
outside_remove(struct model *m, int name)
{
	struct idx_message rec;
	char path[600];
	struct model_msg *msg = pick_file(m, name, &rec, path);

	if (msg == NULL)
		return;
	MODEL_CHECK(m, unlink(path) == 0, "unlink %s", path);
	msg->file_gone = true;
	model_note(m, "outside removes UID %u of %s", msg->uid, model_names[name]);
}

static void
outside_flag(struct model *m, int name)
{
	unsigned flags = model_roll(m, 64);
	struct idx_message rec;
	char path[600], to[700], dir[200], *base, *old;
	struct model_msg *msg = pick_file(m, name, &rec, path);

	if (msg == NULL)
		return;
	dir_of(m, name, dir);
	base = strrchr(path, '/') + 1;
	old = strstr(base, ":2,");
	snprintf(to, sizeof(to), "%s/cur/%.*s", dir, (int)(old == NULL ? strlen(base) : (size_t)(old - base)), base);
	put_flags(to + strlen(to), flags, old == NULL ? NULL : old + 3);
	MODEL_CHECK(m, rename(path, to) == 0, "rename %s", path);
	/* Flags that wait to be written behind are newer. */
	if (!(rec.bits & IDX_DIRTY) && flags != msg->flags[0]) {
		msg->flags[1] = flags;
		msg->choices = 2;
	}
	model_note(m, "outside flags UID %u of %s: %x%s", msg->uid, model_names[name], flags,
	    rec.bits & IDX_DIRTY ? " (dirty)" : "");
}

void
model_outside(struct model *m)
{
	int name = (int)model_roll(m, MODEL_NAMES);

	if (m->names[name] == NULL)
		return;
	if (m->mbox) {
		outside_append(m, name);
		return;
	}
	switch (model_roll(m, 4)) {
	case 0:
	case 1:
		outside_add(m, name);
		break;
	case 2:
		outside_remove(m, name);
		break;
	default:
		outside_flag(m, name);
		break;
	}
}

void
model_lose_index(struct model *m)
{
	struct mailbox_status status;
	struct err e = ERR_INIT;

	/* With it go flags that wait to be written behind: they are written first.  And files with the UID of an expunged
	 * message could not be told from that message. */
	for (int i = 0; i < MODEL_NAMES; i++) {
		struct mailbox *box;

		if (m->names[i] == NULL)
			continue;
		box = box_of(m->observer, model_names[i], MAILBOX_SAVE);
		MUST(storage_maintain(m->observer, &e), &e);
		mailbox_close(box);
		MUST(storage_status(m->observer, span_str(model_names[i]), STATUS_MESSAGES, &status, &e), &e);
		model_absorb(m, i, true);
	}
	model_note(m, "the index is removed");
	fixture_run(&m->f, "rm -rf %s/culver.index", m->mbox ? "mail" : "Maildir");
	for (int i = 0; i < MODEL_NAMES; i++)
		if (m->names[i] != NULL)
			m->names[i]->lost = true;
	/* Which UIDVALIDITY deleted mailboxes had is in no file: only the clock is. */
	memset(m->validity_before, 0, sizeof(m->validity_before));
}
