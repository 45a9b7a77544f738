/* SPDX-License-Identifier: MIT */
/*
 * Several processes at the same mail: they deliver, flag, expunge, copy, move and look; an outside program adds, renames
 * and removes files; in the second test some of them are killed in the middle.  What must hold, whatever the order:
 * a UID never stands for two messages, a message that nobody removed is there, counts are right, and an index that is
 * lost comes back with the same UIDs.
 */
#include "storage-fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "lib/sys.h"

#define NUMBERS 40000
#define UIDS 60000
#define STEPS (getenv("STRESS_STEPS") == NULL ? 250 : (unsigned)atoi(getenv("STRESS_STEPS")))	/* for long runs */

/* Shared by all processes. */
struct shared {
	_Atomic unsigned next;				/* number of the next message */
	_Atomic unsigned char acked[NUMBERS];		/* it was acknowledged */
	_Atomic unsigned char doomed[NUMBERS];		/* somebody set out to remove it */
	_Atomic unsigned char tried[NUMBERS];		/* a save of it began */
	_Atomic unsigned seen[2][UIDS];			/* number that a UID stands for */
	_Atomic unsigned char gone[2][UIDS];		/* its expunge was acknowledged */
	_Atomic unsigned failures;
};

static const char *const names[2] = { "INBOX", "Work" };
static struct shared *sh;
static unsigned seed;

static unsigned
roll(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % n;
}

#define SHOULD(cond, ...) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, __VA_ARGS__); \
			fprintf(stderr, " (line %d)\n", __LINE__); \
			sh->failures++; \
		} \
	} while (0)

/* The number in a message; 0: it has gone. */
static unsigned
look(struct mailbox *box, int which, uint32_t uid)
{
	struct err e = ERR_INIT;
	struct span body;
	unsigned n = 0, was = 0;
	char text[100] = "";

	if (mailbox_body(box, uid, &body, &e) == -1) {
		SHOULD(e.code == ERR_GONE, "body of %u: %s", uid, e.log);
		return 0;
	}
	memcpy(text, body.p, body.n < sizeof(text) - 1 ? body.n : sizeof(text) - 1);
	if (sscanf(text, "X-Number: %u", &n) != 1 || n == 0 || n >= NUMBERS) {
		SHOULD(false, "uid %u holds %s", uid, text);
		return 0;
	}
	if (uid < UIDS && !atomic_compare_exchange_strong(&sh->seen[which][uid], &was, n))
		SHOULD(was == n, "%s uid %u was message %u and is %u", names[which], uid, was, n);
	return n;
}

static void
deliver(struct storage *st, int which)
{
	struct err e = ERR_INIT;
	struct arena *a = arena_new(1 << 20);
	struct mailbox *box;
	struct save_params p = { .flags = roll(3) == 0 ? MSG_SEEN : 0, .internal_date = INT64_MIN };
	struct saver *s = NULL;
	struct uid_list uids;
	uint32_t validity;
	unsigned n[3], count = 1 + roll(3);
	char text[100];
	bool fine = mailbox_open(st, span_str(names[which]), MAILBOX_SAVE, &box, &e) == 0 && saver_new(box, &s, &e) == 0;

	for (unsigned i = 0; i < count && fine; i++) {
		n[i] = sh->next++;
		if (n[i] >= NUMBERS)
			break;
		sh->tried[n[i]] = 1;
		snprintf(text, sizeof(text), "X-Number: %u\r\n\r\nBody\r\n", n[i]);
		fine = saver_begin(s, &p, &e) == 0 && saver_write(s, span_str(text), &e) == 0 && saver_finish(s, &e) == 0;
	}
	fine = fine && saver_commit(s, a, &validity, &uids, &e) == 0;
	SHOULD(fine, "deliver: %s", e.log);
	for (unsigned i = 0; i < count && fine; i++) {
		unsigned was = 0;

		SHOULD(i == 0 || uids.uids[i] > uids.uids[i - 1], "UIDs do not ascend");
		sh->acked[n[i]] = 1;
		if (uids.uids[i] < UIDS && !atomic_compare_exchange_strong(&sh->seen[which][uids.uids[i]], &was, n[i]))
			SHOULD(was == n[i], "%s uid %u was %u and was given to %u", names[which], uids.uids[i], was, n[i]);
	}
	saver_free(s);
	mailbox_close(box);
	arena_free(a);
}

