/* SPDX-License-Identifier: MIT */
/* culveradm's output forms and its query language. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "adm/format.h"
#include "adm/query.h"

/* The rows (a, 1) and ("x\ty\n\"z\"", 22) in a form. */
static char *
rows(enum format_kind kind, size_t count)
{
	static char text[4096];
	struct format *f;
	int fds[2];
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	f = format_new(kind, fds[1]);
	assert_non_null(f);
	format_column(f, "name", "name", 0);
	format_column(f, "size", "size", FORMAT_RIGHT);
	if (count > 0) {
		format_value(f, SPAN("a"));
		format_valuef(f, "%d", 1);
	}
	if (count > 1) {
		format_value(f, SPAN("x\ty\n\"z\""));
		format_value(f, SPAN("22"));
	}
	format_end(f);
	format_free(f);
	close(fds[1]);
	n = read(fds[0], text, sizeof(text) - 1);
	close(fds[0]);
	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static void
test_formats(void **state)
{
	static const struct {
		enum format_kind kind;
		size_t count;
		const char *want;
	} cases[] = {
		{ FORMAT_FLOW, 2, "name=a size=1\nname=x\ty\n\"z\" size=22\n" },
		{ FORMAT_TAB, 2, "name\tsize\na\t1\nx\001ty\001n\"z\"\t22\n" },
		{ FORMAT_TAB, 0, "name\tsize\n" },
		{ FORMAT_TABLE, 1, "name size\na       1\n" },
		{ FORMAT_PAGER, 1, "name: a\nsize: 1\n\f\n" },
		{ FORMAT_JSON, 0, "[]\n" },
		{ FORMAT_JSON, 2, "[\n{\"name\":\"a\",\"size\":\"1\"},\n{\"name\":\"x\\u0009y\\n\\\"z\\\"\",\"size\":\"22\"}\n]\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(rows(cases[i].kind, cases[i].count), cases[i].want);
}

/* What a stranger wrote into a message gives no orders to the terminal of who looks at it; other programs get it as it is. */
static void
test_terminal(void **state)
{
	static const struct {
		struct span value;
		const char *terminal, *pipe;
	} cases[] = {
		{ { "\033[2J\a\177x", 7 }, "^[[2J^G^?x", "\033[2J\a\177x" },
		{ { "\302\2332J \303\244\342\202\254", 10 }, "??2J \303\244\342\202\254", "\302\2332J \303\244\342\202\254" },
		{ { "a\tb\r\nc\rd\re", 10 }, "a\tb\nc^Md^Me", "a\tb\r\nc\rd\re" },
	};
	int master = posix_openpt(O_RDWR | O_NOCTTY), pipes[2];
	int terminal;

	(void)state;
	assert_true(master != -1 && grantpt(master) == 0 && unlockpt(master) == 0);
	terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
	assert_true(terminal != -1 && pipe(pipes) == 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) * 2; i++) {
		bool shown = i % 2 == 0;
		struct format *f = format_new(FORMAT_PAGER, shown ? terminal : pipes[1]);
		char text[200], bare[200];
		ssize_t n;
		size_t k = 0;

		assert_non_null(f);
		format_column(f, "v", "v", FORMAT_HIDE_KEY);
		format_value(f, cases[i / 2].value);
		format_end(f);
		format_free(f);
		n = read(shown ? master : pipes[0], text, sizeof(text) - 1);
		assert_true(n > 0);
		/* The terminal's own line ends are CR LF. */
		for (ssize_t at = 0; at < n; at++)
			if (!shown || text[at] != '\r')
				bare[k++] = text[at];
		bare[k] = '\0';
		assert_memory_equal(bare, shown ? cases[i / 2].terminal : cases[i / 2].pipe,
		    strlen(shown ? cases[i / 2].terminal : cases[i / 2].pipe));
	}
	close(terminal);
	close(master);
	close(pipes[0]);
	close(pipes[1]);
}

/* A query given as one string of words; how it parses: "" when it does not. */
static void
describe(const struct search_key *k, struct buf *out)
{
	for (; k != NULL; k = k->next) {
		buf_addf(out, "%s%d", k->negated ? "!" : "", (int)k->type);
		if (k->child != NULL) {
			buf_addc(out, '(');
			describe(k->child, out);
			buf_addc(out, ')');
		}
		if (k->next != NULL)
			buf_addc(out, ' ');
	}
}

static void
test_queries(void **state)
{
	static const struct {
		const char *words;
		bool ok, has_keys;
		size_t mailboxes;
	} cases[] = {
		{ "all", true, true, 0 },
		{ "mailbox INBOX unseen", true, true, 1 },
		{ "mailbox INBOX", true, false, 1 },
		{ "mailbox INBOX mailbox Work* all", true, true, 2 },
		{ "or from a ( subject b not seen )", true, true, 0 },
		{ "or from a", false, true, 0 },
		{ "( from a", false, true, 0 },
		{ "not ( mailbox INBOX )", false, true, 0 },
		{ "savedbefore 2w larger 10M uid 1,5:9,20:*", true, true, 0 },
		{ "uid 5,1", false, true, 0 },
		{ "larger 10Q", false, true, 0 },
		{ "since 31-Foo-2026", false, true, 0 },
		{ "since 2026-11-21", true, true, 0 },
		{ "nosuchkey", false, true, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *a = arena_new(1 << 20);
		struct err e = ERR_INIT;
		struct query q;
		char text[256], *argv[32], *save = NULL;
		int argc = 0;

		snprintf(text, sizeof(text), "%s", cases[i].words);
		for (char *w = strtok_r(text, " ", &save); w != NULL; w = strtok_r(NULL, " ", &save))
			argv[argc++] = w;
		assert_int_equal(query_parse(a, argc, argv, &q, &e) == 0, cases[i].ok);
		if (cases[i].ok) {
			assert_int_equal(q.has_keys, cases[i].has_keys);
			assert_int_equal(q.mailbox_count, cases[i].mailboxes);
		} else {
			assert_true(e.log[0] != '\0');
		}
		arena_free(a);
	}
}

static void
test_query_tree(void **state)
{
	char w[][8] = { "or", "from", "a", "(", "not", "seen", "to", "b", ")" };
	char *argv[9];
	struct arena *a = arena_new(1 << 20);
	struct buf out = BUF_INIT(1024);
	struct err e = ERR_INIT;
	char want[64];
	struct query q;

	(void)state;
	for (size_t i = 0; i < 9; i++)
		argv[i] = w[i];
	assert_int_equal(query_parse(a, 9, argv, &q, &e), 0);
	describe(q.root, &out);
	snprintf(want, sizeof(want), "%d(%d(%d %d(!%d %d)))", SEARCH_AND, SEARCH_OR, SEARCH_HEADER, SEARCH_AND, SEARCH_FLAG,
	    SEARCH_HEADER);
	assert_string_equal(buf_cstr(&out), want);
	buf_clear(&out);
	arena_free(a);
}

static void
test_query_depth(void **state)
{
	static char open[] = "(", all[] = "all", close_[] = ")";
	char *argv[400];
	struct arena *a = arena_new(1 << 20);
	struct err e = ERR_INIT;
	struct query q;
	int argc = 0;

	(void)state;
	while (argc < 150)
		argv[argc++] = open;
	argv[argc++] = all;
	while (argc < 301)
		argv[argc++] = close_;
	assert_int_equal(query_parse(a, argc, argv, &q, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	arena_free(a);
}

static void
test_flags(void **state)
{
	struct arena *a = arena_new(1 << 16);
	struct err e = ERR_INIT;
	struct span *keywords;
	unsigned flags;
	size_t count;

	(void)state;
	assert_int_equal(query_flags(a, SPAN("\\Seen  $Label1 \\flagged"), &flags, &keywords, &count, &e), 0);
	assert_int_equal(flags, MSG_SEEN | MSG_FLAGGED);
	assert_int_equal(count, 1);
	assert_true(span_eq(keywords[0], SPAN("$Label1")));
	assert_int_equal(query_flags(a, SPAN("\\Sene"), &flags, &keywords, &count, &e), -1);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats), cmocka_unit_test(test_terminal), cmocka_unit_test(test_queries), cmocka_unit_test(test_query_tree),
		cmocka_unit_test(test_query_depth), cmocka_unit_test(test_flags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
