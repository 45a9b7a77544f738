/* SPDX-License-Identifier: MIT */
/* Annotations: their file, their names, and what becomes of them with a mailbox; in Maildir and mbox. */
#include "sharing.h"

#include <stdio.h>
#include <unistd.h>
#include "lib-storage/metadata-file.h"
#include "lib-storage/metadata.h"
#include "lib/sys.h"

static void
test_file(void **state)
{
	static const char text[] = "culver-metadata 1\ns 0 8 4\n/commentours\np 3 2 5\nbob/xa\nb\0c\n";
	static const char *const bad[] = {
		"x", "culver-metadata 2\n", "culver-metadata 1", "culver-metadata 1\nx 0 1 1\nab\n", "culver-metadata 1\ns 0 1\nab\n",
		"culver-metadata 1\ns 0 1 1\nab", "culver-metadata 1\ns 0 1 1\nabc\n", "culver-metadata 1\ns 0 1 99999999999999999999\nab\n",
		"culver-metadata 1\ns 0 1 1 1\nab\n", "culver-metadata 1\ns -1 1 1\nab\n", "culver-metadata 1\n\n",
		"culver-metadata 1\ns 2097152 2097152 2097152\nab\n",
	};
	struct arena *a = arena_new(1 << 20);
	struct metadata_items items;
	struct buf out = BUF_INIT(1000);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(metadata_file_parse(span_of(text, sizeof(text) - 1), a, &items, &e), 0);
	assert_int_equal(items.n, 2);
	assert_true(items.v[0].shared && span_eq(items.v[0].name, SPAN("/comment")) && span_eq(items.v[0].value, SPAN("ours")));
	assert_true(!items.v[1].shared && span_eq(items.v[1].user, SPAN("bob")) && items.v[1].value.n == 5);
	metadata_file_write(&out, &items);
	assert_true(span_eq(buf_span(&out), span_of(text, sizeof(text) - 1)));
	buf_clear(&out);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (metadata_file_parse(span_str(bad[i]), a, &items, &e) != -1 || e.code != ERR_CORRUPT)
			fail_msg("%s: %s", bad[i], e.log);
	assert_int_equal(metadata_file_parse(SPAN(""), a, &items, &e), 0);
	assert_int_equal(items.n, 0);
	arena_free(a);
}

static void
test_names(void **state)
{
	static const char *const bad[] = { "", "/", "/private", "/private/", "/shared//x", "/shared/x/", "private/x", "/other/x",
		"/private/a*", "/private/%", "/private/\x7f", "/private/\xc3\xbc", "/private/a\tb" };
	struct arena *a = arena_new(65536);
	char longest[METADATA_NAME_MAX + 1];
	const char *why;

	(void)state;
	assert_true(span_eq(metadata_name(SPAN("/PRIVATE/Comment b"), a, &why), SPAN("/private/comment b")));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (metadata_name(span_str(bad[i]), a, &why).p != NULL)
			fail_msg("%s", bad[i]);
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "/shared/", 8);
	assert_non_null(metadata_name(span_of(longest, METADATA_NAME_MAX), a, &why).p);
	assert_null(metadata_name(span_of(longest, METADATA_NAME_MAX + 1), a, &why).p);
	assert_false(metadata_is_settable(true, SPAN("/shared/comment")));
	assert_true(metadata_is_settable(false, SPAN("/shared/comment")));
	arena_free(a);
}

static struct span
get(struct sharing *s, struct storage *st, const char *mailbox, const char *name)
{
	struct span names[] = { span_str(name) };
	struct metadata *found;
	struct err e = ERR_INIT;
	size_t count;

	if (storage_metadata_get(st, span_str(mailbox), names, 1, 0, s->a, &found, &count, &e) == -1)
		return SPAN("error");
	assert_int_equal(count, 1);
	return found[0].value.p == NULL ? SPAN("none") : found[0].value;
}

static int
set(struct storage *st, const char *mailbox, const char *name, const char *value)
{
	struct metadata m = { span_str(name), value == NULL ? SPAN_NONE : span_str(value) };
	struct err e = ERR_INIT;

	return storage_metadata_set(st, span_str(mailbox), &m, 1, &e);
}

#define IS(mailbox, name, value) assert_true(span_eq(get(s, st, mailbox, name), SPAN(value)))

