/* SPDX-License-Identifier: MIT */
/*
 * Feeds what tests/generate-messages.py makes (some 800 messages of every shape) through the parser and the summary,
 * and checks what must hold for any message.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib-mail/crlf.h"
#include "lib-mail/imap-mime.h"
#include "lib-mail/match.h"
#include "lib-mail/summary.h"

static char dir[] = "/tmp/culver-messages-XXXXXX";

static int
generate(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	if (mkdtemp(dir) == NULL || (pid = fork()) == -1)
		return -1;
	if (pid == 0) {
		execlp("python3", "python3", GENERATOR, dir, (char *)NULL);
		_exit(127);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

typedef void (*on_message)(const char *name, struct span in);

static unsigned
each_message(on_message f)
{
	DIR *d = opendir(dir);
	struct dirent *de;
	unsigned count = 0;

	assert_non_null(d);
	while ((de = readdir(d)) != NULL) {
		char path[512];
		struct stat st;
		FILE *file;
		char *p;

		if (de->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, de->d_name);
		file = fopen(path, "rb");
		assert_non_null(file);
		assert_int_equal(fstat(fileno(file), &st), 0);
		/* Exactly as long as the message, so that a sanitizer sees a step beyond. */
		p = malloc((size_t)st.st_size + (st.st_size == 0));
		assert_int_equal(fread(p, 1, (size_t)st.st_size, file), st.st_size);
		fclose(file);
		f(de->d_name, span_of(p, (size_t)st.st_size));
		free(p);
		count++;
	}
	closedir(d);
	return count;
}

static int
remove_all(void **state)
{
	DIR *d = opendir(dir);
	struct dirent *de;

	(void)state;
	while (d != NULL && (de = readdir(d)) != NULL) {
		if (de->d_name[0] != '.')
			unlinkat(dirfd(d), de->d_name, 0);
	}
	if (d != NULL)
		closedir(d);
	return rmdir(dir);
}

/* Does the extent say of itself what is true of its octets? */
static void
check_extent(const char *name, struct span in, const struct mime_extent *x)
{
	struct crlf_count count = { 0, 0 };

	if (x->offset > in.n || x->size > in.n - x->offset)
		fail_msg("%s: an extent is outside", name);
	crlf_count(&count, span_sub(in, x->offset, x->size), x->offset == 0 ? '\0' : in.p[x->offset - 1]);
	if (x->lines != count.lines || x->virt != x->size + count.bare)
		fail_msg("%s: an extent of %zu octets has %zu lines and %zu virtual octets, and says %zu and %zu", name,
			x->size, count.lines, x->size + count.bare, x->lines, x->virt);
}

static void
check_part(const char *name, struct span in, const struct mime_part *p)
{
	check_extent(name, in, &p->header);
	check_extent(name, in, &p->body);
	if (p->header.offset + p->header.size != p->body.offset)
		fail_msg("%s: the body does not follow the header", name);
	if (p->parent != NULL && (p->header.offset < p->parent->body.offset ||
		p->body.offset + p->body.size > p->parent->body.offset + p->parent->body.size))
		fail_msg("%s: a part is not inside its parent", name);
}

/* All parts, each with the path under which it must be found. */
static void
check_tree(const char *name, struct span in, const struct mime_part *root)
{
	uint32_t path[256];
	size_t depth = 0;
	const struct mime_part *p = root;

	for (;;) {
		const struct mime_part *up;
		struct mime_extent x;

		check_part(name, in, p);
		if (p->parent != NULL && (p->parent->flags & MIME_MULTIPART) != 0) {
			if (mime_find(root, path, depth) != p)
				fail_msg("%s: a part is not found by its number", name);
			assert_true(mime_section(root, path, depth, MIME_SECTION_ALL, &x));
			assert_true(x.offset == p->body.offset);
			assert_true(mime_section(root, path, depth, MIME_SECTION_MIME, &x));
			assert_true(x.offset == p->header.offset);
			assert_int_equal(mime_section(root, path, depth, MIME_SECTION_HEADER, &x),
				(p->flags & MIME_MESSAGE) != 0 && p->child != NULL);
		}
		/* Down: the parts of a multipart are numbered; the message in a message has its part's number. */
		if (p->child != NULL) {
			if ((p->flags & MIME_MULTIPART) != 0)
				path[depth++] = 1;
			else if (p->parent == NULL || (p->parent->flags & MIME_MESSAGE) != 0)
				path[depth++] = 1;	/* a message that is only a message: its part 1 */
			p = p->child;
			continue;
		}
		for (up = p; up != NULL && up->next == NULL; up = up->parent) {
			if (up->parent != NULL && (up->parent->flags & MIME_MULTIPART) != 0)
				depth--;
			else if (up->parent != NULL && (up->parent->parent == NULL ||
				(up->parent->parent->flags & MIME_MESSAGE) != 0))
				depth--;
		}
		if (up == NULL)
			return;
		path[depth - 1]++;
		p = up->next;
	}
}

