/* SPDX-License-Identifier: MIT */
#include "imap/serve.h"

#include <limits.h>
#include <stdio.h>

#include "imap/hibernate.h"
#include "imap/session.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "lib-config/vars.h"
#include "lib-protocol/worker-parent.h"

#define REFUSAL_MAX 4096	/* of input, of which none is read */
#define REFUSAL_MS 2000

/* imap_logout_format (settings.def). */
static void
log_end(const struct imap_session *s)
{
	const struct imap_stats *st = &s->stats;
	const struct {
		char letter;
		const char *name;
		uint64_t value;
	} numbers[] = {
		{ 'i', "input", st->in + s->io.in_octets },
		{ 'o', "output", st->out + s->io.out_octets },
		{ 0, "fetch_hdr_count", st->header_count },
		{ 0, "fetch_hdr_bytes", st->header_octets },
		{ 0, "fetch_body_count", st->body_count },
		{ 0, "fetch_body_bytes", st->body_octets },
		{ 0, "deleted", st->deleted },
		{ 0, "expunged", st->expunged },
		{ 0, "autoexpunged", st->autoexpunged },
		{ 0, "trashed", 0 },
		{ 0, "appended", st->appended },
	};
	enum { NUMBERS = sizeof(numbers) / sizeof(numbers[0]) };
	struct var vars[VARS_USER_COUNT + NUMBERS + 2];
	char text[NUMBERS][24];
	struct buf line = BUF_INIT(8192);
	struct err e = ERR_INIT;
	size_t n = VARS_USER_COUNT;

	vars_for_user(vars, s->start->id.user, s->start->id.home);
	for (size_t i = 0; i < NUMBERS; i++) {
		snprintf(text[i], sizeof(text[i]), "%llu", (unsigned long long)numbers[i].value);
		vars[n++] = (struct var){ numbers[i].letter, numbers[i].name, span_str(text[i]) };
	}
	vars[n++] = (struct var){ 0, "session", s->start->session };
	vars[n] = (struct var){ 0, NULL, SPAN_NONE };
	if (vars_expand(&line, set_str(s->start->view, SET_imap_logout_format), vars, &e) == -1)
		log_error("imap_logout_format: %s", e.log);
	log_info("%s %.*s", s->end_reason == NULL ? "Connection closed" : s->end_reason, SPAN_ARG(buf_span(&line)));
	buf_clear(&line);
}

static void
greet(struct imap_session *s)
{
	struct span caps = imap_capability(s);

	if (s->start->tag.n > 0)
		stream_put(&s->io, s->start->tag);
	stream_puts(&s->io, s->start->tag.n > 0 ? " OK [CAPABILITY " : "* PREAUTH [CAPABILITY ");
	stream_put(&s->io, caps);
	stream_puts(&s->io, s->start->tag.n > 0 ? "] Logged in\r\n" : "] Logged in as ");
	if (s->start->tag.n > 0)
		return;
	stream_put(&s->io, s->start->id.user);
	stream_put(&s->io, SPAN("\r\n"));
}

/* Out of hibernation: what happened meanwhile is told, then the IDLE goes on. */
static void
wake(struct imap_session *s)
{
	struct err e = ERR_INIT;

	if (imap_state_load(s, s->start->state, &e) == -1) {
		log_warning("waking up: %s", e.log);
		imap_bye(s, "Session can not be taken up again; please reconnect.", "Disconnected: could not wake up");
		return;
	}
	imap_idle_go_on(s);
	if (s->end == IMAP_GO_ON)
		imap_send_reply(s);
}

static void
put_refusal(struct stream *io, struct span tag)
{
	struct err ignored = ERR_INIT;

	if (tag.n > 0) {
		stream_put(io, tag);
		stream_puts(io, " NO [UNAVAILABLE] Mail can not be opened now; the log has the details.\r\n");
	}
	stream_puts(io, "* BYE Mail can not be opened now.\r\n");
	stream_flush(io, &ignored);
	stream_clear(io);
}

void
imap_refuse_client(int fd, struct span tag)
{
	struct stream io;

	stream_init_fd(&io, fd, REFUSAL_MAX, REFUSAL_MS);
	put_refusal(&io, tag);
}

/* The login succeeded, but there is nothing to serve. */
static int
refuse(const struct session_start *ss, struct stream *io, const struct err *e)
{
	/* Mail that another server has is no failure of this one. */
	if (e->code == ERR_INUSE)
		log_info("%s", e->log);
	else
		log_error("%s", e->log);
	put_refusal(io, ss->tag);
	return e->code == ERR_INUSE ? 0 : 1;
}

int
imap_serve(const struct session_start *ss)
{
	struct storage_params params = {
		.view = ss->view, .user = ss->id.user, .home = ss->id.home, .protocol = SPAN("imap"), .rip = ss->rip,
		.lip = ss->lip, .session = ss->session, .notify_fd = ss->hub_fd, .homes = ss->homes, .home_count = ss->home_count,
	};
	struct imap_session *s = NULL;
	struct storage *st = NULL;
	struct stream io;
	struct err e = ERR_INIT;

	stream_init_fd(&io, ss->client_fd, ss->preread.n + 65536, 60000);
	if (ss->preread.n > 0)
		stream_unread(&io, ss->preread);
	storage_stay();
	if (session_storage_open(ss, &params, &st, &e) == -1)
		return refuse(ss, &io, &e);
	if (imap_session_new(ss, st, &io, &s, &e) == -1) {
		storage_close(st);
		return refuse(ss, &io, &e);
	}
	s->told_to_end = worker_is_told_to_end;
	if (ss->state.n > 0)
		wake(s);
	else
		greet(s);
	imap_session_run(s);
	if (s->end != IMAP_END_HIBERNATED && storage_autoexpunge(st, &s->stats.autoexpunged, &e) == -1)
		log_error("%s", e.log);
	log_end(s);
	imap_session_free(s);
	session_storage_close(ss, st);
	return 0;
}
