# src/lib: the base library
noinst_LIBRARIES += src/lib/libbase.a
src_lib_libbase_a_SOURCES = \
	src/lib/arena.c src/lib/arena.h \
	src/lib/array.c src/lib/array.h \
	src/lib/buf.c src/lib/buf.h \
	src/lib/encode.c src/lib/encode-mutf7.c src/lib/encode-qp.c src/lib/encode-utf8.c src/lib/encode.h \
	src/lib/err.c src/lib/err.h \
	src/lib/hash.c src/lib/hash.h \
	src/lib/ipc.c src/lib/ipc.h src/lib/ipc-types.h \
	src/lib/lane.h \
	src/lib/log.c src/lib/log.h \
	src/lib/pack.c src/lib/pack.h \
	src/lib/squeeze.c src/lib/squeeze.h \
	src/lib/peer.c src/lib/peer.h \
	src/lib/priv.c src/lib/priv-landlock.c src/lib/priv-seccomp.c src/lib/priv.h \
	src/lib/span.c src/lib/span.h \
	src/lib/stream.c src/lib/stream.h \
	src/lib/sys.c src/lib/sys.h \
	src/lib/title.c src/lib/title.h

UNIT_TESTS += tests/unit/test-span
tests_unit_test_span_SOURCES = tests/unit/test-span.c tests/unit/testing.h
tests_unit_test_span_LDADD = src/lib/libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-buf
tests_unit_test_buf_SOURCES = tests/unit/test-buf.c tests/unit/testing.h
tests_unit_test_buf_LDADD = src/lib/libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-err
tests_unit_test_err_SOURCES = tests/unit/test-err.c tests/unit/testing.h
tests_unit_test_err_LDADD = src/lib/libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-encode
tests_unit_test_encode_SOURCES = tests/unit/test-encode.c tests/unit/testing.h
tests_unit_test_encode_LDADD = src/lib/libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-ipc
tests_unit_test_ipc_SOURCES = tests/unit/test-ipc.c tests/unit/testing.h
tests_unit_test_ipc_LDADD = src/lib/libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-squeeze
tests_unit_test_squeeze_SOURCES = tests/unit/test-squeeze.c tests/unit/testing.h
tests_unit_test_squeeze_LDADD = src/lib/libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-pack
tests_unit_test_pack_SOURCES = tests/unit/test-pack.c
tests_unit_test_pack_LDADD = src/lib/libbase.a $(PACK_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-peer
tests_unit_test_peer_SOURCES = tests/unit/test-peer.c tests/unit/testing.h
tests_unit_test_peer_LDADD = src/lib/libbase.a $(EV_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-stream
tests_unit_test_stream_SOURCES = tests/unit/test-stream.c tests/unit/testing.h
tests_unit_test_stream_LDADD = src/lib/libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-sys
tests_unit_test_sys_SOURCES = tests/unit/test-sys.c tests/unit/testing.h
tests_unit_test_sys_LDADD = src/lib/libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-priv
tests_unit_test_priv_SOURCES = tests/unit/test-priv.c tests/unit/testing.h
tests_unit_test_priv_LDADD = src/lib/libbase.a $(SECCOMP_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-nomem
tests_unit_test_nomem_SOURCES = tests/unit/test-nomem.c tests/unit/testing.h
tests_unit_test_nomem_LDADD = src/lib/libbase.a $(EV_LIBS) $(SECCOMP_LIBS) $(CMOCKA_LIBS)
tests_unit_test_nomem_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc -Wl,--wrap=reallocarray

FUZZ_TARGETS += fuzz/fuzz-unpack
fuzz_fuzz_unpack_SOURCES = fuzz/fuzz-unpack.c $(fuzz_main)
fuzz_fuzz_unpack_LDADD = src/lib/libbase.a $(PACK_LIBS)
fuzz_fuzz_unpack_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-ipc
fuzz_fuzz_ipc_SOURCES = fuzz/fuzz-ipc.c $(fuzz_main)
fuzz_fuzz_ipc_LDADD = src/lib/libbase.a
fuzz_fuzz_ipc_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-mutf7
fuzz_fuzz_mutf7_SOURCES = fuzz/fuzz-mutf7.c $(fuzz_main)
fuzz_fuzz_mutf7_LDADD = src/lib/libbase.a
fuzz_fuzz_mutf7_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-base64
fuzz_fuzz_base64_SOURCES = fuzz/fuzz-base64.c $(fuzz_main)
fuzz_fuzz_base64_LDADD = src/lib/libbase.a
fuzz_fuzz_base64_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-qp
fuzz_fuzz_qp_SOURCES = fuzz/fuzz-qp.c $(fuzz_main)
fuzz_fuzz_qp_LDADD = src/lib/libbase.a
fuzz_fuzz_qp_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-utf8
fuzz_fuzz_utf8_SOURCES = fuzz/fuzz-utf8.c $(fuzz_main)
fuzz_fuzz_utf8_LDADD = src/lib/libbase.a
fuzz_fuzz_utf8_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
