/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_IPC_H
#define CULVER_LIB_IPC_H
/*
 * Frames between Culver's own processes: one SOCK_SEQPACKET message is one frame.
 *	frame = type (u16) *field;  field = tag (u16) length (u32) octets;  integers big-endian
 * and up to IPC_FDS descriptors alongside.  A frame is at most IPC_FRAME_MAX octets; a field stands at most once.
 */
#include "lib/buf.h"
#include "lib/err.h"

#define IPC_FRAME_MAX 65536
#define IPC_FDS 4
#define IPC_FIELDS 64	/* tags are 1..IPC_FIELDS - 1 */

/* Writing: ipc_begin, ipc_put_*, ipc_send.  Descriptors are borrowed: still the caller's after the send. */
struct ipc_out {
	struct buf b;
	int fds[IPC_FDS];
	size_t fd_count;
};

void ipc_begin(struct ipc_out *o, uint16_t type);	/* o may be uninitialised */
void ipc_put_bytes(struct ipc_out *o, uint16_t tag, struct span s);
void ipc_put_str(struct ipc_out *o, uint16_t tag, const char *s);	/* NULL: no field */
void ipc_put_u32(struct ipc_out *o, uint16_t tag, uint32_t v);
void ipc_put_u64(struct ipc_out *o, uint16_t tag, uint64_t v);
void ipc_put_fd(struct ipc_out *o, int fd);	/* received in the same order */
void ipc_out_clear(struct ipc_out *o);		/* wipes: frames carry passwords */
/*
 * Sends and clears o.  0, or -1: ERR_LIMIT the frame was too large, ERR_EOF the peer has gone, ERR_INUSE the socket
 * would block (only if it is non-blocking; then o is kept, and may be sent again).
 */
int ipc_send(int sock, struct ipc_out *o, struct err *e);

/* Reading. */
struct ipc_msg {
	uint16_t type;
	struct span field[IPC_FIELDS];	/* p == NULL: not there */
	uint64_t seen;			/* fields that were asked for */
	int fds[IPC_FDS];		/* -1: taken, or never there */
	size_t fd_count, fd_taken;
	bool bad;
	char *data;			/* IPC_FRAME_MAX octets, made by ipc_msg_init */
	size_t data_n;
};

int ipc_msg_init(struct ipc_msg *m, struct err *e);
void ipc_msg_reset(struct ipc_msg *m);		/* closes descriptors nobody took, and wipes */
void ipc_msg_clear(struct ipc_msg *m);		/* the same, and frees */
/*
 * The next frame into m; what m held before is wiped, descriptors nobody took are closed.  1 a frame, 0 the peer has
 * closed, -1 an error: ERR_SYNTAX a malformed frame, ERR_INUSE nothing there (non-blocking), else the system's.
 */
int ipc_recv(int sock, struct ipc_msg *m, struct err *e);
/* A frame's octets (not from a socket, without descriptors) into m; as ipc_recv. */
int ipc_parse(struct ipc_msg *m, struct span frame, struct err *e);
/* As ipc_recv, waiting timeout_ms at most (-1: for ever); ERR_TIMEOUT. */
int ipc_recv_wait(int sock, struct ipc_msg *m, int timeout_ms, struct err *e);

/* Fields that must be there: when one is not, or has another size, m is bad and the value is 0 or empty. */
uint32_t ipc_u32(struct ipc_msg *m, uint16_t tag);
uint64_t ipc_u64(struct ipc_msg *m, uint16_t tag);
struct span ipc_bytes(struct ipc_msg *m, uint16_t tag, size_t max);	/* valid until the next ipc_recv */
int ipc_fd(struct ipc_msg *m);		/* the next descriptor, the caller's from now on; -1 and bad when there is none */
/* Fields that may be there. */
bool ipc_has(const struct ipc_msg *m, uint16_t tag);
uint32_t ipc_opt_u32(struct ipc_msg *m, uint16_t tag, uint32_t otherwise);
struct span ipc_opt_bytes(struct ipc_msg *m, uint16_t tag, size_t max);
/* True when nothing was missing, wrong or left over: every field was asked for and every descriptor taken. */
bool ipc_end(const struct ipc_msg *m);

int ipc_pair(int fds_out[2], struct err *e);	/* a SOCK_SEQPACKET pair, close-on-exec */
#endif
