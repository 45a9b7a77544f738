/* SPDX-License-Identifier: MIT */
/* The mbox driver, through the mailbox interface, and the files that it leaves behind. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/log.h"
#include "storage-fixture.h"
#include "testing.h"

static void
begin(struct fixture *f)
{
	fixture_init(f);
	f->conf.location = SPAN("mbox:~/mail");
	fixture_run(f, "mkdir mail");
}

/* What the file is. */
static char *
file_text(struct fixture *f, const char *name)
{
	static char room[65536];
	char path[200];
	size_t n;
	FILE *in;

	snprintf(path, sizeof(path), "%s/%s", f->home, name);
	in = fopen(path, "r");
	assert_non_null(in);
	n = fread(room, 1, sizeof(room) - 1, in);
	room[n] = '\0';
	fclose(in);
	return room;
}

static void
put_file(struct fixture *f, const char *name, const char *text)
{
	char path[200];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", f->home, name);
	out = fopen(path, "w");
	assert_non_null(out);
	fwrite(text, 1, strlen(text), out);
	fclose(out);
}

static void
add_file(struct fixture *f, const char *name, const char *text)
{
	char path[200];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", f->home, name);
	out = fopen(path, "a");
	assert_non_null(out);
	fwrite(text, 1, strlen(text), out);
	fclose(out);
}

static void
body_is(struct mailbox *box, uint32_t uid, const char *want)
{
	struct err e = ERR_INIT;
	struct span body;

	MUST(mailbox_body(box, uid, &body, &e), &e);
	if (!span_eq(body, span_str(want)))
		fail_msg("message %u is\n%.*s\nnot\n%s", uid, SPAN_ARG(body), want);
	mailbox_read_end(box);
}

static void
lose_index(struct fixture *f)
{
	fixture_run(f, "rm -rf mail/.culver.index");
}

#define ONE "From a@example.org Thu Nov 26 10:00:00 2026\nFrom: a@example.org\nSubject: one\n\nfirst\n\n"
#define TWO "From b@example.org Thu Nov 26 11:00:00 2026\nFrom: b@example.org\nSubject: two\nStatus: RO\n\nsecond\n\n"

static void
test_save_and_read(void **state)
{
	struct fixture f;
	struct mailbox *box;

	(void)state;
	begin(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	assert_int_equal(save_numbered(box, 1), 1);
	assert_int_equal(save_numbered(box, 2), 2);
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), 2);
	assert_int_equal(number_of(box, 1), 1);
	assert_int_equal(number_of(box, 2), 2);
	check_counts(box);
	mailbox_close(box);
	fixture_clear(&f);
}

static void
test_outside_mail(void **state)
{
	struct fixture f;
	struct mailbox *box;

	(void)state;
	begin(&f);
	put_file(&f, "mail/inbox", ONE TWO);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	assert_int_equal(mailbox_count(box), 2);
	body_is(box, 1, "From: a@example.org\nSubject: one\n\nfirst\n");
	body_is(box, 2, "From: b@example.org\nSubject: two\n\nsecond\n");
	assert_int_equal(flags_of(box, 1), 0);
	assert_int_equal(flags_of(box, 2), MSG_SEEN);
	/* Somebody's fields are not ours. */
	add_file(&f, "mail/inbox", "From a@example.org Thu Nov 26 10:00:00 2026\nX-Keywords: many words of nobody\nX-UID: 1\n"
	    "From: a@example.org\nSubject: one\n\nfirst\n\n");
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), 3);
	const struct span *names;

	assert_int_equal(mailbox_keywords(box, &names), 0);
	add_flags(box, 1, MSG_FLAGGED);
	mailbox_close(box);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	expunge_uid(box, 2);
	sync_box(box, NULL);
	body_is(box, 3, "From: a@example.org\nSubject: one\n\nfirst\n");
	check_counts(box);
	mailbox_close(box);
	fixture_close(&f);
	lose_index(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	assert_int_equal(mailbox_count(box), 2);
	assert_int_equal(mailbox_uid(box, 1), 1);
	assert_int_equal(mailbox_uid(box, 2), 3);
	assert_int_equal(flags_of(box, 1), MSG_FLAGGED);
	body_is(box, 1, "From: a@example.org\nSubject: one\n\nfirst\n");
	check_counts(box);
	mailbox_close(box);
	if (getenv("SHOW") != NULL)
		puts(file_text(&f, "mail/inbox"));
	fixture_clear(&f);
}

