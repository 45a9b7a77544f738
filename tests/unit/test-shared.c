/* SPDX-License-Identifier: MIT */
/* Mailboxes of other users: names, the dictionary, what LIST shows, homes. */
#include "sharing.h"

#include <stdio.h>
#include "lib-storage/shared-dict.h"

#define SHARED(location) \
    "mail_location = maildir:~/Maildir\nmail_plugins = acl\n" \
    "plugin {\n acl = vfile:cache_secs=0\n acl_groups = staff\n acl_shared_dict = file:DIR/dict/boxes\n}\n" \
    "namespace shared {\n type = shared\n prefix = shared/%%u/\n separator = /\n location = " location "\n" \
    " subscriptions = no\n list = children\n}\n" \
    "namespace inbox {\n inbox = yes\n separator = /\n}\n"

static void
give(struct storage *st, const char *box, const char *id, const char *letters)
{
	struct acl_entry change;
	struct err e = ERR_INIT;

	assert_true(acl_identifier_parse(span_str(id), &change));
	assert_true(acl_letters_parse(span_str(letters), &change.rights));
	MUST(storage_acl_change(st, span_str(box), ACL_ADMIN, &change, ACL_REPLACE, &e), &e);
}

static void
test_keys(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		enum acl_kind kind;
		const char *to, *from;
	} cases[] = {
		{ "shared/shared-boxes/user/bob/alice", true, ACL_USER, "bob", "alice" },
		{ "shared/shared-boxes/user/b@x.org/a@x.org", true, ACL_USER, "b@x.org", "a@x.org" },
		{ "shared/shared-boxes/group/staff/alice", true, ACL_GROUP, "staff", "alice" },
		{ "shared/shared-boxes/anyone/alice", true, ACL_ANYONE, "", "alice" },
		{ "shared/shared-boxes/user/bob", false, 0, "", "" },
		{ "shared/shared-boxes/user/bob/", false, 0, "", "" },
		{ "shared/shared-boxes/user//alice", false, 0, "", "" },
		{ "shared/shared-boxes/anyone/a/b", false, 0, "", "" },
		{ "shared/shared-boxes/other/bob/alice", false, 0, "", "" },
		{ "shared/last-login/bob", false, 0, "", "" },
		{ "", false, 0, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out = BUF_INIT(1024);
		struct shared_key key;

		assert_int_equal(shared_key_parse(span_str(cases[i].text), &key), cases[i].ok);
		if (!cases[i].ok)
			continue;
		assert_int_equal(key.kind, cases[i].kind);
		assert_true(span_eq(key.to, span_str(cases[i].to)) && span_eq(key.from, span_str(cases[i].from)));
		shared_key_write(&out, &key);
		assert_true(span_eq(buf_span(&out), span_str(cases[i].text)));
		buf_clear(&out);
	}
}

static void
test_list(void **state)
{
	struct sharing s;
	struct storage *alice, *bob, *carol;
	const struct namespace_info *ns;
	struct mailbox *box;
	struct view_changes vc;
	struct flag_change fc = { .op = FLAGS_ADD, .flags = MSG_SEEN | MSG_FLAGGED };
	struct msg_rec rec;
	struct err e = ERR_INIT;
	uint32_t uid = 1;

	(void)state;
	sharing_init(&s, SHARED("maildir:DIR/home/%%u/Maildir"));
	sharing_run(&s, "mkdir dict");
	alice = sharing_open(&s, "alice");
	bob = sharing_open(&s, "bob");
	carol = sharing_open(&s, "carol");
	assert_int_equal(storage_namespaces(bob, &ns), 2);
	assert_true(span_eq(ns[0].prefix, SPAN("shared/")) && ns[0].type == NS_SHARED);
	assert_int_equal(sharing_create(alice, "Work/2026"), ERR_NONE);
	assert_int_equal(sharing_save(alice, "Work/2026", MAILBOX_SAVE, 0), ERR_NONE);
	assert_string_equal(sharing_names(&s, bob, ~0u), "INBOX ");
	assert_int_equal(sharing_can(bob, "shared/alice/Work/2026", MAILBOX_READ), ERR_NOTFOUND);
	give(alice, "Work/2026", "user=bob", "lrs");
	sharing_run(&s, "printf 'shared/shared-boxes/user/bob/alice\\n1\\n' | cmp - dict/boxes");
	assert_string_equal(sharing_names(&s, bob, MBOX_EXISTS), "INBOX shared/alice/Work/2026 ");
	assert_string_equal(sharing_names(&s, bob, ~0u), "INBOX shared shared/alice shared/alice/Work shared/alice/Work/2026 ");
	assert_int_equal(sharing_attrs(&s, bob, "shared/alice"), MBOX_NOSELECT | MBOX_CHILDREN);
	assert_string_equal(sharing_names(&s, carol, ~0u), "INBOX ");
	assert_string_equal(sharing_names(&s, alice, MBOX_EXISTS), "INBOX Work/2026 ");
	/* Used by the other, with what he may do. */
	box = sharing_box(bob, "shared/alice/Work/2026", MAILBOX_WRITE);
	MUST(mailbox_store(box, &uid, 1, &fc, s.a, NULL, NULL, &e), &e);
	MUST(mailbox_get(box, 1, &rec, &e), &e);
	assert_int_equal(rec.flags, MSG_SEEN);
	assert_int_equal(sharing_can(bob, "shared/alice/Work/2026", MAILBOX_SAVE), ERR_DENIED);
	assert_int_equal(sharing_create(bob, "shared/alice/Mine"), ERR_DENIED);
	MUST(storage_subscribe(bob, SPAN("shared/alice/Work/2026"), true, &e), &e);
	assert_string_equal(sharing_names(&s, bob, MBOX_SUBSCRIBED), "shared/alice/Work/2026 ");
	sharing_run(&s, "grep -q 'shared.alice.Work.2026' home/bob/Maildir/subscriptions");
	/* INBOX is called as its owner. */
	give(alice, "INBOX", "group=staff", "lri");
	assert_string_equal(sharing_names(&s, carol, MBOX_EXISTS), "INBOX shared/alice ");
	assert_int_equal(sharing_attrs(&s, bob, "shared/alice"), MBOX_EXISTS | MBOX_CHILDREN);
	assert_int_equal(sharing_save(carol, "shared/alice", MAILBOX_SAVE, 0), ERR_NONE);
	assert_int_equal(sharing_can(carol, "shared/alice/INBOX", MAILBOX_READ), ERR_NONE);
	assert_int_equal(storage_delete(carol, SPAN("shared/alice"), &e), -1);
	assert_int_equal(storage_rename(carol, SPAN("shared/alice"), SPAN("Taken"), &e), -1);
	assert_int_equal(e.code, ERR_DENIED);
	/* Taken away */
	give(alice, "Work/2026", "user=bob", "");
	give(alice, "INBOX", "group=staff", "");
	MUST(mailbox_sync(box, true, &vc, &e), &e);
	assert_true(vc.gone);
	mailbox_close(box);
	sharing_run(&s, "test ! -s dict/boxes");
	assert_string_equal(sharing_names(&s, bob, MBOX_EXISTS), "INBOX ");
	storage_close(alice);
	storage_close(bob);
	storage_close(carol);
	sharing_clear(&s);
}

