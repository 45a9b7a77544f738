/* SPDX-License-Identifier: MIT */
#include "lmtp/proxy.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-mail/header.h"
#include "lib-protocol/smtp-reply.h"

#define IN_MAX (SMTP_REPLY_OCTETS + 8192)
#define HOPS_FIELDS 10000
#define HEADER_OCTETS (1 << 20)
#define NOT_THERE "Remote server not answering"

/* A connection to one server, for one transaction. */
struct lmtp_proxy_conn {
	struct lmtp_proxy_conn *next;
	struct lmtp_target target;	/* spans are in the transaction's arena */
	struct span sender;
	struct stream s;
	int fd;
	size_t taken;			/* octets of the last reply, which are still in the input */
	size_t rcpts;			/* that it has taken */
	bool lost;			/* nothing can be said to it any more */
	bool sent;			/* it has the whole message, and is to answer */
	bool has_8bit, has_size, has_utf8, has_dsn;
	struct smtp_reply xclient;	/* the answer that offers it; lines empty: it does not */
	unsigned mail_code;		/* 250, or why nothing can be sent */
	char mail_reply[LMTP_REPLY_MAX];
};

static void
lose(struct lmtp_proxy_conn *c, const struct err *e)
{
	if (!c->lost)
		log_error("lmtp proxy: %.*s:%u: %s", SPAN_ARG(c->target.host), c->target.port, e->log);
	c->lost = true;
}

/* The next reply; its spans live until the one after it.  -1: the connection is lost. */
static int
get_reply(struct lmtp_proxy_conn *c, struct smtp_reply *out)
{
	struct err e = ERR_INIT;

	stream_drop(&c->s, c->taken);
	c->taken = 0;
	while (!c->lost) {
		int rc = smtp_reply_parse(stream_in(&c->s), out, &c->taken);

		if (rc == 1)
			return 0;
		if (rc == -1)
			err_set(&e, ERR_SYNTAX, "what it says is no LMTP");
		if (rc == -1 || stream_fill(&c->s, &e) == -1)
			lose(c, &e);
	}
	return -1;
}

