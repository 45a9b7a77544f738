/* SPDX-License-Identifier: MIT */
#include "lib-deliver/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/sys.h"

#define LOCK_MS 3000		/* who holds it for longer gets no entry, and the delivery goes on */
#define MAGIC SPAN("1")		/* of the format; stands first on each line */

static void
add_value(struct buf *out, struct span s)
{
	s = span_sub(s, 0, JOURNAL_VALUE);
	buf_addc(out, '\t');
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '\t':
			buf_adds(out, "\\t");
			break;
		case '\n':
			buf_adds(out, "\\n");
			break;
		case '\\':
			buf_adds(out, "\\\\");
			break;
		default:
			buf_addc(out, s.p[i]);
			break;
		}
	}
}

void
journal_write(struct buf *out, const struct journal_entry *entry)
{
	size_t start = out->n;

	buf_add(out, MAGIC);
	buf_addf(out, "\t%lld", (long long)entry->time);
	add_value(out, entry->message_id);
	add_value(out, entry->sender);
	add_value(out, entry->recipient);
	add_value(out, entry->session);
	for (size_t i = 0; i < entry->step_count; i++)
		if (out->n - start + entry->steps[i].n < JOURNAL_LINE - 2)
			add_value(out, entry->steps[i]);
	buf_addc(out, '\n');
}

static bool
unescape(struct arena *a, struct span s, struct span *out)
{
	char *text = arena_alloc(a, s.n + 1, 1);
	size_t n = 0;

	if (text == NULL)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\' && i + 1 < s.n) {
			i++;
			text[n++] = s.p[i] == 't' ? '\t' : s.p[i] == 'n' ? '\n' : s.p[i];
		} else
			text[n++] = s.p[i];
	}
	*out = span_of(text, n);
	return true;
}

bool
journal_parse(struct span line, struct arena *a, struct journal_entry *out)
{
	struct span rest = line, word, *const heads[] = { &out->message_id, &out->sender, &out->recipient, &out->session };
	const size_t count = sizeof(heads) / sizeof(heads[0]);
	uint64_t when;

	*out = (struct journal_entry){ .step_count = 0 };
	if (line.n > 2 * JOURNAL_LINE || !span_next(&rest, '\t', &word) || !span_eq(word, MAGIC) ||
	    !span_next(&rest, '\t', &word) || !span_u64(word, INT64_MAX, &when))
		return false;
	out->time = (int64_t)when;
	for (size_t i = 0; i < count; i++) {
		/* Nothing behind the last tab is an empty value, too. */
		bool empty = i == count - 1 && rest.n == 0 && line.p[line.n - 1] == '\t';

		if ((!empty && !span_next(&rest, '\t', &word)) || !unescape(a, empty ? SPAN("") : word, heads[i]))
			return false;
	}
	while (out->step_count < JOURNAL_STEPS && span_next(&rest, '\t', &word))
		if (!unescape(a, word, &out->steps[out->step_count++]))
			return false;
	return true;
}

/* The newer half of what is there, from the start of a line on. */
static struct span
newer_half(struct span text)
{
	struct span half = span_from(text, text.n / 2);

	return span_from(half, span_chr(half, '\n') + 1);
}

/* What the new entry comes behind: a crash may have left half of one. */
static bool
ends_a_line(int fd, off_t size)
{
	char last;

	return size == 0 || pread(fd, &last, 1, size - 1) != 1 || last == '\n';
}

static int
append(int dir_fd, int fd, size_t max, struct span line, struct err *e)
{
	struct buf text = BUF_INIT(JOURNAL_MAX + JOURNAL_LINE);
	struct stat st;
	int rc;

	if (fstat(fd, &st) == -1)
		return err_errno(e, "%s", JOURNAL_FILE);
	if ((uint64_t)st.st_size + line.n + 1 <= max) {
		rc = ends_a_line(fd, st.st_size) ? 0 : fd_write_all(fd, SPAN("\n"), e);
		if (rc == 0)
			rc = fd_write_all(fd, line, e);
		/* Without room for all of it: nothing of it. */
		if (rc == -1 && ftruncate(fd, st.st_size) == -1)
			return err_wrap(e, "%s, half of an entry", JOURNAL_FILE);
		return rc;
	}
	rc = fd_read_all(fd, JOURNAL_MAX, &text, e);
	if (rc == 0 || e->code == ERR_LIMIT) {
		struct buf kept = BUF_INIT(JOURNAL_MAX + 2 * JOURNAL_LINE);
		struct span half = newer_half(buf_span(&text));

		/* The limit may have been set lower since. */
		if (half.n + line.n + 1 > max)
			half = SPAN("");
		buf_add(&kept, half);
		if (half.n > 0 && half.p[half.n - 1] != '\n')
			buf_addc(&kept, '\n');
		buf_add(&kept, line);
		rc = kept.failed ? err_set(e, ERR_TEMP, "out of memory") :
		    file_replace(dir_fd, JOURNAL_FILE, buf_span(&kept), 0600, false, e);
		buf_clear(&kept);
	}
	buf_clear(&text);
	return rc;
}

int
journal_add(int dir_fd, size_t max, const struct journal_entry *entry, struct err *e)
{
	struct buf line = BUF_INIT(2 * JOURNAL_LINE);
	int fd = file_open_locked(dir_fd, JOURNAL_FILE, LOCK_MS, e), rc;

	if (fd == -1)
		return -1;
	journal_write(&line, entry);
	if (max > JOURNAL_MAX)
		max = JOURNAL_MAX;
	rc = line.failed ? err_set(e, ERR_TEMP, "out of memory") : append(dir_fd, fd, max, buf_span(&line), e);
	close(fd);
	buf_clear(&line);
	return rc;
}

int
journal_read(int dir_fd, struct buf *out, struct err *e)
{
	int fd = openat(dir_fd, JOURNAL_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc;
	struct stat st;

	if (fd == -1)
		return errno == ENOENT ? 0 : err_errno(e, "open %s", JOURNAL_FILE);
	rc = fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ? err_set(e, ERR_DENIED, "%s is no plain file", JOURNAL_FILE) :
	    fd_read_all(fd, JOURNAL_MAX, out, e);
	close(fd);
	return rc;
}
