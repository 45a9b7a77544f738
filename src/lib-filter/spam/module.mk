# src/lib-filter/spam: what spam scanners are asked and what they answer
noinst_LIBRARIES += src/lib-filter/libspam.a
src_lib_filter_libspam_a_SOURCES = \
	src/lib-filter/spam/rspamd.c \
	src/lib-filter/spam/spam.c src/lib-filter/spam/spam.h \
	src/lib-filter/spam/spamd.c

SPAM_LIBS = src/lib-filter/libspam.a src/lib-mail/libmail.a src/lib/libbase.a $(UTF8PROC_LIBS) $(OPENSSL_LIBS) $(JANSSON_LIBS)

UNIT_TESTS += tests/unit/test-spam
tests_unit_test_spam_SOURCES = tests/unit/test-spam.c
tests_unit_test_spam_LDADD = $(SPAM_LIBS) $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-spam-reply
fuzz_fuzz_spam_reply_SOURCES = fuzz/fuzz-spam-reply.c $(fuzz_main)
fuzz_fuzz_spam_reply_LDADD = $(SPAM_LIBS)
fuzz_fuzz_spam_reply_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
