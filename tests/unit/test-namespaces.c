/* SPDX-License-Identifier: MIT */
/* Namespaces: prefixes, aliases, what LIST shows of them, whose file subscriptions are in, copies between stores. */
#include "sharing.h"

#include <limits.h>
#include <stdio.h>

static const char conf[] =
    "mail_location = maildir:~/Maildir\nmail_fsync = never\n"
    "namespace inbox {\n inbox = yes\n separator = /\n order = 2\n mailbox Trash {\n  auto = create\n  special_use = \\Trash\n }\n}\n"
    "namespace old {\n prefix = mail/\n separator = /\n alias_for =\n hidden = yes\n list = no\n order = 3\n}\n"
    "namespace public {\n type = public\n prefix = Public/\n separator = /\n location = maildir:DIR/public\n"
    " subscriptions = no\n list = children\n order = 1\n}\n"
    "namespace empty {\n type = public\n prefix = Empty/\n separator = /\n location = maildir:DIR/empty\n"
    " subscriptions = no\n list = children\n}\n"
    "namespace shown {\n type = shared\n prefix = Shown/\n separator = /\n location = maildir:DIR/shown\n"
    " subscriptions = no\n list = yes\n}\n"
    "namespace again {\n prefix = Again/\n separator = /\n location = maildir:DIR/public\n list = no\n}\n"
    "namespace broken {\n prefix = Broken/\n separator = /\n location = maildir:/proc/none/here\n ignore_on_failure = yes\n}\n"
    "namespace off {\n prefix = Off/\n separator = /\n location = maildir:/proc/none/here\n disabled = yes\n}\n";

static void
test_list(void **state)
{
	const unsigned any = MBOX_EXISTS | MBOX_NOSELECT;
	const struct namespace_info *ns;
	struct sharing s;
	struct storage *st;
	struct err e = ERR_INIT;
	size_t count;

	(void)state;
	sharing_init(&s, conf);
	st = sharing_open(&s, "bob");
	count = storage_namespaces(st, &ns);
	assert_int_equal(count, 6);	/* without what is broken, and what is off */
	assert_true(span_eq(ns[0].prefix, SPAN("Empty/")) && ns[0].type == NS_PUBLIC);
	assert_true(span_eq(ns[1].prefix, SPAN("Shown/")) && ns[1].type == NS_SHARED);
	assert_true(span_eq(ns[3].prefix, SPAN("Public/")));
	assert_true(span_eq(ns[5].prefix, SPAN("mail/")) && ns[5].hidden && !ns[5].list);
	assert_string_equal(sharing_names(&s, st, any), "INBOX Shown Trash ");
	assert_int_equal(sharing_attrs(&s, st, "Shown"), MBOX_NOSELECT | MBOX_NO_CHILDREN);
	assert_int_equal(sharing_create(st, "Public/News"), ERR_NONE);
	assert_string_equal(sharing_names(&s, st, any), "INBOX Public Public/News Shown Trash ");
	assert_int_equal(sharing_attrs(&s, st, "Public"), MBOX_NOSELECT | MBOX_CHILDREN);
	/* The same location under another prefix. */
	assert_int_equal(sharing_can(st, "Again/News", MAILBOX_READ), ERR_NONE);
	assert_int_equal(sharing_can(st, "Broken/News", MAILBOX_READ), ERR_NOTFOUND);
	/* Between two stores nothing is renamed; within one it is, whatever the prefix. */
	assert_int_equal(sharing_create(st, "Work"), ERR_NONE);
	assert_int_equal(storage_rename(st, SPAN("Work"), SPAN("Public/Work"), &e), -1);
	assert_int_equal(e.code, ERR_DENIED);
	MUST(storage_rename(st, SPAN("Work"), SPAN("mail/Job"), &e), &e);
	assert_string_equal(sharing_names(&s, st, any), "INBOX Job Public Public/News Shown Trash ");
	storage_close(st);
	sharing_clear(&s);
}

