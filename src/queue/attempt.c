/* SPDX-License-Identifier: MIT */
#include "queue/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/priv.h"
#include "lib/sys.h"
#include "lib-config/vars.h"
#include "lib-mail/date.h"
#include "lib-mail/header.h"
#include "lib-protocol/smtp-client.h"

#define NOTICE_MAX 16384
#define ARGUMENTS_MAX 32
#define TEXT_MAX 1024

struct attempt {
	const struct set_view *view;
	const struct queue_item *item;
	int report_fd, said_fd;
	struct span message;		/* without the queue's head */
	char by[40];			/* what is left of the time to deliver it in */
};

static void __attribute__((noreturn))
report(const struct attempt *t, unsigned word, const char *why)
{
	char line[ATTEMPT_WORD_MAX];
	struct err e = ERR_INIT;
	int n = snprintf(line, sizeof(line) - 1, "%u %.*s", word, (int)sizeof(line) - 8, why);

	/* It goes into lists, the log and notices, and some of it a server of others has said. */
	for (char *p = line; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	if (fd_write_all(t->report_fd, span_of(line, (size_t)n), &e) == -1)
		log_error("%s", e.log);
	/* Without the line it is not known to have been sent. */
	_exit(EX_TEMPFAIL);
}

static const char *
text_of(struct span s, char room[TEXT_MAX])
{
	snprintf(room, TEXT_MAX, "%.*s", SPAN_ARG(s));
	return room;
}

static void
map_message(struct attempt *t, int fd)
{
	uint64_t whole = t->item->head + t->item->size;
	void *p = mmap(NULL, (size_t)whole, PROT_READ, MAP_PRIVATE, fd, 0);

	if (p == MAP_FAILED)
		report(t, 4, strerror(errno));
	t->message = span_from(span_of(p, (size_t)whole), (size_t)t->item->head);
}

/* The server's answer is worth waiting for when we are told to stop: without it the message would be sent once more. */
static void
on_body(void)
{
	signal(SIGTERM, SIG_IGN);
}

/* Through the server of submission_host, or another. */
static void __attribute__((noreturn))
send_smtp(struct attempt *t, struct smtp_target *target, const struct smtp_mail *m)
{
	struct priv_filter *filter;
	struct smtp_outcome outcome = { .code = 0 };
	struct smtp_client c;
	struct err e = ERR_INIT;

	/* Names are looked up and the connection is made first; what speaks with it can open no other. */
	filter = priv_filter_new(PRIV_EVENTS, &e);
	if (filter == NULL || smtp_client_connect(target, &c, &e) == -1 || priv_filter_apply(filter, &e) == -1)
		report(t, 4, e.log);
	if (smtp_client_greet(target, &c, &e) == -1 || smtp_client_send(&c, m, &outcome, &e) == -1)
		report(t, outcome.code >= 500 ? 5 : 4, e.log);
	report(t, 2, outcome.text);
}

static void __attribute__((noreturn))
submit(struct attempt *t, const struct smtp_mail *m)
{
	enum { SSL_NO, SSL_SMTPS, SSL_SUBMISSIONS, SSL_STARTTLS };	/* in the order of settings.def */
	char host[TEXT_MAX], hello[TEXT_MAX], file[TEXT_MAX], dir[TEXT_MAX], *colon;
	struct smtp_target target = { .host = host, .port = "25", .timeout_ms = (int)set_ms(t->view, SET_submission_timeout),
				      .hello = hello, .verify = set_bool(t->view, SET_ssl_client_require_valid_cert) };
	unsigned ssl = set_enum(t->view, SET_submission_ssl);
	struct err e = ERR_INIT;

	text_of(set_str(t->view, SET_submission_host), host);
	text_of(set_str(t->view, SET_hostname), hello);
	if (hello[0] == '\0')
		snprintf(hello, sizeof(hello), "%s", host_name());
	target.tls = ssl == SSL_NO ? SMTP_TLS_NO : ssl == SSL_STARTTLS ? SMTP_TLS_STARTTLS : SMTP_TLS_FIRST;
	if (target.tls == SMTP_TLS_FIRST)
		target.port = "465";
	/* host, host:port, [address]:port */
	colon = strrchr(host, ':');
	if (host[0] == '[' && strchr(host, ']') != NULL) {
		char *end = strchr(host, ']');

		if (end[1] == ':')
			target.port = end + 2;
		*end = '\0';
		target.host = host + 1;
	} else if (host[0] != '/' && colon != NULL && strchr(host, ':') == colon) {
		*colon = '\0';
		target.port = colon + 1;
	}
	if (target.tls != SMTP_TLS_NO) {
		target.tls_ctx = smtp_tls_new(text_of(set_str(t->view, SET_ssl_client_ca_file), file),
		    text_of(set_str(t->view, SET_ssl_client_ca_dir), dir), target.verify, &e);
		if (target.tls_ctx == NULL)
			report(t, 4, e.log);
	}
	send_smtp(t, &target, m);
}

/* A program gets lines that end in LF. */
static int
message_file(struct attempt *t, const struct smtp_mail *m)
{
	int fd = memfd_create("message", MFD_CLOEXEC);
	struct buf out = BUF_INIT(65536 + 16);
	struct err e = ERR_INIT;
	int rc = fd == -1 ? -1 : 0;

	for (size_t i = 0; i < m->part_count && rc == 0; i++) {
		struct span s = m->parts[i];

		for (size_t at = 0; at < s.n && rc == 0; at++) {
			if (s.p[at] == '\r' && at + 1 < s.n && s.p[at + 1] == '\n')
				continue;
			buf_addc(&out, s.p[at]);
			if (out.n >= 65536) {
				rc = fd_write_all(fd, buf_span(&out), &e);
				buf_reset(&out);
			}
		}
	}
	if (rc == 0)
		rc = fd_write_all(fd, buf_span(&out), &e);
	buf_clear(&out);
	if (rc == -1 || lseek(fd, 0, SEEK_SET) == -1)
		report(t, 4, fd == -1 ? "no memory for the message" : e.log);
	return fd;
}

/* Becomes sendmail_path [ARGUMENT ...] -i -f SENDER -- RECIPIENT, without a shell. */
static void __attribute__((noreturn))
become_program(struct attempt *t, const struct smtp_mail *m)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	static char dash_i[] = "-i", dash_f[] = "-f", end[] = "--";
	char command[TEXT_MAX], why[ATTEMPT_WORD_MAX], sender[TEXT_MAX], recipient[TEXT_MAX], *argv[ARGUMENTS_MAX + 8], *env[] = { path, NULL };
	char *save = NULL;
	size_t n = 0;
	int in = message_file(t, m), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	text_of(set_str(t->view, SET_sendmail_path), command);
	for (char *word = strtok_r(command, " ", &save); word != NULL && n < ARGUMENTS_MAX; word = strtok_r(NULL, " ", &save))
		argv[n++] = word;
	if (n == 0 || null == -1)
		report(t, 4, n == 0 ? "neither submission_host nor sendmail_path is set" : "/dev/null can not be opened");
	argv[n++] = dash_i;
	argv[n++] = dash_f;
	snprintf(sender, sizeof(sender), "%.*s", SPAN_ARG(m->sender.n > 0 ? m->sender : SPAN("<>")));
	argv[n++] = sender;
	argv[n++] = end;
	argv[n++] = (char *)(uintptr_t)text_of(m->recipient, recipient);
	argv[n] = NULL;
	if (dup2(in, STDIN_FILENO) == -1 || dup2(null, STDOUT_FILENO) == -1 || chdir("/") == -1)
		report(t, 4, strerror(errno));
	setsid();
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	/* The last that fails here: its words would go there, and nothing of ours does. */
	if (dup2(t->said_fd, STDERR_FILENO) == -1)
		report(t, 4, strerror(errno));
	execve(argv[0], argv, env);
	snprintf(why, sizeof(why), "%.300s: %s", argv[0], strerror(errno));
	report(t, 4, why);
}

