/* SPDX-License-Identifier: MIT */
/* Access control where mail is: lists in files, defaults, global ones, what each right opens. */
#include "sharing.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define PUBLIC \
    "mail_location = maildir:~/Maildir\n" \
    "namespace inbox {\n inbox = yes\n separator = /\n}\n" \
    "namespace public {\n type = public\n prefix = Public/\n separator = /\n location = maildir:DIR/public\n" \
    " subscriptions = no\n list = children\n}\n" \
    "mail_plugins = acl\n"

static unsigned
rights(struct storage *st, const char *name)
{
	struct err e = ERR_INIT;
	unsigned r;

	MUST(storage_rights(st, span_str(name), &r, &e), &e);
	return r;
}

static enum err_code
status(struct storage *st, const char *name)
{
	struct mailbox_status s;
	struct err e = ERR_INIT;

	return storage_status(st, span_str(name), STATUS_MESSAGES, &s, &e) == 0 ? ERR_NONE : e.code;
}

static void
test_public(void **state)
{
	struct sharing s;
	struct storage *st;
	struct err e = ERR_INIT;

	(void)state;
	sharing_init(&s, PUBLIC "plugin {\n acl = vfile:cache_secs=0\n acl_groups = staff,other\n}\n");
	sharing_run(&s, "for b in A A.B C Hidden Drop; do mkdir -p public/.$b/cur public/.$b/new public/.$b/tmp; done");
	sharing_run(&s, "printf 'anyone lr\\n' > public/dovecot-acl");
	sharing_run(&s, "printf 'user=bob lrwstikxea\\ngroup=staff lrs\\n' > public/.A/dovecot-acl");
	sharing_run(&s, "printf 'anyone\\nuser=carol lr\\n' > public/.Hidden/dovecot-acl");
	sharing_run(&s, "printf 'anyone p\\n' > public/.Drop/dovecot-acl");
	st = sharing_open(&s, "bob");
	assert_string_equal(sharing_names(&s, st, MBOX_EXISTS), "INBOX Public/A Public/A/B Public/C ");
	assert_int_equal(rights(st, "INBOX"), ACL_ALL);
	assert_int_equal(rights(st, "Public/A/B"), ACL_LOOKUP | ACL_READ);	/* no inheritance, but the default */
	assert_int_equal(rights(st, "Public/Hidden"), 0);
	assert_int_equal(sharing_can(st, "Public/Hidden", MAILBOX_READ), ERR_NOTFOUND);
	assert_int_equal(sharing_can(st, "Public/C", MAILBOX_SAVE), ERR_DENIED);
	assert_int_equal(sharing_save(st, "Public/A", MAILBOX_SAVE, MSG_SEEN), ERR_NONE);
	/* Delivery is a right of its own. */
	assert_int_equal(sharing_save(st, "Public/A", MAILBOX_POST, 0), ERR_DENIED);
	assert_int_equal(sharing_save(st, "Public/Drop", MAILBOX_POST, 0), ERR_NONE);
	assert_int_equal(sharing_save(st, "Public/Drop", MAILBOX_SAVE, 0), ERR_NOTFOUND);
	assert_int_equal(status(st, "Public/Drop"), ERR_NOTFOUND);
	assert_int_equal(status(st, "Public/C"), ERR_NONE);
	/* The right to make mailboxes is the parent's, and what is made has the parent's list. */
	assert_int_equal(sharing_create(st, "Public/New"), ERR_DENIED);
	assert_int_equal(sharing_create(st, "Public/C/New"), ERR_DENIED);
	assert_int_equal(sharing_create(st, "Public/A/New"), ERR_NONE);
	sharing_run(&s, "cmp public/.A.New/dovecot-acl public/.A/dovecot-acl || cat public/.A.New/dovecot-acl | grep -q '^user=bob'");
	assert_int_equal(rights(st, "Public/A/New") & ACL_ADMIN, ACL_ADMIN);
	assert_int_equal(storage_delete(st, SPAN("Public/C"), &e), -1);
	assert_int_equal(e.code, ERR_DENIED);
	assert_int_equal(storage_rename(st, SPAN("Public/A/New"), SPAN("Public/C/New"), &e), -1);
	assert_int_equal(e.code, ERR_DENIED);
	MUST(storage_rename(st, SPAN("Public/A/New"), SPAN("Public/A/Old"), &e), &e);
	assert_int_equal(rights(st, "Public/A/Old") & ACL_ADMIN, ACL_ADMIN);
	MUST(storage_delete(st, SPAN("Public/A/Old"), &e), &e);
	storage_close(st);
	/* Another user: by a group, by the default, by name. */
	st = sharing_open(&s, "carol");
	assert_int_equal(rights(st, "Public/A"), ACL_LOOKUP | ACL_READ | ACL_SEEN);
	assert_string_equal(sharing_names(&s, st, MBOX_EXISTS), "INBOX Public/A Public/A/B Public/C Public/Hidden ");
	/* A list that can not be understood opens nothing. */
	sharing_run(&s, "printf 'anyone lr\\ncarol lrw\\n' > public/.C/dovecot-acl");
	assert_int_equal(sharing_can(st, "Public/C", MAILBOX_READ), ERR_TEMP);
	assert_string_equal(sharing_names(&s, st, MBOX_EXISTS), "INBOX Public/A Public/A/B Public/Hidden ");
	storage_close(st);
	sharing_clear(&s);
}

