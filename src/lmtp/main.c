/* SPDX-License-Identifier: MIT */
/*
 * The parent of the LMTP connections: accepts, and forks a process for each, which never was root.  Its powers, in order:
 * it reads the TLS keys as root, becomes the internal user, holds channels to auth and deliver ready for its children.
 *
 * When all places are taken, or all of one address, the place of who has been silent for longest is asked for
 * (conn.c decides in the child whether it can be given): held connections can not keep deliveries out.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-protocol/children.h"
#include "lib-protocol/tls-proxy.h"
#include "lmtp/conn.h"
#include "lmtp/dial.h"
#include "lmtp/rawlog.h"

#define CHANNELS 8		/* of each kind, ready for the next connections */
#define RETRY 0.1		/* seconds until a place is asked for again */
#define END_GRACE 10.
#define TLS_HANDSHAKE_MS 30000

struct lmtp_parent;

/* A forked process: a connection's, or one that speaks TLS for it (no status then). */
struct conn {
	struct lmtp_parent *parent;
	pid_t pid;
	char rip[64];			/* "unix" for local ones, which are not counted by address */
	struct lmtp_status *status;	/* one of parent->status; NULL: TLS */
	struct peer *control;
};

/* Channels that are ready: to auth, to deliver. */
struct spare {
	const char *name;
	int fds[CHANNELS];
	size_t count, wanted;
};

struct lmtp_parent {
	struct service service;
	struct children *children;
	struct priv_filter *filter, *tls_filter;
	struct spam_scan scan;
	struct tls_server *tls;
	bool proxies;			/* lmtp_proxy is on somewhere */
	struct recipient_tables *tables;	/* NULL: none */
	struct spare auth, deliver;
	uint32_t limit, ip_limit;
	struct lmtp_status *status;	/* shared with the children; limit of them */
	struct conn **conns;		/* by place; NULL: free */
	uint32_t count;
	ev_io accept[SERVICE_LISTENERS_MAX];
	ev_timer retry;
	bool accepting, ending;
};

/* Asks for as many channels as are missing. */
static void
spare_fill(struct lmtp_parent *p, struct spare *s)
{
	while (s->count + s->wanted < CHANNELS) {
		service_want(&p->service, s->name);
		s->wanted++;
	}
}

static bool
is_alive(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLRDHUP };

	return poll(&pfd, 1, 0) == 0;
}

/* The other side may have died since: such channels are no use to anybody. */
static void
spare_prune(struct lmtp_parent *p, struct spare *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++)
		if (is_alive(s->fds[i]))
			s->fds[kept++] = s->fds[i];
		else
			close(s->fds[i]);
	s->count = kept;
	spare_fill(p, s);
}

static void
accept_watch(struct lmtp_parent *p, bool on)
{
	if (p->accepting == on)
		return;
	p->accepting = on;
	for (size_t i = 0; i < p->service.listener_count; i++)
		if (on)
			ev_io_start(p->service.loop, &p->accept[i]);
		else
			ev_io_stop(p->service.loop, &p->accept[i]);
}

/* Accepts when there is a place and all that a connection needs. */
static void
accept_if_ready(struct lmtp_parent *p)
{
	accept_watch(p, !p->service.stopping && !p->ending && p->count < p->limit && p->auth.count > 0 && p->deliver.count > 0);
}

/* Whether one of the places (of an address, if rip is not NULL) was asked for. */
static bool
ask_for_place(struct lmtp_parent *p, const char *rip)
{
	int64_t now = clock_ms(), best_since = 0;
	struct conn *best = NULL;

	for (uint32_t i = 0; i < p->limit; i++) {
		struct conn *c = p->conns[i];
		int64_t since = c == NULL ? 0 : c->status->waiting_ms;

		if (since == 0 || (rip != NULL && strcmp(c->rip, rip) != 0))
			continue;
		if (c->status->busy) {
			if (now - since < LMTP_STALL_MS)
				continue;
			since += LMTP_STALL_MS;	/* those without a transaction go first */
		}
		if (best == NULL || since < best_since) {
			best = c;
			best_since = since;
		}
	}
	return best != NULL && children_signal(p->children, best->pid, SIGUSR1);
}

