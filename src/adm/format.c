/* SPDX-License-Identifier: MIT */
#include "adm/format.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lib/encode.h"
#include "lib/sys.h"

#define COLUMNS_MAX 64
#define TABLE_SAMPLE 100	/* rows that decide on a table's widths */
#define VALUE_MAX (256u << 20)

struct column {
	const char *key, *title;
	unsigned flags;
	size_t width;
};

/* Seen by all processes that print rows of one command. */
struct shared {
	bool header_done;
	uint64_t rows;
};

struct format {
	enum format_kind kind;
	int fd;
	bool is_terminal;
	struct buf shown;		/* a value as it is shown there */
	struct column columns[COLUMNS_MAX];
	size_t column_count, at;
	struct buf out;
	struct buf cells[TABLE_SAMPLE];	/* a table's first rows: values behind each other, each with its NUL */
	size_t sampled;
	bool widths_known;
	struct shared *shared;
};

bool
format_kind_parse(struct span name, enum format_kind *out)
{
	static const char *const names[] = { "flow", "tab", "table", "pager", "json" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (span_eq(name, span_str(names[i]))) {
			*out = (enum format_kind)i;
			return true;
		}
	return false;
}

struct format *
format_new(enum format_kind kind, int out_fd)
{
	struct format *f = calloc(1, sizeof(*f));
	void *p;

	if (f == NULL)
		return NULL;
	p = mmap(NULL, sizeof(*f->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		free(f);
		return NULL;
	}
	f->shared = p;
	f->kind = kind;
	f->fd = out_fd;
	f->is_terminal = isatty(out_fd) == 1;
	buf_init(&f->shown, VALUE_MAX);
	buf_init(&f->out, VALUE_MAX);
	for (size_t i = 0; i < TABLE_SAMPLE; i++)
		buf_init(&f->cells[i], VALUE_MAX);
	return f;
}

void
format_free(struct format *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < TABLE_SAMPLE; i++)
		buf_clear(&f->cells[i]);
	buf_clear(&f->out);
	buf_clear(&f->shown);
	munmap(f->shared, sizeof(*f->shared));
	free(f);
}

void
format_column(struct format *f, const char *key, const char *title, unsigned flags)
{
	if (f->column_count < COLUMNS_MAX)
		f->columns[f->column_count++] = (struct column){ key, title, flags, strlen(title) };
}

static void
write_out(struct format *f)
{
	struct err e = ERR_INIT;

	if (f->out.n > 0 && fd_write_all(f->fd, buf_span(&f->out), &e) == -1)
		exit(74);	/* EX_IOERR: nobody reads on (a closed pipe), or the disk is full */
	buf_reset(&f->out);
}

static void
json_string(struct buf *out, struct span s)
{
	size_t pos = 0;

	buf_addc(out, '"');
	while (pos < s.n) {
		size_t from = pos;
		uint32_t cp;

		if (!utf8_next(s, &pos, &cp))
			buf_adds(out, "\\ufffd");
		else if (cp == '"' || cp == '\\')
			buf_addf(out, "\\%c", (int)cp);
		else if (cp == '\n')
			buf_adds(out, "\\n");
		else if (cp < 0x20 || cp == 0x7f)
			buf_addf(out, "\\u%04x", cp);
		else
			buf_add(out, span_of(s.p + from, pos - from));
	}
	buf_addc(out, '"');
}

static void
tab_string(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		switch (s.p[i]) {
		case '\001':
			buf_adds(out, "\0011");
			break;
		case '\t':
			buf_adds(out, "\001t");
			break;
		case '\r':
			buf_adds(out, "\001r");
			break;
		case '\n':
			buf_adds(out, "\001n");
			break;
		default:
			buf_addc(out, s.p[i]);
		}
	}
}

