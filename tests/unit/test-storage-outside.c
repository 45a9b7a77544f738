/* SPDX-License-Identifier: MIT */
/* Other programs at the same Maildir, while sessions are open: what each of them does to files is seen, and nothing is lost. */
#include "storage-fixture.h"
#include "lib-storage/maildir/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fixture f;

static void
start(void)
{
	fixture_init(&f);
	fixture_open(&f);
}

/* A file of another program: "Number n" as save_numbered() writes it. */
static void
put(const char *path, unsigned n)
{
	fixture_run(&f, "printf 'From: a@example.org\\nSubject: Number %u\\n\\nBody\\n' > '%s'", n, path);
}

/* The numbers of all messages in the order of their UIDs. */
static const char *
numbers(struct mailbox *box)
{
	static char out[400];
	size_t n = 0;

	sync_box(box, NULL);
	out[0] = '\0';
	for (uint32_t seq = 1; seq <= mailbox_count(box) && n < sizeof(out) - 20; seq++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, "%s%u", seq == 1 ? "" : " ", number_of(box, mailbox_uid(box, seq)));
	mailbox_read_end(box);
	return out;
}

/* The name of the file in dir that holds message number n. */
static const char *
file_of(const char *dir, unsigned n)
{
	static char out[600];
	char cmd[300];
	FILE *in;

	snprintf(cmd, sizeof(cmd), "cd '%s' && find %s -type f -exec grep -l 'Number %u$' {} + | head -1", f.home, dir, n);
	in = popen(cmd, "r");
	assert_non_null(in);
	assert_non_null(fgets(out, sizeof(out), in));
	out[strcspn(out, "\n")] = '\0';
	pclose(in);
	return out;
}

static void
test_adding(void **state)
{
	struct mailbox *box;

	(void)state;
	start();
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	save_numbered(box, 1);
	put("Maildir/new/1700000000.1_0.host", 2);		/* procmail */
	assert_string_equal(numbers(box), "1 2");
	put("Maildir/cur/1700000000.M1P1_3.host:2,FS", 3);
	put("Maildir/cur/noinfo", 4);				/* cp into cur/ */
	put("Maildir/cur/odd name:1,x", 5);
	put("Maildir/new/early:2,S", 6);			/* flags in new/ */
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), 6);
	for (uint32_t seq = 1; seq <= 6; seq++)
		if (number_of(box, mailbox_uid(box, seq)) == 3)
			assert_int_equal(flags_of(box, mailbox_uid(box, seq)), MSG_FLAGGED | MSG_SEEN);
	assert_int_equal(fixture_number(&f, "ls Maildir/cur Maildir/new | grep -c U="), 6);
	assert_int_equal(fixture_number(&f, "ls Maildir/cur | grep -vc ':2,'"), 0);
	check_counts(box);
	mailbox_close(box);
	fixture_clear(&f);
}

/* Names that carry a tag of another mailbox, or of another message; and names that differ in their flags alone. */
/* All of them can be read. */
static uint32_t
how_many(struct mailbox *box)
{
	numbers(box);
	return mailbox_count(box);
}

