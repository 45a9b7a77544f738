/* SPDX-License-Identifier: MIT */
/* The parsers of lib-protocol/imap-*.c. */
#include "testing.h"
#include "lib-protocol/imap-fetch-items.h"
#include "lib-protocol/imap-literal.h"
#include "lib-protocol/imap-notify.h"
#include "lib-protocol/imap-quote.h"
#include "lib-protocol/imap-search.h"
#include "lib-protocol/imap-seqset.h"
#include "lib-protocol/imap-token.h"

static void
test_literal(void **state)
{
	static const struct {
		const char *in;
		uint64_t max;
		enum parse want;
		uint64_t size;
		bool nonsync;
		size_t used;
	} cases[] = {
		{ "{5}\r\nabc", 100, PARSE_DONE, 5, false, 5 },
		{ "{5+}\r\n", 100, PARSE_DONE, 5, true, 6 },
		{ "{5}\n", 100, PARSE_DONE, 5, false, 4 },
		{ "{0}\r\n", 100, PARSE_DONE, 0, false, 5 },
		{ "{007}\r\n", 100, PARSE_DONE, 7, false, 7 },
		{ "", 100, PARSE_MORE, 0, false, 0 },
		{ "{", 100, PARSE_MORE, 0, false, 0 },
		{ "{5", 100, PARSE_MORE, 0, false, 0 },
		{ "{5+", 100, PARSE_MORE, 0, false, 0 },
		{ "{5}", 100, PARSE_MORE, 0, false, 0 },
		{ "{5}\r", 100, PARSE_MORE, 0, false, 0 },
		{ "{}\r\n", 100, PARSE_BAD, 0, false, 0 },
		{ "{+}\r\n", 100, PARSE_BAD, 0, false, 0 },
		{ "{-5}\r\n", 100, PARSE_BAD, 0, false, 0 },
		{ "{5 }\r\n", 100, PARSE_BAD, 0, false, 0 },
		{ "{5}x", 100, PARSE_BAD, 0, false, 0 },
		{ "{5}\r\r", 100, PARSE_BAD, 0, false, 0 },
		{ "5}\r\n", 100, PARSE_BAD, 0, false, 0 },
		{ "{101}\r\n", 100, PARSE_BAD, 0, false, 0 },
		{ "{100}\r\n", 100, PARSE_DONE, 100, false, 7 },
		{ "{1}\r\n", 0, PARSE_BAD, 0, false, 0 },
		{ "{18446744073709551615}\r\n", UINT64_MAX, PARSE_DONE, UINT64_MAX, false, 24 },
		{ "{18446744073709551616}\r\n", UINT64_MAX, PARSE_BAD, 0, false, 0 },
		{ "{4294967301}\r\n", UINT32_MAX, PARSE_BAD, 0, false, 0 },	/* 2^32 + 5 must not become 5 */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct imap_literal lit = { 0, false };
		size_t used = 0;

		assert_int_equal(imap_literal_parse(span_str(cases[i].in), cases[i].max, &lit, &used), cases[i].want);
		assert_true(lit.size == cases[i].size && lit.nonsync == cases[i].nonsync && used == cases[i].used);
	}
}