/* One IMAP value, and nothing behind it: parentheses that match, strings that end, literals as long as they say. */
static bool
is_imap_value(struct span s)
{
	size_t depth = 0, i = 0;

	while (i < s.n) {
		char c = s.p[i];

		if (c == '(') {
			depth++;
			i++;
		} else if (c == ')') {
			if (depth == 0)
				return false;
			i++;
			if (--depth == 0)
				return i == s.n;
		} else if (c == '"') {
			for (i++; i < s.n && s.p[i] != '"'; i++) {
				if (s.p[i] == '\\')
					i++;
				if (i >= s.n || (unsigned char)s.p[i] >= 0x80 || memchr("\r\n", s.p[i], 3) != NULL)
					return false;
			}
			i++;
		} else if (c == '{') {
			size_t end = i + span_chr(span_from(s, i), '}');
			uint64_t n;

			if (end + 2 >= s.n || !span_u64(span_sub(s, i + 1, end - i - 1), s.n - end - 3, &n) ||
				s.p[end + 1] != '\r' || s.p[end + 2] != '\n' || memchr(s.p + end + 3, '\0', n) != NULL)
				return false;
			i = end + 3 + n;
		} else if (c == ' ' || ascii_is_alpha(c) || ascii_is_digit(c)) {
			i++;
		} else {
			return false;
		}
	}
	return false;
}

/* The fields of the summary are what HEADER.FIELDS of the message itself gives. */
static void
check_fields(const char *name, struct span in, const struct summary_view *v)
{
	static const char *const wanted[] = { "From", "TO", "cc", "Bcc", "Subject", "Date", "Message-ID", "Priority",
		"X-Priority", "References", "Newsgroups", "In-Reply-To", "Content-Type", "Reply-To", "Received" };
	enum { COUNT = sizeof(wanted) / sizeof(wanted[0]) };
	struct span names[COUNT];
	struct summary_fieldset set;
	struct buf a = BUF_INIT(100 << 20), b = BUF_INIT(100 << 20);

	for (size_t i = 0; i < COUNT; i++)
		names[i] = span_str(wanted[i]);
	assert_true(summary_fieldset_init(&set, names, COUNT));
	summary_fields_write(&a, v, &set);
	header_fields_write(&b, in, names, COUNT, false, 1000000, SIZE_MAX);
	if (!span_eq(buf_span(&a), buf_span(&b)))
		fail_msg("%s: the kept fields are not those of the message", name);
	assert_int_equal(summary_fields_size(v, &set), a.n);
	buf_clear(&a);
	buf_clear(&b);
}

static void
check_summary(const char *name, struct span in, struct arena *a, const struct mime_part *root)
{
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;
	struct buf value = BUF_INIT(64 << 20), want = BUF_INIT(64 << 20), got = BUF_INIT(64 << 20);
	struct summary_view v;

	assert_int_equal(summary_from_message(&value, a, in, &lim), 0);
	assert_true(summary_view(buf_span(&value), &v));
	assert_int_equal(v.size, in.n);
	assert_int_equal(v.virtual_size, crlf_size(in));
	summary_encode(&got, &v);
	assert_true(span_eq(buf_span(&got), buf_span(&value)));
	if ((v.flags & SUMMARY_FIELDS) != 0)
		check_fields(name, in, &v);

	assert_int_equal(imap_envelope_write(&want, a, root->envelope, &lim), 0);
	if (!is_imap_value(buf_span(&want)))
		fail_msg("%s: envelope %s", name, buf_cstr(&want));
	if ((v.flags & SUMMARY_ENVELOPE) != 0)
		assert_true(span_eq(v.envelope, buf_span(&want)));
	buf_reset(&want);
	assert_int_equal(imap_bodystructure_write(&want, root, &lim, NULL), 0);
	if (!is_imap_value(buf_span(&want)))
		fail_msg("%s: bodystructure %s", name, buf_cstr(&want));
	if ((v.flags & SUMMARY_STRUCTURE) != 0) {
		assert_true(span_eq(v.bodystructure, buf_span(&want)));
		buf_reset(&want);
		buf_reset(&got);
		assert_int_equal(imap_body_write(&want, root, &lim), 0);
		summary_body_write(&got, &v);
		if (!span_eq(buf_span(&got), buf_span(&want)))
			fail_msg("%s: body %s", name, buf_cstr(&want));
	}
	buf_clear(&value);
	buf_clear(&want);
	buf_clear(&got);
}

static void
check_message(const char *name, struct span in)
{
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;
	struct arena *a = arena_new(MAIL_ARENA_MAX);
	struct mime_part *root;

	assert_int_equal(mime_parse(a, in, &lim, NULL, NULL, &root), 0);
	assert_int_equal(root->header.size + root->body.size, in.n);
	check_tree(name, in, root);
	check_summary(name, in, a, root);
	arena_free(a);
}

static void
test_structure(void **state)
{
	(void)state;
	assert_in_range(each_message(check_message), 500, 100000);
}

/* Words that are somewhere in the body, and one that is nowhere. */
static void
check_search(const char *name, struct span in)
{
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;
	struct match_needle *nowhere = match_needle_new(SPAN("such a thing is in no message"));
	struct match_needle *anna = match_needle_new(SPAN("ANNA BEISPIEL <anna@example.org>"));
	struct match_needle *text = match_needle_new(SPAN("DEEP"));

	assert_int_equal(match_message(nowhere, in, MATCH_TEXT, &lim), 0);
	if (span_starts(in, SPAN("From: Anna Beispiel <anna@example.org>")) &&
		match_message(anna, in, MATCH_TEXT, &lim) != 1)
		fail_msg("%s: the sender is not found", name);
	if (strncmp(name, "depth-050", 9) == 0 && strstr(name, "rfc822") == NULL)
		assert_int_equal(match_message(text, in, MATCH_BODY, &lim), 1);
	match_needle_free(nowhere);
	match_needle_free(anna);
	match_needle_free(text);
}

static void
test_search(void **state)
{
	(void)state;
	assert_in_range(each_message(check_search), 500, 100000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_search),
	};

	return cmocka_run_group_tests(tests, generate, remove_all);
}
