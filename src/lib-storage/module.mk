# src/lib-storage: users, mailboxes, messages
noinst_LIBRARIES += src/lib-storage/libstorage.a
src_lib_storage_libstorage_a_SOURCES = \
	src/lib-storage/acl-box.c \
	src/lib-storage/acl.c src/lib-storage/acl.h \
	src/lib-storage/autoexpunge.c \
	src/lib-storage/copy.c \
	src/lib-storage/driver.h \
	src/lib-storage/list-match.c src/lib-storage/list-match.h \
	src/lib-storage/location.c src/lib-storage/location.h \
	src/lib-storage/mailbox-id.c \
	src/lib-storage/metadata-file.c src/lib-storage/metadata-file.h \
	src/lib-storage/metadata-dict.c src/lib-storage/metadata-dict.h \
	src/lib-storage/metadata.c src/lib-storage/metadata.h \
	src/lib-storage/mailbox-name.c \
	src/lib-storage/mailbox-packed.c \
	src/lib-storage/mailbox-digest.c \
	src/lib-storage/mailbox-read.c \
	src/lib-storage/mailbox.c src/lib-storage/mailbox.h \
	src/lib-storage/maildir/adopt.c src/lib-storage/maildir/adopt.h \
	src/lib-storage/maildir/batch.c \
	src/lib-storage/maildir/behind.c \
	src/lib-storage/maildir/box.c \
	src/lib-storage/maildir/check.c \
	src/lib-storage/maildir/claim.c \
	src/lib-storage/maildir/commit.c \
	src/lib-storage/maildir/control.c \
	src/lib-storage/maildir/copy.c \
	src/lib-storage/maildir/courier.c \
	src/lib-storage/maildir/driver.c \
	src/lib-storage/maildir/facts.c \
	src/lib-storage/maildir/filename.c \
	src/lib-storage/maildir/known.c \
	src/lib-storage/maildir/layout.c \
	src/lib-storage/maildir/listing.c src/lib-storage/maildir/listing.h \
	src/lib-storage/maildir/maildir.h \
	src/lib-storage/maildir/release.c \
	src/lib-storage/maildir/names.c \
	src/lib-storage/maildir/numbers.c \
	src/lib-storage/maildir/perm.c \
	src/lib-storage/maildir/outcome.c \
	src/lib-storage/maildir/scan-match.c \
	src/lib-storage/maildir/scan-new.c \
	src/lib-storage/maildir/own.c \
	src/lib-storage/maildir/scan.c src/lib-storage/maildir/scan.h \
	src/lib-storage/maildir/stage.c \
	src/lib-storage/maildir/uidlist.c src/lib-storage/maildir/uidlist.h \
	src/lib-storage/maildir/uids-file.c src/lib-storage/maildir/uids-file.h \
	src/lib-storage/maildir/uids.c src/lib-storage/maildir/uids.h \
	src/lib-storage/mbox/append.c \
	src/lib-storage/mbox/body.c \
	src/lib-storage/mbox/box.c \
	src/lib-storage/mbox/check.c \
	src/lib-storage/mbox/commit.c \
	src/lib-storage/mbox/control.c \
	src/lib-storage/mbox/driver.c \
	src/lib-storage/mbox/intent.c \
	src/lib-storage/mbox/journal.c \
	src/lib-storage/mbox/layout.c \
	src/lib-storage/mbox/lock.c \
	src/lib-storage/mbox/mbox.h \
	src/lib-storage/mbox/parse.c src/lib-storage/mbox/parse.h \
	src/lib-storage/mbox/read.c \
	src/lib-storage/mbox/rewrite.c \
	src/lib-storage/mbox/stage.c \
	src/lib-storage/mbox/sync.c \
	src/lib-storage/notify.c \
	src/lib-storage/release.c src/lib-storage/release.h \
	src/lib-storage/save.c \
	src/lib-storage/scrub.c src/lib-storage/scrub.h \
	src/lib-storage/imap-set.h \
	src/lib-storage/quota.c src/lib-storage/quota.h src/lib-storage/quota-priv.h \
	src/lib-storage/quota-file.c \
	src/lib-storage/quota-owner.c \
	src/lib-storage/quota-settings.c \
	src/lib-storage/quota-warning.c \
	src/lib-storage/resync.c src/lib-storage/resync.h \
	src/lib-storage/search.c src/lib-storage/search.h \
	src/lib-storage/sort.c src/lib-storage/sort.h \
	src/lib-storage/private.c \
	src/lib-storage/seen-set.c src/lib-storage/seen-set.h \
	src/lib-storage/shared-dict.c src/lib-storage/shared-dict.h \
	src/lib-storage/shared.c \
	src/lib-storage/storage-list.c src/lib-storage/storage-rename.c \
	src/lib-storage/storage-priv.h \
	src/lib-storage/storage-settings.c \
	src/lib-storage/storage.c src/lib-storage/storage.h \
	src/lib-storage/subscription-file.c src/lib-storage/subscription-file.h \
	src/lib-storage/subscriptions.c \
	src/lib-storage/uidl.c src/lib-storage/uidl.h \
	src/lib-storage/user-dir.c \
	src/lib-storage/thread.c src/lib-storage/thread.h \
	src/lib-storage/view-cache.c \
	src/lib-storage/view.c

