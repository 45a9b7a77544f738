/* SPDX-License-Identifier: MIT */
/* The list of mailboxes: names, namespaces, creating, renaming, deleting, subscribing, in both layouts. */
#include "storage-fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib-config/config.h"

static unsigned
attrs_of(struct fixture *f, const char *name)
{
	struct mailbox_info *list;
	struct err e = ERR_INIT;
	size_t count;

	arena_reset(f->a);
	MUST(storage_list(f->st, f->a, &list, &count, &e), &e);
	for (size_t i = 0; i < count; i++)
		if (span_eq(list[i].name, span_str(name)))
			return list[i].attrs;
	return 0;
}

/* The names of the list, with a space behind each. */
static const char *
names_of(struct fixture *f)
{
	struct mailbox_info *list;
	struct err e = ERR_INIT;
	size_t count;
	struct buf out = BUF_INIT(4096);
	const char *text;

	arena_reset(f->a);
	MUST(storage_list(f->st, f->a, &list, &count, &e), &e);
	for (size_t i = 0; i < count; i++) {
		buf_add(&out, list[i].name);
		buf_addc(&out, ' ');
	}
	text = arena_cstr(f->a, buf_span(&out));
	buf_clear(&out);
	return text;
}

static enum err_code
create(struct fixture *f, const char *name)
{
	struct err e = ERR_INIT;

	return storage_create(f->st, span_str(name), false, &e) == 0 ? ERR_NONE : e.code;
}

static enum err_code
rename_box(struct fixture *f, const char *from, const char *to)
{
	struct err e = ERR_INIT;

	return storage_rename(f->st, span_str(from), span_str(to), &e) == 0 ? ERR_NONE : e.code;
}

static enum err_code
delete(struct fixture *f, const char *name)
{
	struct err e = ERR_INIT;

	return storage_delete(f->st, span_str(name), &e) == 0 ? ERR_NONE : e.code;
}

static struct mailbox_status
status(struct fixture *f, const char *name)
{
	struct mailbox_status st;
	struct err e = ERR_INIT;

	MUST(storage_status(f->st, span_str(name), 0xff, &st, &e), &e);
	return st;
}

static void
save_into(struct fixture *f, const char *name, unsigned count)
{
	struct mailbox *box = box_of(f->st, name, MAILBOX_SAVE);

	for (unsigned i = 1; i <= count; i++)
		save_numbered(box, i);
	mailbox_close(box);
}

static void
test_names(void **state)
{
	static const struct {
		const char *name;
		enum err_code want;
	} cases[] = {
		{ "", ERR_SYNTAX }, { "..", ERR_SYNTAX }, { "a..b", ERR_SYNTAX }, { ".a", ERR_SYNTAX }, { "a/b", ERR_SYNTAX },
		{ "a\1b", ERR_SYNTAX }, { "a\x7f", ERR_SYNTAX }, { "\xff", ERR_SYNTAX }, { "INBOX", ERR_EXISTS },
		{ "inbox", ERR_EXISTS }, { "Entw\xc3\xbcrfe", ERR_NONE }, { "Entw\xc3\xbcrfe", ERR_EXISTS }, { "a & b", ERR_NONE },
		{ "inbox.sub", ERR_NONE }, { "INBOX.sub", ERR_EXISTS }, { "x.", ERR_NONE },
	};
	struct fixture f;
	char name[400];
	struct err e = ERR_INIT;
	struct mailbox *box;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (create(&f, cases[i].name) != cases[i].want)
			fail_msg("create %s", cases[i].name);
	memset(name, 'a', sizeof(name));
	name[300] = '\0';
	assert_int_equal(create(&f, name), ERR_LIMIT);
	for (size_t i = 0; i < 40; i++)
		memcpy(name + 2 * i, "a.", 3);
	name[79] = '\0';
	assert_int_equal(create(&f, name), ERR_LIMIT);
	assert_int_equal(fixture_number(&f, "ls -d 'Maildir/.Entw&APw-rfe/cur' Maildir/.INBOX.sub/cur 'Maildir/.a &- b' | wc -l"), 3);
	assert_string_equal(names_of(&f), "INBOX Entw\xc3\xbcrfe INBOX.sub a & b x ");
	assert_int_equal(mailbox_open(f.st, SPAN("missing"), MAILBOX_READ, &box, &e), -1);
	assert_int_equal(e.code, ERR_NOTFOUND);
	assert_int_equal(mailbox_open(f.st, SPAN("..x"), MAILBOX_READ, &box, &e), -1);
	assert_int_equal(e.code, ERR_SYNTAX);
	fixture_clear(&f);
}

