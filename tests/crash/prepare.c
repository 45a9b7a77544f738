/* SPDX-License-Identifier: MIT */
/* The mail that an operation finds, and what has been done to it before. */
#include "prepare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHILD_SECONDS 60
#define MANY 36	/* files: the driver lets more than 32 keep their names */

bool
in_child(struct world *w, void (*body)(void *), const char *what, char *why, size_t why_n)
{
	pid_t pid;
	int status;

	w->sh->error[0] = '\0';
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(CHILD_SECONDS);
		body(w);
		_exit(0);
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid)
		die("fork");
	if (WIFSIGNALED(status))
		snprintf(why, why_n, "%s: died of signal %d", what, WTERMSIG(status));
	else if (WEXITSTATUS(status) != 0)
		snprintf(why, why_n, "%s: exit status %d: %s", what, WEXITSTATUS(status), w->sh->error);
	else if (w->sh->error[0] != '\0')
		snprintf(why, why_n, "%s: %s", what, w->sh->error);
	else
		return true;
	return false;
}

static void
run_steps(struct world *w, const struct step *steps, size_t count)
{
	struct err e = ERR_INIT;
	struct storage *st = world_open(w);

	for (size_t i = 0; st != NULL && i < count && w->sh->error[0] == '\0'; i++) {
		if (run_step(w, st, &steps[i], &e) == -1 ||
		    (steps[i].kind == STEP_SAVE && announce(w, st, steps[i].box, &e) == -1))
			snprintf(w->sh->error, sizeof(w->sh->error), "step %zu: %s", i, e.log);
	}
	storage_close(st);
}

#define N(...) .numbers = { __VA_ARGS__ }

/* What an index that is long out of date knows. */
static void
base_early(void *world)
{
	static const struct step steps[] = {
		{ .kind = STEP_SAVE, .box = "INBOX", N(1) },
		{ .kind = STEP_CREATE, .box = "Work" },
		{ .kind = STEP_SAVE, .box = "INBOX", N(2, 3), .flags = MSG_FLAGGED },
		{ .kind = STEP_SAVE, .box = "Work", N(101, 102) },
	};

	run_steps(world, steps, COUNT(steps));
}

static void
base_late(void *world)
{
	static const struct step steps[] = {
		{ .kind = STEP_SAVE, .box = "INBOX", N(4) },
		{ .kind = STEP_SAVE, .box = "INBOX", N(5), .flags = MSG_DELETED, .keywords = KW_JUNK },
		{ .kind = STEP_SAVE, .box = "INBOX", N(6, 7) },
		{ .kind = STEP_STORE, .box = "INBOX", N(2), .flags = MSG_SEEN, .op = FLAGS_ADD },
		{ .kind = STEP_CREATE, .box = "Work/Sub" },
		{ .kind = STEP_SAVE, .box = "Work", N(103, 104), .flags = MSG_SEEN, .keywords = KW_LABEL },
		{ .kind = STEP_SAVE, .box = "Work/Sub", N(201, 202) },
		{ .kind = STEP_SUBSCRIBE, .box = "INBOX" },
		{ .kind = STEP_SUBSCRIBE, .box = "Work" },
		/* The newest are gone, and were told of. */
		{ .kind = STEP_EXPUNGE, .box = "INBOX", N(6, 7) },
		{ .kind = STEP_EXPUNGE, .box = "Work", N(102) },
	};

	run_steps(world, steps, COUNT(steps));
}

static void
look(void *world)
{
	struct world *w = world;
	struct err e = ERR_INIT;
	struct storage *st = world_open(w);

	if (st != NULL && observe(w, st, &w->sh->seen, &e) == -1)
		snprintf(w->sh->error, sizeof(w->sh->error), "%s", e.log);
	storage_close(st);
}

static const struct step dirty_steps[] = {
	{ .kind = STEP_STORE, .box = "INBOX", N(1, 4), .flags = MSG_SEEN, .op = FLAGS_ADD },
	{ .kind = STEP_STORE, .box = "INBOX", N(3), .flags = MSG_ANSWERED, .keywords = KW_LABEL, .op = FLAGS_SET },
};

