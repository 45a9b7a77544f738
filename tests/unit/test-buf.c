/* SPDX-License-Identifier: MIT */
/* buf, arena, array, hash: memory that others build on. */
#include "testing.h"
#include "lib/arena.h"
#include "lib/array.h"
#include "lib/hash.h"

static void
test_buf_limit(void **state)
{
	struct buf b = BUF_INIT(5);

	(void)state;
	buf_add(&b, SPAN("abc"));
	buf_add(&b, SPAN("def"));	/* one too many: nothing of it goes in */
	assert_true(b.failed);
	assert_span(buf_span(&b), "abc");
	buf_addc(&b, 'd');		/* would fit, but failure sticks */
	assert_span(buf_span(&b), "abc");
	buf_reset(&b);
	assert_false(b.failed);
	buf_adds(&b, "12345");
	assert_false(b.failed);
	assert_span(buf_span(&b), "12345");
	assert_null(buf_cstr(&b));	/* no room for the terminator */
	buf_clear(&b);
	assert_int_equal(b.max, 5);
	buf_add(&b, SPAN_NONE);
	assert_false(b.failed);
	assert_span(buf_span(&b), "");
	buf_clear(&b);
}

static void
test_buf_text(void **state)
{
	struct buf b;
	char big[2000];

	(void)state;
	buf_init(&b, 600);
	buf_addf(&b, "%d-%s;", 42, "x");
	buf_add_u64(&b, 0);
	buf_addc(&b, ' ');
	buf_add_u64(&b, UINT64_MAX);
	assert_span(buf_span(&b), "42-x;0 18446744073709551615");
	assert_string_equal(buf_cstr(&b), "42-x;0 18446744073709551615");
	buf_addc(&b, '\0');
	assert_null(buf_cstr(&b));
	buf_reset(&b);
	assert_string_equal(buf_cstr(&b), "");
	memset(big, 'x', sizeof(big));
	buf_addf(&b, "%.*s", 600, big);		/* longer than the stack's room, and it fits exactly */
	assert_false(b.failed);
	assert_int_equal(b.n, 600);
	buf_addf(&b, "%.*s", 600, big);
	assert_true(b.failed);
	assert_int_equal(b.n, 600);
	buf_clear(&b);
}

static void
test_buf_numbers(void **state)
{
	struct buf b = BUF_INIT(100);

	(void)state;
	buf_add_be16(&b, 0x8182);
	buf_add_be32(&b, 0x83848586u);
	buf_add_be64(&b, 0x8788898a8b8c8d8eu);
	assert_span(buf_span(&b), "\x81\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e");
	assert_int_equal(be16_get(b.p), 0x8182);
	assert_true(be32_get(b.p + 2) == 0x83848586u);
	assert_true(be64_get(b.p + 6) == 0x8788898a8b8c8d8eu);
	buf_drop(&b, 2);
	assert_true(be32_get(b.p) == 0x83848586u);
	buf_drop(&b, 0);
	buf_drop(&b, 12);
	assert_int_equal(b.n, 0);
	buf_clear(&b);
}

static void
test_buf_secret(void **state)
{
	struct buf b = BUF_INIT(1 << 20);

	(void)state;
	b.secret = true;
	for (int i = 0; i < 5000; i++)
		buf_addf(&b, "%04d", i);
	for (int i = 0; i < 5000; i += 499) {
		char want[8];

		snprintf(want, sizeof(want), "%04d", i);
		assert_span(span_sub(buf_span(&b), (size_t)i * 4, 4), want);
	}
	buf_clear(&b);
	assert_true(b.secret);
	buf_adds(&b, "again");
	buf_wipe(&b);
	assert_null(b.p);
}

static void
test_arena(void **state)
{
	struct arena *a = arena_new(1 << 20);
	char *p;

	(void)state;
	for (size_t n = 0; n < 3000; n += 7) {
		p = arena_alloc(a, n, 1);
		assert_non_null(p);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(p[i], 0);
		memset(p, 'x', n);
	}
	assert_span(arena_dup(a, SPAN("text")), "text");
	assert_non_null(arena_dup(a, SPAN_NONE).p);
	assert_string_equal(arena_cstr(a, SPAN("text")), "text");
	assert_string_equal(arena_cstr(a, SPAN_NONE), "");
	assert_null(arena_cstr(a, SPAN("te\0t")));
	assert_string_equal(arena_printf(a, "%s-%d", "n", 5), "n-5");
	assert_true(arena_used(a) > 600000);
	arena_reset(a);
	assert_int_equal(arena_used(a), 0);
	p = arena_alloc(a, 1, 16);
	assert_int_equal(p[0], 0);		/* zeroed though used before */
	arena_free(a);
	arena_free(NULL);
}

static void
test_arena_limits(void **state)
{
	struct arena *a = arena_new(100);
	size_t count = 0;

	(void)state;
	assert_null(arena_alloc(a, 101, 1));
	assert_null(arena_alloc(a, SIZE_MAX / 2, 3));
	assert_null(arena_alloc(a, SIZE_MAX, 1));
	assert_non_null(arena_alloc(a, 10, 10));	/* exactly */
	assert_null(arena_alloc(a, 1, 1));
	assert_null(arena_dup(a, SPAN("x")).p);
	assert_null(arena_cstr(a, SPAN("x")));
	assert_null(arena_printf(a, "x"));
	assert_non_null(arena_alloc(a, 5, 0));
	arena_reset(a);
	while (arena_alloc(a, 1, 1) != NULL)	/* small objects count with their padding */
		count++;
	assert_in_range(count, 100 / _Alignof(max_align_t), 100 / _Alignof(max_align_t) + 1);
	arena_free(a);

	a = arena_new(SIZE_MAX);
	assert_null(arena_alloc(a, SIZE_MAX - 20, 1));	/* must not wrap into a small block */
	assert_null(arena_cstr(a, span_of("", SIZE_MAX)));
	arena_reset(a);
	assert_non_null(arena_alloc(a, 1 << 20, 1));
	arena_reset(a);				/* a big first block goes back to the system */
	assert_non_null(arena_alloc(a, 1, 1));
	arena_free(a);
}

