/* SPDX-License-Identifier: MIT */
/*
 * Plays tests/transcript/imap/<name>.t against the whole session worker (imap_serve) in a process of its own, over a socket pair
 * and a mailbox in a temporary directory.  Each file is a test; each is played with whole lines and octet by octet.
 *
 *	# text			a comment; the first names the RFC section
 *	O: name=value		a setting
 *	P: mailbox		a mailbox that is there
 *	M: mailbox file [flag ...]	a message that is there: a file of tests/transcript/imap/mail/, or @n for n octets of text
 *	C: text			the client sends text and CRLF
 *	C= text			the client sends text alone; \r \n \0 \t \\ and \xNN are octets
 *	S: text			the server's next line is exactly this
 *	S~ text			... matches: * is any text, %{name} a number that is kept (or compared, the second time)
 *	S| text			as S~; lines of this kind that stand together may come in any order
 *	X:			the server closes the connection here
 * A file with "# bare line ends" takes an LF without CR in an answer (a part that was cut there).
 * %{name} is replaced in what the client sends.  "2C:", "2S:" ... are a second session of the same user.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include "testing.h"
#include "lib/encode.h"
#include "lib/log.h"
#include "lib/sys.h"
#include "imap-fixture.h"
#include "imap/serve.h"
#include "lib-storage/mailbox.h"
#ifdef MEMORY_STORAGE
#include "memory-storage.h"
#endif

#define WAIT_MS 20000
#define CONNS 3
#define NAMES_MAX 32
#define FILE_SIZE_MAX (8 << 20)

struct conn {
	int fd;
	pid_t pid;
	struct buf in;
	bool ended;
	bool cut;		/* the server had ended the session while the client still sent: X: must say so */
};

struct player {
	const char *path;
	struct imap_fixture fixture;
	struct conn conns[CONNS];
	char *names[NAMES_MAX], *values[NAMES_MAX];
	size_t name_count;
	size_t line_number;
	bool by_octet, bare_ends;
	unsigned messages;
};

static void
die(const struct player *p, const char *what, struct span want, struct span got)
{
	fail_msg("%s:%zu%s: %s\nwanted: %.*s\n   got: %.*s", p->path, p->line_number, p->by_octet ? " (octet by octet)" : "", what,
	    SPAN_ARG(want), SPAN_ARG(got));
}

/* ---- the session's process ---- */

static int
serve(struct player *p, int fd)
{
	struct session_start ss;

	imap_fixture_start(&p->fixture, fd, &ss);
	return imap_serve(&ss);
}

static struct span read_line(struct player *p, struct conn *c);

static void
open_conn(struct player *p, struct conn *c)
{
	int fds[2];
	struct span greeting;

	if (c->pid != 0)
		return;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	fflush(NULL);
	c->pid = fork();
	assert_true(c->pid != -1);
	if (c->pid == 0) {
		close(fds[0]);
		exit(serve(p, fds[1]));
	}
	close(fds[1]);
	c->fd = fds[0];
	buf_init(&c->in, FILE_SIZE_MAX * 2);
	greeting = read_line(p, c);
	if (!span_starts(greeting, SPAN("L OK [CAPABILITY IMAP4rev1 ")))
		die(p, "greeting", SPAN("L OK [CAPABILITY IMAP4rev1 ..."), greeting);
}

/* One read; false at the end. */
static bool
fill(struct player *p, struct conn *c)
{
	struct pollfd pfd = { .fd = c->fd, .events = POLLIN };
	ssize_t n;

	if (poll(&pfd, 1, WAIT_MS) != 1)
		die(p, "no answer in time", SPAN(""), buf_span(&c->in));
	assert_true(buf_grow(&c->in, c->in.n + 65536));
	n = read(c->fd, c->in.p + c->in.n, 65536);
	if (n > 0)
		c->in.n += (size_t)n;
	return n > 0;
}

/* The next line without its CRLF; valid until the next read_line of the connection. */
static struct span
read_line(struct player *p, struct conn *c)
{
	static struct buf line = BUF_INIT(FILE_SIZE_MAX * 2);
	size_t i;

	while ((i = span_chr(buf_span(&c->in), '\n')) == c->in.n)
		if (!fill(p, c))
			die(p, "connection closed", SPAN("a line"), buf_span(&c->in));
	buf_reset(&line);
	buf_add(&line, span_of(c->in.p, i));
	buf_drop(&c->in, i + 1);
	if (line.n > 0 && line.p[i - 1] == '\r')
		return span_of(line.p, i - 1);
	if (!p->bare_ends)
		die(p, "line end is no CRLF", SPAN(""), buf_span(&line));
	return span_of(line.p, i);
}