# What a program that uses the storage is linked with, in order.
STORAGE_LIBS = src/lib-storage/libstorage.a src/lib-index/libindex.a src/lib-mail/libmail.a \
	src/lib-config/libconfig.a src/lib/libbase.a $(LMDB_LIBS) $(UTF8PROC_LIBS) $(OPENSSL_LIBS) $(PACK_LIBS)

UNIT_TESTS += tests/unit/test-storage
tests_unit_test_storage_SOURCES = tests/unit/test-storage.c tests/unit/storage-fixture.c tests/unit/storage-fixture.h
tests_unit_test_storage_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-uidlist
tests_unit_test_uidlist_SOURCES = tests/unit/test-uidlist.c
tests_unit_test_uidlist_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-adopt
tests_unit_test_adopt_SOURCES = tests/unit/test-adopt.c tests/unit/storage-fixture.c
tests_unit_test_adopt_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-mbox
tests_unit_test_mbox_SOURCES = tests/unit/test-mbox.c tests/unit/storage-fixture.c
tests_unit_test_mbox_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-mbox-crash
tests_unit_test_mbox_crash_SOURCES = tests/unit/test-mbox-crash.c tests/unit/storage-fixture.c
tests_unit_test_mbox_crash_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_mbox_crash_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pwrite,--wrap=pwrite64,--wrap=write,--wrap=ftruncate \
	-Wl,--wrap=ftruncate64,--wrap=unlinkat,--wrap=renameat
UNIT_TESTS += tests/unit/test-mbox-others
tests_unit_test_mbox_others_SOURCES = tests/unit/test-mbox-others.c tests/unit/storage-fixture.c
tests_unit_test_mbox_others_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-driver-faults
tests_unit_test_driver_faults_SOURCES = tests/unit/test-driver-faults.c tests/unit/storage-fixture.c \
	tests/unit/faulty-driver.c tests/unit/faulty-driver.h
tests_unit_test_driver_faults_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-storage-faults
tests_unit_test_storage_faults_SOURCES = tests/unit/test-storage-faults.c tests/unit/storage-fixture.c
tests_unit_test_storage_faults_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-view-model
tests_unit_test_view_model_SOURCES = tests/unit/test-view-model.c tests/unit/view-model.c tests/unit/view-model.h \
	tests/unit/storage-fixture.c
