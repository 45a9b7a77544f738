/* SPDX-License-Identifier: MIT */
/* Names of mailboxes and what stands on the disk for them: layouts, separators, encodings, options, permissions. */
#include "storage-fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err_code
create(struct fixture *f, const char *name)
{
	struct err e = ERR_INIT;

	return storage_create(f->st, span_str(name), false, &e) == 0 ? ERR_NONE : e.code;
}

static void
must_create(struct fixture *f, const char *name)
{
	struct err e = ERR_INIT;

	MUST(storage_create(f->st, span_str(name), false, &e), &e);
}

static void
must_delete(struct fixture *f, const char *name)
{
	struct err e = ERR_INIT;

	MUST(storage_delete(f->st, span_str(name), &e), &e);
}

static void
must_rename(struct fixture *f, const char *from, const char *to)
{
	struct err e = ERR_INIT;

	MUST(storage_rename(f->st, span_str(from), span_str(to), &e), &e);
}

/* The names of the list, each with a '|' behind it; nosel: those that hold no mail have a '-' before. */
static const char *
names_of(struct fixture *f)
{
	struct mailbox_info *list;
	struct err e = ERR_INIT;
	struct buf out = BUF_INIT(65536);
	const char *text;
	size_t count;

	arena_reset(f->a);
	MUST(storage_list(f->st, f->a, &list, &count, &e), &e);
	for (size_t i = 0; i < count; i++) {
		if (!(list[i].attrs & MBOX_EXISTS))
			buf_addc(&out, '-');
		buf_add(&out, list[i].name);
		buf_addc(&out, '|');
	}
	text = arena_cstr(f->a, buf_span(&out));
	buf_clear(&out);
	return text;
}

static bool
is_listed(struct fixture *f, const char *name)
{
	char want[600];
	const char *list = names_of(f), *at;

	snprintf(want, sizeof(want), "%s|", name);
	at = strstr(list, want);
	return at != NULL && (at == list || at[-1] == '|');
}

static void
save_into(struct fixture *f, const char *name, unsigned count)
{
	struct mailbox *box = box_of(f->st, name, MAILBOX_SAVE);

	for (unsigned i = 1; i <= count; i++)
		save_numbered(box, i);
	mailbox_close(box);
}

static struct mailbox_status
status(struct fixture *f, const char *name)
{
	struct mailbox_status st;
	struct err e = ERR_INIT;

	MUST(storage_status(f->st, span_str(name), 0xff, &st, &e), &e);
	return st;
}

/* A session in a namespace with that separator. */
static void
open_with(struct fixture *f, const char *location, char separator)
{
	static struct namespace_conf ns;

	ns = (struct namespace_conf){ .location = span_str(location), .separator = separator, .inbox = true,
		.subscriptions = true };
	f->conf.namespaces = &ns;
	f->conf.namespace_count = 1;
	fixture_open(f);
}

/* Each name is made, takes mail, is listed, subscribed, renamed and back, and is another mailbox when it is made again. */
static void
run_name(struct fixture *f, const char *name)
{
	struct err e = ERR_INIT;
	uint32_t validity;

	if (create(f, name) != ERR_NONE)
		fail_msg("create %s", name);
	assert_int_equal(create(f, name), ERR_EXISTS);
	save_into(f, name, 1);
	if (!is_listed(f, name))
		fail_msg("%s is not listed: %s", name, names_of(f));
	validity = status(f, name).uidvalidity;
	MUST(storage_subscribe(f->st, span_str(name), true, &e), &e);
	must_rename(f, name, "elsewhere");
	must_rename(f, "elsewhere", name);
	fixture_close(f);
	fixture_run(f, "rm -rf Mail/culver.index");
	fixture_open(f);
	assert_int_equal(status(f, name).messages, 1);
	assert_int_equal(status(f, name).uidvalidity, validity);
	must_delete(f, name);
	assert_false(is_listed(f, "elsewhere"));
	must_create(f, name);
	assert_true(status(f, name).uidvalidity > validity);
	must_delete(f, name);
}