static void
run_tree(struct fixture *f, char sep)
{
	char a[32], ab[32], abc[32], x[32], xb[32];
	struct mailbox_status before, after;
	struct err e = ERR_INIT;

	snprintf(a, sizeof(a), "A");
	snprintf(ab, sizeof(ab), "A%cB", sep);
	snprintf(abc, sizeof(abc), "A%cB%cC", sep, sep);
	snprintf(x, sizeof(x), "X");
	snprintf(xb, sizeof(xb), "X%cB%cC", sep, sep);
	assert_int_equal(create(f, a), ERR_NONE);
	assert_int_equal(create(f, abc), ERR_NONE);
	assert_int_equal(attrs_of(f, a), MBOX_EXISTS | MBOX_CHILDREN);
	assert_false(attrs_of(f, ab) & MBOX_EXISTS);
	assert_true(attrs_of(f, ab) & MBOX_CHILDREN);
	assert_int_equal(attrs_of(f, abc), MBOX_EXISTS | MBOX_NO_CHILDREN);
	assert_int_equal(create(f, ab), ERR_NONE);
	assert_int_equal(create(f, ab), ERR_EXISTS);
	save_into(f, a, 2);
	save_into(f, abc, 3);
	before = status(f, abc);
	assert_int_equal(before.messages, 3);
	assert_int_equal(before.unseen, 3);
	assert_int_equal(before.recent, 3);
	assert_true(before.size > 100);
	assert_int_equal(rename_box(f, a, x), ERR_NONE);
	assert_int_equal(attrs_of(f, a), 0);
	after = status(f, xb);
	assert_int_equal(after.messages, 3);
	assert_int_equal(after.uidvalidity, before.uidvalidity);
	assert_int_equal(after.mailbox_id, before.mailbox_id);
	assert_int_equal(rename_box(f, x, xb), ERR_DENIED);
	assert_int_equal(rename_box(f, "nothing", "Y"), ERR_NOTFOUND);
	assert_int_equal(create(f, a), ERR_NONE);
	assert_int_equal(rename_box(f, x, a), ERR_EXISTS);
	assert_true(status(f, a).uidvalidity != before.uidvalidity);
	/* With children it stays as a name. */
	assert_int_equal(delete(f, x), ERR_NONE);
	assert_false(attrs_of(f, x) & MBOX_EXISTS);
	assert_int_equal(status(f, xb).messages, 3);
	assert_int_equal(delete(f, xb), ERR_NONE);
	assert_int_equal(delete(f, xb), ERR_NOTFOUND);
	assert_int_equal(delete(f, "INBOX"), ERR_DENIED);
	assert_int_equal(fixture_number(f, "find . -name '*deleted*' | wc -l"), 0);
	/* A mailbox of the same name is another one. */
	assert_int_equal(create(f, xb), ERR_NONE);
	assert_true(status(f, xb).uidvalidity > before.uidvalidity);
	assert_int_equal(status(f, xb).messages, 0);
	/* RENAME of INBOX moves its mail. */
	save_into(f, "INBOX", 4);
	assert_int_equal(rename_box(f, "inbox", "Old"), ERR_NONE);
	assert_int_equal(status(f, "Old").messages, 4);
	assert_int_equal(status(f, "INBOX").messages, 0);
	/* Subscriptions, also of what is not there. */
	MUST(storage_subscribe(f->st, SPAN("Old"), true, &e), &e);
	MUST(storage_subscribe(f->st, SPAN("Old"), true, &e), &e);
	MUST(storage_subscribe(f->st, span_str("nowhere"), true, &e), &e);
	MUST(storage_subscribe(f->st, span_str(abc), true, &e), &e);
	assert_true(attrs_of(f, "Old") & MBOX_SUBSCRIBED);
	assert_int_equal(attrs_of(f, "nowhere"), MBOX_SUBSCRIBED | MBOX_NO_CHILDREN);
	assert_true(attrs_of(f, abc) & MBOX_SUBSCRIBED);
	MUST(storage_subscribe(f->st, SPAN("Old"), false, &e), &e);
	assert_false(attrs_of(f, "Old") & MBOX_SUBSCRIBED);
}

