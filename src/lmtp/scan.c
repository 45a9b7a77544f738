/* SPDX-License-Identifier: MIT */
#include "lmtp/scan.h"

#include <sys/mman.h>
#include <unistd.h>
#include "lib/log.h"
#include "lib/sys.h"

#define ARENA_MAX ((size_t)64 << 10)

static void
put(void *ctx, struct span s)
{
	struct message *m = ctx;

	while (s.n > 0) {
		struct span part = span_sub(s, 0, 65536);
		char *room = message_room(m, part.n);

		if (room == NULL)
			return;
		memcpy(room, part.p, part.n);
		message_commit(m, part.n);
		s = span_from(s, part.n);
	}
}

int
lmtp_scan_rewrite(struct span text, struct span fields, bool strip, int *fd_out, struct err *e)
{
	struct message m;
	int fd;

	message_init(&m, UINT64_MAX);
	put(&m, fields);
	if (strip)
		spam_scan_strip(text, put, &m);
	else
		put(&m, text);
	fd = message_seal(&m, e);
	*fd_out = fd == -1 ? -1 : dup(fd);
	message_free(&m);
	return fd == -1 ? -1 : *fd_out == -1 ? err_errno(e, "dup") : 0;
}

/* -1: the scanner could not be asked. */
static int
ask(const struct spam_scan *s, const struct lmtp_session *l, struct span text, struct buf *fields, enum spam_fate *fate_out,
    struct arena *a)
{
	const struct lmtp_transaction *t = &l->t;
	struct span to[SPAM_RECIPIENTS_MAX];
	struct spam_question q = { .task = SPAM_CHECK, .sender = t->sender.text, .recipients = to,
		.ip = span_str(l->client_ip), .helo = span_str(l->client_helo) };
	struct spam_verdict v;
	struct buf words = BUF_INIT(512);
	struct err e = ERR_INIT;

	/* Who delivers is the site's mail server: its address would have rspamd believe that the mail was made here. */
	for (; q.recipient_count < t->rcpt_count && q.recipient_count < SPAM_RECIPIENTS_MAX; q.recipient_count++)
		to[q.recipient_count] = t->rcpts[q.recipient_count].path.text;
	/* Whose settings, when it is for several?  The site's. */
	if (t->rcpt_count == 1)
		q.user = t->rcpts[0].user;
	if (spam_scan_ask(s, &q, text, a, &v, &e) == -1) {
		log_error("%s: not scanned for spam: %s", t->session, e.log);
		return -1;
	}
	*fate_out = spam_scan_fate(s, &v);
	spam_scan_describe(&words, &v, *fate_out);
	log_info("%s: %.*s", t->session, SPAN_ARG(buf_span(&words)));
	buf_clear(&words);
	if (s->mark)
		spam_headers_write(fields, &v);
	return 0;
}

enum spam_fate
lmtp_scan(const struct spam_scan *s, const struct lmtp_session *l, int fd, int *fd_out)
{
	struct span text = SPAN("");
	struct buf fields = BUF_INIT(65536);
	enum spam_fate fate = SPAM_FATE_NONE;
	struct arena *a = arena_new(ARENA_MAX);
	struct err e = ERR_INIT;
	bool strip;

	*fd_out = fd;
	if (a == NULL || memfd_map(fd, &text, &e) == -1) {
		log_error("%s: not scanned for spam: %s", l->t.session, a == NULL ? "out of memory" : e.log);
		arena_free(a);
		return s->defer_on_failure ? SPAM_FATE_DEFER : SPAM_FATE_NONE;
	}
	/* A server that stops is no failure of the scanner: the mail comes again, and may be spam. */
	if (s->on && text.n <= s->max_size && ask(s, l, text, &fields, &fate, a) == -1 &&
	    (s->defer_on_failure || (s->told_to_end != NULL && s->told_to_end(s->told_ctx))))
		fate = SPAM_FATE_DEFER;
	strip = s->strip && spam_scan_is_forged(text);
	if ((fate == SPAM_FATE_NONE || fate == SPAM_FATE_JUNK) && (fields.n > 0 || strip) &&
	    lmtp_scan_rewrite(text, buf_span(&fields), strip, fd_out, &e) == -1) {
		log_error("%s: the spam score can not be added: %s", l->t.session, e.log);
		*fd_out = fd;
	}
	if (text.n > 0)
		munmap((void *)(uintptr_t)text.p, text.n);
	buf_clear(&fields);
	arena_free(a);
	return fate;
}
