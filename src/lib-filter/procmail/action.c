/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include "lib-filter/procmail/formail.h"
#include "lib-filter/procmail/state.h"

#define SAID_MAX ((size_t)64 << 10)	/* of what a program says to its errors; goes to the log */
#define LOCK_SLEEP 8
#define LOCK_TIMEOUT 1024
#define SUSPEND 16
#define NORESRETRY 4

bool
procmail_set_text(struct procmail_state *s, struct span text)
{
	char *copy = malloc(text.n + 1);
	size_t end = 0;

	if (copy == NULL)
		return false;
	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	free(s->owned);
	free(s->search);
	s->search = NULL;
	s->owned = copy;
	s->text = span_of(copy, text.n);
	if (text.n > 0 && copy[0] == '\n') {
		end = 1;
	} else {
		end = span_find(s->text, SPAN("\n\n"));
		end = end == SIZE_MAX ? text.n : end + 2;
	}
	s->header = span_sub(s->text, 0, end);
	s->body = span_from(s->text, end);
	return true;
}

static struct procmail_lock
lock_of(struct procmail_state *s, struct span name)
{
	struct procmail_lock l = { .dir = buf_span(&s->dir), .name = name };
	long sleep = procmail_number(s, "LOCKSLEEP", LOCK_SLEEP), timeout = procmail_number(s, "LOCKTIMEOUT", LOCK_TIMEOUT);
	long suspend = procmail_number(s, "SUSPEND", SUSPEND);

	l.sleep = sleep < 0 ? 0 : (unsigned)sleep;
	l.timeout = timeout < 0 ? 0 : (unsigned)timeout;
	l.suspend = suspend < 0 ? 0 : (unsigned)suspend;
	return l;
}

static bool
take_lock(struct procmail_state *s, struct span name)
{
	struct procmail_lock l = lock_of(s, name);
	struct span held = buf_span(&s->global_lock);
	struct err e = ERR_INIT;

	if (held.n > 0 && span_eq(span_from(held, span_chr(held, '\n') + 1), name))
		return false;	/* LOCKFILE has it */
	procmail_verbose(s, "Locking \"%.*s\"", SPAN_ARG(name));
	if (s->sh->host->lock != NULL && s->sh->host->lock(s->sh->host->ctx, &l, &e) == 0)
		return true;
	procmail_log(s, "Lock failure on \"%.*s\": %s", SPAN_ARG(name), e.log);
	return false;
}

static void
drop_lock(struct procmail_state *s, struct span dir, struct span name)
{
	procmail_verbose(s, "Unlocking \"%.*s\"", SPAN_ARG(name));
	if (s->sh->host->unlock != NULL)
		s->sh->host->unlock(s->sh->host->ctx, dir, name);
}

void
procmail_unlock_global(struct procmail_state *s)
{
	struct span held = buf_span(&s->global_lock), dir = span_sub(held, 0, span_chr(held, '\n'));

	if (held.n > 0)
		drop_lock(s, dir, span_from(held, dir.n + 1));
	buf_reset(&s->global_lock);
}

void
procmail_lock_global(struct procmail_state *s, struct span name)
{
	procmail_unlock_global(s);
	if (name.n > 0 && take_lock(s, name)) {
		buf_add(&s->global_lock, buf_span(&s->dir));
		buf_addc(&s->global_lock, '\n');
		buf_add(&s->global_lock, name);
	}
}

static void
put_line(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_addc(out, (unsigned char)s.p[i] < ' ' ? ' ' : s.p[i]);
}

/* The log's entry of a delivery, which mailstat(1) reads. */
void
procmail_log_abstract(struct procmail_state *s, struct span folder, size_t octets)
{
	struct buf out = BUF_INIT(4096);
	struct span line, name = SPAN("  Folder: ");
	struct span rest = s->header;
	size_t column;

	if (span_starts(rest, SPAN("From ")) && span_next(&rest, '\n', &line)) {
		put_line(&out, span_trim(span_sub(line, 0, 250)));
		buf_addc(&out, '\n');
	}
	while (span_next(&rest, '\n', &line))	/* of a folded one what is on its first line */
		if (span_istarts(line, SPAN("Subject:"))) {
			buf_addc(&out, ' ');
			put_line(&out, span_sub(line, 0, 78));
			buf_addc(&out, '\n');
			break;
		}
	buf_add(&out, name);
	folder = span_sub(folder, 0, 60);
	put_line(&out, folder);
	column = name.n + folder.n;
	do {
		buf_addc(&out, '\t');
		column = (column & ~(size_t)7) + 8;
	} while (column < 72);
	buf_addf(&out, "%7zu\n", octets);
	procmail_log_text(s, buf_span(&out));
	buf_clear(&out);
}