static void
test_literal_tail(void **state)
{
	static const struct {
		const char *in;
		bool want;
		uint64_t size;
		bool nonsync;
	} cases[] = {
		{ "INBOX {5}", true, 5, false },
		{ "{5+}", true, 5, true },
		{ "{99999999999999999999999}", true, UINT64_MAX, false },
		{ "{18446744073709551615}", true, UINT64_MAX, false },
		{ "\"a\" {3}", true, 3, false },
		{ "\"a {3}", false, 0, false },			/* inside of a quoted string */
		{ "\"a\\\" {3}", false, 0, false },
		{ "\"a\\\\\" {3}", true, 3, false },
		{ "{}", false, 0, false },
		{ "{+}", false, 0, false },
		{ "5}", false, 0, false },
		{ "", false, 0, false },
		{ "}", false, 0, false },
		{ "12}", false, 0, false },
		{ "{5} ", false, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct imap_literal lit = { 0, false };

		assert_int_equal(imap_literal_tail(span_str(cases[i].in), &lit), cases[i].want);
		assert_true(lit.size == cases[i].size && lit.nonsync == cases[i].nonsync);
	}
}

enum kind { ATOM, ASTRING, NSTRING, FLAG, PATTERN, NUMBER, TAG };

static void
test_tokens(void **state)
{
	static const struct {
		enum kind kind;
		const char *in;
		bool ok;
		const char *want, *rest;
	} cases[] = {
		{ ATOM, "abc def", true, "abc", " def" },
		{ ATOM, "a]b", true, "a", "]b" },
		{ ATOM, "(a", false, "", "(a" },
		{ ATOM, "", false, "", "" },
		{ ATOM, "\x80", false, "", "\x80" },
		{ ASTRING, "a]b c", true, "a]b", " c" },
		{ ASTRING, "\"a b\"c", true, "a b", "c" },
		{ ASTRING, "\"\"", true, "", "" },
		{ ASTRING, "\"a\\\"b\\\\\"", true, "a\"b\\", "" },
		{ ASTRING, "\"a", false, "", "\"a" },
		{ ASTRING, "\"a\\", false, "", "\"a\\" },
		{ ASTRING, "\"a\nb\"", false, "", "\"a\nb\"" },
		{ ASTRING, "{3}\r\na\"bc", true, "a\"b", "c" },
		{ ASTRING, "{3+}\r\nab", false, "", "{3+}\r\nab" },
		{ ASTRING, "{x}\r\nab", false, "", "{x}\r\nab" },
		{ ASTRING, "%", false, "", "%" },
		{ NSTRING, "NIL)", true, "", ")" },
		{ NSTRING, "nil", true, "", "" },
		{ NSTRING, "\"NIL\"", true, "NIL", "" },
		{ NSTRING, "atom", false, "", "atom" },
		{ FLAG, "\\Seen)", true, "\\Seen", ")" },
		{ FLAG, "$Work x", true, "$Work", " x" },
		{ FLAG, "\\", false, "", "\\" },
		{ FLAG, "\\*", false, "", "\\*" },
		{ PATTERN, "a/%*]b c", true, "a/%*]b", " c" },
		{ PATTERN, "\"%\"", true, "%", "" },
		{ PATTERN, "(", false, "", "(" },
		{ TAG, "a.1 x", true, "a.1", " x" },
		{ TAG, "+ x", false, "", "+ x" },
		{ NUMBER, "17)", true, "17", ")" },
		{ NUMBER, "100", true, "100", "" },
		{ NUMBER, "101", false, "", "101" },
		{ NUMBER, "-1", false, "", "-1" },
	};
	struct arena *a = arena_new(65536);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct imap_in in = { span_str(cases[i].in), a, NULL };
		struct span out = SPAN_NONE;
		char digits[24];
		uint64_t number;
		bool ok = false;

		switch (cases[i].kind) {
		case ATOM: ok = imap_atom(&in, &out); break;
		case ASTRING: ok = imap_astring(&in, &out); break;
		case NSTRING: ok = imap_nstring(&in, &out); break;
		case FLAG: ok = imap_flag(&in, &out); break;
		case PATTERN: ok = imap_list_mailbox(&in, &out); break;
		case TAG: ok = imap_tag(&in, &out); break;
		case NUMBER:
			ok = imap_number(&in, 100, &number);
			if (ok) {
				snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
				out = span_str(digits);
			}
			break;
		}
		if (ok != cases[i].ok)
			fail_msg("case %zu: %s", i, cases[i].in);
		assert_span(out, cases[i].want);
		assert_span(in.s, cases[i].rest);
		if (!ok)
			assert_non_null(in.why);
	}
	arena_free(a);
}

static void
test_string_memory(void **state)
{
	struct arena *a = arena_new(16);
	struct buf text = BUF_INIT(10000);
	struct imap_in in = { SPAN_NONE, a, NULL };
	struct span out;

	(void)state;
	buf_addc(&text, '"');
	for (int i = 0; i < 4000; i++)
		buf_adds(&text, "\\\"");
	buf_addc(&text, '"');
	in.s = buf_span(&text);
	assert_false(imap_string(&in, &out));
	assert_string_equal(in.why, "Too long string");
	buf_clear(&text);
	arena_free(a);
}