/* Mail comes while cur/ is as it was: only new/ is read then, and what is in cur/ is known all the same. */
static void
test_new_alone(void **state)
{
	struct mailbox *box;
	uint32_t uid;

	(void)state;
	start();
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	put("Maildir/cur/1700000000.M1P1_1.host:2,S", 1);
	put("Maildir/cur/1700000000.M1P1_2.host,S=44:2,F", 2);
	put("Maildir/cur/short:2,", 3);
	put("Maildir/new/1700000001.M1P1_4.host", 4);
	assert_int_equal(how_many(box), 4);
	put("Maildir/new/1700000001.M1P1_5.host", 5);
	assert_int_equal(how_many(box), 5);
	check_counts(box);
	uid = mailbox_uid(box, 5);
	/* A link to what is in cur/ is the same message; a copy of its name is another one; so is one with its tag. */
	fixture_run(&f, "ln %s Maildir/new/$(basename %s | sed 's/:.*//')", file_of("Maildir/cur", 1), file_of("Maildir/cur", 1));
	assert_int_equal(how_many(box), 5);
	fixture_run(&f, "rm Maildir/new/1700000000.M1P1_1.*");
	fixture_run(&f, "sed 's/Number 2/Number 6/' %s > Maildir/new/$(basename %s | sed 's/:.*//')", file_of("Maildir/cur", 2),
	    file_of("Maildir/cur", 2));
	put("Maildir/new/short", 7);
	assert_int_equal(how_many(box), 7);
	assert_int_equal(mailbox_uid(box, 6), uid + 1);
	check_counts(box);
	/* Out of new/, to nowhere, to another name, and to cur/. */
	fixture_run(&f, "rm %s", file_of("Maildir/new", 7));
	fixture_run(&f, "mv %s Maildir/new/$(basename %s):2,R", file_of("Maildir/new", 5), file_of("Maildir/new", 5));
	assert_int_equal(how_many(box), 6);
	assert_int_equal(flags_of(box, uid), MSG_ANSWERED);
	fixture_run(&f, "mv %s Maildir/cur/$(basename %s):2,T", file_of("Maildir/new", 4), file_of("Maildir/new", 4));
	put("Maildir/new/1700000002.M1P1_8.host", 8);
	assert_int_equal(how_many(box), 7);
	check_counts(box);
	mailbox_close(box);
	/* All of it is what a new index finds. */
	fixture_close(&f);
	fixture_lose_index(&f);
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	assert_int_equal(how_many(box), 7);
	check_counts(box);
	mailbox_close(box);
	fixture_clear(&f);
}

static void
test_tags(void **state)
{
	struct mailbox *a, *b;
	struct err e = ERR_INIT;
	char path[600];

	(void)state;
	start();
	MUST(storage_create(f.st, SPAN("b"), false, &e), &e);
	a = box_of(f.st, "INBOX", MAILBOX_WRITE);
	b = box_of(f.st, "b", MAILBOX_WRITE);
	for (unsigned i = 1; i <= 3; i++) {
		save_numbered(a, i);
		save_numbered(b, 10 + i);
	}
	/* mv to another folder: gone here, new there. */
	snprintf(path, sizeof(path), "%s", file_of("Maildir/new", 2));
	fixture_run(&f, "mv '%s' Maildir/.b/cur/", path);
	assert_string_equal(numbers(a), "1 3");
	assert_string_equal(numbers(b), "11 12 13 2");
	assert_int_equal(fixture_number(&f, "ls Maildir/.b/cur | grep -c ':2,$'"), 1);
	/* cp: in both. */
	snprintf(path, sizeof(path), "%s", file_of("Maildir/.b/new", 12));
	fixture_run(&f, "cp '%s' Maildir/new/", path);
	assert_string_equal(numbers(a), "1 3 12");
	assert_string_equal(numbers(b), "11 12 13 2");
	/* Back again, where its UID was once its own. */
	snprintf(path, sizeof(path), "%s", file_of("Maildir/.b/cur", 2));
	fixture_run(&f, "mv '%s' Maildir/cur/", path);
	assert_string_equal(numbers(a), "1 3 12 2");
	/* Another message with the same tag, under another name. */
	snprintf(path, sizeof(path), "%s", file_of("Maildir/new", 3));
	fixture_run(&f, "t='%s'; cp \"$t\" \"Maildir/new/1700000000.other,${t#*,}\"", path);
	assert_string_equal(numbers(a), "1 3 12 2 3");
	/* The same name in both directories, with other content: each is a message, and the one that was known stays that. */
	snprintf(path, sizeof(path), "%s", file_of("Maildir/new", 1));
	fixture_run(&f, "t='%s'; sed 's/Number 1$/Number 7/' \"$t\" >\"Maildir/cur/${t##*/}:2,S\"", path);
	assert_string_equal(numbers(a), "1 3 12 2 3 7");
	assert_int_equal(flags_of(a, mailbox_uid(a, 1)), 0);
	assert_string_equal(numbers(a), "1 3 12 2 3 7");
	/* Three names that differ in their flags. */
	put("Maildir/cur/same:2,", 21);
	put("Maildir/cur/same:2,S", 22);
	put("Maildir/new/same", 23);
	sync_box(a, NULL);
	assert_int_equal(mailbox_count(a), 9);
	/* Two names of one file are one message. */
	snprintf(path, sizeof(path), "%s", file_of("Maildir/new", 1));
	fixture_run(&f, "t='%s'; ln \"$t\" \"Maildir/cur/${t##*/}:2,F\"", path);
	sync_box(a, NULL);
	assert_int_equal(mailbox_count(a), 9);
	check_counts(a);
	check_counts(b);
	mailbox_close(a);
	mailbox_close(b);
	/* All of it also when the index is lost. */
	fixture_close(&f);
	fixture_lose_index(&f);
	fixture_open(&f);
	a = box_of(f.st, "INBOX", MAILBOX_WRITE);
	assert_int_equal(mailbox_count(a), 9);
	check_counts(a);
	mailbox_close(a);
	fixture_clear(&f);
}

