/* SPDX-License-Identifier: MIT */
/* Recipients of other servers: a session of ours, and servers that are processes of the test. */
#include "lmtp/proxy.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include "lib/sys.h"
#include "testing.h"

/* ---- the servers ---- */

enum kind {
	GOOD,			/* takes recipients but those that begin with "no" (550), "tmp" (451); "full" fails behind DATA */
	TRUSTING,		/* the same, and takes XCLIENT */
	SMTP,			/* the same with one answer */
	GARBAGE, SILENT, REFUSES_MAIL, ENDS_AT_RCPT, ENDS_AT_DATA, ENDS_AT_DOT, SAYS_421, MANY_LINES,
};

struct world {
	int log_fd;			/* memory that servers write to what they hear */
	unsigned dials;
	bool unreachable;
	struct lmtp_proxy proxy;
	struct lmtp_session *session;
	unsigned local;			/* delivered here */
	pid_t pids[8];
};

static void
say(int fd, const char *text)
{
	struct err e = ERR_INIT;

	if (fd_write_all(fd, span_str(text), &e) == -1)
		_exit(1);
}

static void
serve_data(FILE *in, int fd, enum kind kind, char rcpts[][100], size_t count)
{
	char line[2000];

	say(fd, "354 go\r\n");
	while (fgets(line, sizeof(line), in) != NULL && strcmp(line, ".\r\n") != 0)
		;
	if (kind == ENDS_AT_DOT)
		_exit(0);
	for (size_t i = 0; i < (kind == SMTP ? 1 : count); i++) {
		char answer[200];

		snprintf(answer, sizeof(answer), strncmp(rcpts[i], "full", 4) == 0 ? "452 4.2.2 <%s> is full\r\n" : "250 2.0.0 <%s> is done\r\n", rcpts[i]);
		say(fd, answer);
	}
}

static void __attribute__((noreturn))
serve(int fd, int log_fd, enum kind kind)
{
	FILE *in = fdopen(dup(fd), "r");
	char line[2000], rcpts[8][100];
	size_t count = 0;

	while (in != NULL && fgets(line, sizeof(line), in) != NULL) {
		say(log_fd, line);
		if (kind == GARBAGE)
			say(fd, "what?\r\n");
		else if (kind == SILENT)
			continue;
		else if (strncmp(line, "LHLO", 4) == 0 || strncmp(line, "EHLO", 4) == 0)
			say(fd, kind == TRUSTING ? "250-other\r\n250-8BITMIME\r\n250-SIZE\r\n250 XCLIENT ADDR PORT TTL PROTO SESSION\r\n" :
			    "250-other\r\n250-8BITMIME\r\n250 SIZE 1000\r\n");
		else if (strncmp(line, "XCLIENT", 7) == 0)
			say(fd, "220 again\r\n");
		else if (strncmp(line, "MAIL", 4) == 0)
			say(fd, kind == REFUSES_MAIL ? "550 5.7.1 Not you\r\n" : "250 2.1.0 fine\r\n");
		else if (strncmp(line, "RCPT", 4) == 0) {
			if (kind == ENDS_AT_RCPT)
				_exit(0);
			snprintf(rcpts[count], sizeof(rcpts[0]), "%.*s", (int)strcspn(line + 9, ">"), line + 9);
			if (strncmp(rcpts[count], "no", 2) == 0)
				say(fd, "550 5.1.1 nobody\r\n");
			else if (strncmp(rcpts[count], "tmp", 3) == 0)
				say(fd, "451 4.3.0 later\r\n");
			else {
				say(fd, kind == SAYS_421 ? "421 4.3.2 going down\r\n" : kind == MANY_LINES ? "250-one\r\n250 2.1.5 two\001\r\n" :
				    "250 2.1.5 known\r\n");
				count++;
			}
		} else if (strncmp(line, "DATA", 4) == 0) {
			if (kind == ENDS_AT_DATA)
				_exit(0);
			serve_data(in, fd, kind, rcpts, count);
		} else if (strncmp(line, "QUIT", 4) == 0)
			break;
	}
	_exit(0);
}

static int
dial(void *ctx, const struct lmtp_target *t, int *fd_out, struct err *e)
{
	static const char *const names[] = { "good", "trusting", "smtp", "garbage", "silent", "refuses", "rcpt", "data", "dot", "421", "lines" };
	struct world *w = ctx;
	int pair[2];
	size_t kind = 0;

	if (w->unreachable)
		return err_set(e, ERR_TEMP, "connection refused");
	while (kind < COUNT(names) && !span_eq(t->host, span_str(names[kind])))
		kind++;
	assert_true(kind < COUNT(names));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_true(w->dials < COUNT(w->pids));
	w->pids[w->dials] = fork();
	assert_true(w->pids[w->dials] != -1);
	if (w->pids[w->dials] == 0) {
		close(pair[0]);
		serve(pair[1], w->log_fd, (enum kind)kind);
	}
	w->dials++;
	close(pair[1]);
	*fd_out = pair[0];
	return 0;
}