bool
attempt_has_way(const struct set_view *view)
{
	char command[TEXT_MAX];

	if (set_str(view, SET_submission_host).n > 0)
		return true;
	text_of(set_str(view, SET_sendmail_path), command);
	command[strcspn(command, " ")] = '\0';
	return access(command, X_OK) == 0;
}

unsigned
attempt_status(int status)
{
	switch (status) {
	case EX_OK:
		return 2;
	case EX_DATAERR:
	case EX_NOUSER:
	case EX_NOHOST:
		return 5;
	default:
		return 4;
	}
}

static void __attribute__((noreturn))
send_out(struct attempt *t, const struct smtp_mail *m)
{
	if (set_str(t->view, SET_submission_host).n > 0)
		submit(t, m);
	become_program(t, m);
}

static struct span
postmaster(const struct attempt *t, struct buf *out, struct span hostname)
{
	struct var vars[VARS_USER_COUNT + 2];
	struct err e = ERR_INIT;

	vars_for_user(vars, span_str(t->item->user), SPAN_NONE);
	vars[VARS_USER_COUNT] = (struct var){ 0, "hostname", hostname };
	vars[VARS_USER_COUNT + 1] = (struct var){ 0, NULL, SPAN_NONE };
	if (vars_expand(out, set_str(t->view, SET_postmaster_address), vars, &e) == -1 || out->n == 0)
		return SPAN("postmaster");
	return buf_span(out);
}