static void
test_alias(void **state)
{
	struct sharing s;
	struct storage *st;
	struct mailbox_status status;
	struct err e = ERR_INIT;

	(void)state;
	sharing_init(&s, conf);
	st = sharing_open(&s, "bob");
	assert_int_equal(sharing_save(st, "mail/INBOX", MAILBOX_SAVE, 0), ERR_NONE);
	MUST(storage_status(st, SPAN("INBOX"), STATUS_MESSAGES, &status, &e), &e);
	assert_int_equal(status.messages, 1);
	assert_int_equal(sharing_create(st, "mail/Work"), ERR_NONE);
	assert_int_equal(sharing_can(st, "Work", MAILBOX_READ), ERR_NONE);
	assert_int_equal(sharing_can(st, "mail/Trash", MAILBOX_WRITE), ERR_NONE);
	MUST(storage_subscribe(st, SPAN("mail/Work"), true, &e), &e);
	assert_string_equal(sharing_names(&s, st, MBOX_SUBSCRIBED), "Work ");
	storage_close(st);
	sharing_clear(&s);
}

static void
test_subscriptions(void **state)
{
	struct sharing s;
	struct storage *st;
	struct err e = ERR_INIT;

	(void)state;
	sharing_init(&s, conf);
	st = sharing_open(&s, "bob");
	assert_int_equal(sharing_create(st, "Public/News/2026"), ERR_NONE);
	MUST(storage_subscribe(st, SPAN("Public/News/2026"), true, &e), &e);
	MUST(storage_subscribe(st, SPAN("Shown/x"), true, &e), &e);
	assert_string_equal(sharing_names(&s, st, MBOX_SUBSCRIBED), "Public/News/2026 Shown/x ");
	sharing_run(&s, "printf 'V\\t2\\n\\nPublic\\tNews\\t2026\\nShown\\tx\\n' | cmp - home/bob/Maildir/subscriptions");
	sharing_run(&s, "test ! -e public/subscriptions");
	MUST(storage_subscribe(st, SPAN("Shown/x"), false, &e), &e);
	assert_string_equal(sharing_names(&s, st, MBOX_SUBSCRIBED), "Public/News/2026 ");
	storage_close(st);
	sharing_clear(&s);
}

static void
test_copy(void **state)
{
	struct sharing s;
	struct storage *st;
	struct mailbox *from, *to;
	struct mailbox_status status;
	struct copy_result r;
	struct err e = ERR_INIT;
	uint32_t uids[2] = { 1, 2 };

	(void)state;
	sharing_init(&s, conf);
	st = sharing_open(&s, "bob");
	assert_int_equal(sharing_create(st, "Public/News"), ERR_NONE);
	for (int i = 0; i < 2; i++)
		assert_int_equal(sharing_save(st, "INBOX", MAILBOX_SAVE, MSG_FLAGGED), ERR_NONE);
	from = sharing_box(st, "INBOX", MAILBOX_WRITE);
	to = sharing_box(st, "Public/News", MAILBOX_SAVE);
	MUST(mailbox_copy(from, uids, 2, to, false, s.a, &r, &e), &e);
	assert_int_equal(r.to.count, 2);
	MUST(mailbox_copy(from, uids, 1, to, true, s.a, &r, &e), &e);
	mailbox_close(from);
	mailbox_close(to);
	MUST(storage_status(st, SPAN("Public/News"), STATUS_MESSAGES, &status, &e), &e);
	assert_int_equal(status.messages, 3);
	MUST(storage_status(st, SPAN("INBOX"), STATUS_MESSAGES, &status, &e), &e);
	assert_int_equal(status.messages, 1);
	storage_close(st);
	sharing_clear(&s);
}