/* LASTFOLDER is what was delivered to last, whether it took the message or not. */
static void
tried(struct procmail_state *s, struct span folder)
{
	procmail_verbose(s, "Assigning \"LASTFOLDER=%.*s\"", SPAN_ARG(folder));
	(void)procmail_set_plain(s, SPAN("LASTFOLDER"), folder);
}

static void
delivered(struct procmail_state *s, struct span folder, size_t octets)
{
	struct span how = procmail_value(s, "LOGABSTRACT");

	tried(s, folder);
	if (how.n > 0 && (how.p[0] == 'a' || how.p[0] == 'A'))
		procmail_log_abstract(s, folder, octets);
	s->last_octets = octets;
}

/* Lines that an mbox file's reader would take for a message's first. */
static size_t
from_lines(struct span s)
{
	size_t n = 0;

	for (; s.n > 0; s = span_from(s, span_chr(s, '\n') + 1))
		n += span_starts(s, SPAN("From "));
	return n;
}

/* s, with a > in front of each of these, behind the n octets that out has; how many it has then. */
static size_t
put_escaped(char *out, size_t n, struct span s)
{
	while (s.n > 0) {
		struct span line = span_sub(s, 0, span_chr(s, '\n') + 1);

		if (span_starts(line, SPAN("From ")))
			out[n++] = '>';
		memcpy(out + n, line.p, line.n);
		n += line.n;
		s = span_from(s, line.n);
	}
	return n;
}

/* What goes out: header, body or both; with an empty line behind it unless raw. */
static struct span
compose(struct procmail_state *s, unsigned flags, enum procmail_place place, bool drop_from)
{
	bool header = (flags & PROCMAIL_FLAG_h) != 0, body = (flags & PROCMAIL_FLAG_b) != 0;
	struct span h = header || !body ? s->header : SPAN_NONE, b = body || !header ? s->body : SPAN_NONE;
	bool raw = (flags & PROCMAIL_FLAG_r) != 0, mbox = place == PROCMAIL_PLACE_FILE;
	size_t escapes = 0, n = 0, at = 0;
	char *out;

	if (drop_from && span_starts(h, SPAN("From ")))
		h = span_from(h, span_chr(h, '\n') + 1);
	escapes = mbox && !raw ? from_lines(h) - span_starts(h, SPAN("From ")) + from_lines(b) : 0;
	out = malloc(h.n + b.n + escapes + 3);
	if (out == NULL)
		return SPAN_NONE;
	if (escapes == 0) {
		if (h.n > 0)
			memcpy(out, h.p, h.n);
		if (b.n > 0)
			memcpy(out + h.n, b.p, b.n);
		n = h.n + b.n;
	} else {
		at = span_starts(h, SPAN("From ")) ? span_chr(h, '\n') + 1 : 0;
		if (at > 0)	/* else there may be no header */
			memcpy(out, h.p, at);
		n = put_escaped(out, at, span_from(h, at));
		n = put_escaped(out, n, b);
	}
	if (!raw && place != PROCMAIL_PLACE_MAILDIR && place != PROCMAIL_PLACE_MAILBOX) {
		if (mbox && n > 0 && out[n - 1] != '\n')
			out[n++] = '\n';	/* else the next message's From_ line would stand in this one */
		if (n < 2 || out[n - 1] != '\n' || out[n - 2] != '\n')
			out[n++] = '\n';
	}
	return span_of(out, n);
}

/* A name of a Maildir or MH folder without its end. */
static struct span
bare_name(struct span name)
{
	if (span_ends(name, SPAN("/.")))
		name.n--;
	while (name.n > 1 && name.p[name.n - 1] == '/')
		name.n--;
	return name;
}