static void
test_parse_oddities(void **state)
{
	static const struct {
		const char *file;
		unsigned count;
		const char *bodies[3];
	} cases[] = {
		/* "From " in a body, with and without a date */
		{ ONE "From here to there\n\n" TWO, 2, { "From: a@example.org\nSubject: one\n\nfirst\n\nFrom here to there\n",
		    "From: b@example.org\nSubject: two\n\nsecond\n" } },
		/* no blank line before the next, and no line end at the last */
		{ "From a Thu Nov 26 10:00:00 2026\nA: 1\n\nx\nFrom b Thu Nov 26 10:00:00 2026\nB: 1\n\ny", 2,
		    { "A: 1\n\nx\n", "B: 1\n\ny\n" } },
		/* CRLF */
		{ "From a Thu Nov 26 10:00:00 2026\r\nA: 1\r\nStatus: R\r\n\r\nx\r\n\r\nFrom b Thu Nov 26 10:00:00 2026\r\nB: 1\r\n\r\n"
		    "y\r\n\r\n", 2, { "A: 1\r\n\r\nx\r\n", "B: 1\r\n\r\ny\r\n" } },
		/* Content-Length that is true, and lies */
		{ "From a Thu Nov 26 10:00:00 2026\nContent-Length: 36\n\nFrom x Thu Nov 26 10:00:00 2026\nyyy\n\n" ONE, 2,
		    { "\nFrom x Thu Nov 26 10:00:00 2026\nyyy\n", "From: a@example.org\nSubject: one\n\nfirst\n" } },
		{ "From a Thu Nov 26 10:00:00 2026\nContent-Length: 5000\nA: 1\n\nx\n\n" ONE, 2,
		    { "A: 1\n\nx\n", "From: a@example.org\nSubject: one\n\nfirst\n" } },
		{ "From a Thu Nov 26 10:00:00 2026\nContent-Length: 1\nA: 1\n\nxyz\n\n" ONE, 2,
		    { "A: 1\n\nxyz\n", "From: a@example.org\nSubject: one\n\nfirst\n" } },
		/* a header alone; empty bodies */
		{ "From a Thu Nov 26 10:00:00 2026\nA: 1\n" ONE, 2, { "A: 1\n", "From: a@example.org\nSubject: one\n\nfirst\n" } },
		{ "From a Thu Nov 26 10:00:00 2026\nA: 1\n\n" ONE, 2, { "A: 1\n\n", "From: a@example.org\nSubject: one\n\nfirst\n" } },
		/* the pseudo message of other programs, and blank lines first */
		{ "From MAILER-DAEMON Thu Nov 26 10:00:00 2026\nSubject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA\n"
		    "X-IMAP: 1234567890 0000000007 work\nStatus: RO\n\nInternal.\n\n" ONE, 1,
		    { "From: a@example.org\nSubject: one\n\nfirst\n" } },
		{ "\n\n" ONE, 1, { "From: a@example.org\nSubject: one\n\nfirst\n" } },
		{ "", 0, { NULL } },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct mailbox *box;

		begin(&f);
		put_file(&f, "mail/inbox", cases[i].file);
		for (int pass = 0; pass < 3; pass++) {
			fixture_open(&f);
			box = box_of(f.st, "INBOX", MAILBOX_WRITE);
			if (mailbox_count(box) != cases[i].count)
				fail_msg("case %zu: %u messages, not %u", i, mailbox_count(box), cases[i].count);
			for (unsigned m = 0; m < cases[i].count; m++) {
				struct msg_rec rec;
				struct err e = ERR_INIT;
				uint64_t size;

				/* Once it was written, a header that had no end has one. */
				if (pass == 0 || span_find(span_str(cases[i].bodies[m]), SPAN("\n\n")) != SIZE_MAX)
					body_is(box, mailbox_uid(box, m + 1), cases[i].bodies[m]);
				MUST(mailbox_get(box, mailbox_uid(box, m + 1), &rec, &e), &e);
				if (pass == 0)
					assert_int_equal(rec.physical_size, strlen(cases[i].bodies[m]));
				MUST(mailbox_size(box, mailbox_uid(box, m + 1), &size, &e), &e);
			}
			check_counts(box);
			/* Written into the file; the last time without an index. */
			mailbox_close(box);
			fixture_close(&f);
			if (pass == 1)
				lose_index(&f);
		}
		fixture_clear(&f);
	}
}