static void
test_legal_names(void **state)
{
	static const char *const anywhere[] = { "plain", "with space", " leading", "trailing ", "~tilde", "~", "%percent%", "star*",
		"quote\"'`", "back\\slash", "a & b", "&", "&-", "&AOk-", "Entw\xc3\xbcrfe", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
		"\xf0\x9f\x93\xa7", "semi;colon", "new", "maildirfolder", "dovecot", "culvert", "$HOME", "-rf", "#", "<>|?",
		"a:2,S", "courierimap", "e\xcc\x81" };
	static const struct {
		const char *location;
		char separator;
		const char *more[6];	/* with this one alone */
	} kinds[] = {
		{ "maildir:~/Mail", '.', { "cur", "tmp", "a.b", "subscriptions", "culver-mailbox", NULL } },
		{ "maildir:~/Mail", '/', { "cur", "tmp", "a/b", "subscriptions", NULL } },
		{ "maildir:~/Mail:UTF-8", '/', { "cur", "a/b", "a/\xc3\xbc/b", NULL } },
		{ "maildir:~/Mail:LAYOUT=fs", '/', { "a/b", "a.b", ".dot", "...", "a/.b", NULL } },
		{ "maildir:~/Mail:LAYOUT=fs", '.', { "a.b", NULL } },
		{ "maildir:~/Mail:LAYOUT=fs:UTF-8", '/', { "a/b.c", "\xc3\xbc/\xc3\xa4", NULL } },
		{ "maildir:~/Mail:LAYOUT=fs:DIRNAME=..mail", '/', { "cur", "tmp/x", ".dot", "a/b", NULL } },
		{ "maildir:~/Mail:LAYOUT=fs:DIRNAME=mbox", '.', { "cur", "tmp.x", NULL } },
	};

	(void)state;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		bool bare_fs = strstr(kinds[k].location, "LAYOUT=fs") != NULL && strstr(kinds[k].location, "DIRNAME") == NULL;
		struct fixture f;

		fixture_init(&f);
		open_with(&f, kinds[k].location, kinds[k].separator);
		for (size_t i = 0; i < sizeof(anywhere) / sizeof(anywhere[0]); i++)
			if (!bare_fs || strcmp(anywhere[i], "new") != 0)
				run_name(&f, anywhere[i]);
		for (size_t i = 0; i < 6 && kinds[k].more[i] != NULL; i++)
			run_name(&f, kinds[k].more[i]);
		fixture_clear(&f);
	}
}

