/* SPDX-License-Identifier: MIT */
/*
 * Every operation with every fault: see doc/testing.md.  Prints TAP: one test for each operation and kind of fault.
 */
#include "prepare.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "lib-index/session.h"
#include "lib/log.h"

#define SHORT_ROUNDS 14		/* of a test, when not all are wanted */
#define SHOWN 6			/* failures of a test that are printed */
#define SEEDS 8
#define LOCK_MS 5000
#define BOOT_SECONDS 300	/* longer than a lock file without a name in it counts */

enum fault { FAULT_KILL, FAULT_ERROR, FAULT_FULL, FAULT_STORM, FAULT_LIE, FAULT_POWER, FAULT_TWICE, FAULTS };
static const char *const fault_names[FAULTS] = { "kill", "error", "full-disk", "interrupted", "unsure", "power-cut",
	"kill-twice" };

struct job {
	const struct format *format;
	const struct op *op;
	enum fault fault;
	enum fsync_mode fsync;
};

struct options {
	bool all, verbose;
	uint64_t seed;
	const char *only;
	unsigned point;		/* this one alone; 0: all */
	const char *dir;
};

struct testing {
	struct world w;
	const struct options *o;
	struct job job;
	struct traced clean;
	struct journal journal;
	unsigned rounds, points, failures;
	uint64_t seed;
	FILE *out;
	char why[700];
	bool power, repaired;	/* of the round at hand */
};

static void
fresh_process(void *world)
{
	struct world *w = world;
	struct err e = ERR_INIT;
	struct storage *st = world_open(w);

	/* An mbox is put right when it is first written to. */
	if (st != NULL && ((op_gives(w->op) && world_adopt(st, &e) == -1) || (w->format->one_file && check_works(w, st, &e) == -1) ||
	    observe(w, st, &w->sh->seen, &e) == -1 || check_told(w, st, &e) == -1 ||
	    (!w->format->one_file && check_works(w, st, &e) == -1) || check_scrub(st, &e) == -1))
		snprintf(w->sh->error, sizeof(w->sh->error), "%s", e.log);
	storage_close(st);
}

static time_t later;

/* In the place of libc's: numbers that are made from the time must not be given again, and a boot takes a while. */
time_t
time(time_t *out)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += later;
	if (out != NULL)
		*out = now.tv_sec;
	return now.tv_sec;
}

static void
only_look(void *world)
{
	struct world *w = world;
	struct err e = ERR_INIT;
	struct storage *st = world_open(w);

	if (st != NULL && (!op_gives(w->op) || world_adopt(st, &e) == 0))
		observe(w, st, &w->sh->seen, &e);
	storage_close(st);
}

static void
after_power_cut(void *world)
{
	session_boot_set(0x0123456789abcdef);
	later = BOOT_SECONDS;
	fresh_process(world);
}

/* The disk was changed, or emptied: that takes a while as well. */
static void
after_repair(void *world)
{
	later = BOOT_SECONDS;
	fresh_process(world);
}

static void
look_again(void *world)
{
	struct world *w = world;
	struct err e = ERR_INIT;
	struct storage *st;
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", w->home, w->format->index_dir);
	remove_tree(path);
	later = 2 * BOOT_SECONDS;
	st = world_open(w);
	if (st != NULL && (observe(w, st, &w->sh->seen, &e) == -1 || check_scrub(st, &e) == -1))
		snprintf(w->sh->error, sizeof(w->sh->error), "%s", e.log);
	storage_close(st);
}

static void
failed(struct testing *t, const char *where)
{
	t->failures++;
	if (t->failures <= SHOWN)
		fprintf(t->out, "# %s: %s\n", where, t->why);
}