static void
on_retry(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct lmtp_parent *p = w->data;

	(void)revents;
	if (p->service.stopping) {
		/* Who is idle goes now, who is in a transaction when it is over. */
		for (uint32_t i = 0; i < p->limit; i++)
			if (p->conns[i] != NULL)
				children_signal(p->children, p->conns[i]->pid, SIGUSR1);
		return;
	}
	if (p->count >= p->limit) {
		struct pollfd pfd[SERVICE_LISTENERS_MAX];
		nfds_t n = 0;

		for (size_t i = 0; i < p->service.listener_count; i++)
			pfd[n++] = (struct pollfd){ .fd = p->service.listeners[i].fd, .events = POLLIN };
		if (poll(pfd, n, 0) > 0)
			ask_for_place(p, NULL);
		return;
	}
	spare_prune(p, &p->auth);
	spare_prune(p, &p->deliver);
	accept_if_ready(p);
	if (p->accepting)
		ev_timer_stop(loop, w);
}

static void
pause_accepting(struct lmtp_parent *p)
{
	accept_if_ready(p);
	if (!p->accepting)
		ev_timer_again(p->service.loop, &p->retry);
}

static uint32_t
count_of_ip(const struct lmtp_parent *p, const char *rip)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < p->limit; i++)
		n += p->conns[i] != NULL && strcmp(p->conns[i]->rip, rip) == 0;
	return n;
}

static uint32_t
free_place(const struct lmtp_parent *p)
{
	uint32_t i = 0;

	while (i < p->limit && p->conns[i] != NULL)
		i++;
	return i;
}

static void
conn_free(struct conn *c)
{
	struct lmtp_parent *p = c->parent;

	peer_free(c->control);
	if (c->status != NULL) {
		p->conns[c->status - p->status] = NULL;
		p->count--;
	}
	free(c);
}

static void
on_child_end(void *ctx, pid_t pid, int status, void *data)
{
	struct lmtp_parent *p = ctx;
	struct conn *c = data;
	char how[64];

	if (service_death(status, how, sizeof(how)))
		log_error("connection from %s: process %ld was %s", c->rip, (long)pid, how);
	conn_free(c);
	accept_if_ready(p);
}

/* The process that speaks TLS with one client, for the one that speaks LMTP. */
static void
on_tls_end(void *ctx)
{
	(void)ctx;
	_exit(0);
}

static void
tls_child(struct lmtp_parent *p, int client_fd, int plain_fd)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV);
	SSL *ssl = tls_server_accept(p->tls, client_fd);
	struct err e = ERR_INIT;

	log_prefix("lmtp-tls(%ld)", (long)getpid());
	if (loop == NULL || ssl == NULL)
		log_fatal("out of memory");
	if (priv_filter_apply(p->tls_filter, &e) == -1)
		log_fatal("%s", e.log);
	if (tls_handshake(ssl, client_fd, TLS_HANDSHAKE_MS, &e) == -1) {
		log_info("TLS handshake: %s", e.log);
		_exit(0);
	}
	if (tls_proxy_new(loop, ssl, &client_fd, &plain_fd, on_tls_end, NULL) == NULL)
		log_fatal("out of memory");
	ev_run(loop, 0);
	_exit(0);
}

