/* SPDX-License-Identifier: MIT */
/* The operations: as they are done, and as the model does them. */
#include "crash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib-storage/metadata.h"
#include "lib-storage/release.h"
#include "lib/log.h"

#define TEXT_MAX ((size_t)512 << 10)
#define LARGE 5000	/* numbers from here on are larger than what is held in memory */

const char *const keyword_names[KEYWORDS_KNOWN] = { "$Junk", "Label", "Other" };

#define N(...) .numbers = { __VA_ARGS__ }
const struct op ops[] = {
	{ "save", PREP_BASE, WHOLE_STEP, { { .kind = STEP_SAVE, .box = "INBOX", N(1001) },
	    { .kind = STEP_SAVE, .box = "Work", N(1002), .flags = MSG_SEEN, .keywords = KW_JUNK } }, false },
	{ "save-large", PREP_BASE, WHOLE_STEP, { { .kind = STEP_SAVE, .box = "INBOX", N(LARGE + 1) } }, false },
	{ "append-many", PREP_BASE, WHOLE_STEP, { { .kind = STEP_SAVE, .box = "INBOX", N(1001, 1002, 1003) },
	    { .kind = STEP_SAVE, .box = "Work", N(1004, LARGE + 2), .flags = MSG_FLAGGED } }, false },
	{ "mark", PREP_MARK, WHOLE_STEP, { { .kind = STEP_SAVE, .box = "INBOX", N(1001, 1002) }, { .kind = STEP_SAVE, .box = "INBOX", N(1003) } }, false },
	{ "store", PREP_BASE, WHOLE_STEP, {
	    { .kind = STEP_STORE, .box = "INBOX", N(1, 2, 3), .flags = MSG_SEEN | MSG_ANSWERED, .op = FLAGS_ADD },
	    { .kind = STEP_STORE, .box = "INBOX", N(3), .flags = MSG_FLAGGED, .op = FLAGS_REMOVE },
	    { .kind = STEP_STORE, .box = "INBOX", N(1, 5), .flags = MSG_DRAFT, .keywords = KW_JUNK, .op = FLAGS_SET } }, false },
	{ "store-keyword", PREP_BASE, WHOLE_STEP, {
	    { .kind = STEP_STORE, .box = "INBOX", N(1, 4), .keywords = KW_OTHER, .op = FLAGS_ADD },
	    { .kind = STEP_STORE, .box = "INBOX", N(5), .keywords = KW_JUNK, .op = FLAGS_REMOVE } }, false },
	{ "copy", PREP_BASE, WHOLE_STEP, { { .kind = STEP_COPY, .box = "INBOX", .to = "Work", N(1, 2, 5) } }, false },
	{ "copy-content", PREP_BASE, WHOLE_STEP, { { .kind = STEP_COPY, .box = "INBOX", .to = "Work/Sub", N(2, 3) } }, true },
	{ "move", PREP_BASE, WHOLE_MESSAGE, { { .kind = STEP_MOVE, .box = "INBOX", .to = "Work", N(1, 3, 5) } }, false },
	{ "expunge", PREP_BASE, WHOLE_MESSAGE, { { .kind = STEP_EXPUNGE, .box = "INBOX", N(2, 5) }, { .kind = STEP_SAVE, .box = "INBOX", N(1001) } }, false },
	{ "expunge-last", PREP_BASE, WHOLE_MESSAGE, { { .kind = STEP_SAVE, .box = "INBOX", N(1001) }, { .kind = STEP_EXPUNGE, .box = "INBOX", N(1001) } },
	    false },
	{ "create", PREP_BASE, WHOLE_STEP, { { .kind = STEP_CREATE, .box = "New" }, { .kind = STEP_SAVE, .box = "New", N(1001) }, { .kind = STEP_CREATE, .box = "Work/New" } },
	    false },
	{ "delete", PREP_BASE, WHOLE_BOX, { { .kind = STEP_DELETE, .box = "Work/Sub" }, { .kind = STEP_DELETE, .box = "Work" } }, false },
	{ "recreate", PREP_BASE, WHOLE_BOX, { { .kind = STEP_DELETE, .box = "Work/Sub" }, { .kind = STEP_CREATE, .box = "Work/Sub" },
	    { .kind = STEP_SAVE, .box = "Work/Sub", N(1001) } }, false },
	{ "rename", PREP_BASE, WHOLE_BOX, { { .kind = STEP_RENAME, .box = "Work", .to = "Play" }, { .kind = STEP_SAVE, .box = "Play", N(1001) } }, false },
	{ "rename-inbox", PREP_BASE, WHOLE_MESSAGE, { { .kind = STEP_RENAME, .box = "INBOX", .to = "Old" } }, false },
	{ "subscribe", PREP_BASE, WHOLE_STEP, { { .kind = STEP_SUBSCRIBE, .box = "Work/Sub" }, { .kind = STEP_UNSUBSCRIBE, .box = "Work" } }, false },
	{ "annotate", PREP_BASE, WHOLE_STEP, { { .kind = STEP_ANNOTATE, .box = "Work", N(2001) }, { .kind = STEP_ANNOTATE, .box = "INBOX", N(2002) },
	    { .kind = STEP_ANNOTATE, .box = "Work", N(2003) } }, false },
	{ "annotate-rename", PREP_BASE, WHOLE_BOX, { { .kind = STEP_ANNOTATE, .box = "Work", N(2001) },
	    { .kind = STEP_RENAME, .box = "Work", .to = "Play" }, { .kind = STEP_ANNOTATE, .box = "Play", N(2002) } }, false },
	{ "first-open", PREP_EMPTY, WHOLE_STEP, { { .kind = STEP_SAVE, .box = "INBOX", N(1001) } }, false },
	{ "rebuild", PREP_NO_INDEX, WHOLE_STEP, { { .kind = STEP_LOOK }, { .kind = STEP_SAVE, .box = "INBOX", N(1001) } }, false },
	{ "damaged-index", PREP_BAD_INDEX, WHOLE_STEP, { { .kind = STEP_LOOK }, { .kind = STEP_EXPUNGE, .box = "INBOX", N(1) } }, false },
	{ "outside", PREP_FOREIGN, WHOLE_STEP, { { .kind = STEP_LOOK }, { .kind = STEP_STORE, .box = "INBOX", N(4), .flags = MSG_SEEN,
	    .op = FLAGS_ADD } }, false },
	{ "outside-many", PREP_MANY, WHOLE_MESSAGE, { { .kind = STEP_LOOK },
	    { .kind = STEP_STORE, .box = "INBOX", N(310), .flags = MSG_SEEN, .keywords = KW_OTHER, .op = FLAGS_ADD },
	    { .kind = STEP_MOVE, .box = "INBOX", .to = "Work", N(312) }, { .kind = STEP_EXPUNGE, .box = "INBOX", N(311, 334) } }, false },
	{ "rebuild-many", PREP_MANY_LOST, WHOLE_STEP, { { .kind = STEP_LOOK }, { .kind = STEP_SAVE, .box = "INBOX", N(1001) } }, false },
	{ "behind", PREP_DIRTY, WHOLE_STEP, { { .kind = STEP_MAINTAIN, .box = "INBOX" } }, false },
	{ "resync", PREP_BASE, WHOLE_STEP, { { .kind = STEP_RESYNC, .box = "INBOX" } }, false },
	{ "adopt", PREP_DOVECOT, WHOLE_STEP, { { .kind = STEP_LOOK }, { .kind = STEP_SAVE, .box = "INBOX", N(1001) },
	    { .kind = STEP_STORE, .box = "Work", N(103), .flags = MSG_FLAGGED, .keywords = KW_OTHER, .op = FLAGS_ADD } }, false },
	{ "release", PREP_DIRTY, WHOLE_STEP, { { .kind = STEP_SAVE, .box = "INBOX", N(1001), .flags = MSG_DRAFT, .keywords = KW_OTHER },
	    { .kind = STEP_RELEASE } }, false },
	{ "take-back", PREP_RELEASED, WHOLE_STEP, { { .kind = STEP_ADOPT }, { .kind = STEP_SAVE, .box = "INBOX", N(1001) } }, false },
};
const size_t op_count = sizeof(ops) / sizeof(ops[0]);

