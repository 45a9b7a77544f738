/* SPDX-License-Identifier: MIT */
#include "lib-protocol/smtp-client.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "lib/sys.h"

#define LINE_MAX_OCTETS 2048
#define CHUNK 32768
#define TAKEN_TIMEOUT_MS 600000	/* RFC 5321 section 4.5.3.2.6: giving up too early there makes copies */

SSL_CTX *
smtp_tls_new(const char *ca_file, const char *ca_dir, bool verify, struct err *e)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	bool given = ca_file[0] != '\0' || ca_dir[0] != '\0';

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1) {
		SSL_CTX_free(ctx);
		err_set(e, ERR_TEMP, "TLS can not be set up");
		return NULL;
	}
	if (given ? SSL_CTX_load_verify_locations(ctx, ca_file[0] == '\0' ? NULL : ca_file,
		ca_dir[0] == '\0' ? NULL : ca_dir) != 1 : SSL_CTX_set_default_verify_paths(ctx) != 1) {
		SSL_CTX_free(ctx);
		err_set(e, ERR_TEMP, "ssl_client_ca_file or ssl_client_ca_dir can not be read");
		return NULL;
	}
	SSL_CTX_set_verify(ctx, verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	return ctx;
}

/* Octets in and out, with TLS or without. */

/* Of what must be whole by a time, a reply or a handshake, the time that is left: octets one by one do not get more of it. */
static int
patience(const struct smtp_client *c)
{
	int64_t left = c->deadline_ms == 0 ? c->timeout_ms : c->deadline_ms - clock_ms();

	return left < 0 ? 0 : (int)left;
}

static int
wait_for(struct smtp_client *c, short events, struct err *e)
{
	int rc = fd_wait(c->fd, events, patience(c), e);

	return rc == 1 ? 0 : rc == 0 ? err_set(e, ERR_TIMEOUT, "the server does not answer") : -1;
}

/* What the TLS library needs before it goes on; -1: it can not. */
static int
tls_wait(struct smtp_client *c, int rc, struct err *e)
{
	int why = SSL_get_error(c->ssl, rc);
	long bad = SSL_get_verify_result(c->ssl);
	char text[120];

	if (why == SSL_ERROR_WANT_READ)
		return wait_for(c, POLLIN, e);
	if (why == SSL_ERROR_WANT_WRITE)
		return wait_for(c, POLLOUT, e);
	if (why == SSL_ERROR_ZERO_RETURN)
		return err_set(e, ERR_EOF, "the server has closed the connection");
	if (bad != X509_V_OK)
		return err_set(e, ERR_TEMP, "TLS: the server's certificate: %s", X509_verify_cert_error_string(bad));
	ERR_error_string_n(ERR_peek_error(), text, sizeof(text));
	return err_set(e, ERR_TEMP, "TLS: %s", why == SSL_ERROR_SSL ? text : "the connection is lost");
}

static int
put(struct smtp_client *c, struct span s, struct err *e)
{
	while (s.n > 0) {
		size_t n = 0;

		if (c->ssl != NULL) {
			int rc = SSL_write_ex(c->ssl, s.p, s.n, &n);

			if (rc != 1 && tls_wait(c, rc, e) == -1)
				return -1;
		} else {
			ssize_t sent = send(c->fd, s.p, s.n, MSG_NOSIGNAL);

			if (sent == -1 && errno != EAGAIN && errno != EINTR)
				return err_errno(e, "sending");
			if (sent == -1 && errno == EAGAIN && wait_for(c, POLLOUT, e) == -1)
				return -1;
			n = sent == -1 ? 0 : (size_t)sent;
		}
		s = span_from(s, n);
	}
	return 0;
}

