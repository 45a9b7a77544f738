/* SPDX-License-Identifier: MIT */
/*
 * Writing a body.  It is held in memory up to STAGE_MEMORY, so that a usual message is one write(), and its summary is
 * made without reading it again; a larger one goes to its file in tmp/ as it comes.
 */
#include "lib-storage/maildir/maildir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/sys.h"

#define STAGE_MEMORY ((size_t)256 << 10)
#define STAGES_OPEN 200

enum drv_rc
maildir_stage_open(void *box, void **stage_out, struct err *e)
{
	struct maildir_stage *st = calloc(1, sizeof(*st));

	if (st == NULL)
		return err_set(e, ERR_TEMP, "out of memory"), DRV_ERROR;
	st->box = box;
	st->fd = st->plain_fd = -1;
	buf_init(&st->content, STAGE_MEMORY);
	*stage_out = st;
	return DRV_OK;
}

static int
make_file(struct maildir_stage *st, struct err *e)
{
	struct maildir_box *box = st->box;
	static unsigned counter;

	for (int try = 0; try < 3; try++) {
		snprintf(st->tmp, sizeof(st->tmp), "tmp/%lld.P%dQ%u.culver", (long long)clock_wall_us(), (int)getpid(),
		    counter++);
		st->fd = maildir_perm_create(box->fd, st->tmp, O_RDWR | O_EXCL, maildir_box_perm(box));
		if (st->fd != -1)
			return 0;
		if (errno == ENOENT && maildir_perm_mkdir(box->fd, "tmp", maildir_box_perm(box), e) == -1)
			break;
		if (errno != EEXIST && errno != ENOENT)
			break;
	}
	err_errno(e, "make a file in %s/tmp", box->path);
	st->tmp[0] = '\0';
	return -1;
}

static int
write_out(struct maildir_stage *st, struct span bytes, struct err *e)
{
	if (st->fd == -1 && make_file(st, e) == -1)
		return -1;
	if (fd_write_all(st->fd, bytes, e) == -1)
		return err_wrap(e, "%s/%s", st->box->path, st->tmp);
	return 0;
}

enum drv_rc
maildir_stage_write(void *stage, struct span bytes, struct err *e)
{
	struct maildir_stage *st = stage;

	st->size += bytes.n;
	if (bytes.n > STAGE_MEMORY - st->content.n) {
		/* Pieces are often lines: what is over the memory is written in large ones all the same. */
		if (write_out(st, buf_span(&st->content), e) == -1)
			return drv_of(e);
		buf_reset(&st->content);
		if (bytes.n > STAGE_MEMORY)
			return write_out(st, bytes, e) == -1 ? drv_of(e) : DRV_OK;
	}
	buf_add(&st->content, bytes);
	if (st->content.failed)
		return err_set(e, ERR_TEMP, "out of memory"), DRV_ERROR;
	return DRV_OK;
}

static int
put_out(void *arg, struct span bytes, struct err *e)
{
	return write_out(arg, bytes, e);
}

static int
put_memory(void *arg, struct span bytes, struct err *e)
{
	(void)e;
	buf_add(arg, bytes);
	return 0;
}

/*
 * How the content is to be stored.  Mail that begins like a compressed file would be taken for one by its readers: it is
 * compressed, whatever the setting, so that it is what it says, and comes out as it went in.
 */
static int
choose_packer(struct maildir_store *s, struct span content, struct packer **out, bool *must_out, struct err *e)
{
	*must_out = pack_detect(content) != PACK_NONE;
	*out = NULL;
	if (s->p.pack != PACK_NONE) {
		if (s->packer == NULL && packer_new(s->p.pack, s->p.pack_level, &s->packer, e) == -1)
			return -1;
		*out = s->packer;
	} else if (*must_out) {
		if (s->guard == NULL && packer_new(PACK_GZIP, 0, &s->guard, e) == -1)
			return -1;
		*out = s->guard;
	}
	return 0;
}

/* What is in memory, compressed where that makes it smaller. */
static int
write_small(struct maildir_stage *st, uint64_t *packed_out, struct err *e)
{
	struct span content = st->content.n == 0 ? SPAN("") : buf_span(&st->content);
	struct buf packed = BUF_INIT(2 * STAGE_MEMORY);
	struct packer *p;
	bool must;
	int rc = choose_packer(st->box->store, content, &p, &must, e);

	if (rc == 0 && p != NULL) {
		rc = packer_run(p, content, put_memory, &packed, e);
		if (rc == 0 && packed.failed)
			rc = err_set(e, ERR_TEMP, "out of memory");
	}
	if (rc == 0 && p != NULL && (must || packed.n < content.n)) {
		content = buf_span(&packed);
		*packed_out = packed.n;
	}
	if (rc == 0)
		rc = write_out(st, content, e);
	buf_clear(&packed);
	return rc;
}

