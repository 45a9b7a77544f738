/* SPDX-License-Identifier: MIT */
#include "imap/session.h"
#include "imap/event.h"
#include "imap/notify.h"
#include "lib-storage/quota.h"

#include <limits.h>
#include <stdlib.h>

#include "lib/ipc-types.h"
#include "lib/sys.h"

#define ARENA_MIN (1024 * 1024)
/* Two watches for each, for its mail and its annotations; lists of names and the selected mailbox need some as well. */
#define NOTIFY_MAILBOXES_MAX (SESSION_WATCHES_MAX / 2 - 768)
#define REPLY_MAX (16 * 1024 * 1024)	/* COPYUID of very many scattered messages */

static int
as_ms(uint64_t ms)
{
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static void
read_limits(struct imap_limits *l, const struct set_view *v)
{
	uint64_t message = set_num(v, SET_mail_max_message_size);

	l->line = set_num(v, SET_imap_max_line_length);
	l->command = set_num(v, SET_imap_max_command_size);
	if (l->command < l->line)
		l->command = l->line;
	l->literal = set_num(v, SET_imap_max_literal_size);
	if (message > 0 && message < l->literal)
		l->literal = message;
	l->append_messages = set_num(v, SET_imap_max_append_messages);
	l->nesting = set_num(v, SET_imap_max_nesting);
	l->search_keys = set_num(v, SET_imap_max_search_keys);
	l->search_depth = set_num(v, SET_imap_max_search_depth);
	if (l->search_depth > 1000)	/* each level is a call deep */
		l->search_depth = 1000;
	l->set_ranges = set_num(v, SET_imap_max_set_ranges);
	l->fetch_items = set_num(v, SET_imap_max_fetch_items);
	l->list_patterns = set_num(v, SET_imap_max_list_patterns);
	l->notify_mailboxes = set_num(v, SET_imap_max_notify_mailboxes);
	if (l->notify_mailboxes > NOTIFY_MAILBOXES_MAX)
		l->notify_mailboxes = NOTIFY_MAILBOXES_MAX;
	l->bad_commands = set_num(v, SET_imap_max_bad_commands);
	l->mailbox_name = set_num(v, SET_mail_max_mailbox_name_length);
	l->idle_ms = as_ms(set_ms(v, SET_imap_idle_timeout));
	l->write_ms = as_ms(set_ms(v, SET_imap_write_timeout));
	l->notify_ms = as_ms(set_ms(v, SET_imap_idle_notify_interval));
	l->poll_ms = as_ms(set_ms(v, SET_mailbox_idle_check_interval));
	l->hibernate_ms = as_ms(set_ms(v, SET_imap_hibernate_timeout));
	l->fetch_failure = set_enum(v, SET_imap_fetch_failure);
	l->literal_minus = set_bool(v, SET_imap_literal_minus);
	l->strip_separator = set_list_has(v, SET_imap_client_workarounds, SPAN("tb-extra-mailbox-sep"));
	l->delay_newmail = set_list_has(v, SET_imap_client_workarounds, SPAN("delay-newmail"));
	l->metadata = set_bool(v, SET_imap_metadata);
	l->lsub_flags = set_list_has(v, SET_imap_client_workarounds, SPAN("tb-lsub-flags"));
}

int
imap_session_new(const struct session_start *ss, struct storage *st, struct stream *io, struct imap_session **out,
    struct err *e)
{
	struct imap_session *s = calloc(1, sizeof(*s));
	size_t memory = set_num(ss->view, SET_mail_max_session_memory);

	if (s == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	s->start = ss;
	s->lim.acl = storage_has_acl(st) && set_list_has(ss->view, SET_mail_plugins, SPAN("imap_acl"));
	s->st = st;
	read_limits(&s->lim, ss->view);
	s->quota = storage_has_quota(st) && set_list_has(ss->view, SET_mail_plugins, SPAN("imap_quota"));
	s->arena = arena_new(memory < ARENA_MIN ? ARENA_MIN : memory);
	if (s->arena == NULL) {
		free(s);
		return err_set(e, ERR_TEMP, "out of memory");
	}
	s->events = imap_events_new(ss, e);
	if (s->events == NULL && e->code != ERR_NONE) {
		arena_free(s->arena);
		free(s);
		return -1;
	}
	buf_init(&s->cmd, s->lim.command);
	buf_init(&s->reply, REPLY_MAX);
	buf_init(&s->scratch, REPLY_MAX);
	buf_init(&s->told_flags, REPLY_MAX);
	s->io = *io;
	memset(io, 0, sizeof(*io));
	/* One longest line, and what may come behind it in the same read. */
	s->io.in.max = s->lim.line + 16384;
	s->io.read_timeout_ms = s->lim.idle_ms == 0 ? -1 : s->lim.idle_ms;
	s->io.write_timeout_ms = s->lim.write_ms == 0 ? -1 : s->lim.write_ms;
	s->last_input_ms = clock_ms();
	*out = s;
	return 0;
}

void
imap_session_free(struct imap_session *s)
{
	if (s == NULL)
		return;
	mailbox_close(s->box);
	imap_events_free(s->events);
	imap_notify_free(s);
	stream_clear(&s->io);
	buf_clear(&s->cmd);
	buf_clear(&s->reply);
	buf_clear(&s->scratch);
	buf_clear(&s->told_flags);
	arena_free(s->arena);
	free(s);
}