static int
get(struct smtp_client *c, struct err *e)
{
	size_t n = 0;

	if (!buf_grow(&c->in, c->in.n + 4096))
		return err_set(e, ERR_LIMIT, "the server's answer is too long");
	while (n == 0) {
		if (c->ssl != NULL) {
			int rc = SSL_read_ex(c->ssl, c->in.p + c->in.n, 4096, &n);

			if (rc != 1 && tls_wait(c, rc, e) == -1)
				return -1;
		} else {
			ssize_t got = recv(c->fd, c->in.p + c->in.n, 4096, 0);

			if (got == 0)
				return err_set(e, ERR_EOF, "the server has closed the connection");
			if (got == -1 && errno != EAGAIN && errno != EINTR)
				return err_errno(e, "receiving");
			if (got == -1 && errno == EAGAIN && wait_for(c, POLLIN, e) == -1)
				return -1;
			n = got == -1 ? 0 : (size_t)got;
		}
	}
	c->in.n += n;
	return 0;
}

/* The next reply; its spans live until the one after it. */
static int
reply_within(struct smtp_client *c, int timeout_ms, struct smtp_reply *out, struct err *e)
{
	int rc;

	buf_drop(&c->in, c->taken);
	c->taken = 0;
	c->deadline_ms = clock_ms() + timeout_ms;
	while ((rc = smtp_reply_parse(buf_span(&c->in), out, &c->taken)) == 0)
		if (get(c, e) == -1)
			break;
	c->deadline_ms = 0;
	if (rc == -1)
		return err_set(e, ERR_SYNTAX, "what the server says is no SMTP");
	return rc == 1 ? 0 : -1;
}

static int
reply(struct smtp_client *c, struct smtp_reply *out, struct err *e)
{
	return reply_within(c, c->timeout_ms, out, e);
}

static int
command(struct smtp_client *c, struct span line, struct smtp_reply *out, struct err *e)
{
	return put(c, line, e) == -1 || reply(c, out, e) == -1 ? -1 : 0;
}

/* Connecting. */

static int
connect_one(const struct sockaddr *sa, socklen_t n, int timeout_ms, struct err *e)
{
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), failed = 0;
	socklen_t failed_n = sizeof(failed);

	if (fd == -1)
		return err_errno(e, "socket");
	if (connect(fd, sa, n) == -1) {
		int rc = errno == EINPROGRESS || errno == EAGAIN ? fd_wait(fd, POLLOUT, timeout_ms, e) : -2;

		if (rc == 0)
			err_set(e, ERR_TIMEOUT, "connecting takes too long");
		if (rc == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &failed_n) == 0 && failed != 0) {
			errno = failed;
			rc = -2;
		}
		if (rc == -2)
			err_errno(e, "connecting");
		if (rc != 1) {
			close(fd);
			return -1;
		}
	}
	return fd;
}

static int
connect_unix(const char *path, int timeout_ms, struct err *e)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(un.sun_path))
		return err_set(e, ERR_LIMIT, "%s is too long for a socket", path);
	memcpy(un.sun_path, path, strlen(path) + 1);
	return connect_one((struct sockaddr *)&un, sizeof(un), timeout_ms, e);
}

static int
connect_inet(const struct smtp_target *t, struct err *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG }, *list = NULL;
	int rc = getaddrinfo(t->address != NULL ? t->address : t->host, t->port, &hints, &list), fd = -1;

	if (rc != 0)
		return err_set(e, ERR_TEMP, "%s: %s", t->host, gai_strerror(rc));
	for (struct addrinfo *a = list; a != NULL && fd == -1; a = a->ai_next)
		fd = connect_one(a->ai_addr, a->ai_addrlen, t->timeout_ms, e);
	freeaddrinfo(list);
	return fd;
}

int
smtp_client_connect(const struct smtp_target *t, struct smtp_client *c, struct err *e)
{
	*c = (struct smtp_client){ .timeout_ms = t->timeout_ms, .lmtp = t->lmtp };
	buf_init(&c->in, SMTP_REPLY_OCTETS + 8192);
	c->fd = t->host[0] == '/' ? connect_unix(t->host, t->timeout_ms, e) : connect_inet(t, e);
	return c->fd == -1 ? err_wrap(e, "%s", t->host) : 0;
}