static void
check(struct sharing *s)
{
	struct storage *st = sharing_open(s, "bob");
	struct err e = ERR_INIT;

	if (storage_create(st, SPAN("Work/Sub"), false, &e) == -1)
		fail_msg("%s", e.log);
	IS("Work/Sub", "/shared/comment", "none");
	assert_int_equal(set(st, "Work/Sub", "/shared/comment", "a comment"), 0);
	assert_int_equal(set(st, "Work/Sub", "/private/comment", "a note"), 0);
	assert_int_equal(set(st, "INBOX", "/private/comment", "of INBOX"), 0);
	assert_int_equal(set(st, "", "/private/comment", "of the server"), 0);
	IS("Work/Sub", "/shared/comment", "a comment");
	IS("Work/Sub", "/private/comment", "a note");
	IS("INBOX", "/private/comment", "of INBOX");
	IS("", "/private/comment", "of the server");
	/* What the configuration says holds until something else is set. */
	IS("Sent", "/shared/comment", "what was sent");
	IS("Sent", "/private/specialuse", "\\Sent");
	assert_int_equal(set(st, "Sent", "/shared/comment", "other"), 0);
	IS("Sent", "/shared/comment", "other");
	assert_int_equal(set(st, "Sent", "/shared/comment", NULL), 0);
	IS("Sent", "/shared/comment", "what was sent");
	/* The file is gone with the last of them. */
	assert_int_equal(set(st, "None", "/shared/comment", "x"), -1);
	IS("None", "/shared/comment", "error");
	/* They go where their mailbox goes, and a new one of the same name has none. */
	assert_int_equal(storage_rename(st, SPAN("Work"), SPAN("Play"), &e), 0);
	IS("Play/Sub", "/private/comment", "a note");
	storage_close(st);
	st = sharing_open(s, "bob");
	IS("Play/Sub", "/private/comment", "a note");
	assert_int_equal(storage_delete(st, SPAN("Play/Sub"), &e), 0);
	assert_int_equal(storage_create(st, SPAN("Play/Sub"), false, &e), 0);
	IS("Play/Sub", "/private/comment", "none");
	IS("INBOX", "/private/comment", "of INBOX");
	storage_close(st);
}

static void
test_kept(void **state)
{
	static const char *const locations[] = {
		"maildir:~/Maildir", "maildir:~/Maildir:LAYOUT=fs", "mbox:~/mail:INBOX=~/inbox",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(locations) / sizeof(locations[0]); i++) {
		struct sharing s;
		char conf[600];

		snprintf(conf, sizeof(conf), "mail_location = %s\nmail_fsync = never\nnamespace inbox {\n inbox = yes\n separator = /\n"
		    " mailbox Sent {\n  auto = create\n  special_use = \\Sent\n  comment = what was sent\n }\n}\n", locations[i]);
		sharing_init(&s, conf);
		check(&s);
		sharing_clear(&s);
	}
}

/* In others' mailboxes private ones are each user's own, and who may not change the mailbox changes no shared one. */
static void
test_shared(void **state)
{
	struct sharing sharing, *s = &sharing;
	struct acl_entry change;
	struct storage *alice, *bob, *st;
	struct err e = ERR_INIT;

	(void)state;
	sharing_init(s, "mail_location = maildir:~/Maildir\nmail_plugins = acl\nmail_fsync = never\n"
	    "plugin {\n acl = vfile:cache_secs=0\n}\nnamespace shared {\n type = shared\n prefix = shared/%%u/\n separator = /\n"
	    " location = maildir:DIR/home/%%u/Maildir\n subscriptions = no\n list = children\n}\n"
	    "namespace inbox {\n inbox = yes\n separator = /\n}\n");
	alice = sharing_open(s, "alice");
	bob = sharing_open(s, "bob");
	assert_int_equal(sharing_create(alice, "Work"), ERR_NONE);
	assert_int_equal(set(alice, "Work", "/shared/comment", "ours"), 0);
	assert_int_equal(set(alice, "Work", "/private/comment", "alice's"), 0);
	st = bob;
	IS("shared/alice/Work", "/shared/comment", "error");
	assert_true(acl_identifier_parse(SPAN("user=bob"), &change));
	change.rights = ACL_LOOKUP | ACL_READ;
	assert_int_equal(storage_acl_change(alice, SPAN("Work"), ACL_ADMIN, &change, ACL_REPLACE, &e), 0);
	IS("shared/alice/Work", "/shared/comment", "ours");
	IS("shared/alice/Work", "/private/comment", "none");
	assert_int_equal(set(bob, "shared/alice/Work", "/private/comment", "bob's"), 0);
	assert_int_equal(set(bob, "shared/alice/Work", "/shared/comment", "mine"), -1);
	IS("shared/alice/Work", "/private/comment", "bob's");
	st = alice;
	IS("Work", "/private/comment", "alice's");
	IS("Work", "/shared/comment", "ours");
	change.rights = ACL_LOOKUP;
	assert_int_equal(storage_acl_change(alice, SPAN("Work"), ACL_ADMIN, &change, ACL_REPLACE, &e), 0);
	st = bob;
	IS("shared/alice/Work", "/private/comment", "error");
	storage_close(alice);
	storage_close(bob);
	sharing_clear(s);
}

