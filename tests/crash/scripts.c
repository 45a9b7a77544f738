/* SPDX-License-Identifier: MIT */
/*
 * A user's Sieve scripts, with a kill or an error at every system call of every change.  What filters the mail is at all times
 * the script that was active or the one that is to be; every other script is whole, as it was or as it is to be.  Prints TAP.
 */
#include "trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib/sys.h"
#include "lib-filter/sieve/store.h"

#define SCRIPTS 6
#define SHOWN 6

struct script {
	const char *name, *text;
};

struct op {
	const char *name;
	const char *command, *script, *arg;	/* "put", "rename", "delete", "activate" */
	const char *file;			/* stands in the link's place before; NULL: the link to "one" */
	const char *active;			/* the text that is active when it is done; NULL: none */
	struct script after[SCRIPTS];
};

#define ONE { "one", "keep;" }
#define TWO { "two", "stop;" }

static const struct op ops[] = {
	{ "put-new", "put", "three", "discard;", NULL, "keep;", { ONE, { "three", "discard;" }, TWO } },
	{ "put-over", "put", "two", "discard;", NULL, "keep;", { ONE, { "two", "discard;" } } },
	{ "put-over-active", "put", "one", "discard;", NULL, "discard;", { { "one", "discard;" }, TWO } },
	{ "activate", "activate", "two", NULL, NULL, "stop;", { ONE, TWO } },
	{ "deactivate", "activate", "", NULL, NULL, NULL, { ONE, TWO } },
	{ "activate-over-file", "activate", "two", NULL, "redirect;", "stop;", { { "dovecot.orig", "redirect;" }, ONE, TWO } },
	{ "deactivate-file", "activate", "", NULL, "redirect;", NULL, { { "dovecot.orig", "redirect;" }, ONE, TWO } },
	{ "rename", "rename", "two", "zwei", NULL, "keep;", { ONE, { "zwei", "stop;" } } },
	{ "rename-active", "rename", "one", "uno", NULL, "keep;", { TWO, { "uno", "keep;" } } },
	{ "delete", "delete", "two", NULL, NULL, "keep;", { ONE } },
};
static const struct script before[SCRIPTS] = { ONE, TWO };

struct world {
	char home[64];
	const struct op *op;
	struct sieve_site site;
	struct shared {
		struct progress at;
		bool done;	/* the change was answered with yes */
	} *sh;
};

static bool
on_setting(void *ctx, const char *name, struct span *out)
{
	(void)ctx;
	(void)name;
	(void)out;
	return false;
}

static int
run_command(struct sieve_store *st, const struct op *op, struct err *e)
{
	if (strcmp(op->command, "put") == 0)
		return sieve_store_put(st, span_str(op->script), span_str(op->arg), e);
	if (strcmp(op->command, "rename") == 0)
		return sieve_store_rename(st, span_str(op->script), span_str(op->arg), e);
	if (strcmp(op->command, "delete") == 0)
		return sieve_store_delete(st, span_str(op->script), e);
	return sieve_store_activate(st, span_str(op->script), e);
}

static void
run_op(void *ctx)
{
	struct world *w = ctx;
	struct sieve_store *st;
	struct err e = ERR_INIT;

	if (sieve_store_open(&w->site, &st, &e) == -1)
		return;
	w->sh->done = run_command(st, w->op, &e) == 0;
	sieve_store_close(st);
}

static void
prepare(struct world *w)
{
	struct sieve_store *st;
	struct err e = ERR_INIT;
	char path[100];

	remove_tree(w->home);
	if (mkdir(w->home, 0700) == -1 || sieve_store_open(&w->site, &st, &e) == -1 ||
	    sieve_store_put(st, SPAN("one"), SPAN("keep;"), &e) == -1 || sieve_store_put(st, SPAN("two"), SPAN("stop;"), &e) == -1 ||
	    sieve_store_activate(st, SPAN("one"), &e) == -1)
		die("%s: %s", w->home, e.log);
	sieve_store_close(st);
	if (w->op->file != NULL) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/.dovecot.sieve", w->home);
		if (unlink(path) == -1 || (f = fopen(path, "w")) == NULL || fputs(w->op->file, f) < 0 || fclose(f) != 0)
			die("%s can not be written", path);
	}
	memset(w->sh, 0, sizeof(*w->sh));
}

/* ---- what must hold ---- */

static const char *
text_of(const struct script *list, struct span name)
{
	for (size_t i = 0; i < SCRIPTS && list[i].name != NULL; i++)
		if (span_eq(name, span_str(list[i].name)))
			return list[i].text;
	return NULL;
}

static bool
is_text(struct span got, const char *want)
{
	return want != NULL && span_eq(got, span_str(want));
}

static bool
check_active(struct world *w, char why[300])
{
	struct buf text = BUF_INIT(4096);
	struct err e = ERR_INIT;
	const char *was = w->op->file != NULL ? w->op->file : "keep;";
	char path[100];
	bool is_there, ok;

	snprintf(path, sizeof(path), "%s/.dovecot.sieve", w->home);
	is_there = file_read_plain(path, 4096, &text, &e) == 0;
	if (is_there)
		ok = is_text(buf_span(&text), w->op->active) || (!w->sh->done && is_text(buf_span(&text), was));
	else
		ok = w->op->active == NULL;
	if (!ok)
		snprintf(why, 300, "active is %.*s%s", SPAN_ARG(buf_span(&text)), is_there ? "" : e.log);
	buf_clear(&text);
	return ok;
}