static void
test_sets(void **state)
{
	static const struct {
		const char *in;
		uint32_t star;
		enum imap_set_rc rc;
		const char *want;
	} cases[] = {
		{ "1", 9, IMAP_SET_OK, "1" },
		{ "1,2,3", 9, IMAP_SET_OK, "1:3" },
		{ "3,1,2", 9, IMAP_SET_OK, "1:3" },
		{ "5:2", 9, IMAP_SET_OK, "2:5" },
		{ "*", 9, IMAP_SET_OK, "9" },
		{ "*:4", 9, IMAP_SET_OK, "4:9" },
		{ "20:*", 9, IMAP_SET_OK, "9:20" },
		{ "1:3,2:8,20", 9, IMAP_SET_OK, "1:8,20" },
		{ "1,3,5", 9, IMAP_SET_OK, "1,3,5" },
		{ "1,3,5,7", 9, IMAP_SET_LIMIT, "" },
		{ "7,5,6,4,3,2,1", 9, IMAP_SET_OK, "1:7" },
		{ "1:4294967295,7", 9, IMAP_SET_OK, "1:4294967295" },
		{ "4294967295,1:4294967294", 9, IMAP_SET_OK, "1:4294967295" },
		{ "*", 0, IMAP_SET_OK, "" },
		{ "1:*", 0, IMAP_SET_OK, "" },
		{ "*,4", 0, IMAP_SET_OK, "4" },
		{ "0", 9, IMAP_SET_BAD, "" },
		{ "1:0", 9, IMAP_SET_BAD, "" },
		{ "", 9, IMAP_SET_BAD, "" },
		{ ",", 9, IMAP_SET_BAD, "" },
		{ "1,", 9, IMAP_SET_BAD, "" },
		{ "1:", 9, IMAP_SET_BAD, "" },
		{ ":1", 9, IMAP_SET_BAD, "" },
		{ "1:2:3", 9, IMAP_SET_BAD, "" },
		{ "4294967296", 9, IMAP_SET_BAD, "" },
		{ "1*", 9, IMAP_SET_BAD, "" },
		{ "a", 9, IMAP_SET_BAD, "" },
	};
	struct arena *a = arena_new(1 << 20);
	struct buf out = BUF_INIT(1000);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct imap_set set = { NULL, 0 };

		if (imap_set_parse(span_str(cases[i].in), cases[i].star, 3, a, &set) != cases[i].rc)
			fail_msg("case %zu: %s", i, cases[i].in);
		buf_reset(&out);
		imap_set_write(&out, &set);
		assert_span(buf_span(&out), cases[i].want);
	}
	buf_clear(&out);
	arena_free(a);
}

static void
test_set_use(void **state)
{
	static const uint32_t uids[] = { 304, 319, 320, 325, 4294967295u };
	struct array maker = IMAP_SET_MAKER(3);
	struct buf out = BUF_INIT(1000);
	struct imap_set set;

	(void)state;
	imap_uids_write(&out, uids, COUNT(uids));
	assert_span(buf_span(&out), "304,319:320,325,4294967295");
	buf_clear(&out);
	assert_true(imap_set_add(&maker, 2, 3));
	assert_true(imap_set_add(&maker, 4, 4));
	assert_true(imap_set_add(&maker, 9, 10));
	assert_true(imap_set_add(&maker, 4294967295u, 4294967295u));
	assert_true(imap_set_add(&maker, 4294967295u, 4294967295u));
	set = imap_set_made(&maker);
	assert_int_equal(imap_set_count(&set), 6);
	for (uint32_t v = 0; v < 12; v++)
		assert_int_equal(imap_set_has(&set, v), (v >= 2 && v <= 4) || v == 9 || v == 10);
	assert_true(imap_set_has(&set, 4294967295u));
	array_clear(&maker);
	maker = IMAP_SET_MAKER(1);
	assert_true(imap_set_add(&maker, 1, 1));
	assert_false(imap_set_add(&maker, 3, 3));
	array_clear(&maker);
}

