/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib-mail/param.h"
#include "lib-mail/subject.h"

static const struct {
	const char *in;
	const char *type;	/* type/subtype, then name=value of the parameters as BODYSTRUCTURE has them */
} types[] = {
	{ "text/html", "text/html" },
	{ "Text/HTML", "Text/HTML" },
	{ " text\r\n / (c) html (d)", "text/html" },
	{ "", "/" },
	{ "text", "/" },
	{ "text/", "/" },
	{ "/x", "/" },
	{ "garbage here/x", "/" },
	{ "text/plain; charset=utf-8; format=flowed", "text/plain charset=utf-8 format=flowed" },
	{ "text/plain;charset=\"utf-8\";", "text/plain charset=utf-8" },
	{ "text/plain; name=\"a\\\"b;c\"; x=y", "text/plain name=a\"b;c x=y" },
	{ "text/plain; name=\"a\r\n b\"", "text/plain name=a b" },
	{ "text/plain; name=\"open", "text/plain name=open" },
	{ "text/plain; charset", "text/plain" },
	{ "text/plain; charset=", "text/plain charset=" },
	{ "text/plain; ; a=b", "text/plain a=b" },
	{ "text/plain a=b; c=d", "text/plain c=d" },
	{ "text/plain; a=b c=d; e=f", "text/plain a=b e=f" },
	{ "text/plain; a=\"x\" y; c=d", "text/plain a=x c=d" },
	{ "text/plain; =b; c=d", "text/plain c=d" },
	{ "text/plain; (c) a (c) = (c) b (c); d=e", "text/plain a=b d=e" },
	{ "image/png; name=a(1).png", "image/png name=a(1).png" },
	{ "a/b; n*0=x; n*1=y", "a/b n=xy" },
	{ "a/b; n*1=y; n*0=x; o=p", "a/b o=p n=xy" },
	{ "a/b; n*0=x; n*2=y", "a/b n*0=x n*2=y" },
	{ "a/b; n*0=x; n*0=y", "a/b n*0=x n*0=y" },
	{ "a/b; n*1=x", "a/b n*1=x" },
	{ "a/b; n*0*=utf-8''%C3; n*1*=%A4; n*2=\"c d\"", "a/b n*=utf-8''%C3%A4c%20d" },
	{ "a/b; n*0=a; n*1*=%20b", "a/b n*=''a%20b" },
	{ "a/b; n*=utf-8''x%20y", "a/b n*=utf-8''x%20y" },
	{ "a/b; n*x=1", "a/b n*x=1" },
};

static void
on_param(void *ctx, struct span name, struct span value)
{
	struct buf *out = ctx;

	buf_addc(out, ' ');
	buf_add(out, name);
	buf_addc(out, '=');
	buf_add(out, value);
}

static void
test_types(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct arena *a = arena_new(1 << 20);
		struct param_budget left = { 100, 1000 };
		struct buf got = BUF_INIT(10000);
		struct content_type ct;

		assert_int_equal(content_type_parse(a, span_str(types[i].in), &left, &ct), 0);
		buf_addf(&got, "%.*s/%.*s", SPAN_ARG(ct.type), SPAN_ARG(ct.subtype));
		params_join(&ct.params, on_param, &got);
		assert_string_equal(buf_cstr(&got), types[i].type);
		assert_int_equal(left.count, 100 - ct.params.n);
		buf_clear(&got);
		arena_free(a);
	}
}

static void
test_budget(void **state)
{
	struct arena *a = arena_new(1 << 20);
	struct param_budget left = { 2, 5 };
	struct content_type ct;

	(void)state;
	assert_int_equal(content_type_parse(a, SPAN("a/b; c=d; e=f; g=h"), &left, &ct), 0);
	assert_true(ct.params.n == 2 && ct.params.truncated && left.count == 0);
	left.count = 100;
	assert_int_equal(content_type_parse(a, SPAN("a/b; c=\"\\12\"; e=\"\\456\"; g=h"), &left, &ct), 0);
	assert_true(ct.params.n == 1 && ct.params.truncated && left.octets == 2);
	arena_free(a);
	a = arena_new(10);
	assert_int_equal(content_type_parse(a, SPAN("a/b; c=d"), &left, &ct), -1);
	arena_free(a);
}

