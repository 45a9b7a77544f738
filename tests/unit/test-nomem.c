/* SPDX-License-Identifier: MIT */
/*
 * What src/lib does when memory is out.  The program is linked so that calls of the allocator come here first
 * (-Wl,--wrap), and the one that a test names fails.
 */
#include "testing.h"
#include <ev.h>
#include <fcntl.h>
#include <sys/socket.h>
#include "lib/arena.h"
#include "lib/array.h"
#include "lib/hash.h"
#include "lib/ipc.h"
#include "lib/log.h"
#include "lib/peer.h"
#include "lib/priv.h"
#include "lib/stream.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t n);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t count, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t count, size_t n);

static int fail_at = -1;	/* 0: the next call fails, 1: the one after; -1: none */

static bool
is_out(void)
{
	if (fail_at < 0)
		return false;
	return fail_at-- == 0;
}

void *
__wrap_malloc(size_t n)
{
	return is_out() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t count, size_t n)
{
	return is_out() ? NULL : __real_calloc(count, n);
}

void *
__wrap_realloc(void *p, size_t n)
{
	return is_out() ? NULL : __real_realloc(p, n);
}

void *
__wrap_reallocarray(void *p, size_t count, size_t n)
{
	return is_out() ? NULL : __real_reallocarray(p, count, n);
}

static void
test_buf(void **state)
{
	struct buf b = BUF_INIT(1000), secret = BUF_INIT(1000);

	(void)state;
	buf_adds(&b, "kept");
	fail_at = 0;
	buf_add(&b, span_of((char[500]){ 0 }, 500));
	assert_true(b.failed);
	assert_span(buf_span(&b), "kept");
	secret.secret = true;
	buf_adds(&secret, "kept");
	fail_at = 0;
	assert_false(buf_grow(&secret, 500));
	assert_span(buf_span(&secret), "kept");
	buf_reset(&secret);
	assert_true(buf_grow(&secret, 500));
	fail_at = -1;
	buf_clear(&b);
	buf_clear(&secret);
	fail_at = 0;
	assert_null(buf_cstr(&b));
	buf_clear(&b);
}

static void
test_arena_array(void **state)
{
	struct array list = ARRAY_INIT(int, 1000);
	struct arena *a;

	(void)state;
	fail_at = 0;
	assert_null(arena_new(100));
	a = arena_new(1 << 20);
	fail_at = 0;
	assert_null(arena_alloc(a, 1, 1));
	assert_non_null(arena_alloc(a, 1, 1));
	fail_at = 0;
	assert_null(arena_dup(a, span_of((char[5000]){ 0 }, 5000)).p);
	arena_free(a);
	fail_at = 0;
	assert_null(array_push(&list));
	assert_int_equal(list.n, 0);
	assert_non_null(array_push(&list));
	array_clear(&list);
}

static void
test_hash(void **state)
{
	struct hash *h;
	int value;

	(void)state;
	fail_at = 0;
	assert_null(hash_new(10));
	h = hash_new(100);
	for (int step = 0; step < 2; step++) {	/* the table, then the key */
		fail_at = step;
		assert_false(hash_set(h, SPAN("a"), &value));
		assert_null(hash_get(h, SPAN("a")));
		assert_int_equal(hash_count(h), 0);
	}
	fail_at = -1;
	assert_true(hash_set(h, SPAN("a"), &value));
	assert_ptr_equal(hash_get(h, SPAN("a")), &value);
	hash_free(h);
}

static void
test_ipc(void **state)
{
	struct err e = ERR_INIT;
	struct ipc_msg m;
	struct ipc_out o;
	int fds[2];

	(void)state;
	fail_at = 0;
	assert_int_equal(ipc_msg_init(&m, &e), -1);
	assert_int_equal(ipc_pair(fds, &e), 0);
	fail_at = 0;
	ipc_begin(&o, 1);
	ipc_put_u32(&o, 1, 1);
	assert_int_equal(ipc_send(fds[0], &o, &e), -1);
	fail_at = -1;
	close(fds[0]);
	close(fds[1]);
}

static int
refuse(struct peer *p, struct ipc_msg *m, struct err *e)
{
	(void)p;
	(void)m;
	return err_set(e, ERR_DENIED, "no");
}

static void
count_close(struct peer *p)
{
	++*(int *)peer_data(p);
}

static void
test_peer(void **state)
{
	static const struct ipc_rule rules[] = { { 1, 1, refuse }, { 0, 0, NULL } };
	struct log_target quiet = { .info_fd = -1, .debug_fd = -1 };
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct peer_options po = { .rules = rules, .kind = 1, .on_close = count_close };
	struct err e = ERR_INIT;
	int fds[2], keep, closes = 0;
	struct peer *p;

	(void)state;
	quiet.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	log_init(&quiet);
	po.data = &closes;
	assert_int_equal(ipc_pair(fds, &e), 0);
	keep = fds[0];
	for (int step = 0; step < 2; step++) {	/* the shared frame, then the peer */
		fail_at = step;
		assert_null(peer_new(loop, &fds[0], &po));
		assert_int_equal(fds[0], keep);	/* still the caller's */
	}
	fail_at = -1;
	p = peer_new(loop, &fds[0], &po);
	assert_non_null(p);
	/* the frame that would have to wait finds no memory: the peer is closed, from the loop */
	for (int i = 0; i < 100000 && closes == 0; i++) {
		struct ipc_out o;

		fail_at = -1;
		ipc_begin(&o, 1);
		ipc_put_u32(&o, 1, 1);
		fail_at = 0;
		peer_send(p, &o);
		if (fail_at == -1)	/* that was the queue's: nothing before it allocates */
			break;
	}
	assert_int_equal(fail_at, -1);
	ev_run(loop, EVRUN_NOWAIT);
	ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(closes, 1);
	close(fds[1]);
	ev_loop_destroy(loop);
}

static void
test_stream(void **state)
{
	struct err e = ERR_INIT;
	struct stream s;

	(void)state;
	stream_init_mem(&s, SPAN("octets"), 100, 100);
	fail_at = 0;
	assert_int_equal(stream_fill(&s, &e), -1);
	assert_int_equal(e.code, ERR_TEMP);
	assert_int_equal(stream_fill(&s, &e), 0);
	assert_span(stream_in(&s), "octets");
	fail_at = 0;
	stream_unread(&s, SPAN("before"));
	assert_int_equal(stream_flush(&s, &e), -1);	/* as if the connection had broken: nothing is lost unseen */
	assert_int_equal(e.code, ERR_TEMP);
	stream_clear(&s);
	stream_init_mem(&s, SPAN_NONE, 100, 100);
	fail_at = 0;
	stream_puts(&s, "text");
	assert_true(s.failed);
	stream_clear(&s);
}

static void
test_priv(void **state)
{
	struct err e = ERR_INIT;
	uid_t uid;
	gid_t gid;

	(void)state;
	fail_at = 0;
	assert_null(priv_filter_new(PRIV_LOGIN, &e));
	fail_at = 0;
	assert_int_equal(priv_lookup_user("root", &uid, &gid, &e), -1);
	assert_int_equal(e.code, ERR_TEMP);
	fail_at = 0;
	assert_int_equal(priv_lookup_group("root", &gid, &e), -1);
	assert_int_equal(e.code, ERR_TEMP);
	fail_at = -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_arena_array),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_ipc),
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_priv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