/* Dies before it wrote the flags into the files' names. */
static void
leave_dirty(void *world)
{
	struct world *w = world;
	struct err e = ERR_INIT;
	struct storage *st = world_open(w);
	struct mailbox *box;

	if (st == NULL || mailbox_open(st, SPAN("INBOX"), MAILBOX_WRITE, &box, &e) == -1)
		_exit(1);
	/* The mailbox is open another time, so the step's own closing is what would write behind: not yet. */
	for (size_t i = 0; i < COUNT(dirty_steps); i++) {
		const struct step *s = &dirty_steps[i];
		struct flag_change fc = { .op = s->op, .flags = s->flags };
		struct span name = SPAN("Label");

		if (s->keywords != 0 && mailbox_keyword_mask(box, &name, 1, true, &fc.keywords, &e) == -1)
			_exit(2);
		for (int k = 0; s->numbers[k] != 0; k++) {
			uint32_t uid = s->numbers[k];	/* INBOX: as they were saved */

			if (mailbox_store(box, &uid, 1, &fc, NULL, NULL, NULL, &e) == -1)
				_exit(3);
		}
	}
	_exit(0);
}

/* So many were given and expunged that the next takes a new block of UIDs. */
static void
use_up_mark(void *world)
{
	struct world *w = world;
	struct err e = ERR_INIT;
	struct storage *st = world_open(w);
	struct arena *a = arena_new((size_t)8 << 20);
	struct save_params p = { .internal_date = INT64_MIN };
	struct mailbox_view_state state;
	struct mailbox *box;
	struct saver *s;
	struct uid_list uids;
	uint32_t validity;

	if (st == NULL || mailbox_open(st, SPAN("INBOX"), MAILBOX_WRITE, &box, &e) == -1 || saver_new(box, &s, &e) == -1)
		_exit(1);
	mailbox_view_state(box, &state);
	for (uint32_t uid = state.uidnext; uid < 1024; uid++)
		if (saver_begin(s, &p, &e) == -1 || saver_write(s, SPAN("Subject: Number 0\n\n"), &e) == -1 ||
		    saver_finish(s, &e) == -1)
			_exit(2);
	if (saver_commit(s, a, &validity, &uids, &e) == -1 || mailbox_expunge(box, uids.uids, uids.count, true, &e) == -1)
		_exit(3);
	saver_free(s);
	mailbox_close(box);
	storage_close(st);
	arena_free(a);
}

static void
path_in(const struct world *w, char out[512], const char *name)
{
	snprintf(out, 512, "%s/%s", w->home, name);
}

static void
read_stale(struct world *w)
{
	char path[512], name[256];
	struct tree t;
	uint32_t node;

	snprintf(name, sizeof(name), "%s", w->format->index_dir);
	path_in(w, path, name);
	tree_load(&t, path);
	node = tree_find(&t, "data.mdb");
	if (node == NO_NODE)
		die("no index in %s", path);
	w->stale = (struct tree_node){ .data = t.nodes[node].data, .n = t.nodes[node].n };
	w->have_stale = true;
	t.nodes[node].data = NULL;
	tree_clear(&t);
}

static void
spoil_index(struct world *w)
{
	char path[512], name[256];
	static char junk[8192];
	struct stat sb;
	int fd;

	snprintf(name, sizeof(name), "%s/data.mdb", w->format->index_dir);
	path_in(w, path, name);
	memset(junk, 0xa5, sizeof(junk));
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &sb) == -1)
		die("open %s", path);
	/* The first two pages say where all others are. */
	for (off_t at = 8192; at < sb.st_size; at += (off_t)sizeof(junk))
		if (pwrite(fd, junk, sizeof(junk), at) != (ssize_t)sizeof(junk))
			die("write %s", path);
	close(fd);
}

static void
remember_told(struct world *w)
{
	for (unsigned i = 0; i < w->sh->at.announced && w->told_count < ANNOUNCED; i++)
		w->told[w->told_count++] = w->sh->announced[i];
	w->sh->at.announced = 0;
}

static void
tell_seen(struct world *w)
{
	for (unsigned i = 0; i < w->sh->seen.count && w->told_count < ANNOUNCED; i++)
		w->told[w->told_count++] = w->sh->seen.box[i];
}