static void
test_refused_names(void **state)
{
	static const struct {
		const char *location;
		char separator;
		const char *name;
		enum err_code want;
	} cases[] = {
		{ "maildir:~/Mail", '/', "a.b", ERR_SYNTAX },		/* it would be the folder b in a */
		{ "maildir:~/Mail", '/', ".dot", ERR_SYNTAX },
		{ "maildir:~/Mail", '.', "a/b", ERR_SYNTAX },
		{ "maildir:~/Mail", '.', ".a", ERR_SYNTAX },
		{ "maildir:~/Mail", '.', "a..b", ERR_SYNTAX },
		{ "maildir:~/Mail:UTF-8", '.', "a/b", ERR_SYNTAX },
		{ "maildir:~/Mail:UTF-8", '/', "a.b", ERR_SYNTAX },
		{ "maildir:~/Mail:SUBSCRIPTIONS=.subs", '.', "subs", ERR_SYNTAX },
		{ "maildir:~/Mail:LAYOUT=fs", '/', "a/../b", ERR_SYNTAX },
		{ "maildir:~/Mail:LAYOUT=fs", '/', "..", ERR_SYNTAX },
		{ "maildir:~/Mail:LAYOUT=fs", '/', ".", ERR_SYNTAX },
		{ "maildir:~/Mail:LAYOUT=fs", '/', "a//b", ERR_SYNTAX },
		{ "maildir:~/Mail:LAYOUT=fs", '/', "a/new", ERR_SYNTAX },
		{ "maildir:~/Mail:LAYOUT=fs", '/', "culver.index", ERR_SYNTAX },
		{ "maildir:~/Mail:LAYOUT=fs", '/', "culver-mailbox", ERR_SYNTAX },
		{ "maildir:~/Mail:LAYOUT=fs", '/', "subscriptions", ERR_SYNTAX },
		{ "maildir:~/Mail:LAYOUT=fs", '/', "..culver-deleted.x", ERR_SYNTAX },
		{ "maildir:~/Mail:LAYOUT=fs", '.', "a/b", ERR_SYNTAX },
		{ "maildir:~/Mail:LAYOUT=fs:DIRNAME=mbox", '/', "a/mbox", ERR_SYNTAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;

		fixture_init(&f);
		open_with(&f, cases[i].location, cases[i].separator);
		if (create(&f, cases[i].name) != cases[i].want)
			fail_msg("create %s in %s", cases[i].name, cases[i].location);
		assert_string_equal(names_of(&f), "INBOX|");
		fixture_clear(&f);
	}
}

/* What the file system can not hold is refused before anything is made. */
static void
test_lengths(void **state)
{
	static const struct {
		const char *location;
		bool levels;		/* the limit is each level's */
	} cases[] = { { "maildir:~/Mail", false }, { "maildir:~/Mail:LAYOUT=fs", true } };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fixture f;
		char name[480] = "";

		fixture_init(&f);
		f.conf.name_max = 480;
		open_with(&f, cases[i].location, '/');
		memset(name, 'a', 255);
		if (!cases[i].levels)
			name[254] = '\0';	/* and a '.' before */
		run_name(&f, name);
		name[strlen(name)] = 'a';
		assert_int_equal(create(&f, name), ERR_LIMIT);
		/* Two octets of UTF-8 are up to six on disk. */
		for (size_t k = 0; k < 240; k += 2)
			memcpy(name + k, "\xc3\xbc", 2);
		name[240] = '\0';
		assert_int_equal(create(&f, name), ERR_LIMIT);
		memset(name, 'b', 400);
		name[200] = '/';
		name[400] = '\0';
		assert_int_equal(create(&f, name), cases[i].levels ? ERR_NONE : ERR_LIMIT);
		fixture_clear(&f);
	}
}

