/* SPDX-License-Identifier: MIT */
/* The flow of a script: require, if, stop; tests made of tests (RFC 5228 sections 3 and 5). */
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/run.h"

static int
check_require(struct sieve_checker *c, struct sieve_node *n)
{
	const struct sieve_arg *names = n->pos[0];
	int rc = 0;

	if (c->requires_over)
		return sieve_fail(c, n, "stands at the start of a script");
	/* Those that are there count all the same: their words are no further mistakes. */
	for (size_t i = 0; i < names->count; i++) {
		enum sieve_ext e = sieve_extension_find(names->strings[i]);

		if (e != EXT_CORE && extset_has(&c->available, e))
			rc = sieve_check_require(c, n, e) == -1 ? -1 : rc;
		else {
			extset_add(&c->lacking, e);
			rc = sieve_fail(c, n, "there is no extension \"%.*s\"", SPAN_ARG(span_sub(names->strings[i], 0, 60)));
		}
	}
	/* Its items are those of the test "environment", which comes along. */
	if (extset_has(&c->required, EXT_VND_ENVIRONMENT) && extset_has(&c->available, EXT_ENVIRONMENT))
		extset_add(&c->required, EXT_ENVIRONMENT);
	/* RFC 6131 section 2 */
	if (extset_has(&c->required, EXT_VACATION_SECONDS) && extset_has(&c->available, EXT_VACATION))
		extset_add(&c->required, EXT_VACATION);
	return rc;
}

static int
run_nothing(struct sieve_run *r, const struct sieve_node *n)
{
	(void)r;
	(void)n;
	return 0;
}

static int
run_stop(struct sieve_run *r, const struct sieve_node *n)
{
	(void)n;
	r->stopped = true;
	return 0;
}

static int
test_not(struct sieve_run *r, const struct sieve_node *n)
{
	int rc = sieve_run_test(r, n->tests);

	return rc == -1 ? -1 : !rc;
}

static int
test_allof(struct sieve_run *r, const struct sieve_node *n)
{
	int rc = 1;

	for (const struct sieve_node *t = n->tests; t != NULL && rc == 1; t = t->next)
		rc = sieve_run_test(r, t);
	return rc;
}

static int
test_anyof(struct sieve_run *r, const struct sieve_node *n)
{
	int rc = 0;

	for (const struct sieve_node *t = n->tests; t != NULL && rc == 0; t = t->next)
		rc = sieve_run_test(r, t);
	return rc;
}

static int
test_true(struct sieve_run *r, const struct sieve_node *n)
{
	(void)r;
	(void)n;
	return 1;
}

int
sieve_run_block(struct sieve_run *r, const struct sieve_node *n)
{
	bool taken = false;		/* a branch of the if at hand */

	for (; n != NULL && !r->stopped && !r->returned && r->broken == NULL; n = n->next) {
		int rc;

		if (n->word->run != NULL) {
			if (sieve_run_work(r, n, 1) == -1 || n->word->run(r, n) == -1)
				return -1;
			continue;
		}
		/* if, elsif, else: that one comes before the other has been checked */
		if (n->tests == NULL ? taken : taken && !span_ieq(n->name, SPAN("if")))
			continue;
		rc = n->tests == NULL ? 1 : sieve_run_test(r, n->tests);
		if (rc == -1 || (rc == 1 && sieve_run_block(r, n->block) == -1))
			return -1;
		taken = rc == 1;
	}
	return 0;
}

const struct sieve_word sieve_words_control[] = {
	{ .name = "require", .args = "L", .check = check_require, .run = run_nothing },
	{ .name = "if", .args = "", .tests = TESTS_ONE, .block = true },
	{ .name = "elsif", .args = "", .tests = TESTS_ONE, .block = true },
	{ .name = "else", .args = "", .block = true },
	{ .name = "stop", .args = "", .run = run_stop },
	{ .name = "not", .is_test = true, .args = "", .tests = TESTS_ONE, .run = test_not },
	{ .name = "allof", .is_test = true, .args = "", .tests = TESTS_LIST, .run = test_allof },
	{ .name = "anyof", .is_test = true, .args = "", .tests = TESTS_LIST, .run = test_anyof },
	{ .name = "true", .is_test = true, .args = "", .run = test_true },
	{ .name = "false", .is_test = true, .args = "", .run = run_nothing },
	{ .name = NULL },
};
