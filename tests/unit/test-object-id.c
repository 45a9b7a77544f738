/* SPDX-License-Identifier: MIT */
/* RFC 8474: what identifies mailboxes and the content of messages, and how long. */
#include "sharing.h"

#define STORES \
    "mail_location = maildir:~/Maildir\n" \
    "namespace inbox {\n inbox = yes\n separator = /\n}\n" \
    "namespace old {\n prefix = Old/\n separator = /\n location = mbox:~/mail\n subscriptions = no\n}\n"

static void
email_ids(struct storage *st, const char *name, char ids[][33], uint32_t want)
{
	struct mailbox *box = sharing_box(st, name, MAILBOX_READ);
	struct err e = ERR_INIT;

	assert_int_equal(mailbox_count(box), want);
	for (uint32_t seq = 1; seq <= want; seq++)
		MUST(mailbox_email_id(box, mailbox_uid(box, seq), ids[seq - 1], &e), &e);
	mailbox_close(box);
}

static void
copy_all(struct sharing *s, struct storage *st, const char *from, const char *to)
{
	struct mailbox *source = sharing_box(st, from, MAILBOX_READ), *target = sharing_box(st, to, MAILBOX_SAVE);
	struct copy_result res;
	struct err e = ERR_INIT;
	uint32_t uids[8], n = mailbox_count(source);

	assert_true(n <= 8);
	for (uint32_t seq = 1; seq <= n; seq++)
		uids[seq - 1] = mailbox_uid(source, seq);
	MUST(mailbox_copy(source, uids, n, target, false, s->a, &res, &e), &e);
	mailbox_close(target);
	mailbox_close(source);
}

static void
must_be_same(char a[][33], char b[][33], size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_string_equal(a[i], b[i]);
}

/* LF, CRLF, the same with the other line ends, lone CRs, empty lines at the end: in a Maildir, in mbox, back, without indexes. */
static void
test_email_id(void **state)
{
	char first[6][33], again[6][33];
	struct sharing s;
	struct storage *st;

	(void)state;
	sharing_init(&s, STORES);
	sharing_run(&s, "mkdir -p home/a/Maildir/cur home/a/Maildir/new home/a/Maildir/tmp home/a/mail && cd home/a/Maildir/cur && "
	    "printf 'From: a@b\\nSubject: x\\n\\ntext\\nmore\\n' > 1.a.h:2, && "
	    "printf 'From: a@b\\r\\nSubject: x\\r\\n\\r\\ntext\\r\\nmore\\r\\n' > 2.a.h:2, && "
	    "printf 'From: a@b\\nSubject: x\\n\\ntext\\rmore\\n' > 3.a.h:2, && "
	    "printf 'From: a@b\\nSubject: x\\n\\n\\n\\n' > 4.a.h:2, && "
	    "printf 'From: a@b\\r\\nSubject: x\\r\\n\\r\\ntext\\r\\nfrom more\\r\\n\\r\\n' > 5.a.h:2, && "
	    "printf 'From: a@b\\nSubject: x\\n\\ntext\\nMore\\n' > 6.a.h:2,");
	st = sharing_open(&s, "a");
	email_ids(st, "INBOX", first, 6);
	assert_string_equal(first[0], first[1]);	/* what clients see is the same */
	for (size_t i = 1; i < 6; i++)
		for (size_t j = 0; j < i; j++)
			assert_true((strcmp(first[i], first[j]) == 0) == (i == 1 && j == 0));
	assert_int_equal(sharing_create(st, "Copy"), ERR_NONE);
	assert_int_equal(sharing_create(st, "Old/mbox"), ERR_NONE);
	assert_int_equal(sharing_create(st, "Back"), ERR_NONE);
	copy_all(&s, st, "INBOX", "Copy");
	copy_all(&s, st, "INBOX", "Old/mbox");
	copy_all(&s, st, "Old/mbox", "Back");
	for (int i = 0; i < 2; i++) {
		static const char *const boxes[] = { "INBOX", "Copy", "Old/mbox", "Back" };

		for (size_t b = 0; b < sizeof(boxes) / sizeof(boxes[0]); b++) {
			email_ids(st, boxes[b], again, 6);
			must_be_same(first, again, 6);
		}
		storage_close(st);
		sharing_run(&s, "rm -rf home/a/Maildir/culver.index home/a/mail/culver.index home/a/mail/.culver.index");
		st = sharing_open(&s, "a");
	}
	storage_close(st);
	sharing_clear(&s);
}

/*
 * What an mbox can not keep as it was (a line that would begin a message, a header field that is the file's own, a header that nothing
 * ends) is other content: the copy then has another id, as it must (RFC 8474 section 5.1), and keeps that wherever it goes.  The id is the
 * same exactly where what clients see is.
 */