/* Cells of a terminal that s takes: code points, near enough for names and numbers. */
static size_t
cells_of(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static void
table_cell(struct format *f, size_t idx, struct span s)
{
	const struct column *c = &f->columns[idx];
	size_t cells = cells_of(s), pad = cells < c->width ? c->width - cells : 0;
	bool last = idx + 1 == f->column_count;

	for (size_t i = 0; (c->flags & FORMAT_RIGHT) != 0 && i < pad; i++)
		buf_addc(&f->out, ' ');
	buf_add(&f->out, s);
	for (size_t i = 0; (c->flags & FORMAT_RIGHT) == 0 && !last && i < pad; i++)
		buf_addc(&f->out, ' ');
	buf_addc(&f->out, last ? '\n' : ' ');
}

static void
header(struct format *f)
{
	if (f->shared->header_done)
		return;
	f->shared->header_done = true;
	if (f->kind == FORMAT_JSON)
		buf_addc(&f->out, '[');
	for (size_t i = 0; f->kind == FORMAT_TAB && i < f->column_count; i++)
		buf_addf(&f->out, "%s%c", f->columns[i].key, i + 1 == f->column_count ? '\n' : '\t');
	for (size_t i = 0; f->kind == FORMAT_TABLE && i < f->column_count; i++)
		table_cell(f, i, span_str(f->columns[i].title));
}

/* The sampled rows, now that widths are known. */
static void
table_release(struct format *f)
{
	if (f->widths_known)
		return;
	f->widths_known = true;
	header(f);
	for (size_t row = 0; row < f->sampled; row++) {
		struct span rest = buf_span(&f->cells[row]);

		for (size_t i = 0; i < f->column_count; i++) {
			size_t n = span_chr(rest, '\0');

			table_cell(f, i, span_of(rest.p, n));
			rest = span_from(rest, n + 1);
		}
		buf_clear(&f->cells[row]);
	}
	f->sampled = 0;
}

static void
table_value(struct format *f, struct span value)
{
	struct buf *row;
	size_t cells = cells_of(value);

	if (f->widths_known) {
		table_cell(f, f->at, value);
		return;
	}
	row = &f->cells[f->sampled];
	buf_add(row, span_of(value.p, span_chr(value, '\0')));
	buf_addc(row, '\0');
	if (cells > f->columns[f->at].width)
		f->columns[f->at].width = cells;
	if (f->at + 1 == f->column_count && ++f->sampled == TABLE_SAMPLE)
		table_release(f);
}

static void
value_text(struct format *f, const struct column *c, struct span value)
{
	bool last = f->at + 1 == f->column_count;

	switch (f->kind) {
	case FORMAT_FLOW:
		if ((c->flags & FORMAT_HIDE_KEY) == 0)
			buf_addf(&f->out, "%s=", c->key);
		buf_add(&f->out, value);
		buf_addc(&f->out, last ? '\n' : ' ');
		break;
	case FORMAT_TAB:
		tab_string(&f->out, value);
		buf_addc(&f->out, last ? '\n' : '\t');
		break;
	case FORMAT_PAGER:
		if ((c->flags & FORMAT_HIDE_KEY) == 0)
			buf_addf(&f->out, "%s: ", c->key);
		buf_add(&f->out, value);
		buf_adds(&f->out, last ? "\n\f\n" : "\n");
		break;
	case FORMAT_JSON:
		buf_adds(&f->out, f->at > 0 ? "," : f->shared->rows > 0 ? ",\n{" : "\n{");
		json_string(&f->out, span_str(c->key));
		buf_addc(&f->out, ':');
		json_string(&f->out, value);
		buf_adds(&f->out, last ? "}" : "");
		break;
	case FORMAT_TABLE:
		table_value(f, value);
		break;
	}
}

/* The controls of ASCII but TAB and line ends, and those of U+0080 to U+009F, which some terminals obey as well. */
static struct span
for_terminal(struct format *f, struct span s)
{
	buf_reset(&f->shown);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i], next = i + 1 < s.n ? (unsigned char)s.p[i + 1] : 0;

		if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
			buf_adds(&f->shown, "??");
			i++;
		} else if ((c >= ' ' && c != 0x7f) || c == '\t' || c == '\n' || (c == '\r' && next == '\n'))
			buf_addc(&f->shown, s.p[i]);
		else
			buf_addf(&f->shown, "^%c", c ^ 0x40);
	}
	return buf_span(&f->shown);
}

void
format_value(struct format *f, struct span value)
{
	if (f->kind != FORMAT_TABLE)
		header(f);
	value_text(f, &f->columns[f->at], f->is_terminal ? for_terminal(f, value) : value);
	if (++f->at == f->column_count) {
		f->at = 0;
		f->shared->rows++;
		if (f->out.n >= 4096)
			write_out(f);
	}
}

void
format_valuef(struct format *f, const char *fmt, ...)
{
	struct buf b = BUF_INIT(65536);
	va_list ap;

	va_start(ap, fmt);
	buf_addv(&b, fmt, ap);
	va_end(ap);
	format_value(f, buf_span(&b));
	buf_clear(&b);
}

uint64_t
format_rows(const struct format *f)
{
	return f->shared->rows;
}

void
format_flush(struct format *f)
{
	if (f->kind == FORMAT_TABLE && f->sampled > 0)
		table_release(f);
	write_out(f);
}

void
format_end(struct format *f)
{
	if (f->column_count > 0 && f->kind != FORMAT_FLOW && f->kind != FORMAT_PAGER)
		header(f);
	if (f->kind == FORMAT_JSON)
		buf_adds(&f->out, f->column_count == 0 ? "[]\n" : f->shared->rows > 0 ? "\n]\n" : "]\n");
	format_flush(f);
}