/* ---- our side ---- */

/* user@KIND is one of that server; without a domain a local one. */
static enum lmtp_lookup
lookup(void *ctx, struct lmtp_transaction *t, struct lmtp_rcpt *r)
{
	(void)ctx;
	(void)t;
	r->user = r->asked;
	r->proxy_fields = r->path.domain;
	return LMTP_FOUND;
}

static enum lmtp_lookup
ask(void *ctx, struct lmtp_transaction *t, struct lmtp_rcpt *r)
{
	struct world *w = ctx;
	struct lmtp_target target = { .host = r->path.domain, .port = 24, .timeout_ms = 300, .user = SPAN("") };

	(void)t;
	target.smtp = span_eq(target.host, SPAN("smtp"));
	if (span_starts(r->path.local, SPAN("moved")))
		target.user = SPAN("there@example.org");
	if (span_eq(r->path.local, SPAN("wrong")))
		target.user = SPAN("x> \r\nQUIT");
	return lmtp_proxy_rcpt(&w->proxy, w->session, r, &target);
}

static void
deliver(void *ctx, struct lmtp_transaction *t, int fd)
{
	struct world *w = ctx;

	(void)fd;
	for (size_t i = 0; i < t->rcpt_count; i++)
		if (!lmtp_rcpt_is_remote(&t->rcpts[i])) {
			w->local++;
			t->rcpts[i].code = 250;
			snprintf(t->rcpts[i].reply, sizeof(t->rcpts[i].reply), "2.0.0 here");
		}
}

static void
forward(void *ctx, struct lmtp_transaction *t, int fd)
{
	lmtp_proxy_deliver(&((struct world *)ctx)->proxy, t, fd);
}

static void
end(void *ctx)
{
	lmtp_proxy_end(&((struct world *)ctx)->proxy);
}

/* What the client gets for these lines; *heard_out: what the servers were told. */
static struct span
talk(struct world *w, const char *lines, struct arena *a, struct span *heard_out)
{
	const struct lmtp_options o = { .hostname = SPAN("mx"), .delimiters = SPAN("+"), .max_size = 100000, .max_recipients = 10,
					.max_line = 512, .max_bad = 9, .add_received = true, .trusts_client = true };
	const struct lmtp_backend backend = { .ctx = w, .lookup = lookup, .deliver = deliver, .ask = ask, .forward = forward, .end = end };
	struct buf heard = BUF_INIT(100000);
	struct lmtp_status status = { 0, 0 };
	struct lmtp_session l;
	struct stream s;
	struct err e = ERR_INIT;
	struct span out;

	w->log_fd = memfd_create("log", MFD_CLOEXEC);
	w->proxy = (struct lmtp_proxy){ .dial = dial, .ctx = w, .hostname = o.hostname, .max_hops = 3 };
	w->session = &l;
	stream_init_mem(&s, span_str(lines), 65536, 1 << 20);
	assert_int_equal(lmtp_session_init(&l, &s, &o, &backend, &status, "I+D", &e), 0);
	l.rip = SPAN("192.0.2.1");
	l.rport = 4711;
	lmtp_session_run(&l, &e);
	lmtp_session_clear(&l);
	for (unsigned i = 0; i < w->dials; i++)
		waitpid(w->pids[i], NULL, 0);
	assert_int_equal(lseek(w->log_fd, 0, SEEK_SET), 0);
	assert_int_equal(fd_read_all(w->log_fd, 100000, &heard, &e), 0);
	close(w->log_fd);
	*heard_out = arena_dup(a, buf_span(&heard));
	out = arena_dup(a, buf_span(&s.out));
	buf_clear(&heard);
	stream_clear(&s);
	return out;
}

#define HELLO "LHLO client\r\n"
#define MAIL HELLO "MAIL FROM:<s@x>\r\n"
#define SEND "DATA\r\nSubject: x\r\n\r\n..dot\r\n.\r\n"

