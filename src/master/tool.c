/* SPDX-License-Identifier: MIT */
/* What culveradm, run by root or by the server's owner, may ask of the master. */
#include "master/master.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "lib/log.h"

#define TOOLS_MAX 64

static struct peer *tools[TOOLS_MAX];

static void
done(struct peer *peer, uint32_t id, uint32_t code, const char *text)
{
	struct ipc_out o;

	ipc_begin(&o, MSG_DONE);
	ipc_put_u32(&o, F_ID, id);
	ipc_put_u32(&o, F_CODE, code);
	ipc_put_str(&o, F_TEXT, text);
	peer_send(peer, &o);
}

static int
on_reload(struct peer *peer, struct ipc_msg *msg, struct err *e)
{
	uint32_t id = ipc_u32(msg, F_ID);
	struct err why = ERR_INIT;

	if (!ipc_end(msg))
		return err_set(e, ERR_SYNTAX, "malformed reload");
	if (master_reload(peer_data(peer), &why) == -1)
		done(peer, id, 1, why.log);
	else
		done(peer, id, 0, NULL);
	return 0;
}

static int
on_shutdown(struct peer *peer, struct ipc_msg *msg, struct err *e)
{
	uint32_t id = ipc_u32(msg, F_ID);

	if (!ipc_end(msg))
		return err_set(e, ERR_SYNTAX, "malformed shutdown");
	done(peer, id, 0, NULL);
	master_stop(peer_data(peer));
	return 0;
}

static int
on_log_errors(struct peer *peer, struct ipc_msg *msg, struct err *e)
{
	struct master *m = peer_data(peer);
	uint32_t id = ipc_u32(msg, F_ID);
	enum log_level level;
	struct span text;
	time_t when;
	size_t pos = 0;

	if (!ipc_end(msg))
		return err_set(e, ERR_SYNTAX, "malformed question for the log");
	while (log_memory_next(m->memory, &pos, &level, &text, &when)) {
		struct ipc_out o;

		ipc_begin(&o, MSG_LOG_LINE);
		ipc_put_u32(&o, F_ID, id);
		ipc_put_u32(&o, F_LEVEL, (uint32_t)level);
		ipc_put_u64(&o, F_TIME, (uint64_t)when);
		ipc_put_bytes(&o, F_TEXT, text);
		peer_send(peer, &o);
	}
	done(peer, id, 0, NULL);
	return 0;
}

static int
on_services(struct peer *peer, struct ipc_msg *msg, struct err *e)
{
	struct master *m = peer_data(peer);
	uint32_t id = ipc_u32(msg, F_ID);

	if (!ipc_end(msg))
		return err_set(e, ERR_SYNTAX, "malformed question for services");
	for (struct proc *p = m->procs; p != NULL; p = p->next) {
		struct ipc_out o;

		ipc_begin(&o, MSG_SERVICE);
		ipc_put_u32(&o, F_ID, id);
		ipc_put_str(&o, F_NAME, kinds[p->kind].name);
		ipc_put_u32(&o, F_PID, (uint32_t)p->pid);
		ipc_put_u32(&o, F_COUNT, p->clients);
		ipc_put_u32(&o, F_LIMIT, p->limit);
		peer_send(peer, &o);
	}
	done(peer, id, 0, NULL);
	return 0;
}

static int
on_want(struct peer *peer, struct ipc_msg *msg, struct err *e)
{
	struct master *m = peer_data(peer);
	struct span name = ipc_bytes(msg, F_NAME, 64);

	if (!ipc_end(msg))
		return err_set(e, ERR_SYNTAX, "malformed want");
	if (!kind_may_want(PEER_ADM, name))
		return err_set(e, ERR_DENIED, "a tool may not talk with %.*s", SPAN_ARG(name));
	broker_want(m, peer, PEER_ADM, m->generation, name);
	return 0;
}

static const struct ipc_rule tool_rules[] = {
	{ MSG_RELOAD, PEER_ADM, on_reload },
	{ MSG_SHUTDOWN, PEER_ADM, on_shutdown },
	{ MSG_LOG_ERRORS, PEER_ADM, on_log_errors },
	{ MSG_SERVICES, PEER_ADM, on_services },
	{ MSG_WANT, PEER_ADM, on_want },
	{ 0, 0, NULL },
};

static void
on_tool_close(struct peer *peer)
{
	broker_forget(peer_data(peer), peer);
	for (size_t i = 0; i < TOOLS_MAX; i++)
		if (tools[i] == peer)
			tools[i] = NULL;
}

static void
on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct master *m = w->data;
	struct peer_options po = { .rules = tool_rules, .kind = PEER_ADM, .on_close = on_tool_close, .data = m,
				   .queue_max = 4 << 20 };
	struct ucred who;
	socklen_t n = sizeof(who);
	size_t i;
	int fd = accept4(m->tool_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)revents;
	if (fd == -1)
		return;
	/* The socket's mode says the same; this is proof against a chmod by mistake. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == -1 || (who.uid != 0 && who.uid != geteuid())) {
		close(fd);
		return;
	}
	for (i = 0; i < TOOLS_MAX && tools[i] != NULL; i++)
		;
	if (i < TOOLS_MAX)
		tools[i] = peer_new(loop, &fd, &po);
	if (fd != -1)
		close(fd);
}

int
tool_listen(struct master *m, struct err *e)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	mode_t old_mask;
	int n, rc;

	n = snprintf(un.sun_path, sizeof(un.sun_path), "%.*s/culver-adm", SPAN_ARG(set_str(m->view, SET_base_dir)));
	if (n < 0 || (size_t)n >= sizeof(un.sun_path))
		return err_set(e, ERR_LIMIT, "base_dir is too long for sockets in it");
	m->tool_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (m->tool_fd == -1)
		return err_errno(e, "socket");
	/* We hold the lock of this base_dir: what is there is of a server that is gone. */
	unlink(un.sun_path);
	old_mask = umask(0177);
	rc = bind(m->tool_fd, (struct sockaddr *)&un, sizeof(un));
	umask(old_mask);
	if (rc == -1 || listen(m->tool_fd, 16) == -1)
		return err_errno(e, "%s", un.sun_path);
	ev_io_init(&m->tool_accept, on_accept, m->tool_fd, EV_READ);
	m->tool_accept.data = m;
	ev_io_start(m->loop, &m->tool_accept);
	return 0;
}

void
tool_close(struct master *m)
{
	char path[4096];

	if (m->tool_fd == -1)
		return;
	ev_io_stop(m->loop, &m->tool_accept);
	close(m->tool_fd);
	m->tool_fd = -1;
	snprintf(path, sizeof(path), "%.*s/culver-adm", SPAN_ARG(set_str(m->view, SET_base_dir)));
	unlink(path);
}
