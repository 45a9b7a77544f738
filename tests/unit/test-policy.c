/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include "quota-status/decide.h"

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

/* As recipient_tables_pack() writes it. */
static void
add(struct buf *packed, enum recipient_table_kind kind, const char *path, const char *text)
{
	buf_add_be32(packed, (uint32_t)kind);
	buf_add_be32(packed, 1);
	buf_add_be32(packed, (uint32_t)strlen(path));
	buf_adds(packed, path);
	buf_add_be32(packed, (uint32_t)strlen(text));
	buf_adds(packed, text);
}

static const struct recipient_limits limits = { 65536, 1024, 10, true };

/* "client name|client address|sender|recipient", a sender of - is not told. */
static const struct {
	const char *request, *want;
} decisions[] = {
	{ "|||alice@example.org", "ask alice@example.org" },
	{ "|||alice+x", "ask alice+x@" },
	{ "|||one@example.org", "ask alice@" },
	{ "|||two@example.org", "pass" },
	{ "|||hole", "pass" },
	{ "|||virt@virt.example", "ask bob+box@" },
	{ "|||far@virt.example", "pass" },
	{ "|||gone", "550 5.1.1 has left us" },
	{ "|||nobody@virt.example", "550 5.1.1 Nobody of that name" },
	{ "|||partly", "pass" },
	{ "|||list", "451 4.3.0 The list can not be read now" },
	{ "|||loop", "ask loop@ or pool@" },
	{ "|||list2", "pass" },
	{ "||spam@bad.example|alice", "550 5.7.1 Access denied" },
	{ "||drop@example.net|alice", "pass" },
	{ "||drop@example.net|closed", "550 5.2.1 Closed" },
	{ "|||closed+x@example.org", "550 5.2.1 Closed" },
	{ "|||silent", "pass" },
	{ "|||held", "pass" },
	{ "|192.0.2.1|spam@bad.example|alice", "450 4.7.1 Try another way" },
	{ "a.dsl.example|198.51.100.1||alice", "550 5.7.1 Access denied" },
	{ "unknown|198.51.100.1||alice", "ask alice@" },
	{ "|unknown|-|alice", "ask alice@" },
	{ "||-|null", "ask null@" },
	{ "|||null", "ask null@" },
	{ "||not an address|alice", "ask alice@" },
	{ "|||@", "nobody" },
	{ "|||a b@c", "nobody" },
};

static const char *
decide(const struct recipient_expand_options *o, const char *request, struct arena *a)
{
	const char *names[] = { "client_name", "client_address", "sender", "recipient" };
	struct buf text = BUF_INIT(4096);
	struct span rest = span_str(request), word;
	struct policy_answer out;
	struct policy_request r;
	struct err e = ERR_INIT;
	const char *got = NULL;
	size_t used;

	for (size_t i = 0; i < 4; i++) {
		word = span_sub(rest, 0, span_chr(rest, '|'));
		rest = span_from(rest, word.n + 1);
		if (!span_eq(word, SPAN("-")))
			buf_addf(&text, "%s=%.*s\n", names[i], SPAN_ARG(word));
	}
	buf_adds(&text, "\n");
	assert_int_equal(policy_request_parse(buf_span(&text), &r, &used), POLICY_DONE);
	switch (policy_decide(o, &r, a, &out, &e)) {
	case POLICY_ASK:
		got = arena_printf(a, "ask %.*s@%.*s", SPAN_ARG(out.local), SPAN_ARG(out.domain));
		for (size_t i = 1; i < out.user_count; i++)
			got = arena_printf(a, "%s or %.*s@%.*s", got, SPAN_ARG(out.users[i].local), SPAN_ARG(out.users[i].domain));
		break;
	case POLICY_PASS:
		got = "pass";
		break;
	case POLICY_REFUSE:
		got = arena_printf(a, "%u %s %.*s", out.reply.code, out.reply.status, SPAN_ARG(out.reply.text));
		break;
	case POLICY_NOBODY:
		got = "nobody";
		break;
	case POLICY_LATER:
		got = "later";
		break;
	}
	buf_clear(&text);
	return got;
}

static void
test_tables(void **state)
{
	struct recipient_expand_options o = { .delimiters = SPAN("+"), .domains = SPAN(""), .hostname = SPAN("host.example"),
		.max_depth = 10, .max_targets = 20 };
	struct arena *a = arena_new(1 << 20);
	struct buf packed = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;
	struct recipient_tables *t = recipient_tables_of(SPAN("/none"), SPAN(""), SPAN(""), &limits, &e);

	(void)state;
	assert_non_null(t);
	/* Without tables the address is the user's. */
	assert_string_equal(decide(&o, "|192.0.2.1|spam@bad.example|gone@example.org", a), "ask gone@example.org");
	o.tables = t;
	assert_string_equal(decide(&o, "|||alice", a), "later");
	add(&packed, RECIPIENT_TABLE_ACCESS, "/access", "From:bad.example REJECT\nFrom:drop@example.net DISCARD\nTo:held@ QUARANTINE:why\n"
	    "To:closed@ 550 5.2.1 Closed\nTo:silent@ DISCARD\nConnect:192.0.2 450 4.7.1 Try another way\n"
	    "Connect:dsl.example REJECT\n");
	add(&packed, RECIPIENT_TABLE_VIRTUAL, "/virtual", "virt@virt.example bob+box\n"
	    "far@virt.example far@else.example\nnobody@virt.example error:nouser Nobody of that name\n");
	add(&packed, RECIPIENT_TABLE_ALIASES, "/aliases", "one: alice\ntwo: alice, bob\nhole: /dev/null\n"
	    "gone: error:nouser has left us\npartly: gone, alice\nlist: alice, :include:/missing\nloop: pool\npool: loop\nlist2: loop, alice\n");
	if (recipient_tables_unpack(t, buf_span(&packed), 5, &e) == -1)
		fail_msg("%s", e.log);
	for (size_t i = 0; i < sizeof(decisions) / sizeof(decisions[0]); i++) {
		const char *got = decide(&o, decisions[i].request, a);

		if (strcmp(got, decisions[i].want) != 0)
			fail_msg("%s: %s", decisions[i].request, got);
	}
	recipient_tables_free(t);
	buf_clear(&packed);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_requests), cmocka_unit_test(test_limits),
		cmocka_unit_test(test_tables) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