/* What is in a file already: into another, if need be.  The first stays open, for who wants to read the content. */
static int
pack_large(struct maildir_stage *st, uint64_t *packed_out, struct err *e)
{
	char plain[sizeof(st->tmp)];
	struct packer *p = NULL;
	bool must = false;
	char *map = mmap(NULL, (size_t)st->size, PROT_READ, MAP_PRIVATE, st->fd, 0);
	struct span content = span_of(map, (size_t)st->size);
	int rc = map == MAP_FAILED ? err_errno(e, "map %s/%s", st->box->path, st->tmp) :
	    choose_packer(st->box->store, content, &p, &must, e);

	if (rc == 0 && p != NULL) {
		memcpy(plain, st->tmp, sizeof(plain));
		st->plain_fd = st->fd;
		st->fd = -1;
		rc = packer_run(p, content, put_out, st, e);
		unlinkat(st->box->fd, plain, 0);
		if (rc == 0)
			*packed_out = (uint64_t)lseek(st->fd, 0, SEEK_CUR);
	}
	if (map != MAP_FAILED)
		munmap(map, (size_t)st->size);
	return rc;
}

enum drv_rc
maildir_stage_finish(void *stage, int64_t internal_date, struct stage_result *out, struct err *e)
{
	struct maildir_stage *st = stage;
	struct stat sb;
	bool whole = st->fd == -1;
	uint64_t packed = 0;
	int rc;

	if (whole)
		rc = write_small(st, &packed, e);
	else if (st->content.n > 0 && write_out(st, buf_span(&st->content), e) == -1)
		rc = -1;
	else
		rc = pack_large(st, &packed, e);
	if (rc == -1)
		return drv_of(e);
	if (internal_date != INT64_MIN) {
		/* The file's time is INTERNALDATE, should the index be lost. */
		struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = internal_date } };

		if (futimens(st->fd, ts) == -1)
			return err_errno(e, "set the time of %s/%s", st->box->path, st->tmp), drv_of(e);
	}
	if (fstat(st->fd, &sb) == -1)
		return err_errno(e, "stat %s/%s", st->box->path, st->tmp), drv_of(e);
	if ((uint64_t)sb.st_size != (packed != 0 ? packed : st->size))
		return err_set(e, ERR_TEMP, "%s/%s was not written whole", st->box->path, st->tmp), DRV_ERROR;
	/* The disk may begin; who waits for it is the commit. */
	if (st->box->store->p.fsync != FSYNC_NEVER)
		sync_file_range(st->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
	out->size = st->size;
	out->packed_size = packed;
	out->internal_date = internal_date != INT64_MIN ? internal_date : sb.st_mtim.tv_sec;
	out->content = whole ? buf_span(&st->content) : SPAN_NONE;
	if (whole && out->content.p == NULL)
		out->content = SPAN("");
	out->fd = st->plain_fd != -1 ? st->plain_fd : st->fd;
	return DRV_OK;
}

int
maildir_stage_sync(struct maildir_stage *st, struct err *e)
{
	if (st->fd == -1)
		return 0;	/* it has been */
	if (st->box->store->p.fsync != FSYNC_NEVER && fsync(st->fd) == -1)
		return err_errno(e, "sync %s/%s", st->box->path, st->tmp);
	close(st->fd);
	st->fd = -1;
	st->box->resting--;
	return 0;
}

/*
 * The file stays open, to be synced with others: the first sync of many brings most of the rest along.  But descriptors
 * are not to be had without end.
 */
enum drv_rc
maildir_stage_rest(void *stage, struct err *e)
{
	struct maildir_stage *st = stage;

	buf_clear(&st->content);
	if (st->plain_fd != -1)
		close(st->plain_fd);
	st->plain_fd = -1;
	st->resting = true;
	if (st->box->resting++ < STAGES_OPEN)
		return DRV_OK;
	return maildir_stage_sync(st, e) == 0 ? DRV_OK : drv_of(e);
}

void
maildir_stage_abort(void *stage)
{
	struct maildir_stage *st = stage;

	if (st == NULL)
		return;
	if (st->fd != -1) {
		close(st->fd);
		st->box->resting -= st->resting;
	}
	if (st->plain_fd != -1)
		close(st->plain_fd);
	if (st->tmp[0] != '\0')
		unlinkat(st->box->fd, st->tmp, 0);
	buf_clear(&st->content);
	free(st);
}