static void
close_conn(struct player *p, struct conn *c)
{
	int status = -1;

	if (c->pid == 0)
		return;
	if (!c->ended && c->cut)
		die(p, "connection closed while sending", SPAN(""), SPAN(""));
	if (!c->ended) {
		shutdown(c->fd, SHUT_WR);
		while (fill(p, c))
			;
		if (c->in.n > 0)
			die(p, "more answers than wanted", SPAN(""), buf_span(&c->in));
	}
	close(c->fd);
	buf_clear(&c->in);
	assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
	if (status != 0)
		fail_msg("%s: the session's process ended with status %d", p->path, status);
	memset(c, 0, sizeof(*c));
}

/* ---- names for numbers ---- */

static const char *
value_of(const struct player *p, struct span name)
{
	for (size_t i = 0; i < p->name_count; i++)
		if (span_eq(span_str(p->names[i]), name))
			return p->values[i];
	return NULL;
}

static void
set_value(struct player *p, struct span name, struct span value)
{
	assert_true(p->name_count < NAMES_MAX);
	p->names[p->name_count] = strndup(name.p, name.n);
	p->values[p->name_count++] = strndup(value.p, value.n);
}

static void
substitute(const struct player *p, struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.n - i > 3 && s.p[i] == '%' && s.p[i + 1] == '{') {
			size_t end = i + 2 + span_chr(span_from(s, i + 2), '}');
			const char *v = value_of(p, span_sub(s, i + 2, end - i - 2));

			if (v == NULL)
				fail_msg("%s:%zu: no such number: %.*s", p->path, p->line_number, SPAN_ARG(span_from(s, i)));
			buf_adds(out, v);
			i = end;
		} else
			buf_addc(out, s.p[i]);
	}
}

static bool
match_from(struct player *p, struct span pattern, struct span line)
{
	for (;;) {
		if (pattern.n == 0)
			return line.n == 0;
		if (pattern.p[0] == '*' && !(line.n > 1 && pattern.n > 1 && pattern.p[1] == ' ' && line.p[0] == '*')) {
			for (size_t i = 0; i <= line.n; i++)
				if (match_from(p, span_from(pattern, 1), span_from(line, i)))
					return true;
			return false;
		}
		if (pattern.n > 3 && pattern.p[0] == '%' && pattern.p[1] == '{') {
			size_t end = span_chr(pattern, '}'), n = 0;
			struct span name = span_sub(pattern, 2, end - 2);
			const char *v = value_of(p, name);

			while (n < line.n && ascii_is_digit(line.p[n]))
				n++;
			if (n == 0 || (v != NULL && !span_eq(span_str(v), span_sub(line, 0, n))))
				return false;
			if (v == NULL)
				set_value(p, name, span_sub(line, 0, n));
			pattern = span_from(pattern, end + 1);
			line = span_from(line, n);
			continue;
		}
		if (line.n == 0 || line.p[0] != pattern.p[0])
			return false;
		pattern = span_from(pattern, 1);
		line = span_from(line, 1);
	}
}

/* ---- what is there at the start ---- */

static void
add_message(struct player *p, struct storage *st, struct span rest)
{
	int64_t date = 1000000000 + 86400 * (int64_t)p->messages++;
	struct buf text = BUF_INIT(FILE_SIZE_MAX), path = BUF_INIT(4096);
	struct span box_name = SPAN(""), file = SPAN(""), flag, names[16];
	struct err e = ERR_INIT;
	unsigned flags = 0;
	size_t n = 0;

	span_next(&rest, ' ', &box_name);
	span_next(&rest, ' ', &file);
	while (span_next(&rest, ' ', &flag)) {
		if (span_eq(flag, SPAN("\\Seen")))
			flags |= MSG_SEEN;
		else if (span_eq(flag, SPAN("\\Deleted")))
			flags |= MSG_DELETED;
		else if (span_eq(flag, SPAN("\\Flagged")))
			flags |= MSG_FLAGGED;
		else
			names[n++] = flag;
	}
	if (file.p[0] == '@') {
		uint32_t size = 0;

		assert_true(span_u32(span_from(file, 1), &size));
		buf_adds(&text, "From: gen@example.org\nSubject: generated\n\n");
		while (text.n + 50 < size)
			buf_addf(&text, "line at %07zu of a text that is generated\n", text.n);
		while (text.n + 1 < size)
			buf_addc(&text, 'z');
		buf_addc(&text, '\n');
	} else {
		buf_adds(&path, CULVER_SRCDIR "/tests/transcript/imap/mail/");
		buf_add(&path, file);
		if (file_read(buf_cstr(&path), FILE_SIZE_MAX, &text, &e) == -1)
			fail_msg("%s:%zu: %s", p->path, p->line_number, e.log);
	}
	imap_fixture_add(st, box_name, buf_span(&text), flags, names, n, date);
	buf_clear(&text);
	buf_clear(&path);
}