bool
op_gives(const struct op *op)
{
	for (size_t i = 0; i < STEPS; i++)
		if (op->steps[i].kind == STEP_RELEASE || op->steps[i].kind == STEP_ADOPT)
			return true;
	return false;
}

bool
op_fits(const struct op *op, const struct format *f)
{
	/* They are beside an mbox, not in it, and may stay behind when its renaming is cut off. */
	if (f->one_file && strcmp(op->name, "annotate-rename") == 0)
		return false;
	if ((op->prep == PREP_MANY || op->prep == PREP_MANY_LOST) && f->many == NULL)
		return false;
	return f->released || !op_gives(op);
}

/* As a user's mail program would make it: some are short, some long, the large ones very long. */
size_t
message_text(unsigned number, char *out, size_t max)
{
	unsigned lines = number >= LARGE && number < WORKS_NUMBER ? 6000 : number % 7 * 3 + 1;
	size_t n;

	n = (size_t)snprintf(out, max, "From: a@example.org\nSubject: Number %u\nDate: Sun, 09 Sep 2001 01:46:40 +0000\n"
	    "Message-ID: <%u@example.org>\n\n", number, number);
	for (unsigned i = 0; i < lines && n + 100 < max; i++)
		n += (size_t)snprintf(out + n, max - n, "Line %u of message %u, %08x, and what makes it longer\n", i, number,
		    (number * 2654435761u) ^ (i * 40503u));
	return n;
}