tests_unit_test_view_model_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-storage-list
tests_unit_test_storage_list_SOURCES = tests/unit/test-storage-list.c tests/unit/storage-fixture.c
tests_unit_test_storage_list_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-storage-notify
tests_unit_test_storage_notify_SOURCES = tests/unit/test-storage-notify.c tests/unit/storage-fixture.c
tests_unit_test_storage_notify_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-namespaces
tests_unit_test_namespaces_SOURCES = tests/unit/test-namespaces.c tests/unit/sharing.c tests/unit/sharing.h
tests_unit_test_namespaces_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-acl
tests_unit_test_acl_SOURCES = tests/unit/test-acl.c
tests_unit_test_acl_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-metadata
tests_unit_test_metadata_SOURCES = tests/unit/test-metadata.c tests/unit/sharing.c
tests_unit_test_metadata_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-acl-storage
tests_unit_test_acl_storage_SOURCES = tests/unit/test-acl-storage.c tests/unit/sharing.c
tests_unit_test_acl_storage_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-object-id
tests_unit_test_object_id_SOURCES = tests/unit/test-object-id.c tests/unit/sharing.c
tests_unit_test_object_id_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-special
tests_unit_test_special_SOURCES = tests/unit/test-special.c tests/unit/sharing.c
tests_unit_test_special_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-shared
tests_unit_test_shared_SOURCES = tests/unit/test-shared.c tests/unit/sharing.c
tests_unit_test_shared_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-private
tests_unit_test_private_SOURCES = tests/unit/test-private.c tests/unit/sharing.c
tests_unit_test_private_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-storage-names
tests_unit_test_storage_names_SOURCES = tests/unit/test-storage-names.c
tests_unit_test_storage_names_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-storage-layout
tests_unit_test_storage_layout_SOURCES = tests/unit/test-storage-layout.c tests/unit/storage-fixture.c
tests_unit_test_storage_layout_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-storage-packed
tests_unit_test_storage_packed_SOURCES = tests/unit/test-storage-packed.c tests/unit/storage-fixture.c
tests_unit_test_storage_packed_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-storage-outside
tests_unit_test_storage_outside_SOURCES = tests/unit/test-storage-outside.c tests/unit/storage-fixture.c
tests_unit_test_storage_outside_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-index
tests_unit_test_index_SOURCES = tests/unit/test-index.c tests/unit/storage-fixture.c
tests_unit_test_index_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-index-check
tests_unit_test_index_check_SOURCES = tests/unit/test-index-check.c tests/unit/storage-fixture.c
tests_unit_test_index_check_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-scrub
tests_unit_test_scrub_SOURCES = tests/unit/test-scrub.c tests/unit/storage-fixture.c
tests_unit_test_scrub_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-view
tests_unit_test_view_SOURCES = tests/unit/test-view.c tests/unit/storage-fixture.c
tests_unit_test_view_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-thread
tests_unit_test_thread_SOURCES = tests/unit/test-thread.c tests/unit/storage-fixture.c
tests_unit_test_thread_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-maildir-uids
tests_unit_test_maildir_uids_SOURCES = tests/unit/test-maildir-uids.c tests/unit/storage-fixture.c
tests_unit_test_maildir_uids_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-maildir-by-name
tests_unit_test_maildir_by_name_SOURCES = tests/unit/test-maildir-by-name.c tests/unit/storage-fixture.c
tests_unit_test_maildir_by_name_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-maildir-claims
tests_unit_test_maildir_claims_SOURCES = tests/unit/test-maildir-claims.c tests/unit/storage-fixture.c
tests_unit_test_maildir_claims_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_maildir_claims_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=mdb_txn_commit
UNIT_TESTS += tests/unit/test-maildir-window
tests_unit_test_maildir_window_SOURCES = tests/unit/test-maildir-window.c tests/unit/storage-fixture.c
tests_unit_test_maildir_window_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_maildir_window_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=renameat,--wrap=linkat,--wrap=unlinkat,--wrap=utimensat \
	-Wl,--wrap=inotify_add_watch,--wrap=maildir_list_dir
