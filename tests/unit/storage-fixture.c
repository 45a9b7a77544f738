/* SPDX-License-Identifier: MIT */
#include "storage-fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void
must_say(int rc, const struct err *e, const char *what)
{
	if (rc < 0) {
		print_error("%s: %s\n", what, e->log);
		fail();
	}
}

void
fixture_init(struct fixture *f)
{
	const char *tmp = getenv("TMPDIR");

	*f = (struct fixture){ .conf = STORAGE_CONF_DEFAULT };
	snprintf(f->home, sizeof(f->home), "%.40s/culver-test.XXXXXX", tmp == NULL ? "/tmp" : tmp);
	assert_non_null(mkdtemp(f->home));
	f->a = arena_new((size_t)256 << 20);
	assert_non_null(f->a);
	f->conf.fsync = FSYNC_NEVER;
	f->conf.user = SPAN("bob");
}

struct storage *
fixture_storage(struct fixture *f)
{
	struct err e = ERR_INIT;
	struct storage *st;

	f->conf.home = span_str(f->home);
	MUST(storage_open_conf(&f->conf, -1, &st, &e), &e);
	return st;
}

void
fixture_open(struct fixture *f)
{
	f->st = fixture_storage(f);
}

void
fixture_close(struct fixture *f)
{
	storage_close(f->st);
	f->st = NULL;
}

void
fixture_run(struct fixture *f, const char *fmt, ...)
{
	char what[1024], cmd[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(cmd, sizeof(cmd), "cd '%s' && %s", f->home, what);
	if (system(cmd) != 0) {
		print_error("%s failed\n", cmd);
		fail();
	}
}

long
fixture_number(struct fixture *f, const char *fmt, ...)
{
	char what[1024], cmd[1200];
	long number = -1;
	va_list ap;
	FILE *in;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(cmd, sizeof(cmd), "cd '%s' && %s", f->home, what);
	in = popen(cmd, "r");
	assert_non_null(in);
	if (fscanf(in, "%ld", &number) != 1)
		number = -1;
	pclose(in);
	return number;
}

void
fixture_lose_index(struct fixture *f)
{
	assert_null(f->st);
	fixture_run(f, "rm -rf Maildir/culver.index");
}

void
fixture_clear(struct fixture *f)
{
	fixture_close(f);
	arena_free(f->a);
	fixture_run(f, "chmod -R u+rwx . && rm -rf '%s'", f->home);
}

struct mailbox *
box_of(struct storage *st, const char *name, enum mailbox_mode mode)
{
	struct err e = ERR_INIT;
	struct mailbox *box;

	MUST(mailbox_open(st, span_str(name), mode, &box, &e), &e);
	return box;
}

uint32_t
save_text(struct mailbox *box, const char *text, unsigned flags)
{
	struct err e = ERR_INIT;
	struct arena *a = arena_new(1 << 20);
	struct save_params p = { .flags = flags, .internal_date = INT64_MIN };
	struct saver *s;
	struct uid_list uids;
	uint32_t validity, uid;

	MUST(saver_new(box, &s, &e), &e);
	MUST(saver_begin(s, &p, &e), &e);
	MUST(saver_write(s, span_str(text), &e), &e);
	MUST(saver_finish(s, &e), &e);
	MUST(saver_commit(s, a, &validity, &uids, &e), &e);
	saver_free(s);
	assert_int_equal(uids.count, 1);
	uid = uids.uids[0];
	arena_free(a);
	return uid;
}

uint32_t
save_numbered(struct mailbox *box, unsigned number)
{
	char text[200];

	snprintf(text, sizeof(text), "From: a@example.org\r\nSubject: Number %u\r\nX-Number: %u\r\n\r\nBody %u\r\n", number,
	    number, number);
	return save_text(box, text, 0);
}

unsigned
number_of(struct mailbox *box, uint32_t uid)
{
	struct err e = ERR_INIT;
	struct span body;
	unsigned n;
	char text[200] = "";

	MUST(mailbox_body(box, uid, &body, &e), &e);
	memcpy(text, body.p, body.n < sizeof(text) - 1 ? body.n : sizeof(text) - 1);
	if (sscanf(text, "From: a@example.org\nSubject: Number %u", &n) != 1)
		fail_msg("message %u is not what was saved: %s", uid, text);
	return n;
}

void
sync_box(struct mailbox *box, struct view_changes *vc)
{
	struct view_changes mine;
	struct err e = ERR_INIT;

	MUST(mailbox_sync(box, true, vc == NULL ? &mine : vc, &e), &e);
}

unsigned
flags_of(struct mailbox *box, uint32_t uid)
{
	struct msg_rec rec;
	struct err e = ERR_INIT;

	MUST(mailbox_get(box, uid, &rec, &e), &e);
	mailbox_read_end(box);
	return rec.flags;
}

void
add_flags(struct mailbox *box, uint32_t uid, unsigned flags)
{
	struct flag_change fc = { .op = FLAGS_ADD, .flags = flags };
	struct err e = ERR_INIT;

	MUST(mailbox_store(box, &uid, 1, &fc, NULL, NULL, NULL, &e), &e);
}

void
expunge_uid(struct mailbox *box, uint32_t uid)
{
	struct err e = ERR_INIT;

	MUST(mailbox_expunge(box, &uid, 1, true, &e), &e);
}

void
check_counts(struct mailbox *box)
{
	struct err e = ERR_INIT;
	struct index_txn *t;
	struct index_walk w;
	struct idx_state st, n = { 0 };
	int rc;

	mailbox_read_end(box);
	MUST(index_read(box->store->ix, &t, &e), &e);
	assert_int_equal(index_state_get(t, box->id, &st, &e), 1);
	MUST(index_walk_begin(&w, t, box->id, 1, &e), &e);
	while ((rc = index_walk_next(&w, &e)) == 1) {
		n.messages++;
		n.unseen += !(w.m.flags & IDX_SEEN);
		n.deleted += (w.m.flags & IDX_DELETED) != 0;
		n.dirty += (w.m.bits & IDX_DIRTY) != 0;
		n.unsized += w.m.size == IDX_SIZE_UNKNOWN;
		n.bytes += w.m.size == IDX_SIZE_UNKNOWN ? 0 : w.m.size;
		assert_true(w.uid < st.uidnext);
		assert_true(w.m.modseq <= st.highestmodseq);
	}
	index_walk_end(&w);
	MUST(rc, &e);
	assert_int_equal(n.messages, st.messages);
	assert_int_equal(n.unseen, st.unseen);
	assert_int_equal(n.deleted, st.deleted);
	assert_int_equal(n.dirty, st.dirty);
	assert_int_equal(n.unsized, st.unsized);
	assert_true(n.bytes == st.bytes);
	assert_true(st.uidnext <= st.uid_reserved);
	assert_true(st.highestmodseq < st.modseq_reserved);
	mailbox_read_end(box);
}