static const struct {
	const char *in, *disposition, *filename;
} dispositions[] = {
	{ "attachment; filename=x.pdf", "attachment", "x.pdf" },
	{ "INLINE", "INLINE", NULL },
	{ "", "", NULL },
	{ "; filename=x", "", "x" },
	{ "\"attachment\"; filename=x", "attachment", "x" },
	{ "a; filename*=iso-8859-1'en'x%E4; filename=no", "a", "x\xc3\xa4" },
	{ "a; filename*0*=iso-8859-1''%E4; filename*1=\"%E4\"; filename*2*=%e4", "a", "\xc3\xa4%E4\xc3\xa4" },
	{ "a; filename*0=ab; filename*1=cd", "a", "abcd" },
	{ "a; filename=\"=?iso-8859-1?Q?=E4?=\"", "a", "\xc3\xa4" },
	{ "a; filename=\"\xe4\"", "a", "\xc3\xa4" },
	{ "a; filename*=%zz''x%2", "a", "x%2" },
	{ "a; filename*=plain", "a", "plain" },
	{ "a; filename*=''", "a", "" },
};

static void
test_dispositions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(dispositions) / sizeof(dispositions[0]); i++) {
		struct arena *a = arena_new(1 << 20);
		struct param_budget left = { 100, 1000 };
		struct buf got = BUF_INIT(10000);
		struct params ps;
		struct span d;

		assert_int_equal(content_disposition_parse(a, span_str(dispositions[i].in), &left, &d, &ps), 0);
		assert_true(span_eq(d, span_str(dispositions[i].disposition)));
		assert_int_equal(param_get(NULL, &ps, SPAN("filename"), &got), dispositions[i].filename != NULL);
		if (dispositions[i].filename != NULL)
			assert_string_equal(buf_cstr(&got), dispositions[i].filename);
		buf_clear(&got);
		arena_free(a);
	}
}

static const struct {
	const char *in, *base;
	bool reply;
} subjects[] = {
	{ "x", "x", false },
	{ "", "", false },
	{ "Re: x", "x", true },
	{ "RE : x", "x", true },
	{ "re: FW: fwd: x", "x", true },
	{ "Re[2]: x", "x", true },
	{ "Re [a] [b]: x", "Re [a] [b]: x", false },	/* one blob only (RFC 5256 section 5, subj-refwd) */
	{ "[list] Re: x", "x", true },
	{ "[list] x", "x", false },
	{ "[list]", "[list]", false },
	{ "[a][b] x", "x", false },
	{ "[a] [b]", "[b]", false },
	{ "x (fwd)", "x", true },
	{ "x (FWD) (fwd)  ", "x", true },
	{ "[Fwd: x]", "x", true },
	{ "[fwd: [a] re: y]", "y", true },
	{ "Re: [Fwd: Re: x (fwd)]", "x", true },
	{ "=?utf-8?q?Re=3A_x?=", "x", true },
	{ "a \t\r\n  b", "a b", false },
	{ "Reality", "Reality", false },
	{ "re", "re", false },
	{ "[unclosed re: x", "[unclosed re: x", false },
	{ "Aw: x", "Aw: x", false },
};

static void
test_subjects(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
		struct buf room = BUF_INIT(1000);
		bool is_reply = !subjects[i].reply;
		struct span got = subject_base(NULL, &room, span_str(subjects[i].in), &is_reply);

		assert_int_equal(is_reply, subjects[i].reply);
		if (!span_eq(got, span_str(subjects[i].base)))
			fail_msg("%s gave %.*s", subjects[i].in, SPAN_ARG(got));
		buf_clear(&room);
	}
}

/* Walls of what the grammar nests or repeats: linear. */
static void
test_subject_walls(void **state)
{
	static const char *const walls[] = { "[a]", "[", "re: ", "[fwd: ", "(fwd)", "re[", "]" };

	(void)state;
	for (size_t i = 0; i < sizeof(walls) / sizeof(walls[0]); i++) {
		struct buf text = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20);
		bool is_reply;

		while (text.n < 500000)
			buf_adds(&text, walls[i]);
		buf_adds(&text, "re[xxxxxxxxxxxxxxxxxxxxxxx]");
		subject_base(NULL, &got, buf_span(&text), &is_reply);
		assert_false(got.failed);
		buf_clear(&text);
		buf_clear(&got);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_dispositions),
		cmocka_unit_test(test_subjects),
		cmocka_unit_test(test_subject_walls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
