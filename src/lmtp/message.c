/* SPDX-License-Identifier: MIT */
#include "lmtp/message.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/sys.h"

#define TAIL_MAX (512 * 1024)
#define TAIL_HIGH (256 * 1024)	/* written out from here on */

void
message_init(struct message *m, uint64_t max)
{
	*m = (struct message){ .fd = -1, .max = max, .why = ERR_INIT };
	buf_init(&m->tail, TAIL_MAX);
}

void
message_clear(struct message *m)
{
	if (m->fd != -1)
		close(m->fd);
	m->fd = -1;
	buf_reset(&m->tail);
	m->size = 0;
	m->too_big = m->failed = false;
}

void
message_free(struct message *m)
{
	message_clear(m);
	buf_clear(&m->tail);
}

static int
write_out(struct message *m, struct err *e)
{
	if (m->fd == -1)
		m->fd = memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (m->fd == -1)
		return err_errno(e, "memfd_create");
	if (fd_write_all(m->fd, buf_span(&m->tail), e) == -1)
		return -1;
	m->tail.n = 0;
	return 0;
}

char *
message_room(struct message *m, size_t n)
{
	if (!m->failed && m->tail.n >= TAIL_HIGH && write_out(m, &m->why) == -1)
		m->failed = true;
	if (m->failed || m->too_big)
		m->tail.n = 0;
	if (!buf_grow(&m->tail, m->tail.n + n)) {
		m->failed = true;
		err_set(&m->why, ERR_TEMP, "out of memory");
		return NULL;
	}
	return m->tail.p + m->tail.n;
}

void
message_commit(struct message *m, size_t n)
{
	m->size += n;
	if (m->size > m->max)
		m->too_big = true;
	m->tail.n += n;
}

int
message_seal(struct message *m, struct err *e)
{
	if (m->failed) {
		*e = m->why;
		return -1;
	}
	if (write_out(m, e) == -1)
		return -1;
	if (fcntl(m->fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == -1)
		return err_errno(e, "sealing a message");
	return m->fd;
}