static struct span
after_mark(struct span line)
{
	line = span_from(line, 2);
	return line.n > 0 && line.p[0] == ' ' ? span_from(line, 1) : line;
}

static void
prepare(struct player *p, struct span script)
{
	struct mailbox_status status;
	struct storage *st;
	struct err e = ERR_INIT;
	struct span line;
	size_t used = 0;

	p->line_number = 0;
	while (span_line(script, &used, &line)) {
		struct span rest = after_mark(line);
		size_t n = span_chr(rest, '=');

		p->line_number++;
		if (span_starts(line, SPAN("O:")) && set_view_override(p->fixture.view, span_sub(rest, 0, n), span_from(rest, n + 1), &e) == -1)
			fail_msg("%s:%zu: %s", p->path, p->line_number, e.log);
	}
	st = imap_fixture_storage(&p->fixture);
	/* What comes after the first look at a mailbox is \Recent. */
	assert_int_equal(storage_status(st, SPAN("INBOX"), STATUS_MESSAGES, &status, &e), 0);
	used = p->line_number = 0;
	while (span_line(script, &used, &line)) {
		p->line_number++;
		if (span_starts(line, SPAN("P:")) && (storage_create(st, after_mark(line), false, &e) == -1 ||
		    storage_status(st, after_mark(line), STATUS_MESSAGES, &status, &e) == -1))
			fail_msg("%s:%zu: %s", p->path, p->line_number, e.log);
		if (span_starts(line, SPAN("M:")))
			add_message(p, st, after_mark(line));
	}
	storage_close(st);
}

/* ---- playing ---- */

static void
send_bytes(struct player *p, struct conn *c, struct span s)
{
	size_t step = p->by_octet && s.n < 4096 ? 1 : s.n;

	open_conn(p, c);
	while (s.n > 0) {
		ssize_t n = send(c->fd, s.p, step < s.n ? step : s.n, MSG_NOSIGNAL);

		/* What it has said before that is looked at next. */
		if (n == -1 && (errno == EPIPE || errno == ECONNRESET)) {
			c->cut = true;
			return;
		}
		if (n <= 0)
			die(p, "the connection failed while sending", s, SPAN(""));
		s = span_from(s, (size_t)n);
	}
}

static void
send_line(struct player *p, struct conn *c, struct span rest, bool raw)
{
	static const char letters[] = "rn0t\\", octets[] = "\r\n\0\t\\";
	struct buf text = BUF_INIT(FILE_SIZE_MAX), out = BUF_INIT(FILE_SIZE_MAX);

	substitute(p, &text, rest);
	for (size_t i = 0; i < text.n; i++) {
		const char *at = NULL;

		if (!raw || text.p[i] != '\\' || i + 1 == text.n) {
			buf_addc(&out, text.p[i]);
			continue;
		}
		i++;
		at = memchr(letters, text.p[i], sizeof(letters) - 1);
		if (at != NULL)
			buf_addc(&out, octets[at - letters]);
		else if (text.p[i] == 'x' && hex_decode(&out, span_sub(buf_span(&text), i + 1, 2)))
			i += 2;
		else
			fail_msg("%s:%zu: bad escape", p->path, p->line_number);
	}
	if (!raw)
		buf_adds(&out, "\r\n");
	send_bytes(p, c, buf_span(&out));
	buf_clear(&text);
	buf_clear(&out);
}

/* A run of "S|" lines: each of the server's lines must be one that was not met yet. */
static void
expect_block(struct player *p, struct conn *c, struct span *wanted, size_t count)
{
	for (size_t left = count; left > 0; left--) {
		struct span line = read_line(p, c);
		size_t i = 0;

		while (i < count && (wanted[i].p == NULL || !match_from(p, wanted[i], line)))
			i++;
		if (i == count)
			die(p, "none of the block", wanted[0], line);
		wanted[i].p = NULL;
	}
}