/* What every round ends with.  False: t->why tells. */
static bool
check_after(struct testing *t, unsigned acked, unsigned begun)
{
	struct world *w = &t->w;
	struct verdict_of v = { .acked = acked, .begun = begun, .power = t->power,
		.may_be_older = t->power && w->fsync != FSYNC_ALWAYS };
	struct err e = ERR_INIT;
	struct seen *first;
	bool ok;

	if (acked > 0 && w->op->steps[acked - 1].kind == STEP_RELEASE && check_dovecot(w, &e) == -1) {
		snprintf(t->why, sizeof(t->why), "%s", e.log);
		return false;
	}
	if (!in_child(w, t->power ? after_power_cut : t->repaired ? after_repair : fresh_process, "a fresh process", t->why, sizeof(t->why)) ||
	    !judge(w, &v, t->why, sizeof(t->why)))
		return false;
	first = must_alloc(sizeof(*first));
	*first = w->sh->seen;
	ok = in_child(w, look_again, "without the index", t->why, sizeof(t->why));
	if (ok && !judge_same(first, &w->sh->seen, t->why, sizeof(t->why))) {
		char text[700];

		snprintf(text, sizeof(text), "without the index: %.600s", t->why);
		memcpy(t->why, text, sizeof(t->why));
		ok = false;
	}
	free(first);
	return ok;
}

static void
begin_round(struct testing *t)
{
	struct shared *sh = t->w.sh;

	prepare_again(&t->w);
	sh->at = (struct progress){ 0 };
	sh->failed = false;
	sh->error[0] = '\0';
	t->rounds++;
}

/* Calls that are simply made again when they were interrupted, or did half. */
static bool
is_repeated(const struct call *c)
{
	return (c->class == CALL_READ || c->class == CALL_WRITE || c->class == CALL_LOCK) && !is_lmdb(c->what);
}

/* One run of the operation with a fault. */
static void
round_with(struct testing *t, const struct plan *p)
{
	struct world *w = &t->w;
	struct traced run;
	struct err e = ERR_INIT;
	char where[240], no[512];
	unsigned acked, begun;
	bool must_do;

	begin_round(t);
	if (!trace_run(run_op, w, w->home, p, &w->sh->at, NULL, &run))
		die("ptrace");
	snprintf(where, sizeof(where), "call %u%s%s (%s)", p->at, p->error == 0 ? "" : ", ",
	    p->error == 0 ? "" : strerrorname_np(p->error), run.call.what);
	/* A lock file that nobody had time to write into counts for two minutes. */
	t->repaired = t->job.fault == FAULT_FULL || strstr(run.call.what, ".lock") != NULL;
	must_do = p->kind == PLAN_STORM || ((p->kind == PLAN_SHORT || (p->kind == PLAN_FAIL && p->error == EINTR)) &&
	    is_repeated(&run.call));
	acked = w->sh->at.acked;
	begun = w->sh->at.begun;
	memcpy(no, w->sh->error, sizeof(no));
	if (p->kind != PLAN_KILL && !(WIFEXITED(run.status) && WEXITSTATUS(run.status) == 0)) {
		snprintf(t->why, sizeof(t->why), "the process ended with status %x", (unsigned)run.status);
		failed(t, where);
	} else if (w->sh->failed && must_do) {
		snprintf(t->why, sizeof(t->why), "it answered NO: %s", no);
		failed(t, where);
	} else if (w->sh->failed && p->kind == PLAN_FAIL && w->sh->error[0] == '\0') {
		snprintf(t->why, sizeof(t->why), "it answered NO, and did not say why");
		failed(t, where);
	} else if (!check_after(t, acked, begun)) {
		failed(t, where);
	} else if (p->kind == PLAN_FAIL && run.call.class != CALL_REMOVE && check_litter(w, &e) == -1) {
		snprintf(t->why, sizeof(t->why), "%s", e.log);
		failed(t, where);
	}
	if (w->sh->failed && t->o->verbose)
		fprintf(t->out, "# %s: NO: %s\n", where, no);
}

/* How many of so many are tried. */
static bool
is_sampled(struct testing *t, size_t of)
{
	return t->o->all || of <= SHORT_ROUNDS || random_next(&t->seed) % of < SHORT_ROUNDS;
}