/* What is open looks again. */
static void
test_taken_away(void **state)
{
	struct sharing s;
	struct storage *st;
	struct mailbox *box;
	struct view_changes vc;
	struct flag_change fc = { .op = FLAGS_SET, .flags = MSG_SEEN | MSG_FLAGGED };
	struct err e = ERR_INIT;
	struct msg_rec rec;
	bool keywords;
	uint32_t uid = 1;

	(void)state;
	sharing_init(&s, PUBLIC "plugin {\n acl = vfile:cache_secs=0\n}\n");
	sharing_run(&s, "mkdir -p public/.A/cur public/.A/new public/.A/tmp; printf 'anyone lrsia\\n' > public/.A/dovecot-acl");
	st = sharing_open(&s, "bob");
	assert_int_equal(sharing_save(st, "Public/A", MAILBOX_SAVE, MSG_ANSWERED | MSG_SEEN), ERR_NONE);
	box = sharing_box(st, "Public/A", MAILBOX_WRITE);
	MUST(mailbox_get(box, 1, &rec, &e), &e);
	assert_int_equal(rec.flags, MSG_SEEN);		/* saved without w */
	assert_int_equal(mailbox_permanent_flags(box, &keywords), MSG_SEEN);
	assert_false(keywords);
	MUST(mailbox_store(box, &uid, 1, &fc, s.a, NULL, NULL, &e), &e);
	MUST(mailbox_get(box, 1, &rec, &e), &e);
	assert_int_equal(rec.flags, MSG_SEEN);
	sharing_run(&s, "printf 'anyone lr\\n' > public/.A/dovecot-acl");
	MUST(mailbox_sync(box, true, &vc, &e), &e);
	assert_false(vc.gone);
	assert_true(mailbox_is_readonly(box));
	assert_int_equal(mailbox_store(box, &uid, 1, &fc, s.a, NULL, NULL, &e), -1);
	assert_int_equal(e.code, ERR_DENIED);
	assert_int_equal(mailbox_expunge(box, &uid, 1, true, &e), -1);
	sharing_run(&s, "printf 'anyone l\\n' > public/.A/dovecot-acl");
	MUST(mailbox_sync(box, true, &vc, &e), &e);
	assert_true(vc.gone);
	mailbox_close(box);
	storage_close(st);
	sharing_clear(&s);
}