static void
check_view(struct mailbox *box)
{
	for (uint32_t i = 2; i <= mailbox_count(box); i++)
		SHOULD(mailbox_uid(box, i) > mailbox_uid(box, i - 1), "the view does not ascend at %u", i);
}

static void
session_step(struct storage *st, struct mailbox *box[2], struct arena *a)
{
	int which = (int)roll(2);
	struct mailbox *b = box[which];
	uint32_t count = mailbox_count(b), uid = count == 0 ? 0 : mailbox_uid(b, 1 + roll(count));
	struct flag_change fc = { .op = (enum flag_op)roll(3), .flags = 1u << roll(4) };
	struct err e = ERR_INIT;
	struct view_changes vc;
	struct copy_result r;
	unsigned n;

	if (uid == 0 || roll(4) == 0) {
		SHOULD(mailbox_sync(b, roll(4) != 0, &vc, &e) == 0, "sync: %s", e.log);
		SHOULD(!vc.gone, "gone");
		check_view(b);
		return;
	}
	switch (roll(8)) {
	case 0:
	case 1:
		fc.flags &= ~(unsigned)MSG_DELETED;
		SHOULD(mailbox_store(b, &uid, 1, &fc, a, NULL, NULL, &e) == 0, "store: %s", e.log);
		break;
	case 2:
		n = look(b, which, uid);
		if (n == 0)
			break;
		sh->doomed[n] = 1;
		SHOULD(mailbox_expunge(b, &uid, 1, true, &e) == 0, "expunge: %s", e.log);
		if (uid < UIDS)
			sh->gone[which][uid] = 1;
		break;
	case 3:
		SHOULD(mailbox_copy(b, &uid, 1, box[!which], false, a, &r, &e) == 0, "copy: %s", e.log);
		break;
	case 4:
		SHOULD(mailbox_copy(b, &uid, 1, box[!which], true, a, &r, &e) == 0, "move: %s", e.log);
		break;
	case 5:
		SHOULD(storage_maintain(st, &e) == 0, "maintain: %s", e.log);
		break;
	default:
		look(b, which, uid);
		mailbox_read_end(b);
		break;
	}
}

static void
session(struct fixture *f, unsigned steps)
{
	struct storage *st = fixture_storage(f);
	struct arena *a = arena_new(1 << 20);
	struct mailbox *box[2] = { box_of(st, "INBOX", MAILBOX_WRITE), box_of(st, "Work", MAILBOX_WRITE) };

	for (unsigned i = 0; i < steps; i++) {
		if (roll(3) == 0)
			deliver(st, (int)roll(2));
		else
			session_step(st, box, a);
		arena_reset(a);
	}
	mailbox_close(box[0]);
	mailbox_close(box[1]);
	storage_close(st);
	arena_free(a);
}

/* A random file of a directory; false when there is none. */
static bool
pick(const char *dir, char name[256])
{
	DIR *d = opendir(dir);
	struct dirent *ent;
	unsigned n = 0;

	while (d != NULL && (ent = readdir(d)) != NULL)
		if (ent->d_name[0] != '.' && roll(++n) == 0)
			snprintf(name, 256, "%s", ent->d_name);
	if (d != NULL)
		closedir(d);
	return n > 0;
}

/* What mutt, procmail and rm do. */
static void
outside(struct fixture *f, unsigned steps)
{
	static const char *const dirs[2] = { "Maildir", "Maildir/.Work" };

	for (unsigned i = 0; i < steps; i++) {
		char box[128], dir[160], name[256], from[512], to[600], text[200];
		bool cur = roll(2);
		unsigned n;

		snprintf(box, sizeof(box), "%s/%s", f->home, dirs[roll(2)]);
		snprintf(dir, sizeof(dir), "%s/%s", box, cur ? "cur" : "new");
		switch (roll(4)) {
		case 0:
			n = sh->next++;
			if (n >= NUMBERS)
				break;
			snprintf(text, sizeof(text), "X-Number: %u\n\nBody\n", n);
			sh->tried[n] = 1;
			snprintf(from, sizeof(from), "%s/tmp/out%u", box, n);
			snprintf(to, sizeof(to), "%s/new/%lld.M%uP1.out", box, (long long)time(NULL), n);
			FILE *file = fopen(from, "w");

			if (file == NULL)
				break;
			fputs(text, file);
			fclose(file);
			sh->acked[n] = rename(from, to) == 0;
			break;
		case 1:
			if (!pick(dir, name))
				break;
			snprintf(from, sizeof(from), "%s/%s", dir, name);
			int fd = open(from, O_RDONLY);
			ssize_t got = fd == -1 ? -1 : read(fd, text, sizeof(text) - 1);

			if (fd != -1)
				close(fd);
			if (got <= 0)
				break;
			text[got] = '\0';
			if (sscanf(text, "X-Number: %u", &n) == 1 && n < NUMBERS)
				sh->doomed[n] = 1;
			unlink(from);
			break;
		default:
			if (!pick(dir, name))
				break;
			snprintf(from, sizeof(from), "%s/%s", dir, name);
			name[strcspn(name, ":")] = '\0';
			snprintf(to, sizeof(to), "%s/cur/%s:2,%s", box, name, roll(2) ? "S" : "FS");
			rename(from, to);
			break;
		}
		usleep(500);
	}
}