static void
test_kill(struct testing *t)
{
	size_t changes = 0;

	for (unsigned i = 0; i < t->clean.calls; i++)
		changes += t->clean.list[i].changes || i + 1 == t->clean.calls;
	for (unsigned i = 1; i <= t->clean.calls; i++) {
		struct plan p = { .kind = PLAN_KILL, .at = i };

		if (!t->clean.list[i - 1].changes && i != t->clean.calls && !t->o->all)
			continue;
		t->points++;
		if ((t->o->point == 0 || t->o->point == i) && is_sampled(t, changes))
			round_with(t, &p);
	}
}

static void
test_errors(struct testing *t)
{
	for (unsigned i = 1; i <= t->clean.calls; i++) {
		const struct call *c = &t->clean.list[i - 1];
		const int *errors = errors_of(c->class);
		size_t n = 0;

		while (errors[n] != 0)
			n++;
		t->points++;
		if ((t->o->point != 0 && t->o->point != i) || !is_sampled(t, t->clean.calls))
			continue;
		for (size_t k = 0; k < n; k++) {
			struct plan p = { .kind = PLAN_FAIL, .at = i, .error = errors[k] };

			if (t->o->all || random_next(&t->seed) % n == 0)
				round_with(t, &p);
		}
		if (c->class == CALL_WRITE) {
			struct plan p = { .kind = PLAN_SHORT, .at = i };

			round_with(t, &p);
		}
	}
}

static void
test_full(struct testing *t)
{
	static const int errors[] = { ENOSPC, EIO, EDQUOT };

	for (unsigned i = 1; i <= t->clean.calls; i++) {
		struct plan p = { .kind = PLAN_FAIL_ALL, .at = i, .error = errors[i % COUNT(errors)] };

		if (!t->clean.list[i - 1].changes)
			continue;
		t->points++;
		if ((t->o->point == 0 || t->o->point == i) && is_sampled(t, t->clean.calls / 2))
			round_with(t, &p);
	}
}

static void
test_lies(struct testing *t)
{
	for (unsigned i = 1; i <= t->clean.calls; i++) {
		const struct call *c = &t->clean.list[i - 1];
		struct plan p = { .kind = PLAN_LIE, .at = i, .error = EIO };

		if (c->class != CALL_RENAME && c->class != CALL_REMOVE && c->class != CALL_SYNC && c->class != CALL_MAKE)
			continue;
		t->points++;
		if ((t->o->point == 0 || t->o->point == i) && is_sampled(t, t->clean.calls / 3))
			round_with(t, &p);
	}
}

static void
test_storm(struct testing *t)
{
	struct plan p = { .kind = PLAN_STORM, .at = 0, .error = EINTR };

	t->points++;
	round_with(t, &p);
}

/* Opening after a crash is itself killed. */
static void
test_twice(struct testing *t)
{
	size_t changes = 0;

	for (unsigned i = 0; i < t->clean.calls; i++)
		changes += t->clean.list[i].changes;
	for (unsigned i = 1; i <= t->clean.calls; i++) {
		struct plan first = { .kind = PLAN_KILL, .at = i }, second = { .kind = PLAN_KILL };
		struct world *w = &t->w;
		struct traced run;
		unsigned acked, begun;
		char where[200];

		if (!t->clean.list[i - 1].changes)
			continue;
		t->points++;
		if ((t->o->point != 0 && t->o->point != i) || !is_sampled(t, changes))
			continue;
		begin_round(t);
		if (!trace_run(run_op, w, w->home, &first, &w->sh->at, NULL, &run))
			die("ptrace");
		acked = w->sh->at.acked;
		begun = w->sh->at.begun;
		t->repaired = w->format->one_file;
		second.at = 1 + (unsigned)(random_next(&t->seed) % 60);
		snprintf(where, sizeof(where), "call %u (%.100s), then %u", i, run.call.what, second.at);
		if (!trace_run(w->format->one_file ? only_look : fresh_process, w, w->home, &second, &w->sh->at, NULL, &run))
			die("ptrace");
		if (!check_after(t, acked, begun))
			failed(t, where);
	}
}

