/* SPDX-License-Identifier: MIT */
/*
 * maildirsize: where the programs that deliver to a Maildir by themselves (maildrop, procmail's and exim's Maildir++) keep
 * count.  Its first line are the limits, "10000S,100C"; each line behind it adds octets and messages:
 *
 *	10000000S,1000C
 *	 123456 17
 *	   2345 1
 *	  -2345 -1
 *
 * We never believe its sums, and keep them right for others: a change of ours appends a line before its transaction is
 * committed, so that the lines and the index go together for all processes of ours; a file that is long, or has other limits
 * than ours, is made anew from the index.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-storage/quota-priv.h"
#include "lib-storage/storage-priv.h"

#define FILE_NAME "maildirsize"
#define FILE_MAX 5120			/* a file of this size is to be made anew */
#define LINE_MAX_OCTETS 64

static bool
parse_limits(struct span line, struct quota_file_limits *out)
{
	struct span piece;

	memset(out, 0, sizeof(*out));
	while (span_next(&line, ',', &piece)) {
		char kind = piece.n == 0 ? '\0' : piece.p[piece.n - 1];
		uint64_t n;

		if (piece.n < 2 || !span_u64(span_sub(piece, 0, piece.n - 1), (uint64_t)QUOTA_AMOUNT_MAX, &n))
			return false;
		if (kind == 'S') {
			out->has_bytes = n > 0;
			out->bytes = n;
		} else if (kind == 'C') {
			out->has_messages = n > 0;
			out->messages = n;
		}
		/* Others may have letters of their own. */
	}
	return true;
}

static bool
take_i64(struct span *line, int64_t *out)
{
	bool minus;
	uint64_t n;
	size_t i = 0;

	*line = span_trim(*line);
	minus = line->n > 0 && line->p[0] == '-';
	if (minus)
		*line = span_from(*line, 1);
	while (i < line->n && ascii_is_digit(line->p[i]))
		i++;
	if (!span_u64(span_sub(*line, 0, i), (uint64_t)QUOTA_AMOUNT_MAX, &n))
		return false;
	*out = minus ? -(int64_t)n : (int64_t)n;
	*line = span_from(*line, i);
	return true;
}

bool
quota_file_parse(struct span text, struct quota_file_limits *limits_out, int64_t *bytes_out, int64_t *messages_out)
{
	struct span line;

	*bytes_out = *messages_out = 0;
	if (!span_next(&text, '\n', &line) || !parse_limits(span_trim(line), limits_out))
		return false;
	while (span_next(&text, '\n', &line)) {
		int64_t bytes, messages;

		if (span_trim(line).n == 0)
			continue;
		if (!take_i64(&line, &bytes) || !take_i64(&line, &messages) || span_trim(line).n > 0 ||
		    __builtin_add_overflow(*bytes_out, bytes, bytes_out) ||
		    __builtin_add_overflow(*messages_out, messages, messages_out))
			return false;
	}
	return true;
}

/* The store that has the file: that of INBOX. */
static struct store *
file_store(const struct storage *st)
{
	for (size_t i = 0; i < st->ns_count; i++)
		if (st->ns[i].info.inbox)
			return st->ns[i].store;
	return st->ns[0].store;
}

static bool
file_path(const struct storage *st, const char *suffix, char out[4096])
{
	return (size_t)snprintf(out, 4096, "%s/" FILE_NAME "%s", file_store(st)->root, suffix) < 4096;
}

/* The first line that the settings make, with its end; 0: there are no limits, and no file. */
static size_t
make_limits(const struct quota_root *r, char out[LINE_MAX_OCTETS])
{
	size_t n = 0;

	if (r->limits.bytes.is_set && r->limits.bytes.n > 0)
		n = (size_t)snprintf(out, LINE_MAX_OCTETS, "%lldS", (long long)r->limits.bytes.n);
	if (r->limits.messages.is_set && r->limits.messages.n > 0)
		n += (size_t)snprintf(out + n, LINE_MAX_OCTETS - n, "%s%lldC", n > 0 ? "," : "",
		    (long long)r->limits.messages.n);
	if (n > 0)
		n += (size_t)snprintf(out + n, LINE_MAX_OCTETS - n, "\n");
	return n;
}

void
quota_file_limits(struct storage *st, struct quota_root *r)
{
	struct buf text = BUF_INIT(FILE_MAX * 4);
	struct quota_file_limits found;
	int64_t bytes, messages;
	struct err e = ERR_INIT;
	char path[4096];

	if (!r->yields || r->def.backend != QUOTA_MAILDIR || !file_path(st, "", path))
		return;
	if (file_read(path, FILE_MAX * 4, &text, &e) == 0 && quota_file_parse(buf_span(&text), &found, &bytes, &messages)) {
		r->limits.bytes = (struct quota_amount){ .n = (int64_t)found.bytes, .is_set = found.has_bytes };
		r->limits.messages = (struct quota_amount){ .n = (int64_t)found.messages, .is_set = found.has_messages };
	}
	buf_clear(&text);
}

