# src/queue: mail that leaves
noinst_LIBRARIES += src/queue/libqueue.a
src_queue_libqueue_a_SOURCES = \
	src/queue/attempt.c src/queue/attempt.h \
	src/queue/notice.c \
	src/queue/order.c src/queue/order.h \
	src/queue/store.c src/queue/store.h

pkglibexec_PROGRAMS += src/queue/queue
src_queue_queue_SOURCES = src/queue/intake.c src/queue/main.c src/queue/queue.h
src_queue_queue_LDADD = src/queue/libqueue.a src/lib-protocol/libprotocol.a src/lib-deliver/libdeliver.a \
	src/lib-mail/libmail.a src/lib-config/libconfig.a src/lib/libbase.a $(OPENSSL_LIBS) $(SECCOMP_LIBS) $(EV_LIBS)

UNIT_TESTS += tests/unit/test-queue
tests_unit_test_queue_SOURCES = tests/unit/test-queue.c
tests_unit_test_queue_LDADD = src/queue/libqueue.a src/lib-protocol/libprotocol.a src/lib-deliver/libdeliver.a \
	src/lib-mail/libmail.a src/lib-config/libconfig.a src/lib/libbase.a $(OPENSSL_LIBS) $(SECCOMP_LIBS) $(EV_LIBS) \
	$(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-queue-head fuzz/fuzz-smtp-reply
fuzz_fuzz_queue_head_SOURCES = fuzz/fuzz-queue-head.c $(fuzz_main)
fuzz_fuzz_queue_head_LDADD = src/lib-deliver/libdeliver.a src/lib/libbase.a
fuzz_fuzz_queue_head_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_smtp_reply_SOURCES = fuzz/fuzz-smtp-reply.c $(fuzz_main)
fuzz_fuzz_smtp_reply_LDADD = src/lib-protocol/libprotocol.a src/lib/libbase.a
fuzz_fuzz_smtp_reply_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