/* A hundred thousand single numbers, backwards: no more than n log n. */
static void
test_set_many(void **state)
{
	struct arena *a = arena_new(64 << 20);
	struct buf text = BUF_INIT(2 << 20);
	struct imap_set set;

	(void)state;
	for (uint32_t v = 100000; v > 0; v--) {
		buf_add_u64(&text, 2 * v);
		buf_addc(&text, v == 1 ? '\0' : ',');
	}
	text.n--;
	assert_int_equal(imap_set_parse(buf_span(&text), 1, 100000, a, &set), IMAP_SET_OK);
	assert_int_equal(set.n, 100000);
	assert_int_equal(set.r[99999].first, 200000);
	buf_clear(&text);
	arena_free(a);
}

static void
test_fetch_items(void **state)
{
	static const struct {
		const char *in, *why;	/* why NULL: it is right */
		unsigned bits;
		const char *labels;	/* of its sections, with spaces between */
		bool seen;
	} cases[] = {
		{ "FLAGS", NULL, FETCH_FLAGS, "", false },
		{ "(uid Flags)", NULL, FETCH_UID | FETCH_FLAGS, "", false },
		{ "ALL", NULL, FETCH_FLAGS | FETCH_INTERNALDATE | FETCH_SIZE | FETCH_ENVELOPE, "", false },
		{ "BODY", NULL, FETCH_BODY, "", false },
		{ "BODY[]", NULL, 0, "BODY[]", true },
		{ "body.peek[1.2.mime]", NULL, 0, "BODY[1.2.MIME]", false },
		{ "(BODY.PEEK[HEADER] BODY[TEXT]<3.4>)", NULL, 0, "BODY[HEADER] BODY[TEXT]<3>", true },
		{ "BODY[4.HEADER.FIELDS (a \"b c\")]", NULL, 0, "BODY[4.HEADER.FIELDS (a \"b c\")]", true },
		{ "RFC822.HEADER", NULL, 0, "RFC822.HEADER", false },
		{ "(RFC822 RFC822.TEXT)", NULL, 0, "RFC822 RFC822.TEXT", true },
		{ "(ALL)", "Unknown item", 0, "", false },
		{ "BODY.PEEK", "Unknown item", 0, "", false },
		{ "FLAGS[]", "Unknown item", 0, "", false },
		{ "BODY[1.]", "Invalid body section", 0, "", false },
		{ "BODY[1MIME]", "Invalid body section", 0, "", false },
		{ "BODY[.1]", "Unknown body section", 0, "", false },
		{ "BODY[MIME]", "Unknown body section", 0, "", false },
		{ "BODY[1.2.3.4.5.6.7]", "Too many part numbers", 0, "", false },
		{ "BODY[4294967296]", "Number is too large", 0, "", false },
		{ "BODY[HEADER.FIELDS]", "Expected a space", 0, "", false },
		{ "BODY[HEADER.FIELDS (a b c d e)]", "Too many header fields", 0, "", false },
		{ "BODY[HEADER.FIELDS (\"a:b\")]", "Invalid header field name", 0, "", false },
		{ "BODY[]<1>", "Invalid partial range", 0, "", false },
		{ "BODY[]<1.2", "Invalid partial range", 0, "", false },
		{ "BODY[]<-1.2>", "Expected a number", 0, "", false },
		{ "(BODY[] BODY[] BODY[] BODY[] BODY[])", "Too many items", 0, "", false },
		{ "(FLAGS", "Expected the end of a list", 0, "", false },
	};
	struct fetch_limits lim = { 4, 6 };
	struct arena *a = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct imap_in in = { span_str(cases[i].in), a, NULL };
		struct buf labels = BUF_INIT(4096);
		struct fetch_items items;
		bool ok = imap_fetch_items(&in, &lim, &items);

		if (ok != (cases[i].why == NULL))
			fail_msg("case %zu: %s: %s", i, cases[i].in, ok ? "taken" : in.why);
		if (!ok) {
			assert_string_equal(in.why, cases[i].why);
			continue;
		}
		for (size_t k = 0; k < items.count; k++) {
			buf_adds(&labels, k == 0 ? "" : " ");
			buf_add(&labels, items.sections[k].label);
		}
		assert_span(buf_span(&labels), cases[i].labels);
		assert_int_equal(items.bits, cases[i].bits);
		assert_int_equal(items.marks_seen, cases[i].seen);
		assert_int_equal(in.s.n, 0);
		buf_clear(&labels);
	}
	arena_free(a);
}

