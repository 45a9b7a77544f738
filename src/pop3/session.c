/* SPDX-License-Identifier: MIT */
#include "pop3/session.h"

#include "lib/log.h"
#include "pop3/text.h"

#define ARENA_MAX ((size_t)512 << 20)
#define ROOM 32768
#define ERR_LINE_MAX 40		/* of what the client sent, in an answer */

int
pop3_session_init(struct pop3_session *p, struct stream *s, struct mailbox *box, const struct pop3_options *o,
    struct err *e)
{
	struct mailbox_view_state vs;

	memset(p, 0, sizeof(*p));
	p->s = s;
	p->box = box;
	p->o = o;
	p->arena = arena_new(ARENA_MAX);
	if (p->arena == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	mailbox_view_state(box, &vs);
	p->uidvalidity = vs.uidvalidity;
	p->count = mailbox_count(box);
	mailbox_read_end(box);
	return 0;
}

/* The messages of the view.  Not at login: many sessions ask for nothing, and a login costs the same for any mailbox. */
static int
take_messages(struct pop3_session *p, struct err *e)
{
	uint32_t all = mailbox_count(p->box), count = 0;
	uint64_t hidden_keyword = 0, size = 0;
	struct pop3_msg *msgs = arena_alloc(p->arena, (size_t)all + 1, sizeof(*msgs));
	int rc = 0;

	if (msgs == NULL)
		return err_set(e, ERR_LIMIT, "a mailbox of %u messages is too large", all);
	if (span_ieq(p->o->deleted_flag, SPAN("\\Deleted")))
		p->deleted_bit = MSG_DELETED;
	else if (p->o->deleted_flag.n > 0)
		rc = mailbox_keyword_mask(p->box, &p->o->deleted_flag, 1, false, &hidden_keyword, e);
	p->sizes_known = true;
	p->last = 0;
	for (uint32_t seq = 1; rc == 0 && seq <= all; seq++) {
		struct pop3_msg *m = &msgs[count];
		struct msg_rec r;

		m->uid = mailbox_uid(p->box, seq);
		if (mailbox_get(p->box, m->uid, &r, e) == -1) {
			rc = e->code == ERR_GONE ? 0 : -1;
			continue;
		}
		if ((r.flags & p->deleted_bit) != 0 || (r.keywords & hidden_keyword) != 0)
			continue;
		count++;
		m->seen = m->was_seen = (r.flags & MSG_SEEN) != 0;
		m->has_uidl = r.has_uidl;
		if (m->seen)
			p->last = count;
		m->size = p->o->fast_sizes ? r.physical_size : r.size;
		if (m->size == SIZE_UNKNOWN)
			p->sizes_known = false;
		else
			size += m->size;
	}
	mailbox_read_end(p->box);
	if (rc == -1)
		return -1;
	p->msgs = msgs;
	p->count = count;
	p->size = size;
	return 0;
}

void
pop3_session_clear(struct pop3_session *p)
{
	arena_free(p->arena);
	p->arena = NULL;
}

/* The only place where failures get POP3 words (RFC 2449 section 8, RFC 3206). */
static const char *const error_text[ERR_CODES] = {
	[ERR_NONE] = "Internal error.",
	[ERR_TEMP] = "[SYS/TEMP] Internal error; the log has the details.",
	[ERR_SYNTAX] = "Wrong syntax.",
	[ERR_NOTFOUND] = "[SYS/TEMP] There is no such mailbox.",
	[ERR_EXISTS] = "[SYS/TEMP] Internal error; the log has the details.",
	[ERR_DENIED] = "[SYS/PERM] Permission denied.",
	[ERR_QUOTA] = "[SYS/TEMP] The disk is full.",
	[ERR_LIMIT] = "[SYS/TEMP] A limit was met; the log has the details.",
	[ERR_TIMEOUT] = "[SYS/TEMP] It took too long.",
	[ERR_EOF] = "[SYS/TEMP] Connection closed.",
	[ERR_GONE] = "The message has been deleted by another session.",
	[ERR_CORRUPT] = "[SYS/TEMP] Stored data is damaged; the log has the details.",
	[ERR_OVERQUOTA] = "[SYS/PERM] The quota is exceeded.",
	[ERR_TOOBIG] = "[SYS/PERM] The message is too large.",
	[ERR_INUSE] = "[IN-USE] The mailbox is in use by another session.",
};

static void
say_error(struct pop3_session *p, const char *what, const struct err *e)
{
	if (e->code != ERR_GONE)
		log_error("%s: %s", what, e->log);
	stream_puts(p->s, "-ERR ");
	stream_puts(p->s, error_text[e->code]);
	stream_puts(p->s, "\r\n");
}

/* A mistake of the client's: text, and a cut of what it sent. */
static void
refuse(struct pop3_session *p, const char *text, struct span sent)
{
	p->bad++;
	stream_puts(p->s, "-ERR ");
	stream_puts(p->s, text);
	if (sent.n > 0) {
		char cut[ERR_LINE_MAX];
		size_t n = sent.n < sizeof(cut) ? sent.n : sizeof(cut);

		for (size_t i = 0; i < n; i++)
			cut[i] = sent.p[i] < ' ' || sent.p[i] > '~' ? '?' : sent.p[i];
		stream_puts(p->s, ": ");
		stream_put(p->s, span_of(cut, n));
	}
	stream_puts(p->s, "\r\n");
}

/* Sizes that the index does not have come from the files, once, when the first command needs them. */
static int
find_sizes(struct pop3_session *p, struct err *e)
{
	for (uint32_t i = 0; i < p->count && !p->sizes_known; i++) {
		struct pop3_msg *m = &p->msgs[i];

		if (m->size != SIZE_UNKNOWN)
			continue;
		if (mailbox_size(p->box, m->uid, &m->size, e) == -1) {
			struct msg_rec rec;
			struct err none = ERR_INIT;

			m->size = SIZE_UNKNOWN;
			if (!mailbox_others_can_be_read(e))
				return -1;
			/* RETR will say that it can not be had; the others can. */
			if (e->code != ERR_GONE)
				log_error("size of UID %u: %s", m->uid, e->log);
			m->size = e->code != ERR_GONE && mailbox_get(p->box, m->uid, &rec, &none) == 0 ? rec.physical_size : 0;
		}
		p->size += m->size;
		if (m->deleted)
			p->deleted_size += m->size;
	}
	p->sizes_known = true;
	mailbox_read_end(p->box);
	return 0;
}

/* Cuts a message number off *args; NULL: answered already. */
static struct pop3_msg *
arg_message(struct pop3_session *p, struct span *args)
{
	size_t n = span_chr(*args, ' ');
	struct span word = span_sub(*args, 0, n);
	uint32_t number;

	*args = span_trim(span_from(*args, n));
	if (!span_u32(word, &number)) {
		refuse(p, "Invalid message number", word);
		return NULL;
	}
	if (number == 0 || number > p->count) {
		refuse(p, "There is no such message", word);
		return NULL;
	}
	if (p->msgs[number - 1].deleted) {
		stream_puts(p->s, "-ERR Message is deleted.\r\n");
		return NULL;
	}
	return &p->msgs[number - 1];
}

static struct pop3_msg *
only_arg_message(struct pop3_session *p, struct span args)
{
	struct pop3_msg *m = arg_message(p, &args);

	if (m != NULL && args.n > 0) {
		refuse(p, "Too many arguments", args);
		return NULL;
	}
	return m;
}

static uint32_t
msg_number(const struct pop3_session *p, const struct pop3_msg *m)
{
	return (uint32_t)(m - p->msgs) + 1;
}

static char *
put_number(char *to, uint64_t v)
{
	char digits[20];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	while (n > 0)
		*to++ = digits[--n];
	return to;
}

/* "number value CRLF": a hundred thousand of them in one listing, so without printf. */
static void
put_scan_line(struct pop3_session *p, uint32_t number, uint64_t size)
{
	char *line = stream_reserve(p->s, 64), *end;

	if (line == NULL)
		return;
	end = put_number(line, number);
	*end++ = ' ';
	end = put_number(end, size);
	*end++ = '\r';
	*end++ = '\n';
	stream_commit(p->s, (size_t)(end - line));
}

static void
cmd_capa(struct pop3_session *p, struct span args)
{
	(void)args;
	stream_puts(p->s, "+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nAUTH-RESP-CODE\r\n.\r\n");
}

static void
cmd_stat(struct pop3_session *p, struct span args)
{
	struct err e = ERR_INIT;

	(void)args;
	if (find_sizes(p, &e) == -1)
		say_error(p, "STAT", &e);
	else
		stream_putf(p->s, "+OK %u %llu\r\n", p->count - p->deleted_count,
		    (unsigned long long)(p->size - p->deleted_size));
}

static void
cmd_list(struct pop3_session *p, struct span args)
{
	struct pop3_msg *m = NULL;
	struct err e = ERR_INIT;

	if (args.n > 0 && (m = only_arg_message(p, args)) == NULL)
		return;
	if (find_sizes(p, &e) == -1) {
		say_error(p, "LIST", &e);
		return;
	}
	if (m != NULL) {
		stream_puts(p->s, "+OK ");
		put_scan_line(p, msg_number(p, m), m->size);
		return;
	}
	stream_putf(p->s, "+OK %u messages:\r\n", p->count - p->deleted_count);
	for (uint32_t i = 0; i < p->count && !p->s->failed; i++)
		if (!p->msgs[i].deleted)
			put_scan_line(p, i + 1, p->msgs[i].size);
	stream_puts(p->s, ".\r\n");
}

static void
put_uidl_line(struct pop3_session *p, uint32_t number, struct span uidl)
{
	char *line = stream_reserve(p->s, 128), *end;

	if (line == NULL)
		return;
	end = put_number(line, number);
	*end++ = ' ';
	memcpy(end, uidl.p, uidl.n);
	end += uidl.n;
	*end++ = '\r';
	*end++ = '\n';
	stream_commit(p->s, (size_t)(end - line));
}

static void
cmd_uidl(struct pop3_session *p, struct span args)
{
	struct pop3_msg *m = NULL;
	struct err e = ERR_INIT;
	struct span uidl;

	if (args.n > 0) {
		m = only_arg_message(p, args);
		if (m == NULL)
			return;
		if (pop3_uidl(p, m, &uidl, &e) == -1) {
			say_error(p, "UIDL", &e);
			return;
		}
		pop3_uidls_keep(p);
		stream_puts(p->s, "+OK ");
		put_uidl_line(p, msg_number(p, m), uidl);
		mailbox_read_end(p->box);
		return;
	}
	/* All are made before the first is sent: a failure in the middle of the list could not be told any more. */
	for (uint32_t i = 0; i < p->count; i++)
		if (!p->msgs[i].deleted && pop3_uidl(p, &p->msgs[i], &uidl, &e) == -1 && e.code != ERR_GONE) {
			say_error(p, "UIDL", &e);
			return;
		}
	mailbox_read_end(p->box);
	pop3_uidls_keep(p);
	stream_puts(p->s, "+OK\r\n");
	for (uint32_t i = 0; i < p->count && !p->s->failed; i++)
		if (!p->msgs[i].deleted && p->msgs[i].uidl.p != NULL)
			put_uidl_line(p, i + 1, p->msgs[i].uidl);
	stream_puts(p->s, ".\r\n");
}

/* Sends text and the end of a multi-line answer; how many octets text had as it was sent, without the dots put in. */
static uint64_t
put_text(struct pop3_session *p, struct span text, bool missing_end)
{
	struct pop3_text t = { .no_nuls = p->o->no_nuls };
	uint64_t before = p->s->out_octets + p->s->out.n;

	while (text.n > 0) {
		char *room = stream_reserve(p->s, ROOM);

		if (room == NULL)
			return 0;
		stream_commit(p->s, pop3_text(&t, &text, room, ROOM));
	}
	if (t.in_line)
		stream_puts(p->s, "\r\n");
	if (missing_end)
		stream_puts(p->s, "\r\n");
	before = p->s->out_octets + p->s->out.n - before - t.dots;
	stream_puts(p->s, ".\r\n");
	return before;
}

/* Whether the header has no empty line at its end. */
static bool
header_is_open(struct span message)
{
	bool has_end;

	pop3_top(message, 0, &has_end);
	return !has_end;
}

static void
mark_seen(struct pop3_session *p, struct pop3_msg *m)
{
	m->seen = true;
	if (msg_number(p, m) > p->last)
		p->last = msg_number(p, m);
}

static void
cmd_retr(struct pop3_session *p, struct span args)
{
	struct pop3_msg *m = only_arg_message(p, args);
	struct err e = ERR_INIT;
	struct span body;

	if (m == NULL)
		return;
	if (find_sizes(p, &e) == -1 || mailbox_body(p->box, m->uid, &body, &e) == -1) {
		say_error(p, "RETR", &e);
		return;
	}
	mailbox_read_end(p->box);
	stream_putf(p->s, "+OK %llu octets\r\n", (unsigned long long)m->size);
	p->counts.retr_octets += put_text(p, body, p->o->ns_eoh && header_is_open(body));
	p->counts.retr++;
	mark_seen(p, m);
}

static void
cmd_top(struct pop3_session *p, struct span args)
{
	struct pop3_msg *m = arg_message(p, &args);
	struct err e = ERR_INIT;
	struct span body;
	uint64_t lines;
	bool has_end;

	if (m == NULL)
		return;
	if (!span_u64(args, UINT32_MAX, &lines)) {
		refuse(p, "TOP needs a number of lines", args);
		return;
	}
	if (mailbox_body(p->box, m->uid, &body, &e) == -1) {
		say_error(p, "TOP", &e);
		return;
	}
	mailbox_read_end(p->box);
	body = pop3_top(body, lines, &has_end);
	stream_puts(p->s, "+OK\r\n");
	p->counts.top_octets += put_text(p, body, p->o->ns_eoh && !has_end);
	p->counts.top++;
}

static void
cmd_dele(struct pop3_session *p, struct span args)
{
	struct pop3_msg *m = only_arg_message(p, args);

	if (m == NULL)
		return;
	m->deleted = true;
	p->deleted_count++;
	if (m->size != SIZE_UNKNOWN)
		p->deleted_size += m->size;
	stream_puts(p->s, "+OK Marked to be deleted.\r\n");
}

static void
cmd_rset(struct pop3_session *p, struct span args)
{
	(void)args;
	p->last = 0;
	for (uint32_t i = 0; i < p->count; i++) {
		p->msgs[i].deleted = false;
		p->msgs[i].seen = p->msgs[i].was_seen;
		if (p->msgs[i].seen)
			p->last = i + 1;
	}
	p->deleted_count = 0;
	p->deleted_size = 0;
	stream_puts(p->s, "+OK\r\n");
}

static void
cmd_noop(struct pop3_session *p, struct span args)
{
	(void)args;
	stream_puts(p->s, "+OK\r\n");
}

/* RFC 1460 section 4. */
static void
cmd_last(struct pop3_session *p, struct span args)
{
	if (!p->o->enable_last)
		refuse(p, "Unknown command", SPAN("LAST"));
	else if (args.n > 0)
		refuse(p, "Too many arguments", args);
	else
		stream_putf(p->s, "+OK %u\r\n", p->last);
}

/* \Seen for what was read. */
static int
commit_seen(struct pop3_session *p, uint32_t *uids, struct err *e)
{
	const struct flag_change fc = { .op = FLAGS_ADD, .flags = MSG_SEEN };
	size_t n = 0;

	for (uint32_t i = 0; i < p->count && !p->o->no_flag_updates; i++)
		if (p->msgs[i].seen && !p->msgs[i].was_seen && !p->msgs[i].deleted)
			uids[n++] = p->msgs[i].uid;
	return n == 0 ? 0 : mailbox_store(p->box, uids, n, &fc, NULL, NULL, NULL, e);
}

static int
commit_deleted(struct pop3_session *p, uint32_t *uids, struct err *e)
{
	struct flag_change fc = { .op = FLAGS_ADD, .flags = p->deleted_bit };
	size_t n = 0;

	for (uint32_t i = 0; i < p->count; i++)
		if (p->msgs[i].deleted) {
			uids[n++] = p->msgs[i].uid;
			p->counts.deleted_octets += p->msgs[i].size == SIZE_UNKNOWN ? 0 : p->msgs[i].size;
		}
	if (n == 0)
		return 0;
	if (!p->o->delete_by_flag) {
		if (mailbox_expunge(p->box, uids, n, true, e) == -1)
			return -1;
	} else {
		if (fc.flags == 0 &&
		    mailbox_keyword_mask(p->box, &p->o->deleted_flag, 1, true, &fc.keywords, e) == -1)
			return -1;
		if (mailbox_store(p->box, uids, n, &fc, NULL, NULL, NULL, e) == -1)
			return -1;
	}
	p->counts.deleted = n;
	return 0;
}

/* The UPDATE state: +OK only when the deletions are done (RFC 1939 section 6). */
static int
update(struct pop3_session *p, struct err *e)
{
	struct err flag_error = ERR_INIT;
	uint32_t *uids;

	p->done = true;
	if (p->msgs == NULL)
		return 0;	/* nothing was asked for, so nothing was read or deleted */
	uids = arena_alloc(p->arena, (size_t)p->count + 1, sizeof(*uids));
	if (uids == NULL)
		return err_set(e, ERR_LIMIT, "a mailbox of %u messages is too large", p->count);
	if (commit_seen(p, uids, &flag_error) == -1)
		log_error("QUIT: marking messages as seen: %s", flag_error.log);
	return commit_deleted(p, uids, e);
}

#define WORD(lit) { lit, sizeof(lit) - 1 }

struct command {
	struct span name;
	void (*run)(struct pop3_session *p, struct span args);
	bool alone;		/* needs no messages */
};

static const struct command commands[] = {
	{ WORD("RETR"), cmd_retr, false }, { WORD("DELE"), cmd_dele, false }, { WORD("UIDL"), cmd_uidl, false },
	{ WORD("LIST"), cmd_list, false }, { WORD("STAT"), cmd_stat, false }, { WORD("TOP"), cmd_top, false },
	{ WORD("NOOP"), cmd_noop, true }, { WORD("RSET"), cmd_rset, false }, { WORD("CAPA"), cmd_capa, true },
	{ WORD("LAST"), cmd_last, false },
};

static void
run_command(struct pop3_session *p, struct span name, struct span args)
{
	unsigned bad_before = p->bad;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (span_ieq(name, commands[i].name)) {
			struct err e = ERR_INIT;

			if (!commands[i].alone && p->msgs == NULL && take_messages(p, &e) == -1)
				say_error(p, "reading the mailbox", &e);
			else
				commands[i].run(p, args);
			if (p->bad == bad_before)
				p->bad = 0;
			return;
		}
	refuse(p, "Unknown command", name);
}

int
pop3_session_run(struct pop3_session *p, struct err *e)
{
	struct span line, name, args;
	size_t n;

	for (;;) {
		if (stream_line(p->s, p->o->max_line, &line, e) == -1)
			break;
		n = span_chr(line, ' ');
		name = span_sub(line, 0, n);
		args = span_trim(span_from(line, n));
		if (span_ieq(name, SPAN("QUIT"))) {
			if (update(p, e) == -1) {
				say_error(p, "QUIT", e);
				return -1;
			}
			stream_puts(p->s, p->counts.deleted > 0 ? "+OK Logging out, messages deleted.\r\n"
			    : "+OK Logging out.\r\n");
			return 0;
		}
		run_command(p, name, args);
		if (p->o->max_bad > 0 && p->bad >= p->o->max_bad) {
			stream_puts(p->s, "-ERR Too many bad commands.\r\n");
			return err_set(e, ERR_SYNTAX, "too many bad commands");
		}
	}
	if (e->code == ERR_LIMIT)
		stream_puts(p->s, "-ERR Line too long.\r\n");
	return -1;
}