static void
remove_index(struct world *w)
{
	char path[512];

	path_in(w, path, w->format->index_dir);
	remove_tree(path);
}

/* Gives all of it to Dovecot. */
static void
give_away(void *world)
{
	struct world *w = world;
	struct err e = ERR_INIT;
	struct storage *st = world_open(w);

	if (st == NULL || storage_maintain(st, &e) == -1 || (w->format->released && world_release(st, &e) == -1))
		snprintf(w->sh->error, sizeof(w->sh->error), "%.500s", e.log);
	storage_close(st);
}

/* All that is ours in a directory, and below it. */
static void
forget_ours(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;

	while (dir != NULL && (d = readdir(dir)) != NULL) {
		char below[600];

		snprintf(below, sizeof(below), "%.300s/%.255s", path, d->d_name);
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (strncmp(d->d_name, "culver", 6) == 0 || strncmp(d->d_name, ".culver", 7) == 0)
			remove_tree(below);
		else if (d->d_type == DT_DIR)
			forget_ours(below);
	}
	if (dir != NULL)
		closedir(dir);
}

/* Its lists as of a release: tests/e2e/test_release.py compares them with what it writes itself. */
static bool
make_dovecot(struct world *w, char *why, size_t why_n)
{
	if (!in_child(w, give_away, "giving the mail away", why, why_n))
		return false;
	w->have_stale = false;
	if (w->op->prep == PREP_RELEASED)
		return true;
	forget_ours(w->home);
	/* MAILBOXID and MODSEQ were told by nobody. */
	for (unsigned i = 0; i < w->told_count; i++) {
		w->told[i].id = 0;
		w->told[i].modseq = 0;
	}
	return true;
}

static bool
prepare_state(struct world *w, char *why, size_t why_n)
{
	switch (w->op->prep) {
	case PREP_BASE:
	case PREP_EMPTY:
		return true;
	case PREP_NO_INDEX:
		remove_index(w);
		return true;
	case PREP_BAD_INDEX:
		spoil_index(w);
		return true;
	case PREP_FOREIGN:
		w->format->foreign(w);
		return true;
	case PREP_MANY:
		w->format->foreign(w);
		w->format->many(w);
		return true;
	case PREP_MANY_LOST:
		w->format->foreign(w);
		w->format->many(w);
		if (!in_child(w, look, "looking at many", why, why_n))
			return false;
		tell_seen(w);
		remove_index(w);
		return true;
	case PREP_DOVECOT:
	case PREP_RELEASED:
		return make_dovecot(w, why, why_n);
	case PREP_DIRTY:
		if (!in_child(w, leave_dirty, "leaving flags", why, why_n))
			return false;
		for (size_t i = 0; i < COUNT(dirty_steps); i++)
			apply_step(&w->want[0], &dirty_steps[i]);
		return true;
	case PREP_MARK:
		if (!in_child(w, use_up_mark, "using the mark up", why, why_n) || !in_child(w, look, "looking", why, why_n))
			return false;
		tell_seen(w);
		return true;
	}
	return false;
}

static void
load_base(struct world *w)
{
	tree_load(&w->base, w->home);
	if (w->format->one_file)
		tree_keep(&w->base, w->home, w->keep);
}

bool
prepare(struct world *w, char *why, size_t why_n)
{
	if (mkdir(w->home, 0700) == -1)
		die("mkdir %s", w->home);
	w->want[0].origins = 0;
	if (w->op->prep != PREP_EMPTY) {
		if (!in_child(w, base_early, "first mail", why, why_n))
			return false;
		read_stale(w);
		if (!in_child(w, base_late, "more mail", why, why_n))
			return false;
		remember_told(w);
		if (!in_child(w, look, "looking", why, why_n))
			return false;
		want_from_seen(&w->want[0], &w->sh->seen);
		tell_seen(w);
	} else {
		w->want[0].count = w->want[0].origins = 1;
		w->want[0].box[0] = (struct want_box){ .name = "INBOX", .origin = 1 };
	}
	w->before = w->want[0];
	if (!prepare_state(w, why, why_n))
		return false;
	for (w->steps = 0; w->steps < STEPS && w->op->steps[w->steps].kind != STEP_END; w->steps++) {
		w->want[w->steps + 1] = w->want[w->steps];
		apply_step(&w->want[w->steps + 1], &w->op->steps[w->steps]);
	}
	load_base(w);
	return true;
}

