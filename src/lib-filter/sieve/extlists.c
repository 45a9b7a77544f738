/* SPDX-License-Identifier: MIT */
/* extlists (RFC 6134): lists of addresses or words that are kept outside of the script; the host knows them. */
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/run.h"

#define LIST_NAME_MAX 1000

/* RFC 6134 section 2.1: a URI; a name without a scheme is that of one of the user's own lists. */
static bool
list_exists(const struct sieve_run *r, struct span list)
{
	return list.n > 0 && list.n <= LIST_NAME_MAX && r->host->list_exists != NULL && r->host->list_exists(r->host->ctx, list);
}

int
sieve_list_has(struct sieve_run *r, const struct sieve_node *n, struct span list, struct span value)
{
	if (sieve_run_work(r, n, 20) == -1)
		return -1;
	/* Section 2.4: what is no list that is known is an error, not a test that fails. */
	if (!list_exists(r, list))
		return sieve_run_fail(r, n, "there is no list \"%.*s\"", SPAN_ARG(span_sub(list, 0, 60)));
	return r->host->list_has != NULL && r->host->list_has(r->host->ctx, list, value);
}

static int
test_valid_ext_list(struct sieve_run *r, const struct sieve_node *n)
{
	for (size_t i = 0; i < n->pos[0]->count; i++) {
		struct span name;

		if (sieve_run_string(r, n, n->pos[0]->strings[i], &name) == -1)
			return -1;
		if (!list_exists(r, name))
			return 0;
	}
	return 1;
}

int
sieve_list_members(struct sieve_run *r, const struct sieve_node *n, struct span list, struct span **out, size_t *count)
{
	if (sieve_run_work(r, n, 100) == -1)
		return -1;
	if (!list_exists(r, list) || r->host->list_members == NULL)
		return sieve_run_fail(r, n, "there is no list \"%.*s\"", SPAN_ARG(span_sub(list, 0, 60)));
	return r->host->list_members(r->host->ctx, list, r->a, out, count) ? 0 :
	    sieve_run_fail(r, n, "the list \"%.*s\" can not be read now", SPAN_ARG(span_sub(list, 0, 60)));
}

const struct sieve_word sieve_words_extlists[] = {
	{ .name = "valid_ext_list", .is_test = true, .ext = EXT_EXTLISTS, .args = "L", .run = test_valid_ext_list },
	{ .name = NULL },
};
