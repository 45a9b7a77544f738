/* SPDX-License-Identifier: MIT */
#include "lib-deliver/spam-scan.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib-mail/header.h"

#define SILENT_S 60
#define UNANSWERED_MAX 2
#define TIMEOUT_MAX_MS 3600000	/* "unlimited" too: nobody waits for ever */
#define FULL_MS 50	/* until a socket whose queue is full is tried again */
#define TOLD_MS 200	/* how often told_to_end is asked */

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
unix_address(struct spam_scan *s, const char *setting, struct span path, struct err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	if (path.n == 0 || path.n >= sizeof(sa.sun_path))
		return err_set(e, ERR_SYNTAX, "%s: that is no path of a socket", setting);
	memcpy(sa.sun_path, path.p, path.n);
	memcpy(&s->addresses[0].sa, &sa, sizeof(sa));
	s->addresses[0].n = sizeof(sa);
	s->address_count = 1;
	return 0;
}

/* host:port, [address]:port */
static int
inet_address(struct spam_scan *s, const char *setting, struct span where, struct err *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found, *i;
	char host[256], port[8];
	size_t colon = where.n;
	struct span name;
	int rc;

	while (colon > 0 && where.p[colon - 1] != ':')
		colon--;
	if (colon < 2)
		return err_set(e, ERR_SYNTAX, "%s: host:port is missing", setting);
	name = span_sub(where, 0, colon - 1);
	where = span_from(where, colon);
	if (name.n > 2 && name.p[0] == '[' && name.p[name.n - 1] == ']')
		name = span_sub(name, 1, name.n - 2);
	if (name.n >= sizeof(host) || where.n == 0 || where.n >= sizeof(port))
		return err_set(e, ERR_SYNTAX, "%s: malformed", setting);
	snprintf(host, sizeof(host), "%.*s", SPAN_ARG(name));
	snprintf(port, sizeof(port), "%.*s", SPAN_ARG(where));
	rc = getaddrinfo(host, port, &hints, &found);
	if (rc != 0)
		return err_set(e, ERR_NOTFOUND, "%s %s:%s: %s", setting, host, port, gai_strerror(rc));
	for (i = found; i != NULL && s->address_count < SPAM_ADDRESSES_MAX; i = i->ai_next) {
		struct spam_address *to = &s->addresses[s->address_count];

		if (i->ai_addrlen > sizeof(to->sa))
			continue;
		memcpy(&to->sa, i->ai_addr, i->ai_addrlen);
		to->n = i->ai_addrlen;
		s->address_count++;
	}
	freeaddrinfo(found);
	return 0;
}

static int
read_score(struct span text, const char *name, bool *has_out, int64_t *out, struct err *e)
{
	*has_out = text.n > 0;
	if (text.n > 0 && !spam_number(text, out))
		return err_set(e, ERR_SYNTAX, "%s: '%.*s' is no score", name, SPAN_ARG(text));
	return 0;
}

/* What asking and teaching have in common. */
static int
read_settings(struct spam_scan *s, const struct set_view *v, struct err *e)
{
	unsigned scanner = set_enum(v, SET_spam_scanner);
	uint64_t timeout_ms;

	*s = (struct spam_scan){ .on = scanner != 0, .scanner = scanner == 2 ? SPAM_RSPAMD : SPAM_SPAMD };
	s->mark = set_bool(v, SET_spam_headers);
	s->strip = set_bool(v, SET_spam_headers_strip);
	s->defer_on_failure = set_enum(v, SET_spam_scanner_failure) == 1;
	timeout_ms = set_ms(v, SET_spam_scanner_timeout);
	s->timeout_ms = timeout_ms < TIMEOUT_MAX_MS ? (int)timeout_ms : TIMEOUT_MAX_MS;
	s->max_size = set_num(v, SET_spam_scanner_max_size);
	s->password = set_str(v, SET_spam_scanner_password);
	if (read_score(set_str(v, SET_spam_reject_score), "spam_reject_score", &s->has_reject, &s->reject, e) == -1 ||
	    read_score(set_str(v, SET_spam_junk_score), "spam_junk_score", &s->has_junk, &s->junk, e) == -1)
		return -1;
	return 0;
}

static int
take_address(struct spam_scan *s, const char *setting, struct span where, struct err *e)
{
	if (span_starts(where, SPAN("unix:")))
		return unix_address(s, setting, span_from(where, 5), e);
	if (span_starts(where, SPAN("inet:")))
		return inet_address(s, setting, span_from(where, 5), e);
	return err_set(e, ERR_SYNTAX, "%s is unix:/path or inet:host:port", setting);
}

int
spam_scan_init(struct spam_scan *s, const struct set_view *v, struct err *e)
{
	return read_settings(s, v, e) == -1 || (s->on && spam_scan_look_up(s, v, e) == -1) ? -1 : 0;
}

