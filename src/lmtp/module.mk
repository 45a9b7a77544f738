# src/lmtp
noinst_LIBRARIES += src/lmtp/liblmtp.a
src_lmtp_liblmtp_a_SOURCES = \
	src/lmtp/body.c \
	src/lmtp/conn.c src/lmtp/conn.h \
	src/lmtp/data.c src/lmtp/data.h \
	src/lmtp/dial.c src/lmtp/dial.h \
	src/lmtp/link.c src/lmtp/link.h \
	src/lmtp/message.c src/lmtp/message.h \
	src/lmtp/proxy.c src/lmtp/proxy.h \
	src/lmtp/rawlog.c src/lmtp/rawlog.h \
	src/lmtp/recipient.c \
	src/lmtp/scan.c src/lmtp/scan.h \
	src/lmtp/session.c src/lmtp/session.h \
	src/lmtp/target.c src/lmtp/target.h \
	src/lmtp/transaction.c \
	src/lmtp/xclient.c

lmtp_scan = src/lib-deliver/libspamscan.a src/lib-filter/libspam.a
lmtp_base = src/lib-mail/libmail.a src/lib-config/libconfig.a src/lib/libbase.a \
	$(UTF8PROC_LIBS) $(SECCOMP_LIBS) $(EV_LIBS) $(OPENSSL_LIBS) $(CRYPT_LIBS)

pkglibexec_PROGRAMS += src/lmtp/lmtp src/lmtp/deliver
src_lmtp_lmtp_SOURCES = src/lmtp/main.c
src_lmtp_lmtp_LDADD = src/lmtp/liblmtp.a src/lib-protocol/libprotocol.a $(lmtp_scan) src/lib-deliver/libdeliver.a $(lmtp_base) $(JANSSON_LIBS)
src_lmtp_deliver_SOURCES = src/lmtp/deliver-main.c src/lmtp/deliver-worker.c src/lmtp/deliver-worker.h \
	src/lmtp/recipient-worker.c src/lmtp/recipient-worker.h
src_lmtp_deliver_LDADD = src/lib-protocol/libprotocol.a src/lib-deliver/libdeliver.a src/lib-filter/libfilter.a src/lib-storage/libstorage.a \
	src/lib-index/libindex.a $(lmtp_base) $(LMDB_LIBS) $(PACK_LIBS) $(PCRE2_LIBS) -lm

lmtp_test_libs = src/lmtp/liblmtp.a $(lmtp_scan) src/lib-deliver/libdeliver.a src/lib-mail/libmail.a src/lib-config/libconfig.a \
	src/lib/libbase.a $(JANSSON_LIBS) $(UTF8PROC_LIBS) $(OPENSSL_LIBS) $(CRYPT_LIBS)

UNIT_TESTS += tests/unit/test-smtp-data tests/unit/test-lmtp-session
tests_unit_test_smtp_data_SOURCES = tests/unit/test-smtp-data.c
tests_unit_test_smtp_data_LDADD = $(lmtp_test_libs) $(CMOCKA_LIBS)
tests_unit_test_lmtp_session_SOURCES = tests/unit/test-lmtp-session.c $(transcript_sources)
tests_unit_test_lmtp_session_CPPFLAGS = $(AM_CPPFLAGS) -DCULVER_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_lmtp_session_LDADD = $(lmtp_test_libs) $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-smtp-data fuzz/fuzz-lmtp-session
fuzz_fuzz_smtp_data_SOURCES = fuzz/fuzz-smtp-data.c $(fuzz_main)
fuzz_fuzz_smtp_data_LDADD = $(lmtp_test_libs)
fuzz_fuzz_smtp_data_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_lmtp_session_SOURCES = fuzz/fuzz-lmtp-session.c $(fuzz_main)
fuzz_fuzz_lmtp_session_LDADD = $(lmtp_test_libs)
fuzz_fuzz_lmtp_session_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

UNIT_TESTS += tests/unit/test-lmtp-proxy
tests_unit_test_lmtp_proxy_SOURCES = tests/unit/test-lmtp-proxy.c
tests_unit_test_lmtp_proxy_LDADD = src/lmtp/liblmtp.a src/lib-protocol/libprotocol.a $(lmtp_test_libs) $(EV_LIBS) $(SECCOMP_LIBS) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-lmtp-rawlog
tests_unit_test_lmtp_rawlog_SOURCES = tests/unit/test-lmtp-rawlog.c
tests_unit_test_lmtp_rawlog_LDADD = $(lmtp_test_libs) $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-lmtp-target
fuzz_fuzz_lmtp_target_SOURCES = fuzz/fuzz-lmtp-target.c $(fuzz_main)
fuzz_fuzz_lmtp_target_LDADD = $(lmtp_test_libs)
fuzz_fuzz_lmtp_target_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