static void
test_change(void **state)
{
	const struct acl_entry bob = { .kind = ACL_USER, .name = SPAN("bob"), .rights = ACL_LOOKUP | ACL_READ },
	    owner = { .kind = ACL_OWNER, .rights = ACL_LOOKUP };
	struct acl_list list;
	struct sharing s;
	struct storage *st;
	struct span of;
	struct err e = ERR_INIT;

	(void)state;
	sharing_init(&s, PUBLIC "plugin {\n acl = vfile\n}\n");
	st = sharing_open(&s, "alice");
	assert_int_equal(sharing_create(st, "Work"), ERR_NONE);
	MUST(storage_acl_change(st, SPAN("Work"), ACL_ADMIN, &bob, ACL_REPLACE, &e), &e);
	sharing_run(&s, "printf 'user=bob lr\\n' | cmp - home/alice/Maildir/.Work/dovecot-acl");
	MUST(storage_acl_change(st, SPAN("Work"), ACL_ADMIN, &owner, ACL_REPLACE, &e), &e);
	sharing_run(&s, "printf 'owner la\\nuser=bob lr\\n' | cmp - home/alice/Maildir/.Work/dovecot-acl");
	MUST(storage_acl(st, SPAN("Work"), ACL_ADMIN, s.a, &list, &of, &e), &e);
	assert_int_equal(list.n, 2);
	assert_true(span_eq(of, SPAN("alice")));
	MUST(storage_acl_change(st, SPAN("Work"), ACL_ADMIN, &owner, ACL_REMOVE, &e), &e);
	MUST(storage_acl_change(st, SPAN("Work"), ACL_ADMIN, &bob, ACL_TAKE, &e), &e);
	sharing_run(&s, "test ! -e home/alice/Maildir/.Work/dovecot-acl");
	assert_int_equal(storage_acl_change(st, SPAN("None"), 0, &bob, ACL_REPLACE, &e), -1);
	assert_int_equal(e.code, ERR_NOTFOUND);
	storage_close(st);
	sharing_clear(&s);
}

static void
test_global(void **state)
{
	struct sharing s;
	struct storage *st;

	(void)state;
	sharing_init(&s, PUBLIC "plugin {\n acl = vfile:DIR/global:cache_secs=0\n}\n");
	sharing_run(&s, "mkdir -p public/.A/cur public/.A/new public/.A/tmp; printf 'user=bob lrwk\\n' > public/.A/dovecot-acl");
	sharing_run(&s, "printf 'Public/* user=bob lrs\\nWork owner lr\\n' > global");
	st = sharing_open(&s, "bob");
	assert_int_equal(sharing_create(st, "Work"), ERR_NONE);
	assert_int_equal(rights(st, "Public/A"), ACL_LOOKUP | ACL_READ | ACL_SEEN);
	assert_int_equal(rights(st, "Work"), ACL_LOOKUP | ACL_READ);
	assert_int_equal(rights(st, "INBOX"), ACL_ALL);
	sharing_run(&s, "printf 'INBOX owner lrs\\n' > global.new && mv global.new global");
	assert_int_equal(rights(st, "Work"), ACL_ALL);
	assert_int_equal(rights(st, "INBOX"), ACL_LOOKUP | ACL_READ | ACL_SEEN);
	storage_close(st);
	/* A directory: a file a mailbox, and one for all others. */
	sharing_run(&s, "rm global; mkdir -p global/Public; printf 'user=bob lra\\n' > global/Public/A; printf 'anyone l\\n' > global/.DEFAULT");
	st = sharing_open(&s, "bob");
	assert_int_equal(rights(st, "Public/A"), ACL_LOOKUP | ACL_READ | ACL_ADMIN);
	assert_int_equal(rights(st, "Work"), ACL_LOOKUP);
	storage_close(st);
	sharing_clear(&s);
}

/* An administrator who logs in for a user has what is given to him, not what the user has. */
static void
test_acl_user(void **state)
{
	struct sharing s;
	struct storage *st;

	(void)state;
	sharing_init(&s, PUBLIC "plugin {\n acl = vfile\n acl_user = master\n acl_defaults_from_inbox = yes\n}\n");
	sharing_run(&s, "mkdir -p home/alice/Maildir/.Work/cur home/alice/Maildir/cur");
	sharing_run(&s, "printf 'user=master lr\\n' > home/alice/Maildir/dovecot-acl");
	st = sharing_open(&s, "alice");
	assert_int_equal(rights(st, "INBOX"), ACL_LOOKUP | ACL_READ);
	assert_int_equal(rights(st, "Work"), ACL_LOOKUP | ACL_READ);	/* from INBOX */
	storage_close(st);
	sharing_clear(&s);
}