/* The name as a client writes it. */
static struct span
client_name(const struct world *w, const char *name, char room[64])
{
	snprintf(room, 64, "%s", name);
	for (char *p = room; *p != '\0'; p++)
		if (*p == '/')
			*p = w->format->separator;
	return span_str(room);
}

struct storage *
world_open(struct world *w)
{
	struct err e = ERR_INIT;
	struct storage *st;

	w->conf.home = span_str(w->home);
	w->conf.released_too = op_gives(w->op);
	if (storage_open_conf(&w->conf, -1, &st, &e) == -1) {
		snprintf(w->sh->error, sizeof(w->sh->error), "open the storage: %s", e.log);
		return NULL;
	}
	return st;
}

static bool
on_mailbox(void *ctx, struct span name, enum held_by by, const struct release_report *report)
{
	(void)ctx, (void)name, (void)by, (void)report;
	return true;
}

int
world_release(struct storage *st, struct err *e)
{
	static const struct release_options o = { .uidl = { .format = { "%08Xu%08Xv", 10 } } };

	return storage_release(st, &o, on_mailbox, NULL, e);
}

int
world_adopt(struct storage *st, struct err *e)
{
	return storage_adopt(st, false, on_mailbox, NULL, e);
}

static int
open_box(struct world *w, struct storage *st, const char *name, enum mailbox_mode mode, struct mailbox **out, struct err *e)
{
	char room[64];

	return mailbox_open(st, client_name(w, name, room), mode, out, e);
}

static int
keyword_mask(struct mailbox *box, unsigned keywords, uint64_t *out, struct err *e)
{
	struct span names[KEYWORDS_KNOWN];
	size_t n = 0;

	for (int i = 0; i < KEYWORDS_KNOWN; i++)
		if (keywords >> i & 1)
			names[n++] = span_str(keyword_names[i]);
	*out = 0;
	return n == 0 ? 0 : mailbox_keyword_mask(box, names, n, true, out, e);
}

uint8_t
known_keywords(struct mailbox *box, uint64_t mask)
{
	const struct span *names;
	size_t n = mailbox_keywords(box, &names);
	uint8_t out = 0;

	for (size_t i = 0; i < n && i < 64; i++)
		for (int k = 0; k < KEYWORDS_KNOWN && mask >> i & 1; k++)
			if (span_eq(names[i], span_str(keyword_names[k])))
				out |= (uint8_t)(1 << k);
	return out;
}

static unsigned
number_in(struct span text)
{
	size_t at = span_find(text, SPAN("Number "));
	unsigned n = 0;

	for (at += 7; at < text.n && text.p[at] >= '0' && text.p[at] <= '9'; at++)
		n = n * 10 + (unsigned)(text.p[at] - '0');
	return n;
}

