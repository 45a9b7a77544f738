# src/lib-deliver
noinst_LIBRARIES += src/lib-deliver/libdeliver.a
src_lib_deliver_libdeliver_a_SOURCES = \
	src/lib-deliver/deliver.c src/lib-deliver/deliver.h \
	src/lib-deliver/event.c src/lib-deliver/event-rules.c src/lib-deliver/event.h \
	src/lib-deliver/filter-list.c src/lib-deliver/filter-list.h \
	src/lib-deliver/filter-program.c src/lib-deliver/filter-program.h \
	src/lib-deliver/forward.c src/lib-deliver/forward.h \
	src/lib-deliver/host.c src/lib-deliver/host.h \
	src/lib-deliver/journal.c src/lib-deliver/journal.h \
	src/lib-deliver/log-line.c \
	src/lib-deliver/marks.c src/lib-deliver/marks.h \
	src/lib-deliver/outgoing.c src/lib-deliver/outgoing-dsn.c src/lib-deliver/outgoing.h \
	src/lib-deliver/perform.c src/lib-deliver/perform.h \
	src/lib-deliver/queue-client.c src/lib-deliver/queue-client.h \
	src/lib-deliver/queue-head.c src/lib-deliver/queue-head.h \
	src/lib-deliver/recipes.c src/lib-deliver/recipes.h \
	src/lib-deliver/rejection.c src/lib-deliver/rejection.h \
	src/lib-deliver/save.c src/lib-deliver/save.h \
	src/lib-deliver/sieve.c src/lib-deliver/sieve.h \
	src/lib-deliver/procmail-folder.c src/lib-deliver/procmail-folder.h \
	src/lib-deliver/procmail-host.c src/lib-deliver/procmail-host.h \
	src/lib-deliver/program.c src/lib-deliver/program-helper.c \
	src/lib-deliver/program-socket.c src/lib-deliver/program-socket.h src/lib-deliver/program.h \
	src/lib-deliver/recipient/access.c src/lib-deliver/recipient/access.h \
	src/lib-deliver/recipient/aliases.c src/lib-deliver/recipient/aliases.h \
	src/lib-deliver/recipient/command.c src/lib-deliver/recipient/command.h \
	src/lib-deliver/recipient/expand.c src/lib-deliver/recipient/expand.h \
	src/lib-deliver/recipient/file.c src/lib-deliver/recipient/file.h \
	src/lib-deliver/recipient/lines.c src/lib-deliver/recipient/lines.h \
	src/lib-deliver/recipient/remark.c src/lib-deliver/recipient/remark.h \
	src/lib-deliver/recipient/reply.c src/lib-deliver/recipient/reply.h \
	src/lib-deliver/recipient/tables.c src/lib-deliver/recipient/tables.h \
	src/lib-deliver/recipient/target.c src/lib-deliver/recipient/target.h \
	src/lib-deliver/recipient/virtual.c src/lib-deliver/recipient/virtual.h \
	src/lib-deliver/smtp-path.c src/lib-deliver/smtp-path.h
RECIPIENT_LIBS = src/lib-deliver/libdeliver.a src/lib-config/libconfig.a src/lib-mail/libmail.a src/lib/libbase.a \
	$(UTF8PROC_LIBS) $(OPENSSL_LIBS) $(CRYPT_LIBS)

UNIT_TESTS += tests/unit/test-recipient
tests_unit_test_recipient_SOURCES = tests/unit/test-recipient.c
tests_unit_test_recipient_LDADD = $(RECIPIENT_LIBS) $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-recipient-tables fuzz/fuzz-recipient-command
fuzz_fuzz_recipient_tables_SOURCES = fuzz/fuzz-recipient-tables.c $(fuzz_main)
fuzz_fuzz_recipient_tables_LDADD = $(RECIPIENT_LIBS)
fuzz_fuzz_recipient_tables_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_recipient_command_SOURCES = fuzz/fuzz-recipient-command.c $(fuzz_main)
fuzz_fuzz_recipient_command_LDADD = $(RECIPIENT_LIBS)
fuzz_fuzz_recipient_command_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

# apart from the rest, which does without jansson
noinst_LIBRARIES += src/lib-deliver/libspamscan.a
src_lib_deliver_libspamscan_a_SOURCES = src/lib-deliver/spam-scan.c src/lib-deliver/spam-scan.h

UNIT_TESTS += tests/unit/test-spam-scan
tests_unit_test_spam_scan_SOURCES = tests/unit/test-spam-scan.c
tests_unit_test_spam_scan_LDADD = src/lib-deliver/libspamscan.a src/lib-config/libconfig.a $(SPAM_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-journal
tests_unit_test_journal_SOURCES = tests/unit/test-journal.c
tests_unit_test_journal_LDADD = src/lib-deliver/libdeliver.a src/lib/libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-smtp-path
tests_unit_test_smtp_path_SOURCES = tests/unit/test-smtp-path.c
tests_unit_test_smtp_path_LDADD = src/lib-deliver/libdeliver.a src/lib/libbase.a $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-smtp-address
fuzz_fuzz_smtp_address_SOURCES = fuzz/fuzz-smtp-address.c $(fuzz_main)
fuzz_fuzz_smtp_address_LDADD = src/lib-deliver/libdeliver.a src/lib-filter/libfilter.a src/lib/libbase.a
fuzz_fuzz_smtp_address_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

UNIT_TESTS += tests/unit/test-deliver
tests_unit_test_deliver_SOURCES = tests/unit/test-deliver.c tests/unit/sharing.c
tests_unit_test_deliver_LDADD = src/lib-deliver/libdeliver.a src/lib-filter/libfilter.a $(STORAGE_LIBS) $(PCRE2_LIBS) -lm $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-procmail-folder
tests_unit_test_procmail_folder_SOURCES = tests/unit/test-procmail-folder.c
tests_unit_test_procmail_folder_LDADD = src/lib-deliver/libdeliver.a src/lib/libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-recipes
tests_unit_test_recipes_SOURCES = tests/unit/test-recipes.c tests/unit/sharing.c
tests_unit_test_recipes_LDADD = src/lib-deliver/libdeliver.a src/lib-filter/libfilter.a $(STORAGE_LIBS) $(PCRE2_LIBS) -lm $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-filter-journal
fuzz_fuzz_filter_journal_SOURCES = fuzz/fuzz-filter-journal.c $(fuzz_main)
fuzz_fuzz_filter_journal_LDADD = src/lib-deliver/libdeliver.a src/lib/libbase.a
fuzz_fuzz_filter_journal_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

UNIT_TESTS += tests/unit/test-program
tests_unit_test_program_SOURCES = tests/unit/test-program.c
tests_unit_test_program_LDADD = src/lib-deliver/libdeliver.a $(FILTER_LIBS) -lm $(CMOCKA_LIBS)

# Ours for tests/procmail/compare.py.
check_PROGRAMS += tests/procmail/procmail-run
tests_procmail_procmail_run_SOURCES = tests/procmail/procmail-run.c
tests_procmail_procmail_run_LDADD = src/lib-deliver/libdeliver.a $(FILTER_LIBS) -lm