static void
cut_once(struct testing *t, unsigned call, const struct choice *c, unsigned acked, unsigned begun)
{
	struct world *w = &t->w;
	struct choice mine = *c;
	char where[240];
	struct tree cut;

	/* Small messages of an mbox file are not noted on disk before they are written, unless all is to be synced. */
	mine.no_zeros = w->format->one_file && w->fsync != FSYNC_ALWAYS;
	mine.whole_writes = w->format->one_file && w->fsync != FSYNC_ALWAYS;
	prepare_again(w);
	journal_cut(&t->journal, call, &mine, w->format->index_dir, w->have_stale ? &w->stale : NULL, &cut);
	cut.keep = w->base.keep;
	tree_store(&cut, w->home);
	tree_clear(&cut);
	t->rounds++;
	snprintf(where, sizeof(where), "cut before %u (%.100s), entries %d, data %d, index %d, seed %llx", call,
	    call <= t->clean.calls ? t->clean.list[call - 1].what : "the end", (int)c->entries, (int)c->data, (int)c->index,
	    (unsigned long long)c->seed);
	if (!check_after(t, acked, begun))
		failed(t, where);
}

static void
test_power(struct testing *t)
{
	static const struct choice fixed[] = {
		{ ENTRIES_SYNCED, DATA_LOST, INDEX_BASE, false, false, 1 },
		{ ENTRIES_ALL, DATA_LOST, INDEX_MISSING, false, false, 2 },
		{ ENTRIES_ALL, DATA_ZEROS, INDEX_LATEST, false, false, 3 },
		{ ENTRIES_ALL, DATA_ALL, INDEX_STALE, false, false, 4 },
		{ ENTRIES_BUT_LAST, DATA_ALL, INDEX_LATEST, false, false, 5 },
		{ ENTRIES_SYNCED, DATA_LOST, INDEX_LATEST, false, false, 6 },
		{ ENTRIES_ALL, DATA_ALL, INDEX_BASE, false, false, 7 },
		{ ENTRIES_SYNCED, DATA_LOST, INDEX_AS_FILES, false, false, 8 },
	};
	struct progress end = t->w.sh->at;
	uint64_t start = t->seed;
	unsigned turn = (unsigned)(random_next(&t->seed) % COUNT(fixed));
	size_t changes = 1;

	for (unsigned i = 0; i < t->clean.calls; i++)
		changes += t->clean.list[i].changes;
	for (unsigned i = 1; i <= t->clean.calls + 1; i++) {
		const struct call *c = i <= t->clean.calls ? &t->clean.list[i - 1] : NULL;
		const struct progress *at = c == NULL ? &end : &c->at;

		if (c != NULL && !c->changes)
			continue;
		t->points++;
		if ((t->o->point != 0 && t->o->point != i) || !(i > t->clean.calls || is_sampled(t, changes)))
			continue;
		t->w.sh->at.announced = at->announced;
		for (unsigned k = 0; k < COUNT(fixed); k++)
			if (t->o->all || k == (turn + i) % COUNT(fixed) || i > t->clean.calls)
				cut_once(t, i, &fixed[k], at->acked, at->begun);
		for (unsigned k = 0; k < (t->o->all ? SEEDS : 1); k++) {
			struct choice random = { .entries = k % 3 == 0 ? ENTRIES_PREFIX : ENTRIES_RANDOM, .data = DATA_RANDOM };
			uint64_t seed = start + i * SEEDS + k;	/* the same also when this point alone is wanted */

			random.seed = random_next(&seed);
			random.index = (enum keep_index)(random.seed % 6);
			cut_once(t, i, &random, at->acked, at->begun);
		}
	}
}

/* Once without any fault: what comes out is what the model says, and the calls are numbered. */
static bool
run_clean(struct testing *t)
{
	struct world *w = &t->w;
	struct plan none = { .kind = PLAN_NONE };
	struct traced run;

	w->sh->at = (struct progress){ 0 };
	tree_load(&t->journal.base, w->home);
	tree_copy(&t->journal.now, &t->journal.base);
	if (!trace_run(run_op, w, w->home, &none, &w->sh->at, &t->journal, &run)) {
		snprintf(t->why, sizeof(t->why), "the system does not let a process be traced");
		return false;
	}
	t->clean = run;
	if (!WIFEXITED(run.status) || WEXITSTATUS(run.status) != 0 || w->sh->failed || w->sh->at.acked != w->steps) {
		snprintf(t->why, sizeof(t->why), "without a fault it fails: status %x, %u of %u steps: %s", (unsigned)run.status,
		    w->sh->at.acked, w->steps, w->sh->error);
		return false;
	}
	return true;
}