/* What Dovecot kept holds until something is set here, which all of it is written down with. */
static void
test_taken_over(void **state)
{
	static const char dict[] = "priv/0a1b/comment\nmine\001nhere\nshared/0a1b/vendor/x/Y\nours\npriv/ffff/comment\nanother's\n"
	    "priv/0a1b/vendor/vendor.dovecot/pvt/sieve/default\nno\npriv/0a1b/vendor/nul\na\0010\n"
	    "priv/0000/vendor/vendor.dovecot/pvt/server/comment\nserver\npriv/0000/comment\nof inbox\n";
	struct sharing the, *s = &the;
	struct storage *st;
	char path[128];
	FILE *f;

	(void)state;
	sharing_init(s, "mail_location = maildir:~/Maildir\nmail_attribute_dict = file:%h/Maildir/dovecot-attributes\n");
	sharing_run(s, "for d in . .Work .Other; do mkdir -p home/a/Maildir/$d/cur home/a/Maildir/$d/new home/a/Maildir/$d/tmp; done; "
	    "cd home/a/Maildir; echo '3 V1234567890 N3 G0000' > dovecot-uidlist; echo '3 V1234567891 N3 G0a1b' > .Work/dovecot-uidlist; "
	    "echo '3 V1234567892 N3 Gffff' > .Other/dovecot-uidlist");
	snprintf(path, sizeof(path), "%s/home/a/Maildir/dovecot-attributes", s->dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(dict, 1, sizeof(dict) - 1, f), sizeof(dict) - 1);
	fclose(f);
	st = sharing_open(s, "a");
	/* The first that happens to a mailbox, and then it is taken over. */
	assert_int_equal(set(st, "Other", "/private/vendor/a", "b"), 0);
	IS("Other", "/private/comment", "another's");
	IS("Work", "/private/comment", "mine\nhere");
	IS("Work", "/shared/vendor/x/y", "ours");
	IS("Work", "/shared/comment", "none");
	IS("Work", "/private/vendor/nul", "none");
	IS("Work", "/private/vendor/vendor.dovecot/pvt/sieve/default", "none");
	IS("INBOX", "/private/comment", "of inbox");
	IS("", "/private/comment", "server");
	/* The first change keeps the others; what goes stays gone, when nothing is left too. */
	assert_int_equal(set(st, "Work", "/private/comment", "new"), 0);
	assert_int_equal(set(st, "INBOX", "/private/comment", NULL), 0);
	assert_int_equal(set(st, "", "/private/comment", NULL), 0);
	storage_close(st);
	st = sharing_open(s, "a");
	IS("Work", "/private/comment", "new");
	IS("Work", "/shared/vendor/x/y", "ours");
	IS("INBOX", "/private/comment", "none");
	IS("", "/private/comment", "none");
	storage_close(st);
	sharing_run(s, "rm home/a/Maildir/dovecot-attributes");
	st = sharing_open(s, "a");
	IS("Work", "/shared/vendor/x/y", "ours");
	storage_close(st);
	sharing_clear(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file), cmocka_unit_test(test_names), cmocka_unit_test(test_kept), cmocka_unit_test(test_shared),
		cmocka_unit_test(test_taken_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
