/* SPDX-License-Identifier: MIT */
/* What the client sends: waiting for it, lines, literals, whole commands. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "imap/notify.h"
#include "lib/ipc-types.h"
#include "lib/log.h"
#include "lib/sys.h"

/* How much of what was refused is still read, to stay in step with a client that sends without asking. */
#define DISCARD_MAX(s) ((s)->lim.literal + 65536)

static void
closed(struct imap_session *s, const struct err *e)
{
	if (s->end != IMAP_GO_ON)
		return;
	if (s->told_to_end != NULL && s->told_to_end()) {
		imap_bye(s, "Server shutting down.", "Server shutting down");
		return;
	}
	s->end = IMAP_END_EOF;
	s->end_reason = e->code == ERR_TIMEOUT ? "Disconnected: client takes no output" : "Connection closed";
}

bool
imap_read_notices(struct imap_session *s)
{
	struct storage_notices n = { .changed = imap_notify_notice, .ctx = s };

	storage_read_notices(s->st, &n);
	s->hub_gone = s->hub_gone || n.gone;
	s->kicked = s->kicked || n.kicked;
	return n.any;
}

/*
 * The parent tells of a new hub.  Its channel takes the place of the old one's descriptor, so that whoever holds that needs
 * to know nothing; watches are made anew by the next IDLE.
 */
void
imap_parent_message(struct imap_session *s, struct ipc_msg *m)
{
	struct span name;
	int fd;

	if (m->type != MSG_CHANNEL)
		return;
	name = ipc_bytes(m, F_NAME, 64);
	fd = ipc_fd(m);
	if (ipc_end(m) && span_eq(name, SPAN("hub")) && s->start->hub_fd != -1 &&
	    dup3(fd, s->start->hub_fd, O_CLOEXEC) != -1) {
		s->hub_gone = false;
		s->hub_new = true;
	}
	if (fd != -1)
		close(fd);
}

static void
read_parent(struct imap_session *s)
{
	struct err e = ERR_INIT;
	struct ipc_msg m;
	int rc;

	if (ipc_msg_init(&m, &e) == -1)
		return;
	rc = ipc_recv(s->start->parent_fd, &m, &e);
	if (rc == 1)
		imap_parent_message(s, &m);
	else if (rc == 0 || e.code != ERR_INUSE)
		s->parent_gone = true;
	ipc_msg_clear(&m);
}

/* The time until the client counts as gone; -1: for ever. */
static int
idle_left(const struct imap_session *s)
{
	int64_t left;

	if (s->lim.idle_ms == 0)
		return -1;
	left = s->last_input_ms + s->lim.idle_ms - clock_ms();
	return left < 0 ? 0 : (int)left;
}

static int
sooner(int a, int b)
{
	return a == -1 ? b : b == -1 || a < b ? a : b;
}

static bool
is_over(struct imap_session *s)
{
	if (s->kicked)
		imap_bye(s, "Disconnected by administrator.", "Disconnected by administrator");
	return s->end != IMAP_GO_ON;
}

/* Until there is more input than now, whether some is there already or not. */
static enum imap_wait
wait_more(struct imap_session *s, int timeout_ms)
{
	struct err e = ERR_INIT;

	if (stream_flush(&s->io, &e) == -1) {
		closed(s, &e);
		return IMAP_WAIT_END;
	}
	if (is_over(s))
		return IMAP_WAIT_END;
	if (s->io.in_fd == -1)
		return IMAP_WAIT_INPUT;
	for (;;) {
		struct pollfd pfd[3] = {
			{ .fd = s->io.in_fd, .events = POLLIN },
			{ .fd = s->hub_gone ? -1 : s->start->hub_fd, .events = POLLIN },
			{ .fd = s->parent_gone ? -1 : s->start->parent_fd, .events = POLLIN },
		};
		int idle = idle_left(s), rc = poll(pfd, 3, sooner(timeout_ms, idle));

		if (rc == -1 && errno == EINTR)
			continue;
		if (rc == -1) {
			err_errno(&e, "poll");
			closed(s, &e);
			return IMAP_WAIT_END;
		}
		/* A hub that came while no command waited for it is the next IDLE's business. */
		bool was_new = s->hub_new;

		if (pfd[2].revents != 0)
			read_parent(s);
		if (s->hub_new && !was_new)
			return IMAP_WAIT_CHANGE;	/* what was to be read from the old one's descriptor is gone with it */
		if (pfd[1].revents != 0) {
			bool changed = imap_read_notices(s);

			if (is_over(s))
				return IMAP_WAIT_END;
			if (changed || s->hub_gone)
				return IMAP_WAIT_CHANGE;
		}
		if (pfd[0].revents != 0)
			return IMAP_WAIT_INPUT;
		if (rc > 0)
			continue;
		if (idle_left(s) == 0) {
			imap_bye(s, "Disconnected for inactivity.", "Disconnected for inactivity");
			return IMAP_WAIT_END;
		}
		if (timeout_ms != -1)
			return IMAP_WAIT_TIME;
	}
}