static const struct {
	const char *in;
	const char *want;	/* the answers behind that to MAIL, up to "221" */
	const char *heard;	/* is in what the servers heard; NULL: nothing is asked of that */
} cases[] = {
	{ MAIL "RCPT TO:<bob@good>\r\n" SEND, "250 2.1.5 OK\r\n354 OK\r\n250 2.0.0 <bob@good> is done\r\n", "MAIL FROM:<s@x>\r\nRCPT TO:<bob@good>\r\nDATA\r\n" },
	/* the answer to RCPT is the server's */
	{ MAIL "RCPT TO:<nobody@good>\r\nRCPT TO:<tmp@good>\r\nRCPT TO:<bob@lines>\r\n",
	    "550 5.1.1 nobody\r\n451 4.3.0 later\r\n250 2.1.5 OK\r\n", NULL },
	/* answers in the order of recipients, wherever these are */
	{ MAIL "RCPT TO:<a>\r\nRCPT TO:<full@good>\r\nRCPT TO:<b@trusting>\r\nRCPT TO:<no@good>\r\nRCPT TO:<c@good>\r\nRCPT TO:<d>\r\n" SEND,
	    "250 2.1.5 OK\r\n250 2.1.5 OK\r\n250 2.1.5 OK\r\n550 5.1.1 nobody\r\n250 2.1.5 OK\r\n250 2.1.5 OK\r\n354 OK\r\n"
	    "250 2.0.0 here\r\n452 4.2.2 <full@good> is full\r\n250 2.0.0 <b@trusting> is done\r\n250 2.0.0 <c@good> is done\r\n250 2.0.0 here\r\n", NULL },
	{ MAIL "RCPT TO:<a@smtp>\r\nRCPT TO:<b@smtp>\r\n" SEND,
	    "250 2.1.5 OK\r\n250 2.1.5 OK\r\n354 OK\r\n250 2.0.0 <a@smtp> is done\r\n250 2.0.0 <a@smtp> is done\r\n", "EHLO mx\r\n" },
	/* what is passed on */
	{ HELLO "MAIL FROM:<> SIZE=77 BODY=8BITMIME\r\nRCPT TO:<bob@good>\r\n", "250 2.1.5 OK\r\n", "MAIL FROM:<> BODY=8BITMIME SIZE=77\r\n" },
	{ HELLO "MAIL FROM:<s@x> SMTPUTF8\r\nRCPT TO:<bob@good>\r\n", "550 5.6.7 The server behind this one knows no SMTPUTF8\r\n", NULL },
	{ MAIL "RCPT TO:<moved+box@good>\r\n", "250 2.1.5 OK\r\n", "RCPT TO:<there+box@example.org>\r\n" },
	{ MAIL "RCPT TO:<wrong@good>\r\n", "451 4.3.0 <wrong@good> Temporary internal error\r\n", NULL },
	/* who speaks */
	{ MAIL "RCPT TO:<bob@trusting>\r\n", "250 2.1.5 OK\r\n", "LHLO mx\r\nXCLIENT ADDR=192.0.2.1 PORT=4711 PROTO=LMTP SESSION=I+2BD TTL=4\r\nLHLO mx\r\nMAIL" },
	{ "XCLIENT ADDR=IPV6:2001:db8::1 PORT=5 TTL=2\r\n" MAIL "RCPT TO:<bob@trusting>\r\n", "250 2.1.5 OK\r\n",
	    "XCLIENT ADDR=IPV6:2001:db8::1 PORT=5 PROTO=LMTP SESSION=I+2BD TTL=1\r\n" },
	/* loops */
	{ "XCLIENT TTL=1\r\n" MAIL "RCPT TO:<bob@good>\r\n", "554 5.4.6 <bob@good> Proxying appears to be looping (TTL=0)\r\n", NULL },
	{ "XCLIENT TTL=0\r\nXCLIENT TTL=5\r\n" MAIL "RCPT TO:<bob@good>\r\n", "554 5.4.6 <bob@good> Proxying appears to be looping (TTL=0)\r\n", NULL },
	{ MAIL "RCPT TO:<bob@good>\r\nDATA\r\nReceived: 1\r\nReceived: 2\r\nReceived: 3\r\nReceived: 4\r\n\r\n.\r\n",
	    "250 2.1.5 OK\r\n354 OK\r\n554 5.4.6 Too many Received fields: the message is in a loop\r\n", NULL },
	/* servers that fail */
	{ MAIL "RCPT TO:<bob@garbage>\r\n", "451 4.4.0 <bob@garbage> Remote server not answering\r\n", NULL },
	{ MAIL "RCPT TO:<bob@silent>\r\nRCPT TO:<c@silent>\r\n",
	    "451 4.4.0 <bob@silent> Remote server not answering\r\n451 4.4.0 <c@silent> Remote server not answering\r\n", NULL },
	{ MAIL "RCPT TO:<bob@refuses>\r\n", "550 5.7.1 Not you\r\n", NULL },
	{ MAIL "RCPT TO:<bob@rcpt>\r\n", "451 4.4.0 <bob@rcpt> Remote server not answering\r\n", NULL },
	{ MAIL "RCPT TO:<bob@421>\r\n", "451 4.4.0 <bob@421> Remote server not answering\r\n", NULL },
	{ MAIL "RCPT TO:<bob@data>\r\nRCPT TO:<a>\r\n" SEND,
	    "250 2.1.5 OK\r\n250 2.1.5 OK\r\n354 OK\r\n451 4.4.0 Remote server not answering\r\n250 2.0.0 here\r\n", NULL },
	{ MAIL "RCPT TO:<bob@dot>\r\nRCPT TO:<c@good>\r\n" SEND,
	    "250 2.1.5 OK\r\n250 2.1.5 OK\r\n354 OK\r\n451 4.4.0 Remote server not answering\r\n250 2.0.0 <c@good> is done\r\n", NULL },
};

