# src/lib-filter: what should happen to a message
noinst_LIBRARIES += src/lib-filter/libfilter.a
src_lib_filter_libfilter_a_SOURCES = \
	src/lib-filter/filter.c src/lib-filter/filter.h \
	src/lib-filter/procmail/action.c \
	src/lib-filter/procmail/cache.c src/lib-filter/procmail/cache.h \
	src/lib-filter/procmail/condition.c \
	src/lib-filter/procmail/expand.c src/lib-filter/procmail/expand.h \
	src/lib-filter/procmail/formail.c src/lib-filter/procmail/formail.h \
	src/lib-filter/procmail/lint.c src/lib-filter/procmail/lint.h \
	src/lib-filter/procmail/rc.c src/lib-filter/procmail/rc.h \
	src/lib-filter/procmail/regex.c src/lib-filter/procmail/regex.h \
	src/lib-filter/procmail/regex-extract.c \
	src/lib-filter/procmail/regex-parse.c \
	src/lib-filter/procmail/regex-priv.h \
	src/lib-filter/procmail/run.c src/lib-filter/procmail/run.h \
	src/lib-filter/procmail/state.h \
	src/lib-filter/procmail/variables.c \
	src/lib-filter/sieve/action.c \
	src/lib-filter/sieve/ast.h \
	src/lib-filter/sieve/binary.c src/lib-filter/sieve/binary.h \
	src/lib-filter/sieve/cache.c src/lib-filter/sieve/cache.h \
	src/lib-filter/sieve/body.c \
	src/lib-filter/sieve/chain.c src/lib-filter/sieve/chain.h \
	src/lib-filter/sieve/capability.c src/lib-filter/sieve/capability.h \
	src/lib-filter/sieve/check.c src/lib-filter/sieve/check.h \
	src/lib-filter/sieve/compile.c src/lib-filter/sieve/compile.h \
	src/lib-filter/sieve/compose.c src/lib-filter/sieve/compose.h \
	src/lib-filter/sieve/control.c \
	src/lib-filter/sieve/dict.c src/lib-filter/sieve/dict.h \
	src/lib-filter/sieve/date.c \
	src/lib-filter/sieve/dsn.c src/lib-filter/sieve/dsn.h \
	src/lib-filter/sieve/duplicate.c \
	src/lib-filter/sieve/editheader.c \
	src/lib-filter/sieve/environment.c \
	src/lib-filter/sieve/ere.c \
	src/lib-filter/sieve/extension.c \
	src/lib-filter/sieve/extension.def \
	src/lib-filter/sieve/extlists.c \
	src/lib-filter/sieve/fcc.c src/lib-filter/sieve/fcc.h \
	src/lib-filter/sieve/flags.c \
	src/lib-filter/sieve/imapsieve.c src/lib-filter/sieve/imapsieve.h \
	src/lib-filter/sieve/include.c \
	src/lib-filter/sieve/lexer.c src/lib-filter/sieve/lexer.h \
	src/lib-filter/sieve/mailbox.c \
	src/lib-filter/sieve/mailto.c src/lib-filter/sieve/mailto.h \
	src/lib-filter/sieve/match.c src/lib-filter/sieve/match.h \
	src/lib-filter/sieve/message.c src/lib-filter/sieve/message.h \
	src/lib-filter/sieve/mime.c src/lib-filter/sieve/mime.h \
	src/lib-filter/sieve/notify-old.c \
	src/lib-filter/sieve/notify.c src/lib-filter/sieve/notify.h \
	src/lib-filter/sieve/parse.c src/lib-filter/sieve/parse.h \
	src/lib-filter/sieve/part.c src/lib-filter/sieve/part.h \
	src/lib-filter/sieve/path.c src/lib-filter/sieve/path.h \
	src/lib-filter/sieve/program.c \
	src/lib-filter/sieve/regex.c src/lib-filter/sieve/regex.h \
	src/lib-filter/sieve/replace.c \
	src/lib-filter/sieve/report.c \
	src/lib-filter/sieve/run.h \
	src/lib-filter/sieve/script.c src/lib-filter/sieve/script.h \
	src/lib-filter/sieve/sequence.c src/lib-filter/sieve/sequence.h \
	src/lib-filter/sieve/setting.c src/lib-filter/sieve/setting.h \
	src/lib-filter/sieve/shelf.c src/lib-filter/sieve/shelf.h \
	src/lib-filter/sieve/site.c src/lib-filter/sieve/site.h \
	src/lib-filter/sieve/spamtest.c \
	src/lib-filter/sieve/store.c src/lib-filter/sieve/store.h \
	src/lib-filter/sieve/tag.def \
	src/lib-filter/sieve/test.c \
	src/lib-filter/sieve/tester-file.c src/lib-filter/sieve/tester-file.h \
	src/lib-filter/sieve/tester-world.c src/lib-filter/sieve/tester-world.h \
	src/lib-filter/sieve/tester.c src/lib-filter/sieve/tester.h \
	src/lib-filter/sieve/vacation-reply.c \
	src/lib-filter/sieve/vacation.c src/lib-filter/sieve/vacation.h \
	src/lib-filter/sieve/variables.c \
	src/lib-filter/sieve/word.h