static void
test_flags_and_removal(void **state)
{
	struct view_changes vc;
	struct mailbox *box;
	struct storage *other;
	struct mailbox *theirs;
	struct err e = ERR_INIT;
	struct span body;
	uint32_t uid;
	char path[600];

	(void)state;
	start();
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	for (unsigned i = 1; i <= 4; i++)
		save_numbered(box, i);
	sync_box(box, NULL);
	other = fixture_storage(&f);
	theirs = box_of(other, "INBOX", MAILBOX_WRITE);
	mailbox_read_end(theirs);
	/* mutt: new/ to cur/ with a flag; then more flags. */
	snprintf(path, sizeof(path), "%s", file_of("Maildir/new", 2));
	fixture_run(&f, "t='%s'; mv \"$t\" \"Maildir/cur/${t##*/}:2,S\"", path);
	/* Before any sync its body is found under the new name. */
	uid = mailbox_uid(box, 2);
	MUST(mailbox_body(box, uid, &body, &e), &e);
	sync_box(box, &vc);
	assert_int_equal(flags_of(box, uid), MSG_SEEN);
	assert_int_equal(flags_of(theirs, uid), MSG_SEEN);
	sync_box(theirs, &vc);
	assert_int_equal(vc.flags_count, 1);
	snprintf(path, sizeof(path), "%s", file_of("Maildir/cur", 2));
	fixture_run(&f, "t='%s'; mv \"$t\" \"${t%%S}FRST\"", path);
	sync_box(box, &vc);
	assert_int_equal(vc.flags_count, 1);
	assert_int_equal(flags_of(box, uid), MSG_SEEN | MSG_FLAGGED | MSG_ANSWERED | MSG_DELETED);
	/* Our flags and theirs at the same time: ours came later, and theirs are kept where they are of another message. */
	add_flags(theirs, mailbox_uid(theirs, 3), MSG_FLAGGED);
	snprintf(path, sizeof(path), "%s", file_of("Maildir/new", 3));
	fixture_run(&f, "t='%s'; mv \"$t\" \"Maildir/cur/${t##*/}:2,S\"", path);
	snprintf(path, sizeof(path), "%s", file_of("Maildir/new", 4));
	fixture_run(&f, "t='%s'; mv \"$t\" \"Maildir/cur/${t##*/}:2,D\"", path);
	sync_box(box, NULL);
	assert_int_equal(flags_of(box, mailbox_uid(box, 3)), MSG_FLAGGED);
	assert_int_equal(flags_of(box, mailbox_uid(box, 4)), MSG_DRAFT);
	MUST(storage_maintain(other, &e), &e);
	assert_int_equal(fixture_number(&f, "ls Maildir/cur | grep -c ':2,F$'"), 1);
	/* rm, between the list and the reading of a file too. */
	fixture_run(&f, "rm '%s'", file_of("Maildir/cur", 4));
	uid = mailbox_uid(box, 4);
	assert_int_equal(mailbox_body(box, uid, &body, &e), -1);
	assert_int_equal(e.code, ERR_GONE);
	assert_int_equal(number_of(box, mailbox_uid(box, 1)), 1);
	sync_box(box, &vc);
	assert_int_equal(vc.expunged_count, 1);
	assert_int_equal(vc.expunged[0].seq, 4);
	fixture_run(&f, "rm Maildir/cur/* Maildir/new/*");
	sync_box(box, &vc);
	assert_int_equal(vc.expunged_count, 3);
	assert_int_equal(mailbox_count(box), 0);
	/* An expunge of what somebody else has removed is as good as ours. */
	uid = mailbox_uid(theirs, 1);
	MUST(mailbox_expunge(theirs, &uid, 1, true, &e), &e);
	check_counts(box);
	mailbox_close(theirs);
	storage_close(other);
	mailbox_close(box);
	fixture_clear(&f);
}