/* A process that speaks TLS with the client, or connects to another server, for the one of a connection. */
static int
on_want(struct peer *peer, struct ipc_msg *m, struct err *e)
{
	struct conn *asker = peer_data(peer), *c;
	struct lmtp_parent *p = asker->parent;
	struct span name = ipc_bytes(m, F_NAME, 16);
	bool proxy = span_eq(name, SPAN("proxy"));
	struct lmtp_dial_order order;
	int fds[2] = { ipc_fd(m), -1 };

	if (proxy) {
		if (!lmtp_dial_read(m, &order) || !p->proxies)
			err_set(e, ERR_SYNTAX, "malformed request for a connection");
	} else {
		fds[1] = ipc_fd(m);
		if (!span_eq(name, SPAN("tls")) || p->tls == NULL)
			err_set(e, ERR_SYNTAX, "malformed request for TLS");
	}
	if (!ipc_end(m) && e->code == ERR_NONE)
		err_set(e, ERR_SYNTAX, "malformed request");
	if (e->code != ERR_NONE)
		goto out;
	c = calloc(1, sizeof(*c));
	if (c == NULL) {
		err_set(e, ERR_TEMP, "out of memory");
		goto out;
	}
	c->parent = p;
	memcpy(c->rip, asker->rip, sizeof(c->rip));
	c->pid = children_fork(p->children, fds, proxy ? 1 : 2, c, e);
	if (c->pid == 0 && proxy)
		lmtp_dial_run(&order, fds[0], p->service.view, p->tls_filter);
	if (c->pid == 0)
		tls_child(p, fds[0], fds[1]);
	/* Too many processes: who asks for a connection hears that nobody answers, and goes on. */
	if (c->pid != -1 || proxy)
		e->code = ERR_NONE;
	if (c->pid == -1)
		free(c);
out:
	for (int i = 0; i < 2; i++)
		if (fds[i] != -1)
			close(fds[i]);
	return e->code == ERR_NONE ? 0 : -1;
}

/* A connection that has lasted for some time asks whether its tables are still right. */
static int
on_tables(struct peer *peer, struct ipc_msg *m, struct err *e)
{
	struct lmtp_parent *p = ((struct conn *)peer_data(peer))->parent;
	uint64_t generation = ipc_u64(m, F_MODSEQ);
	struct buf packed = BUF_INIT((size_t)1 << 30);
	struct ipc_out o;
	int fd = -1;

	if (!ipc_end(m) || p->tables == NULL)
		return err_set(e, ERR_SYNTAX, "malformed question about tables");
	recipient_tables_refresh(p->tables, clock_ms());
	ipc_begin(&o, MSG_TABLES);
	ipc_put_u64(&o, F_MODSEQ, recipient_tables_generation(p->tables));
	if (recipient_tables_generation(p->tables) != generation) {
		recipient_tables_pack(p->tables, &packed);
		fd = packed.failed ? err_set(e, ERR_LIMIT, "the tables are too large") : memfd_sealed("tables", buf_span(&packed), e);
		buf_clear(&packed);
		if (fd == -1)
			return -1;
		ipc_put_fd(&o, fd);
	}
	peer_send(peer, &o);
	if (fd != -1)
		close(fd);
	return 0;
}

static const struct ipc_rule conn_rules[] = {
	{ MSG_TABLES, PEER_WORKER, on_tables },
	{ MSG_CHANNEL, PEER_WORKER, on_want },
	{ 0, 0, NULL },
};

static void
on_conn_close(struct peer *peer)
{
	((struct conn *)peer_data(peer))->control = NULL;
}

static void
open_rawlog(const struct lmtp_parent *p, struct lmtp_conn_params *cp)
{
	struct span dir = set_str(p->service.view, SET_lmtp_rawlog_dir);
	struct err e = ERR_INIT;
	char path[4096];

	if (dir.n == 0)
		return;
	snprintf(path, sizeof(path), "%.*s", SPAN_ARG(dir));
	if (rawlog_open(path, cp->rawlog_fds, &e) == -1)
		log_warning("lmtp_rawlog_dir: %s", e.log);
}

