/* SPDX-License-Identifier: MIT */
#include "transcript.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "lib/encode.h"
#include "lib/sys.h"

#define FILE_MAX (1 << 20)
#define OUT_MAX (8 << 20)
#define IN_MAX 65536

static struct span
after_mark(struct span line)
{
	line = span_from(line, 2);
	return line.n > 0 && line.p[0] == ' ' ? span_from(line, 1) : line;
}

static void
add_escaped(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		static const char letters[] = "rn0t\\", octets[] = "\r\n\0\t\\";
		const char *at;

		if (s.p[i] != '\\' || i + 1 == s.n) {
			buf_addc(out, s.p[i]);
			continue;
		}
		i++;
		at = memchr(letters, s.p[i], sizeof(letters) - 1);
		if (at != NULL)
			buf_addc(out, octets[at - letters]);
		else if (s.p[i] == 'x' && s.n - i > 2 && hex_decode(out, span_sub(s, i + 1, 2)))
			i += 2;
		else
			fail_msg("bad escape in: %.*s", SPAN_ARG(s));
	}
}

/* '*' is any text; linear enough for a test. */
static bool
matches(struct span pattern, struct span line)
{
	size_t p = 0, l = 0, star = SIZE_MAX, mark = 0;

	while (l < line.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			mark = l;
		} else if (p < pattern.n && pattern.p[p] == line.p[l]) {
			p++;
			l++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			l = ++mark;
		} else
			return false;
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

static void
compare(const char *path, struct span script, struct span got, size_t step)
{
	size_t used = 0, got_used = 0, number = 0;
	struct span line, answer;

	while (span_line(script, &used, &line)) {
		bool exact = span_starts(line, SPAN("S:"));
		struct span want;

		number++;
		if (!exact && !span_starts(line, SPAN("S~")))
			continue;
		want = after_mark(line);
		if (!span_line(got, &got_used, &answer))
			fail_msg("%s:%zu (step %zu): no answer, wanted: %.*s", path, number, step, SPAN_ARG(want));
		else if (exact ? !span_eq(want, answer) : !matches(want, answer))
			fail_msg("%s:%zu (step %zu):\nwanted: %.*s\n   got: %.*s", path, number, step, SPAN_ARG(want),
			    SPAN_ARG(answer));
	}
	if (got_used != got.n)
		fail_msg("%s (step %zu): more answers than wanted: %.*s", path, step, SPAN_ARG(span_from(got, got_used)));
}

static void
play(const char *path, struct span script, const struct transcript_ops *ops, size_t step)
{
	struct buf input = BUF_INIT(FILE_MAX);
	struct stream s;
	struct span line;
	size_t used = 0;

	ops->start(ops->ctx);
	while (span_line(script, &used, &line)) {
		struct span rest = after_mark(line);

		if (span_starts(line, SPAN("C:"))) {
			buf_add(&input, rest);
			buf_adds(&input, "\r\n");
		} else if (span_starts(line, SPAN("C=")))
			add_escaped(&input, rest);
		else if (span_starts(line, SPAN("O:"))) {
			size_t n = span_chr(rest, '=');

			ops->option(ops->ctx, span_sub(rest, 0, n), span_from(rest, n + 1));
		} else if (line.n > 0 && line.p[0] != '#' && line.p[0] != 'S')
			fail_msg("%s: unknown line: %.*s", path, SPAN_ARG(line));
	}
	stream_init_mem(&s, buf_span(&input), IN_MAX, OUT_MAX);
	if (step > 0)
		s.script_step = step;
	ops->play(ops->ctx, &s);
	compare(path, script, buf_span(&s.out), step);
	stream_clear(&s);
	ops->stop(ops->ctx);
	buf_clear(&input);
}

void
transcript_file(const char *path, const struct transcript_ops *ops)
{
	static const size_t steps[] = { 0, 1, 2, 3, 7, 64 };
	struct buf script = BUF_INIT(FILE_MAX);
	struct err e = ERR_INIT;

	if (file_read(path, FILE_MAX, &script, &e) == -1)
		fail_msg("%s", e.log);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		play(path, buf_span(&script), ops, steps[i]);
	buf_clear(&script);
}

void
transcript_dir(const char *name, const struct transcript_ops *ops)
{
	const char *srcdir = getenv("srcdir");
	char dir[512], path[1024];
	struct dirent *entry;
	unsigned count = 0;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s/tests/transcript/%s", srcdir == NULL ? CULVER_SRCDIR : srcdir, name);
	d = opendir(dir);
	if (d == NULL)
		fail_msg("%s can not be read", dir);
	while ((entry = readdir(d)) != NULL) {
		if (!span_ends(span_str(entry->d_name), SPAN(".t")))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		transcript_file(path, ops);
		count++;
	}
	closedir(d);
	assert_true(count > 0);
}