/* Directories that had to be made anew have another inode: the index is told, as it would be after a restored backup. */
void
prepare_again(struct world *w)
{
	char why[600];

	if (tree_store(&w->base, w->home) || w->op->prep != PREP_BASE)
		return;
	if (!in_child(w, look, "looking again", why, sizeof(why)))
		die("%s", why);
	tree_clear(&w->base);
	load_base(w);
}

/* What procmail, mutt and the shell do to a Maildir. */
static void
put_file(const struct world *w, const char *name, unsigned number)
{
	static char text[65536];
	struct timespec times[2] = { { .tv_sec = DATE_OF(number) }, { .tv_sec = DATE_OF(number) } };
	char path[512];
	size_t n = message_text(number, text, sizeof(text));
	int fd;

	path_in(w, path, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1 || write(fd, text, n) != (ssize_t)n || futimens(fd, times) == -1)
		die("write %s", path);
	close(fd);
}

/* The file of a message, by UID. */
static bool
find_file(const struct world *w, uint32_t uid, char out[512])
{
	static const char *const subs[] = { "Maildir/new", "Maildir/cur" };
	char tail[32];

	snprintf(tail, sizeof(tail), ".%u", uid);
	for (int i = 0; i < 2; i++) {
		char path[512];
		DIR *dir;
		struct dirent *d;

		path_in(w, path, subs[i]);
		dir = opendir(path);
		while (dir != NULL && (d = readdir(dir)) != NULL) {
			char base[300];

			snprintf(base, sizeof(base), "%.255s", d->d_name);
			base[strcspn(base, ":")] = '\0';
			if (strlen(base) < strlen(tail) || strcmp(base + strlen(base) - strlen(tail), tail) != 0)
				continue;
			snprintf(out, 512, "%.200s/%.255s", path, d->d_name);
			closedir(dir);
			return true;
		}
		if (dir != NULL)
			closedir(dir);
	}
	return false;
}

static void
maildir_foreign(struct world *w)
{
	static const struct step as_steps[] = {
		{ .kind = STEP_SAVE, .box = "INBOX", N(301, 302) },
		{ .kind = STEP_SAVE, .box = "INBOX", N(303), .flags = MSG_SEEN },
		{ .kind = STEP_SAVE, .box = "Work", N(304), .flags = MSG_SEEN | MSG_FLAGGED },
		{ .kind = STEP_STORE, .box = "INBOX", N(3), .flags = MSG_SEEN | MSG_ANSWERED, .op = FLAGS_SET },
		{ .kind = STEP_EXPUNGE, .box = "INBOX", N(2) },
	};
	char from[512], to[512];
	size_t base;

	put_file(w, "Maildir/new/1000000301.1_0.example", 301);
	put_file(w, "Maildir/new/1000000302.2_0.example", 302);
	put_file(w, "Maildir/cur/1000000303.3_0.example:2,S", 303);
	snprintf(to, sizeof(to), "Maildir/%s/cur/1000000304.4_0.example:2,FS", w->format->separator == '.' ? ".Work" : "Work");
	put_file(w, to, 304);
	if (!find_file(w, 3, from))
		die("message 3");
	base = strrchr(from, '/') + 1 - from;
	snprintf(to, sizeof(to), "%s/Maildir/cur/%.*s:2,RS", w->home, (int)strcspn(from + base, ":"), from + base);
	if (rename(from, to) == -1 || !find_file(w, 2, from) || unlink(from) == -1)
		die("rename %s", from);
	for (size_t i = 0; i < COUNT(as_steps); i++)
		apply_step(&w->want[0], &as_steps[i]);
}