/* What is no plain file is no message, is not opened, and harms nobody. */
static void
test_no_messages(void **state)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct mailbox *box;
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	start();
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	save_numbered(box, 1);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/Maildir/new/socket", f.home);
	assert_int_equal(bind(s, (struct sockaddr *)&un, sizeof(un)), 0);
	fixture_run(&f, "cd Maildir && mkfifo new/fifo cur/fifo:2,S && ln -s /etc/passwd cur/link:2, && ln -s nowhere new/dangling && "
	    "mkdir cur/dir:2,S new/dir cur/dir:2,S/new && touch cur/.hidden new/.hidden");
	assert_string_equal(numbers(box), "1");
	put("Maildir/new/x", 2);
	assert_string_equal(numbers(box), "1 2");
	/* One that becomes a FIFO under our eyes is not waited for. */
	fixture_run(&f, "t='%s'; rm \"$t\"; mkfifo \"$t\"", file_of("Maildir/new", 2));
	struct err e = ERR_INIT;
	struct span body;

	assert_int_equal(number_of(box, mailbox_uid(box, 1)), 1);
	assert_int_equal(mailbox_body(box, mailbox_uid(box, 2), &body, &e), -1);
	assert_string_equal(numbers(box), "1");
	check_counts(box);
	assert_int_equal(fixture_number(&f, "ls -A Maildir/cur Maildir/new | grep -cE '^(fifo|link|dangling|dir|socket|.hidden)'"), 9);
	mailbox_close(box);
	close(s);
	fixture_clear(&f);
}

/* A file, or a directory, that the process may not read.  Root may all: then this is shown end to end. */
static void
test_without_rights(void **state)
{
	struct mailbox *box;
	struct err e = ERR_INIT;
	struct span body;

	(void)state;
	if (geteuid() == 0)
		skip();
	start();
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	save_numbered(box, 1);
	put("Maildir/new/x", 2);
	fixture_run(&f, "chmod 0 Maildir/new/x");
	sync_box(box, NULL);
	assert_int_equal(mailbox_count(box), 2);
	assert_int_equal(mailbox_body(box, mailbox_uid(box, 2), &body, &e), -1);
	assert_int_equal(e.code, ERR_DENIED);
	assert_int_equal(number_of(box, mailbox_uid(box, 1)), 1);
	/* Nothing is taken for expunged that can not be seen. */
	fixture_run(&f, "chmod 0 Maildir/new");
	struct view_changes vc;

	put("Maildir/cur/y:2,", 3);
	assert_int_equal(mailbox_sync(box, true, &vc, &e), -1);
	fixture_run(&f, "chmod 700 Maildir/new");
	sync_box(box, &vc);
	assert_int_equal(vc.expunged_count, 0);
	assert_int_equal(mailbox_count(box), 3);
	mailbox_close(box);
	fixture_clear(&f);
}

/* Left-over files: not what is young, not often, not without end. */
static void
test_sweep(void **state)
{
	struct mailbox *box;
	struct err e = ERR_INIT;

	(void)state;
	start();
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	save_numbered(box, 1);
	fixture_run(&f, "cd Maildir/tmp && touch young old .hidden && touch -d '3 days ago' dated && mkdir dir && ln -s /etc/passwd link");
	/* The time of the inode can not be set back: so what is young enough is set instead. */
	fixture_close(&f);
	f.conf.tmp_age_s = 3600;
	f.conf.tmp_interval_s = 0;
	fixture_open(&f);
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	MUST(storage_maintain(f.st, &e), &e);
	assert_int_equal(fixture_number(&f, "ls -A Maildir/tmp | wc -l"), 6);
	fixture_close(&f);
	f.conf.tmp_age_s = 1;
	fixture_open(&f);
	usleep(2100000);
	/* Somebody has looked lately: that is enough, but for a chance of one in 256. */
	f.conf.tmp_interval_s = 86400;
	fixture_close(&f);
	fixture_open(&f);
	for (int i = 0; i < 3; i++) {
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		MUST(storage_maintain(f.st, &e), &e);
		mailbox_close(box);
	}
	if (fixture_number(&f, "ls -A Maildir/tmp | wc -l") != 6)
		print_message("swept by chance\n");
	/* A week later. */
	fixture_run(&f, "touch -a -d '8 days ago' Maildir/tmp");
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	MUST(storage_maintain(f.st, &e), &e);
	assert_int_equal(fixture_number(&f, "ls -A Maildir/tmp | wc -l"), 3);
	assert_int_equal(fixture_number(&f, "find Maildir/tmp -maxdepth 0 -amin -5 | wc -l"), 1);
	assert_string_equal(numbers(box), "1");
	mailbox_close(box);
	fixture_clear(&f);
}