FILTER_LIBS = src/lib-filter/libfilter.a src/lib-mail/libmail.a src/lib-config/libconfig.a src/lib/libbase.a $(UTF8PROC_LIBS) $(OPENSSL_LIBS) \
	$(PCRE2_LIBS)

UNIT_TESTS += tests/unit/test-sieve
tests_unit_test_sieve_SOURCES = tests/unit/test-sieve.c tests/unit/sieve-rig.c tests/unit/sieve-rig.h
tests_unit_test_sieve_LDADD = $(FILTER_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-sieve-mistakes
tests_unit_test_sieve_mistakes_SOURCES = tests/unit/test-sieve-mistakes.c
tests_unit_test_sieve_mistakes_LDADD = $(FILTER_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-sieve-ext
tests_unit_test_sieve_ext_SOURCES = tests/unit/test-sieve-ext.c
tests_unit_test_sieve_ext_LDADD = $(FILTER_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-sieve-message
tests_unit_test_sieve_message_SOURCES = tests/unit/test-sieve-message.c tests/unit/sieve-rig.c tests/unit/sieve-rig.h
tests_unit_test_sieve_message_LDADD = $(FILTER_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-sieve-notify
tests_unit_test_sieve_notify_SOURCES = tests/unit/test-sieve-notify.c tests/unit/sieve-rig.c tests/unit/sieve-rig.h
tests_unit_test_sieve_notify_LDADD = $(FILTER_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-sieve-vnd
tests_unit_test_sieve_vnd_SOURCES = tests/unit/test-sieve-vnd.c tests/unit/sieve-rig.c tests/unit/sieve-rig.h
tests_unit_test_sieve_vnd_LDADD = $(FILTER_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-sieve-body
tests_unit_test_sieve_body_SOURCES = tests/unit/test-sieve-body.c tests/unit/sieve-rig.c tests/unit/sieve-rig.h
tests_unit_test_sieve_body_LDADD = $(FILTER_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-sieve-scripts
tests_unit_test_sieve_scripts_SOURCES = tests/unit/test-sieve-scripts.c
tests_unit_test_sieve_scripts_CPPFLAGS = $(AM_CPPFLAGS) -DCULVER_SRCDIR='"$(abs_top_srcdir)"' -DCASES_MIN=445
tests_unit_test_sieve_scripts_LDADD = $(FILTER_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-sieve-binary
tests_unit_test_sieve_binary_SOURCES = tests/unit/test-sieve-binary.c
tests_unit_test_sieve_binary_LDADD = $(FILTER_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-sieve-site
tests_unit_test_sieve_site_SOURCES = tests/unit/test-sieve-site.c
tests_unit_test_sieve_site_LDADD = $(FILTER_LIBS) $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-sieve-binary
fuzz_fuzz_sieve_binary_SOURCES = fuzz/fuzz-sieve-binary.c $(fuzz_main)
fuzz_fuzz_sieve_binary_LDADD = $(FILTER_LIBS)
fuzz_fuzz_sieve_binary_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

# What tests/e2e/test_sieve.py compares with Pigeonhole's sieve-test.
check_PROGRAMS += tests/sieve/sieve-actions
tests_sieve_sieve_actions_SOURCES = tests/sieve/sieve-actions.c
tests_sieve_sieve_actions_LDADD = $(FILTER_LIBS)

FUZZ_TARGETS += fuzz/fuzz-sieve-script
fuzz_fuzz_sieve_script_SOURCES = fuzz/fuzz-sieve-script.c $(fuzz_main)
fuzz_fuzz_sieve_script_LDADD = $(FILTER_LIBS)
fuzz_fuzz_sieve_script_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-sieve-message
fuzz_fuzz_sieve_message_SOURCES = fuzz/fuzz-sieve-message.c $(fuzz_main)
fuzz_fuzz_sieve_message_LDADD = $(FILTER_LIBS)
fuzz_fuzz_sieve_message_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-sieve-regex
fuzz_fuzz_sieve_regex_SOURCES = fuzz/fuzz-sieve-regex.c $(fuzz_main)
fuzz_fuzz_sieve_regex_LDADD = $(FILTER_LIBS)
fuzz_fuzz_sieve_regex_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-sieve-dict
fuzz_fuzz_sieve_dict_SOURCES = fuzz/fuzz-sieve-dict.c $(fuzz_main)
fuzz_fuzz_sieve_dict_LDADD = $(FILTER_LIBS)
fuzz_fuzz_sieve_dict_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += fuzz/fuzz-sieve-mailto
fuzz_fuzz_sieve_mailto_SOURCES = fuzz/fuzz-sieve-mailto.c $(fuzz_main)
fuzz_fuzz_sieve_mailto_LDADD = $(FILTER_LIBS)
fuzz_fuzz_sieve_mailto_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

UNIT_TESTS += tests/unit/test-procmail
tests_unit_test_procmail_SOURCES = tests/unit/test-procmail.c
tests_unit_test_procmail_LDADD = $(FILTER_LIBS) -lm $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-procmail-lint
tests_unit_test_procmail_lint_SOURCES = tests/unit/test-procmail-lint.c
tests_unit_test_procmail_lint_LDADD = $(FILTER_LIBS) -lm $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-procmail-lint
fuzz_fuzz_procmail_lint_SOURCES = fuzz/fuzz-procmail-lint.c $(fuzz_main)
fuzz_fuzz_procmail_lint_LDADD = $(FILTER_LIBS) -lm
fuzz_fuzz_procmail_lint_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

UNIT_TESTS += tests/unit/test-procmail-hostile
tests_unit_test_procmail_hostile_SOURCES = tests/unit/test-procmail-hostile.c
tests_unit_test_procmail_hostile_LDADD = $(FILTER_LIBS) -lm $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-procmail-rc
fuzz_fuzz_procmail_rc_SOURCES = fuzz/fuzz-procmail-rc.c $(fuzz_main)
fuzz_fuzz_procmail_rc_LDADD = $(FILTER_LIBS) -lm
fuzz_fuzz_procmail_rc_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-procmail-regex
fuzz_fuzz_procmail_regex_SOURCES = fuzz/fuzz-procmail-regex.c $(fuzz_main)
fuzz_fuzz_procmail_regex_LDADD = $(FILTER_LIBS) -lm
fuzz_fuzz_procmail_regex_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-procmail-formail
fuzz_fuzz_procmail_formail_SOURCES = fuzz/fuzz-procmail-formail.c $(fuzz_main)
fuzz_fuzz_procmail_formail_LDADD = $(FILTER_LIBS) -lm
fuzz_fuzz_procmail_formail_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-procmail-mail
fuzz_fuzz_procmail_mail_SOURCES = fuzz/fuzz-procmail-mail.c $(fuzz_main)
fuzz_fuzz_procmail_mail_LDADD = $(FILTER_LIBS) -lm
fuzz_fuzz_procmail_mail_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

# Not part of the test suite: make bench/procmail-bench
EXTRA_PROGRAMS += bench/procmail-bench
bench_procmail_bench_SOURCES = bench/procmail-bench.c
bench_procmail_bench_LDADD = $(FILTER_LIBS) -lm
