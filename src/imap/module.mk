# src/imap
noinst_LIBRARIES += src/imap/libimap.a
src_imap_libimap_a_SOURCES = \
	src/imap/behind.c src/imap/behind.h \
	src/imap/kept-events.c src/imap/kept-events.h \
	src/imap/cmd-acl.c src/imap/cmd-append.c \
	src/imap/cmd-copy.c \
	src/imap/cmd-fetch.c \
	src/imap/cmd-idle.c \
	src/imap/cmd-list.c \
	src/imap/cmd-mailbox.c \
	src/imap/cmd-metadata.c src/imap/cmd-misc.c \
	src/imap/cmd-notify.c \
	src/imap/cmd-quota.c \
	src/imap/cmd-search.c \
	src/imap/cmd-select.c \
	src/imap/cmd-sort.c \
	src/imap/cmd-status.c \
	src/imap/cmd-store.c \
	src/imap/cmd-thread.c \
	src/imap/dispatch.c \
	src/imap/event.c src/imap/event.h \
	src/imap/fetch-body.c src/imap/fetch.h \
	src/imap/flags.c \
	src/imap/hibernate.c src/imap/hibernate.h \
	src/imap/input.c \
	src/imap/names.c \
	src/imap/notify.c src/imap/notify.h \
	src/imap/notify-metadata.c \
	src/imap/notify-names.c src/imap/notify-names.h \
	src/imap/react.c src/imap/react.h \
	src/imap/reply.c \
	src/imap/serve.c src/imap/serve.h \
	src/imap/session.c src/imap/session.h \
	src/imap/sets.c \
	src/imap/sync.c

imap_below = src/imap/libimap.a src/lib-protocol/libimapproto.a src/lib-protocol/libprotocol.a src/lib-deliver/libspamscan.a \
	src/lib-filter/libspam.a src/lib-deliver/libdeliver.a src/lib-filter/libfilter.a
imap_base = src/lib-mail/libmail.a src/lib-config/libconfig.a src/lib/libbase.a \
	$(UTF8PROC_LIBS) $(SECCOMP_LIBS) $(EV_LIBS) $(OPENSSL_LIBS) $(CRYPT_LIBS) $(PCRE2_LIBS) $(JANSSON_LIBS) -lm

imap_fixture = tests/unit/imap-fixture.c tests/unit/imap-fixture.h

# The engine alone, over a storage in memory; then the same transcripts over the real one.
UNIT_TESTS += tests/unit/test-imap-engine
tests_unit_test_imap_engine_SOURCES = tests/unit/test-imap-transcripts.c $(imap_fixture) \
	tests/unit/memory-storage.c tests/unit/memory-mailbox.c \
	tests/unit/memory-storage.h tests/unit/memory-storage-priv.h src/lib-storage/acl.c src/lib-storage/list-match.c src/lib-storage/search.c \
	src/lib-storage/sort.c src/lib-storage/thread.c src/lib-storage/mailbox-digest.c
tests_unit_test_imap_engine_CPPFLAGS = $(AM_CPPFLAGS) -DCULVER_SRCDIR='"$(abs_top_srcdir)"' -DMEMORY_STORAGE
tests_unit_test_imap_engine_LDADD = $(imap_below) $(imap_base) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-imap-transcripts
tests_unit_test_imap_transcripts_SOURCES = tests/unit/test-imap-transcripts.c $(imap_fixture)
tests_unit_test_imap_transcripts_CPPFLAGS = $(AM_CPPFLAGS) -DCULVER_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_imap_transcripts_LDADD = $(imap_below) src/lib-storage/libstorage.a src/lib-index/libindex.a \
	$(imap_base) $(LMDB_LIBS) $(PACK_LIBS) $(CMOCKA_LIBS)

# And over mbox files, in a layout in which a name may hold mail and others below it.
UNIT_TESTS += tests/unit/test-imap-transcripts-mbox
tests_unit_test_imap_transcripts_mbox_SOURCES = tests/unit/test-imap-transcripts.c $(imap_fixture)
tests_unit_test_imap_transcripts_mbox_CPPFLAGS = $(AM_CPPFLAGS) -DCULVER_SRCDIR='"$(abs_top_srcdir)"' \
	-DIMAP_FIXTURE_DRIVER='"mbox"' -DIMAP_FIXTURE_OPTIONS='":LAYOUT=maildir++\nmail_fsync = never"'
tests_unit_test_imap_transcripts_mbox_LDADD = $(tests_unit_test_imap_transcripts_LDADD)
UNIT_TESTS += tests/unit/test-imap-faults
tests_unit_test_imap_faults_SOURCES = tests/unit/test-imap-faults.c $(imap_fixture) tests/unit/faulty-driver.c \
	tests/unit/faulty-driver.h
tests_unit_test_imap_faults_LDADD = $(imap_below) src/lib-storage/libstorage.a src/lib-index/libindex.a \
	$(imap_base) $(LMDB_LIBS) $(PACK_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-imap-hibernate
tests_unit_test_imap_hibernate_SOURCES = tests/unit/test-imap-hibernate.c $(imap_fixture)
tests_unit_test_imap_hibernate_LDADD = $(imap_below) src/lib-storage/libstorage.a src/lib-index/libindex.a \
	$(imap_base) $(LMDB_LIBS) $(PACK_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-imap-event
tests_unit_test_imap_event_SOURCES = tests/unit/test-imap-event.c $(imap_fixture)
tests_unit_test_imap_event_LDADD = $(imap_below) src/lib-storage/libstorage.a src/lib-index/libindex.a \
	$(imap_base) $(LMDB_LIBS) $(PACK_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-imap-event-mbox
tests_unit_test_imap_event_mbox_SOURCES = $(tests_unit_test_imap_event_SOURCES)
tests_unit_test_imap_event_mbox_CPPFLAGS = $(tests_unit_test_imap_transcripts_mbox_CPPFLAGS)
tests_unit_test_imap_event_mbox_LDADD = $(tests_unit_test_imap_event_LDADD)

FUZZ_TARGETS += fuzz/fuzz-imap-event
fuzz_fuzz_imap_event_SOURCES = fuzz/fuzz-imap-event.c $(fuzz_main)
fuzz_fuzz_imap_event_LDADD = $(imap_below) src/lib-storage/libstorage.a src/lib-index/libindex.a $(imap_base) $(LMDB_LIBS) $(PACK_LIBS)
fuzz_fuzz_imap_event_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-imap-session
fuzz_fuzz_imap_session_SOURCES = fuzz/fuzz-imap-session.c tests/unit/memory-storage.c tests/unit/memory-mailbox.c src/lib-storage/acl.c src/lib-storage/list-match.c \
	src/lib-storage/search.c src/lib-storage/sort.c src/lib-storage/thread.c src/lib-storage/mailbox-digest.c \
	$(fuzz_main)
fuzz_fuzz_imap_session_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
fuzz_fuzz_imap_session_LDADD = $(imap_below) $(imap_base)
fuzz_fuzz_imap_session_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

pkglibexec_PROGRAMS += src/imap/imap
src_imap_imap_SOURCES = src/imap/main.c
src_imap_imap_LDADD = $(imap_below) \
	src/lib-storage/libstorage.a src/lib-index/libindex.a $(imap_base) $(LMDB_LIBS) $(PACK_LIBS)
