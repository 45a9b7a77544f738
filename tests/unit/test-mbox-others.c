/* SPDX-License-Identifier: MIT */
/* mbox: what is in the file, and beside it, for other programs, and what becomes of it. */
#include "storage-fixture.h"
#include "testing.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/sys.h"
#include "lib-storage/uidl.h"

#define ONE "From: a@example.org\r\nSubject: one\r\n\r\nfirst\r\n"

static void
begin(struct fixture *f)
{
	fixture_init(f);
	f->conf.location = SPAN("mbox:~/mail");
	fixture_run(f, "mkdir mail");
	fixture_open(f);
}

/* What stands behind UIDVALIDITY in the first message. */
static void
base_is(struct fixture *f, const char *want)
{
	fixture_run(f, "sed -n 's/^X-IMAPbase: [0-9]* //p' mail/inbox > base; echo '%s' | diff base -", want);
}

static uint32_t
save_with(struct mailbox *box, const char *keyword, unsigned flags)
{
	struct err e = ERR_INIT;
	struct arena *a = arena_new(1 << 20);
	struct save_params p = { .flags = flags, .internal_date = INT64_MIN };
	struct span word = span_str(keyword);
	struct saver *s;
	struct uid_list uids;
	uint32_t validity, uid;

	MUST(mailbox_keyword_mask(box, &word, 1, true, &p.keywords, &e), &e);
	MUST(saver_new(box, &s, &e), &e);
	MUST(saver_begin(s, &p, &e), &e);
	MUST(saver_write(s, SPAN(ONE), &e), &e);
	MUST(saver_finish(s, &e), &e);
	MUST(saver_commit(s, a, &validity, &uids, &e), &e);
	saver_free(s);
	uid = uids.uids[0];
	arena_free(a);
	return uid;
}

static int
saver_text(struct mailbox *box, const char *text, struct err *e)
{
	struct arena *a = arena_new(1 << 20);
	struct save_params p = { .internal_date = INT64_MIN };
	struct saver *s;
	struct uid_list uids;
	uint32_t validity;
	int rc;

	MUST(saver_new(box, &s, e), e);
	rc = saver_begin(s, &p, e) == 0 && saver_write(s, span_str(text), e) == 0 && saver_finish(s, e) == 0 &&
	    saver_commit(s, a, &validity, &uids, e) == 0 ? 0 : -1;
	saver_free(s);
	arena_free(a);
	return rc;
}

/* The first message tells the last UID, and the keywords of all, or Dovecot goes by other UIDs and removes keywords. */
static void
test_base(void **state)
{
	struct fixture f;
	struct mailbox *box;

	(void)state;
	begin(&f);
	box = box_of(f.st, "INBOX", MAILBOX_SAVE);
	save_numbered(box, 1);
	base_is(&f, "0000000001 $Forwarded");
	save_numbered(box, 2);
	base_is(&f, "0000000002 $Forwarded");
	/* Without the index UIDs go on from the mark. */
	mailbox_close(box);
	fixture_close(&f);
	fixture_run(&f, "rm -r mail/.culver.index");
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_SAVE);
	assert_int_equal(save_numbered(box, 3), 1025);
	base_is(&f, "0000001025 $Forwarded");
	/* More than stands over the old is written behind. */
	assert_int_equal(save_with(box, "one", 0), 1026);
	assert_int_equal(save_with(box, "two", 0), 1027);
	mailbox_close(box);
	base_is(&f, "0000001027 one two $Forwarded");
	/* As another program may have left it. */
	fixture_run(&f, "sed -i 's/^\\(X-IMAPbase: [0-9]*\\) .*/\\1 7/' mail/inbox");
	box = box_of(f.st, "INBOX", MAILBOX_SAVE);
	assert_int_equal(save_with(box, "one", MSG_PASSED), 1028);
	mailbox_close(box);
	base_is(&f, "0000001028 one two $Forwarded");
	fixture_clear(&f);
}

