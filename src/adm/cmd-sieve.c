/* SPDX-License-Identifier: MIT */
/* sieve test: runs scripts that test scripts.  sieve compile: makes binaries of the server's scripts.  They need no server. */
#include "adm/adm.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib-deliver/program.h"
#include "lib-filter/sieve/cache.h"
#include "lib-filter/sieve/site.h"
#include "lib-filter/sieve/tester-file.h"

struct shown {
	const char *path;
	bool all;			/* also those that passed */
};

static void
on_test(void *ctx, struct span test, unsigned line, struct span why)
{
	const struct shown *s = ctx;

	if (why.n > 0)
		printf("%s:%u: %.*s: FAILED: %.*s\n", s->path, line, SPAN_ARG(test), SPAN_ARG(why));
	else if (s->all)
		printf("%s:%u: %.*s: ok\n", s->path, line, SPAN_ARG(test));
}

#define PROGRAM_OUTPUT_MAX ((size_t)4 << 20)

/* With the rights of who has called us. */
static int
run_program(void *ctx, const struct filter_program *p, const struct span *env, size_t env_count, struct span input,
    struct arena *a, struct span *out, int *status, struct err *e)
{
	struct program_limits limits = { .timeout = p->timeout, .output = PROGRAM_OUTPUT_MAX };
	struct program_request r = { .env = env, .env_count = env_count, .dir = SPAN("/"), .input = input,
		.output_max = PROGRAM_OUTPUT_MAX, .timeout = p->timeout, .umask = 077, .ignore_write_errors = true };
	struct buf text = BUF_INIT(PROGRAM_OUTPUT_MAX), said = BUF_INIT(4096);
	struct span *argv = arena_alloc(a, p->arg_count + 1, sizeof(*argv));
	int rc;

	(void)ctx;
	if (argv == NULL)
		return err_set(e, ERR_LIMIT, "out of memory");
	if (p->path.n == 0)
		return err_set(e, ERR_NOTFOUND, "there is no directory of programs");
	argv[0] = p->path;
	for (size_t i = 0; i < p->arg_count; i++)
		argv[i + 1] = p->args[i];
	r.argv = argv;
	r.argc = p->arg_count + 1;
	rc = program_run(&r, &limits, &text, &said, status, e);
	if (rc == 0) {
		*out = arena_dup(a, buf_span(&text));
		if (text.failed || out->p == NULL)
			rc = err_set(e, ERR_LIMIT, "too much output");
	}
	buf_clear(&text);
	buf_clear(&said);
	return rc;
}

int
cmd_sieve_test(struct adm *a)
{
	struct shown s = { .all = a->verbose };
	unsigned passed = 0, failed = 0;
	sieve_tester_program *run = NULL;
	int opt;

	while ((opt = getopt(a->argc, a->argv, "vx")) != -1) {
		if (opt == 'v')
			s.all = true;
		else if (opt == 'x')
			run = run_program;
		else
			return adm_usage(a);
	}
	if (optind >= a->argc)
		return adm_usage(a);
	for (int i = optind; i < a->argc; i++) {
		struct sieve_tester_result result;
		struct sieve_error error;

		s.path = a->argv[i];
		if (sieve_tester_run_file(s.path, on_test, &s, run, &result, &error) == -1) {
			printf("%s:%u: FAILED: %s\n", s.path, error.line, error.text);
			failed++;
		}
		passed += result.passed;
		failed += result.failed;
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed == 0 ? ADM_OK : ADM_FAILED;
}

struct compiling {
	struct sieve_compile_options options;
	const char *path;		/* the script at work */
	size_t max;
	unsigned failed, told;
};

/*
 * What is included is found by the settings, a user's own scripts nowhere: for a user who has one of that name the binary is
 * none.
 */
static int
on_include(void *ctx, bool personal, struct span name, struct arena *a, struct span *out, struct err *e)
{
	const struct adm *adm = ctx;
	const struct sieve_site site = { .ctx = adm->view, .setting = sieve_site_setting };

	if (personal || adm->view == NULL)
		return err_set(e, ERR_NOTFOUND, "none is known");
	return sieve_site_include(&site, false, name, a, out, e);
}

static void
on_error(void *ctx, const struct sieve_error *error)
{
	struct compiling *c = ctx;

	c->told++;
	adm_say(stdout, "%s:%u: error: %s\n", c->path, error->line, error->text);
}

static void
compile_file(struct compiling *c, const char *path)
{
	struct sieve_error error = { 0 };
	struct err e = ERR_INIT;

	c->path = path;
	c->told = 0;
	if (sieve_cache_make(path, c->max, &c->options, &error, &e) == 0)
		return;
	c->failed++;
	if (c->told == 0)
		adm_say(stdout, "%s: error: %s\n", path, e.log);
}

static void
compile_directory(struct compiling *c, struct arena *a, const char *path)
{
	struct dirent **names;
	int count = scandir(path, &names, NULL, alphasort);

	if (count == -1) {
		printf("%s: error: it can not be read\n", path);
		c->failed++;
	}
	for (int i = 0; i < count; i++) {
		struct span name = span_str(names[i]->d_name);
		char *file = name.p[0] == '.' || !span_ends(name, SPAN(".sieve")) ? NULL :
		    arena_printf(a, "%s/%s", path, names[i]->d_name);

		if (file != NULL)
			compile_file(c, file);
		free(names[i]);
	}
	if (count != -1)
		free(names);
}

int
cmd_sieve_compile(struct adm *a)
{
	const struct filter_host host = { .ctx = a, .script = on_include };
	struct compiling c = { .options = { .host = &host, .on_error = on_error, .on_error_ctx = &c } };
	struct sieve_site site = { .ctx = NULL };
	struct stat st;
	int rc = access(a->config_path, R_OK) == 0 ? adm_settings(a) : ADM_OK;

	if (rc != ADM_OK)
		return rc;
	if (getopt(a->argc, a->argv, "") != -1 || optind >= a->argc)
		return adm_usage(a);
	if (a->view != NULL)
		site = (struct sieve_site){ .ctx = a->view, .setting = sieve_site_setting };
	c.max = sieve_site_script_max(&site);
	/* What a script may use is checked again where it runs. */
	for (enum sieve_ext x = EXT_CORE + 1; x < EXT_COUNT; x++)
		if (x != EXT_TESTSUITE)
			extset_add(&c.options.available, x);
	c.options.available_global = c.options.available;
	for (int i = optind; i < a->argc; i++)
		if (stat(a->argv[i], &st) == 0 && S_ISDIR(st.st_mode))
			compile_directory(&c, a->arena, a->argv[i]);
		else
			compile_file(&c, a->argv[i]);
	return c.failed == 0 ? ADM_OK : ADM_DATA;
}