/* The tree in a few letters: what was understood. */
static void
describe(struct buf *b, const struct search_key *k)
{
	static const char *const names[] = {
		[SEARCH_ALL] = "all", [SEARCH_SEQ] = "seq", [SEARCH_UID] = "uid", [SEARCH_FLAG] = "flag",
		[SEARCH_KEYWORD] = "keyword", [SEARCH_RECENT] = "recent", [SEARCH_BEFORE] = "before", [SEARCH_ON] = "on",
		[SEARCH_SINCE] = "since", [SEARCH_SENTBEFORE] = "sentbefore", [SEARCH_SENTON] = "senton",
		[SEARCH_SENTSINCE] = "sentsince", [SEARCH_LARGER] = "larger", [SEARCH_SMALLER] = "smaller",
		[SEARCH_MODSEQ] = "modseq", [SEARCH_HEADER] = "header", [SEARCH_BODY] = "body", [SEARCH_TEXT] = "text",
		[SEARCH_AND] = "and", [SEARCH_OR] = "or",
	};

	buf_adds(b, k->negated ? "!" : "");
	buf_adds(b, names[k->type]);
	if (k->child == NULL)
		return;
	buf_addc(b, '(');
	for (const struct search_key *c = k->child; c != NULL; c = c->next) {
		describe(b, c);
		buf_adds(b, c->next == NULL ? ")" : " ");
	}
}

static void
test_notify(void **state)
{
	/* groups: how many; 0: refused.  events: of all.  last: the filter of the last group. */
	static const struct {
		const char *in;
		size_t groups;
		unsigned events;
		enum imap_notify_filter last;
	} cases[] = {
		{ "SET (selected (MessageNew MessageExpunge))", 1, NOTIFY_MESSAGE_NEW | NOTIFY_MESSAGE_EXPUNGE, NOTIFY_SELECTED },
		{ "set status (SELECTED-delayed (messagenew (UID FLAGS) messageexpunge FlagChange)) (personal NONE)", 2,
		    NOTIFY_MESSAGE_NEW | NOTIFY_MESSAGE_EXPUNGE | NOTIFY_FLAG_CHANGE, NOTIFY_PERSONAL },
		{ "SET (inboxes NONE) (subscribed (MailboxName SubscriptionChange))", 2,
		    NOTIFY_MAILBOX_NAME | NOTIFY_SUBSCRIPTION_CHANGE, NOTIFY_SUBSCRIBED },
		{ "SET (subtree (a {1}\r\nb \"c d\") (MailboxMetadataChange ServerMetadataChange))", 1,
		    NOTIFY_MAILBOX_METADATA | NOTIFY_SERVER_METADATA, NOTIFY_SUBTREE },
		{ "SET (mailboxes INBOX (Wonder)) ", 1, NOTIFY_UNKNOWN, NOTIFY_MAILBOXES },
		{ "SET (selected (MessageExpunge MessageNew AnnotationChange))", 1,
		    NOTIFY_MESSAGE_NEW | NOTIFY_MESSAGE_EXPUNGE | NOTIFY_ANNOTATION_CHANGE, NOTIFY_SELECTED },
		{ "SET", 0, 0, 0 },
		{ "SET STATUS", 0, 0, 0 },
		{ "SOME (personal NONE)", 0, 0, 0 },
		{ "SET (everything (MessageNew MessageExpunge))", 0, 0, 0 },
		{ "SET (personal)", 0, 0, 0 },
		{ "SET (personal ())", 0, 0, 0 },
		{ "SET (personal MessageNew)", 0, 0, 0 },
		{ "SET (personal (MailboxName)", 0, 0, 0 },
		{ "SET (personal (MailboxName)) x", 0, 0, 0 },
		{ "SET (subtree () NONE)", 0, 0, 0 },
		{ "SET (subtree NONE)", 0, 0, 0 },
		/* RFC 5465 section 5: each of them needs both */
		{ "SET (personal (MessageNew))", 0, 0, 0 },
		{ "SET (personal (MessageExpunge))", 0, 0, 0 },
		{ "SET (personal (FlagChange))", 0, 0, 0 },
		{ "SET (selected (MessageNew MessageExpunge MailboxName))", 0, 0, 0 },
		{ "SET (selected NONE) (selected-delayed NONE)", 0, 0, 0 },
		{ "SET (personal (MessageNew (UID) MessageExpunge))", 0, 0, 0 },
		{ "SET (selected (MessageNew (Nothing) MessageExpunge))", 0, 0, 0 },
		{ "SET (selected (MessageNew (UID) MessageNew (UID) MessageExpunge))", 0, 0, 0 },
	};
	const struct imap_notify_limits lim = { 10, 10, { 10, 10 } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new(65536);
		struct imap_in in = { span_str(cases[i].in), a, NULL };
		struct imap_notify_request r;
		bool ok = imap_notify_parse(&in, &lim, &r);

		if (ok != (cases[i].groups > 0) || (!ok && in.why == NULL))
			fail_msg("%s: %s", cases[i].in, ok ? "taken" : in.why);
		if (ok && (r.group_count != cases[i].groups || r.events != cases[i].events ||
		    r.groups[r.group_count - 1].filter != cases[i].last || r.none))
			fail_msg("%s: read wrongly", cases[i].in);
		arena_free(a);
	}
}

