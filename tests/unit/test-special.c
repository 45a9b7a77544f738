/* SPDX-License-Identifier: MIT */
/* Mailboxes of which the settings know: auto, autoexpunge, autoexpunge_max_mails. */
#include "sharing.h"

#include <time.h>

static const char conf[] =
    "mail_location = maildir:~/Maildir\nmail_fsync = never\n"
    "namespace inbox {\n inbox = yes\n separator = /\n"
    " mailbox Trash {\n  auto = create\n  autoexpunge = 30d\n }\n"
    " mailbox Sent {\n  auto = subscribe\n  special_use = \\Sent\n }\n"
    " mailbox Few {\n  autoexpunge_max_mails = 3\n }\n"
    " mailbox Missing {\n  autoexpunge = 1d\n }\n"
    " mailbox \"Old/*\" {\n  autoexpunge = 1d\n  autoexpunge_max_mails = 5\n }\n}\n";

/* count messages in the mailbox of that directory, the first `old' of them from long ago. */
static void
fill(struct sharing *s, const char *dir, int old, int count)
{
	sharing_run(s, "mkdir -p 'home/bob/Maildir/%s/cur' 'home/bob/Maildir/%s/new' 'home/bob/Maildir/%s/tmp'", dir, dir, dir);
	for (int i = 0; i < count; i++)
		sharing_run(s, "printf 'Subject: %d\\n\\nx\\n' > 'home/bob/Maildir/%s/cur/%lld.n%d:2,S'", i, dir,
		    i < old ? 1000000LL + i : (long long)time(NULL) - 1000 + i, i);
}

static unsigned
messages(struct storage *st, const char *name)
{
	struct mailbox_status status;
	struct err e = ERR_INIT;

	MUST(storage_status(st, span_str(name), STATUS_MESSAGES, &status, &e), &e);
	return status.messages;
}

static void
test_autoexpunge(void **state)
{
	struct sharing s;
	struct storage *st;
	struct err e = ERR_INIT;
	uint64_t gone;

	(void)state;
	sharing_init(&s, conf);
	fill(&s, ".Trash", 4, 6);
	fill(&s, ".Few", 2, 7);
	fill(&s, ".Old.a", 1, 2);
	fill(&s, ".Old.b", 0, 8);
	fill(&s, ".Other", 3, 3);
	st = sharing_open(&s, "bob");
	MUST(storage_autoexpunge(st, &gone, &e), &e);
	assert_int_equal(gone, 4 + 4 + 1 + 3);
	assert_int_equal(messages(st, "Trash"), 2);
	assert_int_equal(messages(st, "Few"), 3);
	assert_int_equal(messages(st, "Old/a"), 1);
	assert_int_equal(messages(st, "Old/b"), 5);
	assert_int_equal(messages(st, "Other"), 3);
	sharing_run(&s, "test $(ls home/bob/Maildir/.Trash/cur | wc -l) = 2");
	sharing_run(&s, "ls home/bob/Maildir/.Few/cur | grep -q n6 && test $(ls home/bob/Maildir/.Few/cur | wc -l) = 3");
	MUST(storage_autoexpunge(st, &gone, &e), &e);
	assert_int_equal(gone, 0);
	storage_close(st);
	sharing_clear(&s);
}

/* A mailbox that comes into being by itself is subscribed to by itself. */
static void
test_subscribe(void **state)
{
	struct sharing s;
	struct storage *st;
	struct err e = ERR_INIT;
	uint64_t gone;

	(void)state;
	sharing_init(&s, conf);
	st = sharing_open(&s, "bob");
	assert_string_equal(sharing_names(&s, st, MBOX_EXISTS), "INBOX Sent Trash ");
	assert_string_equal(sharing_names(&s, st, MBOX_SUBSCRIBED), "Sent ");
	sharing_run(&s, "test ! -e home/bob/Maildir/subscriptions");
	MUST(storage_autoexpunge(st, &gone, &e), &e);	/* makes nothing */
	sharing_run(&s, "test ! -e home/bob/Maildir/.Trash");
	assert_int_equal(sharing_save(st, "Sent", MAILBOX_SAVE, MSG_SEEN), ERR_NONE);
	assert_int_equal(sharing_save(st, "Trash", MAILBOX_SAVE, MSG_SEEN), ERR_NONE);
	sharing_run(&s, "printf 'V\\t2\\n\\nSent\\n' | cmp - home/bob/Maildir/subscriptions");
	storage_close(st);
	sharing_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_autoexpunge),
		cmocka_unit_test(test_subscribe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