static int
start_tls(const struct smtp_target *t, struct smtp_client *c, struct err *e)
{
	int rc;

	c->ssl = SSL_new(t->tls_ctx);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_set_tlsext_host_name(c->ssl, t->host) != 1)
		return err_set(e, ERR_TEMP, "TLS can not be set up");
	if (t->verify) {
		X509_VERIFY_PARAM *p = SSL_get0_param(c->ssl);

		/* An address is in a certificate as one, not as a name. */
		if (X509_VERIFY_PARAM_set1_ip_asc(p, t->host) != 1 && SSL_set1_host(c->ssl, t->host) != 1)
			return err_set(e, ERR_TEMP, "TLS: %s is no name of a host", t->host);
	}
	ERR_clear_error();
	c->deadline_ms = clock_ms() + c->timeout_ms;
	while ((rc = SSL_connect(c->ssl)) != 1)
		if (tls_wait(c, rc, e) == -1)
			return -1;
	c->deadline_ms = 0;
	return 0;
}

static int
hello(const struct smtp_target *t, struct smtp_client *c, struct err *e)
{
	char line[LINE_MAX_OCTETS];
	struct smtp_reply r;
	struct span params;

	snprintf(line, sizeof(line), "%s %.255s\r\n", c->lmtp ? "LHLO" : "EHLO", t->hello);
	if (command(c, span_str(line), &r, e) == -1)
		return -1;
	c->has_8bit = c->has_size = c->has_utf8 = c->has_starttls = c->has_xclient = c->has_dsn = c->has_deliverby = false;
	if (r.code == 250) {
		c->has_8bit = smtp_reply_has(&r, SPAN("8BITMIME"), &params);
		c->has_size = smtp_reply_has(&r, SPAN("SIZE"), &params);
		c->has_utf8 = smtp_reply_has(&r, SPAN("SMTPUTF8"), &params);
		c->has_starttls = smtp_reply_has(&r, SPAN("STARTTLS"), &params);
		c->has_dsn = smtp_reply_has(&r, SPAN("DSN"), &params);
		c->has_deliverby = smtp_reply_has(&r, SPAN("DELIVERBY"), &params);
		c->has_xclient = smtp_reply_has(&r, SPAN("XCLIENT"), &params);
		return 0;
	}
	if (c->lmtp)
		return err_set(e, ERR_TEMP, "LHLO: %u %.*s", r.code, SPAN_ARG(span_sub(r.first, 0, 150)));
	snprintf(line, sizeof(line), "HELO %.255s\r\n", t->hello);
	if (command(c, span_str(line), &r, e) == -1)
		return -1;
	return r.code == 250 ? 0 : err_set(e, ERR_TEMP, "HELO: %u %.*s", r.code, SPAN_ARG(span_sub(r.first, 0, 150)));
}

int
smtp_client_greet(const struct smtp_target *t, struct smtp_client *c, struct err *e)
{
	struct smtp_reply r;

	if (t->tls == SMTP_TLS_FIRST && start_tls(t, c, e) == -1)
		return err_wrap(e, "%s", t->host);
	if (reply(c, &r, e) == -1)
		return err_wrap(e, "%s", t->host);
	if (r.code != 220)
		return err_set(e, ERR_TEMP, "%s: %u %.*s", t->host, r.code, SPAN_ARG(span_sub(r.first, 0, 150)));
	if (hello(t, c, e) == -1)
		return err_wrap(e, "%s", t->host);
	if (t->tls != SMTP_TLS_STARTTLS)
		return 0;
	if (!c->has_starttls)
		return err_set(e, ERR_TEMP, "%s: STARTTLS is not offered", t->host);
	if (command(c, SPAN("STARTTLS\r\n"), &r, e) == -1)
		return err_wrap(e, "%s", t->host);
	if (r.code != 220)
		return err_set(e, ERR_TEMP, "%s: STARTTLS: %u", t->host, r.code);
	/* What came without TLS, from whomever, is no answer in TLS. */
	if (c->in.n > c->taken)
		return err_set(e, ERR_SYNTAX, "%s: the server speaks before TLS has begun", t->host);
	if (start_tls(t, c, e) == -1 || hello(t, c, e) == -1)
		return err_wrap(e, "%s", t->host);
	return 0;
}

