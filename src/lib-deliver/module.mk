# src/lib-deliver
noinst_LIBRARIES += src/lib-deliver/libdeliver.a
src_lib_deliver_libdeliver_a_SOURCES = \
	src/lib-deliver/deliver.c src/lib-deliver/deliver.h \
	src/lib-deliver/procmail-folder.c src/lib-deliver/procmail-folder.h \
	src/lib-deliver/procmail-host.c src/lib-deliver/procmail-host.h \
	src/lib-deliver/program.c src/lib-deliver/program-helper.c src/lib-deliver/program.h \
	src/lib-deliver/smtp-path.c src/lib-deliver/smtp-path.h

UNIT_TESTS += tests/unit/test-smtp-path
tests_unit_test_smtp_path_SOURCES = tests/unit/test-smtp-path.c
tests_unit_test_smtp_path_LDADD = src/lib-deliver/libdeliver.a src/lib/libbase.a $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-smtp-address
fuzz_fuzz_smtp_address_SOURCES = fuzz/fuzz-smtp-address.c $(fuzz_main)
fuzz_fuzz_smtp_address_LDADD = src/lib-deliver/libdeliver.a src/lib/libbase.a
fuzz_fuzz_smtp_address_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

UNIT_TESTS += tests/unit/test-program
tests_unit_test_program_SOURCES = tests/unit/test-program.c
tests_unit_test_program_LDADD = src/lib-deliver/libdeliver.a $(FILTER_LIBS) -lm $(CMOCKA_LIBS)

# Ours for tests/procmail/compare.py.
check_PROGRAMS += tests/procmail/procmail-run
tests_procmail_procmail_run_SOURCES = tests/procmail/procmail-run.c
tests_procmail_procmail_run_LDADD = src/lib-deliver/libdeliver.a $(FILTER_LIBS) -lm