int
spam_scan_look_up(struct spam_scan *s, const struct set_view *v, struct err *e)
{
	struct span where = set_str(v, SET_spam_scanner_address);

	if (where.n == 0)
		where = s->scanner == SPAM_SPAMD ? SPAN("inet:127.0.0.1:783") : SPAN("inet:127.0.0.1:11333");
	return take_address(s, "spam_scanner_address", where, e);
}

int
spam_learn_init(struct spam_scan *s, const struct set_view *v, struct err *e)
{
	struct span where = set_str(v, SET_spam_learn_address);

	if (read_settings(s, v, e) == -1)
		return -1;
	s->on = s->on && (set_bool(v, SET_spam_learn_spam) || set_bool(v, SET_spam_learn_ham));
	if (!s->on)
		return 0;
	if (where.n > 0)
		return take_address(s, "spam_learn_address", where, e);
	/* Who scans for rspamd can not be taught: that is its controller's. */
	if (s->scanner == SPAM_RSPAMD)
		return take_address(s, "spam_learn_address", SPAN("inet:127.0.0.1:11334"), e);
	where = set_str(v, SET_spam_scanner_address);
	return take_address(s, "spam_scanner_address", where.n > 0 ? where : SPAN("inet:127.0.0.1:783"), e);
}

bool
spam_scan_is_inet(const struct spam_scan *s)
{
	return s->address_count > 0 && s->addresses[0].sa.ss_family != AF_UNIX;
}

/* How long it may wait now, in milliseconds.  -1: the time is over. */
static int
may_wait(const struct spam_scan *s, int64_t until, struct err *e)
{
	int64_t left = until - now_ms();

	if (left <= 0)
		return err_set(e, ERR_TIMEOUT, "the spam scanner did not answer in time");
	if (s->told_to_end == NULL)
		return (int)left;
	if (s->told_to_end(s->told_ctx))
		return err_set(e, ERR_TEMP, "told to end");
	return left > TOLD_MS ? TOLD_MS : (int)left;
}

/* Waits until fd can be read or written.  -1: the time is over. */
static int
wait_for(const struct spam_scan *s, int fd, short events, int64_t until, struct err *e)
{
	struct pollfd p = { .fd = fd, .events = events };
	int rc;

	do {
		rc = may_wait(s, until, e);
		if (rc == -1)
			return -1;
		rc = poll(&p, 1, rc);
	} while (rc == 0 || (rc == -1 && errno == EINTR));
	return rc == -1 ? err_errno(e, "poll") : 0;
}

static int
connect_fd(const struct spam_scan *s, int fd, const struct spam_address *to, int64_t until, struct err *e)
{
	int error = 0, left;
	socklen_t n = sizeof(error);

	while (connect(fd, (const struct sockaddr *)&to->sa, to->n) == -1) {
		if (errno == EINPROGRESS) {
			if (wait_for(s, fd, POLLOUT, until, e) == -1)
				return -1;
			if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == -1 || error == 0)
				return 0;
			errno = error;
		}
		if (errno != EAGAIN)
			return err_errno(e, "connecting to the spam scanner");
		/* A unix socket whose queue is full: nothing tells when it is not. */
		left = may_wait(s, until, e);
		if (left == -1)
			return -1;
		poll(NULL, 0, left > FULL_MS ? FULL_MS : left);
	}
	return 0;
}

static int
connect_one(const struct spam_scan *s, const struct spam_address *to, int64_t until, struct err *e)
{
	int fd = socket(to->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return err_errno(e, "socket");
	if (connect_fd(s, fd, to, until, e) == 0)
		return fd;
	close(fd);
	return -1;
}

static int
connect_any(const struct spam_scan *s, int64_t until, struct err *e)
{
	int64_t step = s->timeout_ms / (int64_t)(s->address_count + 1);
	int fd = -1;

	if (s->address_count == 0)
		return err_set(e, ERR_NOTFOUND, "the spam scanner's address is not known");
	for (size_t i = 0; i < s->address_count && fd == -1; i++) {
		int64_t end = now_ms() + step;

		fd = connect_one(s, &s->addresses[i], end < until ? end : until, e);
	}
	return fd;
}

/* A scanner that has heard enough answers and closes: what is left to send is of no use then. */
static int
send_all(const struct spam_scan *s, int fd, struct span data, bool *closed, int64_t until, struct err *e)
{
	while (data.n > 0 && !*closed) {
		ssize_t n = send(fd, data.p, data.n, MSG_NOSIGNAL);

		if (n >= 0)
			data = span_from(data, (size_t)n);
		else if (errno == EPIPE || errno == ECONNRESET)
			*closed = true;
		else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (wait_for(s, fd, POLLOUT, until, e) == -1)
				return -1;
		} else if (errno != EINTR)
			return err_errno(e, "sending to the spam scanner");
	}
	return 0;
}