enum imap_wait
imap_wait(struct imap_session *s, int timeout_ms)
{
	return stream_in(&s->io).n > 0 ? IMAP_WAIT_INPUT : wait_more(s, timeout_ms);
}

/* Work behind (flag renames) that is due while the client is silent. */
static int
maintain(struct imap_session *s)
{
	struct err e = ERR_INIT;
	int due = storage_maintain_due_ms(s->st);

	if (due == 0) {
		/* The answer first: nobody waits for this.  What fails is seen by who sends next. */
		stream_flush(&s->io, &e);
		e = (struct err)ERR_INIT;
		if (storage_maintain(s->st, &e) == -1 && s->checked)
			log_error("CHECK: %s", e.log);
		s->checked = false;
		due = storage_maintain_due_ms(s->st);
		if (due == 0)
			due = 1000;	/* it could not be done: not again at once */
	}
	return due;
}

int
imap_more_input(struct imap_session *s)
{
	struct err e = ERR_INIT;

	if (s->box != NULL)
		mailbox_read_end(s->box);
	for (;;) {
		int timeout_ms = maintain(s);
		enum imap_wait w;

		if (s->between && s->notify != NULL && stream_in(&s->io).n == 0) {
			arena_reset(s->arena);	/* nothing of a command is in it */
			timeout_ms = sooner(timeout_ms, imap_notify_between(s));
			if (s->end != IMAP_GO_ON)
				return -1;
		}
		w = wait_more(s, timeout_ms);

		if (w == IMAP_WAIT_END)
			return -1;
		if (w == IMAP_WAIT_INPUT)
			break;
	}
	if (stream_fill(&s->io, &e) == -1) {
		if (e.code == ERR_TIMEOUT && !s->io.failed)
			imap_bye(s, "Disconnected for inactivity.", "Disconnected for inactivity");
		else
			closed(s, &e);
		return -1;
	}
	s->last_input_ms = clock_ms();
	return 0;
}

/* Of a line that is too long only the tag at its very start is of use. */
static void
keep_tag(struct imap_session *s, struct span line)
{
	struct imap_in start = { span_sub(line, 0, 128), s->arena, NULL };
	struct span tag;

	if (s->tag.n == 0 && imap_tag(&start, &tag) && imap_peek(&start, ' '))
		s->tag = arena_dup(s->arena, tag);
}

/* The end of a line that is too long, in which a literal's head may stand. */
#define LINE_TAIL 32

int
imap_read_line(struct imap_session *s, size_t max, struct span *out)
{
	size_t looked = 0;
	uint64_t thrown = 0;

	for (;;) {
		struct span in = stream_in(&s->io);
		size_t i = looked + span_chr(span_from(in, looked), '\n');

		if (i < in.n) {
			stream_drop(&s->io, i + 1);
			if (i > 0 && in.p[i - 1] == '\r')
				i--;
			*out = span_of(in.p, i);
			if (thrown == 0 && i <= max)
				return 1;
			if (thrown == 0)
				keep_tag(s, *out);
			*out = i > LINE_TAIL ? span_from(*out, i - LINE_TAIL) : *out;
			return 0;
		}
		looked = in.n;
		if (in.n > max && in.n > LINE_TAIL) {
			if (thrown == 0)
				keep_tag(s, in);
			thrown += in.n - LINE_TAIL;
			stream_drop(&s->io, in.n - LINE_TAIL);
			looked = LINE_TAIL;
			if (thrown > DISCARD_MAX(s)) {
				imap_bye(s, "Too long command line.", "Disconnected: too long command line");
				return -1;
			}
		}
		if (imap_more_input(s) == -1)
			return -1;
	}
}