static void
test_email_id_of_changed_content(void **state)
{
	static const bool kept[] = { true, false, false, true, true, false };
	char first[6][33], copy[6][33], again[6][33];
	struct sharing s;
	struct storage *st;
	struct err e = ERR_INIT;

	(void)state;
	sharing_init(&s, STORES);
	sharing_run(&s, "mkdir -p home/a/Maildir/cur home/a/Maildir/new home/a/Maildir/tmp home/a/mail && cd home/a/Maildir/cur && "
	    "printf 'From: a@b\\n\\n>From me\\n from\\n' > 1.a.h:2, && "
	    "printf 'From: a@b\\n\\nFrom me\\n' > 2.a.h:2, && "
	    "printf 'From: a@b\\nX-UID: 7\\nStatus: RO\\n\\ntext\\n' > 3.a.h:2, && "
	    "printf 'From: a@b\\n\\nx From me\\nFrom\\n' > 4.a.h:2, && "
	    "printf 'From: a@b\\n\\ntext' > 5.a.h:2, && "
	    "printf 'From: a@b\\n' > 6.a.h:2,");
	st = sharing_open(&s, "a");
	assert_int_equal(sharing_create(st, "Old/mbox"), ERR_NONE);
	assert_int_equal(sharing_create(st, "Back"), ERR_NONE);
	email_ids(st, "INBOX", first, 6);
	copy_all(&s, st, "INBOX", "Old/mbox");
	copy_all(&s, st, "Old/mbox", "Back");
	for (int i = 0; i < 2; i++) {
		struct mailbox *a = sharing_box(st, "INBOX", MAILBOX_READ), *b = sharing_box(st, "Old/mbox", MAILBOX_READ);

		email_ids(st, "Old/mbox", copy, 6);
		email_ids(st, "Back", again, 6);
		must_be_same(copy, again, 6);
		for (uint32_t j = 0; j < 6; j++) {
			struct span before, after;
			bool same;

			MUST(mailbox_body(a, mailbox_uid(a, j + 1), &before, &e), &e);
			MUST(mailbox_body(b, mailbox_uid(b, j + 1), &after, &e), &e);
			same = span_eq(before, after);
			assert_int_equal(same, kept[j]);
			assert_int_equal(strcmp(first[j], copy[j]) == 0, same);
		}
		mailbox_close(a);
		mailbox_close(b);
		storage_close(st);
		sharing_run(&s, "rm -rf home/a/Maildir/culver.index home/a/mail/culver.index home/a/mail/.culver.index");
		st = sharing_open(&s, "a");
	}
	storage_close(st);
	sharing_clear(&s);
}

static const char *
mailbox_id(struct sharing *s, struct storage *st, const char *name)
{
	char id[MAILBOX_ID_MAX], opened[MAILBOX_ID_MAX];
	struct mailbox_status status;
	struct mailbox *box;
	struct err e = ERR_INIT;

	MUST(storage_mailbox_id(st, span_str(name), id, &e), &e);
	MUST(storage_status(st, span_str(name), STATUS_MAILBOXID, &status, &e), &e);
	assert_string_equal(status.id, id);
	box = sharing_box(st, name, MAILBOX_READ);
	mailbox_object_id(box, opened);
	mailbox_close(box);
	assert_string_equal(opened, id);
	return arena_cstr(s->a, span_str(id));
}

static void
test_mailbox_id(void **state)
{
	static const char *const names[] = { "INBOX", "Work", "Old/Work" };
	const char *ids[3], *renamed;
	char id[MAILBOX_ID_MAX];
	struct sharing s;
	struct storage *st;
	struct err e = ERR_INIT;

	(void)state;
	sharing_init(&s, STORES);
	sharing_run(&s, "mkdir -p home/a/mail");
	st = sharing_open(&s, "a");
	assert_int_equal(sharing_create(st, "Work"), ERR_NONE);
	assert_int_equal(sharing_create(st, "Old/Work"), ERR_NONE);
	for (size_t i = 0; i < 3; i++) {
		ids[i] = mailbox_id(&s, st, names[i]);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(ids[i], ids[j]);
	}
	/* Renamed, and without the index: the same; made anew under the name: another. */
	MUST(storage_rename(st, SPAN("Work"), SPAN("Play/Work"), &e), &e);
	MUST(storage_rename(st, SPAN("Old/Work"), SPAN("Old/Play"), &e), &e);
	storage_close(st);
	sharing_run(&s, "rm -rf home/a/Maildir/culver.index home/a/mail/culver.index home/a/mail/.culver.index");
	st = sharing_open(&s, "a");
	assert_string_equal(mailbox_id(&s, st, "Play/Work"), ids[1]);
	assert_string_equal(mailbox_id(&s, st, "Old/Play"), ids[2]);
	assert_string_equal(mailbox_id(&s, st, "INBOX"), ids[0]);
	assert_int_equal(sharing_create(st, "Work"), ERR_NONE);
	renamed = mailbox_id(&s, st, "Work");
	assert_string_not_equal(renamed, ids[1]);
	MUST(storage_delete(st, SPAN("Work"), &e), &e);
	assert_int_equal(storage_mailbox_id(st, SPAN("Work"), id, &e), -1);
	assert_int_equal(e.code, ERR_NOTFOUND);
	assert_int_equal(sharing_create(st, "Work"), ERR_NONE);
	assert_string_not_equal(mailbox_id(&s, st, "Work"), renamed);
	storage_close(st);
	sharing_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_email_id),
		cmocka_unit_test(test_email_id_of_changed_content),
		cmocka_unit_test(test_mailbox_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