bool
procmail_is_misnamed(struct procmail_state *s, struct span name)
{
	struct span bare = bare_name(name);

	return bare.n < name.n && !span_starts(name, SPAN(PROCMAIL_MAILBOX_PREFIX)) && s->sh->host->is_file != NULL &&
	    s->sh->host->is_file(s->sh->host->ctx, buf_span(&s->dir), bare);
}

/* What is a file is one whatever the end of its name says. */
static enum procmail_place
place_of(struct procmail_state *s, struct span name)
{
	if (span_starts(name, SPAN(PROCMAIL_MAILBOX_PREFIX)))
		return PROCMAIL_PLACE_MAILBOX;
	if (procmail_is_misnamed(s, name))
		return PROCMAIL_PLACE_FILE;
	if (span_ends(name, SPAN("/.")))
		return PROCMAIL_PLACE_MH;
	if (span_ends(name, SPAN("/")))
		return PROCMAIL_PLACE_MAILDIR;
	if (s->sh->host->is_dir != NULL && s->sh->host->is_dir(s->sh->host->ctx, buf_span(&s->dir), name))
		return PROCMAIL_PLACE_DIR;
	return PROCMAIL_PLACE_FILE;
}

unsigned
procmail_umask(struct procmail_state *s)
{
	struct span value = span_trim(procmail_value(s, "UMASK"));
	unsigned mask = 0;

	if (value.n == 0)
		return 077;
	for (size_t i = value.p[0] == '+'; i < value.n && value.p[i] >= '0' && value.p[i] <= '7'; i++)
		mask = mask * 8 + (unsigned)(value.p[i] - '0');
	return mask & 0777;
}

static bool
count_delivery(struct procmail_state *s)
{
	if (s->sh->left.deliveries == 0) {
		if (!s->out_of_limits)
			procmail_log(s, "Too many deliveries of one message");
		s->out_of_limits = true;
		return false;
	}
	s->sh->left.deliveries--;
	return true;
}

/* To folders that are named already; of names that are no directories the first is taken alone. */
static enum procmail_done
deliver_names(struct procmail_state *s, const struct span *names, size_t count, unsigned flags)
{
	struct procmail_delivery d = { .dir = buf_span(&s->dir), .names = names, .umask = procmail_umask(s) };
	struct buf folder = BUF_INIT(65536);
	struct err e = ERR_INIT;
	struct span bare;
	int rc;

	if (count == 0 || names[0].n == 0 || !count_delivery(s)) {
		tried(s, SPAN(""));
		procmail_log(s, "Error while writing to \"\"");
		return PROCMAIL_FAILED;
	}
	d.place = place_of(s, names[0]);
	d.name_count = d.place == PROCMAIL_PLACE_FILE || d.place == PROCMAIL_PLACE_MAILBOX ? 1 : count;
	for (size_t i = d.name_count; i < count; i++)
		procmail_log(s, "Skipped \"%.*s\"", SPAN_ARG(names[i]));
	if (d.place == PROCMAIL_PLACE_FILE && span_eq(names[0], SPAN("/dev/null"))) {
		bool header = (flags & PROCMAIL_FLAG_h) || !(flags & PROCMAIL_FLAG_b);
		bool body = (flags & PROCMAIL_FLAG_b) || !(flags & PROCMAIL_FLAG_h);

		delivered(s, names[0], (header ? s->header.n : 0) + (body ? s->body.n : 0));
		if (s->sh->host->dropped != NULL)
			s->sh->host->dropped(s->sh->host->ctx, names[0]);
		return PROCMAIL_DONE;
	}
	if (d.place == PROCMAIL_PLACE_FILE) {
		bare = bare_name(names[0]);
		names = d.names = &bare;
	}
	d.prefix = procmail_value(s, "MSGPREFIX");
	d.text = compose(s, flags, d.place, d.place == PROCMAIL_PLACE_MAILDIR || d.place == PROCMAIL_PLACE_MAILBOX);
	procmail_verbose(s, "Opening \"%.*s\"", SPAN_ARG(names[0]));
	if (d.text.p == NULL)
		rc = err_set(&e, ERR_TEMP, "out of memory");
	else if (s->sh->host->deliver == NULL)
		rc = err_set(&e, ERR_DENIED, "nothing can be delivered");
	else
		rc = s->sh->host->deliver(s->sh->host->ctx, &d, &folder, &e);
	if (rc == 0) {
		delivered(s, folder.n > 0 ? buf_span(&folder) : names[0], d.text.n);
	} else {
		/* In a directory that is there it would have got its name later. */
		if (d.place == PROCMAIL_PLACE_FILE || d.place == PROCMAIL_PLACE_MAILBOX || s->sh->host->is_dir == NULL ||
		    !s->sh->host->is_dir(s->sh->host->ctx, d.dir, bare_name(names[0])))
			tried(s, bare_name(names[0]));
		procmail_log(s, "Error while writing to \"%.*s\": %s", SPAN_ARG(names[0]), e.log);
	}
	free((char *)(uintptr_t)d.text.p);
	buf_clear(&folder);
	return rc == 0 ? PROCMAIL_DONE : PROCMAIL_FAILED;
}