/* From the summary: no file is opened where the index knows. */
int
number_of_uid(struct mailbox *box, uint32_t uid, unsigned *out, struct err *e)
{
	struct summary_view sum;

	if (mailbox_summary(box, uid, NEED_HEADER, &sum, e) == -1)
		return -1;
	*out = span_find(sum.envelope, SPAN("Number ")) == SIZE_MAX ? 0 : number_in(sum.envelope);
	return 0;
}

/* The UIDs of messages by their numbers, ascending. */
static int
find_uids(struct mailbox *box, const unsigned *numbers, uint32_t uids[NUMBERS], size_t *count_out, struct err *e)
{
	size_t n = 0;

	for (uint32_t seq = 1; seq <= mailbox_count(box); seq++) {
		unsigned number;

		if (number_of_uid(box, mailbox_uid(box, seq), &number, e) == -1)
			return -1;
		for (int i = 0; i < NUMBERS && numbers[i] != 0; i++)
			if (numbers[i] == number && n < NUMBERS)
				uids[n++] = mailbox_uid(box, seq);
	}
	*count_out = n;
	return 0;
}

/* What a client that has the mailbox open now knows. */
int
announce(struct world *w, struct storage *st, const char *name, struct err *e)
{
	struct shared *sh = w->sh;
	struct seen_box *b = &sh->announced[sh->at.announced];
	struct mailbox_view_state state;
	struct mailbox *box;
	int rc = 0;

	if (sh->at.announced == ANNOUNCED)
		return 0;
	if (open_box(w, st, name, MAILBOX_READ, &box, e) == -1)
		return -1;
	mailbox_view_state(box, &state);
	*b = (struct seen_box){ .validity = state.uidvalidity, .uidnext = state.uidnext, .id = state.mailbox_id,
		.modseq = state.highestmodseq };
	snprintf(b->name, sizeof(b->name), "%s", name);
	for (uint32_t seq = 1; seq <= mailbox_count(box) && rc == 0 && b->count < MESSAGES; seq++) {
		struct seen_msg *m = &b->m[b->count];
		struct msg_rec rec;

		m->uid = mailbox_uid(box, seq);
		if (number_of_uid(box, m->uid, &m->number, e) == -1 || mailbox_get(box, m->uid, &rec, e) == -1) {
			rc = -1;
			break;
		}
		m->flags = (uint8_t)rec.flags;
		m->keywords = known_keywords(box, rec.keywords);
		m->modseq = rec.modseq;
		b->count++;
	}
	if (rc == 0)
		sh->at.announced++;
	mailbox_close(box);
	return rc;
}

static void
ack(struct world *w)
{
	w->sh->at.acked = w->sh->at.begun;
}

static int
step_save(struct world *w, struct storage *st, const struct step *s, struct err *e)
{
	static char text[TEXT_MAX];
	struct arena *a = arena_new(1 << 20);
	struct save_params p = { .flags = s->flags };
	struct mailbox *box = NULL;
	struct saver *saver = NULL;
	struct uid_list uids;
	uint32_t validity;
	int rc = open_box(w, st, s->box, MAILBOX_SAVE, &box, e);

	if (rc == 0)
		rc = keyword_mask(box, s->keywords, &p.keywords, e);
	if (rc == 0)
		rc = saver_new(box, &saver, e);
	for (int i = 0; i < NUMBERS && s->numbers[i] != 0 && rc == 0; i++) {
		size_t n = message_text(s->numbers[i], text, sizeof(text));

		p.internal_date = DATE_OF(s->numbers[i]);
		if (saver_begin(saver, &p, e) == -1 || saver_write(saver, span_of(text, n / 2), e) == -1 ||
		    saver_write(saver, span_of(text + n / 2, n - n / 2), e) == -1 || saver_finish(saver, e) == -1)
			rc = -1;
	}
	if (rc == 0)
		rc = saver_commit(saver, a, &validity, &uids, e);
	if (rc == 0)
		ack(w);
	saver_free(saver);
	mailbox_close(box);
	arena_free(a);
	return rc;
}