/* Forks the process of an accepted connection; the descriptors in cp are closed here whatever happens. */
static void
start(struct lmtp_parent *p, struct lmtp_conn_params *cp, const char *rip)
{
	struct peer_options po = { .rules = conn_rules, .kind = PEER_WORKER, .on_close = on_conn_close };
	struct conn *c = calloc(1, sizeof(*c));
	uint32_t place = free_place(p);
	struct err e = ERR_INIT;
	int pair[2] = { -1, -1 }, keep[6];
	size_t kept = 3;

	if (c == NULL || ((p->tls != NULL || p->tables != NULL || p->proxies) && ipc_pair(pair, &e) == -1)) {
		log_error("connection from %s: %s", rip, c == NULL ? "out of memory" : e.log);
		free(c);
		return;
	}
	c->parent = p;
	memcpy(c->rip, rip, sizeof(c->rip));
	c->status = cp->status = &p->status[place];
	cp->scan = &p->scan;
	*c->status = (struct lmtp_status){ 0, clock_ms() };
	cp->parent_fd = pair[1];
	cp->offers_tls = p->tls != NULL;
	cp->tables = p->tables;
	if (p->tables != NULL)
		recipient_tables_refresh(p->tables, clock_ms());
	cp->filter = p->filter;
	open_rawlog(p, cp);
	keep[0] = cp->client_fd;
	keep[1] = cp->auth_fd;
	keep[2] = cp->deliver_fd;
	if (pair[1] != -1)
		keep[kept++] = pair[1];
	for (size_t i = 0; i < 2; i++)
		if (cp->rawlog_fds[i] != -1)
			keep[kept++] = cp->rawlog_fds[i];
	c->pid = children_fork(p->children, keep, kept, c, &e);
	if (c->pid == 0)
		lmtp_conn_run(&p->service, cp);
	if (pair[1] != -1)
		close(pair[1]);
	for (size_t i = 0; i < 2; i++)
		if (cp->rawlog_fds[i] != -1)
			close(cp->rawlog_fds[i]);
	if (c->pid == -1) {
		log_error("connection from %s: %s", rip, e.log);
		if (pair[0] != -1)
			close(pair[0]);
		free(c);
		return;
	}
	p->conns[place] = c;
	p->count++;
	po.data = c;
	if (pair[0] != -1)
		c->control = peer_new(p->service.loop, &pair[0], &po);
}

