# src/lib-config: the configuration language, and the settings as processes see them
noinst_LIBRARIES += src/lib-config/libconfig.a
src_lib_config_libconfig_a_SOURCES = \
	src/lib-config/assign.c src/lib-config/parse.h \
	src/lib-config/check.c \
	src/lib-config/config.c src/lib-config/config.h src/lib-config/config-priv.h \
	src/lib-config/dump.c \
	src/lib-config/filter.c src/lib-config/filter.h \
	src/lib-config/image.c src/lib-config/image.h \
	src/lib-config/line.c src/lib-config/line.h \
	src/lib-config/manual.c \
	src/lib-config/netaddr.c src/lib-config/netaddr.h \
	src/lib-config/parse.c \
	src/lib-config/quota-rule.c src/lib-config/quota-rule.h \
	src/lib-config/script-request.c src/lib-config/script-request.h \
	src/lib-config/service.c \
	src/lib-config/sieve-setting.c src/lib-config/sieve-setting.h \
	src/lib-config/settings.c src/lib-config/settings.h src/lib-config/settings.def src/lib-config/view.h \
	src/lib-config/table.c src/lib-config/table.h src/lib-config/blocks.def src/lib-config/ignored.def \
	src/lib-config/value.c \
	src/lib-config/vars.c src/lib-config/vars-hash.c src/lib-config/vars.h src/lib-config/vars-hash.h \
	src/lib-config/view-block.c

UNIT_TESTS += tests/unit/test-settings
tests_unit_test_settings_SOURCES = tests/unit/test-settings.c
tests_unit_test_settings_LDADD = src/lib-config/libconfig.a src/lib/libbase.a $(OPENSSL_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-sieve-setting
tests_unit_test_sieve_setting_SOURCES = tests/unit/test-sieve-setting.c
tests_unit_test_sieve_setting_LDADD = src/lib-config/libconfig.a src/lib/libbase.a $(OPENSSL_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-vars
tests_unit_test_vars_SOURCES = tests/unit/test-vars.c
tests_unit_test_vars_LDADD = src/lib-config/libconfig.a src/lib/libbase.a $(OPENSSL_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-config
tests_unit_test_config_SOURCES = tests/unit/test-config.c
tests_unit_test_config_CPPFLAGS = $(AM_CPPFLAGS) -DTOP_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_config_LDADD = src/lib-config/libconfig.a src/lib/libbase.a $(OPENSSL_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-quota-rule
tests_unit_test_quota_rule_SOURCES = tests/unit/test-quota-rule.c
tests_unit_test_quota_rule_LDADD = src/lib-config/libconfig.a src/lib/libbase.a $(OPENSSL_LIBS) $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-quota-rule
fuzz_fuzz_quota_rule_SOURCES = fuzz/fuzz-quota-rule.c $(fuzz_main)
fuzz_fuzz_quota_rule_LDADD = src/lib-config/libconfig.a src/lib/libbase.a $(OPENSSL_LIBS)
fuzz_fuzz_quota_rule_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += fuzz/fuzz-config fuzz/fuzz-vars fuzz/fuzz-settings-image
fuzz_fuzz_config_SOURCES = fuzz/fuzz-config.c $(fuzz_main)
fuzz_fuzz_config_LDADD = src/lib-config/libconfig.a src/lib/libbase.a $(OPENSSL_LIBS)
fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_vars_SOURCES = fuzz/fuzz-vars.c $(fuzz_main)
fuzz_fuzz_vars_LDADD = src/lib-config/libconfig.a src/lib/libbase.a $(OPENSSL_LIBS)
fuzz_fuzz_vars_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_settings_image_SOURCES = fuzz/fuzz-settings-image.c $(fuzz_main)
fuzz_fuzz_settings_image_LDADD = src/lib-config/libconfig.a src/lib/libbase.a $(OPENSSL_LIBS)
fuzz_fuzz_settings_image_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