static pid_t
start(struct fixture *f, unsigned number, void (*run)(struct fixture *, unsigned), unsigned steps)
{
	pid_t pid = fork();

	if (pid == 0) {
		seed = number * 7919 + 17;
		run(f, steps);
		_exit(0);
	}
	assert_true(pid > 0);
	return pid;
}

static void
wait_for(pid_t pid, bool killed)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (killed)
		return;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
check_end(struct fixture *f)
{
	static unsigned char there[NUMBERS];
	static unsigned uids[2][UIDS];

	memset(there, 0, sizeof(there));
	memset(uids, 0, sizeof(uids));
	for (int round = 0; round < 2; round++) {
		struct storage *st = fixture_storage(f);

		for (int which = 0; which < 2; which++) {
			struct mailbox *box = box_of(st, names[which], MAILBOX_WRITE);

			/* Twice: what outside programs did at the very end. */
			sync_box(box, NULL);
			check_view(box);
			for (uint32_t seq = 1; seq <= mailbox_count(box); seq++) {
				uint32_t uid = mailbox_uid(box, seq);
				unsigned n = look(box, which, uid);

				SHOULD(n != 0, "%s: message %u has no file", names[which], uid);
				SHOULD(!sh->gone[which][uid], "%s: uid %u was expunged and is back", names[which], uid);
				SHOULD(sh->tried[n], "message %u was never made", n);
				there[n] = 1;
				SHOULD(round == 0 || uids[which][uid] == n, "%s: uid %u is %u after the rebuild, was %u",
				    names[which], uid, n, uids[which][uid]);
				uids[which][uid] = n;
			}
			check_counts(box);
			mailbox_close(box);
		}
		storage_close(st);
		if (round == 0)
			fixture_lose_index(f);
	}
	for (unsigned n = 1; n < NUMBERS; n++)
		SHOULD(!sh->acked[n] || sh->doomed[n] || there[n], "message %u is lost", n);
	assert_int_equal(sh->failures, 0);
}

static void
begin(struct fixture *f)
{
	struct err e = ERR_INIT;

	fixture_init(f);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(sh != MAP_FAILED);
	sh->next = 1;
	fixture_open(f);
	MUST(storage_create(f->st, SPAN("Work"), false, &e), &e);
	fixture_close(f);
}

static void
end(struct fixture *f)
{
	check_end(f);
	munmap(sh, sizeof(*sh));
	fixture_clear(f);
}

static void
test_processes(void **state)
{
	struct fixture f;
	pid_t pid[5];

	(void)state;
	begin(&f);
	for (unsigned i = 0; i < 4; i++)
		pid[i] = start(&f, i + 1, session, STEPS);
	pid[4] = start(&f, 99, outside, 300);
	for (unsigned i = 0; i < 5; i++)
		wait_for(pid[i], false);
	end(&f);
}

static void
test_kills(void **state)
{
	struct fixture f;

	(void)state;
	begin(&f);
	seed = 4711;
	for (unsigned round = 0; round < 25; round++) {
		pid_t pid[2] = { start(&f, round * 2 + 1000, session, 100000), start(&f, round * 2 + 1001, session, 100000) };

		usleep(2000 + roll(20000));
		kill(pid[0], SIGKILL);
		usleep(roll(4000));
		kill(pid[1], SIGKILL);
		wait_for(pid[0], true);
		wait_for(pid[1], true);
		assert_int_equal(sh->failures, 0);
	}
	end(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_processes),
		cmocka_unit_test(test_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