/* name with $LOCKEXT behind it; none when that is empty: it would be the folder's own name. */
static struct span
implied_lock(struct procmail_state *s, struct span name)
{
	struct span ext = procmail_value(s, "LOCKEXT");
	char *all = arena_printf(s->scratch, "%.*s%.*s", SPAN_ARG(name), SPAN_ARG(ext));

	return ext.n == 0 || all == NULL ? SPAN_NONE : span_str(all);
}

enum procmail_done
procmail_deliver(struct procmail_state *s, struct span folder, unsigned flags, bool locks, struct span lock)
{
	struct procmail_words words;
	enum procmail_done done;
	bool held = false;

	if (!procmail_expand_words(s, folder, &words))
		return PROCMAIL_FAILED;
	if (locks && lock.n == 0 && words.count > 0 && place_of(s, words.word[0]) != PROCMAIL_PLACE_MAILBOX)
		lock = implied_lock(s, words.word[0]);
	/* Letting go of a lock with the folder's name would be the end of the folder. */
	if (locks && lock.n > 0 && words.count > 0 && !span_eq(words.word[0], SPAN("/dev/null")) && !span_eq(words.word[0], lock))
		held = take_lock(s, lock);
	done = deliver_names(s, words.word, words.count, flags);
	if (held)
		drop_lock(s, buf_span(&s->dir), lock);
	return done;
}

/* A line whose characters the shell has a meaning for goes to it. */
static bool
has_metas(struct procmail_state *s, struct span line)
{
	struct span metas = procmail_value(s, "SHELLMETAS");

	for (size_t i = 0; i < line.n; i++)
		if (span_chr(metas, line.p[i]) < metas.n)
			return true;
	return false;
}

/* True: formail has been done here. */
static bool
run_formail(struct procmail_state *s, const struct procmail_words *argv, struct span input, struct buf *out, int *status)
{
	struct formail_context c = { .host_name = s->sh->r->host_name };
	enum formail_rc rc;

	if (argv->count == 0 || !formail_is(argv->word[0]) || out->max == 0)
		return false;
	c.now = s->sh->host->now == NULL ? 0 : s->sh->host->now(s->sh->host->ctx);
	c.unique = ((uint64_t)s->sh->r->process << 32) ^ s->sh->left.steps;
	rc = formail_run(argv->word + 1, argv->count - 1, input, &c, out);
	if (rc == FORMAIL_UNKNOWN || out->failed) {
		buf_reset(out);
		return false;
	}
	*status = rc == FORMAIL_DONE ? 0 : rc == FORMAIL_NOBODY ? 67 : 64;
	return true;
}

static struct span
join_words(struct procmail_state *s, const struct procmail_words *words)
{
	struct buf all = BUF_INIT(s->expander.max + words->count);
	struct span kept;

	for (size_t i = 0; i < words->count; i++) {
		if (i > 0)
			buf_addc(&all, ' ');
		buf_add(&all, words->word[i]);
	}
	kept = arena_dup(s->scratch, buf_span(&all));
	buf_clear(&all);
	return kept;
}

/* Where the system has no room for another process, it is tried again. */
static int
run_patiently(struct procmail_state *s, const struct procmail_program *p, struct buf *out, struct buf *said, int *status,
    struct err *e)
{
	long tries = procmail_number(s, "NORESRETRY", NORESRETRY), seconds = procmail_number(s, "SUSPEND", SUSPEND);
	unsigned *left = &s->sh->left.pauses, pause = seconds < 1 ? 1 : seconds > 60 ? 60 : (unsigned)seconds;