static void
test_notify_limits(void **state)
{
	const struct imap_notify_limits lim = { 2, 3, { 10, 10 } };
	static const struct {
		const char *in, *why;
	} cases[] = {
		{ "SET (personal NONE) (inboxes NONE) (subscribed NONE)", "Too many groups of events" },
		{ "SET (mailboxes (a b) NONE) (subtree (c d) NONE)", "Too many mailboxes" },
		{ "SET (mailboxes (a b) NONE) (subtree c NONE)", NULL },
		{ "NONE", NULL },
		{ "NONE x", "Unexpected extra arguments" },
	};
	struct buf b = BUF_INIT(200);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena *a = arena_new(65536);
		struct imap_in in = { span_str(cases[i].in), a, NULL };
		struct imap_notify_request r;

		assert_true(imap_notify_parse(&in, &lim, &r) == (cases[i].why == NULL));
		if (cases[i].why != NULL)
			assert_string_equal(in.why, cases[i].why);
		else if (i == 2)
			assert_span(r.groups[1].names[0], "c");
		arena_free(a);
	}
	imap_notify_events_write(&b, NOTIFY_MESSAGE_NEW | NOTIFY_MAILBOX_NAME | NOTIFY_UNKNOWN);
	assert_span(buf_span(&b), "MessageNew MailboxName");
	buf_clear(&b);
}

