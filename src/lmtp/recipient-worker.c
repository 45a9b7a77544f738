/* SPDX-License-Identifier: MIT */
#include "lmtp/recipient-worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>
#include "lib/encode.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-config/vars.h"
#include "lib-deliver/deliver.h"
#include "lib-deliver/marks.h"
#include "lib-deliver/program.h"
#include "lib-deliver/queue-client.h"
#include "lib-deliver/recipient/command.h"
#include "lib-deliver/recipient/expand.h"
#include "lib-deliver/recipient/file.h"
#include "lib-mail/crlf.h"
#include "lib-mail/date.h"
#include "lib-mail/header.h"

#define WORKER_IDLE_MS 60000
#define ADDRESS_MAX 1024
#define HEADER_MAX 16384
#define TARGET_MAX 8192
#define QUOTED_HEADER ((size_t)64 << 10)
#define TEXT_MAX ((size_t)1 << 30)
#define PROGRAM_MEMORY ((uint64_t)1 << 30)
#define PROGRAM_PROCESSES 200
#define PROGRAM_OUTPUT ((size_t)64 << 10)

struct work {
	struct service *service;
	const struct deliver_worker_params *p;
	struct set_view *view;
	struct program_helper helper;
	struct ipc_msg msg;
	struct arena *a;		/* of the message at hand */
	int dir_fd;			/* -1: nothing is remembered */
};

/* One message for one target. */
struct task {
	struct span session, sender, recipient, target, header, message, origin;
	enum recipient_end end;
	bool notice;			/* sender is an owner who is told of target */
};

/* The answer: LMTP's code, and the enhanced one with a text. */
struct outcome {
	unsigned code;
	char text[DELIVER_REPLY_MAX];
};

static int log_fd = -1;

static void
on_log_line(enum log_level level, const char *line)
{
	struct err e = ERR_INIT;
	struct ipc_out o;

	ipc_begin(&o, MSG_LOG_LINE);
	ipc_put_u32(&o, F_LEVEL, (uint32_t)level);
	ipc_put_str(&o, F_TEXT, line);
	if (ipc_send(log_fd, &o, &e) == -1)
		ipc_out_clear(&o);
}

int
recipient_worker_identity(const struct set_view *view, struct identity *out, struct err *e)
{
	static char user[256], dir[4096];
	struct span name = set_str(view, SET_recipient_user), state = set_str(view, SET_state_dir);

	*out = (struct identity){ .user = SPAN(""), .home = SPAN(""), .fields = SPAN(""), .chroot_dir = SPAN("") };
	if (set_str(view, SET_recipient_aliases).n == 0 && set_str(view, SET_recipient_virtual).n == 0)
		return 0;
	if (name.n == 0)
		name = set_str(view, SET_default_internal_user);
	snprintf(user, sizeof(user), "%.*s", SPAN_ARG(name));
	snprintf(dir, sizeof(dir), "%.*s/recipient", SPAN_ARG(state));
	out->uid = geteuid();
	out->gid = getegid();
	if (geteuid() == 0 && priv_lookup_user(user, &out->uid, &out->gid, e) == -1)
		return err_wrap(e, "recipient_user");
	if (geteuid() == 0 && out->uid == 0)
		return err_set(e, ERR_DENIED, "recipient_user: programs and files are not root's");
	if (geteuid() == 0 && span_eq(set_str(view, SET_recipient_user), set_str(view, SET_default_internal_user)))
		return err_set(e, ERR_DENIED, "recipient_user: the user of default_internal_user owns the server's own files");
	out->user = span_str(user);
	out->home = span_str(dir);
	/* Its parent is made readable for all, as the queue makes it. */
	if (dir_make(dir, 0755, e) == -1 || lchown(dir, out->uid, out->gid) == -1 || chmod(dir, 0700) == -1) {
		log_warning("%s: %s", dir, e->code != ERR_NONE ? e->log : strerror(errno));
		e->code = ERR_NONE;
	}
	return 0;
}

/* What is done already of a message that comes again, since another of its targets had to wait. */

