/* SPDX-License-Identifier: MIT */
#include "lmtp/conn.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "lib/encode.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-config/netaddr.h"
#include "lmtp/dial.h"
#include "lmtp/link.h"
#include "lmtp/proxy.h"
#include "lmtp/rawlog.h"

#define IN_MAX 65536
#define TABLES_MAX ((size_t)1 << 30)
#define TABLES_TIMEOUT_MS 30000

static volatile sig_atomic_t told_to_end;
static volatile int client_fd = -1;
static struct lmtp_status *own_status;

static bool
is_told_to_end(void)
{
	return told_to_end != 0;
}

/* Ends the reading: what was sent is still read, and answered. */
static void
on_sigterm(int sig)
{
	int saved = errno;

	(void)sig;
	told_to_end = 1;
	shutdown(client_fd, SHUT_RD);
	errno = saved;
}

/* The place is needed: only who does nothing gives it up. */
static void
on_sigusr1(int sig)
{
	int64_t since = own_status->waiting_ms;

	if (since != 0 && (!own_status->busy || clock_ms() - since >= LMTP_STALL_MS))
		on_sigterm(sig);
}

struct tls_request {
	int parent_fd;
};

/* The parent forks a process that speaks TLS with the client; here is one end of a plain socket to it. */
static int
start_tls(void *ctx, struct stream *s, struct err *e)
{
	int pair[2], parent_fd = ((struct tls_request *)ctx)->parent_fd, rc;
	struct ipc_out o;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
		return err_errno(e, "socketpair");
	ipc_begin(&o, MSG_CHANNEL);
	ipc_put_str(&o, F_NAME, "tls");
	ipc_put_fd(&o, s->in_fd);
	ipc_put_fd(&o, pair[1]);
	rc = ipc_send(parent_fd, &o, e);
	close(pair[1]);
	if (rc == -1) {
		close(pair[0]);
		return -1;
	}
	client_fd = pair[0];
	close(s->in_fd);
	s->in_fd = s->out_fd = pair[0];
	return 0;
}

/* What the backend is made of: the link, the way to TLS, the tables of recipients, and the way to other servers. */
struct backend {
	struct lmtp_link link;
	struct tls_request tls;
	struct recipient_tables *tables;	/* NULL: none */
	int64_t looked_ms;
	struct lmtp_proxy proxy;
	const struct lmtp_session *session;
	struct span lip;
	uint16_t lport, rport;
};

static int
dial(void *ctx, const struct lmtp_target *t, int *fd_out, struct err *e)
{
	return lmtp_dial(((struct backend *)ctx)->tls.parent_fd, t, fd_out, e);
}

static enum lmtp_lookup
lookup_again(struct backend *b, struct lmtp_transaction *t, struct lmtp_rcpt *r)
{
	enum lmtp_lookup found;

	r->proxy_fields = SPAN_NONE;
	b->link.proxy = false;
	found = lmtp_link_lookup(&b->link, t, r);
	b->link.proxy = true;
	return found;
}

static enum lmtp_lookup
lookup(void *ctx, struct lmtp_transaction *t, struct lmtp_rcpt *r)
{
	struct backend *b = ctx;
	enum lmtp_lookup found = lmtp_link_lookup(&b->link, t, r);
	struct lmtp_target target;
	struct err e = ERR_INIT;

	if (found != LMTP_FOUND || r->proxy_fields.n == 0)
		return found;
	if (lmtp_target_parse(r->proxy_fields, &target, &e) == -1) {
		log_error("proxy fields of %.*s: %s", SPAN_ARG(r->user), e.log);
		return LMTP_TEMP;
	}
	if (b->lip.n > 0 && span_ieq(target.host, b->lip) && target.port == b->lport) {
		if (target.maybe)
			return lookup_again(b, t, r);
		r->code = 554;
		snprintf(r->reply, sizeof(r->reply), "5.4.6 <%.*s> Proxying loops to itself",
		    SPAN_ARG(span_sub(r->path.text, 0, 150)));
		return LMTP_REFUSED;
	}
	return LMTP_FOUND;
}

static enum lmtp_lookup
ask(void *ctx, struct lmtp_transaction *t, struct lmtp_rcpt *r)
{
	struct backend *b = ctx;
	struct lmtp_target target;
	struct err e = ERR_INIT;

	(void)t;
	if (lmtp_target_parse(r->proxy_fields, &target, &e) == -1)
		return LMTP_TEMP;
	return lmtp_proxy_rcpt(&b->proxy, b->session, r, &target);
}

static void
forward(void *ctx, struct lmtp_transaction *t, int fd)
{
	for (size_t i = 0; i < t->rcpt_count; i++)
		if (lmtp_rcpt_is_remote(&t->rcpts[i]) && t->rcpts[i].conn == NULL)
			(void)ask(ctx, t, &t->rcpts[i]);	/* a refusal is its answer */
	lmtp_proxy_deliver(&((struct backend *)ctx)->proxy, t, fd);
}