static void
run_job(struct testing *t)
{
	static void (*const tests[FAULTS])(struct testing *) = {
		[FAULT_KILL] = test_kill, [FAULT_ERROR] = test_errors, [FAULT_FULL] = test_full, [FAULT_STORM] = test_storm,
		[FAULT_LIE] = test_lies, [FAULT_POWER] = test_power, [FAULT_TWICE] = test_twice,
	};
	struct world *w = &t->w;

	w->conf = STORAGE_CONF_DEFAULT;
	w->conf.user = SPAN("bob");
	w->conf.location = span_str(w->format->location);
	w->conf.fsync = w->fsync;
	w->conf.copy_by_link = !w->op->by_content;
	/* A lock file that was made, while the answer was that it was not, is nobody's that can be known. */
	w->conf.mbox.lock_timeout_ms = LOCK_MS;
	if (!prepare(w, t->why, sizeof(t->why)) || !run_clean(t)) {
		failed(t, "preparing");
		return;
	}
	if (t->o->verbose)
		for (unsigned i = 0; i < t->clean.calls; i++)
			fprintf(t->out, "# %u %s%s\n", i + 1, t->clean.list[i].changes ? "* " : "", t->clean.list[i].what);
	t->power = false;
	if (!check_after(t, w->steps, w->steps)) {
		failed(t, "without a fault");
		return;
	}
	t->power = t->job.fault == FAULT_POWER;
	t->repaired = t->job.fault == FAULT_FULL;
	tests[t->job.fault](t);
	journal_clear(&t->journal);
	traced_clear(&t->clean);
}

static const char *
job_name(const struct job *j, char out[128])
{
	snprintf(out, 128, "%s/%s/%s%s", j->format->name, j->op->name, fault_names[j->fault],
	    j->fault != FAULT_POWER ? "" : j->fsync == FSYNC_ALWAYS ? "-always" : "-optimized");
	return out;
}

static size_t
list_jobs(struct job *out, const char *only)
{
	char name[128];
	size_t n = 0;

	for (size_t f = 0; f < format_count; f++) {
		for (size_t o = 0; o < op_count; o++) {
			if (!op_fits(&ops[o], &formats[f]))
				continue;
			for (int k = 0; k < FAULTS; k++) {
				for (int sync = 0; sync < (k == FAULT_POWER ? 2 : 1); sync++) {
					/* Errors where most is asked of the disk. */
					bool always = k == FAULT_POWER ? sync == 1 : k == FAULT_ERROR || k == FAULT_LIE;

					out[n] = (struct job){ &formats[f], &ops[o], (enum fault)k,
						always ? FSYNC_ALWAYS : FSYNC_OPTIMIZED };
					if (only == NULL || strstr(job_name(&out[n], name), only) != NULL)
						n++;
				}
			}
		}
	}
	return n;
}

struct board {
	unsigned next, points, rounds, failed, done;
};

/* The same for a test whichever others run. */
static uint64_t
seed_of(uint64_t seed, const char *name)
{
	for (; *name != '\0'; name++)
		seed = (seed ^ (unsigned char)*name) * 0x100000001b3u;
	return seed;
}