/* Names that are none, or of nobody. */
static void
test_names(void **state)
{
	static const char *const bad[] = {
		"shared/nobody", "shared/nobody/x", "shared/../x", "shared/./x", "shared//x", "shared/a%u/x", "shared/..", "shared/",
		"shared/alice/", "shared/alice//x", "shared/alice/../bob",
	};
	struct sharing s;
	struct storage *st;

	(void)state;
	sharing_init(&s, SHARED("maildir:DIR/home/%%u/Maildir"));
	st = sharing_open(&s, "bob");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		enum err_code code = sharing_can(st, bad[i], MAILBOX_READ);

		if (code != ERR_NOTFOUND && code != ERR_SYNTAX)
			print_error("%s: %d\n", bad[i], (int)code);
		assert_true(code == ERR_NOTFOUND || code == ERR_SYNTAX);
	}
	sharing_run(&s, "test \"$(ls home)\" = bob");
	/* Of oneself too */
	assert_int_equal(sharing_can(st, "shared/bob", MAILBOX_READ), ERR_NONE);
	assert_int_equal(sharing_attrs(&s, st, "shared/bob"), MBOX_EXISTS);	/* though LIST does not tell */
	assert_int_equal(sharing_attrs(&s, st, "shared/bob/none"), 0);
	storage_close(st);
	sharing_clear(&s);
}

/* By parts of the name, with homes from mail_home, INBOX by its name; the paths that a sandbox must leave open. */
static void
test_domains(void **state)
{
	struct storage_params p = { .user = SPAN("bob@x.org"), .notify_fd = -1 };
	const char *const *rw = NULL;
	struct set_view *view;
	struct sharing s;
	struct storage *alice, *bob;
	struct err e = ERR_INIT;
	char home[128], base[128];
	bool found = false, dict = false;

	(void)state;
	sharing_init(&s, "mail_location = maildir:~/Maildir\nmail_plugins = acl\nmail_home = DIR/home/%u\n"
	    "mail_shared_explicit_inbox = yes\n"
	    "plugin {\n acl = vfile\n acl_anyone = allow\n acl_shared_dict = file:DIR/dict/boxes\n}\n"
	    "namespace shared {\n type = shared\n prefix = Users/%%d/%%n/\n separator = /\n"
	    " location = maildir:%%h/Maildir:INDEXPVT=~/pvt/%%u\n subscriptions = no\n list = yes\n}\n"
	    "namespace inbox {\n inbox = yes\n separator = /\n}\n");
	sharing_run(&s, "mkdir dict");
	alice = sharing_open(&s, "alice@x.org");
	bob = sharing_open(&s, "bob@x.org");
	assert_string_equal(sharing_names(&s, bob, ~0u), "INBOX Users ");
	give(alice, "INBOX", "anyone", "lr");
	assert_string_equal(sharing_names(&s, bob, MBOX_EXISTS), "INBOX Users/x.org/alice/INBOX ");
	assert_int_equal(sharing_can(bob, "Users/x.org/alice/INBOX", MAILBOX_READ), ERR_NONE);
	assert_int_equal(sharing_can(bob, "Users/x.org/alice", MAILBOX_READ), ERR_SYNTAX);
	storage_close(alice);
	storage_close(bob);
	view = set_view_new(s.settings, NULL);
	p.view = view;
	snprintf(home, sizeof(home), "%s/home/bob@x.org", s.dir);
	p.home = span_str(home);
	MUST(storage_paths(&p, s.a, &rw, &e), &e);
	snprintf(base, sizeof(base), "%s/home/bob@x.org/Maildir", s.dir);
	assert_string_equal(rw[0], base);
	for (size_t i = 0; rw[i] != NULL; i++) {
		snprintf(base, sizeof(base), "%s/home", s.dir);
		found = found || strcmp(rw[i], base) == 0;
		snprintf(base, sizeof(base), "%s/dict", s.dir);
		dict = dict || strcmp(rw[i], base) == 0;
	}
	assert_true(found && dict);
	sharing_run(&s, "test -d home/bob@x.org/pvt");
	set_view_free(view);
	sharing_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_domains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