	if (s->sh->host->run == NULL)
		return err_set(e, ERR_DENIED, "programs are not run");
	while (s->sh->host->run(s->sh->host->ctx, p, out, said, status, e) == -1) {
		if (e->code != ERR_TEMP || out->n > 0 || tries == 0 || s->sh->host->pause == NULL || *left < pause)
			return -1;
		tries -= tries > 0;	/* of less than 0 there is no end but that of the pauses */
		*left -= pause;
		procmail_verbose(s, "Waiting for room: %s", e->log);
		s->sh->host->pause(s->sh->host->ctx, pause);
		*e = (struct err)ERR_INIT;
	}
	return 0;
}

/* A program with its arguments; s->ran is what users are told of it. */
static int
run_words(struct procmail_state *s, const struct procmail_words *argv, struct span input, size_t output_max, bool ignore_write,
    struct buf *out, int *status)
{
	struct procmail_program p = { .dir = buf_span(&s->dir), .argv = argv->word, .argc = argv->count, .input = input,
		.output_max = output_max, .umask = procmail_umask(s), .ignore_write_errors = ignore_write };
	struct buf said = BUF_INIT(SAID_MAX);
	struct err e = ERR_INIT;
	long timeout = procmail_number(s, "TIMEOUT", 960);
	int rc;

	p.timeout = timeout < 0 ? 0 : (unsigned)timeout;
	procmail_verbose(s, "Executing \"%.*s\"", SPAN_ARG(s->ran));
	if (s->sh->left.programs == 0) {
		procmail_log(s, "Too many programs for one message; not run: \"%.*s\"", SPAN_ARG(s->ran));
		return -1;
	}
	s->sh->left.programs--;
	if (procmail_environment(s, &p.env, &p.env_count) == -1) {
		procmail_log(s, "Out of memory");
		return -1;
	}
	rc = run_patiently(s, &p, out, &said, status, &e);
	if (said.n > 0)
		procmail_log_text(s, buf_span(&said));
	buf_clear(&said);
	if (rc == -1)
		procmail_log(s, "Failed to execute \"%.*s\": %s", SPAN_ARG(s->ran), e.log);
	else if (out->failed)
		procmail_log(s, "Excessive output quenched from \"%.*s\"", SPAN_ARG(s->ran));
	return rc;
}

int
procmail_run_line(struct procmail_state *s, struct span line, struct span input, size_t output_max, bool ignore_write,
    struct buf *out, int *status)
{
	struct procmail_words words;
	struct span shell[3];

	s->ran = line;
	if (has_metas(s, line)) {
		shell[0] = procmail_value(s, "SHELL");
		shell[1] = procmail_value(s, "SHELLFLAGS");
		shell[2] = line;
		words = (struct procmail_words){ .word = shell, .count = 3 };
	} else {
		if (!procmail_expand_words(s, line, &words) || words.count == 0)
			return -1;
		s->ran = join_words(s, &words);
		if (run_formail(s, &words, input, out, status))
			return 0;
	}
	return run_words(s, &words, input, output_max, ignore_write, out, status);
}

struct span
procmail_end_empty(struct procmail_state *s, struct span text)
{
	char *copy;

	if (span_ends(text, SPAN("\n\n")))
		return text;
	copy = arena_alloc(s->scratch, text.n + 1, 1);
	if (copy == NULL)
		return text;
	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	copy[text.n] = '\n';
	return span_of(copy, text.n + 1);
}

void
procmail_backquote(void *ctx, struct span command, struct buf *out)
{
	struct procmail_state *s = ctx;
	int status = 0;

	if (procmail_run_line(s, command, procmail_end_empty(s, s->text), out->max, true, out, &status) == -1)
		status = PROCMAIL_NOT_RUN;
	s->exit_code = status & 0xff;
	while (!out->failed && out->n > 0 && out->p[out->n - 1] == '\n')
		out->n--;
}

