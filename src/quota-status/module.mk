# src/quota-status: whether mail would fit, for Postfix
noinst_LIBRARIES += src/quota-status/libquotastatus.a
src_quota_status_libquotastatus_a_SOURCES = src/quota-status/decide.c src/quota-status/decide.h \
	src/quota-status/policy.c src/quota-status/policy.h

pkglibexec_PROGRAMS += src/quota-status/quota-status
src_quota_status_quota_status_SOURCES = src/quota-status/main.c
src_quota_status_quota_status_LDADD = src/quota-status/libquotastatus.a src/lib-protocol/libprotocol.a \
	src/lib-deliver/libdeliver.a src/lib-mail/libmail.a src/lib-config/libconfig.a src/lib/libbase.a \
	$(OPENSSL_LIBS) $(SECCOMP_LIBS) $(EV_LIBS)

UNIT_TESTS += tests/unit/test-policy
tests_unit_test_policy_SOURCES = tests/unit/test-policy.c
tests_unit_test_policy_LDADD = src/quota-status/libquotastatus.a src/lib-deliver/libdeliver.a src/lib-mail/libmail.a \
	src/lib-config/libconfig.a src/lib/libbase.a $(OPENSSL_LIBS) $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-policy
fuzz_fuzz_policy_SOURCES = fuzz/fuzz-policy.c $(fuzz_main)
fuzz_fuzz_policy_LDADD = src/quota-status/libquotastatus.a src/lib/libbase.a
fuzz_fuzz_policy_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