static struct span
mark_of(struct work *w, const struct task *t)
{
	char *target = t->origin.n == 0 || w->dir_fd == -1 ? NULL : arena_printf(w->a, "%d:%.*s", (int)t->end, SPAN_ARG(t->target));

	return target == NULL ? SPAN("") : deliver_once_mark(t->origin, span_str(target), t->message, w->a);
}

static bool
is_marked(struct work *w, struct span mark)
{
	struct marks *m;
	struct err e = ERR_INIT;
	bool found;

	if (mark.n == 0)
		return false;
	if (marks_open(w->dir_fd, &m, &e) == -1) {
		log_warning("what was delivered before is not known: %s", e.log);
		return false;
	}
	found = marks_has(m, mark, clock_wall_us() / 1000000, DELIVER_ONCE_S);
	marks_close(m);
	return found;
}

static void
remember(struct work *w, struct span mark)
{
	struct marks *m;
	struct err e = ERR_INIT;

	if (mark.n == 0)
		return;
	if (marks_open(w->dir_fd, &m, &e) == 0) {
		(void)marks_add(m, mark, clock_wall_us() / 1000000, DELIVER_ONCE_S, &e);
		marks_close(m);
	}
	if (e.code != ERR_NONE)
		log_warning("what was delivered is not remembered: %s", e.log);
}

/* The three things that can be done. */