static int
step_in_box(struct world *w, struct storage *st, const struct step *s, struct err *e)
{
	struct arena *a = arena_new(1 << 20);
	struct flag_change fc = { .op = s->op, .flags = s->flags };
	struct mailbox *box = NULL, *to = NULL;
	struct copy_result result;
	uint32_t uids[NUMBERS];
	size_t n = 0;
	int rc = open_box(w, st, s->box, MAILBOX_WRITE, &box, e);

	if (rc == 0)
		rc = find_uids(box, s->numbers, uids, &n, e);
	switch (rc == 0 ? s->kind : STEP_END) {
	case STEP_STORE:
		rc = keyword_mask(box, s->keywords, &fc.keywords, e);
		if (rc == 0)
			rc = mailbox_store(box, uids, n, &fc, a, NULL, NULL, e);
		break;
	case STEP_COPY:
	case STEP_MOVE:
		rc = open_box(w, st, s->to, MAILBOX_SAVE, &to, e);
		if (rc == 0)
			rc = mailbox_copy(box, uids, n, to, s->kind == STEP_MOVE, a, &result, e);
		break;
	case STEP_EXPUNGE:
		rc = mailbox_expunge(box, uids, n, true, e);
		break;
	case STEP_MAINTAIN:
		rc = storage_maintain(st, e);
		break;
	default:
		break;
	}
	if (rc == 0)
		ack(w);
	mailbox_close(to);
	mailbox_close(box);
	arena_free(a);
	return rc;
}

static int
step_look(struct world *w, struct storage *st, struct err *e)
{
	int rc = observe(w, st, &w->sh->seen, e);

	if (rc == 0)
		ack(w);
	return rc;
}

static int
annotate(struct storage *st, struct span name, unsigned number, struct err *e)
{
	char text[20];
	struct metadata m = { SPAN("/private/comment"), SPAN_NONE };

	snprintf(text, sizeof(text), "%u", number);
	m.value = span_str(text);
	return storage_metadata_set(st, name, &m, 1, e);
}

int
run_step(struct world *w, struct storage *st, const struct step *s, struct err *e)
{
	char a[64], b[64];
	struct span name = s->box == NULL ? SPAN_NONE : client_name(w, s->box, a);
	int rc;

	switch (s->kind) {
	case STEP_SAVE:
		return step_save(w, st, s, e);
	case STEP_STORE:
	case STEP_COPY:
	case STEP_MOVE:
	case STEP_EXPUNGE:
	case STEP_MAINTAIN:
		return step_in_box(w, st, s, e);
	case STEP_LOOK:
		return step_look(w, st, e);
	case STEP_CREATE:
		rc = storage_create(st, name, false, e);
		break;
	case STEP_DELETE:
		rc = storage_delete(st, name, e);
		break;
	case STEP_RENAME:
		rc = storage_rename(st, name, client_name(w, s->to, b), e);
		break;
	case STEP_SUBSCRIBE:
	case STEP_UNSUBSCRIBE:
		rc = storage_subscribe(st, name, s->kind == STEP_SUBSCRIBE, e);
		break;
	case STEP_ANNOTATE:
		rc = annotate(st, name, s->numbers[0], e);
		break;
	case STEP_RESYNC:
		rc = storage_resync(st, name, e);
		break;
	case STEP_RELEASE:
		rc = world_release(st, e);
		break;
	case STEP_ADOPT:
		rc = world_adopt(st, e);
		break;
	case STEP_END:
	default:
		rc = 0;
	}
	if (rc == 0)
		ack(w);
	return rc;
}

/* The operation, in a child. */
void
run_op(void *world)
{
	struct world *w = world;
	struct err e = ERR_INIT, told = ERR_INIT;
	struct storage *st;

	alarm(60);
	st = world_open(w);
	if (st == NULL) {
		w->sh->failed = true;
		return;
	}
	for (unsigned i = 0; i < w->steps; i++) {
		const struct step *s = &w->op->steps[i];

		w->sh->at.begun = i + 1;
		if (run_step(w, st, s, &e) == -1) {
			w->sh->failed = true;
			break;
		}
		if (s->kind != STEP_LOOK && s->kind != STEP_DELETE && s->box != NULL)
			announce(w, st, s->kind == STEP_RENAME ? s->to : s->box, &told);
		if (s->kind == STEP_COPY || s->kind == STEP_MOVE)
			announce(w, st, s->to, &told);
	}
	/* What a NO left behind must not be in the way: the same process goes on. */
	if (w->sh->failed)
		snprintf(w->sh->error, sizeof(w->sh->error), "%s", e.log);
	storage_close(st);
}

