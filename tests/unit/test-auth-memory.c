/* SPDX-License-Identifier: MIT */
/* What auth remembers: cache, tokens, penalties; and its threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "auth/cache.h"
#include "auth/penalty.h"
#include "auth/token.h"
#include "auth/workers.h"

static struct cache_key
key(struct cache *c, const char *a, const char *b)
{
	struct span parts[] = { span_str(a), span_str(b) };
	struct cache_key k;

	assert_true(cache_make_key(c, parts, 2, &k));
	return k;
}

static void
test_cache(void **state)
{
	struct cache *c = cache_new(10000, 1000, 100);
	struct cache_key k = key(c, "a", "bc"), other = key(c, "ab", "c");
	struct cache_hit hit;

	(void)state;
	assert_memory_not_equal(k.id, other.id, CACHE_KEY_LEN);
	assert_false(cache_get(c, 0, &k, SPAN("pw"), &hit));
	cache_put(c, 0, &k, SPAN("bob"), true, SPAN("raw"), SPAN("pw"));
	assert_true(cache_get(c, 999, &k, SPAN("pw"), &hit));
	assert_true(hit.known && hit.password_right && span_eq(hit.raw, SPAN("raw")));
	assert_true(cache_get(c, 999, &k, SPAN("pW"), &hit));
	assert_true(hit.known && !hit.password_right);
	assert_true(cache_get(c, 999, &k, SPAN(""), &hit));
	assert_false(hit.password_right);
	assert_false(cache_get(c, 999, &other, SPAN("pw"), &hit));
	assert_false(cache_get(c, 1000, &k, SPAN("pw"), &hit));
	assert_int_equal(cache_used(c), 0);
	cache_put(c, 0, &k, SPAN("joe"), false, SPAN_NONE, SPAN_NONE);
	assert_true(cache_get(c, 99, &k, SPAN("pw"), &hit));
	assert_false(hit.known);
	assert_false(cache_get(c, 100, &k, SPAN("pw"), &hit));
	/* Without a password none is right, not even the empty one. */
	cache_put(c, 0, &k, SPAN("bob"), true, SPAN_NONE, SPAN_NONE);
	assert_true(cache_get(c, 1, &k, SPAN_NONE, &hit));
	assert_false(hit.password_right);
	for (int i = 0; i < 1000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		k = key(c, name, "");
		cache_put(c, 0, &k, span_str(name), true, SPAN("raw"), SPAN("pw"));
		assert_true(cache_used(c) <= 10000);
	}
	assert_true(cache_get(c, 1, &k, SPAN("pw"), &hit));	/* the newest is there */
	assert_int_equal(cache_flush(c, SPAN("999")), 1);
	assert_false(cache_get(c, 1, &k, SPAN("pw"), &hit));
	assert_true(cache_flush(c, SPAN_NONE) > 10);
	assert_int_equal(cache_used(c), 0);
	cache_free(c);
	c = cache_new(0, 1000, 1000);
	cache_put(c, 0, &k, SPAN("bob"), true, SPAN("raw"), SPAN("pw"));
	assert_false(cache_get(c, 0, &k, SPAN("pw"), &hit));
	cache_free(c);
}

static void
test_tokens(void **state)
{
	struct tokens *t = tokens_new(3);
	unsigned char id[5][AUTH_TOKEN_LEN];
	struct buf out = BUF_INIT(100);

	(void)state;
	assert_true(token_make(t, 0, SPAN("imap"), SPAN("payload"), id[0]));
	assert_false(token_take(t, 0, SPAN("pop3"), span_of(id[0], AUTH_TOKEN_LEN), &out));
	assert_false(token_take(t, 0, SPAN("imap"), span_of(id[0], AUTH_TOKEN_LEN - 1), &out));
	assert_false(token_take(t, TOKEN_LIFE_MS, SPAN("imap"), span_of(id[0], AUTH_TOKEN_LEN), &out));
	assert_int_equal(tokens_count(t), 0);
	assert_true(token_make(t, 0, SPAN("imap"), SPAN("payload"), id[0]));
	assert_true(token_take(t, TOKEN_LIFE_MS - 1, SPAN("imap"), span_of(id[0], AUTH_TOKEN_LEN), &out));
	assert_true(span_eq(buf_span(&out), SPAN("payload")));
	assert_false(token_take(t, 1, SPAN("imap"), span_of(id[0], AUTH_TOKEN_LEN), &out));
	for (int i = 0; i < 5; i++)
		assert_true(token_make(t, i, SPAN("imap"), SPAN("p"), id[i]));
	assert_int_equal(tokens_count(t), 3);
	assert_false(token_take(t, 5, SPAN("imap"), span_of(id[1], AUTH_TOKEN_LEN), &out));
	assert_true(token_take(t, 5, SPAN("imap"), span_of(id[3], AUTH_TOKEN_LEN), &out));
	tokens_free(t);
	buf_clear(&out);
}