int
smtp_client_open(const struct smtp_target *t, struct smtp_client *c, struct err *e)
{
	if (smtp_client_connect(t, c, e) == 0 && smtp_client_greet(t, c, e) == 0)
		return 0;
	smtp_client_close(c);
	return -1;
}

void
smtp_client_close(struct smtp_client *c)
{
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	SSL_free(c->ssl);
	c->ssl = NULL;
	buf_clear(&c->in);
}

/* Sending. */

static bool
is_ascii(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 126)
			return false;
	return true;
}

/* The transparency of RFC 5321 section 4.5.2, and CRLF line ends; a CR alone stays what it is. */
static int
put_body(struct smtp_client *c, const struct smtp_mail *m, struct err *e)
{
	struct buf out = BUF_INIT(2 * CHUNK + 16);
	char last = '\n';
	int rc = 0;

	for (size_t i = 0; i < m->part_count && rc == 0; i++) {
		struct span s = m->parts[i];

		for (size_t at = 0; at < s.n && rc == 0; at++) {
			if (last == '\n' && s.p[at] == '.')
				buf_addc(&out, '.');
			if (s.p[at] == '\n' && last != '\r')
				buf_addc(&out, '\r');
			buf_addc(&out, s.p[at]);
			last = s.p[at];
			if (out.n >= CHUNK) {
				rc = put(c, buf_span(&out), e);
				buf_reset(&out);
			}
		}
	}
	if (last != '\n')
		buf_adds(&out, "\r\n");
	buf_adds(&out, ".\r\n");
	if (rc == 0)
		rc = put(c, buf_span(&out), e);
	buf_clear(&out);
	return rc;
}

