/* SPDX-License-Identifier: MIT */
#include "testing.h"

#include "adm/replay.h"
#include "lib-storage/mailbox.h"

/* Mailboxes of one letter in capitals are there; "new..." would be made. */
static bool
place(void *ctx, const struct filter_action *action, struct span *name_out, bool *make_out)
{
	(void)ctx;
	*name_out = action->target;
	*make_out = span_starts(action->target, SPAN("new"));
	return action->target.n == 1 || *make_out;
}

/* "C" has a copy of it. */
static bool
has(void *ctx, struct span mailbox)
{
	(void)ctx;
	return span_eq(mailbox, SPAN("C"));
}

static struct span keyword_a[] = { { "a", 1 } }, keyword_b[] = { { "b", 1 } }, forwarded[] = { { "$forwarded", 10 } };

#define KEEP .kind = FILTER_SAVE, .keep = true
#define SAVE(to) .kind = FILTER_SAVE, .verb = "fileinto", .target = { to, sizeof(to) - 1 }
#define FLAGS(bits, words) .flags = { true, bits, words, sizeof(words) / sizeof(words[0]) }
#define LINE(n) .line = n, .script = { "x.sieve", 7 }

static const struct {
	struct filter_action actions[4];	/* up to the kind FILTER_MARK */
	const char *what, *rules;
	bool changes, stays;
} cases[] = {
	{ { { KEEP } }, "kept", "", false, true },
	{ { { .kind = FILTER_MARK } }, "discarded", "", true, false },
	{ { { SAVE("I"), LINE(3) } }, "kept", "x.sieve line 3", false, true },
	{ { { SAVE("L"), LINE(3) } }, "moved to L", "x.sieve line 3", true, false },
	{ { { SAVE("L"), LINE(3) }, { KEEP } }, "copied to L", "x.sieve line 3", true, true },
	{ { { SAVE("L"), LINE(3) }, { SAVE("M"), LINE(4) } }, "moved to L; copied to M", "x.sieve line 3; x.sieve line 4", true, false },
	{ { { SAVE("new.x") } }, "moved to new.x (made)", "", true, false },
	{ { { SAVE("Gone") } }, "kept; there is no mailbox Gone", "", true, true },
	/* flags */
	{ { { KEEP, FLAGS(MSG_SEEN, keyword_a) } }, "kept", "", false, true },
	{ { { KEEP, FLAGS(MSG_SEEN | MSG_FLAGGED, keyword_b) } }, "flags +\\Flagged +b -a", "", true, true },
	{ { { SAVE("L"), FLAGS(0, forwarded) } }, "moved to L, flags -\\Seen +$Forwarded -a", "", true, false },
	{ { { SAVE("L"), FLAGS(MSG_SEEN, keyword_a) }, { KEEP, FLAGS(0, keyword_a) } },
	    "copied to L; flags -\\Seen", "", true, true },
	/* what leaves */
	{ { { .kind = FILTER_REDIRECT, .target = { "x@y", 3 }, LINE(1) }, { KEEP } }, "kept; redirected to <x@y>",
	    "x.sieve line 1", true, true },
	{ { { .kind = FILTER_REDIRECT, .target = { "x@y", 3 } } }, "not kept; redirected to <x@y>", "", true, false },
	{ { { .kind = FILTER_REJECT, .text = { "No.\nNever.", 10 } } }, "not kept; rejected: No.", "", true, false },
	{ { { .kind = FILTER_ANSWER, .verb = "vacation", .target = { "x@y", 3 } }, { SAVE("S"), .own = true }, { KEEP } },
	    "kept; vacation to <x@y>; copy of an answer to S", "", true, true },
	{ { { .kind = FILTER_PIPE, .target = { "prog", 4 } } }, "not kept; piped to prog", "", true, false },
	{ { { SAVE("L"), .message = { "A: 1\r\nB: 2\r\n\r\nx\n", 16 } } }, "moved to L; its text changed", "", true, false },
	{ { { SAVE("L"), .message = { "B: 2\nC: 3\n\nx\n", 13 } } }, "moved to L; header -A: 1 +C: 3", "", true, false },
	{ { { SAVE("L"), .message = { "A: 1\nB: 2\nB: 2\n\ny\n", 18 } } }, "moved to L; header +B: 2; its text changed", "", true, false },
	{ { { SAVE("C"), LINE(3) }, { SAVE("I"), LINE(3) } }, "kept", "x.sieve line 3", false, true },
	{ { { SAVE("C"), LINE(3) } }, "moved to C", "x.sieve line 3", true, false },
};

static void
test_plans(void **state)
{
	struct replay_at at = { .mailbox = SPAN("I"), .text = SPAN("A: 1\r\nB: 2\r\n\r\nx\r\n"), .flags = { MSG_SEEN, keyword_a, 1 } };
	const struct replay_host host = { .place = place, .has = has };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct filter_action list[4];
		struct arena *a = arena_new(1 << 20);
		struct replay_plan plan;
		size_t n = 0;

		memcpy(list, cases[i].actions, sizeof(list));
		while (n < 4 && list[n].kind != FILTER_MARK && (list[n].target.n > 0 || list[n].keep || list[n].text.n > 0))
			n++;
		for (size_t k = 0; k + 1 < n; k++)
			list[k].next = &list[k + 1];
		assert_true(replay_plan(n == 0 ? NULL : list, &at, &host, a, &plan));
		assert_span(plan.what, cases[i].what);
		assert_span(plan.rules, cases[i].rules);
		assert_int_equal(plan.changes, cases[i].changes);
		assert_int_equal(plan.stays, cases[i].stays);
		arena_free(a);
	}
}

/* -m: kept messages go there. */
static void
test_keep_elsewhere(void **state)
{
	struct filter_action keep = { KEEP };
	struct replay_at at = { .mailbox = SPAN("Work") };
	const struct replay_host host = { .place = place, .keep = SPAN("INBOX") };
	struct arena *a = arena_new(65536);
	struct replay_plan plan;

	(void)state;
	assert_true(replay_plan(&keep, &at, &host, a, &plan));
	assert_span(plan.what, "moved to INBOX");
	at.mailbox = SPAN("INBOX");
	assert_true(replay_plan(&keep, &at, &host, a, &plan));
	assert_span(plan.what, "kept");
	arena_free(a);
}

static void
test_words(void **state)
{
	const struct replay_flags flags = { MSG_SEEN | MSG_PASSED, keyword_b, 1 }, none = { 0, NULL, 0 };
	struct arena *a = arena_new(65536);

	(void)state;
	assert_span(replay_flag_words(&flags, a), "\\Seen $Forwarded b");
	assert_int_equal(replay_flag_words(&none, a).n, 0);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_keep_elsewhere),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