/* The word behind the first ">>", up to what ends a command of the shell's. */
static struct span
redirected_to(struct span line)
{
	size_t at = span_find(line, SPAN(">>"));
	bool closed;

	if (at == SIZE_MAX)
		return SPAN_NONE;
	line = span_from(line, at + 2);
	while (line.n > 0 && ascii_is_wsp(line.p[0]))
		line = span_from(line, 1);
	line = span_sub(line, 0, procmail_word_length(line, &closed));
	for (size_t n = 0; n < line.n && line.p[n] != '"' && line.p[n] != '\'' && line.p[n] != '`' && line.p[n] != '\\'; n++)
		if (line.p[n] == ';' || line.p[n] == ')' || (line.p[n] == '#' && n > 0 && line.p[n - 1] != '$'))
			return span_sub(line, 0, n);
	return line;
}

static bool
program_failed(struct procmail_state *s, const struct procmail_statement *recipe, struct span line, int status)
{
	if (status == 0 || !(recipe->flags & (PROCMAIL_FLAG_w | PROCMAIL_FLAG_W)))
		return false;
	if (recipe->flags & PROCMAIL_FLAG_w && !(recipe->flags & PROCMAIL_FLAG_W))
		procmail_log(s, "Program failure (%d) of \"%.*s\"", status, SPAN_ARG(line));
	return true;
}

/* $?, which is only that of a program that is waited for. */
static void
set_exit_code(struct procmail_state *s, const struct procmail_statement *recipe, int status)
{
	if (recipe->flags & (PROCMAIL_FLAG_w | PROCMAIL_FLAG_W))
		s->exit_code = status;
}

/* f: what comes out takes the place of what went in.  Nothing at all, or a failure, leaves the message as it is. */
static enum procmail_done
filter(struct procmail_state *s, const struct procmail_statement *recipe, struct span input)
{
	size_t max = s->sh->left.message;
	bool header = !(recipe->flags & PROCMAIL_FLAG_b) || (recipe->flags & PROCMAIL_FLAG_h);
	bool body = !(recipe->flags & PROCMAIL_FLAG_h) || (recipe->flags & PROCMAIL_FLAG_b);
	struct buf out = BUF_INIT(max), whole = BUF_INIT(max);
	enum procmail_done done = PROCMAIL_FAILED;
	int status = 0;

	if (procmail_run_line(s, recipe->text, input, max, (recipe->flags & PROCMAIL_FLAG_i) != 0, &out, &status) == -1) {
		set_exit_code(s, recipe, PROCMAIL_NOT_RUN);
		goto out;
	}
	set_exit_code(s, recipe, status & 0xff);
	if (program_failed(s, recipe, recipe->text, status) || out.failed)
		goto out;
	if (!header)
		buf_add(&whole, s->header);
	buf_add(&whole, buf_span(&out));
	if (!body)
		buf_add(&whole, s->body);
	if (whole.failed || whole.n > s->sh->left.memory || (out.n == 0 && header)) {
		procmail_log(s, "The filter's output is empty or too large; the message stays as it was: \"%.*s\"", SPAN_ARG(recipe->text));
		goto out;
	}
	s->sh->left.memory -= whole.n;
	if (procmail_set_text(s, buf_span(&whole)))
		done = PROCMAIL_DONE;
out:
	buf_clear(&out);
	buf_clear(&whole);
	return done;
}

static enum procmail_done
capture(struct procmail_state *s, const struct procmail_statement *recipe, struct span input)
{
	struct buf out = BUF_INIT(s->expander.max);
	enum procmail_done done = PROCMAIL_FAILED;
	int status = 0;

	if (procmail_run_line(s, recipe->text, input, out.max, (recipe->flags & PROCMAIL_FLAG_i) != 0, &out, &status) == 0) {
		set_exit_code(s, recipe, status & 0xff);
		if (out.failed)
			(void)procmail_set_plain(s, SPAN("PROCMAIL_OVERFLOW"), SPAN("yes"));
		if (!program_failed(s, recipe, recipe->text, status)) {
			procmail_assign(s, recipe->name, span_sub(buf_span(&out), 0, out.n > 0 && out.p[out.n - 1] == '\n' ? out.n - 1 : out.n),
			    recipe->action_line);
			done = PROCMAIL_DONE;
		}
	} else {
		set_exit_code(s, recipe, PROCMAIL_NOT_RUN);
	}
	buf_clear(&out);
	return done;
}

