/* SPDX-License-Identifier: MIT */
#include "testing.h"
#include "login/crowd.h"

#define A SPAN("\x7f\0\0\1")
#define B SPAN("\xc0\0\2\1")

static void
test_oldest_goes(void **state)
{
	struct crowd c;
	struct crowd_member m[4];

	(void)state;
	assert_true(crowd_init(&c, 3, 0));
	for (size_t i = 0; i < 3; i++) {
		assert_null(crowd_victim(&c, A));
		assert_true(crowd_add(&c, &m[i], i == 1 ? B : A));
	}
	assert_ptr_equal(crowd_victim(&c, B), &m[0]);
	/* Whoever is being served stays as long as there is another. */
	m[0].is_busy = true;
	assert_ptr_equal(crowd_victim(&c, B), &m[1]);
	m[1].is_busy = m[2].is_busy = true;
	assert_ptr_equal(crowd_victim(&c, B), &m[0]);
	crowd_remove(&c, &m[0]);
	assert_null(crowd_victim(&c, B));
	assert_true(crowd_add(&c, &m[3], SPAN_NONE));
	assert_int_equal(c.count, 3);
	crowd_remove(&c, &m[2]);
	crowd_remove(&c, &m[1]);
	crowd_remove(&c, &m[3]);
	assert_int_equal(c.count, 0);
	assert_int_equal(hash_count(c.addresses), 0);
	crowd_clear(&c);
}

static void
test_an_address_pushes_out_itself(void **state)
{
	struct crowd c;
	struct crowd_member m[5];

	(void)state;
	assert_true(crowd_init(&c, 100, 2));
	assert_true(crowd_add(&c, &m[0], B));
	assert_true(crowd_add(&c, &m[1], A));
	assert_true(crowd_add(&c, &m[2], A));
	assert_null(crowd_victim(&c, B));
	assert_ptr_equal(crowd_victim(&c, A), &m[1]);
	m[1].is_busy = true;
	assert_ptr_equal(crowd_victim(&c, A), &m[2]);
	/* Local clients have no address, and no limit of their own. */
	assert_true(crowd_add(&c, &m[3], SPAN_NONE));
	assert_true(crowd_add(&c, &m[4], SPAN_NONE));
	assert_null(crowd_victim(&c, SPAN_NONE));
	for (size_t i = 0; i < 5; i++)
		crowd_remove(&c, &m[i]);
	crowd_clear(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oldest_goes),
		cmocka_unit_test(test_an_address_pushes_out_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
