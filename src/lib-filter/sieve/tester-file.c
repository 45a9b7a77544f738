/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/tester-file.h"

#include <limits.h>
#include <stdlib.h>

#include "lib/sys.h"

#define FILE_MAX ((size_t)16 << 20)

struct tester_file {
	const char *path;
	size_t dir;			/* octets of path that are its directory, with the slash */
	void (*report)(void *ctx, struct span test, unsigned line, struct span why);
	void *ctx;
};

static int
on_read(void *ctx, struct span path, struct arena *a, struct span *out, struct err *e)
{
	const struct tester_file *f = ctx;
	struct buf text = BUF_INIT(FILE_MAX);
	char *full = span_starts(path, SPAN("/")) ? arena_cstr(a, path) :
	    arena_printf(a, "%.*s%.*s", (int)f->dir, f->path, SPAN_ARG(path));
	int rc = full == NULL ? err_set(e, ERR_LIMIT, "out of memory") : file_read(full, FILE_MAX, &text, e);

	if (rc == 0) {
		*out = arena_dup(a, buf_span(&text));
		rc = out->p == NULL ? err_set(e, ERR_LIMIT, "out of memory") : 0;
	}
	buf_clear(&text);
	return rc;
}

static void
on_report(void *ctx, struct span test, unsigned line, struct span why)
{
	const struct tester_file *f = ctx;

	f->report(f->ctx, test, line, why);
}

int
sieve_tester_run_file(const char *path, void (*on_test)(void *ctx, struct span test, unsigned line, struct span why), void *ctx,
    sieve_tester_program *run, struct sieve_tester_result *out, struct sieve_error *error)
{
	const char *slash = strrchr(path, '/');
	struct tester_file f = { path, slash == NULL ? 0 : (size_t)(slash - path) + 1, on_test, ctx };
	struct sieve_tester_io io = { .ctx = &f, .read = on_read, .report = on_report, .run = run };
	char dir[PATH_MAX], *end;
	struct buf text = BUF_INIT(FILE_MAX);
	struct err e = ERR_INIT;
	int rc;

	*out = (struct sieve_tester_result){ 0 };
	if (realpath(path, dir) != NULL && (end = strrchr(dir, '/')) != NULL)
		io.dir = span_of(dir, (size_t)(end - dir));
	rc = file_read(path, FILE_MAX, &text, &e) == -1 ? sieve_error_set(error, 0, "%s", e.log) :
	    sieve_tester_run(buf_span(&text), &io, out, error);
	buf_clear(&text);
	return rc;
}