/* What was run for a message of so many octets. */
static void
end_program(struct procmail_state *s, enum procmail_done done, size_t octets)
{
	if (done == PROCMAIL_DONE) {
		delivered(s, s->ran, octets);
	} else {
		tried(s, s->ran);
		s->last_octets = octets;
	}
}

/* | program: the message is its own then. */
static enum procmail_done
pipe_to(struct procmail_state *s, const struct procmail_statement *recipe, struct span input)
{
	struct buf out = BUF_INIT(0);
	enum procmail_done done = PROCMAIL_FAILED;
	int status = 0;

	if (span_trim(recipe->text).n == 0) {
		tried(s, SPAN("|"));
		procmail_log(s, "There is no standard output to deliver to");
		return PROCMAIL_FAILED;
	}
	if (!count_delivery(s))
		return PROCMAIL_FAILED;
	if (procmail_run_line(s, recipe->text, input, 0, (recipe->flags & PROCMAIL_FLAG_i) != 0, &out, &status) == 0) {
		set_exit_code(s, recipe, status);
		if (!program_failed(s, recipe, recipe->text, status))
			done = PROCMAIL_DONE;
	} else {
		set_exit_code(s, recipe, PROCMAIL_NOT_RUN);
	}
	end_program(s, done, input.n);
	buf_clear(&out);
	return done;
}

/* The addresses among words, without the commas that sendmail takes between them, and without <>; in scratch. */
static size_t
split_addresses(struct procmail_state *s, const struct procmail_words *words, struct span **out)
{
	size_t count = 0, most = 0;

	for (size_t i = 0; i < words->count; i++)
		most += words->word[i].n / 2 + 1;
	*out = arena_alloc(s->scratch, most, sizeof(**out));
	for (size_t i = 0; *out != NULL && i < words->count; i++) {
		struct span rest = words->word[i], one;

		while (span_next(&rest, ',', &one)) {
			one = span_trim(one);
			if (one.n > 2 && one.p[0] == '<' && one.p[one.n - 1] == '>')
				one = span_sub(one, 1, one.n - 2);
			if (one.n > 0)
				(*out)[count++] = one;
		}
	}
	return count;
}

/* $SENDMAIL, which is one word, $SENDMAILFLAGS, which are as many as there are blanks in it, and the addresses; in scratch. */
static bool
mailer_words(struct procmail_state *s, const struct procmail_words *addresses, struct procmail_words *out)
{
	struct span flags = procmail_value(s, "SENDMAILFLAGS");
	size_t most = addresses->count + flags.n / 2 + 3;

	out->count = 0;
	out->word = arena_alloc(s->scratch, most, sizeof(*out->word));
	if (out->word == NULL)
		return false;
	out->word[out->count++] = procmail_value(s, "SENDMAIL");
	while (flags.n > 0) {
		size_t n = 0;

		while (n < flags.n && !ascii_is_wsp(flags.p[n]) && flags.p[n] != '\n')
			n++;
		if (n > 0)
			out->word[out->count++] = span_sub(flags, 0, n);
		flags = span_from(flags, n + (n < flags.n));
	}
	for (size_t i = 0; i < addresses->count; i++)
		out->word[out->count++] = addresses->word[i];
	if (addresses->count == 0)	/* which sendmail has to make something of, as with procmail */
		out->word[out->count++] = SPAN("");
	return true;
}

static enum procmail_done
forward_to_queue(struct procmail_state *s, const struct procmail_words *words, struct span input)
{
	struct err e = ERR_INIT;
	struct span *addresses;
	size_t count = split_addresses(s, words, &addresses);

	if (count == 0)
		procmail_log(s, "No address to forward to: \"%.*s\"", SPAN_ARG(s->ran));
	else if (s->sh->host->forward(s->sh->host->ctx, addresses, count, input, &e) == 0)
		return PROCMAIL_DONE;
	else
		procmail_log(s, "Error while writing to \"%.*s\": %s", SPAN_ARG(s->ran), e.log);
	return PROCMAIL_FAILED;
}

/* An option for sendmail that is none of the recipe's: whoever wrote the message may have thought of it. */
static bool
has_made_options(struct procmail_state *s, const struct procmail_words *words)
{
	for (size_t i = 0; i < words->count; i++)
		if (words->is_value[i] && span_starts(words->word[i], SPAN("-"))) {
			procmail_log(s, "No address to forward to: \"%.*s\": a variable's value is no option", SPAN_ARG(words->word[i]));
			return true;
		}
	return false;
}