static void
test_maildir_plus_plus(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	run_tree(&f, '.');
	fixture_clear(&f);
}

static void
test_fs_layout(void **state)
{
	struct fixture f;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	f.conf.location = SPAN("maildir:~/Mail:LAYOUT=fs:INDEX=~/idx:CONTROL=~/ctl");
	fixture_open(&f);
	run_tree(&f, '/');
	assert_int_equal(create(&f, "cur"), ERR_SYNTAX);
	assert_int_equal(create(&f, "P/new"), ERR_SYNTAX);
	MUST(storage_create(f.st, SPAN("only/"), true, &e), &e);
	assert_int_equal(attrs_of(&f, "only"), MBOX_NOSELECT | MBOX_NO_CHILDREN);
	assert_int_equal(fixture_number(&f, "ls -d idx/culver.index Mail/Old/cur ctl/Old/culver-mailbox ctl/subscriptions | wc -l"), 4);
	fixture_clear(&f);
}

static void
test_dovecot_subscriptions(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_run(&f, "mkdir -p Maildir && printf 'V\\t2\\n\\nA\\tB\\nJunk\\n' > Maildir/subscriptions");
	fixture_open(&f);
	assert_true(attrs_of(&f, "A.B") & MBOX_SUBSCRIBED);
	assert_true(attrs_of(&f, "Junk") & MBOX_SUBSCRIBED);
	fixture_run(&f, "printf 'A.B\\nEntw&APw-rfe\\ninbox\\n' > Maildir/subscriptions");
	assert_true(attrs_of(&f, "A.B") & MBOX_SUBSCRIBED);
	assert_true(attrs_of(&f, "Entw\xc3\xbcrfe") & MBOX_SUBSCRIBED);
	assert_true(attrs_of(&f, "INBOX") & MBOX_SUBSCRIBED);
	assert_false(attrs_of(&f, "Junk") & MBOX_SUBSCRIBED);
	fixture_clear(&f);
}

/* The same directory, moved and copied by hand. */
static void
test_by_hand(void **state)
{
	struct fixture f;
	struct mailbox_status a, b, c;

	(void)state;
	fixture_init(&f);
	fixture_open(&f);
	assert_int_equal(create(&f, "A"), ERR_NONE);
	save_into(&f, "A", 3);
	a = status(&f, "A");
	fixture_run(&f, "cp -r Maildir/.A Maildir/.Copy && mv Maildir/.A Maildir/.Moved");
	b = status(&f, "Moved");
	c = status(&f, "Copy");
	assert_int_equal(b.mailbox_id, a.mailbox_id);
	assert_int_equal(b.messages, 3);
	assert_int_equal(c.messages, 3);
	assert_int_equal(c.uidvalidity, a.uidvalidity);
	assert_true(c.mailbox_id != a.mailbox_id);
	fixture_run(&f, "rm -rf Maildir/.Moved");
	assert_int_equal(attrs_of(&f, "Moved"), 0);
	fixture_clear(&f);
}

