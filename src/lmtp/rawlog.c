/* SPDX-License-Identifier: MIT */
#include "lmtp/rawlog.h"

#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"

#define PIECE_MAX 65536

static int
open_at(int dir_fd, const char *name, struct err *e)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd == -1 ? err_errno(e, "open %s", name) : fd;
}

int
rawlog_open(const char *dir, int fds_out[2], struct err *e)
{
	static unsigned number;
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fds[2] = { -1, -1 };
	time_t now = (time_t)(clock_wall_us() / 1000000);
	struct tm tm;
	char date[32] = "0", name[100];

	if (dir_fd == -1)
		return err_errno(e, "open %s", dir);
	if (localtime_r(&now, &tm) != NULL)
		strftime(date, sizeof(date), "%Y%m%d-%H%M%S", &tm);
	number++;
	for (int i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "%s-%ld-%u.%s", date, (long)getpid(), number, i == 0 ? "in" : "out");
		fds[i] = open_at(dir_fd, name, e);
		if (fds[i] == -1)
			break;
	}
	close(dir_fd);
	if (fds[1] == -1) {
		if (fds[0] != -1)
			close(fds[0]);
		return err_wrap(e, "%s", dir);
	}
	fds_out[0] = fds[0];
	fds_out[1] = fds[1];
	return 0;
}

void
rawlog_init(struct rawlog *r, const int fds[2])
{
	*r = (struct rawlog){ .fds = { fds[0], fds[1] }, .left = { RAWLOG_MAX, RAWLOG_MAX } };
}

static void
give_up(struct rawlog *r, int i, const char *why)
{
	log_warning("lmtp_rawlog_dir: %s: the rest of what is %s is not recorded", why, i == 0 ? "received" : "sent");
	close(r->fds[i]);
	r->fds[i] = -1;
}

/* The lines of s, and at the beginning of each when it was. */
static void
add_lines(struct rawlog *r, int i, struct span s, struct buf *out)
{
	int64_t us = clock_wall_us();

	while (s.n > 0) {
		size_t n = span_chr(s, '\n');

		n += n < s.n;
		if (!r->inside[i])
			buf_addf(out, "%lld.%06d ", (long long)(us / 1000000), (int)(us % 1000000));
		buf_add(out, span_sub(s, 0, n));
		r->inside[i] = s.p[n - 1] != '\n';
		s = span_from(s, n);
	}
}

void
rawlog_record(void *ctx, bool sent, struct span octets)
{
	struct rawlog *r = ctx;
	int i = sent;

	while (octets.n > 0 && r->fds[i] != -1) {
		struct buf text = BUF_INIT((size_t)PIECE_MAX * 32);
		struct err e = ERR_INIT;

		add_lines(r, i, span_sub(octets, 0, PIECE_MAX), &text);
		octets = span_from(octets, PIECE_MAX);
		if (text.failed || text.n > r->left[i])
			give_up(r, i, text.failed ? "out of memory" : "the file is full");
		else if (fd_write_all(r->fds[i], buf_span(&text), &e) == -1)
			give_up(r, i, e.log);
		else
			r->left[i] -= text.n;
		buf_clear(&text);
	}
}