int
imap_discard(struct imap_session *s, uint64_t size)
{
	while (size > 0) {
		struct span in = stream_in(&s->io);
		size_t n = in.n < size ? in.n : (size_t)size;

		stream_drop(&s->io, n);
		size -= n;
		if (size > 0 && imap_more_input(s) == -1)
			return -1;
	}
	return 0;
}

/* The octets of a literal to the end of s->cmd. */
static int
take_literal(struct imap_session *s, uint64_t size)
{
	while (size > 0) {
		struct span in = stream_in(&s->io);
		size_t n = in.n < size ? in.n : (size_t)size;

		buf_add(&s->cmd, span_of(in.p, n));
		stream_drop(&s->io, n);
		size -= n;
		if (size > 0 && imap_more_input(s) == -1)
			return -1;
	}
	return 0;
}

/*
 * What follows a literal that was refused: the rest of the command, with its literals.  Only what comes without being
 * asked for is read; a client that waits to be invited takes the refusal as the end of its command.
 */
int
imap_skip_literal(struct imap_session *s, struct imap_literal lit)
{
	uint64_t left = DISCARD_MAX(s);

	while (lit.nonsync) {
		struct span line;

		if (lit.size > left) {
			imap_send_reply(s);
			imap_bye(s, "Too long literal.", "Disconnected: too long literal");
			return -1;
		}
		left -= lit.size;
		if (imap_discard(s, lit.size) == -1 || imap_read_line(s, s->lim.line, &line) == -1)
			return -1;
		if (!imap_literal_tail(line, &lit))
			break;
	}
	return 0;
}

/* Parentheses that are open behind line; false when there are more than max at any time.  Quoted strings have none. */
static bool
count_nesting(struct span line, size_t max, size_t *open)
{
	bool quoted = false;

	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i];

		if (c == '"')
			quoted = !quoted;
		else if (quoted && c == '\\')
			i++;
		else if (!quoted && c == '(' && ++*open > max)
			return false;
		else if (!quoted && c == ')' && *open > 0)
			--*open;
	}
	return true;
}

int
imap_refuse(struct imap_session *s, struct span line)
{
	struct imap_literal lit;

	return imap_literal_tail(line, &lit) ? imap_skip_literal(s, lit) : 0;
}

int
imap_read_command(struct imap_session *s, struct span line, enum imap_read how)
{
	struct imap_literal lit;
	size_t literals = 0, open = 0;
	int rc;

	s->has_pending = false;
	for (;;) {
		bool more = imap_literal_tail(line, &lit);

		if (span_chr(line, '\0') < line.n || span_chr(line, '\r') < line.n) {
			imap_bad(s, "Invalid characters");
			return imap_refuse(s, line);
		}
		if (!count_nesting(line, s->lim.nesting, &open)) {
			imap_bad(s, "Too deeply nested lists");
			return imap_refuse(s, line);
		}
		if (line.n + 2 > s->lim.command - s->cmd.n) {
			imap_bad(s, "Too long command");
			return imap_refuse(s, line);
		}
		buf_add(&s->cmd, line);
		if (!more)
			return 1;
		/* The mailbox of APPEND may be a literal; any other is a message. */
		if (how == IMAP_READ_MESSAGE || (how == IMAP_READ_APPEND && (literals > 0 || line.p[0] != '{'))) {
			s->pending = lit;
			s->has_pending = true;
			return 1;
		}
		if (lit.size > s->lim.command - s->cmd.n || s->lim.command - s->cmd.n - lit.size < 4) {
			imap_no(s, "[TOOBIG] Too long literal.");
			return imap_skip_literal(s, lit);
		}
		if (lit.nonsync && s->lim.literal_minus && lit.size > 4096) {
			imap_bad(s, "Literals without waiting may have 4096 octets (RFC 7888 section 5)");
			return imap_skip_literal(s, lit);
		}
		buf_add(&s->cmd, SPAN("\r\n"));
		if (!lit.nonsync)
			stream_put(&s->io, SPAN("+ OK\r\n"));
		if (take_literal(s, lit.size) == -1)
			return -1;
		literals++;
		rc = imap_read_line(s, s->lim.line, &line);
		if (rc == -1)
			return -1;
		if (rc == 0) {
			imap_bad(s, "Too long command line");
			return imap_refuse(s, line);
		}
	}
}