/* Namespaces without access control, by patterns of their prefixes; the list ends at the first number that is missing. */
static void
test_ignored(void **state)
{
	struct acl_entry give = { .kind = ACL_ANYONE, .rights = ACL_LOOKUP | ACL_READ };
	struct acl_list list;
	struct span owner;
	struct sharing s;
	struct storage *st;
	struct err e = ERR_INIT;

	(void)state;
	sharing_init(&s, PUBLIC
	    "namespace more {\n type = public\n prefix = More/\n separator = /\n location = maildir:DIR/more\n subscriptions = no\n}\n"
	    "namespace third {\n type = public\n prefix = Third/\n separator = /\n location = maildir:DIR/third\n subscriptions = no\n}\n"
	    "plugin {\n acl = vfile:cache_secs=0\n acl_ignore_namespace = Nobody/\n acl_ignore_namespace2 = P?bl*\n"
	    " acl_ignore_namespace4 = Third/\n}\n");
	sharing_run(&s, "for d in public more third; do mkdir -p $d/.A/cur $d/.A/new $d/.A/tmp; printf 'user=carol lr\\n' > $d/.A/dovecot-acl; done");
	st = sharing_open(&s, "bob");
	assert_string_equal(sharing_names(&s, st, MBOX_EXISTS), "INBOX Public/A ");
	assert_int_equal(rights(st, "Public/A"), ACL_ALL);
	assert_int_equal(rights(st, "More/A"), 0);
	assert_int_equal(rights(st, "Third/A"), 0);
	assert_int_equal(sharing_save(st, "Public/A", MAILBOX_SAVE, MSG_SEEN), ERR_NONE);
	assert_int_equal(sharing_create(st, "Public/B"), ERR_NONE);
	assert_int_equal(sharing_create(st, "More/B"), ERR_DENIED);
	/* Lists that mean nothing are neither told nor changed. */
	assert_int_equal(storage_acl(st, SPAN("Public/A"), ACL_ADMIN, s.a, &list, &owner, &e), -1);
	assert_int_equal(e.code, ERR_DENIED);
	assert_int_equal(storage_acl_change(st, SPAN("Public/A"), ACL_ADMIN, &give, ACL_REPLACE, &e), -1);
	assert_int_equal(e.code, ERR_DENIED);
	storage_close(st);
	sharing_clear(&s);
}

static void
on_alarm(int sig)
{
	(void)sig;
}

/* Signals come while another process has the lock. */
static void
test_interrupted(void **state)
{
	struct acl_entry give = { .kind = ACL_USER, .name = SPAN("bob"), .rights = ACL_LOOKUP | ACL_READ };
	struct sigaction sa = { .sa_handler = on_alarm }, old;
	struct itimerval often = { { 0, 10000 }, { 0, 10000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sharing s;
	struct storage *st;
	struct err e = ERR_INIT;
	char path[128], c;
	int fd, ready[2], status;
	pid_t pid;

	(void)state;
	sharing_init(&s, PUBLIC "plugin {\n acl = vfile:cache_secs=0\n}\n");
	st = sharing_open(&s, "alice");
	assert_int_equal(sharing_create(st, "Work"), ERR_NONE);
	snprintf(path, sizeof(path), "%s/home/alice/Maildir/.Work", s.dir);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		fd = open(path, O_RDONLY | O_DIRECTORY);
		if (fd == -1 || flock(fd, LOCK_EX) == -1 || write(ready[1], "!", 1) != 1)
			_exit(1);
		usleep(300000);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	sigaction(SIGALRM, &sa, &old);
	setitimer(ITIMER_REAL, &often, NULL);
	MUST(storage_acl_change(st, SPAN("Work"), 0, &give, ACL_REPLACE, &e), &e);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	while (waitpid(pid, &status, 0) == -1)
		;
	assert_int_equal(status, 0);
	storage_close(st);
	sharing_clear(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_public),
		cmocka_unit_test(test_taken_away),
		cmocka_unit_test(test_change),
		cmocka_unit_test(test_global),
		cmocka_unit_test(test_acl_user),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_ignored),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
