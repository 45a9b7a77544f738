/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include "quota-status/policy.h"

static void
test_requests(void **state)
{
	static const struct {
		const char *text, *recipient;
		uint64_t size;
		enum policy_parse want;
		size_t left;
	} cases[] = {
		{ "request=smtpd_access_policy\nrecipient=bob@example.org\nsize=12345\n\n", "bob@example.org", 12345, POLICY_DONE, 0 },
		{ "recipient=bob\r\nsize=0\r\n\r\n", "bob", 0, POLICY_DONE, 0 },
		{ "\n", "", 0, POLICY_DONE, 0 },
		{ "a=b=c\nrecipient=\n\nrecipient=x\n", "", 0, POLICY_DONE, 12 },
		{ "recipient=a\nrecipient=b\n\n", "b", 0, POLICY_DONE, 0 },
		{ "sender=x\n", NULL, 0, POLICY_MORE, 0 },
		{ "", NULL, 0, POLICY_MORE, 0 },
		{ "recipient=bob", NULL, 0, POLICY_MORE, 0 },
		{ "GET / HTTP/1.0\r\n\r\n", NULL, 0, POLICY_BAD, 0 },
		{ "=x\n\n", NULL, 0, POLICY_BAD, 0 },
		{ "size=-1\n\n", NULL, 0, POLICY_BAD, 0 },
		{ "size=\n\n", NULL, 0, POLICY_BAD, 0 },
		{ "size=9223372036854775808\n\n", NULL, 0, POLICY_BAD, 0 },
		{ "recipient=a\tb\n\n", NULL, 0, POLICY_BAD, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct span in = span_str(cases[i].text);
		struct policy_request r;
		size_t used = 0;
		enum policy_parse got = policy_request_parse(in, &r, &used);

		if (got != cases[i].want)
			fail_msg("%s: %d", cases[i].text, got);
		if (got == POLICY_DONE && (!span_eq(r.recipient, span_str(cases[i].recipient)) || r.size != cases[i].size ||
		    used != in.n - cases[i].left))
			fail_msg("%s: %.*s %llu %zu", cases[i].text, SPAN_ARG(r.recipient), (unsigned long long)r.size, used);
		/* However it comes in. */
		for (size_t n = 0; got == POLICY_DONE && n < used; n++)
			assert_int_equal(policy_request_parse(span_of(in.p, n), &r, &used), POLICY_MORE);
	}
}

static void
test_limits(void **state)
{
	static char room[POLICY_REQUEST_MAX + 16];
	struct policy_request r;
	size_t used, n = 0;

	(void)state;
	memset(room, 'x', sizeof(room));
	room[1] = '=';
	assert_int_equal(policy_request_parse(span_of(room, POLICY_REQUEST_MAX - 1), &r, &used), POLICY_MORE);
	assert_int_equal(policy_request_parse(span_of(room, POLICY_REQUEST_MAX), &r, &used), POLICY_BAD);
	room[POLICY_REQUEST_MAX] = '\n';
	assert_int_equal(policy_request_parse(span_of(room, sizeof(room)), &r, &used), POLICY_BAD);
	for (int i = 0; i <= POLICY_ATTRIBUTES_MAX; i++)
		n += (size_t)sprintf(room + n, "a%d=b\n", i);
	n += (size_t)sprintf(room + n, "\n");
	assert_int_equal(policy_request_parse(span_of(room, n), &r, &used), POLICY_BAD);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_requests), cmocka_unit_test(test_limits) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
