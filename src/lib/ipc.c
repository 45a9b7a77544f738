/* SPDX-License-Identifier: MIT */
#include "lib/ipc.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/sys.h"

void
ipc_begin(struct ipc_out *o, uint16_t type)
{
	buf_init(&o->b, IPC_FRAME_MAX);
	o->b.secret = true;
	o->fd_count = 0;
	buf_add_be16(&o->b, type);
}

void
ipc_put_bytes(struct ipc_out *o, uint16_t tag, struct span s)
{
	if (tag == 0 || tag >= IPC_FIELDS || s.n > IPC_FRAME_MAX) {
		o->b.failed = true;
		return;
	}
	buf_add_be16(&o->b, tag);
	buf_add_be32(&o->b, (uint32_t)s.n);
	buf_add(&o->b, s);
}

void
ipc_put_str(struct ipc_out *o, uint16_t tag, const char *s)
{
	if (s != NULL)
		ipc_put_bytes(o, tag, span_str(s));
}

void
ipc_put_u32(struct ipc_out *o, uint16_t tag, uint32_t v)
{
	char q[4];

	be32_put(q, v);
	ipc_put_bytes(o, tag, span_of(q, sizeof(q)));
}

void
ipc_put_u64(struct ipc_out *o, uint16_t tag, uint64_t v)
{
	char q[8];

	be64_put(q, v);
	ipc_put_bytes(o, tag, span_of(q, sizeof(q)));
}

void
ipc_put_fd(struct ipc_out *o, int fd)
{
	if (o->fd_count == IPC_FDS)
		o->b.failed = true;
	else
		o->fds[o->fd_count++] = fd;
}

void
ipc_out_clear(struct ipc_out *o)
{
	buf_wipe(&o->b);
	o->fd_count = 0;
}

int
ipc_send(int sock, struct ipc_out *o, struct err *e)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * IPC_FDS)];
	} control;
	struct iovec iov = { o->b.p, o->b.n };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;
	int error;

	if (o->b.failed) {
		ipc_out_clear(o);
		return err_set(e, ERR_LIMIT, "frame too large");
	}
	if (o->fd_count > 0) {
		struct cmsghdr *cm;

		memset(&control, 0, sizeof(control));
		mh.msg_control = control.room;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * o->fd_count);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * o->fd_count);
		memcpy(CMSG_DATA(cm), o->fds, sizeof(int) * o->fd_count);
	}
	do
		n = sendmsg(sock, &mh, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	if (n != -1) {
		ipc_out_clear(o);
		return 0;
	}
	error = errno;
	if (error == EAGAIN || error == EWOULDBLOCK)
		return err_set(e, ERR_INUSE, "peer's queue is full");
	ipc_out_clear(o);
	if (error == EPIPE || error == ECONNRESET || error == ENOTCONN)
		return err_set(e, ERR_EOF, "peer has gone");
	errno = error;
	return err_errno(e, "sendmsg");
}

int
ipc_msg_init(struct ipc_msg *m, struct err *e)
{
	memset(m, 0, sizeof(*m));
	m->data = malloc(IPC_FRAME_MAX);
	return m->data == NULL ? err_set(e, ERR_TEMP, "out of memory") : 0;
}

void
ipc_msg_reset(struct ipc_msg *m)
{
	char *data = m->data;

	while (m->fd_taken < m->fd_count)
		close(m->fds[m->fd_taken++]);
	if (m->data_n > 0)
		explicit_bzero(m->data, m->data_n);
	memset(m, 0, sizeof(*m));
	m->data = data;
}

void
ipc_msg_clear(struct ipc_msg *m)
{
	ipc_msg_reset(m);
	free(m->data);
	m->data = NULL;
}

/* The descriptors are taken even from a frame that turns out bad: they must be closed. */
static void
take_fds(struct ipc_msg *m, struct msghdr *mh)
{
	for (struct cmsghdr *cm = CMSG_FIRSTHDR(mh); cm != NULL; cm = CMSG_NXTHDR(mh, cm)) {
		size_t count;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		count = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(int));
			if (m->fd_count < IPC_FDS)
				m->fds[m->fd_count++] = fd;
			else
				close(fd);
		}
	}
}