/* Directories of other programs: what is no modified UTF-7 has its octets for a name, what could not be found again none. */
static void
test_foreign_directories(void **state)
{
	struct fixture f;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	fixture_run(&f, "mkdir -p Mail/new Mail/cur Mail/tmp && cd Mail && for d in '.bad&name' .raw-\xc3\xa9 .Entw\\&APw-rfe '.a&AC4-b' '.a&AC8-b' "
	    ".lat\xfc . .. .. ..x .x..y .end. '.ctl&AAE-' '.raw-\xc3\xa9.&APw-' .nodirs '.&AGE-' dovecot.index courierimapkeywords plain; "
	    "do test \"$d\" = . || test \"$d\" = .. || mkdir \"$d\"; test -d $d/cur || test $d = .nodirs || mkdir $d/cur $d/new; done;"
	    "ln -s .Entw\\&APw-rfe .link; ln -s nowhere .dangling; touch .file; ln -s . .self; true");
	open_with(&f, "maildir:~/Mail", '/');
	assert_string_equal(names_of(&f), "INBOX|&AGE-|Entw\xc3\xbcrfe|a&AC4-b|a&AC8-b|bad&name|link|nodirs|raw-\xc3\xa9|self|");
	save_into(&f, "raw-\xc3\xa9", 2);
	save_into(&f, "bad&name", 1);
	save_into(&f, "nodirs", 1);
	assert_int_equal(fixture_number(&f, "ls Mail/.raw-\xc3\xa9/new | wc -l"), 2);
	assert_int_equal(fixture_number(&f, "ls 'Mail/.bad&name/new' | wc -l"), 1);
	assert_int_equal(create(&f, "raw-\xc3\xa9"), ERR_EXISTS);
	must_rename(&f, "raw-\xc3\xa9", "Caf\xc3\xa9");
	assert_int_equal(fixture_number(&f, "ls 'Mail/.Caf&AOk-/new' | wc -l"), 2);
	must_delete(&f, "bad&name");
	assert_false(is_listed(&f, "bad&name"));
	/* The proper form is the one that counts when both are there. */
	fixture_run(&f, "mkdir -p Mail/.Caf\xc3\xa9/cur Mail/.Caf\xc3\xa9/new");
	assert_int_equal(status(&f, "Caf\xc3\xa9").messages, 2);
	/* A link is removed, not what it leads to. */
	must_delete(&f, "link");
	assert_true(is_listed(&f, "Entw\xc3\xbcrfe"));
	fixture_clear(&f);

	fixture_init(&f);
	fixture_run(&f, "mkdir -p Mail/a/b/cur Mail/a/b/new Mail/.hidden/cur Mail/.hidden/new Mail/courierimapkeywords Mail/none/at/all "
	    "Mail/..culver-deleted.1/cur && ln -s .. Mail/a/up && ln -s ../.. Mail/a/b/top && ln -s a/b Mail/b && touch Mail/a/file");
	open_with(&f, "maildir:~/Mail:LAYOUT=fs", '/');
	assert_string_equal(names_of(&f), "INBOX|.hidden|-a|a/b|b|-none|-none/at|-none/at/all|");
	MUST(storage_delete(f.st, SPAN("none/at/all"), &e), &e);
	fixture_clear(&f);
}

static void
test_utf8(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	open_with(&f, "maildir:~/Mail:UTF-8", '/');
	must_create(&f, "Entw\xc3\xbcrfe/a & b");
	assert_int_equal(fixture_number(&f, "test -d 'Mail/.Entw\xc3\xbcrfe.a & b/cur' && echo 1"), 1);
	fixture_run(&f, "mkdir -p Mail/.lat\xfc/cur 'Mail/.Entw&APw-rfe/cur'");
	assert_string_equal(names_of(&f), "INBOX|Entw&APw-rfe|-Entw\xc3\xbcrfe|Entw\xc3\xbcrfe/a & b|");
	fixture_clear(&f);
}

static void
test_dirname(void **state)
{
	struct fixture f;
	struct err e = ERR_INIT;
	uint32_t validity;

	(void)state;
	fixture_init(&f);
	open_with(&f, "maildir:~/Mail:LAYOUT=fs:FULLDIRNAME=..mail:CONTROL=~/ctl", '/');
	must_create(&f, "a/b");
	assert_string_equal(names_of(&f), "INBOX|-a|a/b|");
	save_into(&f, "INBOX", 1);
	save_into(&f, "a/b", 2);
	assert_int_equal(fixture_number(&f, "ls Mail/INBOX/..mail/new Mail/a/b/..mail/new | grep -c U="), 3);
	assert_int_equal(fixture_number(&f, "ls ctl/INBOX/..mail/culver-mailbox ctl/a/b/..mail/culver-mailbox | wc -l"), 2);
	must_create(&f, "a");
	save_into(&f, "a", 1);
	validity = status(&f, "a/b").uidvalidity;
	must_rename(&f, "a", "x/y");
	assert_int_equal(fixture_number(&f, "ls ctl/x/y/b/..mail/culver-mailbox ctl/x/y/..mail/culver-mailbox | wc -l"), 2);
	assert_int_equal(status(&f, "x/y/b").uidvalidity, validity);
	assert_int_equal(status(&f, "x/y").messages, 1);
	must_delete(&f, "x/y");
	assert_string_equal(names_of(&f), "INBOX|-x|-x/y|x/y/b|");
	assert_int_equal(status(&f, "x/y/b").messages, 2);
	must_delete(&f, "x/y/b");
	assert_int_equal(fixture_number(&f, "find Mail ctl -name '*deleted*' -o -path 'ctl/x*' | wc -l"), 0);
	MUST(storage_rename(f.st, SPAN("INBOX"), SPAN("old"), &e), &e);
	assert_int_equal(status(&f, "old").messages, 1);
	fixture_clear(&f);
}