/* "INBOX." before all names: INBOX is the parent of them. */
static void
test_inbox_prefix(void **state)
{
	struct sharing s;
	struct storage *st;

	(void)state;
	sharing_init(&s, "mail_location = maildir:~/Maildir\n"
	    "namespace inbox {\n inbox = yes\n prefix = INBOX.\n separator = .\n}\n"
	    "namespace {\n prefix =\n separator = .\n alias_for = INBOX.\n hidden = yes\n list = no\n}\n");
	st = sharing_open(&s, "bob");
	assert_int_equal(sharing_create(st, "INBOX.Work"), ERR_NONE);
	assert_string_equal(sharing_names(&s, st, MBOX_EXISTS | MBOX_NOSELECT), "INBOX INBOX.Work ");
	assert_int_equal(sharing_attrs(&s, st, "INBOX"), MBOX_EXISTS | MBOX_CHILDREN);
	assert_int_equal(sharing_can(st, "Work", MAILBOX_READ), ERR_NONE);
	storage_close(st);
	sharing_clear(&s);
}

/*
 * Folders on disk that are called like INBOX.  "INBOX/INBOX" is INBOX once more, as with Dovecot; only below an empty prefix is the
 * first level INBOX in any case.  What is listed can be opened, and is what was listed.
 */
static void
test_called_like_inbox(void **state)
{
	static const char *const folders[] = { ".INBOX", "..INBOX", ".INBOX.Sub", ".INBOX.INBOX", ".inbox", ".inbox.x", ".Inbox2" };
	static const char with[] = "mail_location = maildir:~/Maildir\nmail_fsync = never\n"
	    "namespace inbox {\n inbox = yes\n prefix = INBOX/\n separator = /\n}\n";
	static const char without[] = "mail_location = maildir:~/Maildir\nmail_fsync = never\n"
	    "namespace inbox {\n inbox = yes\n separator = /\n}\n";
	static const struct {
		const char *conf, *list;
		struct {
			const char *name;
			unsigned messages;	/* UINT_MAX: there is none */
		} boxes[8];
	} cases[] = {
		{ with, "INBOX INBOX/INBOX/INBOX INBOX/INBOX/Sub INBOX/Inbox2 INBOX/inbox INBOX/inbox/x ", {
			{ "INBOX", 1 }, { "INBOX/INBOX", 1 }, { "inbox/INBOX", 1 }, { "INBOX/inbox", 5 }, { "inbox/inbox", 5 },
			{ "INBOX/INBOX/INBOX", 4 }, { "INBOX/inbox/x", 6 }, { "INBOX/Inbox", UINT_MAX } } },
		{ without, "INBOX INBOX/INBOX INBOX/Sub Inbox2 ", {
			{ "INBOX", 1 }, { "inbox", 1 }, { "INBOX/INBOX", 4 }, { "inbox/INBOX", 4 }, { "INBOX/inbox", UINT_MAX },
			{ "inbox/x", UINT_MAX }, { "INBOX/x", UINT_MAX }, { "inbox/Sub", 3 } } },
	};
	struct mailbox_status status;
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sharing s;
		struct storage *st;

		sharing_init(&s, cases[i].conf);
		st = sharing_open(&s, "bob");
		assert_int_equal(sharing_save(st, "INBOX", MAILBOX_SAVE, 0), ERR_NONE);
		for (unsigned j = 0; j < sizeof(folders) / sizeof(folders[0]); j++) {
			sharing_run(&s, "mkdir -p home/bob/Maildir/%s/cur home/bob/Maildir/%s/new home/bob/Maildir/%s/tmp",
			    folders[j], folders[j], folders[j]);
			for (unsigned k = 0; k < j + 1; k++)
				sharing_run(&s, "printf 'a: b\\n\\nc\\n' > home/bob/Maildir/%s/new/1.%u", folders[j], k);
		}
		assert_string_equal(sharing_names(&s, st, MBOX_EXISTS), cases[i].list);
		for (size_t j = 0; j < 8; j++) {
			struct span name = span_str(cases[i].boxes[j].name);

			if (cases[i].boxes[j].messages == UINT_MAX) {
				assert_int_equal(storage_status(st, name, STATUS_MESSAGES, &status, &e), -1);
				assert_int_equal(e.code, ERR_NOTFOUND);
				continue;
			}
			MUST(storage_status(st, name, STATUS_MESSAGES, &status, &e), &e);
			assert_int_equal(status.messages, cases[i].boxes[j].messages);
		}
		if (cases[i].conf == with) {
			assert_int_equal(sharing_create(st, "INBOX/INBOX"), ERR_EXISTS);
			assert_int_equal(storage_delete(st, SPAN("INBOX/INBOX"), &e), -1);
			assert_int_equal(e.code, ERR_DENIED);
			MUST(storage_rename(st, SPAN("INBOX/inbox"), SPAN("INBOX/Found"), &e), &e);
			MUST(storage_status(st, SPAN("INBOX/Found"), STATUS_MESSAGES, &status, &e), &e);
			assert_int_equal(status.messages, 5);
			MUST(storage_status(st, SPAN("INBOX/Found/x"), STATUS_MESSAGES, &status, &e), &e);
		}
		storage_close(st);
		sharing_clear(&s);
	}
}