static bool
check_scripts(struct world *w, struct sieve_store *st, struct arena *a, char why[300])
{
	struct sieve_stored *list;
	struct buf text = BUF_INIT(4096);
	struct err e = ERR_INIT;
	bool ok = true;

	if (sieve_store_list(st, a, &list, &e) == -1) {
		snprintf(why, 300, "the list: %.200s", e.log);
		return false;
	}
	for (const struct sieve_stored *s = list; s != NULL && ok; s = s->next) {
		buf_reset(&text);
		ok = sieve_store_get(st, s->name, &text, &e) == 0 && (is_text(buf_span(&text), text_of(w->op->after, s->name)) ||
		    (!w->sh->done && is_text(buf_span(&text), text_of(before, s->name))));
		if (!ok)
			snprintf(why, 300, "%.*s is %.*s%.100s", SPAN_ARG(s->name), SPAN_ARG(buf_span(&text)), e.log);
	}
	buf_clear(&text);
	/* What is there before and behind is there all the while. */
	for (size_t i = 0; i < SCRIPTS && w->op->after[i].name != NULL && ok; i++) {
		const struct sieve_stored *s = list;
		struct span name = span_str(w->op->after[i].name);

		while (s != NULL && !span_eq(s->name, name))
			s = s->next;
		ok = s != NULL || (!w->sh->done && text_of(before, name) == NULL);
		if (!ok)
			snprintf(why, 300, "%s is not there", w->op->after[i].name);
	}
	return ok;
}

static bool
check(struct world *w, char why[300])
{
	struct arena *a = arena_new(65536);
	struct sieve_store *st;
	struct err e = ERR_INIT;
	bool ok = false;

	if (sieve_store_open(&w->site, &st, &e) == -1)
		die("%s", e.log);
	ok = check_active(w, why) && check_scripts(w, st, a, why);
	/* And the scripts can still be changed. */
	if (ok && (sieve_store_put(st, SPAN("one"), SPAN("# it works"), &e) == -1 || sieve_store_activate(st, SPAN("one"), &e) == -1)) {
		snprintf(why, 300, "after that: %.200s", e.log);
		ok = false;
	}
	sieve_store_close(st);
	arena_free(a);
	return ok;
}

/* ---- the faults ---- */

static unsigned
round_of(struct world *w, const struct plan *p, struct traced *run)
{
	char why[300] = "";

	prepare(w);
	if (!trace_run(run_op, w, w->home, p, &w->sh->at, NULL, run))
		die("the system does not let itself be traced");
	if (p->kind == PLAN_NONE ? w->sh->done && check(w, why) : check(w, why))
		return 0;
	printf("# %s: fault %d at call %u (%s), error %d, %s: %s\n", w->op->name, p->kind, p->at, run->call.what, p->error,
	    w->sh->done ? "done" : "not done", why);
	return 1;
}

static unsigned
all_faults(struct world *w, unsigned *rounds)
{
	struct plan p = { PLAN_NONE, 0, 0 };
	struct traced clean, run;
	unsigned failed = round_of(w, &p, &clean);

	for (p.at = 1; p.at <= clean.calls && failed < SHOWN; p.at++) {
		const struct call *c = &clean.list[p.at - 1];

		p.kind = PLAN_KILL;
		failed += round_of(w, &p, &run);
		++*rounds;
		for (const int *error = errors_of(c->class); c->changes && *error != 0; error++, ++*rounds) {
			p.error = *error;
			/* A disk that is full stays so. */
			p.kind = p.error == ENOSPC ? PLAN_FAIL_ALL : PLAN_FAIL;
			failed += round_of(w, &p, &run);
		}
	}
	traced_clear(&clean);
	return failed;
}

int
main(void)
{
	struct world w = { .home = "/dev/shm/culver-scripts-XXXXXX" };
	unsigned failed = 0, rounds = 0;

	if (mkdtemp(w.home) == NULL) {
		snprintf(w.home, sizeof(w.home), "/tmp/culver-scripts-XXXXXX");
		if (mkdtemp(w.home) == NULL)
			die("mkdtemp");
	}
	w.sh = mmap(NULL, sizeof(*w.sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (w.sh == MAP_FAILED)
		die("mmap");
	w.site = (struct sieve_site){ .setting = on_setting, .user = SPAN("bob"), .home = span_str(w.home) };
	printf("1..%zu\n", sizeof(ops) / sizeof(ops[0]));
	fflush(stdout);
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		unsigned bad;

		w.op = &ops[i];
		bad = all_faults(&w, &rounds);
		failed += bad > 0;
		printf("%sok %zu - %s\n", bad > 0 ? "not " : "", i + 1, w.op->name);
		fflush(stdout);
	}
	printf("# %u rounds\n", rounds);
	remove_tree(w.home);
	return failed > 0 ? 1 : 0;
}
