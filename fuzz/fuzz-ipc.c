/* SPDX-License-Identifier: MIT */
/*
 * A frame as any process could send it.  A frame that is taken is written again from its fields, received, and must be
 * the same; a cut one is never taken for the whole: it is malformed, or has fewer fields.
 */
#include <stdlib.h>
#include <unistd.h>
#include <sys/socket.h>
#include "lib/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
receive(int fds[2], struct span octets, struct ipc_msg *m)
{
	struct err e = ERR_INIT;

	if (octets.n == 0 || send(fds[0], octets.p, octets.n, 0) != (ssize_t)octets.n)
		return -1;
	return ipc_recv(fds[1], m, &e);
}

static unsigned
count_fields(const struct ipc_msg *m)
{
	unsigned n = 0;

	for (uint16_t tag = 1; tag < IPC_FIELDS; tag++)
		n += ipc_has(m, tag);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fds[2] = { -1, -1 };
	static struct ipc_msg m, again;
	struct err e = ERR_INIT;
	struct ipc_out o;
	unsigned fields;

	if (fds[0] == -1 && (ipc_pair(fds, &e) == -1 || ipc_msg_init(&m, &e) == -1 || ipc_msg_init(&again, &e) == -1))
		abort();
	if (receive(fds, span_of(data, size), &m) != 1)
		return 0;
	ipc_begin(&o, m.type);
	for (uint16_t tag = 1; tag < IPC_FIELDS; tag++)
		if (ipc_has(&m, tag))
			ipc_put_bytes(&o, tag, m.field[tag]);
	if (o.b.n != size || ipc_send(fds[0], &o, &e) == -1 || ipc_recv(fds[1], &again, &e) != 1)
		abort();
	for (uint16_t tag = 1; tag < IPC_FIELDS; tag++) {
		struct span a = ipc_opt_bytes(&m, tag, size), b = ipc_opt_bytes(&again, tag, size);

		if (!span_eq(a, b) || (a.p == NULL) != (b.p == NULL))
			abort();
	}
	if (!ipc_end(&m) || !ipc_end(&again))
		abort();
	fields = count_fields(&m);
	for (size_t n = 1; n < size && n < 300; n++)
		if (receive(fds, span_of(data, n), &again) == 1 && count_fields(&again) >= fields && fields > 0)
			abort();
	return 0;
}