static void
test_settings(void **state)
{
	struct fixture f;
	struct config *c;
	struct settings *s;
	struct set_view *v;
	struct storage_params p = { .user = SPAN("bob@example.org"), .notify_fd = -1 };
	struct arena *a = arena_new(65536);
	const char *const *rw;
	const struct namespace_info *ns;
	struct err e = ERR_INIT;
	char path[128];
	int fd;

	(void)state;
	fixture_init(&f);
	fixture_run(&f, "cat > dovecot.conf <<'END'\n"
	    "mail_location = maildir:~/%%d/%%n\n"
	    "namespace inbox {\n inbox = yes\n separator = /\n"
	    " mailbox Sent {\n auto = subscribe\n special_use = \\Sent\n }\n"
	    " mailbox Trash {\n special_use = \\Trash\n }\n"
	    " mailbox Junk/Old {\n auto = create\n special_use = \\Junk\n }\n}\n"
	    "namespace {\n prefix = Archive/\n separator = /\n location = maildir:~/archive:LAYOUT=fs\n}\n"
	    "END\n");
	snprintf(path, sizeof(path), "%s/dovecot.conf", f.home);
	c = config_read(path, &e);
	assert_non_null(c);
	assert_false(config_has_errors(c));
	fd = config_image(c, &e);
	MUST(fd, &e);
	MUST(settings_open(fd, &s, &e), &e);
	close(fd);
	config_free(c);
	v = set_view_new(s, NULL);
	p.view = v;
	p.home = span_str(f.home);
	MUST(storage_paths(&p, a, &rw, &e), &e);
	snprintf(path, sizeof(path), "%s/example.org/bob", f.home);
	assert_string_equal(rw[0], path);
	MUST(storage_open(&p, &f.st, &e), &e);
	assert_int_equal(storage_namespaces(f.st, &ns), 2);
	assert_int_equal(ns[1].separator, '/');
	assert_string_equal(names_of(&f), "INBOX Archive Junk Junk/Old Sent ");
	assert_int_equal(attrs_of(&f, "Sent"), MBOX_EXISTS | MBOX_SUBSCRIBED | MBOX_USE_SENT | MBOX_NO_CHILDREN);
	save_into(&f, "Sent", 1);
	assert_int_equal(create(&f, "Trash"), ERR_NONE);
	assert_int_equal(attrs_of(&f, "Trash"), MBOX_EXISTS | MBOX_USE_TRASH | MBOX_NO_CHILDREN);
	assert_int_equal(create(&f, "Archive/2026"), ERR_NONE);
	assert_int_equal(fixture_number(&f, "ls -d archive/2026/cur example.org/bob/.Sent/new | wc -l"), 2);
	/* Copied from one store to the other. */
	struct mailbox *from = box_of(f.st, "Sent", MAILBOX_WRITE), *to = box_of(f.st, "Archive/2026", MAILBOX_SAVE);
	struct copy_result r;
	uint32_t uid = 1;

	MUST(mailbox_copy(from, &uid, 1, to, true, a, &r, &e), &e);
	assert_int_equal(r.to.count, 1);
	mailbox_close(from);
	mailbox_close(to);
	assert_int_equal(status(&f, "Archive/2026").messages, 1);
	assert_int_equal(status(&f, "Sent").messages, 0);
	fixture_close(&f);
	set_view_free(v);
	settings_close(s);
	arena_free(a);
	fixture_clear(&f);
}

/* What is subscribed to and not there makes no parents, and no parent have children; what holds others is not deleted. */
static void
test_gone(void **state)
{
	static const char *const locations[] = { "maildir:~/Maildir", "maildir:~/Maildir:LAYOUT=fs",
		"maildir:~/Maildir:LAYOUT=fs:DIRNAME=mail", "mbox:~/mail:DIRNAME=mbox" };

	(void)state;
	for (size_t i = 0; i < sizeof(locations) / sizeof(locations[0]); i++) {
		struct fixture f;
		struct err e = ERR_INIT;

		fixture_init(&f);
		f.conf.location = span_str(locations[i]);
		fixture_open(&f);
		char name[] = "a/b/c", sep = storage_separator(f.st, SPAN("a"));
		const char below[] = { 'x', sep, 'y', '\0' }, held[] = { 'h', sep, 'z', '\0' };

		name[1] = name[3] = sep;
		assert_int_equal(create(&f, name), ERR_NONE);
		assert_int_equal(create(&f, "x"), ERR_NONE);
		assert_int_equal(create(&f, below), ERR_NONE);
		MUST(storage_subscribe(f.st, span_str(name), true, &e), &e);
		MUST(storage_subscribe(f.st, span_str(below), true, &e), &e);
		assert_int_equal(rename_box(&f, "a", "other"), ERR_NONE);
		MUST(storage_delete(f.st, span_str(below), &e), &e);
		assert_int_equal(attrs_of(&f, "a"), 0);
		assert_int_equal(attrs_of(&f, "x"), MBOX_EXISTS | MBOX_NO_CHILDREN);
		assert_int_equal(attrs_of(&f, below), MBOX_SUBSCRIBED | MBOX_NO_CHILDREN);
		assert_int_equal(create(&f, held), ERR_NONE);
		assert_int_equal(storage_delete(f.st, SPAN("h"), &e), -1);
		assert_int_equal(attrs_of(&f, held), MBOX_EXISTS | MBOX_NO_CHILDREN);
		fixture_clear(&f);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_maildir_plus_plus),
		cmocka_unit_test(test_fs_layout),
		cmocka_unit_test(test_dovecot_subscriptions),
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