static void
test_subscriptions_file(void **state)
{
	struct fixture f;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	fixture_run(&f, "mkdir -p ctl && printf 'V\\t2\\n\\nthere\\n' > ctl/.subs");
	open_with(&f, "maildir:~/Mail:CONTROL=~/ctl:SUBSCRIPTIONS=.subs", '.');
	MUST(storage_subscribe(f.st, SPAN("more"), true, &e), &e);
	assert_int_equal(fixture_number(&f, "grep -cE '^(there|more)$' ctl/.subs"), 2);
	assert_int_equal(fixture_number(&f, "ls -a Mail ctl | grep -c '^subscriptions$'"), 0);
	fixture_clear(&f);
}

static void
test_no_noselect(void **state)
{
	struct fixture f;
	struct err e = ERR_INIT;

	(void)state;
	fixture_init(&f);
	fixture_run(&f, "mkdir -p Mail/none/at/all");
	open_with(&f, "maildir:~/Mail:LAYOUT=fs:NO-NOSELECT", '/');
	assert_string_equal(names_of(&f), "INBOX|");
	must_create(&f, "a/b/c");
	assert_string_equal(names_of(&f), "INBOX|-a|-a/b|a/b/c|");
	must_create(&f, "a/keep");
	must_delete(&f, "a/b/c");
	assert_string_equal(names_of(&f), "INBOX|-a|a/keep|");
	must_rename(&f, "a/keep", "kept");
	assert_string_equal(names_of(&f), "INBOX|kept|");
	assert_int_equal(fixture_number(&f, "ls -d Mail/a 2>/dev/null | wc -l"), 0);
	MUST(storage_create(f.st, SPAN("parent/"), true, &e), &e);
	assert_string_equal(names_of(&f), "INBOX|kept|parent|");
	fixture_clear(&f);
}

/* A mailbox that is made with the name of one that was deleted is another, wherever its control file is. */
static void
test_control_directory(void **state)
{
	static const char *const locations[] = { "maildir:~/Mail:CONTROL=~/ctl", "maildir:~/Mail:LAYOUT=fs:CONTROL=~/ctl" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fixture f;
		uint32_t a, b;

		fixture_init(&f);
		open_with(&f, locations[i], '/');
		must_create(&f, "a");
		must_create(&f, "a/b");
		save_into(&f, "a", 1);
		save_into(&f, "a/b", 1);
		a = status(&f, "a").uidvalidity;
		b = status(&f, "a/b").uidvalidity;
		must_rename(&f, "a", "x");
		must_create(&f, "a");
		must_create(&f, "a/b");
		assert_true(status(&f, "a").uidvalidity > b && status(&f, "a").uidvalidity > a);
		assert_true(status(&f, "a/b").uidvalidity > b);
		fixture_close(&f);
		fixture_run(&f, "rm -rf Mail/culver.index");
		fixture_open(&f);
		assert_int_equal(status(&f, "x").uidvalidity, a);
		assert_int_equal(status(&f, "x/b").uidvalidity, b);
		b = status(&f, "a/b").uidvalidity;
		must_delete(&f, "a/b");
		must_create(&f, "a/b");
		assert_true(status(&f, "a/b").uidvalidity > b);
		fixture_clear(&f);
	}
}

