/* SPDX-License-Identifier: MIT */
#include "lib-storage/maildir/listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define COARSE_AGE 3	/* seconds: FAT's clock ticks in two */
#define EARLY_MAX ((size_t)4 << 30)
#define EARLY_FILES 50000000u
#define EARLY_GUESS (64 << 20)

struct maildir_early {
	struct maildir_seal seal;
	struct buf names;	/* of each: how it was found, the name, a NUL */
	uint32_t count;
};
enum { EARLY_CUR = 1, EARLY_REGULAR = 2, EARLY_IS = 4 };

bool
maildir_seal(struct maildir_box *box, int sub, bool coarse, struct idx_stamp *out)
{
	struct timespec ts[2] = { { .tv_nsec = UTIME_OMIT } };
	struct stat sb;
	bool fine;

	clock_gettime(CLOCK_REALTIME, &ts[1]);
	fine = !coarse && !index_is_private(box->store->ix) && utimensat(box->fd, maildir_subdirs[sub], ts, 0) == 0;
	if (fstatat(box->fd, maildir_subdirs[sub], &sb, 0) == -1)
		return false;
	*out = (struct idx_stamp){ .sec = sb.st_mtim.tv_sec, .nsec = (uint32_t)sb.st_mtim.tv_nsec,
		.ino = (uint64_t)sb.st_ino };
	if (fine && sb.st_mtim.tv_sec == ts[1].tv_sec && sb.st_mtim.tv_nsec == ts[1].tv_nsec)
		return true;
	return sb.st_mtim.tv_sec + COARSE_AGE < ts[1].tv_sec;
}

void
maildir_seal_both(struct maildir_box *box, bool coarse, struct maildir_seal *out)
{
	*out = (struct maildir_seal){ .coarse = false };
	for (int sub = 0; sub < 2; sub++)
		if (!maildir_seal(box, sub, coarse, &out->stamp[sub]))
			out->coarse = true;
}

bool
maildir_stamp_is(const struct idx_stamp *s, const struct stat *sb)
{
	return s->sec == sb->st_mtim.tv_sec && s->nsec == (uint32_t)sb->st_mtim.tv_nsec && s->ino == (uint64_t)sb->st_ino;
}

static bool
stamp_eq(struct maildir_box *box, int sub, const struct idx_stamp *s)
{
	struct stat sb;

	return fstatat(box->fd, maildir_subdirs[sub], &sb, 0) == 0 && maildir_stamp_is(s, &sb);
}

bool
maildir_seal_holds(struct maildir_box *box, const struct maildir_seal *s)
{
	return stamp_eq(box, SUB_NEW, &s->stamp[SUB_NEW]) && stamp_eq(box, SUB_CUR, &s->stamp[SUB_CUR]);
}

bool
maildir_stamp_holds(struct maildir_box *box, const struct idx_state *st, int sub)
{
	return !(st->bits & (IDX_STATE_COARSE | IDX_STATE_UNSCANNED)) && stamp_eq(box, sub, &st->stamp[sub]);
}

int
maildir_list_dir(struct maildir_box *box, int sub, maildir_listed_fn *fn, void *ctx, struct err *e)
{
	int fd = openat(box->fd, maildir_subdirs[sub], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *d;
	int rc = 0;

	if (dir == NULL) {
		err_errno(e, "open %s/%s", box->path, maildir_subdirs[sub]);
		if (fd != -1)
			close(fd);
		return -1;
	}
	while (rc == 0 && (errno = 0, d = readdir(dir)) != NULL) {
		/* A message is a plain file: a symbolic link could lead anywhere, and opening a FIFO would never end. */
		if (d->d_type != DT_REG && d->d_type != DT_UNKNOWN)
			continue;
		if (!fn(ctx, sub, span_str(d->d_name), d->d_type == DT_REG))
			rc = 1;
	}
	if (rc == 0 && errno != 0)
		rc = err_errno(e, "read %s/%s", box->path, maildir_subdirs[sub]);
	closedir(dir);
	return rc;
}

static bool
early_add(void *ctx, int sub, struct span name, bool regular)
{
	struct maildir_early *early = ctx;

	buf_addc(&early->names, (char)(EARLY_IS | (sub == SUB_CUR ? EARLY_CUR : 0) | (regular ? EARLY_REGULAR : 0)));
	buf_add(&early->names, name);
	buf_addc(&early->names, '\0');
	early->count++;
	return !early->names.failed && early->count < EARLY_FILES;
}

bool
maildir_early_list(struct maildir_box *box)
{
	struct err none = ERR_INIT;
	struct stat sb;
	size_t room = 0;

	if (box->early != NULL)
		return true;
	box->early = calloc(1, sizeof(*box->early));
	if (box->early == NULL)
		return false;
	buf_init(&box->early->names, EARLY_MAX);
	maildir_seal_both(box, false, &box->early->seal);
	/* A directory's size is about that of the names in it. */
	for (int sub = 0; sub < 2; sub++)
		if (fstatat(box->fd, maildir_subdirs[sub], &sb, 0) == 0 && sb.st_size > 0 && sb.st_size < EARLY_GUESS)
			room += (size_t)sb.st_size;
	if (room > 0)
		buf_grow(&box->early->names, room);
	/* new/ first: a file that moves on to cur/ meanwhile is seen twice, not never. */
	for (int sub = 0; sub < 2; sub++) {
		if (maildir_list_dir(box, sub, early_add, box->early, &none) != 0) {
			maildir_early_forget(box);
			return false;
		}
	}
	return true;
}

bool
maildir_early_next(const struct maildir_box *box, size_t *at, int *sub_out, bool *regular_out, struct span *name_out)
{
	const struct buf *names = &box->early->names;

	if (*at == names->n)
		return false;
	*sub_out = names->p[*at] & EARLY_CUR ? SUB_CUR : SUB_NEW;
	*regular_out = (names->p[*at] & EARLY_REGULAR) != 0;
	*name_out = span_str(names->p + *at + 1);
	*at += name_out->n + 2;
	return true;
}

uint32_t
maildir_early_count(const struct maildir_box *box)
{
	return box->early == NULL ? 0 : box->early->count;
}

bool
maildir_early_seal(const struct maildir_box *box, struct maildir_seal *out)
{
	if (box->early == NULL)
		return false;
	*out = box->early->seal;
	return true;
}

void
maildir_early_forget(struct maildir_box *box)
{
	if (box->early != NULL)
		buf_clear(&box->early->names);
	free(box->early);
	box->early = NULL;
}