static void
work(struct board *b, const struct job *jobs, size_t count, const struct options *o, int out_fd, unsigned who)
{
	struct shared *sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct log_target target = { .fd = o->verbose ? 2 : open("/dev/null", O_WRONLY | O_CLOEXEC), .info_fd = -1,
		.debug_fd = -1, .debug = o->verbose };

	if (sh == MAP_FAILED)
		die("mmap");
	log_init(&target);
	for (unsigned i; (i = __atomic_fetch_add(&b->next, 1, __ATOMIC_SEQ_CST)) < count;) {
		struct testing *t = must_alloc(sizeof(*t));
		char name[128], *text = NULL;
		size_t text_n = 0;

		*t = (struct testing){ .o = o, .job = jobs[i], .seed = seed_of(o->seed, job_name(&jobs[i], name)) };
		t->w.op = jobs[i].op;
		t->w.format = jobs[i].format;
		t->w.fsync = jobs[i].fsync;
		t->w.sh = sh;
		memset(sh, 0, sizeof(*sh));
		snprintf(t->w.home, sizeof(t->w.home), "%.80s/w%u", o->dir, who);
		snprintf(t->w.keep, sizeof(t->w.keep), "%.80s/k%u", o->dir, who);
		t->out = open_memstream(&text, &text_n);
		run_job(t);
		fprintf(t->out, "# %s: %u points, %u rounds, %u failed\n", job_name(&jobs[i], name), t->points, t->rounds,
		    t->failures);
		fclose(t->out);
		__atomic_fetch_add(&b->points, t->points, __ATOMIC_SEQ_CST);
		__atomic_fetch_add(&b->rounds, t->rounds, __ATOMIC_SEQ_CST);
		__atomic_fetch_add(&b->failed, t->failures > 0, __ATOMIC_SEQ_CST);

		unsigned number = __atomic_add_fetch(&b->done, 1, __ATOMIC_SEQ_CST);
		char *line;
		int n = asprintf(&line, "%s %u - %s\n%s", t->failures == 0 ? "ok" : "not ok", number, name,
		    t->failures == 0 && !o->verbose && !o->all ? "" : text);

		if (n < 0 || write(out_fd, line, (size_t)n) != n)
			die("write");
		free(line);
		free(text);
		remove_tree(t->w.home);
		remove_tree(t->w.keep);
		tree_clear(&t->w.base);
		free(t->w.stale.data);
		free(t);
	}
}

static const char *
make_dir(char room[128])
{
	struct stat sb;
	const char *tmp = getenv("TMPDIR");

	/* Nothing needs a disk here: power cuts are a model. */
	snprintf(room, 128, "%.80s/culver-crash.XXXXXX",
	    stat("/dev/shm", &sb) == 0 && access("/dev/shm", W_OK) == 0 ? "/dev/shm" : tmp == NULL ? "/tmp" : tmp);
	if (mkdtemp(room) == NULL)
		die("%s", room);
	return room;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = { { "all", no_argument, NULL, 'a' }, { "verbose", no_argument, NULL, 'v' },
		{ "only", required_argument, NULL, 'o' }, { "seed", required_argument, NULL, 's' },
		{ "point", required_argument, NULL, 'p' }, { "jobs", required_argument, NULL, 'j' }, { 0 } };
	struct options o = { .seed = 1 };
	struct job *jobs = must_alloc(10000 * sizeof(*jobs));
	struct board *b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long workers = sysconf(_SC_NPROCESSORS_ONLN);
	char room[128];
	size_t count;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'a':
			o.all = true;
			break;
		case 'v':
			o.verbose = true;
			break;
		case 'o':
			o.only = optarg;
			break;
		case 's':
			o.seed = strtoull(optarg, NULL, 0);
			break;
		case 'p':
			o.point = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'j':
			workers = strtol(optarg, NULL, 0);
			break;
		default:
			fprintf(stderr, "usage: %s [--all] [--only TEXT] [--point CALL] [--seed N] [--jobs N] [--verbose]\n", argv[0]);
			return 2;
		}
	}
	if (b == MAP_FAILED)
		die("mmap");
	o.dir = make_dir(room);
	count = list_jobs(jobs, o.only);
	printf("1..%zu\n", count);
	fflush(stdout);
	for (long i = 0; i < workers; i++) {
		if (fork() == 0) {
			work(b, jobs, count, &o, STDOUT_FILENO, (unsigned)i);
			_exit(0);
		}
	}
	bool died = false;

	for (int status; wait(&status) > 0;)
		died = died || status != 0;
	remove_tree(o.dir);
	printf("# %u fault points, %u rounds, %u of %zu tests failed (seed %llu)\n", b->points, b->rounds, b->failed, count,
	    (unsigned long long)o.seed);
	free(jobs);
	return died || b->failed > 0 || b->done != count ? 1 : 0;
}