/* Another program removes the message that has UIDVALIDITY for all. */
static void
test_base_removed(void **state)
{
	struct fixture f;
	struct mailbox *box;

	(void)state;
	begin(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	for (unsigned i = 1; i <= 3; i++)
		save_numbered(box, i);
	sync_box(box, NULL);
	mailbox_close(box);
	fixture_run(&f, "awk '/^From MAILER/ { n++ } n > 1' mail/inbox > rest && cat rest > mail/inbox");
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	assert_int_equal(mailbox_count(box), 2);
	mailbox_close(box);
	base_is(&f, "0000000003 $Forwarded");
	fixture_clear(&f);
}

/* Who could see a mailbox that is gone has no right to another of that name. */
static void
test_rights_go(void **state)
{
	struct fixture f;
	struct err e = ERR_INIT;

	(void)state;
	begin(&f);
	for (int i = 0; i < 2; i++) {
		MUST(storage_create(f.st, SPAN("Work/2026"), false, &e), &e);
		mailbox_close(box_of(f.st, "Work/2026", MAILBOX_READ));
		fixture_run(&f, "echo user=bob lr > mail/.culver.control/Work/2026/dovecot-acl");
		if (i == 0)
			MUST(storage_delete(f.st, SPAN("Work/2026"), &e), &e);
	}
	/* One that another program removed, and another takes its name. */
	MUST(storage_create(f.st, SPAN("Home"), false, &e), &e);
	mailbox_close(box_of(f.st, "Home", MAILBOX_READ));
	fixture_run(&f, "rm mail/Work/2026 && echo user=carol lr > mail/.culver.control/Home/dovecot-acl");
	MUST(storage_rename(f.st, SPAN("Home"), SPAN("Work/2026"), &e), &e);
	assert_int_equal(fixture_number(&f, "grep -c carol mail/.culver.control/Work/2026/dovecot-acl"), 1);
	MUST(storage_delete(f.st, SPAN("Work/2026"), &e), &e);
	assert_int_equal(fixture_number(&f, "find mail -name dovecot-acl | wc -l"), 0);
	fixture_clear(&f);
}

/* Below a file there is nothing, which is no fault of the server's. */
static void
test_below_a_file(void **state)
{
	struct fixture f;
	struct mailbox *box;
	struct err e = ERR_INIT;

	(void)state;
	begin(&f);
	MUST(storage_create(f.st, SPAN("Work"), false, &e), &e);
	assert_int_equal(mailbox_open(f.st, SPAN("Work/2026"), MAILBOX_SAVE, &box, &e), -1);
	assert_int_equal(e.code, ERR_NOTFOUND);
	fixture_clear(&f);
}

/* Dovecot puts index files where INBOX's mail would be: nothing is called as DIRNAME says. */
static void
test_dirname(void **state)
{
	struct fixture f;
	struct err e = ERR_INIT;
	struct mailbox_info *list;
	size_t count;

	(void)state;
	fixture_init(&f);
	f.conf.location = SPAN("mbox:~/mail:DIRNAME=mBoX");
	fixture_run(&f, "mkdir -p mail/Work/mBoX && touch mail/inbox mail/Work/mBoX/dovecot.index.log");
	fixture_open(&f);
	MUST(storage_list(f.st, f.a, &list, &count, &e), &e);
	assert_int_equal(count, 2);
	fixture_clear(&f);
}

/* A message has no file: %f is another name that it keeps, and not one for all. */
static void
test_uidl(void **state)
{
	static const char *const formats[] = { "%f", "%{filename}", "%m", "%g" };
	struct fixture f;
	struct mailbox *box;

	(void)state;
	begin(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	save_text(box, "Message-ID: <one@example.org>\r\n\r\nx\r\n", 0);
	save_text(box, "Message-ID: <two@example.org>\r\n\r\nx\r\n", 0);
	sync_box(box, NULL);
	for (size_t i = 0; i < COUNT(formats); i++) {
		const struct uidl_rules rules = { .format = span_str(formats[i]) };
		struct buf one = BUF_INIT(256), two = BUF_INIT(256);
		struct err e = ERR_INIT;

		MUST(mailbox_uidl(box, 1, &rules, &one, &e), &e);
		MUST(mailbox_uidl(box, 2, &rules, &two, &e), &e);
		assert_int_equal(one.n, 32);
		assert_false(span_eq(buf_span(&one), buf_span(&two)));
		buf_clear(&one);
		buf_clear(&two);
	}
	mailbox_close(box);
	fixture_clear(&f);
}

/* Another host has the mailbox, and the server is to stop: who waits for it gives up, long before mbox_lock_timeout. */
static void
test_end_is_wanted(void **state)
{
	struct fixture f;
	struct mailbox *box;
	struct err e = ERR_INIT;
	int status;
	pid_t pid;

	(void)state;
	begin(&f);
	fixture_close(&f);
	f.conf.mbox.lock_timeout_ms = 300000;
	f.conf.mbox.dotlock_change_ms = 300000;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(60);
		fixture_open(&f);
		if (mailbox_open(f.st, SPAN("INBOX"), MAILBOX_SAVE, &box, &e) == -1)
			_exit(2);
		fixture_run(&f, "echo 1:elsewhere > mail/inbox.lock");
		end_wanted();
		_exit(saver_text(box, ONE, &e) == -1 && e.code == ERR_INUSE ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fixture_run(&f, "rm mail/inbox.lock");
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_READ);
	assert_int_equal(mailbox_count(box), 0);
	mailbox_close(box);
	fixture_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base),
		cmocka_unit_test(test_base_removed),
		cmocka_unit_test(test_rights_go),
		cmocka_unit_test(test_below_a_file),
		cmocka_unit_test(test_dirname),
		cmocka_unit_test(test_uidl),
		cmocka_unit_test(test_end_is_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
