# src/lib-deliver
noinst_LIBRARIES += src/lib-deliver/libdeliver.a
src_lib_deliver_libdeliver_a_SOURCES = \
	src/lib-deliver/deliver.c src/lib-deliver/deliver.h \
	src/lib-deliver/smtp-path.c src/lib-deliver/smtp-path.h

# apart from the rest, which does without jansson
noinst_LIBRARIES += src/lib-deliver/libspamscan.a
src_lib_deliver_libspamscan_a_SOURCES = src/lib-deliver/spam-scan.c src/lib-deliver/spam-scan.h

UNIT_TESTS += tests/unit/test-spam-scan
tests_unit_test_spam_scan_SOURCES = tests/unit/test-spam-scan.c
tests_unit_test_spam_scan_LDADD = src/lib-deliver/libspamscan.a src/lib-config/libconfig.a $(SPAM_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-smtp-path
tests_unit_test_smtp_path_SOURCES = tests/unit/test-smtp-path.c
tests_unit_test_smtp_path_LDADD = src/lib-deliver/libdeliver.a src/lib/libbase.a $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-smtp-address
fuzz_fuzz_smtp_address_SOURCES = fuzz/fuzz-smtp-address.c $(fuzz_main)
fuzz_fuzz_smtp_address_LDADD = src/lib-deliver/libdeliver.a src/lib/libbase.a
fuzz_fuzz_smtp_address_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