static int
receive_all(const struct spam_scan *s, int fd, struct buf *reply, int64_t until, struct err *e)
{
	for (;;) {
		ssize_t n;

		if (!buf_grow(reply, reply->n + (reply->max - reply->n < 65536 ? reply->max - reply->n : 65536)) ||
		    reply->n == reply->max)
			return err_set(e, ERR_LIMIT, "the spam scanner's answer is too long");
		n = recv(fd, reply->p + reply->n, reply->cap - reply->n, 0);
		if (n > 0)
			reply->n += (size_t)n;
		else if (n == 0)
			return reply->n == 0 ? err_set(e, ERR_EOF, "the spam scanner said nothing") : 0;
		else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (wait_for(s, fd, POLLIN, until, e) == -1)
				return -1;
		} else if (errno != EINTR)
			return err_errno(e, "reading from the spam scanner");
	}
}

static int
talk(const struct spam_scan *s, struct span question, struct span text, struct buf *reply, struct err *e)
{
	int64_t until = now_ms() + s->timeout_ms;
	int fd = connect_any(s, until, e), rc;
	bool closed = false;

	if (fd == -1)
		return -1;
	rc = send_all(s, fd, question, &closed, until, e);
	if (rc == 0)
		rc = send_all(s, fd, text, &closed, until, e);
	/* spamd takes the end for the end of a message that is shorter than was said; rspamd needs no end. */
	if (rc == 0 && s->scanner == SPAM_SPAMD)
		shutdown(fd, SHUT_WR);
	if (rc == 0)
		rc = receive_all(s, fd, reply, until, e);
	close(fd);
	return rc;
}

static void
remember(struct spam_memory *m, bool was_silent)
{
	if (!was_silent)
		m->unanswered = 0;
	else if (++m->unanswered >= UNANSWERED_MAX)
		m->silent_until = now_ms() / 1000 + SILENT_S;
}

int
spam_scan_ask(const struct spam_scan *s, const struct spam_question *q, struct span text, struct arena *a, struct spam_verdict *v,
    struct err *e)
{
	struct buf question = BUF_INIT(65536), reply = BUF_INIT(SPAM_REPLY_MAX);
	struct spam_question asked = *q;
	struct err cut = ERR_INIT;
	int rc;

	if (s->memory != NULL && s->memory->silent_until > now_ms() / 1000)
		return err_set(e, ERR_TIMEOUT, "the spam scanner has not answered lately: not asked");
	asked.size = text.n;
	asked.password = s->password;
	spam_question_write(&question, s->scanner, &asked);
	if (question.failed)
		rc = err_set(e, ERR_LIMIT, "the question to the spam scanner is too long");
	else
		rc = talk(s, buf_span(&question), text, &reply, e);
	if (s->memory != NULL)
		remember(s->memory, rc == -1 && e->code == ERR_TIMEOUT);
	if (rc == 0)
		rc = spam_reply_parse(s->scanner, q->task, buf_span(&reply), a, v, e);
	/* spamd sends the message's header behind its verdict: however long that is, nobody gets past the scanner with it. */
	else if (e->code == ERR_LIMIT && spam_reply_parse(s->scanner, q->task, buf_span(&reply), a, v, &cut) == 0) {
		*e = (struct err)ERR_INIT;
		rc = 0;
	}
	buf_clear(&question);
	buf_clear(&reply);
	return rc;
}

enum spam_fate
spam_scan_fate(const struct spam_scan *s, const struct spam_verdict *v)
{
	if (v->defer)
		return SPAM_FATE_DEFER;
	if (s->has_reject ? v->score >= s->reject : v->reject)
		return SPAM_FATE_REJECT;
	return (s->has_junk ? v->score >= s->junk : v->is_spam) ? SPAM_FATE_JUNK : SPAM_FATE_NONE;
}

void
spam_scan_describe(struct buf *out, const struct spam_verdict *v, enum spam_fate fate)
{
	spam_verdict_describe(out, v);
	buf_adds(out, fate == SPAM_FATE_REJECT ? ": refused" : fate == SPAM_FATE_DEFER ? ": put off" : "");
}

void
spam_scan_strip(struct span text, void (*put)(void *ctx, struct span piece), void *ctx)
{
	struct header_field f;
	struct header_iter it;
	size_t from = 0;

	header_begin(&it, text, SIZE_MAX, text.n);
	while (header_next(&it, &f)) {
		size_t at = (size_t)(f.raw.p - text.p);

		if (!spam_header_is_ours(f.name))
			continue;
		put(ctx, span_sub(text, from, at - from));
		from = at + f.raw.n;
	}
	put(ctx, span_from(text, from));
}

bool
spam_scan_is_forged(struct span text)
{
	struct header_field f;
	struct header_iter it;

	header_begin(&it, text, SIZE_MAX, text.n);
	while (header_next(&it, &f))
		if (spam_header_is_ours(f.name))
			return true;
	return false;
}
