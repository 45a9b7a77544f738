/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "lib-config/quota-rule.h"
#include "lib-config/script-request.h"

#define K ((int64_t)1024)
#define M (K * K)
#define G (K * M)

static void
test_amounts(void **state)
{
	static const struct {
		const char *text;
		int64_t unit, want;
		bool ok, percent;
	} cases[] = {
		{ "10", 1, 10, true, false }, { "10", 1024, 10 * K, true, false }, { "10b", 1024, 10, true, false },
		{ "1k", 1, K, true, false }, { "1M", 1, M, true, false }, { "3G", 1, 3 * G, true, false },
		{ "2T", 1, 2048 * G, true, false }, { "100 MB", 1, 100 * M, true, false }, { "1GiB", 1, G, true, false },
		{ "+100M", 1, 100 * M, true, false }, { "-100M", 1, -100 * M, true, false }, { "10%", 1024, 10, true, true },
		{ "10%%", 1024, 10, true, true }, { "+10%%", 1, 10, true, true }, { "-50%", 1, -50, true, true },
		{ " 5 ", 1, 5, true, false }, { "0", 1024, 0, true, false },
		{ "", 1, 0, false, false }, { "k", 1, 0, false, false }, { "+", 1, 0, false, false }, { "1X", 1, 0, false, false },
		{ "1Kx", 1, 0, false, false }, { "1bb", 1, 0, false, false }, { "1%%%", 1, 0, false, false },
		{ "99999999999999999999", 1, 0, false, false }, { "1152921504606846976", 1, QUOTA_AMOUNT_MAX, true, false },
		{ "1152921504606846977", 1, 0, false, false }, { "2097152T", 1, 0, false, false }, { "1000001%", 1, 0, false, false },
		{ "--1", 1, 0, false, false }, { "0x10", 1, 0, false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct quota_amount a;
		struct err e = ERR_INIT;
		bool ok = quota_amount_parse(span_str(cases[i].text), cases[i].unit, &a, &e) == 0;

		if (ok != cases[i].ok || (ok && (a.n != cases[i].want || a.is_percent != cases[i].percent || !a.is_set)))
			fail_msg("%s: %d %lld", cases[i].text, ok, ok ? (long long)a.n : 0);
		assert_true(ok || e.code == ERR_SYNTAX);
	}
	assert_int_equal(quota_amount_of(&(struct quota_amount){ 10, true, true }, 1005), 100);
	assert_int_equal(quota_amount_of(&(struct quota_amount){ -50, true, true }, G), -G / 2);
	assert_int_equal(quota_amount_of(&(struct quota_amount){ 100, true, true }, QUOTA_AMOUNT_MAX), QUOTA_AMOUNT_MAX);
	assert_int_equal(quota_amount_of(&(struct quota_amount){ 1000000, true, true }, QUOTA_AMOUNT_MAX), QUOTA_AMOUNT_MAX);
	assert_int_equal(quota_amount_of(&(struct quota_amount){ -1000000, true, true }, QUOTA_AMOUNT_MAX), -QUOTA_AMOUNT_MAX);
}

static void
test_rules(void **state)
{
	static const struct {
		const char *text, *mailbox;
		int64_t bytes, messages;
		bool is_default, ignore;
	} cases[] = {
		{ "*:storage=1G", "*", G, 0, true, false },
		{ "*:storage=1G:messages=1000", "*", G, 1000, true, false },
		{ "*:bytes=5", "*", 5, 0, true, false },
		{ "?:storage=10", "?", 10 * K, 0, true, false },
		{ "Trash:storage=+10%%", "Trash", 10, 0, false, false },
		{ "Trash:storage=+100M:messages=-5", "Trash", 100 * M, -5, false, false },
		{ "Spam:ignore", "Spam", 0, 0, false, true },
		{ "a b/*:ignore", "a b/*", 0, 0, false, true },
		{ "Sent:", "Sent", 0, 0, false, false },
	};
	static const char *const wrong[] = { "", "*", "*:ignore", "*:storage=10%", "*:messages=10%%", "*:storage=-5", ":storage=5",
					     "*:speed=5", "Trash:storage", "Trash:storage=", "Trash:ignore:storage=5", "*:storage=1G:x" };
	struct quota_rule r;
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (quota_rule_parse(span_str(cases[i].text), &r, &e) == -1 || r.limits.bytes.n != cases[i].bytes ||
		    r.limits.messages.n != cases[i].messages || r.is_default != cases[i].is_default ||
		    r.ignore != cases[i].ignore || !span_eq(r.mailbox, span_str(cases[i].mailbox)))
			fail_msg("%s: %s", cases[i].text, e.log);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (quota_rule_parse(span_str(wrong[i]), &r, &e) != -1)
			fail_msg("%s was taken", wrong[i]);
}

static void
test_warnings(void **state)
{
	static const char *const wrong[] = { "", "storage=5", "storage=5 ", " x", "x y", "+ x", "storage=-5 x" };
	struct quota_warning w;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(quota_warning_parse(SPAN("storage=95%% quota-warning 95 %u"), &w, &e), 0);
	assert_true(w.limits.bytes.n == 95 && w.limits.bytes.is_percent && !w.falls && !w.limits.messages.is_set);
	assert_true(span_eq(w.command, SPAN("quota-warning 95 %u")));
	assert_int_equal(quota_warning_parse(SPAN("-storage=100%:messages=3 below"), &w, &e), 0);
	assert_true(w.falls && w.limits.messages.n == 3 && span_eq(w.command, SPAN("below")));
	assert_int_equal(quota_warning_parse(SPAN("+messages=80%% a"), &w, &e), 0);
	assert_true(!w.falls && w.limits.messages.is_percent);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (quota_warning_parse(span_str(wrong[i]), &w, &e) != -1)
			fail_msg("%s was taken", wrong[i]);
}

static void
test_roots(void **state)
{
	static const char *const wrong[] = { "", "kount", "count:User quota:loud", "count:a\001b", "Count" };
	struct quota_root_def d;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(quota_root_parse(SPAN("count:User quota"), &d, &e), 0);
	assert_true(d.backend == QUOTA_COUNT && span_eq(d.name, SPAN("User quota")) && d.ns.p == NULL);
	assert_int_equal(quota_root_parse(SPAN("maildir"), &d, &e), 0);
	assert_true(d.backend == QUOTA_MAILDIR && d.name.n == 0);
	assert_int_equal(quota_root_parse(SPAN("maildir:U:hidden:noenforcing:ignoreunlimited:ns=Shared/"), &d, &e), 0);
	assert_true(d.hidden && d.noenforcing && d.ignoreunlimited && span_eq(d.ns, SPAN("Shared/")));
	assert_int_equal(quota_root_parse(SPAN("count:U:ns="), &d, &e), 0);
	assert_true(d.ns.p != NULL && d.ns.n == 0);
	assert_int_equal(quota_root_parse(SPAN("dict:U::proxy::sqlquota"), &d, &e), 0);
	assert_int_equal(d.backend, QUOTA_DICT);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (quota_root_parse(span_str(wrong[i]), &d, &e) != -1)
			fail_msg("%s was taken", wrong[i]);
}

static void
test_masks(void **state)
{
	static const struct {
		const char *mask, *name;
		bool want;
	} cases[] = {
		{ "Trash", "Trash", true }, { "Trash", "trash", false }, { "Trash", "Trash.a", false }, { "INBOX", "inbox", true },
		{ "a*", "abc", true }, { "a*c", "abcbc", true }, { "a*d", "abcbc", false }, { "*", "", true }, { "?", "", false },
		{ "a?c", "abc", true }, { "a?c", "ac", false }, { "*b*b*", "abab", true }, { "", "", true }, { "", "a", false },
		{ "**", "x", true },
	};
	char mask[200], name[5000];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (quota_mailbox_matches(span_str(cases[i].mask), span_str(cases[i].name)) != cases[i].want)
			fail_msg("%s against %s", cases[i].mask, cases[i].name);
	/* Bounded, whatever somebody writes. */
	for (size_t i = 0; i < sizeof(mask); i++)
		mask[i] = i % 2 == 0 ? '*' : 'a';
	memset(name, 'a', sizeof(name));
	mask[sizeof(mask) - 1] = 'b';
	assert_false(quota_mailbox_matches(span_of(mask, sizeof(mask)), span_of(name, sizeof(name))));
}

static void
test_settings(void **state)
{
	static const struct {
		const char *key, *value;
		bool known;
		enum err_code code;
	} cases[] = {
		{ "acl", "vfile", false, ERR_NONE }, { "quota", "count:U", true, ERR_NONE }, { "quota2", "maildir:U", true, ERR_NONE },
		{ "quota", "fs:U", true, ERR_DENIED }, { "quota", "dict:U", true, ERR_DENIED }, { "quota", "x", true, ERR_SYNTAX },
		{ "quota_rule", "*:storage=1G", true, ERR_NONE }, { "quota_rule2", "x", true, ERR_SYNTAX },
		{ "quota2_rule17", "*:storage=1G", true, ERR_NONE }, { "quota_rule1", "*:storage=1G", true, ERR_DENIED },
		{ "quota_warning", "storage=5 x", true, ERR_NONE }, { "quota_grace", "10%%", true, ERR_NONE },
		{ "quota_grace", "x", true, ERR_SYNTAX }, { "quota_max_mail_size", "100M", true, ERR_NONE },
		{ "quota_vsizes", "yes", true, ERR_NONE }, { "quota_exceeded_message", "x", true, ERR_NONE },
		{ "quota_over_flag_value", "x", true, ERR_DENIED }, { "quota_set", "dict:x", true, ERR_DENIED },
		{ "quota_rules", "x", true, ERR_DENIED }, { "quota_status_nouser", "DUNNO", true, ERR_NONE },
		{ "quota999", "count", true, ERR_DENIED }, { "quota_rule", "", true, ERR_NONE },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;
		bool known;

		quota_setting_check(span_str(cases[i].key), span_str(cases[i].value), &known, &e);
		if (known != cases[i].known || e.code != cases[i].code)
			fail_msg("%s=%s: %d %s", cases[i].key, cases[i].value, e.code, e.log);
	}
}

static void
test_script_requests(void **state)
{
	static const struct {
		const char *text;
		enum script_parse want;
	} cases[] = {
		{ "", SCRIPT_MORE }, { "VERSION\tscript\t4\t0\n", SCRIPT_MORE }, { "VERSION\tscript\t4\t0\nnoreply\na\n", SCRIPT_MORE },
		{ "VERSION\tscript\t4\t0\nnoreply\n\n", SCRIPT_DONE }, { "VERSION\tscript\t5\t0\n", SCRIPT_BAD },
		{ "VERSION\tscript\t4\t0\nalarm=5\n", SCRIPT_MORE }, { "VERSION\tscript\t4\t0\nalarm=x\n", SCRIPT_BAD },
		{ "VERSION\tscript\t4\t0\nalarm=5\nenv_A=b\nnoreply\n\n", SCRIPT_DONE }, { "VERSION\tscript\t4\t0\n+\n\n", SCRIPT_BAD },
		{ "VERSION\tscript\t4\t0\n-\n\nmessage", SCRIPT_DONE }, { "VERSION\tscript\t4\t0\nnoreply\na\001x\n", SCRIPT_BAD },
		{ "VERSION\tscript\t4\t0\nnoreply\na\001\n", SCRIPT_BAD }, { "VERSION\tscript\t4\t0\nnoreply\n\nx", SCRIPT_BAD },
		{ "GET / HTTP/1.0\n", SCRIPT_BAD },
	};
	struct buf b = BUF_INIT(SCRIPT_REQUEST_MAX);
	struct script_request q;
	static char room[SCRIPT_REQUEST_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (script_request_parse(span_str(cases[i].text), room, &q) != cases[i].want)
			fail_msg("%s", cases[i].text);
	script_request_begin(&b);
	script_request_add(&b, SPAN("95"));
	script_request_add(&b, SPAN("a\tb\001c\nd\re"));
	script_request_end(&b);
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(script_request_parse(span_of(b.p, n), room, &q), SCRIPT_MORE);
	assert_int_equal(script_request_parse(buf_span(&b), room, &q), SCRIPT_DONE);
	assert_int_equal(q.count, 2);
	assert_false(q.answered);
	assert_string_equal(q.arguments[0], "95");
	assert_string_equal(q.arguments[1], "a\tb\001c\nd\re");
	buf_reset(&b);
	script_request_begin_answered(&b, 30);
	script_request_add(&b, SPAN("x"));
	script_request_end(&b);
	buf_adds(&b, "message");
	assert_int_equal(script_request_parse(buf_span(&b), room, &q), SCRIPT_DONE);
	assert_true(q.answered && q.seconds == 30 && q.count == 1 && q.used == b.n - 7);
	/* Too many arguments; a NUL; too long. */
	buf_reset(&b);
	script_request_begin(&b);
	for (int i = 0; i <= SCRIPT_ARGUMENTS_MAX; i++)
		script_request_add(&b, SPAN("x"));
	script_request_end(&b);
	assert_int_equal(script_request_parse(buf_span(&b), room, &q), SCRIPT_BAD);
	assert_int_equal(script_request_parse(SPAN("VERSION\tscript\t4\t0\nnoreply\na\0b\n\n"), room, &q), SCRIPT_BAD);
	memset(room, 'x', sizeof(room));
	assert_int_equal(script_request_parse(span_of(room, sizeof(room)), room, &q), SCRIPT_BAD);
	buf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_amounts), cmocka_unit_test(test_rules), cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_roots), cmocka_unit_test(test_masks), cmocka_unit_test(test_settings),
		cmocka_unit_test(test_script_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