static int
parse_frame(struct ipc_msg *m, struct err *e)
{
	size_t pos = 2;

	if (m->data_n < 2)
		return err_set(e, ERR_SYNTAX, "frame of %zu octets", m->data_n);
	m->type = be16_get(m->data);
	while (pos < m->data_n) {
		uint16_t tag;
		size_t n;

		if (m->data_n - pos < 6)
			return err_set(e, ERR_SYNTAX, "frame %u: cut field", m->type);
		tag = be16_get(m->data + pos);
		n = be32_get(m->data + pos + 2);
		pos += 6;
		if (tag == 0 || tag >= IPC_FIELDS || n > m->data_n - pos || m->field[tag].p != NULL)
			return err_set(e, ERR_SYNTAX, "frame %u: bad field %u", m->type, tag);
		m->field[tag] = span_of(m->data + pos, n);
		pos += n;
	}
	return 1;
}

int
ipc_recv(int sock, struct ipc_msg *m, struct err *e)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int) * IPC_FDS)];
	} control;
	struct iovec iov;
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	ipc_msg_reset(m);
	iov.iov_base = m->data;
	iov.iov_len = IPC_FRAME_MAX;
	mh.msg_control = control.room;
	mh.msg_controllen = sizeof(control.room);
	do
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n == -1) {
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return err_set(e, ERR_INUSE, "nothing to receive");
		if (errno == ECONNRESET)
			return 0;
		return err_errno(e, "recvmsg");
	}
	take_fds(m, &mh);
	if (n == 0)
		return 0;
	m->data_n = (size_t)n;
	if ((mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		return err_set(e, ERR_SYNTAX, "frame cut by the system");
	return parse_frame(m, e);
}

int
ipc_parse(struct ipc_msg *m, struct span frame, struct err *e)
{
	ipc_msg_reset(m);
	if (frame.n > IPC_FRAME_MAX)
		return err_set(e, ERR_LIMIT, "frame too large");
	if (frame.n > 0)
		memcpy(m->data, frame.p, frame.n);
	m->data_n = frame.n;
	return parse_frame(m, e);
}

int
ipc_recv_wait(int sock, struct ipc_msg *m, int timeout_ms, struct err *e)
{
	int rc = fd_wait(sock, POLLIN, timeout_ms, e);

	if (rc == -1)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_TIMEOUT, "no answer within %d ms", timeout_ms);
	return ipc_recv(sock, m, e);
}

bool
ipc_has(const struct ipc_msg *m, uint16_t tag)
{
	return m->field[tag].p != NULL;
}

static struct span
take(struct ipc_msg *m, uint16_t tag)
{
	m->seen |= (uint64_t)1 << tag;
	if (m->field[tag].p == NULL)
		m->bad = true;
	return m->field[tag];
}

uint32_t
ipc_u32(struct ipc_msg *m, uint16_t tag)
{
	struct span s = take(m, tag);

	if (s.n != 4) {
		m->bad = true;
		return 0;
	}
	return be32_get(s.p);
}

uint64_t
ipc_u64(struct ipc_msg *m, uint16_t tag)
{
	struct span s = take(m, tag);

	if (s.n != 8) {
		m->bad = true;
		return 0;
	}
	return be64_get(s.p);
}

struct span
ipc_bytes(struct ipc_msg *m, uint16_t tag, size_t max)
{
	struct span s = take(m, tag);

	if (s.n > max) {
		m->bad = true;
		return SPAN_NONE;
	}
	return s;
}

int
ipc_fd(struct ipc_msg *m)
{
	int fd;

	if (m->fd_taken == m->fd_count) {
		m->bad = true;
		return -1;
	}
	fd = m->fds[m->fd_taken];
	m->fds[m->fd_taken++] = -1;
	return fd;
}

uint32_t
ipc_opt_u32(struct ipc_msg *m, uint16_t tag, uint32_t otherwise)
{
	return ipc_has(m, tag) ? ipc_u32(m, tag) : otherwise;
}

struct span
ipc_opt_bytes(struct ipc_msg *m, uint16_t tag, size_t max)
{
	return ipc_has(m, tag) ? ipc_bytes(m, tag, max) : SPAN_NONE;
}

bool
ipc_end(const struct ipc_msg *m)
{
	for (unsigned tag = 1; tag < IPC_FIELDS; tag++)
		if (m->field[tag].p != NULL && (m->seen & ((uint64_t)1 << tag)) == 0)
			return false;
	return !m->bad && m->fd_taken == m->fd_count;
}

int
ipc_pair(int fds_out[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds_out) == -1)
		return err_errno(e, "socketpair");
	return 0;
}