static void
end(void *ctx)
{
	lmtp_proxy_end(&((struct backend *)ctx)->proxy);
}

static bool
is_lost(void *ctx)
{
	return ((struct backend *)ctx)->link.lost;
}

static enum lmtp_lookup
fits(void *ctx, struct lmtp_transaction *t, struct lmtp_rcpt *r)
{
	return lmtp_link_fits(&((struct backend *)ctx)->link, t, r);
}

static void
deliver(void *ctx, struct lmtp_transaction *t, int fd)
{
	lmtp_link_deliver(&((struct backend *)ctx)->link, t, fd);
}

/* The parent's tables, when they are others by now. */
static int
ask_for_tables(struct backend *b, struct err *e)
{
	struct ipc_msg *m = &b->link.msg;
	struct buf packed = BUF_INIT(TABLES_MAX);
	struct ipc_out o;
	uint64_t generation;
	int fd, rc;

	ipc_begin(&o, MSG_TABLES);
	ipc_put_u64(&o, F_MODSEQ, recipient_tables_generation(b->tables));
	if (ipc_send(b->tls.parent_fd, &o, e) == -1)
		return -1;
	rc = ipc_recv_wait(b->tls.parent_fd, m, TABLES_TIMEOUT_MS, e);
	if (rc != 1)
		return rc == 0 ? err_set(e, ERR_EOF, "the parent has gone") : -1;
	generation = ipc_u64(m, F_MODSEQ);
	fd = m->fd_count > 0 ? ipc_fd(m) : -1;
	if (m->type != MSG_TABLES || !ipc_end(m))
		rc = err_set(e, ERR_SYNTAX, "malformed tables");
	else if (fd != -1 && (rc = fd_read_all(fd, packed.max, &packed, e)) == 0)
		rc = recipient_tables_unpack(b->tables, buf_span(&packed), generation, e);
	if (fd != -1)
		close(fd);
	buf_clear(&packed);
	return rc;
}

static void
refresh(void *ctx)
{
	struct backend *b = ctx;
	int64_t now = clock_ms();
	struct err e = ERR_INIT;

	if (now - b->looked_ms < 1000)
		return;
	b->looked_ms = now;
	if (ask_for_tables(b, &e) == -1)
		log_error("tables of recipients: %s", e.log);
}

static int
backend_start_tls(void *ctx, struct stream *s, struct err *e)
{
	return start_tls(&((struct backend *)ctx)->tls, s, e);
}

static int
tell_owner(void *ctx, struct lmtp_transaction *t, size_t idx, struct span owner, struct span failed, int fd)
{
	return lmtp_link_tell_owner(&((struct backend *)ctx)->link, t, idx, owner, failed, fd);
}

static void
read_options(const struct set_view *v, struct lmtp_options *o)
{
	uint64_t all = set_num(v, SET_mail_max_message_size), own = set_num(v, SET_lmtp_max_message_size);

	*o = (struct lmtp_options){
		.hostname = set_str(v, SET_hostname),
		.delimiters = set_str(v, SET_recipient_delimiter),
		.max_size = own < all ? own : all,
		.max_recipients = set_num(v, SET_lmtp_max_recipients),
		.max_line = set_num(v, SET_lmtp_max_line_length),
		.max_bad = (unsigned)set_num(v, SET_lmtp_max_bad_commands),
		.path_flags = set_list_has(v, SET_lmtp_client_workarounds, SPAN("mailbox-for-path")) ? SMTP_PATH_BARE : 0,
		.space_before_path = set_list_has(v, SET_lmtp_client_workarounds, SPAN("whitespace-before-path")),
		.add_received = set_bool(v, SET_lmtp_add_received_header),
		.check_quota = set_bool(v, SET_lmtp_rcpt_check_quota),
	};
	if (o->hostname.n == 0)
		o->hostname = span_str(host_name());
	/* In the order of settings.def. */
	switch (set_enum(v, SET_lmtp_hdr_delivery_address)) {
	case 1:
		o->delivery_address = LMTP_ADDRESS_NONE;
		break;
	case 2:
		o->delivery_address = LMTP_ADDRESS_ORIGINAL;
		break;
	default:
		o->delivery_address = LMTP_ADDRESS_FINAL;
		break;
	}
}

/* Where ssl = required; what does not leave this host, or a network that is trusted, needs none. */
static bool
needs_tls(const struct set_view *v, const struct lmtp_conn_params *p)
{
	enum { SSL_YES, SSL_NO, SSL_REQUIRED };	/* in the order of settings.def */

	return set_enum(v, SET_ssl) == SSL_REQUIRED &&
	    (p->remote.ss_family == AF_INET || p->remote.ss_family == AF_INET6) &&
	    !netaddr_in_list(&p->remote, SPAN("127.0.0.0/8 ::1")) &&
	    !netaddr_in_list(&p->remote, set_str(v, SET_lmtp_tls_trusted_networks));
}

