/* SPDX-License-Identifier: MIT */
/* From a line to a command's function and to its tagged response. */
#include "imap/notify.h"

enum {
	CMD_SELECTED = 1 << 0,		/* needs a selected mailbox */
	CMD_NO_SYNC = 1 << 1,		/* does its own sync, or none */
	CMD_NO_EXPUNGE = 1 << 2,	/* with sequence numbers: no EXPUNGE meanwhile (RFC 3501 section 7.4.1) */
	CMD_UID = 1 << 3,		/* has a UID form */
	CMD_ONLY_UID = 1 << 4,		/* with arguments only as UID: EXPUNGE */
	CMD_APPEND = 1 << 5,		/* its literals are messages */
	CMD_NEWS = 1 << 6,		/* tells news with delay-newmail, too */
	CMD_ACL = 1 << 7,		/* only with access control */
	CMD_QUOTA = 1 << 8,		/* is there only with imap_quota */
	CMD_METADATA = 1 << 9,		/* is there only with imap_metadata */
	CMD_NOTIFY = 1 << 10,		/* is there only with imap_max_notify_mailboxes */
};

static const struct command {
	struct span name;
	imap_cmd *run;
	unsigned flags;
} commands[] = {
	{ SPAN("APPEND"), imap_cmd_append, CMD_APPEND },
	{ SPAN("AUTHENTICATE"), imap_cmd_login, CMD_NO_SYNC },
	{ SPAN("CAPABILITY"), imap_cmd_capability, 0 },
	{ SPAN("CHECK"), imap_cmd_check, CMD_SELECTED | CMD_NEWS },
	{ SPAN("CLOSE"), imap_cmd_close, CMD_SELECTED | CMD_NO_SYNC },
	{ SPAN("COPY"), imap_cmd_copy, CMD_SELECTED | CMD_UID },
	{ SPAN("CREATE"), imap_cmd_create, 0 },
	{ SPAN("DELETE"), imap_cmd_delete, 0 },
	{ SPAN("DELETEACL"), imap_cmd_deleteacl, CMD_ACL },
	{ SPAN("ENABLE"), imap_cmd_enable, 0 },
	{ SPAN("EXAMINE"), imap_cmd_examine, CMD_NO_SYNC },
	{ SPAN("EXPUNGE"), imap_cmd_expunge, CMD_SELECTED | CMD_UID | CMD_NO_SYNC },
	{ SPAN("FETCH"), imap_cmd_fetch, CMD_SELECTED | CMD_UID | CMD_NO_EXPUNGE },
	{ SPAN("GETACL"), imap_cmd_getacl, CMD_ACL },
	{ SPAN("GETMETADATA"), imap_cmd_getmetadata, CMD_METADATA },
	{ SPAN("GETQUOTA"), imap_cmd_getquota, CMD_QUOTA },
	{ SPAN("GETQUOTAROOT"), imap_cmd_getquotaroot, CMD_QUOTA },
	{ SPAN("ID"), imap_cmd_id, 0 },
	{ SPAN("IDLE"), imap_cmd_idle, CMD_NO_SYNC },
	{ SPAN("LIST"), imap_cmd_list, 0 },
	{ SPAN("LISTRIGHTS"), imap_cmd_listrights, CMD_ACL },
	{ SPAN("LOGIN"), imap_cmd_login, CMD_NO_SYNC },
	{ SPAN("LOGOUT"), imap_cmd_logout, CMD_NO_SYNC },
	{ SPAN("LSUB"), imap_cmd_lsub, 0 },
	{ SPAN("MOVE"), imap_cmd_move, CMD_SELECTED | CMD_UID | CMD_NO_SYNC },
	{ SPAN("MYRIGHTS"), imap_cmd_myrights, CMD_ACL },
	{ SPAN("NAMESPACE"), imap_cmd_namespace, 0 },
	{ SPAN("NOOP"), imap_cmd_noop, CMD_NEWS },
	{ SPAN("NOTIFY"), imap_cmd_notify, CMD_NOTIFY },
	{ SPAN("RENAME"), imap_cmd_rename, 0 },
	{ SPAN("SEARCH"), imap_cmd_search, CMD_SELECTED | CMD_UID | CMD_NO_EXPUNGE },
	{ SPAN("SELECT"), imap_cmd_select, CMD_NO_SYNC },
	{ SPAN("SETACL"), imap_cmd_setacl, CMD_ACL },
	{ SPAN("SORT"), imap_cmd_sort, CMD_SELECTED | CMD_UID | CMD_NO_EXPUNGE },
	{ SPAN("SETMETADATA"), imap_cmd_setmetadata, CMD_METADATA },
	{ SPAN("SETQUOTA"), imap_cmd_setquota, CMD_QUOTA },
	{ SPAN("STARTTLS"), imap_cmd_login, CMD_NO_SYNC },
	{ SPAN("STATUS"), imap_cmd_status, 0 },
	{ SPAN("STORE"), imap_cmd_store, CMD_SELECTED | CMD_UID | CMD_NO_EXPUNGE },
	{ SPAN("SUBSCRIBE"), imap_cmd_subscribe, 0 },
	{ SPAN("THREAD"), imap_cmd_thread, CMD_SELECTED | CMD_UID | CMD_NO_EXPUNGE },
	{ SPAN("UNSELECT"), imap_cmd_unselect, CMD_SELECTED | CMD_NO_SYNC },
	{ SPAN("UNSUBSCRIBE"), imap_cmd_unsubscribe, 0 },
};

static const struct command *
find(struct span name, bool uid)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (span_ieq(name, commands[i].name))
			return uid && (commands[i].flags & CMD_UID) == 0 ? NULL : &commands[i];
	return NULL;
}