static void
play(struct player *p, struct span script)
{
	struct span line, block[256];
	size_t used = 0, blocked = 0;
	struct conn *block_conn = NULL;

	p->line_number = 0;
	for (;;) {
		bool more = span_line(script, &used, &line);
		struct conn *c = &p->conns[1];
		struct span rest, got;
		char kind, mark;

		p->line_number++;
		if (more && line.n > 2 && ascii_is_digit(line.p[0])) {
			c = &p->conns[(line.p[0] - '0') % CONNS];
			line = span_from(line, 1);
		}
		kind = more && line.n > 1 ? line.p[0] : '#';
		mark = more && line.n > 1 ? line.p[1] : ' ';
		rest = more && line.n > 1 ? after_mark(line) : SPAN("");
		if (blocked > 0 && !(kind == 'S' && mark == '|')) {
			expect_block(p, block_conn, block, blocked);
			blocked = 0;
		}
		if (!more)
			break;
		switch (kind) {
		case 'C':
			send_line(p, c, rest, mark == '=');
			break;
		case 'S':
			if (mark == '|') {
				assert_true(blocked < 256);
				block[blocked++] = rest;
				block_conn = c;
				break;
			}
			open_conn(p, c);
			got = read_line(p, c);
			if (mark == '~' ? !match_from(p, rest, got) : !span_eq(rest, got))
				die(p, "wrong answer", rest, got);
			break;
		case 'X':
			while (fill(p, c))
				;
			if (c->in.n > 0)
				die(p, "more answers than wanted", SPAN(""), buf_span(&c->in));
			c->ended = true;
			break;
		case 'O': case 'P': case 'M': case '#':
			break;
		default:
			fail_msg("%s:%zu: unknown line", p->path, p->line_number);
		}
	}
	for (size_t i = 0; i < CONNS; i++)
		close_conn(p, &p->conns[i]);
}

static void
play_file(const char *path, bool by_octet)
{
	struct buf script = BUF_INIT(FILE_SIZE_MAX);
	struct player p = { .path = path, .by_octet = by_octet };
	struct err e = ERR_INIT;

	if (file_read(path, FILE_SIZE_MAX, &script, &e) == -1)
		fail_msg("%s", e.log);
#ifdef MEMORY_STORAGE
	memory_storage_reset();
#endif
	p.bare_ends = span_find(buf_span(&script), SPAN("# bare line ends")) != SIZE_MAX;
	imap_fixture_make(&p.fixture);
	prepare(&p, buf_span(&script));
	play(&p, buf_span(&script));
	for (size_t i = 0; i < p.name_count; i++) {
		free(p.names[i]);
		free(p.values[i]);
	}
	imap_fixture_clear(&p.fixture);
	buf_clear(&script);
#ifdef MEMORY_STORAGE
	memory_storage_reset();
#endif
}

/* Sessions in two processes share no memory: some transcripts are for the real storage alone. */
static bool
is_for_this_storage(const char *path)
{
#ifdef MEMORY_STORAGE
	struct buf script = BUF_INIT(FILE_SIZE_MAX);
	struct err e = ERR_INIT;
	bool shared;

	if (file_read(path, FILE_SIZE_MAX, &script, &e) == -1)
		return true;	/* and fails when it is played */
	shared = span_find(buf_span(&script), SPAN("\n2C")) != SIZE_MAX ||
		span_find(buf_span(&script), SPAN("# real storage")) != SIZE_MAX;
	buf_clear(&script);
	return !shared;
#else
	(void)path;
	return true;
#endif
}

static void
test_file(void **state)
{
	play_file(*state, false);
	play_file(*state, true);
}

static int
name_cmp(const void *a, const void *b)
{
	return strcmp(((const struct CMUnitTest *)a)->name, ((const struct CMUnitTest *)b)->name);
}

int
main(int argc, char **argv)
{
	static struct CMUnitTest tests[512];
	static const char dir[] = CULVER_SRCDIR "/tests/transcript/imap";
	struct dirent *entry;
	size_t count = 0;
	DIR *d;
	int rc;

	setenv("TZ", "UTC", 1);
	tzset();
	log_init(&(struct log_target){ .fd = open("/dev/null", O_WRONLY | O_CLOEXEC), .info_fd = -1, .debug_fd = -1 });
	if (argc > 1) {
		play_file(argv[1], argc > 2);
		return 0;
	}
	d = opendir(dir);
	if (d == NULL)
		return 1;
	while ((entry = readdir(d)) != NULL) {
		char *path = NULL;

		if (!span_ends(span_str(entry->d_name), SPAN(".t")) || asprintf(&path, "%s/%s", dir, entry->d_name) == -1)
			continue;
		if (!is_for_this_storage(path)) {
			free(path);
			continue;
		}
		assert_true(count < COUNT(tests));	/* none is left out without a word */
		tests[count].name = path + sizeof(dir);
		tests[count].test_func = test_file;
		tests[count++].initial_state = path;
	}
	closedir(d);
	if (count == 0)
		return 1;
	qsort(tests, count, sizeof(tests[0]), name_cmp);
	rc = _cmocka_run_group_tests("imap transcripts", tests, count, NULL, NULL);
	for (size_t i = 0; i < count; i++)
		free(tests[i].initial_state);
	return rc;
}