static void
test_saved_as_it_was(void **state)
{
	static const char *const texts[][2] = {
		{ "Subject: x\r\nStatus: RO\r\nX-UID: 77\r\nX-IMAPbase: 1 2\r\n more\r\nTo: y\r\n\r\nFrom me\r\nhello\r\n",
		    "Subject: x\nTo: y\n\n>From me\nhello\n" },
		{ "Subject: x\r\n\r\nno end", "Subject: x\n\nno end" },
		{ "Subject: x\r\n\r\n\r\n\r\n", "Subject: x\n\n\n\n" },
		{ "Subject: x\r\n\r\n", "Subject: x\n\n" },
		{ "Subject: x\r\n", "Subject: x\n\n" },
		{ "From nobody\r\n\r\nFrom x Thu Nov 26 10:00:00 2026\r\n", ">From nobody\n\n>From x Thu Nov 26 10:00:00 2026\n" },
	};
	struct fixture f;
	struct mailbox *box;

	(void)state;
	begin(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	for (size_t i = 0; i < COUNT(texts); i++)
		save_text(box, texts[i][0], 0);
	for (int pass = 0; pass < 3; pass++) {
		sync_box(box, NULL);
		assert_int_equal(mailbox_count(box), COUNT(texts));
		for (size_t i = 0; i < COUNT(texts); i++) {
			struct msg_rec rec;
			struct err e = ERR_INIT;

			body_is(box, (uint32_t)i + 1, texts[i][1]);
			MUST(mailbox_get(box, (uint32_t)i + 1, &rec, &e), &e);
			assert_int_equal(rec.physical_size, strlen(texts[i][1]));
			add_flags(box, (uint32_t)i + 1, pass == 0 ? MSG_SEEN : MSG_FLAGGED | MSG_ANSWERED);
		}
		check_counts(box);
		mailbox_close(box);
		fixture_close(&f);
		if (pass == 1)
			lose_index(&f);
		fixture_open(&f);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	}
	assert_int_equal(flags_of(box, 3), MSG_SEEN | MSG_FLAGGED | MSG_ANSWERED);
	mailbox_close(box);
	fixture_clear(&f);
}

/* What another program did to the file, between two looks. */
static void
test_outside_changes(void **state)
{
	struct fixture f;
	struct mailbox *box;
	struct view_changes vc;

	(void)state;
	begin(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	for (unsigned i = 1; i <= 5; i++)
		save_numbered(box, i);
	sync_box(box, NULL);
	add_flags(box, 2, MSG_FLAGGED);
	MUST(storage_maintain(f.st, &(struct err)ERR_INIT), &(struct err)ERR_INIT);
	/* As a mail program does: the whole rewritten, one message taken out, one marked. */
	fixture_run(&f, "awk 'BEGIN{RS=\"From MAILER\";ORS=\"\"} NR>1 && !/Number 3/ {sub(/Status: O/,\"Status: RO\"); "
	    "print \"From MAILER\" $0}' mail/inbox > new && cat new > mail/inbox");
	sync_box(box, &vc);
	assert_int_equal(mailbox_count(box), 4);
	assert_int_equal(vc.expunged_count, 1);
	assert_int_equal(vc.expunged[0].uid, 3);
	assert_int_equal(number_of(box, 4), 4);
	assert_int_equal(number_of(box, 5), 5);
	assert_true(flags_of(box, 2) & MSG_FLAGGED);
	/* Replaced by another file with the same mail, then emptied. */
	fixture_run(&f, "cp mail/inbox n && mv n mail/inbox");
	sync_box(box, &vc);
	assert_int_equal(vc.expunged_count, 0);
	assert_int_equal(mailbox_count(box), 4);
	fixture_run(&f, ": > mail/inbox");
	sync_box(box, &vc);
	assert_int_equal(mailbox_count(box), 0);
	assert_int_equal(save_numbered(box, 6), 6);
	/* Removed: INBOX is always there. */
	fixture_run(&f, "rm mail/inbox");
	sync_box(box, &vc);
	assert_int_equal(mailbox_count(box), 0);
	assert_int_equal(save_numbered(box, 7), 7);
	sync_box(box, &vc);
	assert_int_equal(number_of(box, 7), 7);
	check_counts(box);
	mailbox_close(box);
	fixture_clear(&f);
}

static void
test_folders(void **state)
{
	struct fixture f;
	struct mailbox *a, *b;
	struct copy_result r;
	struct err e = ERR_INIT;
	uint32_t uids[] = { 1, 3 };

	(void)state;
	begin(&f);
	fixture_open(&f);
	MUST(storage_create(f.st, SPAN("Work/2026"), false, &e), &e);
	MUST(storage_create(f.st, SPAN("Entwürfe"), false, &e), &e);
	assert_int_equal(storage_create(f.st, SPAN("Work/2026/x"), false, &e), -1);
	assert_int_equal(e.code, ERR_DENIED);
	e.code = ERR_NONE;
	a = box_of(f.st, "INBOX", MAILBOX_WRITE);
	for (unsigned i = 1; i <= 3; i++)
		save_numbered(a, i);
	sync_box(a, NULL);
	b = box_of(f.st, "Work/2026", MAILBOX_SAVE);
	add_flags(a, 3, MSG_FLAGGED);
	MUST(mailbox_copy(a, uids, 2, b, true, f.a, &r, &e), &e);
	assert_int_equal(r.to.count, 2);
	sync_box(a, NULL);
	assert_int_equal(mailbox_count(a), 1);
	mailbox_close(b);
	b = box_of(f.st, "Work/2026", MAILBOX_WRITE);
	assert_int_equal(mailbox_count(b), 2);
	assert_int_equal(number_of(b, 2), 3);
	assert_int_equal(flags_of(b, 2), MSG_FLAGGED);
	/* into itself */
	MUST(mailbox_copy(b, (uint32_t[]){ 1 }, 1, b, false, f.a, &r, &e), &e);
	sync_box(b, NULL);
	assert_int_equal(mailbox_count(b), 3);
	mailbox_close(b);
	MUST(storage_rename(f.st, SPAN("Work"), SPAN("Job"), &e), &e);
	b = box_of(f.st, "Job/2026", MAILBOX_WRITE);
	assert_int_equal(mailbox_count(b), 3);
	assert_int_equal(mailbox_uid(b, 3), 3);
	mailbox_close(b);
	MUST(storage_delete(f.st, SPAN("Job/2026"), &e), &e);
	MUST(storage_delete(f.st, SPAN("Job"), &e), &e);
	assert_int_equal(fixture_number(&f, "ls mail | wc -l"), 2);
	mailbox_close(a);
	fixture_clear(&f);
}

static uint32_t
id_of(struct fixture *f, const char *name, uint32_t count)
{
	struct mailbox *box;
	struct mailbox_view_state state;

	fixture_open(f);
	box = box_of(f->st, name, MAILBOX_READ);
	mailbox_view_state(box, &state);
	assert_int_equal(mailbox_count(box), count);
	mailbox_close(box);
	fixture_close(f);
	return state.mailbox_id;
}

/* MAILBOXID goes with a mailbox that is renamed, whatever is left under the new name, and when the index is lost, or old. */
static void
test_rename_keeps_id(void **state)
{
	struct fixture f;
	struct mailbox *box;
	struct err e = ERR_INIT;
	uint32_t id;

	(void)state;
	begin(&f);
	fixture_open(&f);
	MUST(storage_create(f.st, SPAN("Old"), false, &e), &e);
	box = box_of(f.st, "Old", MAILBOX_SAVE);
	save_numbered(box, 1);
	save_numbered(box, 2);
	mailbox_close(box);
	fixture_close(&f);
	id = id_of(&f, "Old", 2);
	fixture_run(&f, "cp -a mail/.culver.index index");
	fixture_open(&f);
	MUST(storage_create(f.st, SPAN("New"), false, &e), &e);
	fixture_close(&f);
	assert_int_not_equal(id_of(&f, "New", 0), id);
	fixture_run(&f, "rm mail/New");		/* another program's way */
	fixture_open(&f);
	MUST(storage_rename(f.st, SPAN("Old"), SPAN("New"), &e), &e);
	fixture_close(&f);
	assert_int_equal(id_of(&f, "New", 2), id);
	fixture_run(&f, "rm -r mail/.culver.index");
	assert_int_equal(id_of(&f, "New", 2), id);
	fixture_run(&f, "rm -r mail/.culver.index && cp -a index mail/.culver.index");
	assert_int_equal(id_of(&f, "New", 2), id);
	/* Without a directory for it nothing is kept, and nothing is in the way. */
	fixture_run(&f, "rm -r mail/.culver.control");
	fixture_open(&f);
	MUST(storage_rename(f.st, SPAN("New"), SPAN("Newer"), &e), &e);
	fixture_close(&f);
	id_of(&f, "Newer", 2);
	fixture_clear(&f);
}

/* ---- locks ---- */

static void
test_locks(void **state)
{
	struct fixture f;
	struct mailbox *box;
	struct err e = ERR_INIT;
	struct arena *a = arena_new(65536);
	struct save_params p = { .internal_date = INT64_MIN };
	struct saver *s;
	struct uid_list uids;
	uint32_t validity;

	(void)state;
	begin(&f);
	f.conf.mbox.lock_timeout_ms = 300;
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	/* A lock file of a process that is gone is no obstacle; of one that lives it is; an old one is none. */
	fixture_run(&f, "sh -c 'echo $$:'$(uname -n) > mail/inbox.lock");
	assert_int_equal(save_numbered(box, 1), 1);
	assert_int_equal(fixture_number(&f, "ls mail/inbox.lock 2>/dev/null | wc -l"), 0);
	fixture_run(&f, "echo 1:$(uname -n) > mail/inbox.lock");
	MUST(saver_new(box, &s, &e), &e);
	MUST(saver_begin(s, &p, &e), &e);
	MUST(saver_write(s, SPAN("A: b\r\n\r\nc\r\n"), &e), &e);
	MUST(saver_finish(s, &e), &e);
	assert_int_equal(saver_commit(s, a, &validity, &uids, &e), -1);
	assert_int_equal(e.code, ERR_INUSE);
	e.code = ERR_NONE;
	fixture_run(&f, "touch -d '10 minutes ago' mail/inbox mail/inbox.lock");
	f.conf.mbox.dotlock_change_ms = 1000;
	saver_free(s);
	mailbox_close(box);
	fixture_close(&f);
	sleep(2);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	assert_int_equal(save_numbered(box, 2), 2);
	assert_int_equal(fixture_number(&f, "ls mail/inbox.lock 2>/dev/null | wc -l"), 0);
	mailbox_close(box);
	arena_free(a);
	fixture_clear(&f);
}

static void
test_layouts(void **state)
{
	static const struct {
		const char *location, *file;
		bool nested;	/* a name may hold mail and others */
	} cases[] = {
		{ "mbox:~/mail", "mail/Entw&APw-rfe/2026", false },
		{ "mbox:~/mail:UTF-8", "mail/Entwürfe/2026", false },
		{ "mbox:~/mail:DIRNAME=mBoX", "mail/Entw&APw-rfe/2026/mBoX", true },
		{ "mbox:~/mail:LAYOUT=maildir++", "mail/.Entw&APw-rfe.2026", true },
		{ "mbox:~/mail:INDEX=~/index:CONTROL=~/control:INBOX=~/spool/bob", "mail/Entw&APw-rfe/2026", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e = ERR_INIT;
		struct mailbox_info *list;
		struct fixture f;
		struct mailbox *box;
		size_t count;

		begin(&f);
		f.conf.location = span_str(cases[i].location);
		fixture_open(&f);
		char sep = storage_separator(f.st, SPAN("x"));
		char name[32], parent[32];

		snprintf(name, sizeof(name), "Entwürfe%c2026", sep);
		snprintf(parent, sizeof(parent), "Entwürfe");
		MUST(storage_create(f.st, span_str(name), false, &e), &e);
		assert_int_equal(fixture_number(&f, "test -f '%s' && echo 1 || echo 0", cases[i].file), 1);
		box = box_of(f.st, name, MAILBOX_WRITE);
		assert_int_equal(save_numbered(box, 1), 1);
		mailbox_close(box);
		if (cases[i].nested) {
			MUST(storage_create(f.st, span_str(parent), false, &e), &e);
			box = box_of(f.st, parent, MAILBOX_WRITE);
			assert_int_equal(save_numbered(box, 1), 1);
			mailbox_close(box);
		}
		/* INBOX is made where it belongs, and is listed once; nothing of ours is listed. */
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		assert_int_equal(save_numbered(box, 1), 1);
		mailbox_close(box);
		MUST(storage_list(f.st, f.a, &list, &count, &e), &e);
		assert_int_equal(count, 3);
		for (size_t k = 0; k < count; k++) {
			bool is_parent = span_eq(list[k].name, span_str(parent));

			assert_true(is_parent || span_eq(list[k].name, SPAN("INBOX")) || span_eq(list[k].name, span_str(name)));
			if (is_parent)
				assert_int_equal((list[k].attrs & MBOX_EXISTS) != 0, cases[i].nested);
		}
		MUST(storage_rename(f.st, span_str(name), SPAN("Neu"), &e), &e);
		box = box_of(f.st, "Neu", MAILBOX_WRITE);
		assert_int_equal(mailbox_count(box), 1);
		assert_int_equal(number_of(box, 1), 1);
		mailbox_close(box);
		MUST(storage_delete(f.st, SPAN("Neu"), &e), &e);
		MUST(storage_delete(f.st, span_str(parent), &e), &e);
		MUST(storage_list(f.st, f.a, &list, &count, &e), &e);
		assert_int_equal(count, 1);
		fixture_clear(&f);
	}
}

/* Processes that lock in every way there is add and take away at the same time. */
static void
test_lock_methods(void **state)
{
	static const enum mbox_lock_method ways[][MBOX_LOCKS_MAX] = {
		{ MBOX_LOCK_FLOCK }, { MBOX_LOCK_LOCKF }, { MBOX_LOCK_DOTLOCK }, { MBOX_LOCK_DOTLOCK_TRY, MBOX_LOCK_FLOCK },
		{ MBOX_LOCK_FCNTL, MBOX_LOCK_FLOCK },
	};
	enum { PROCESSES = 3, EACH = 8 };

	(void)state;
	for (size_t i = 0; i < COUNT(ways); i++) {
		struct fixture f;
		struct mailbox *box;
		uint32_t uid = 0;

		begin(&f);
		memcpy(f.conf.mbox.write_locks, ways[i], sizeof(ways[i]));
		memcpy(f.conf.mbox.read_locks, ways[i], sizeof(ways[i]));
		for (unsigned k = 0; k < PROCESSES; k++) {
			pid_t pid = fork();

			assert_true(pid != -1);
			if (pid != 0)
				continue;
			fixture_open(&f);
			box = box_of(f.st, "INBOX", MAILBOX_WRITE);
			for (unsigned n = 0; n < EACH; n++) {
				uid = save_numbered(box, 100 * k + n);
				add_flags(box, uid, MSG_FLAGGED);
				if (n % 2 == 0)
					expunge_uid(box, uid);
			}
			mailbox_close(box);
			fixture_close(&f);
			_exit(0);
		}
		for (unsigned k = 0; k < PROCESSES; k++) {
			int status = -1;

			wait(&status);
			assert_int_equal(status, 0);
		}
		for (int pass = 0; pass < 2; pass++) {
			unsigned sum = 0;

			fixture_open(&f);
			box = box_of(f.st, "INBOX", MAILBOX_WRITE);
			assert_int_equal(mailbox_count(box), PROCESSES * EACH / 2);
			for (uint32_t seq = 1; seq <= mailbox_count(box); seq++) {
				sum += number_of(box, mailbox_uid(box, seq));
				assert_int_equal(flags_of(box, mailbox_uid(box, seq)), MSG_FLAGGED);
			}
			/* 1 + 3 + 5 + 7 of each, and its hundreds */
			assert_int_equal(sum, 3 * 16 + 4 * (100 + 200));
			check_counts(box);
			mailbox_close(box);
			fixture_close(&f);
			lose_index(&f);
		}
		fixture_clear(&f);
	}
}

/* Mail is added behind a last line without an end; then what stands before it goes. */
static void
test_unended(void **state)
{
	struct fixture f;
	struct mailbox *box;

	(void)state;
	begin(&f);
	put_file(&f, "mail/inbox", ONE "From b Thu Nov 26 10:00:00 2026\nB: 1\n\nno end");
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	assert_int_equal(save_numbered(box, 3), 3);
	assert_int_equal(save_text(box, "C: 1\r\n\r\nnone here", 0), 4);
	assert_int_equal(save_numbered(box, 5), 5);
	for (int pass = 0; pass < 3; pass++) {
		if (pass == 1) {
			expunge_uid(box, 1);
			mailbox_close(box);
			fixture_close(&f);
			lose_index(&f);
			fixture_open(&f);
			box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		}
		if (pass == 2)
			expunge_uid(box, 3);
		sync_box(box, NULL);
		assert_int_equal(mailbox_count(box), 5 - pass);
		body_is(box, 2, "B: 1\n\nno end\n");
		body_is(box, 4, "C: 1\n\nnone here");
		assert_int_equal(number_of(box, 5), 5);
		check_counts(box);
	}
	mailbox_close(box);
	fixture_clear(&f);
}

/* Between a namespace of mbox files and one of Maildirs. */
static void
test_other_storage(void **state)
{
	static const struct namespace_conf both[] = {
		{ .location = { "mbox:~/mail", 11 }, .inbox = true, .separator = '/', .subscriptions = true },
		{ .prefix = { "dir/", 4 }, .location = { "maildir:~/Maildir:LAYOUT=fs", 27 }, .separator = '/', .subscriptions = true },
	};
	static const char text[] = "Subject: x\r\n\r\nFrom me\r\n\r\nno end";
	struct fixture f;
	struct mailbox *a, *b;
	struct copy_result r;
	struct err e = ERR_INIT;
	uint64_t bit;

	(void)state;
	begin(&f);
	f.conf.namespaces = both;
	f.conf.namespace_count = 2;
	fixture_open(&f);
	MUST(storage_create(f.st, SPAN("dir/b"), false, &e), &e);
	a = box_of(f.st, "INBOX", MAILBOX_WRITE);
	save_text(a, text, MSG_SEEN);
	sync_box(a, NULL);
	MUST(mailbox_keyword_mask(a, &SPAN("work"), 1, true, &bit, &e), &e);
	struct flag_change fc = { .op = FLAGS_ADD, .keywords = bit };

	MUST(mailbox_store(a, (uint32_t[]){ 1 }, 1, &fc, NULL, NULL, NULL, &e), &e);
	b = box_of(f.st, "dir/b", MAILBOX_SAVE);
	MUST(mailbox_copy(a, (uint32_t[]){ 1 }, 1, b, true, f.a, &r, &e), &e);
	mailbox_close(b);
	sync_box(a, NULL);
	assert_int_equal(mailbox_count(a), 0);
	mailbox_close(a);
	b = box_of(f.st, "dir/b", MAILBOX_WRITE);
	body_is(b, 1, "Subject: x\n\n>From me\n\nno end");
	assert_int_equal(flags_of(b, 1), MSG_SEEN);
	a = box_of(f.st, "INBOX", MAILBOX_SAVE);
	MUST(mailbox_copy(b, (uint32_t[]){ 1 }, 1, a, false, f.a, &r, &e), &e);
	mailbox_close(a);
	mailbox_close(b);
	a = box_of(f.st, "INBOX", MAILBOX_WRITE);
	assert_int_equal(mailbox_count(a), 1);
	body_is(a, 2, "Subject: x\n\n>From me\n\nno end");
	assert_int_equal(flags_of(a, 2), MSG_SEEN);
	mailbox_close(a);
	fixture_clear(&f);
}

/* No mail_location: what is there is found. */
static void
test_found(void **state)
{
	static const struct {
		const char *make, *inbox;
	} cases[] = {
		{ "mkdir mail && touch mail/inbox", "mail/inbox" },
		{ "mkdir Mail && touch Mail/inbox", "Mail/inbox" },
		{ "touch mbox", "mbox" },
		{ "true", NULL },
		{ "mkdir mail", NULL },			/* anything may be in it */
		{ "mkdir Maildir && mkdir mail && touch mail/inbox", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture f;
		struct mailbox *box;

		fixture_init(&f);
		f.conf.user = SPAN("nobody-has-this-name");
		fixture_run(&f, "%s", cases[i].make);
		fixture_open(&f);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		save_numbered(box, 1);
		mailbox_close(box);
		assert_int_equal(fixture_number(&f, "test -d Maildir/cur && echo 1 || echo 0"), cases[i].inbox == NULL);
		if (cases[i].inbox != NULL)
			assert_int_equal(fixture_number(&f, "grep -c '^From ' %s", cases[i].inbox), 1);
		fixture_clear(&f);
	}
}

#define BIG ((int64_t)1 << 31)

/* Past what 31 bits count: the file is sparse, and nothing of it may be moved. */
static void
test_large_file(void **state)
{
	static const char fields[] = "X-IMAPbase: 1763728000 0000000002\nX-UID: 1\nStatus: O\nX-Status: \nX-Keywords:                      \n";
	struct fixture f;
	struct mailbox *box;
	char path[128];
	FILE *out;

	(void)state;
	begin(&f);
	snprintf(path, sizeof(path), "%s/mail/inbox", f.home);
	out = fopen(path, "w");
	assert_non_null(out);
	fprintf(out, "From a@example.org Thu Nov 26 10:00:00 2026\n%sSubject: large\n\n", fields);
	assert_int_equal(fseeko(out, BIG + 100, SEEK_SET), 0);
	fprintf(out, "\n\nFrom b@example.org Thu Nov 26 10:00:00 2026\nX-UID: 2\nStatus: O\nX-Status: \nX-Keywords:           \n"
	    "Subject: behind\n\nsecond\n\n");
	assert_int_equal(fclose(out), 0);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	assert_int_equal(mailbox_count(box), 2);
	body_is(box, 2, "Subject: behind\n\nsecond\n");
	assert_int_equal(save_numbered(box, 3), 3);
	add_flags(box, 2, MSG_FLAGGED);
	mailbox_close(box);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	expunge_uid(box, 2);
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), 2);
	assert_int_equal(mailbox_uid(box, 2), 3);
	assert_int_equal(number_of(box, 3), 3);
	check_counts(box);
	mailbox_close(box);
	fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_save_and_read),
		cmocka_unit_test(test_outside_mail),
		cmocka_unit_test(test_parse_oddities),
		cmocka_unit_test(test_saved_as_it_was),
		cmocka_unit_test(test_outside_changes),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_rename_keeps_id),
		cmocka_unit_test(test_layouts),
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_lock_methods),
		cmocka_unit_test(test_other_storage),
		cmocka_unit_test(test_unended),
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_large_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