static void
refuse(int fd)
{
	static const char text[] = "421 4.7.0 Too many connections from your address\r\n";

	if (send(fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		log_debug("a refused client did not wait for the answer");
}

static void
on_accept(struct ev_loop *loop, ev_io *w, int revents)
{
	struct lmtp_parent *p = w->data;
	const struct service_listener *l = &p->service.listeners[w - p->accept];
	struct lmtp_conn_params cp = { .parent_fd = -1, .rawlog_fds = { -1, -1 }, .offers_tls = p->tls != NULL, .tls_first = l->ssl };
	socklen_t remote_n = sizeof(cp.remote), local_n = sizeof(cp.local);
	char rip[64] = "unix";
	uint16_t port;

	(void)loop;
	(void)revents;
	spare_prune(p, &p->auth);
	spare_prune(p, &p->deliver);
	if (p->count >= p->limit || p->auth.count == 0 || p->deliver.count == 0) {
		pause_accepting(p);
		return;
	}
	cp.client_fd = accept4(l->fd, (struct sockaddr *)&cp.remote, &remote_n, SOCK_CLOEXEC);
	if (cp.client_fd == -1)
		return;
	getsockname(cp.client_fd, (struct sockaddr *)&cp.local, &local_n);
	if (!l->is_unix)
		addr_format(&cp.remote, rip, &port);
	if (l->ssl && p->tls == NULL) {
		log_error("listener %s: ssl is not to be had for LMTP", l->name);
		close(cp.client_fd);
		return;
	}
	if (!l->is_unix && p->ip_limit > 0 && count_of_ip(p, rip) >= p->ip_limit && !ask_for_place(p, rip)) {
		log_warning("lmtp_max_connections_per_ip (%u) reached by %s", p->ip_limit, rip);
		refuse(cp.client_fd);
		close(cp.client_fd);
		return;
	}
	cp.auth_fd = p->auth.fds[--p->auth.count];
	cp.deliver_fd = p->deliver.fds[--p->deliver.count];
	start(p, &cp, rip);
	close(cp.client_fd);
	close(cp.auth_fd);
	close(cp.deliver_fd);
	spare_fill(p, &p->auth);
	spare_fill(p, &p->deliver);
	if (p->count >= p->limit || p->auth.count == 0 || p->deliver.count == 0)
		pause_accepting(p);
}

static void
on_channel(struct service *service, struct span name, int *fd)
{
	struct lmtp_parent *p = service->data;
	struct spare *s = span_eq(name, SPAN("auth")) ? &p->auth : span_eq(name, SPAN("deliver")) ? &p->deliver : NULL;

	if (s == NULL || s->count == CHANNELS)
		return;
	if (s->wanted > 0)
		s->wanted--;
	s->fds[s->count++] = *fd;
	*fd = -1;
	accept_if_ready(p);
}

static void
on_stop(struct service *service)
{
	struct lmtp_parent *p = service->data;

	accept_watch(p, false);
	ev_timer_again(service->loop, &p->retry);
}

static void
on_term(struct service *service)
{
	struct lmtp_parent *p = service->data;

	/* Who comes now waits in the listener for the process that follows. */
	p->ending = true;
	accept_watch(p, false);
	children_finish(p->children, END_GRACE);
}

static void
init_tls(struct lmtp_parent *p)
{
	struct err e = ERR_INIT;

	tls_init();
	p->tls = tls_server_new(p->service.view, &e);
	if (p->tls == NULL && e.code != ERR_NOTFOUND)
		log_error("TLS is not available: %s", e.log);
}

static void
init_limits(struct lmtp_parent *p)
{
	uint64_t limit = set_num(p->service.view, SET_lmtp_max_connections);

	if (limit > p->service.process_limit || limit == 0)
		limit = p->service.process_limit;
	p->limit = limit > 65536 ? 65536 : (uint32_t)limit;
	p->ip_limit = (uint32_t)set_num(p->service.view, SET_lmtp_max_connections_per_ip);
	/* Connections are processes of this one: the master needs to start no second parent. */
	p->service.client_limit = UINT32_MAX;
	p->conns = calloc(p->limit, sizeof(struct conn *));
	p->status = mmap(NULL, p->limit * sizeof(struct lmtp_status), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* A connection has a second process while it speaks TLS, and one for each server that it passes mail on to. */
	p->proxies = set_bool(p->service.view, SET_lmtp_proxy);
	p->children = children_new(&p->service, p->proxies ? p->limit * 4 : p->limit * 2, on_child_end, p);
	if (p->conns == NULL || p->status == MAP_FAILED || p->children == NULL)
		log_fatal("out of memory");
}

int
main(void)
{
	static struct lmtp_parent p;
	struct err e = ERR_INIT;

	p.service.data = &p;
	p.service.on_channel = on_channel;
	p.service.on_stop = on_stop;
	p.service.on_term = on_term;
	p.auth.name = "auth";
	p.deliver.name = "deliver";
	service_init(&p.service, "lmtp", "lmtp");
	init_tls(&p);
	service_drop(&p.service, SERVICE_USER_INTERNAL, NULL, -1);
	init_limits(&p);
	if (spam_scan_init(&p.scan, p.service.view, &e) == -1)
		log_fatal("%s", e.log);
	p.scan.silent_until = mmap(NULL, sizeof(*p.scan.silent_until), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p.scan.silent_until == MAP_FAILED)
		log_fatal("out of memory");
	/* Read as who reads them again later. */
	p.tables = recipient_tables_new(p.service.view, &e);
	if (p.tables == NULL && e.code != ERR_NONE)
		log_fatal("%s", e.log);
	if (p.tables != NULL)
		recipient_tables_refresh(p.tables, clock_ms());
	p.filter = priv_filter_new(p.scan.on ? PRIV_LMTP_INET : PRIV_LMTP, &e);
	p.tls_filter = priv_filter_new(PRIV_LOGIN, &e);
	if (p.filter == NULL || p.tls_filter == NULL)
		log_fatal("%s", e.log);
	tzset();
	host_name();
	ev_init(&p.retry, on_retry);
	p.retry.repeat = RETRY;
	p.retry.data = &p;
	for (size_t i = 0; i < p.service.listener_count; i++) {
		ev_io_init(&p.accept[i], on_accept, p.service.listeners[i].fd, EV_READ);
		p.accept[i].data = &p;
	}
	spare_fill(&p, &p.auth);
	spare_fill(&p, &p.deliver);
	service_ready(&p.service);
	return service_run(&p.service);
}