static void
make_id(char out[32])
{
	unsigned char octets[12];
	struct buf b = BUF_INIT(32);

	random_bytes(octets, sizeof(octets));
	base64_encode(&b, span_of(octets, sizeof(octets)));
	snprintf(out, 32, "%.*s", SPAN_ARG(buf_span(&b)));
	buf_clear(&b);
}

static void
serve(struct stream *s, const struct lmtp_conn_params *p, const struct lmtp_options *o, struct backend *b,
    struct span rip)
{
	const struct lmtp_backend backend = { b, lookup, o->check_quota ? fits : NULL, deliver,
		p->offers_tls ? backend_start_tls : NULL, b->tables != NULL ? refresh : NULL, tell_owner, ask, forward, end, is_lost };
	struct lmtp_session l;
	struct err e = ERR_INIT;
	char id[32];

	make_id(id);
	if (lmtp_session_init(&l, s, o, &backend, p->status, id, &e) == -1)
		log_fatal("%s", e.log);
	l.rip = rip;
	l.rport = b->rport;
	b->session = &l;
	l.is_told_to_end = is_told_to_end;
	if (p->tls_first) {
		if (start_tls(&b->tls, s, &e) == -1)
			log_fatal("%s", e.log);
		l.tls = true;
	}
	if (lmtp_session_run(&l, &e) == 0)
		log_info("Disconnect from %.*s: Logged out (state=%s)", SPAN_ARG(rip.n > 0 ? rip : SPAN("local")), l.state);
	else
		log_info("Disconnect from %.*s: %s (state=%s)", SPAN_ARG(rip.n > 0 ? rip : SPAN("local")), e.log, l.state);
	lmtp_session_clear(&l);
}

void
lmtp_conn_run(struct service *s, const struct lmtp_conn_params *p)
{
	struct sigaction term = { .sa_handler = on_sigterm }, usr1 = { .sa_handler = on_sigusr1 };
	struct set_filter filter = { .protocol = "lmtp", .local = &p->local, .remote = &p->remote };
	struct backend b = { .link = { .auth_fd = p->auth_fd, .deliver_fd = p->deliver_fd }, .tls = { p->parent_fd },
		.tables = p->tables, .looked_ms = clock_ms() };
	struct recipient_expand_options recipients;
	bool is_inet = p->remote.ss_family == AF_INET || p->remote.ss_family == AF_INET6;
	struct lmtp_options o;
	struct set_view *view = set_view_new(s->settings, is_inet ? &filter : &(struct set_filter){ .protocol = "lmtp" });
	struct stream stream;
	struct rawlog rawlog;
	struct err e = ERR_INIT;
	char rip[64] = "", lip[64] = "";

	client_fd = p->client_fd;
	own_status = p->status;
	sigaction(SIGTERM, &term, NULL);
	sigaction(SIGUSR1, &usr1, NULL);
	log_prefix("lmtp(%ld)", (long)getpid());
	if (view == NULL || lmtp_link_init(&b.link, &e) == -1)
		log_fatal("out of memory");
	if (is_inet) {
		addr_format(&p->remote, rip, &b.rport);
		addr_format(&p->local, lip, &b.lport);
	}
	b.lip = span_str(lip);
	b.link.proxy = p->parent_fd != -1 && set_bool(view, SET_lmtp_proxy);
	b.link.lip = span_str(lip);
	b.link.delivery_timeout_ms = (int)set_ms(view, SET_lmtp_delivery_timeout);
	read_options(view, &o);
	b.proxy = (struct lmtp_proxy){ .dial = dial, .ctx = &b, .hostname = o.hostname,
				       .max_hops = set_num(view, SET_lmtp_max_hops) };
	o.needs_tls = needs_tls(view, p);
	o.trusts_client = is_inet && netaddr_in_list(&p->remote, set_str(view, SET_login_trusted_networks));
	if (p->scan->on || p->scan->strip)
		o.scan = p->scan;
	if (b.tables != NULL) {
		recipient_expand_settings(view, b.tables, &recipients);
		o.recipients = &recipients;
	}
	if (priv_filter_apply(p->filter, &e) == -1)
		log_fatal("%s", e.log);
	log_info("Connect from %s", rip[0] == '\0' ? "local" : rip);
	stream_init_fd(&stream, p->client_fd, IN_MAX, (int)set_ms(view, SET_lmtp_timeout));
	if (p->rawlog_fds[0] != -1) {
		rawlog_init(&rawlog, p->rawlog_fds);
		stream.record = rawlog_record;
		stream.record_ctx = &rawlog;
	}
	serve(&stream, p, &o, &b, span_str(rip));
	/* With the last words on their way: an unread rest would turn the close into a reset that eats them. */
	shutdown(stream.out_fd, SHUT_WR);
	_exit(0);
}