static void
test_array(void **state)
{
	struct array a = ARRAY_INIT(int, 20);

	(void)state;
	for (int i = 0; i < 20; i++)
		*(int *)array_push(&a) = i;
	assert_null(array_push(&a));
	assert_int_equal(a.n, 20);
	array_remove(&a, 5, 10);
	assert_int_equal(a.n, 10);
	assert_int_equal(*(int *)array_at(&a, 4), 4);
	assert_int_equal(*(int *)array_at(&a, 5), 15);
	array_remove(&a, 9, 1);
	array_remove(&a, 0, 0);
	assert_int_equal(a.n, 9);
	assert_int_equal(*(int *)array_push(&a), 0);	/* new objects are zeroed */
	assert_false(array_reserve(&a, 21));
	assert_true(array_reserve(&a, 20));
	array_clear(&a);
	assert_int_equal(a.n, 0);
	a.max = SIZE_MAX;
	assert_false(array_reserve(&a, SIZE_MAX / 4));
	assert_non_null(array_push(&a));
	array_clear(&a);
}

static void
test_hash(void **state)
{
	struct hash *h = hash_new(1000);
	static int values[1000];
	struct span key;
	char name[16];
	size_t pos = 0, walked = 0;
	void *v;

	(void)state;
	assert_null(hash_get(h, SPAN("x")));
	assert_null(hash_remove(h, SPAN("x")));
	assert_false(hash_next(h, &pos, &key, &v));
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "key%d", i);
		assert_true(hash_set(h, span_str(name), &values[i]));
	}
	assert_int_equal(hash_count(h), 1000);
	assert_false(hash_set(h, SPAN("one more"), &values[0]));
	assert_true(hash_set(h, SPAN("key7"), &values[8]));	/* replacing takes no room */
	assert_ptr_equal(hash_get(h, SPAN("key7")), &values[8]);
	assert_null(hash_get(h, SPAN("key1000")));
	for (pos = 0; hash_next(h, &pos, &key, &v);) {
		walked++;
		if (walked % 2 == 0)
			assert_ptr_equal(hash_remove(h, key), v);
	}
	assert_int_equal(walked, 1000);
	assert_int_equal(hash_count(h), 500);
	for (pos = 0, walked = 0; hash_next(h, &pos, &key, &v); walked++)
		assert_ptr_equal(hash_get(h, key), v);
	assert_int_equal(walked, 500);
	hash_free(h);
	hash_free(NULL);
}

/* Removed entries' places are used again: the table does not fill with them. */
static void
test_hash_churn(void **state)
{
	struct hash *h = hash_new(10);
	char name[16];
	int value;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		assert_true(hash_set(h, span_str(name), &value));
		if (i >= 5) {
			snprintf(name, sizeof(name), "%d", i - 5);
			assert_ptr_equal(hash_remove(h, span_str(name)), &value);
		}
	}
	assert_int_equal(hash_count(h), 5);
	assert_true(hash_set(h, SPAN_NONE, &value));		/* the empty key is one, and so is one with a NUL */
	assert_true(hash_set(h, SPAN("\0"), &value));
	assert_ptr_equal(hash_get(h, SPAN("")), &value);
	assert_null(hash_get(h, SPAN("\0\0")));
	assert_true(hash_of(SPAN("a")) == hash_of(SPAN("a")));
	assert_true(hash_of(SPAN("a")) != hash_of(SPAN("a\0")));
	hash_free(h);
}

/* The keys lie in the arena; a place stays until the table is changed. */
static void
test_hash_in_arena(void **state)
{
	struct arena *a = arena_new(1 << 20);
	struct hash *h = hash_new_in(a, 100, 1000);
	char name[16];
	void **slot;
	int value;

	(void)state;
	assert_non_null(a);
	assert_non_null(h);
	assert_int_equal(hash_count(h), 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "key%d", i);
		slot = hash_slot(h, span_str(name));
		assert_non_null(slot);
		assert_null(*slot);
		*slot = &value + i % 2;
		assert_ptr_equal(hash_slot(h, span_str(name)), slot);
	}
	assert_int_equal(hash_count(h), 1000);
	assert_null(hash_slot(h, SPAN("one more")));
	assert_ptr_equal(hash_get(h, SPAN("key7")), &value + 1);
	assert_ptr_equal(hash_remove(h, SPAN("key7")), &value + 1);
	assert_null(hash_get(h, SPAN("key7")));
	assert_non_null(hash_slot(h, SPAN("one more")));
	hash_free(h);
	arena_free(a);

	/* No room for a key: it is not there. */
	a = arena_new(4096);
	h = hash_new_in(a, 0, 10000);
	assert_non_null(h);
	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "key%d", i);
		if ((slot = hash_slot(h, span_str(name))) == NULL)
			break;
		*slot = &value;
	}
	assert_null(slot);
	assert_in_range(hash_count(h), 1, 9999);
	assert_null(hash_get(h, span_str(name)));
	hash_free(h);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf_limit),
		cmocka_unit_test(test_buf_text),
		cmocka_unit_test(test_buf_numbers),
		cmocka_unit_test(test_buf_secret),
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_arena_limits),
		cmocka_unit_test(test_array),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_hash_churn),
		cmocka_unit_test(test_hash_in_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
