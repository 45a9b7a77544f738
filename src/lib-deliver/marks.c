/* SPDX-License-Identifier: MIT */
/*
 * The file is records of 32 octets: 16 of the mark's digest, when it was set (8), for how many seconds (4), a sum of those
 * (4).  One is appended; what is not a whole, right record (half of one after a crash, what somebody else wrote) is passed
 * over.  When more than half of a file of some size has run out, it is written anew.
 */
#include "lib-deliver/marks.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib/buf.h"
#include "lib/sys.h"

#define RECORD 32
#define DIGEST 16
#define LOCK_MS 10000
#define COMPACT_AT 1000		/* records */
#define FILE_MAX ((size_t)4 << 20)

struct marks {
	int fd, dir_fd;
	struct buf text;
};

static uint32_t
sum_of(const unsigned char *record)
{
	uint32_t h = 2166136261u;

	for (int i = 0; i < RECORD - 4; i++)
		h = (h ^ record[i]) * 16777619u;
	return h;
}

static bool
digest_of(struct span mark, unsigned char out[DIGEST])
{
	unsigned char whole[EVP_MAX_MD_SIZE];
	unsigned n;

	if (EVP_Digest(mark.n == 0 ? "" : mark.p, mark.n, whole, &n, EVP_sha256(), NULL) != 1)
		return false;
	memcpy(out, whole, DIGEST);
	return true;
}

int
marks_open(int dir_fd, struct marks **out, struct err *e)
{
	struct marks *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	buf_init(&m->text, FILE_MAX);
	m->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
	m->fd = m->dir_fd == -1 ? err_errno(e, "dup") : file_open_locked(dir_fd, MARKS_FILE, LOCK_MS, e);
	if (m->fd == -1 || (fd_read_all(m->fd, FILE_MAX, &m->text, e) == -1 && e->code != ERR_LIMIT)) {
		marks_close(m);
		return -1;
	}
	*out = m;
	return 0;
}

/* The record at a place, or NULL when there is none, or not a right one. */
static const unsigned char *
record_at(const struct marks *m, size_t at)
{
	const unsigned char *r;

	if (at > m->text.n || m->text.n - at < RECORD)
		return NULL;
	r = (const unsigned char *)m->text.p + at;
	return be32_get(r + RECORD - 4) == sum_of(r) ? r : NULL;
}

static bool
is_live(const unsigned char *r, int64_t now)
{
	int64_t set = (int64_t)be64_get(r + DIGEST);

	/* A clock that was set back must not make marks last for years. */
	return set <= now + 86400 && now < set + (int64_t)be32_get(r + DIGEST + 8);
}

bool
marks_has(const struct marks *m, struct span mark, int64_t now, int64_t seconds)
{
	unsigned char digest[DIGEST];

	if (!digest_of(mark, digest))
		return false;
	for (size_t at = 0; at + RECORD <= m->text.n; at += RECORD) {
		const unsigned char *r = record_at(m, at);

		if (r != NULL && memcmp(r, digest, DIGEST) == 0 && is_live(r, now) &&
		    now - (int64_t)be64_get(r + DIGEST) <= seconds)
			return true;
	}
	return false;
}

/* What lives on; when that is too much, the newer half of it. */
static int
compact(struct marks *m, int64_t now, struct err *e)
{
	struct buf kept = BUF_INIT(FILE_MAX);
	size_t drop = 0;
	int fd, rc;

	for (size_t at = 0; at + RECORD <= m->text.n; at += RECORD) {
		const unsigned char *r = record_at(m, at);

		if (r != NULL && is_live(r, now))
			buf_add(&kept, span_of(r, RECORD));
	}
	if (kept.n > (size_t)MARKS_MAX * RECORD)
		drop = kept.n / RECORD / 2 * RECORD;
	buf_drop(&kept, drop);
	rc = kept.failed ? err_set(e, ERR_TEMP, "out of memory") : file_replace(m->dir_fd, MARKS_FILE, buf_span(&kept), 0600, false, e);
	if (rc == -1 || (fd = file_open_locked(m->dir_fd, MARKS_FILE, LOCK_MS, e)) == -1) {
		buf_clear(&kept);
		return -1;
	}
	close(m->fd);
	m->fd = fd;
	buf_clear(&m->text);
	m->text = kept;
	return 0;
}

static bool
is_worth_compacting(const struct marks *m, int64_t now)
{
	size_t live = 0, all = m->text.n / RECORD;

	if (all < COMPACT_AT)
		return false;
	for (size_t i = 0; i < all; i++) {
		const unsigned char *r = record_at(m, i * RECORD);

		live += r != NULL && is_live(r, now);
	}
	return live < all / 2 || live > MARKS_MAX;
}

int
marks_add(struct marks *m, struct span mark, int64_t now, int64_t seconds, struct err *e)
{
	unsigned char r[RECORD];

	if (!digest_of(mark, r))
		return err_set(e, ERR_TEMP, "SHA-256 is not to be had");
	be64_put(r + DIGEST, (uint64_t)now);
	be32_put(r + DIGEST + 8, seconds < 0 ? 0 : seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds);
	be32_put(r + RECORD - 4, sum_of(r));
	if (m->text.n % RECORD != 0) {
		/* Half a record of a write that a crash cut short: records begin at multiples of their length. */
		m->text.n -= m->text.n % RECORD;
		if (ftruncate(m->fd, (off_t)m->text.n) == -1)
			return err_errno(e, "%s", MARKS_FILE);
	}
	if (is_worth_compacting(m, now) && compact(m, now, e) == -1)
		return -1;
	buf_add(&m->text, span_of(r, RECORD));
	return fd_write_all(m->fd, span_of(r, RECORD), e);
}

void
marks_close(struct marks *m)
{
	if (m == NULL)
		return;
	if (m->fd != -1)
		close(m->fd);
	if (m->dir_fd != -1)
		close(m->dir_fd);
	buf_clear(&m->text);
	free(m);
}
