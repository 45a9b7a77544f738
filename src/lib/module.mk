# src/lib: the base library
noinst_LIBRARIES += src/lib/libbase.a
src_lib_libbase_a_SOURCES = \
	src/lib/arena.c src/lib/arena.h \
	src/lib/array.c src/lib/array.h \
	src/lib/buf.c src/lib/buf.h \
	src/lib/encode.c src/lib/encode-mutf7.c src/lib/encode-qp.c src/lib/encode-utf8.c src/lib/encode.h \
	src/lib/err.c src/lib/err.h \
	src/lib/hash.c src/lib/hash.h \
	src/lib/ipc.c src/lib/ipc.h \
	src/lib/log.c src/lib/log.h \
	src/lib/peer.c src/lib/peer.h \
	src/lib/priv.c src/lib/priv-landlock.c src/lib/priv-seccomp.c src/lib/priv.h \
	src/lib/span.c src/lib/span.h \
	src/lib/stream.c src/lib/stream.h \
	src/lib/sys.c src/lib/sys.h

UNIT_TESTS += tests/unit/test-span
tests_unit_test_span_SOURCES = tests/unit/test-span.c
tests_unit_test_span_LDADD = src/lib/libbase.a $(CMOCKA_LIBS)