static void
put_notice(struct attempt *t, struct buf *head, struct buf *tail)
{
	struct buf from = BUF_INIT(1024), date = BUF_INIT(64), arrival = BUF_INIT(64);
	struct notice n = { .hostname = set_str(t->view, SET_hostname), .header_only = !notice_returns_all(t->item),
			    .why = span_str(t->item->why[0] != '\0' ? t->item->why : "it could not be sent; the log says why") };

	if (n.hostname.n == 0)
		n.hostname = span_str(host_name());
	n.from = postmaster(t, &from, n.hostname);
	date_write(&date, (struct mail_date){ .time = clock_wall_us() / 1000000 });
	date_write(&arrival, (struct mail_date){ .time = t->item->created });
	n.date = buf_span(&date);
	n.arrival = buf_span(&arrival);
	if (n.header_only)
		t->message = span_sub(t->message, 0, header_size(t->message));
	for (size_t i = 0; i < t->message.n && !n.eight_bit; i++)
		n.eight_bit = (unsigned char)t->message.p[i] > 127;
	notice_write(head, tail, t->item, &n);
	buf_clear(&from);
	buf_clear(&date);
	buf_clear(&arrival);
}

/*
 * What can not be passed on comes to the user: by our own LMTP, or where that is not served, as mail goes out.  So does what tells
 * a sender.
 */
static void __attribute__((noreturn))
give_back(struct attempt *t)
{
	struct buf head = BUF_INIT(NOTICE_MAX), tail = BUF_INIT(NOTICE_MAX);
	struct span parts[3];
	struct smtp_mail m = { .sender = SPAN(""), .recipient = notice_recipient(t->item), .parts = parts, .part_count = 3,
			       .on_body = on_body };
	char path[TEXT_MAX];
	struct smtp_target target = { .host = path, .lmtp = true, .hello = host_name(),
				      .timeout_ms = (int)set_ms(t->view, SET_lmtp_delivery_timeout) };

	put_notice(t, &head, &tail);
	if (head.failed || tail.failed)
		report(t, 4, "out of memory");
	parts[0] = buf_span(&head);
	parts[1] = t->message;
	parts[2] = buf_span(&tail);
	snprintf(path, sizeof(path), "%.*s/lmtp", SPAN_ARG(set_str(t->view, SET_base_dir)));
	if (t->item->keep_for[0] != '\0' && access(path, F_OK) == 0)
		send_smtp(t, &target, &m);
	send_out(t, &m);
}

/* The time that is left; a message that is to come back rather than late comes back when there is none. */
static void
set_deadline(struct attempt *t, struct smtp_mail *m)
{
	int64_t seconds;
	bool trace;
	char mode;

	if (!outgoing_by_parse(t->item->dsn.by, &seconds, &mode, &trace))
		return;
	seconds -= clock_wall_us() / 1000000 - t->item->created;
	if (seconds < -OUTGOING_BY_MAX)
		seconds = -OUTGOING_BY_MAX;
	if (mode == 'R' && seconds <= 0)
		report(t, 5, "the time is over until when it was to be delivered");
	if (mode == 'R' && set_str(t->view, SET_submission_host).n == 0)
		report(t, 5, "sendmail_path can not be told until when it is to be delivered");
	snprintf(t->by, sizeof(t->by), "%lld;%c%s", (long long)seconds, mode, trace ? "T" : "");
	m->by = span_str(t->by);
}

void
attempt_run(const struct set_view *view, const struct queue_item *item, int message_fd, int report_fd, int said_fd)
{
	struct attempt t = { .view = view, .item = item, .report_fd = report_fd, .said_fd = said_fd };
	struct smtp_mail m = { .sender = span_str(item->sender), .recipient = span_str(item->recipient), .part_count = 1,
			       .on_body = on_body };

	log_prefix("queue(%s)", item->id);
	map_message(&t, message_fd);
	if (item->failed)
		give_back(&t);
	m.parts = &t.message;
	m.notify = item->dsn.notify;
	m.ret = item->dsn.ret;
	m.orcpt = item->dsn.orcpt;
	m.envid = item->dsn.envid;
	set_deadline(&t, &m);
	send_out(&t, &m);
}
