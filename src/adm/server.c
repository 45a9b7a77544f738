/* SPDX-License-Identifier: MIT */
#include "adm/adm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MS 30000

int
adm_connect(struct adm *a, int *sock_out)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct span dir;
	int fd, rc = adm_settings(a);

	if (rc != ADM_OK)
		return rc;
	dir = set_str(a->view, SET_base_dir);
	if ((size_t)snprintf(sa.sun_path, sizeof(sa.sun_path), "%.*s/culver-adm", SPAN_ARG(dir)) >= sizeof(sa.sun_path))
		return adm_fail(ADM_CONFIG, "base_dir is too long a path: %.*s", SPAN_ARG(dir));
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return adm_fail(ADM_TEMP, "socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == -1) {
		int error = errno;

		close(fd);
		if (error == ENOENT || error == ECONNREFUSED)
			return adm_fail(ADM_TEMP, "Culver is not running (nobody answers at %s)", sa.sun_path);
		return adm_fail(error == EACCES ? ADM_NO_PERM : ADM_TEMP, "connect %s: %s", sa.sun_path,
		    strerror(error));
	}
	*sock_out = fd;
	return ADM_OK;
}

int
adm_send(int sock, struct ipc_out *o)
{
	struct err e = ERR_INIT;

	return ipc_send(sock, o, &e) == 0 ? ADM_OK : adm_fail(ADM_TEMP, "asking the server: %s", e.log);
}

int
adm_receive(int sock, struct ipc_msg *m)
{
	struct err e = ERR_INIT;
	int rc = ipc_recv_wait(sock, m, ANSWER_MS, &e);

	if (rc == 1)
		return ADM_OK;
	if (rc == 0)
		return adm_fail(ADM_TEMP, "the server closed the connection");
	return adm_fail(ADM_TEMP, "the server's answer: %s", e.log);
}

int
adm_channel(struct adm *a, const char *service, int *sock_out)
{
	struct err e = ERR_INIT;
	struct ipc_out o;
	struct ipc_msg m;
	int sock = -1, rc = adm_connect(a, &sock);

	if (rc != ADM_OK)
		return rc;
	if (ipc_msg_init(&m, &e) == -1) {
		close(sock);
		return adm_fail(ADM_TEMP, "%s", e.log);
	}
	ipc_begin(&o, MSG_WANT);
	ipc_put_str(&o, F_NAME, service);
	if ((rc = adm_send(sock, &o)) == ADM_OK && (rc = adm_receive(sock, &m)) == ADM_OK) {
		ipc_bytes(&m, F_NAME, 64);
		if (m.type == MSG_CHANNEL)
			*sock_out = ipc_fd(&m);
		if (m.type != MSG_CHANNEL || !ipc_end(&m))
			rc = adm_fail(ADM_TEMP, "the server has no service \"%s\" to talk to", service);
	}
	ipc_msg_clear(&m);
	close(sock);
	return rc;
}

int
adm_done(int sock, uint32_t *count_out)
{
	struct err e = ERR_INIT;
	struct ipc_msg m;
	int rc;

	if (ipc_msg_init(&m, &e) == -1)
		return adm_fail(ADM_TEMP, "%s", e.log);
	rc = adm_receive(sock, &m);
	if (rc == ADM_OK && m.type != MSG_DONE)
		rc = adm_fail(ADM_TEMP, "the server gave answer %u where the end was due", m.type);
	if (rc == ADM_OK && ipc_opt_u32(&m, F_CODE, 0) != 0)
		rc = adm_fail(ADM_FAILED, "%.*s", SPAN_ARG(ipc_opt_bytes(&m, F_TEXT, IPC_FRAME_MAX)));
	if (rc == ADM_OK && count_out != NULL)
		*count_out = ipc_opt_u32(&m, F_COUNT, 0);
	ipc_msg_clear(&m);
	return rc;
}
