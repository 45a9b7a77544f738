/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/sys.h"
#include "lib-filter/sieve/binary.h"

#define RACY_NS ((int64_t)2000000000)	/* a change that the clock of a file system may not show */

static int64_t
mtime_of(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* The binary's path, of the file itself where path is a link. */
static char *
binary_path(const char *path, struct arena *a)
{
	char *real = realpath(path, NULL), *out = NULL;
	struct span name = span_str(real);

	if (real != NULL && span_ends(name, SPAN(".sieve")))
		name.n -= 6;
	if (real != NULL)
		out = arena_printf(a, "%.*s.csvbin", SPAN_ARG(name));
	free(real);
	return out;
}

/* What is read must have been written by whoever could write the script as well, or by us. */
static bool
read_binary(const char *path, const struct stat *script, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct err e = ERR_INIT;
	struct stat st;
	bool ok = false;

	if (fd == -1)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_uid == script->st_uid || st.st_uid == 0 || st.st_uid == geteuid()) &&
	    !(st.st_mode & 022))
		ok = fd_read_all(fd, SIEVE_BINARY_MAX, out, &e) == 0;
	close(fd);
	return ok;
}

/* text is read only when size and time do not tell. */
static bool
is_fresh(const struct sieve_stamp *stamp, const struct stat *st, int fd, size_t max, struct buf *text)
{
	unsigned char digest[SIEVE_DIGEST];
	struct err e = ERR_INIT;

	if (stamp->size != (uint64_t)st->st_size || stamp->mtime_ns != mtime_of(st))
		return false;
	if (stamp->written_ns - stamp->mtime_ns > RACY_NS)
		return true;
	if (fd_read_all(fd, max, text, &e) == -1)
		return false;
	sieve_digest(digest, buf_span(text));
	return memcmp(digest, stamp->digest, sizeof(digest)) == 0;
}

/*
 * Whether the script that was read is there, without its .csvbin or with .sieve instead.  Its path may lead elsewhere by now: a binary
 * put beside another script of that size and time would be believed to be that one's.
 */
static bool
is_beside(int dir_fd, const char *name, const struct stat *script)
{
	static const char *const ends[] = { ".sieve", "" };
	char other[NAME_MAX + 1];
	struct stat st;

	for (size_t i = 0; i < 2; i++) {
		int n = snprintf(other, sizeof(other), "%.*s%s", (int)(strlen(name) - strlen(".csvbin")), name, ends[i]);

		if (n > 0 && (size_t)n < sizeof(other) && fstatat(dir_fd, other, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_dev == script->st_dev && st.st_ino == script->st_ino)
			return true;
	}
	return false;
}

static int
write_binary(const char *path, const struct sieve_script *s, const struct stat *st, struct span text, mode_t mode, struct err *e)
{
	struct sieve_stamp stamp = {
		.size = (uint64_t)st->st_size, .mtime_ns = mtime_of(st), .written_ns = clock_wall_us() * 1000,
	};
	const char *slash = strrchr(path, '/');
	struct buf out = BUF_INIT(SIEVE_BINARY_MAX);
	char *dir = slash == NULL ? NULL : strndup(path, slash == path ? 1 : (size_t)(slash - path));
	int fd = dir == NULL ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	sieve_digest(stamp.digest, text);
	/* That the directory is not synced does no harm: a torn one is seen by its digest, and made again. */
	if (fd == -1)
		rc = err_errno(e, "%s", path);
	else if (!is_beside(fd, slash + 1, st))
		rc = err_set(e, ERR_INUSE, "%s: its script has gone elsewhere", path);
	else if (sieve_script_dump(s, &stamp, &out) == -1)
		rc = err_set(e, ERR_LIMIT, "%s: it would be too large", path);
	else
		rc = file_replace(fd, slash + 1, buf_span(&out), mode, false, e);
	if (fd != -1)
		close(fd);
	free(dir);
	buf_clear(&out);
	return rc;
}

static int
open_script(const char *path, size_t max, struct stat *st, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd == -1)
		return err_errno(e, "%s", path);
	if (fstat(fd, st) == -1)
		err_errno(e, "%s", path);
	else if (!S_ISREG(st->st_mode))
		err_set(e, ERR_NOTFOUND, "%s is no file", path);
	else if ((uint64_t)st->st_size > max)
		err_set(e, ERR_TOOBIG, "%s is larger than %zu octets", path, max);
	else
		return fd;
	close(fd);
	return -1;
}

/* From the text, which is read unless it is there already. */
static struct sieve_script *
compile(const char *path, int fd, size_t max, const struct sieve_compile_options *options, struct buf *text, struct sieve_error *error,
    struct err *e)
{
	struct sieve_script *s;

	if (text->n == 0 && fd_read_all(fd, max, text, e) == -1)
		return NULL;
	s = sieve_compile_with(buf_span(text), options, error);
	if (s == NULL)
		err_set(e, ERR_SYNTAX, "%s: line %u: %s", path, error->line, error->text);
	return s;
}

int
sieve_cache_open(const char *path, size_t max, const struct sieve_compile_options *options, struct sieve_script **out,
    struct sieve_error *error, struct err *e)
{
	struct buf binary = BUF_INIT(SIEVE_BINARY_MAX), text = BUF_INIT(max);
	struct arena *a = arena_new(65536);
	struct sieve_stamp stamp;
	struct stat st;
	char *beside;
	int fd = open_script(path, max, &st, e), rc = -1;

	*out = NULL;
	if (fd == -1)
		goto out;
	beside = a == NULL ? NULL : binary_path(path, a);
	if (beside != NULL && read_binary(beside, &st, &binary) && sieve_binary_stamp(buf_span(&binary), &stamp) &&
	    is_fresh(&stamp, &st, fd, max, &text))
		*out = sieve_script_load(buf_span(&binary), options, error);
	if (*out == NULL) {
		struct err ignored = ERR_INIT;

		*out = compile(path, fd, max, options, &text, error, e);
		if (*out == NULL)
			goto out;
		if (beside != NULL && !options->no_binary && (uint64_t)st.st_size == text.n)
			(void)write_binary(beside, *out, &st, buf_span(&text), 0600, &ignored);
	}
	rc = 0;
out:
	if (fd != -1)
		close(fd);
	arena_free(a);
	buf_clear(&binary);
	buf_clear(&text);
	return rc;
}

int
sieve_cache_make(const char *path, size_t max, const struct sieve_compile_options *options, struct sieve_error *error, struct err *e)
{
	struct buf text = BUF_INIT(max);
	struct arena *a = arena_new(65536);
	struct sieve_script *s = NULL;
	struct stat st;
	char *beside;
	int fd = open_script(path, max, &st, e), rc = -1;

	if (fd != -1)
		s = compile(path, fd, max, options, &text, error, e);
	if (s != NULL) {
		beside = a == NULL ? NULL : binary_path(path, a);
		if (beside == NULL)
			err_set(e, ERR_TEMP, "%s: out of memory, or it is gone", path);
		else if ((uint64_t)st.st_size != text.n)
			err_set(e, ERR_INUSE, "%s changes just now", path);
		else
			rc = write_binary(beside, s, &st, buf_span(&text), (st.st_mode & 0444) | 0200, e);
	}
	if (fd != -1)
		close(fd);
	sieve_script_free(s);
	arena_free(a);
	buf_clear(&text);
	return rc;
}