/* ! addresses: what begins with - is for sendmail, if the recipe says it itself. */
static enum procmail_done
forward(struct procmail_state *s, const struct procmail_statement *recipe, struct span input)
{
	struct procmail_words words, argv;
	struct buf out = BUF_INIT(0);
	enum procmail_done done = PROCMAIL_FAILED;
	bool plain;
	int status = 0;

	if (!procmail_expand_words(s, recipe->text, &words) || has_made_options(s, &words) || !count_delivery(s) || !mailer_words(s, &words, &argv))
		return PROCMAIL_FAILED;
	s->ran = join_words(s, &argv);
	/* Other flags than those of the beginning are for the program. */
	plain = span_eq(argv.word[0], s->sh->r->sendmail) && span_eq(procmail_value(s, "SENDMAILFLAGS"), SPAN("-oi")) &&
	    s->sh->host->forward != NULL;
	for (size_t i = 0; i < words.count; i++)
		plain &= !span_starts(words.word[i], SPAN("-"));
	if (plain) {
		done = forward_to_queue(s, &words, input);
	} else if (run_words(s, &argv, input, 0, (recipe->flags & PROCMAIL_FLAG_i) != 0, &out, &status) == 0) {
		set_exit_code(s, recipe, status);
		if (!program_failed(s, recipe, s->ran, status))
			done = PROCMAIL_DONE;
	}
	end_program(s, done, input.n);
	buf_clear(&out);
	return done;
}

/* The lock's name as the recipe says it, or as its action implies. */
static struct span
lock_name(struct procmail_state *s, const struct procmail_statement *recipe)
{
	struct procmail_words words;
	struct span to;

	if (recipe->lock.n > 0)
		return procmail_expand_words(s, recipe->lock, &words) && words.count > 0 ? words.word[0] : SPAN_NONE;
	if (recipe->action == PROCMAIL_FOLDER)
		return SPAN_NONE;
	to = redirected_to(recipe->text);
	if (to.n == 0 || !procmail_expand_words(s, to, &words) || words.count == 0) {
		procmail_log(s, "Couldn't determine implicit lockfile from \"%.*s\"", SPAN_ARG(recipe->text));
		return implied_lock(s, SPAN(""));
	}
	return implied_lock(s, words.word[0]);
}

/* :0 c { */
static enum procmail_done
clone(struct procmail_state *s, const struct procmail_statement *recipe)
{
	int status = procmail_clone(s, recipe);

	if (status != -1)
		set_exit_code(s, recipe, status);
	return status == -1 || program_failed(s, recipe, SPAN("a clone"), status) ? PROCMAIL_FAILED : PROCMAIL_DONE;
}

enum procmail_done
procmail_act(struct procmail_state *s, const struct procmail_statement *recipe)
{
	enum procmail_done done = PROCMAIL_FAILED;
	struct span lock = SPAN_NONE, input;
	bool held = false;

	if (recipe->locks)
		lock = lock_name(s, recipe);
	if (recipe->action == PROCMAIL_FOLDER)
		return procmail_deliver(s, recipe->text, recipe->flags, recipe->locks, lock);
	if (lock.n > 0)
		held = take_lock(s, lock);
	if (recipe->action == PROCMAIL_BLOCK) {
		done = clone(s, recipe);
		if (held)
			drop_lock(s, buf_span(&s->dir), lock);
		return done;
	}
	input = compose(s, recipe->flags, PROCMAIL_PLACE_DIR, recipe->action == PROCMAIL_FORWARD);
	if (input.p == NULL)
		procmail_log(s, "Out of memory");
	else if (recipe->action == PROCMAIL_FORWARD)
		done = forward(s, recipe, input);
	else if (recipe->action == PROCMAIL_CAPTURE)
		done = capture(s, recipe, input);
	else if (recipe->flags & PROCMAIL_FLAG_f)
		done = filter(s, recipe, input);
	else
		done = pipe_to(s, recipe, input);
	free((char *)(uintptr_t)input.p);
	if (held)
		drop_lock(s, buf_span(&s->dir), lock);
	return done;
}
