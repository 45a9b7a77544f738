# src/managesieve
noinst_LIBRARIES += src/managesieve/libmanagesieve.a
src_managesieve_libmanagesieve_a_SOURCES = \
	src/managesieve/serve.c src/managesieve/serve.h \
	src/managesieve/session.c src/managesieve/session.h

pkglibexec_PROGRAMS += src/managesieve/managesieve
src_managesieve_managesieve_SOURCES = src/managesieve/main.c
src_managesieve_managesieve_LDADD = src/managesieve/libmanagesieve.a src/lib-protocol/libmsieve.a \
	src/lib-protocol/libprotocol.a src/lib-filter/libfilter.a $(STORAGE_LIBS) $(FILTER_LIBS) $(SECCOMP_LIBS) $(EV_LIBS) $(CRYPT_LIBS)

UNIT_TESTS += tests/unit/test-managesieve
tests_unit_test_managesieve_SOURCES = tests/unit/test-managesieve.c
tests_unit_test_managesieve_LDADD = src/lib-protocol/libmsieve.a src/lib/libbase.a $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-managesieve
fuzz_fuzz_managesieve_SOURCES = fuzz/fuzz-managesieve.c $(fuzz_main)
fuzz_fuzz_managesieve_LDADD = src/lib-protocol/libmsieve.a src/lib/libbase.a
fuzz_fuzz_managesieve_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