/* The text of a reply's last line, fit for a line of ours. */
static void
keep_reply(const struct smtp_reply *r, unsigned *code_out, char text[LMTP_REPLY_MAX])
{
	struct span lines = r->lines, last = r->first, line;
	size_t used = 0;

	while (span_line(lines, &used, &line))
		if (line.n > 4)
			last = span_from(line, 4);
	*code_out = r->code;
	snprintf(text, LMTP_REPLY_MAX, "%.*s", SPAN_ARG(span_sub(last, 0, LMTP_REPLY_MAX - 1)));
	for (char *p = text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

static void
answer(struct lmtp_rcpt *r, unsigned code, const char *enhanced, const char *text)
{
	r->code = code;
	snprintf(r->reply, sizeof(r->reply), "%s <%.*s> %s", enhanced, SPAN_ARG(span_sub(r->path.text, 0, 150)), text);
}

/* 421 ends the connection; what is neither yes nor no is not understood. */
static void
take_answer(struct lmtp_proxy_conn *c, const struct smtp_reply *reply, struct lmtp_rcpt *r)
{
	struct err e = ERR_INIT;

	keep_reply(reply, &r->code, r->reply);
	if (r->code != 421 && r->code / 100 != 3)
		return;
	err_set(&e, ERR_TEMP, "%u %s", r->code, r->reply);
	lose(c, &e);
	answer(r, 451, "4.4.0", NOT_THERE);
}

/* ---- the beginning ---- */

static int
hello(struct lmtp_proxy *p, struct lmtp_proxy_conn *c)
{
	struct smtp_reply r;
	struct err e = ERR_INIT;
	struct span params;

	stream_putf(&c->s, "%s %.*s\r\n", c->target.smtp ? "EHLO" : "LHLO", SPAN_ARG(p->hostname));
	if (get_reply(c, &r) == -1)
		return -1;
	if (r.code != 250) {
		err_set(&e, ERR_TEMP, "LHLO: %u %.*s", r.code, SPAN_ARG(span_sub(r.first, 0, 150)));
		lose(c, &e);
		return -1;
	}
	c->has_8bit = smtp_reply_has(&r, SPAN("8BITMIME"), &params);
	c->has_size = smtp_reply_has(&r, SPAN("SIZE"), &params);
	c->has_utf8 = smtp_reply_has(&r, SPAN("SMTPUTF8"), &params);
	c->has_dsn = smtp_reply_has(&r, SPAN("DSN"), &params);
	c->xclient = smtp_reply_has(&r, SPAN("XCLIENT"), &params) ? r : (struct smtp_reply){ .code = 0 };
	return 0;
}

static bool
offers(const struct lmtp_proxy_conn *c, const char *attribute)
{
	struct span params, word;

	if (!smtp_reply_has(&c->xclient, SPAN("XCLIENT"), &params))
		return false;
	while (span_next(&params, ' ', &word))
		if (span_ieq(word, span_str(attribute)))
			return true;
	return false;
}

/* For whom we speak, and how often the mail may still be passed on. */
static int
tell_client(struct lmtp_proxy *p, struct lmtp_proxy_conn *c, const struct lmtp_session *l)
{
	const char *helo = l->client_helo[0] != '\0' ? l->client_helo : l->helo;
	struct buf line = BUF_INIT(2048);
	struct smtp_reply r;
	struct err e = ERR_INIT;

	if (l->rip.n > 0 && offers(c, "ADDR"))
		buf_addf(&line, " ADDR=%s%.*s", memchr(l->rip.p, ':', l->rip.n) != NULL ? "IPV6:" : "", SPAN_ARG(l->rip));
	if (l->rport > 0 && offers(c, "PORT"))
		buf_addf(&line, " PORT=%u", l->rport);
	if (offers(c, "PROTO"))
		buf_adds(&line, " PROTO=LMTP");
	/* No character of it means something in xtext, but these. */
	if (helo[0] != '\0' && strpbrk(helo, "+=") == NULL && offers(c, "HELO"))
		buf_addf(&line, " HELO=%s", helo);
	if (offers(c, "SESSION"))
		buf_addf(&line, " SESSION=%.*s", SPAN_ARG(smtp_xtext_encode(span_str(l->t.session), l->t.arena)));
	if (offers(c, "TTL"))
		buf_addf(&line, " TTL=%u", l->proxy_ttl - 1);
	if (line.n == 0)
		return 0;
	stream_putf(&c->s, "XCLIENT%.*s\r\n", SPAN_ARG(buf_span(&line)));
	buf_clear(&line);
	if (get_reply(c, &r) == -1)
		return -1;
	if (r.code == 220)
		return hello(p, c);
	err_set(&e, ERR_TEMP, "XCLIENT: %u %.*s", r.code, SPAN_ARG(span_sub(r.first, 0, 150)));
	lose(c, &e);
	return -1;
}

static int
mail(struct lmtp_proxy_conn *c, const struct lmtp_transaction *t)
{
	struct smtp_reply r;

	if (t->utf8 && !c->has_utf8) {
		c->mail_code = 550;
		snprintf(c->mail_reply, sizeof(c->mail_reply), "5.6.7 The server behind this one knows no SMTPUTF8");
		return 0;
	}
	stream_putf(&c->s, "MAIL FROM:<%.*s>", SPAN_ARG(c->sender));
	if (t->eight_bit && c->has_8bit)
		stream_puts(&c->s, " BODY=8BITMIME");
	if (t->declared_size > 0 && c->has_size)
		stream_putf(&c->s, " SIZE=%llu", (unsigned long long)t->declared_size);
	if (t->utf8)
		stream_puts(&c->s, " SMTPUTF8");
	if (t->ret.n > 0 && c->has_dsn)
		stream_putf(&c->s, " RET=%.*s", SPAN_ARG(t->ret));
	if (t->envid.n > 0 && c->has_dsn)
		stream_putf(&c->s, " ENVID=%.*s", SPAN_ARG(t->envid));
	stream_puts(&c->s, "\r\n");
	if (get_reply(c, &r) == -1)
		return -1;
	keep_reply(&r, &c->mail_code, c->mail_reply);
	return 0;
}

/* NULL: no memory.  One that could not be opened is there, too, so that it is tried once a transaction. */
static struct lmtp_proxy_conn *
open_conn(struct lmtp_proxy *p, const struct lmtp_session *l, const struct lmtp_rcpt *r, const struct lmtp_target *t)
{
	struct lmtp_proxy_conn *c = calloc(1, sizeof(*c));
	struct err e = ERR_INIT;

	if (c == NULL)
		return NULL;
	c->target = *t;
	c->target.host = arena_dup(l->t.arena, t->host);
	c->sender = r->sender;
	c->next = p->conns;
	p->conns = c;
	if (c->target.host.p == NULL || p->dial(p->ctx, t, &c->fd, &e) == -1) {
		c->fd = -1;
		lose(c, &e);
		return c;
	}
	stream_init_fd(&c->s, c->fd, IN_MAX, t->timeout_ms);
	c->s.write_timeout_ms = t->timeout_ms;
	if (hello(p, c) == 0 && (c->xclient.lines.n == 0 || tell_client(p, c, l) == 0))
		(void)mail(c, &l->t);
	return c;
}

static struct lmtp_proxy_conn *
conn_for(struct lmtp_proxy *p, const struct lmtp_session *l, const struct lmtp_rcpt *r, const struct lmtp_target *t)
{
	for (struct lmtp_proxy_conn *c = p->conns; c != NULL; c = c->next)
		if (lmtp_target_is_same_server(&c->target, t) && span_eq(c->sender, r->sender))
			return c;
	return open_conn(p, l, r, t);
}

/* ---- recipients ---- */

/* As it came; or another user's, with the detail that it came with. */
static void
put_path(struct lmtp_proxy_conn *c, const struct lmtp_session *l, const struct lmtp_rcpt *r, const struct lmtp_target *t)
{
	size_t at = span_chr(t->user, '@');

	if (t->user.n == 0)
		stream_putf(&c->s, "RCPT TO:<%.*s>", SPAN_ARG(r->path.text));
	else if (r->detail.n > 0 && l->o->delimiters.n > 0)
		stream_putf(&c->s, "RCPT TO:<%.*s%c%.*s%.*s>", SPAN_ARG(span_sub(t->user, 0, at)), l->o->delimiters.p[0],
		    SPAN_ARG(r->detail), SPAN_ARG(span_from(t->user, at)));
	else
		stream_putf(&c->s, "RCPT TO:<%.*s>", SPAN_ARG(t->user));
}

/* What goes into a command line of ours must be an address, whoever wrote the database. */
static bool
is_address(struct span text, struct arena *a)
{
	struct smtp_path path;
	const char *why;

	return text.n == 0 || smtp_address_parse(text, a, &path, &why) == 0;
}

static enum lmtp_lookup
refuse(struct lmtp_rcpt *r, unsigned code, const char *enhanced, const char *text)
{
	answer(r, code, enhanced, text);
	return LMTP_REFUSED;
}

enum lmtp_lookup
lmtp_proxy_rcpt(struct lmtp_proxy *p, const struct lmtp_session *l, struct lmtp_rcpt *r, const struct lmtp_target *t)
{
	struct lmtp_proxy_conn *c;
	struct smtp_reply reply;

	if (l->proxy_ttl <= 1)
		return refuse(r, 554, "5.4.6", "Proxying appears to be looping (TTL=0)");
	if (!is_address(t->user, l->t.arena)) {
		log_error("lmtp proxy: destuser=%.*s is no address", SPAN_ARG(span_sub(t->user, 0, 100)));
		return refuse(r, 451, "4.3.0", "Temporary internal error");
	}
	c = conn_for(p, l, r, t);
	if (c == NULL)
		return refuse(r, 451, "4.3.0", "Temporary internal error");
	if (c->lost)
		return refuse(r, 451, "4.4.0", NOT_THERE);
	if (c->mail_code / 100 != 2) {
		r->code = c->mail_code / 100 == 3 ? 451 : c->mail_code;
		snprintf(r->reply, sizeof(r->reply), "%s", c->mail_reply);
		return LMTP_REFUSED;
	}
	put_path(c, l, r, t);
	if (r->notify.n > 0 && c->has_dsn)
		stream_putf(&c->s, " NOTIFY=%.*s", SPAN_ARG(r->notify));
	stream_puts(&c->s, "\r\n");
	if (get_reply(c, &reply) == -1)
		return refuse(r, 451, "4.4.0", NOT_THERE);
	take_answer(c, &reply, r);
	if (r->code / 100 != 2)
		return LMTP_REFUSED;
	c->rcpts++;
	r->conn = c;
	return LMTP_FOUND;
}

/* ---- the message ---- */

/* The transparency of RFC 5321 section 4.5.2, and CRLF line ends; a CR alone stays what it is. */
static void
put_body(struct lmtp_proxy_conn *c, struct span text)
{
	char last = '\n';
	size_t from = 0;

	for (size_t i = 0; i < text.n && !c->s.failed; i++) {
		bool dot = last == '\n' && text.p[i] == '.', bare = text.p[i] == '\n' && last != '\r';

		if (dot || bare) {
			stream_put(&c->s, span_sub(text, from, i - from));
			stream_puts(&c->s, dot ? "." : "\r");
			from = i;
		}
		last = text.p[i];
	}
	stream_put(&c->s, span_from(text, from));
	stream_puts(&c->s, last == '\n' ? ".\r\n" : "\r\n.\r\n");
}

/* The recipients of c get this answer. */
static void
answer_all(struct lmtp_transaction *t, const struct lmtp_proxy_conn *c, unsigned code, const char *text)
{
	for (size_t i = 0; i < t->rcpt_count; i++)
		if (t->rcpts[i].conn == c) {
			t->rcpts[i].code = code;
			snprintf(t->rcpts[i].reply, sizeof(t->rcpts[i].reply), "%s", text);
		}
}

static void
send_to(struct lmtp_proxy_conn *c, struct lmtp_transaction *t, struct span text)
{
	char why[LMTP_REPLY_MAX];
	struct err e = ERR_INIT;
	struct smtp_reply r;
	unsigned code;

	answer_all(t, c, 451, "4.4.0 " NOT_THERE);
	stream_puts(&c->s, "DATA\r\n");
	if (get_reply(c, &r) == -1)
		return;
	if (r.code != 354) {
		keep_reply(&r, &code, why);
		answer_all(t, c, code >= 400 ? code : 451, why);
		return;
	}
	for (size_t i = 0; i < t->rcpt_count; i++)
		if (t->rcpts[i].conn == c) {
			stream_put(&c->s, t->rcpts[i].header);
			break;
		}
	put_body(c, text);
	if (stream_flush(&c->s, &e) == -1)
		lose(c, &e);
	else
		c->sent = true;
}

/* An answer for each recipient, in their order (RFC 2033 section 4.2); with SMTP one for all. */
static void
take_answers(struct lmtp_proxy_conn *c, struct lmtp_transaction *t)
{
	struct smtp_reply reply;
	struct lmtp_rcpt *first = NULL;

	for (size_t i = 0; i < t->rcpt_count; i++) {
		struct lmtp_rcpt *r = &t->rcpts[i];

		if (r->conn != c)
			continue;
		if (first != NULL && c->target.smtp) {
			r->code = first->code;
			memcpy(r->reply, first->reply, sizeof(r->reply));
			continue;
		}
		if (get_reply(c, &reply) == -1)
			return;
		take_answer(c, &reply, r);
		first = r;
	}
}

static bool
is_loop(const struct lmtp_proxy *p, struct span text)
{
	struct header_iter it;
	struct header_field f;
	uint64_t hops = 0;

	if (p->max_hops == 0)
		return false;
	header_begin(&it, text, HOPS_FIELDS, HEADER_OCTETS);
	while (hops <= p->max_hops && header_next(&it, &f))
		hops += span_ieq(f.name, SPAN("received"));
	return hops > p->max_hops;
}

void
lmtp_proxy_deliver(struct lmtp_proxy *p, struct lmtp_transaction *t, int fd)
{
	struct span text;
	struct err e = ERR_INIT;
	bool loops;

	if (memfd_map(fd, &text, &e) == -1) {
		log_error("lmtp proxy: %s", e.log);
		return;
	}
	loops = is_loop(p, text);
	/* All servers get the message first, so that they work at the same time. */
	for (struct lmtp_proxy_conn *c = p->conns; c != NULL; c = c->next) {
		if (c->rcpts > 0 && loops)
			answer_all(t, c, 554, "5.4.6 Too many Received fields: the message is in a loop");
		else if (c->rcpts > 0)
			send_to(c, t, text);
	}
	for (struct lmtp_proxy_conn *c = p->conns; c != NULL; c = c->next)
		if (c->sent)
			take_answers(c, t);
	for (size_t i = 0; i < t->rcpt_count; i++) {
		const struct lmtp_rcpt *r = &t->rcpts[i];

		if (r->conn != NULL)
			log_info("%s: from=<%.*s> to=<%.*s> passed on to %.*s:%u: %u %s", t->session, SPAN_ARG(r->sender),
			    SPAN_ARG(r->path.text), SPAN_ARG(r->conn->target.host), r->conn->target.port, r->code, r->reply);
	}
	if (text.n > 0)
		munmap((void *)(uintptr_t)text.p, text.n);
}

void
lmtp_proxy_end(struct lmtp_proxy *p)
{
	while (p->conns != NULL) {
		struct lmtp_proxy_conn *c = p->conns;
		struct err e = ERR_INIT;

		p->conns = c->next;
		if (!c->lost) {
			stream_puts(&c->s, "QUIT\r\n");
			stream_flush(&c->s, &e);
		}
		if (c->fd != -1) {
			stream_clear(&c->s);
			close(c->fd);
		}
		free(c);
	}
}