/* Letters and digits in upper case for answers and log; at most 64 of them. */
static struct span
upper(struct imap_session *s, struct span name)
{
	char *p = arena_alloc(s->arena, 64, 1);

	if (p == NULL)
		return SPAN_NONE;
	name = span_sub(name, 0, 64);
	for (size_t i = 0; i < name.n; i++)
		p[i] = ascii_upper(name.p[i]);
	return span_of(p, name.n);
}

/*
 * tag SP ["UID" SP] name.  Whatever is understood of it is kept in s, for the BAD reply.
 */
static const struct command *
read_head(struct imap_session *s, struct imap_in *in)
{
	const struct command *cmd;
	struct span word;

	if (!imap_tag(in, &s->tag) || s->tag.n > 1024 || !imap_sp(in)) {
		s->tag = SPAN_NONE;
		imap_bad(s, "Invalid tag");
		return NULL;
	}
	s->tag = arena_dup(s->arena, s->tag);
	if (!imap_atom(in, &word)) {
		imap_bad(s, "Missing command");
		return NULL;
	}
	s->uid = span_ieq(word, SPAN("UID"));
	if (s->uid && (!imap_sp(in) || !imap_atom(in, &word))) {
		s->uid = false;
		s->name = SPAN("UID");
		imap_bad(s, "Missing command");
		return NULL;
	}
	s->name = upper(s, word);
	cmd = find(word, s->uid);
	if (cmd != NULL && (((cmd->flags & CMD_ACL) != 0 && !s->lim.acl) || ((cmd->flags & CMD_QUOTA) != 0 && !s->quota) ||
	    ((cmd->flags & CMD_METADATA) != 0 && !s->lim.metadata) ||
	    ((cmd->flags & CMD_NOTIFY) != 0 && s->lim.notify_mailboxes == 0)))
		cmd = NULL;
	if (cmd == NULL)
		imap_bad(s, "Unknown command");
	else if ((cmd->flags & CMD_SELECTED) != 0 && s->box == NULL) {
		imap_bad(s, "No mailbox selected");
		return NULL;
	}
	return cmd;
}

/* What NOTIFY asked for, behind a command: what is known to have changed, and with a NOOP what is not known yet. */
static void
tell_of_others(struct imap_session *s, const struct command *cmd)
{
	if ((cmd->flags & CMD_NEWS) != 0) {
		if (!s->hub_gone && s->start->hub_fd != -1)
			imap_read_notices(s);
		if (s->hub_gone || s->start->hub_fd == -1)
			imap_notify_look_at_all(s);
	}
	imap_notify_tell(s);
}

static void
run(struct imap_session *s, const struct command *cmd)
{
	struct imap_in in = { buf_span(&s->cmd), s->arena, NULL };
	struct err e = ERR_INIT;
	unsigned bad = s->bad_in_row;

	if (cmd->run(s, &in, &e) == -1)
		imap_error(s, &e);
	if (s->bad_in_row == bad)
		s->bad_in_row = 0;
	if (s->box != NULL)
		mailbox_read_end(s->box);
	if ((cmd->flags & CMD_NO_SYNC) == 0 && (!s->lim.delay_newmail || (cmd->flags & CMD_NEWS) != 0 || s->own_how != OWN_NONE))
		imap_sync_wanted(s, (cmd->flags & CMD_NO_EXPUNGE) == 0 || s->uid);
	if (s->notify != NULL)
		tell_of_others(s, cmd);
	if (s->end == IMAP_GO_ON || s->end == IMAP_END_LOGOUT)
		imap_send_reply(s);
}

static void
begin(struct imap_session *s)
{
	arena_reset(s->arena);
	buf_reset(&s->cmd);
	buf_reset(&s->reply);
	s->tag = s->name = SPAN_NONE;
	s->uid = false;
	s->own_how = OWN_NONE;
	s->own.count = s->added.count = 0;
}

/* One command from its first line to its tagged response. */
static void
step(struct imap_session *s)
{
	const struct command *cmd;
	struct imap_in in = { SPAN_NONE, s->arena, NULL };
	struct span line;
	int rc;

	begin(s);
	s->between = true;
	rc = imap_read_line(s, s->lim.line, &line);
	s->between = false;
	if (rc == -1)
		return;
	if (rc == 0) {
		imap_bad(s, "Too long command line");
		if (imap_refuse(s, line) == 0)
			imap_send_reply(s);
		return;
	}
	in.s = line;
	cmd = read_head(s, &in);
	if (cmd == NULL) {
		if (imap_refuse(s, line) == 0)
			imap_send_reply(s);
		return;
	}
	if (in.s.n > 0 && !imap_sp(&in)) {
		imap_bad(s, "Invalid characters");
		if (imap_refuse(s, line) == 0)
			imap_send_reply(s);
		return;
	}
	rc = imap_read_command(s, in.s, (cmd->flags & CMD_APPEND) != 0 ? IMAP_READ_APPEND : IMAP_READ_PLAIN);
	if (rc == 0)
		imap_send_reply(s);
	else if (rc == 1)
		run(s, cmd);
}

void
imap_session_run(struct imap_session *s)
{
	struct err e = ERR_INIT;

	while (s->end == IMAP_GO_ON) {
		step(s);
		if (s->told_to_end != NULL && s->told_to_end())
			imap_bye(s, "Server shutting down.", "Server shutting down");
		if (s->end == IMAP_GO_ON && s->bad_in_row > s->lim.bad_commands)
			imap_bye(s, "Too many invalid commands.", "Disconnected: too many invalid commands");
	}
	if (s->end == IMAP_END_LOGOUT)
		stream_flush(&s->io, &e);
}