/* A process that is killed with all locks in its hands leaves nobody waiting. */
static void
test_locks(void **state)
{
	struct mailbox *box;
	struct view_changes vc;
	struct err e = ERR_INIT;

	(void)state;
	start();
	box = box_of(f.st, "INBOX", MAILBOX_WRITE);
	save_numbered(box, 1);
	fixture_close(&f);
	for (unsigned round = 0; round < 3; round++) {
		int ready[2];
		pid_t pid;
		char c;

		assert_int_equal(pipe(ready), 0);
		pid = fork();
		assert_true(pid != -1);
		if (pid == 0) {
			struct index_txn *t;

			f.st = fixture_storage(&f);
			box = box_of(f.st, "INBOX", MAILBOX_SAVE);
			if (maildir_box_lock(box->handle, &e) == -1 || index_write(box->store->ix, &t, &e) == -1 ||
			    write(ready[1], "x", 1) != 1)
				_exit(1);
			pause();
			_exit(1);
		}
		close(ready[1]);
		assert_int_equal(read(ready[0], &c, 1), 1);
		close(ready[0]);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		alarm(20);
		fixture_open(&f);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		save_numbered(box, 2 + round);
		sync_box(box, &vc);
		assert_int_equal(mailbox_count(box), 2 + round);
		fixture_close(&f);
		alarm(0);
	}
	fixture_clear(&f);
}

static void
child_of_host(const char *host, unsigned first, unsigned count)
{
	struct fixture mine = f;
	struct mailbox *box;

	if (sethostname(host, strlen(host)) == -1)
		_exit(77);
	mine.st = fixture_storage(&mine);
	box = box_of(mine.st, "INBOX", MAILBOX_SAVE);
	for (unsigned i = 0; i < count; i++)
		save_numbered(box, first + i);
	mailbox_close(box);
	storage_close(mine.st);
	_exit(0);
}

/* Two host names at one spool, at the same time: each name is there once, and says where it comes from. */
static void
test_two_hosts(void **state)
{
	static const char *const hosts[2] = { "here.example.org", "od/d:na,me" };
	pid_t pids[2];
	struct mailbox *box;
	bool denied = false;
	uint64_t seen = 0;

	(void)state;
	fixture_init(&f);
	fixture_run(&f, "mkdir Maildir");
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		assert_true(pids[i] != -1);
		if (pids[i] == 0) {
			if (unshare(CLONE_NEWUTS) == -1 && unshare(CLONE_NEWUSER | CLONE_NEWUTS) == -1)
				_exit(77);
			child_of_host(hosts[i], (unsigned)i * 30, 30);
		}
	}
	for (int i = 0; i < 2; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		denied = denied || (WIFEXITED(status) && WEXITSTATUS(status) == 77);
		assert_true(denied || status == 0);
	}
	if (!denied) {
		fixture_open(&f);
		box = box_of(f.st, "INBOX", MAILBOX_WRITE);
		assert_int_equal(mailbox_count(box), 60);
		for (uint32_t seq = 1; seq <= 60; seq++)
			seen |= (uint64_t)1 << number_of(box, mailbox_uid(box, seq));
		assert_true(seen == ((uint64_t)1 << 60) - 1);
		assert_int_equal(fixture_number(&f, "ls Maildir/new | grep -c '\\.here\\.example\\.org,S='"), 30);
		assert_int_equal(fixture_number(&f, "ls Maildir/new | grep -cF '.od\\057d\\072na\\054me,S='"), 30);
		check_counts(box);
		mailbox_close(box);
	}
	fixture_clear(&f);
	if (denied)
		skip();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_hosts),	/* first: a process asks for its host's name once */
		cmocka_unit_test(test_adding),
		cmocka_unit_test(test_new_alone),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_flags_and_removal),
		cmocka_unit_test(test_no_messages),
		cmocka_unit_test(test_without_rights),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_locks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