static void
answer_text(struct outcome *out, unsigned code, const char *status, const struct task *t, const char *words)
{
	out->code = code;
	snprintf(out->text, sizeof(out->text), "%s <%.*s> %s", status, SPAN_ARG(span_sub(t->recipient, 0, 150)), words);
	for (char *c = out->text; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

static int
pass_on(struct work *w, const struct task *t, struct outcome *out, struct err *e)
{
	/* What can not be passed on after all has no user to come back to: its sender is told. */
	struct outgoing o = { .kind = OUTGOING_REDIRECT, .user = t->recipient, .sender = t->sender, .recipient = t->target,
			      .keep_for = SPAN("") };
	struct buf head = BUF_INIT((size_t)1 << 20);
	int rc;

	if (outgoing_is_loop(t->message, t->recipient)) {
		answer_text(out, 554, "5.4.6", t, "The message has been here before: it is in a loop");
		return 0;
	}
	outgoing_redirect_header(&head, t->header, t->recipient);
	o.parts[0] = buf_span(&head);
	o.parts[1] = t->message;
	o.part_count = 2;
	rc = head.failed ? err_set(e, ERR_LIMIT, "the header is too large") : queue_submit(w->view, &o, e);
	buf_clear(&head);
	return rc;
}

/* What the exit code of a program says (sysexits.h): its own word counts, and what went wrong before it could speak waits. */
static void
judge(const struct task *t, int status, struct outcome *out)
{
	switch (status) {
	case EX_OK:
		break;
	case EX_TEMPFAIL:
	case EX_OSERR:
	case EX_IOERR:
		answer_text(out, 451, "4.3.0", t, "The program wants the message later");
		break;
	case EX_NOUSER:
		answer_text(out, 550, "5.1.1", t, "User unknown");
		break;
	case EX_NOPERM:
		answer_text(out, 550, "5.7.1", t, "The program refuses the message");
		break;
	case 126:
	case 127:
		answer_text(out, 451, "4.3.5", t, "The program can not be run");
		break;
	default:
		answer_text(out, status < 0 ? 451 : 554, status < 0 ? "4.3.0" : "5.3.0", t, "The program failed");
		break;
	}
}

static int
run(struct work *w, const struct task *t, struct outcome *out, struct err *e)
{
	struct span argv[RECIPIENT_ARGUMENTS], env[6];
	struct program_request r = { .argv = argv, .env = env, .dir = w->p->id->home, .umask = 077, .ignore_write_errors = true };
	struct buf text = BUF_INIT(TEXT_MAX), output = BUF_INIT(0), said = BUF_INIT(PROGRAM_OUTPUT);
	int status = 0, rc;

	if (recipient_command_parse(t->target, w->a, argv, &r.argc, e) == -1)
		return -1;
	env[0] = SPAN("PATH=/usr/local/bin:/usr/bin:/bin");
	env[1] = SPAN("SHELL=/bin/sh");
	env[2] = span_str(arena_printf(w->a, "HOME=%.*s", SPAN_ARG(w->p->id->home)));
	env[3] = span_str(arena_printf(w->a, "USER=%.*s", SPAN_ARG(w->p->id->user)));
	env[4] = span_str(arena_printf(w->a, "SENDER=%.*s", SPAN_ARG(t->sender)));
	env[5] = span_str(arena_printf(w->a, "RECIPIENT=%.*s", SPAN_ARG(t->recipient)));
	r.env_count = 6;
	recipient_text_write(&text, t->sender, clock_wall_us() / 1000000, t->header, t->message, false);
	r.input = buf_span(&text);
	rc = text.failed || env[5].p == NULL ? err_set(e, ERR_TEMP, "out of memory")
	    : program_helper_run(&w->helper, &r, &output, &said, &status, e);
	if (rc == 0 && status != 0)
		log_warning("%.*s ended with %d: %.*s", SPAN_ARG(argv[0]), status, SPAN_ARG(span_trim(span_sub(buf_span(&said), 0, 300))));
	if (rc == 0)
		judge(t, status, out);
	buf_clear(&text);
	buf_clear(&output);
	buf_clear(&said);
	return rc;
}

static int
append(struct work *w, const struct task *t, struct err *e)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	const char *path = arena_cstr(w->a, t->target);
	int rc;

	if (!recipient_user_may_act(w->view) || !set_bool(w->view, SET_recipient_files))
		return err_set(e, ERR_DENIED, "files are not written");
	recipient_text_write(&text, t->sender, clock_wall_us() / 1000000, t->header, t->message, true);
	rc = text.failed || path == NULL ? err_set(e, ERR_TEMP, "out of memory") : recipient_file_append(path, buf_span(&text), e);
	buf_clear(&text);
	return rc;
}

/* What the owner of a list is told: the failures, and the header of the message. */
static void
write_notice(struct buf *out, struct work *w, const struct task *t, struct span from, struct span date, struct span unique)
{
	struct span hostname = set_str(w->view, SET_hostname), header = span_sub(t->message, 0, header_size(t->message));

	if (hostname.n == 0)
		hostname = span_str(host_name());
	buf_addf(out, "From: Mail delivery <%.*s>\r\nTo: <%.*s>\r\nSubject: Not delivered to all of %.*s\r\nDate: %.*s\r\n"
	    "Message-ID: <list-%.*s@%.*s>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed; boundary=\"=_%.*s\"\r\n\r\n--=_%.*s\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n",
	    SPAN_ARG(from), SPAN_ARG(t->sender), SPAN_ARG(t->recipient), SPAN_ARG(date), SPAN_ARG(unique), SPAN_ARG(hostname),
	    SPAN_ARG(unique), SPAN_ARG(unique));
	buf_addf(out, "A message to <%.*s> could not be delivered to all:\r\n\r\n", SPAN_ARG(t->recipient));
	crlf_add(out, t->target);
	buf_addf(out, "\r\nThe others have it. Its header is attached.\r\n\r\n--=_%.*s\r\nContent-Type: text/rfc822-headers\r\n\r\n",
	    SPAN_ARG(unique));
	crlf_add(out, span_sub(header, 0, QUOTED_HEADER));
	buf_addf(out, "\r\n--=_%.*s--\r\n", SPAN_ARG(unique));
}

static int
tell_owner(struct work *w, const struct task *t, struct outcome *out, struct err *e)
{
	struct outgoing o = { .kind = OUTGOING_SEND, .user = t->recipient, .sender = SPAN(""), .recipient = t->sender };
	struct buf text = BUF_INIT((size_t)1 << 20), date = BUF_INIT(64), unique = BUF_INIT(64), from = BUF_INIT(1024);
	struct span hostname = set_str(w->view, SET_hostname);
	struct var vars[VARS_USER_COUNT + 2];
	unsigned char random[12];
	int rc;

	random_bytes(random, sizeof(random));
	hex_encode(&unique, span_of(random, sizeof(random)));
	date_write(&date, (struct mail_date){ .time = clock_wall_us() / 1000000 });
	vars_for_user(vars, t->recipient, SPAN(""));
	vars[VARS_USER_COUNT] = (struct var){ 0, "hostname", hostname.n > 0 ? hostname : span_str(host_name()) };
	vars[VARS_USER_COUNT + 1] = (struct var){ 0, NULL, SPAN_NONE };
	rc = vars_expand(&from, set_str(w->view, SET_postmaster_address), vars, e);
	if (rc == 0) {
		write_notice(&text, w, t, buf_span(&from), buf_span(&date), buf_span(&unique));
		o.parts[0] = buf_span(&text);
		o.part_count = 1;
		rc = text.failed ? err_set(e, ERR_LIMIT, "the notice is too large") : queue_submit(w->view, &o, e);
	}
	if (rc == 0) {
		log_info("<%.*s>: the owner <%.*s> is told of failures: %.*s", SPAN_ARG(t->recipient), SPAN_ARG(t->sender),
		    SPAN_ARG(t->session));
		answer_text(out, 250, "2.0.0", t, "Told");
	}
	buf_clear(&text);
	buf_clear(&date);
	buf_clear(&unique);
	buf_clear(&from);
	return rc;
}

static void
perform(struct work *w, const struct task *t, struct outcome *out)
{
	static const char *const done[] = { "forwarded to", "piped to", "appended to" };
	struct span mark = mark_of(w, t);
	struct err e = ERR_INIT;
	int rc = -1;

	out->code = 0;
	if (t->notice) {
		if (tell_owner(w, t, out, &e) == -1) {
			log_error("notice to the owner of <%.*s>: %s", SPAN_ARG(t->recipient), e.log);
			answer_text(out, 451, "4.3.0", t, "Temporary internal error");
		}
		return;
	}
	if (is_marked(w, mark)) {
		answer_text(out, 250, "2.0.0", t, "It is there already");
		return;
	}
	switch (t->end) {
	case RECIPIENT_END_REMOTE:
		rc = pass_on(w, t, out, &e);
		break;
	case RECIPIENT_END_PROGRAM:
		rc = run(w, t, out, &e);
		break;
	case RECIPIENT_END_FILE:
		rc = append(w, t, &e);
		break;
	case RECIPIENT_END_USER:
	case RECIPIENT_END_DISCARD:
	case RECIPIENT_END_LOOP:
	case RECIPIENT_END_FAIL:
		err_set(&e, ERR_SYNTAX, "nothing for this process");
		break;
	}
	/* Whatever it was, it is the server's own: the message waits until somebody has put it right. */
	if (rc == -1) {
		log_error("<%.*s> to %.*s: %s", SPAN_ARG(t->recipient), SPAN_ARG(span_sub(t->target, 0, 200)), e.log);
		answer_text(out, 451, "4.3.0", t, "Temporary internal error");
	}
	if (out->code != 0)
		return;
	log_info("<%.*s> %s %.*s: %.*s", SPAN_ARG(t->recipient), done[t->end - RECIPIENT_END_REMOTE],
	    SPAN_ARG(span_sub(t->target, 0, 300)), SPAN_ARG(t->session));
	remember(w, mark);
	answer_text(out, 250, "2.0.0", t, "Taken");
}

/* Frames. */

static void
on_message(struct work *w)
{
	struct ipc_msg *m = &w->msg;
	struct task t = { .session = ipc_bytes(m, F_SESSION, SESSION_ID_MAX) };
	struct outcome out;
	struct err e = ERR_INIT;
	struct ipc_out o;
	uint32_t id = ipc_u32(m, F_ID), end = ipc_u32(m, F_KIND);
	int fd = ipc_fd(m);

	t.sender = ipc_bytes(m, F_SENDER, ADDRESS_MAX);
	t.recipient = ipc_bytes(m, F_RECIPIENT, ADDRESS_MAX);
	ipc_opt_bytes(m, F_DETAIL, ADDRESS_MAX);
	t.target = ipc_bytes(m, F_DATA, TARGET_MAX);
	t.header = ipc_bytes(m, F_TEXT, HEADER_MAX);
	t.origin = ipc_opt_bytes(m, F_ORIGIN, ADDRESS_MAX);
	t.end = end > RECIPIENT_END_FAIL ? RECIPIENT_END_FAIL : (enum recipient_end)end;
	t.notice = end == RECIPIENT_NOTICE;
	arena_reset(w->a);
	if (!ipc_end(m) || memfd_map(fd, &t.message, &e) == -1) {
		log_error("delivery to %.*s: %s", SPAN_ARG(t.recipient), e.code == ERR_NONE ? "malformed delivery" : e.log);
		answer_text(&out, 451, "4.3.0", &t, "Temporary internal error");
	} else
		perform(w, &t, &out);
	if (t.message.n > 0)
		munmap((void *)(uintptr_t)t.message.p, t.message.n);
	if (fd != -1)
		close(fd);
	ipc_begin(&o, MSG_DELIVERED);
	ipc_put_u32(&o, F_ID, id);
	ipc_put_u32(&o, F_CODE, out.code);
	ipc_put_str(&o, F_TEXT, out.text);
	if (ipc_send(w->p->channel_fd, &o, &e) == -1)
		exit(0);
}

static void
shut_in(struct work *w)
{
	const char *rw[] = { NULL, NULL };
	static const char *const ro[] = { "/usr/lib", "/usr/share/zoneinfo", "/etc/localtime", NULL };
	struct span only = set_str(w->view, SET_recipient_program_dir);
	const struct program_limits limits = {
		.timeout = (unsigned)(set_ms(w->view, SET_recipient_program_timeout) / 1000), .memory = PROGRAM_MEMORY,
		.file_size = set_num(w->view, SET_lmtp_max_message_size) * 10, .processes = PROGRAM_PROCESSES,
		.output = PROGRAM_OUTPUT, .only_dir = only,
	};
	struct err e = ERR_INIT;
	enum priv_confined active;

	if (identity_become(w->p->id, w->view, &e) == -1)
		log_fatal("recipient_user %.*s: %s", SPAN_ARG(w->p->id->user), e.log);
	w->helper = (struct program_helper){ -1, -1 };
	/* Never as who owns the server's own files. */
	if (only.n > 0 && recipient_user_may_act(w->view) && program_helper_start(&w->helper, &limits, NULL, NULL, &e) == -1)
		log_error("programs of aliases: %s", e.log);
	rw[0] = arena_cstr(w->a, w->p->id->home);
	w->dir_fd = rw[0] == NULL ? -1 : open(rw[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Files may be anywhere. */
	if (!set_bool(w->view, SET_recipient_files) && priv_landlock(rw, ro, &active, &e) == -1)
		log_fatal("%s", e.log);
	if (priv_filter_apply(w->p->filter, &e) == -1)
		log_fatal("%s", e.log);
}

void
recipient_worker_run(struct service *s, const struct deliver_worker_params *p)
{
	static struct work w;
	const struct set_filter f = { .protocol = "lmtp" };
	struct err e = ERR_INIT;

	w.service = s;
	w.p = p;
	w.a = arena_new(1 << 20);
	w.view = set_view_new(s->settings, &f);
	log_prefix("recipient(%ld)", (long)getpid());
	if (w.a == NULL || w.view == NULL || ipc_msg_init(&w.msg, &e) == -1)
		log_fatal("out of memory");
	log_fd = p->channel_fd;
	log_hook(on_log_line);
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	tzset();
	shut_in(&w);
	while (ipc_recv_wait(p->channel_fd, &w.msg, WORKER_IDLE_MS, &e) == 1)
		if (w.msg.type == MSG_RECIPIENT)
			on_message(&w);
	program_helper_stop(&w.helper);
	exit(0);
}