/* Whether the file begins with these limits and has room for a line. */
static bool
is_current(int fd, const char *limits, size_t n)
{
	char head[LINE_MAX_OCTETS];
	struct stat sb;

	return fstat(fd, &sb) == 0 && S_ISREG(sb.st_mode) && sb.st_size < FILE_MAX - LINE_MAX_OCTETS &&
	    pread(fd, head, n, 0) == (ssize_t)n && memcmp(head, limits, n) == 0;
}

void
quota_file_change(struct storage *st, const struct quota_root *r, int64_t bytes, int64_t messages)
{
	char path[4096], limits[LINE_MAX_OCTETS], line[LINE_MAX_OCTETS];
	size_t n = make_limits(r, limits);
	int fd, len;

	if (n == 0 || !file_path(st, "", path))
		return;
	fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd == -1 || !is_current(fd, limits, n)) {
		st->quota->recount_file = true;
	} else {
		len = snprintf(line, sizeof(line), "%lld %lld\n", (long long)bytes, (long long)messages);
		if (write(fd, line, (size_t)len) != len)
			st->quota->recount_file = true;
	}
	if (fd != -1)
		close(fd);
}

/* What other programs delivered since belongs to the sum. */
static void
look_at_all(struct storage *st)
{
	struct arena *a = arena_new((size_t)64 << 20);
	struct mailbox_info *list;
	struct mailbox_status status;
	struct err e = ERR_INIT;
	size_t count;

	if (a != NULL && storage_list(st, a, &list, &count, &e) == 0)
		for (size_t i = 0; i < count; i++)
			if (list[i].attrs & MBOX_EXISTS && !(list[i].attrs & MBOX_NOSELECT))
				storage_status(st, list[i].name, STATUS_MESSAGES, &status, &e);
	arena_free(a);
}

/* A name of its own and a rename: who reads it meanwhile sees the old or the new.  Nothing is lost with it: no fsync. */
static int
replace(const struct store *s, const char *path, const char *temporary, struct span text, struct err *e)
{
	struct stat sb;
	mode_t mode = stat(s->root, &sb) == 0 ? (sb.st_mode & 0666) | 0600 : 0600;
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode), rc;

	if (fd == -1)
		return err_errno(e, "make %s", temporary);
	rc = fd_write_all(fd, text, e);
	fchmod(fd, mode);
	close(fd);
	if (rc == 0 && rename(temporary, path) == -1)
		rc = err_errno(e, "rename %s", temporary);
	if (rc == -1)
		unlink(temporary);
	return rc;
}

/* Within a write transaction on the index: none of ours adds a line between the sum and the file. */
static int
write_anew(struct storage *st, const struct quota_root *r, const char *limits, size_t n, struct err *e)
{
	struct store *s = file_store(st);
	char path[4096], temporary[4096], suffix[32];
	struct buf text = BUF_INIT((size_t)4 * LINE_MAX_OCTETS);
	bool vsizes = st->quota->conf.vsizes;
	struct quota_used used;
	struct index_txn *t;
	int rc;

	snprintf(suffix, sizeof(suffix), ".P%ld", (long)getpid());
	if (!file_path(st, "", path) || !file_path(st, suffix, temporary))
		return err_set(e, ERR_LIMIT, "the path is too long");
	if (index_write(s->ix, &t, e) == -1)
		return -1;
	/* The others count files as they are stored. */
	st->quota->conf.vsizes = false;
	rc = quota_usage(st, r, s, t, &used, e);
	st->quota->conf.vsizes = vsizes;
	if (rc == 0) {
		buf_add(&text, span_of(limits, n));
		buf_addf(&text, "%llu %llu\n", (unsigned long long)used.bytes, (unsigned long long)used.messages);
		rc = replace(s, path, temporary, buf_span(&text), e);
	}
	index_abort(t);
	buf_clear(&text);
	return rc;
}

void
quota_file_settle(struct storage *st)
{
	struct quota *q = st->quota;

	if (!q->recount_file)
		return;
	q->recount_file = false;
	look_at_all(st);
	for (size_t i = 0; i < q->conf.root_count; i++) {
		const struct quota_root *r = &q->conf.roots[i];
		char limits[LINE_MAX_OCTETS];
		struct err e = ERR_INIT;
		size_t n = make_limits(r, limits);

		if (r->def.backend != QUOTA_MAILDIR || n == 0)
			continue;
		if (write_anew(st, r, limits, n, &e) == -1)
			log_error("%s/" FILE_NAME ": %s", file_store(st)->root, e.log);
	}
	q->recount_file = false;
}
