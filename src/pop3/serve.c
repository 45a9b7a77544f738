/* SPDX-License-Identifier: MIT */
#include "pop3/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-config/vars.h"
#include "lib-protocol/worker-parent.h"
#include "pop3/session.h"

#define IN_MAX 65536
#define CAN_NOT_OPEN "-ERR [SYS/TEMP] The mailbox can not be opened now; the log has the details.\r\n"
#define LOCK_FILE "culver-pop3.lock"
#define LOCK_WAIT_MS 1000
#define LOCK_STEP_MS 50

/* What a session holds; one place that lets go of all of it. */
struct worker {
	const struct session_start *ss;
	struct stream stream;
	struct storage *storage;
	struct mailbox *box;
	struct pop3_options options;
	struct pop3_session session;
	int lock_fd;
};

static void
read_options(const struct set_view *v, struct pop3_options *o)
{
	/* In the order of settings.def. */
	enum { DELETE_DEFAULT, DELETE_EXPUNGE, DELETE_FLAG } type = set_enum(v, SET_pop3_delete_type);

	*o = (struct pop3_options){
		.no_flag_updates = set_bool(v, SET_pop3_no_flag_updates),
		.enable_last = set_bool(v, SET_pop3_enable_last),
		.reuse_xuidl = set_bool(v, SET_pop3_reuse_xuidl),
		.save_uidl = set_bool(v, SET_pop3_save_uidl),
		.rename_duplicates = set_enum(v, SET_pop3_uidl_duplicates) == 1,
		.fast_sizes = set_bool(v, SET_pop3_fast_size_lookups),
		.no_nuls = set_list_has(v, SET_pop3_client_workarounds, SPAN("outlook-no-nuls")),
		.ns_eoh = set_list_has(v, SET_pop3_client_workarounds, SPAN("oe-ns-eoh")),
		.deleted_flag = set_str(v, SET_pop3_deleted_flag),
		.uidl_format = set_str(v, SET_pop3_uidl_format),
		.max_line = set_num(v, SET_pop3_max_line_length),
		.max_bad = (unsigned)set_num(v, SET_pop3_max_bad_commands),
	};
	o->delete_by_flag = o->deleted_flag.n > 0 && type != DELETE_EXPUNGE;
	if (type == DELETE_FLAG && o->deleted_flag.n == 0)
		log_warning("pop3_delete_type = flag needs pop3_deleted_flag: messages are expunged");
}

static void
params_of(const struct session_start *ss, struct storage_params *out)
{
	*out = (struct storage_params){ .view = ss->view, .user = ss->id.user, .home = ss->id.home,
					.homes = ss->homes, .home_count = ss->home_count,
					.protocol = SPAN("pop3"), .rip = ss->rip, .lip = ss->lip,
					.session = ss->session, .notify_fd = ss->hub_fd };
}