UNIT_TESTS += tests/unit/test-storage-stress
tests_unit_test_storage_stress_SOURCES = tests/unit/test-storage-stress.c tests/unit/storage-fixture.c
tests_unit_test_storage_stress_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)
UNIT_TESTS += tests/unit/test-quota
tests_unit_test_quota_SOURCES = tests/unit/test-quota.c tests/unit/storage-fixture.c
tests_unit_test_quota_LDADD = $(STORAGE_LIBS) $(CMOCKA_LIBS)

# Not part of the test suite: make bench/storage-bench
EXTRA_PROGRAMS += bench/storage-bench
bench_storage_bench_SOURCES = bench/storage-bench.c
bench_storage_bench_LDADD = $(STORAGE_LIBS)

FUZZ_TARGETS += fuzz/fuzz-maildir-uids
fuzz_fuzz_maildir_uids_SOURCES = fuzz/fuzz-maildir-uids.c $(fuzz_main)
fuzz_fuzz_maildir_uids_LDADD = $(STORAGE_LIBS)
fuzz_fuzz_maildir_uids_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-maildir-name fuzz/fuzz-mbox fuzz/fuzz-index-value fuzz/fuzz-mail-location
fuzz_fuzz_mbox_SOURCES = fuzz/fuzz-mbox.c $(fuzz_main)
fuzz_fuzz_mbox_LDADD = $(STORAGE_LIBS)
fuzz_fuzz_mbox_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_maildir_name_SOURCES = fuzz/fuzz-maildir-name.c $(fuzz_main)
fuzz_fuzz_maildir_name_LDADD = $(STORAGE_LIBS)
fuzz_fuzz_maildir_name_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_index_value_SOURCES = fuzz/fuzz-index-value.c $(fuzz_main)
fuzz_fuzz_index_value_LDADD = $(STORAGE_LIBS)
fuzz_fuzz_index_value_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_mail_location_SOURCES = fuzz/fuzz-mail-location.c $(fuzz_main)
fuzz_fuzz_mail_location_LDADD = $(STORAGE_LIBS)
fuzz_fuzz_mail_location_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += fuzz/fuzz-metadata-dict
fuzz_fuzz_metadata_dict_SOURCES = fuzz/fuzz-metadata-dict.c $(fuzz_main)
fuzz_fuzz_metadata_dict_LDADD = $(STORAGE_LIBS)
fuzz_fuzz_metadata_dict_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += fuzz/fuzz-metadata-file
fuzz_fuzz_metadata_file_SOURCES = fuzz/fuzz-metadata-file.c $(fuzz_main)
fuzz_fuzz_metadata_file_LDADD = $(STORAGE_LIBS)
fuzz_fuzz_metadata_file_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-acl
fuzz_fuzz_acl_SOURCES = fuzz/fuzz-acl.c $(fuzz_main)
fuzz_fuzz_acl_LDADD = $(STORAGE_LIBS)
fuzz_fuzz_acl_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-uidlist fuzz/fuzz-subscriptions
fuzz_fuzz_uidlist_SOURCES = fuzz/fuzz-uidlist.c $(fuzz_main)
fuzz_fuzz_uidlist_LDADD = $(STORAGE_LIBS)
fuzz_fuzz_uidlist_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_subscriptions_SOURCES = fuzz/fuzz-subscriptions.c $(fuzz_main)
fuzz_fuzz_subscriptions_LDADD = $(STORAGE_LIBS)
fuzz_fuzz_subscriptions_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += fuzz/fuzz-shared-dict
fuzz_fuzz_shared_dict_SOURCES = fuzz/fuzz-shared-dict.c $(fuzz_main)
fuzz_fuzz_shared_dict_LDADD = $(STORAGE_LIBS)
fuzz_fuzz_shared_dict_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
FUZZ_TARGETS += fuzz/fuzz-seen-set
fuzz_fuzz_seen_set_SOURCES = fuzz/fuzz-seen-set.c $(fuzz_main)
fuzz_fuzz_seen_set_LDADD = $(STORAGE_LIBS)
fuzz_fuzz_seen_set_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