static void
test_sessions(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new(1 << 20);
		struct world w = { .log_fd = -1 };
		char *in = arena_printf(a, "%sQUIT\r\n", cases[i].in);
		struct span heard, out = talk(&w, in, a, &heard);
		size_t from = span_find(out, SPAN("250 2.1.0 OK\r\n")) + 14, to = span_find(out, SPAN("221 "));

		assert_true(from < out.n && to < out.n && from <= to);
		assert_span(span_sub(out, from, to - from), cases[i].want);
		if (cases[i].heard != NULL && span_find(heard, span_str(cases[i].heard)) == SIZE_MAX)
			fail_msg("%s is not in what was heard: %.*s", cases[i].heard, SPAN_ARG(heard));
		arena_free(a);
	}
}

/* Each transaction has its own: the servers are heard in any order. */
static void
test_connections(void **state)
{
	struct world w = { .log_fd = -1 };
	struct arena *a = arena_new(1 << 20);
	struct span heard, out = talk(&w, MAIL "RCPT TO:<bob@good>\r\nRSET\r\nMAIL FROM:<s@x>\r\nRCPT TO:<bob@good>\r\nQUIT\r\n", a, &heard);
	size_t first = span_find(heard, SPAN("LHLO mx\r\n"));

	(void)state;
	assert_true(span_find(out, SPAN("250 2.1.5 OK\r\n250 2.0.0 OK\r\n250 2.1.0 OK\r\n250 2.1.5 OK\r\n")) < out.n);
	assert_true(first != SIZE_MAX && span_find(span_from(heard, first + 1), SPAN("LHLO mx\r\n")) != SIZE_MAX);
	arena_free(a);
}

static void
test_unreachable(void **state)
{
	struct world w = { .unreachable = true };
	struct arena *a = arena_new(1 << 20);
	struct span heard, out = talk(&w, MAIL "RCPT TO:<bob@good>\r\nRCPT TO:<a>\r\n" SEND "QUIT\r\n", a, &heard);

	(void)state;
	assert_true(span_find(out, SPAN("451 4.4.0 <bob@good> Remote server not answering\r\n250 2.1.5 OK\r\n354 OK\r\n250 2.0.0 here\r\n")) < out.n);
	assert_int_equal(w.local, 1);
	arena_free(a);
}

/* ---- targets ---- */

static void
test_targets(void **state)
{
	static const struct {
		struct span fields;
		const char *want;	/* host port timeout tls verify smtp user, or the mistake */
	} targets[] = {
		{ SPAN("proxy=y\0host=192.0.2.1\0"), "192.0.2.1 24 125000 0 0 0 " },
		{ SPAN("host=a.example\0port=2003\0proxy_timeout=5\0destuser=x@y\0other=z\0"), "a.example 2003 5000 0 0 0 x@y" },
		{ SPAN("host=a\0proxy_timeout=500ms\0ssl=yes\0protocol=lmtp\0"), "a 24 500 1 1 0 " },
		{ SPAN("host=a\0proxy_timeout=2 mins\0starttls=any-cert\0protocol=smtp\0"), "a 24 120000 2 0 1 " },
		{ SPAN("host=a\0ssl=no\0"), "a 24 125000 0 0 0 " },
		{ SPAN("proxy=y\0"), "proxy without host" },
		{ SPAN("host=\0"), "host= is none" },
		{ SPAN("host=/run/x\0"), "host=/run/x is none" },
		{ SPAN("host=a\0port=0\0"), "port=0 is none" },
		{ SPAN("host=a\0port=65536\0"), "port=65536 is none" },
		{ SPAN("host=a\0proxy_timeout=0\0"), "proxy_timeout=0 is no time" },
		{ SPAN("host=a\0proxy_timeout=99h\0"), "proxy_timeout=99h is no time" },
		{ SPAN("host=a\0protocol=imap\0"), "protocol=imap is neither lmtp nor smtp" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(targets); i++) {
		struct lmtp_target t;
		struct err e = ERR_INIT;
		char text[200];

		if (lmtp_target_parse(targets[i].fields, &t, &e) == -1)
			snprintf(text, sizeof(text), "%s", e.log);
		else
			snprintf(text, sizeof(text), "%.*s %u %d %d %d %d %.*s", SPAN_ARG(t.host), t.port, t.timeout_ms, (int)t.tls,
			    t.verify, t.smtp, SPAN_ARG(t.user));
		assert_string_equal(text, targets[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_connections),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