/* pop3_lock_session: the lock ends with its holder, however that ends. */
static int
lock_session(struct worker *w, const struct storage_params *p, struct err *e)
{
	struct arena *a = arena_new(1 << 20);
	const char *const *paths;
	const char *name;
	int rc = -1;

	if (a == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	if (storage_paths(p, a, &paths, e) == -1)
		goto out;
	name = paths[0] == NULL ? NULL : arena_printf(a, "%s/" LOCK_FILE, paths[0]);
	if (name == NULL) {
		err_set(e, ERR_TEMP, "no place for " LOCK_FILE);
		goto out;
	}
	w->lock_fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (w->lock_fd == -1) {
		err_errno(e, "%s", name);
		goto out;
	}
	/* A session whose client has just gone needs a moment to see that. */
	for (int64_t until = clock_ms() + LOCK_WAIT_MS; rc == -1;) {
		rc = fd_flock(w->lock_fd, LOCK_EX | LOCK_NB);
		if (rc == -1 && (errno != EWOULDBLOCK || clock_ms() >= until))
			break;
		if (rc == -1)
			poll(NULL, 0, LOCK_STEP_MS);
	}
	if (rc == 0)
		goto out;
	if (errno == EWOULDBLOCK)
		err_set(e, ERR_INUSE, "%s is held by another session", name);
	else
		err_errno(e, "flock %s", name);
out:
	arena_free(a);
	return rc;
}

static void
unlock_session(struct worker *w)
{
	if (w->lock_fd != -1)
		close(w->lock_fd);
	w->lock_fd = -1;
}

static int
open_all(struct worker *w, struct err *e)
{
	struct storage_params p;

	params_of(w->ss, &p);
	if (session_storage_open(w->ss, &p, &w->storage, e) == -1)
		return -1;
	if (set_bool(w->ss->view, SET_pop3_lock_session) && lock_session(w, &p, e) == -1)
		return -1;
	if (mailbox_open(w->storage, SPAN("INBOX"), MAILBOX_WRITE, &w->box, e) == -1)
		return -1;
	return pop3_session_init(&w->session, &w->stream, w->box, &w->options, e);
}

static const char *
reason_of(const struct err *e)
{
	if (worker_is_told_to_end())
		return "Disconnected by the server";
	switch (e->code) {
	case ERR_EOF:
		return "Disconnected: Connection closed";
	case ERR_TIMEOUT:
		return "Disconnected for inactivity";
	case ERR_LIMIT:
		return "Disconnected: Line too long";
	case ERR_SYNTAX:
		return "Disconnected: Too many bad commands";
	default:
		return "Disconnected: Internal error";
	}
}

/* "Disconnected: Logged out top=0/0, retr=2/734, del=0/1, size=710" */
static void
log_end(struct worker *w, const char *reason)
{
	const struct pop3_counts *c = &w->session.counts;
	struct { const char *name; char letter; uint64_t value; } numbers[] = {
		{ "input", 'i', w->stream.in_octets }, { "output", 'o', w->stream.out_octets },
		{ "top_count", 't', c->top }, { "top_bytes", 'p', c->top_octets },
		{ "retr_count", 'r', c->retr }, { "retr_bytes", 'b', c->retr_octets },
		{ "deleted_count", 'd', c->deleted }, { "message_count", 'm', w->session.count },
		{ "message_bytes", 's', w->session.sizes_known ? w->session.size : 0 },
		{ "deleted_bytes", 0, c->deleted_octets },
	};
	enum { COUNT = sizeof(numbers) / sizeof(numbers[0]) };
	struct var vars[COUNT + 1];
	struct buf out = BUF_INIT(4096);
	struct err e = ERR_INIT;
	char text[COUNT][24];

	for (size_t i = 0; i < COUNT; i++) {
		snprintf(text[i], sizeof(text[i]), "%llu", (unsigned long long)numbers[i].value);
		vars[i] = (struct var){ numbers[i].letter, numbers[i].name, span_str(text[i]) };
	}
	vars[COUNT] = (struct var){ 0, NULL, SPAN_NONE };
	if (vars_expand(&out, set_str(w->ss->view, SET_pop3_logout_format), vars, &e) == -1)
		log_error("pop3_logout_format: %s", e.log);
	log_info("%s %.*s", reason, SPAN_ARG(buf_span(&out)));
	buf_clear(&out);
}

void
pop3_refuse_login(int fd, struct span tag)
{
	(void)tag;
	worker_say(fd, CAN_NOT_OPEN);
}

/* The answer to the login that did not come to be; the words for ERR_INUSE are RFC 2449 section 8.1.2's. */
static void
refuse_session(struct worker *w, const struct err *e)
{
	struct err ignored = ERR_INIT;

	if (e->code == ERR_INUSE)
		log_info("Disconnected: %s", e->log);
	else
		log_error("opening INBOX: %s", e->log);
	stream_puts(&w->stream, e->code == ERR_INUSE ? "-ERR [IN-USE] The mailbox is in use by another session.\r\n"
	    : CAN_NOT_OPEN);
	stream_flush(&w->stream, &ignored);
}

int
pop3_serve(const struct session_start *ss)
{
	struct worker w = { .ss = ss, .lock_fd = -1 };
	struct err e = ERR_INIT, end = ERR_INIT;
	uint64_t gone;
	int status = 0;

	stream_init_fd(&w.stream, ss->client_fd, IN_MAX, (int)set_ms(ss->view, SET_pop3_idle_timeout));
	w.stream.write_timeout_ms = (int)set_ms(ss->view, SET_pop3_write_timeout);
	if (ss->preread.n > 0)
		stream_unread(&w.stream, ss->preread);
	read_options(ss->view, &w.options);
	if (open_all(&w, &e) == -1) {
		refuse_session(&w, &e);
		status = e.code == ERR_INUSE ? 0 : 1;
		goto out;
	}
	stream_puts(&w.stream, "+OK Logged in.\r\n");
	if (pop3_session_run(&w.session, &e) == 0)
		log_end(&w, "Disconnected: Logged out");
	else {
		if (e.code == ERR_TEMP)
			log_error("%s", e.log);
		log_end(&w, reason_of(&e));
	}
	/* Who reads the last answer may log in again at once. */
	unlock_session(&w);
	stream_flush(&w.stream, &end);
	if (storage_autoexpunge(w.storage, &gone, &end) == -1)
		log_error("%s", end.log);
out:
	pop3_session_clear(&w.session);
	mailbox_close(w.box);
	if (status == 0)
		session_storage_close(ss, w.storage);
	else
		storage_close(w.storage);
	unlock_session(&w);
	stream_clear(&w.stream);
	return status;
}
