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
	add_file(&f, "mail/inbox", ONE);
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), 3);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_save_and_read),
		cmocka_unit_test(test_outside_mail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