static int
take(struct smtp_outcome *out, const struct smtp_reply *r, const char *what, unsigned good, struct err *e)
{
	out->code = r->code;
	snprintf(out->text, sizeof(out->text), "%.*s", SPAN_ARG(span_sub(r->first, 0, 280)));
	for (char *p = out->text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	if (r->code / 100 == good)
		return 0;
	return err_set(e, r->code >= 500 ? ERR_DENIED : ERR_TEMP, "%s: %u %s", what, r->code, out->text);
}

/* As it will be on the wire (put_body), but for the dots (RFC 1870 section 3); *eight_out: it has octets beyond ASCII. */
static uint64_t
wire_size(const struct smtp_mail *m, bool *eight_out)
{
	uint64_t size = 0;
	char last = '\n';

	*eight_out = false;
	for (size_t i = 0; i < m->part_count; i++) {
		struct span s = m->parts[i];

		size += s.n;
		for (size_t at = 0; at < s.n; at++) {
			size += s.p[at] == '\n' && last != '\r';
			*eight_out |= ((unsigned char)s.p[at] & 0x80) != 0;
			last = s.p[at];
		}
	}
	return last == '\n' ? size : size + 2;
}

static int
mail_line(const struct smtp_client *c, const struct smtp_mail *m, char *line, size_t room, struct err *e)
{
	bool needs_utf8 = !is_ascii(m->sender) || !is_ascii(m->recipient), eight;
	uint64_t size = wire_size(m, &eight);
	int n;

	if (needs_utf8 && !c->has_utf8)
		return err_set(e, ERR_DENIED, "the server knows no addresses with letters beyond ASCII (SMTPUTF8)");
	/* RFC 2852 section 4.1.3: whoever asks to have it back rather than late is not given a server that knows no haste. */
	if (m->by.n > 0 && !c->has_deliverby && span_find(m->by, SPAN(";R")) != SIZE_MAX)
		return err_set(e, ERR_DENIED, "the server can not deliver until a certain time (DELIVERBY)");
	n = snprintf(line, room, "MAIL FROM:<%.*s>%s%s", SPAN_ARG(m->sender), eight && c->has_8bit ? " BODY=8BITMIME" : "",
	    needs_utf8 ? " SMTPUTF8" : "");
	if (n > 0 && (size_t)n < room && c->has_size)
		n += snprintf(line + n, room - (size_t)n, " SIZE=%llu", (unsigned long long)size);
	if (n > 0 && (size_t)n < room && c->has_dsn)
		n += snprintf(line + n, room - (size_t)n, "%s%.*s%s%.*s", m->ret.n > 0 ? " RET=" : "", SPAN_ARG(m->ret),
		    m->envid.n > 0 ? " ENVID=" : "", SPAN_ARG(m->envid));
	if (n > 0 && (size_t)n < room && c->has_deliverby && m->by.n > 0)
		n += snprintf(line + n, room - (size_t)n, " BY=%.*s", SPAN_ARG(m->by));
	if (n > 0 && (size_t)n < room)
		n += snprintf(line + n, room - (size_t)n, "\r\n");
	return n > 0 && (size_t)n < room ? 0 : err_set(e, ERR_LIMIT, "the sender's address is too long");
}

static int
rcpt_line(const struct smtp_client *c, const struct smtp_mail *m, char *line, size_t room)
{
	bool notify = c->has_dsn && m->notify.n > 0, orcpt = c->has_dsn && m->orcpt.n > 0;

	return snprintf(line, room, "RCPT TO:<%.*s>%s%.*s%s%.*s\r\n", SPAN_ARG(m->recipient), notify ? " NOTIFY=" : "",
	    notify ? (int)m->notify.n : 0, notify ? m->notify.p : "", orcpt ? " ORCPT=" : "", orcpt ? (int)m->orcpt.n : 0,
	    orcpt ? m->orcpt.p : "");
}

static int
step(struct smtp_client *c, struct span line, const char *what, unsigned good, struct smtp_outcome *out, struct err *e)
{
	struct smtp_reply r;

	return command(c, line, &r, e) == -1 ? err_wrap(e, "%s", what) : take(out, &r, what, good, e);
}

/* Until the last word is there nothing is known: whatever breaks in between is tried again. */
static int
send_body(struct smtp_client *c, const struct smtp_mail *m, struct smtp_outcome *out, struct err *e)
{
	struct smtp_reply r;

	*out = (struct smtp_outcome){ .code = 0 };
	if (m->on_body != NULL)
		m->on_body();
	if (put_body(c, m, e) == -1 ||
	    reply_within(c, c->timeout_ms > TAKEN_TIMEOUT_MS ? c->timeout_ms : TAKEN_TIMEOUT_MS, &r, e) == -1)
		return err_wrap(e, "message");
	return take(out, &r, "message", 2, e);
}

int
smtp_client_send(struct smtp_client *c, const struct smtp_mail *m, struct smtp_outcome *out, struct err *e)
{
	char line[LINE_MAX_OCTETS];
	struct err ignored = ERR_INIT;

	*out = (struct smtp_outcome){ .code = 0 };
	if (mail_line(c, m, line, sizeof(line), e) == -1) {
		out->code = 553;
		snprintf(out->text, sizeof(out->text), "%.250s", e->log);
		return -1;
	}
	if (step(c, span_str(line), "MAIL", 2, out, e) == -1)
		return -1;
	if (rcpt_line(c, m, line, sizeof(line)) >= (int)sizeof(line))
		return err_set(e, ERR_LIMIT, "the recipient's address is too long");
	if (step(c, span_str(line), "RCPT", 2, out, e) == -1 || step(c, SPAN("DATA\r\n"), "DATA", 3, out, e) == -1 ||
	    send_body(c, m, out, e) == -1)
		return -1;
	put(c, SPAN("QUIT\r\n"), &ignored);
	return 0;
}