/* The mark of a Maildir++ folder is in folders alone. */
static void
test_maildirfolder(void **state)
{
	static const char *const locations[] = { "maildir:~/Mail", "maildir:~/Mail:LAYOUT=fs" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct fixture f;

		fixture_init(&f);
		open_with(&f, locations[i], '/');
		must_create(&f, "a/b");
		save_into(&f, "INBOX", 1);
		/* And in one that another program has made without its directories. */
		fixture_run(&f, "mkdir Mail/.made");
		if (i == 0)
			save_into(&f, "made", 1);
		assert_int_equal(fixture_number(&f, "find Mail -name maildirfolder | wc -l"), i == 0 ? 2 : 0);
		assert_int_equal(fixture_number(&f, "ls Mail | grep -c maildirfolder"), 0);
		fixture_clear(&f);
	}
}

/* Modes and groups come from above, whatever the umask is. */
static void
test_permissions(void **state)
{
	static const char *const locations[] = { "maildir:~/Mail", "maildir:~/Mail:LAYOUT=fs" };
	mode_t old = umask(077);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const char *dot = i == 0 ? "." : "", *sub = i == 0 ? ".work." : "work/";
		struct fixture f;

		fixture_init(&f);
		open_with(&f, locations[i], '/');
		must_create(&f, "work");
		save_into(&f, "work", 1);
		assert_int_equal(fixture_number(&f, "stat -c %%a Mail/%swork/cur", dot), 700);
		assert_int_equal(fixture_number(&f, "stat -c %%a Mail/%swork/new/*", dot), 600);
		fixture_run(&f, "chmod 2770 Mail/%swork && rm Mail/%swork/new/*", dot, dot);
		must_create(&f, "work/sub");
		assert_int_equal(fixture_number(&f, "stat -c %%a Mail/%ssub Mail/%ssub/cur Mail/%ssub/tmp | sort -u", sub, sub, sub), 2770);
		save_into(&f, "work/sub", 1);
		save_into(&f, "work", 1);
		assert_int_equal(fixture_number(&f, "stat -c %%a Mail/%ssub/new/* Mail/%swork/new/* Mail/%ssub/culver-mailbox | sort -u",
		    sub, dot, sub), 660);
		fixture_run(&f, "chmod 00750 Mail/%swork", dot);
		must_create(&f, "work/third");
		assert_int_equal(fixture_number(&f, "stat -c %%a Mail/%sthird Mail/%sthird/cur | sort -u", sub, sub), 750);
		must_create(&f, "private");
		assert_int_equal(fixture_number(&f, "stat -c %%a Mail/%sprivate/cur", dot), 700);
		/* Another group is kept where it can be given. */
		if (geteuid() == 0) {
			fixture_run(&f, "chgrp 4242 Mail/%swork && chmod 00770 Mail/%swork", dot, dot);
			must_create(&f, "work/fourth");
			save_into(&f, "work/fourth", 1);
			save_into(&f, "work", 1);
			assert_int_equal(fixture_number(&f, "stat -c %%g Mail/%sfourth Mail/%sfourth/cur Mail/%sfourth/new/* | sort -u",
			    sub, sub, sub), 4242);
			assert_int_equal(fixture_number(&f, "stat -c %%a Mail/%sfourth Mail/%sfourth/cur | sort -u", sub, sub), 2770);
			assert_int_equal(fixture_number(&f, "stat -c %%g-%%a Mail/%swork/new/* | grep -c '^4242-660'", dot), 1);
		}
		fixture_clear(&f);
	}
	umask(old);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_legal_names),
		cmocka_unit_test(test_refused_names),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_foreign_directories),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_dirname),
		cmocka_unit_test(test_subscriptions_file),
		cmocka_unit_test(test_no_noselect),
		cmocka_unit_test(test_control_directory),
		cmocka_unit_test(test_maildirfolder),
		cmocka_unit_test(test_permissions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