static struct want_box *
want_box(struct want *w, const char *name)
{
	for (unsigned i = 0; i < w->count; i++)
		if (strcmp(w->box[i].name, name) == 0)
			return &w->box[i];
	return NULL;
}

static struct want_box *
want_make(struct want *w, const char *name)
{
	struct want_box *b = &w->box[w->count++];

	*b = (struct want_box){ .origin = ++w->origins };
	snprintf(b->name, sizeof(b->name), "%s", name);
	return b;
}

static struct want_msg *
want_msg(struct want_box *b, unsigned number)
{
	for (unsigned i = 0; i < b->count; i++)
		if (b->m[i].number == number)
			return &b->m[i];
	return NULL;
}

static void
want_rename(struct want *w, const char *from, const char *to)
{
	size_t n = strlen(from);

	if (strcmp(from, "INBOX") == 0) {
		struct want_box *b = want_make(w, to), *inbox = want_box(w, "INBOX");

		if (inbox == NULL)
			return;
		memcpy(b->m, inbox->m, sizeof(b->m));
		b->count = inbox->count;
		inbox->count = 0;
		return;
	}
	for (unsigned i = 0; i < w->count; i++) {
		char old[48];

		memcpy(old, w->box[i].name, sizeof(old));
		if (strncmp(old, from, n) == 0 && (old[n] == '\0' || old[n] == '/'))
			snprintf(w->box[i].name, sizeof(w->box[i].name), "%.20s%.25s", to, old + n);
	}
}

static void
want_subscribe(struct want *w, const char *name, bool on)
{
	for (unsigned i = 0; i < w->subscribed_count; i++) {
		if (strcmp(w->subscribed[i], name) != 0)
			continue;
		if (!on)
			memmove(w->subscribed[i], w->subscribed[--w->subscribed_count], sizeof(w->subscribed[0]));
		return;
	}
	if (on)
		snprintf(w->subscribed[w->subscribed_count++], sizeof(w->subscribed[0]), "%s", name);
}

static void
apply_to_message(struct want *w, const struct step *s, unsigned number)
{
	struct want_box *b = want_box(w, s->box), *to = s->to == NULL ? NULL : want_box(w, s->to);
	struct want_msg *m = b == NULL ? NULL : want_msg(b, number);

	if (s->kind == STEP_SAVE && b != NULL)
		b->m[b->count++] = (struct want_msg){ number, (uint8_t)s->flags, (uint8_t)s->keywords };
	if (m == NULL)
		return;
	if (s->kind == STEP_STORE) {
		uint8_t f = (uint8_t)s->flags, k = (uint8_t)s->keywords;

		m->flags = s->op == FLAGS_SET ? f : s->op == FLAGS_ADD ? m->flags | f : (uint8_t)(m->flags & ~f);
		m->keywords = s->op == FLAGS_SET ? k : s->op == FLAGS_ADD ? m->keywords | k : (uint8_t)(m->keywords & ~k);
	}
	if ((s->kind == STEP_COPY || s->kind == STEP_MOVE) && to != NULL)
		to->m[to->count++] = *m;
	if (s->kind == STEP_MOVE || s->kind == STEP_EXPUNGE)
		*m = b->m[--b->count];
}

void
apply_step(struct want *w, const struct step *s)
{
	struct want_box *b = s->box == NULL ? NULL : want_box(w, s->box);

	for (int i = 0; i < NUMBERS && s->numbers[i] != 0; i++)
		apply_to_message(w, s, s->numbers[i]);
	if (s->kind == STEP_CREATE && b == NULL)
		want_make(w, s->box);
	if (s->kind == STEP_DELETE && b != NULL)
		*b = w->box[--w->count];
	if (s->kind == STEP_ANNOTATE && b != NULL)
		b->note = s->numbers[0];
	if (s->kind == STEP_RENAME)
		want_rename(w, s->box, s->to);
	if (s->kind == STEP_SUBSCRIBE || s->kind == STEP_UNSUBSCRIBE)
		want_subscribe(w, s->box, s->kind == STEP_SUBSCRIBE);
}