/* More at once than get new names. */
static void
maildir_many(struct world *w)
{
	for (unsigned number = 305; number < 305 + MANY; number++) {
		struct step step = { .kind = STEP_SAVE, .box = "INBOX", N(number), .flags = number % 3 == 0 ? MSG_SEEN : 0 };
		char name[100];

		snprintf(name, sizeof(name), "Maildir/%s/1000000%u.M%uP7.example%s", number % 2 == 0 ? "new" : "cur", number, number,
		    number % 2 == 0 ? "" : number % 3 == 0 ? ":2,S" : ":2,");
		if (number % 2 == 0)
			step.flags = 0;
		put_file(w, name, number);
		apply_step(&w->want[0], &step);
	}
}

/* The messages of an mbox file, changed as mail programs do: one goes, others come. */
static void
change_mbox(const struct world *w, const char *name, unsigned gone, const char *more)
{
	static char text[1 << 20], mark[64];
	char path[512], *at, *end;
	size_t n;
	int fd;

	path_in(w, path, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd == -1 || (n = (size_t)read(fd, text, sizeof(text) - 1)) == (size_t)-1)
		die("read %s", path);
	text[n] = '\0';
	snprintf(mark, sizeof(mark), "Subject: Number %u\n", gone);
	at = gone == 0 ? NULL : strstr(text, mark);
	if (at != NULL) {
		while (at > text && !(strncmp(at, "From ", 5) == 0 && at[-1] == '\n'))
			at--;
		end = strstr(at, "\nFrom ");
		n -= (size_t)(end + 1 - at);
		memmove(at, end + 1, strlen(end + 1) + 1);
	}
	n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", more);
	if (pwrite(fd, text, n, 0) != (ssize_t)n || ftruncate(fd, (off_t)n) == -1)
		die("write %s", path);
	close(fd);
}

/* From_ lines are in local time; DATE_OF as it says it. */
static void
mbox_text(struct buf *out, unsigned number, const char *status)
{
	static char text[65536];
	time_t date = (time_t)DATE_OF(number);
	char stamp[64];
	struct tm tm;
	size_t n = message_text(number, text, sizeof(text)), first = (size_t)(strchr(text, '\n') + 1 - text);

	localtime_r(&date, &tm);
	strftime(stamp, sizeof(stamp), "%a %b %e %H:%M:%S %Y", &tm);
	buf_addf(out, "From a@example.org %s\n", stamp);
	buf_add(out, span_of(text, first));
	buf_adds(out, status);
	buf_add(out, span_of(text + first, n - first));
	buf_addc(out, '\n');
}

static void
mbox_foreign(struct world *w)
{
	static const struct step as_steps[] = {
		{ .kind = STEP_SAVE, .box = "INBOX", N(301, 302) },
		{ .kind = STEP_SAVE, .box = "INBOX", N(303), .flags = MSG_SEEN },
		{ .kind = STEP_SAVE, .box = "Work", N(304), .flags = MSG_SEEN | MSG_FLAGGED },
		{ .kind = STEP_EXPUNGE, .box = "INBOX", N(2) },
	};
	struct buf more = BUF_INIT(1 << 20);

	mbox_text(&more, 301, "");
	mbox_text(&more, 302, "");
	mbox_text(&more, 303, "Status: RO\n");
	change_mbox(w, "mail/inbox", 2, buf_cstr(&more));
	buf_reset(&more);
	mbox_text(&more, 304, "Status: RO\nX-Status: F\n");
	change_mbox(w, "mail/.Work", 0, buf_cstr(&more));
	buf_clear(&more);
	for (size_t i = 0; i < COUNT(as_steps); i++)
		apply_step(&w->want[0], &as_steps[i]);
}

const struct format formats[] = {
	{ "maildir", "maildir:~/Maildir", '.', "Maildir/culver.index", false, maildir_foreign, true, maildir_many },
	/* Names hold mail and others below them. */
	{ "mbox", "mbox:~/mail:INBOX=~/mail/inbox:LAYOUT=maildir++", '.', "mail/.culver.index", true, mbox_foreign, false, NULL },
	{ "maildir-fs", "maildir:~/Maildir:LAYOUT=fs", '/', "Maildir/culver.index", false, maildir_foreign, true, maildir_many },
};
const size_t format_count = COUNT(formats);