static void
test_penalty(void **state)
{
	struct penalty *p = penalty_new(3, 15000);
	static const uint64_t want[] = { 2000, 4000, 8000, 15000, 15000 };
	char address[32];

	(void)state;
	assert_int_equal(penalty_ms(p, 0, SPAN("192.0.2.1")), 0);
	for (int i = 0; i < 5; i++) {
		char password[4] = { (char)('a' + i), '\0' };

		penalty_failed(p, i, SPAN("192.0.2.1"), SPAN("bob"), span_str(password));
		assert_int_equal(penalty_ms(p, i, SPAN("192.0.2.1")), want[i]);
	}
	assert_int_equal(penalty_ms(p, 5, SPAN("192.0.2.2")), 0);
	penalty_ended(p, SPAN("192.0.2.1"));
	assert_int_equal(penalty_ms(p, 5, SPAN("192.0.2.1")), 0);
	/* The same password again; the same /64. */
	penalty_failed(p, 0, SPAN("2001:db8::1"), SPAN("bob"), SPAN("x"));
	penalty_failed(p, 0, SPAN("2001:db8::2"), SPAN("bob"), SPAN("x"));
	assert_int_equal(penalty_ms(p, 1, SPAN("2001:db8::ffff:1")), 2000);
	assert_int_equal(penalty_ms(p, 1, SPAN("2001:db8:0:1::1")), 0);
	assert_int_equal(penalty_ms(p, PENALTY_FORGET_MS, SPAN("2001:db8::1")), 0);
	/* This host, and what is no address. */
	penalty_failed(p, 0, SPAN("127.0.0.1"), SPAN("bob"), SPAN("x"));
	penalty_failed(p, 0, SPAN("::1"), SPAN("bob"), SPAN("x"));
	penalty_failed(p, 0, SPAN(""), SPAN("bob"), SPAN("x"));
	penalty_failed(p, 0, SPAN("nonsense"), SPAN("bob"), SPAN("x"));
	assert_int_equal(penalty_ms(p, 0, SPAN("127.0.0.1")), 0);
	for (int i = 1; i < 100; i++) {
		snprintf(address, sizeof(address), "198.51.100.%d", i);
		penalty_failed(p, i, span_str(address), SPAN("bob"), SPAN("x"));
	}
	assert_int_equal(penalty_ms(p, 100, SPAN("198.51.100.96")), 0);
	assert_int_equal(penalty_ms(p, 100, SPAN("198.51.100.97")), 2000);
	penalty_free(p);
}

struct sum_job {
	struct job job;
	int in, out;
	int *total;
};

static void
run_sum(struct job *j)
{
	struct sum_job *s = (struct sum_job *)j;

	s->out = s->in * 2;
}

static void
done_sum(struct job *j)
{
	struct sum_job *s = (struct sum_job *)j;

	*s->total += s->out + 1;
	free(s);
}

static void
test_workers(void **state)
{
	struct ev_loop *loop = ev_loop_new(0);
	struct workers *w = workers_new(loop, 3, 100000);
	int total = 0, want = 0;

	(void)state;
	ev_ref(loop);
	for (int i = 0; i < 1000; i++) {
		struct sum_job *s = calloc(1, sizeof(*s));

		s->job.run = run_sum;
		s->job.done = done_sum;
		s->in = i;
		s->total = &total;
		assert_true(workers_submit(w, &s->job));
		want += i * 2 + 1;
	}
	while (total != want)
		ev_run(loop, EVRUN_ONCE);
	ev_unref(loop);
	workers_free(w);
	/* What has not run when it ends is given back all the same. */
	w = workers_new(loop, 1, 4);
	total = 0;
	for (int i = 0; i < 100; i++) {
		struct sum_job *s = calloc(1, sizeof(*s));

		s->job.run = run_sum;
		s->job.done = done_sum;
		s->total = &total;
		if (!workers_submit(w, &s->job))
			free(s);
		else
			want = i;
	}
	workers_free(w);
	assert_true(total >= 4);
	ev_loop_destroy(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cache), cmocka_unit_test(test_tokens), cmocka_unit_test(test_penalty),
		cmocka_unit_test(test_workers),
	};

	return cmocka_run_group_tests_name("auth memory", tests, NULL, NULL);
}