/* What a site has that came from Courier: names without "INBOX." go on, in a namespace that nobody sees. */
static void
test_old_names(void **state)
{
	static const char old[] =
	    "mail_location = maildir:~/Maildir\nmail_fsync = never\n"
	    "namespace inbox {\n inbox = yes\n separator = .\n prefix = INBOX.\n mailbox Trash {\n  auto = create\n }\n"
	    " mailbox Junk {\n  auto = create\n }\n}\n"
	    "namespace compat {\n separator = .\n prefix =\n alias_for = INBOX.\n hidden = yes\n list = no\n}\n"
	    "namespace public {\n type = public\n prefix = Public.\n separator = .\n location = maildir:DIR/public\n"
	    " subscriptions = no\n list = children\n}\n";
	struct sharing s;
	struct storage *st;
	struct err e = ERR_INIT;

	(void)state;
	sharing_init(&s, old);
	st = sharing_open(&s, "bob");
	assert_int_equal(sharing_create(st, "Work"), ERR_NONE);
	assert_int_equal(sharing_create(st, "Public.News"), ERR_NONE);
	/* What SUBSCRIBE asks: whether it is there. */
	assert_true(sharing_attrs(&s, st, "Work") & MBOX_EXISTS);
	assert_true(sharing_attrs(&s, st, "Trash") & MBOX_EXISTS);
	assert_true(sharing_attrs(&s, st, "INBOX.Work") & MBOX_EXISTS);
	assert_int_equal(sharing_attrs(&s, st, "Play") & (MBOX_EXISTS | MBOX_NOSELECT), 0);
	MUST(storage_subscribe(st, SPAN("Work"), true, &e), &e);
	MUST(storage_subscribe(st, SPAN("Public.News"), true, &e), &e);
	assert_string_equal(sharing_names(&s, st, MBOX_SUBSCRIBED), "INBOX.Work Public.News ");
	MUST(storage_subscribe(st, SPAN("INBOX.Work"), false, &e), &e);
	MUST(storage_subscribe(st, SPAN("Public.News"), false, &e), &e);
	assert_string_equal(sharing_names(&s, st, MBOX_SUBSCRIBED), "");
	/* Listed although nobody has made it yet: so it can be deleted, and renamed. */
	MUST(storage_delete(st, SPAN("INBOX.Trash"), &e), &e);
	MUST(storage_rename(st, SPAN("INBOX.Junk"), SPAN("INBOX.Spam"), &e), &e);
	assert_true(sharing_attrs(&s, st, "INBOX.Spam") & MBOX_EXISTS);
	assert_int_equal(storage_delete(st, SPAN("INBOX.Play"), &e), -1);
	assert_int_equal(e.code, ERR_NOTFOUND);
	storage_close(st);
	sharing_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_alias),
		cmocka_unit_test(test_subscriptions),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_inbox_prefix),
		cmocka_unit_test(test_called_like_inbox),
		cmocka_unit_test(test_old_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