static void
test_search(void **state)
{
	static const struct {
		const char *in, *want, *why;
	} cases[] = {
		{ "ALL", "and(all)", NULL },
		{ "seen UNSEEN", "and(flag !flag)", NULL },
		{ "NEW", "and(and(recent !flag))", NULL },
		{ "OLD", "and(!recent)", NULL },
		{ "NOT NEW", "and(!and(and(recent !flag)))", NULL },
		{ "OR SEEN (FROM a TO b)", "and(or(flag and(header header)))", NULL },
		{ "1:3,5 UID 7:*", "and(seq uid)", NULL },
		{ "HEADER X \"\" BODY \"a b\"", "and(header body)", NULL },
		{ "CHARSET utf-8 TEXT x", "and(text)", NULL },
		{ "RETURN (MIN) RETURN", NULL, "Unknown search key" },
		{ "RETURN () ALL", "and(all)", NULL },
		{ "RETURN (SAVE) ALL", NULL, "Unknown search return option" },
		{ "MODSEQ 5", "and(modseq)", NULL },
		{ "MODSEQ \"/flags/\\\\Seen\" all 5", "and(modseq)", NULL },
		{ "MODSEQ \"/other\" all 5", NULL, "Unknown metadata entry" },
		{ "MODSEQ \"/flags/x\" some 5", NULL, "Unknown metadata type" },
		{ "BEFORE 1-Feb-1994 SENTSINCE \"01-Feb-1994\"", "and(before sentsince)", NULL },
		{ "BEFORE 1-Foo-1994", NULL, "Invalid search date" },
		{ "LARGER 5 SMALLER 9223372036854775807", "and(larger smaller)", NULL },
		{ "LARGER 9223372036854775808", NULL, "Number is too large" },
		{ "", NULL, "Missing search keys" },
		{ "NOT", NULL, "Missing arguments" },
		{ "OR SEEN", NULL, "Missing arguments" },
		{ "()", NULL, "Unknown search key" },
		{ "(SEEN", NULL, "Missing arguments" },
		{ "SEEN)", NULL, "Expected a space" },
		{ "101", NULL, "Invalid messageset" },
		{ "UID 0", NULL, "Invalid UID set" },
		{ "1,3,5,7", NULL, "Too many ranges in a set" },
		{ "NOT NOT NOT NOT SEEN", NULL, "Too deeply nested search keys" },
		{ "((((SEEN))))", NULL, "Too deeply nested search keys" },
		{ "ALL ALL ALL ALL ALL ALL ALL ALL ALL ALL", NULL, "Too many search keys" },
	};
	struct search_limits lim = { .keys = 10, .depth = 3, .ranges = 3, .last_seq = 100, .last_uid = 200 };
	struct arena *a = arena_new(1 << 20);

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct imap_in in = { span_str(cases[i].in), a, NULL };
		struct buf b = BUF_INIT(4096);
		struct search_query q;
		bool ok = imap_search_parse(&in, &lim, &q);

		if (ok != (cases[i].why == NULL))
			fail_msg("case %zu: %s: %s", i, cases[i].in, ok ? "taken" : in.why);
		if (ok) {
			describe(&b, q.root);
			assert_span(buf_span(&b), cases[i].want);
		} else
			assert_string_equal(in.why, cases[i].why);
		buf_clear(&b);
	}
	arena_free(a);
}

static void
test_quote(void **state)
{
	static const struct {
		const char *in;
		size_t n;
		const char *astring, *quoted;
	} cases[] = {
		{ "abc", 3, "abc", "\"abc\"" },
		{ "", 0, "\"\"", "\"\"" },
		{ "NIL", 3, "\"NIL\"", "\"NIL\"" },
		{ "a b", 3, "\"a b\"", "\"a b\"" },
		{ "a\"\\", 3, "\"a\\\"\\\\\"", "\"a\\\"\\\\\"" },
		{ "a\nb", 3, "{3}\r\na\nb", "{3}\r\na\nb" },
		{ "\xc3\xbc", 2, "{2}\r\n\xc3\xbc", "{2}\r\n\xc3\xbc" },
		{ "a\0b", 3, "{3}\r\na\x80" "b", "{3}\r\na\x80" "b" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = BUF_INIT(4096);

		imap_astring_write(&b, span_of(cases[i].in, cases[i].n));
		assert_span(buf_span(&b), cases[i].astring);
		buf_reset(&b);
		imap_quoted_write(&b, span_of(cases[i].in, cases[i].n));
		assert_span(buf_span(&b), cases[i].quoted);
		buf_clear(&b);
	}
}

static void
test_mailbox_names(void **state)
{
	static const struct {
		const char *in, *want;
	} cases[] = {
		{ "INBOX", "INBOX" },
		{ "Entw\xc3\xbcrfe", "Entw&APw-rfe" },
		{ "a & b", "\"a &- b\"" },
		{ "x\xff", "{2}\r\nx\xff" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf b = BUF_INIT(4096);

		imap_mailbox_write(&b, span_str(cases[i].in));
		assert_span(buf_span(&b), cases[i].want);
		buf_clear(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literal),
		cmocka_unit_test(test_literal_tail),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_string_memory),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_set_use),
		cmocka_unit_test(test_set_many),
		cmocka_unit_test(test_fetch_items),
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_notify_limits),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_mailbox_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
