# src/lib-mail: message syntax, structure, summaries, search in a message
noinst_LIBRARIES += src/lib-mail/libmail.a
src_lib_mail_libmail_a_SOURCES = \
	src/lib-mail/address.c src/lib-mail/address.h \
	src/lib-mail/address-single.c src/lib-mail/address-single.h \
	src/lib-mail/charset.c src/lib-mail/charset.h \
	src/lib-mail/crlf.c src/lib-mail/crlf.h \
	src/lib-mail/date.c src/lib-mail/date.h \
	src/lib-mail/encoded-word.c src/lib-mail/encoded-word.h \
	src/lib-mail/header.c src/lib-mail/header.h \
	src/lib-mail/header-name.c src/lib-mail/header-name.h src/lib-mail/header-name.def \
	src/lib-mail/html-text.c src/lib-mail/html-text.h \
	src/lib-mail/imap-mime.c src/lib-mail/imap-mime.h \
	src/lib-mail/lex.h src/lib-mail/limits.h \
	src/lib-mail/match.c src/lib-mail/match.h \
	src/lib-mail/mime.c src/lib-mail/mime.h \
	src/lib-mail/param.c src/lib-mail/param.h \
	src/lib-mail/subject.c src/lib-mail/subject.h \
	src/lib-mail/summary.c src/lib-mail/summary.h \
	src/lib-mail/summary-pack.c src/lib-mail/summary-priv.h

mail_ldadd = src/lib-mail/libmail.a src/lib/libbase.a $(UTF8PROC_LIBS)
mail_test_ldadd = $(mail_ldadd) $(CMOCKA_LIBS)

UNIT_TESTS += \
	tests/unit/test-address \
	tests/unit/test-charset \
	tests/unit/test-crlf \
	tests/unit/test-date \
	tests/unit/test-header \
	tests/unit/test-match \
	tests/unit/test-mail-messages \
	tests/unit/test-mime \
	tests/unit/test-param \
	tests/unit/test-summary
tests_unit_test_address_SOURCES = tests/unit/test-address.c
tests_unit_test_address_LDADD = $(mail_test_ldadd)
tests_unit_test_charset_SOURCES = tests/unit/test-charset.c
tests_unit_test_charset_LDADD = $(mail_test_ldadd)
tests_unit_test_crlf_SOURCES = tests/unit/test-crlf.c
tests_unit_test_crlf_LDADD = $(mail_test_ldadd)
tests_unit_test_date_SOURCES = tests/unit/test-date.c
tests_unit_test_date_LDADD = $(mail_test_ldadd)
tests_unit_test_header_SOURCES = tests/unit/test-header.c
tests_unit_test_header_LDADD = $(mail_test_ldadd)
tests_unit_test_match_SOURCES = tests/unit/test-match.c
tests_unit_test_match_LDADD = $(mail_test_ldadd)
tests_unit_test_mail_messages_SOURCES = tests/unit/test-mail-messages.c
tests_unit_test_mail_messages_LDADD = $(mail_test_ldadd)
tests_unit_test_mime_SOURCES = tests/unit/test-mime.c
tests_unit_test_mime_LDADD = $(mail_test_ldadd)
tests_unit_test_param_SOURCES = tests/unit/test-param.c
tests_unit_test_param_LDADD = $(mail_test_ldadd)
tests_unit_test_summary_SOURCES = tests/unit/test-summary.c
tests_unit_test_summary_LDADD = $(mail_test_ldadd)
tests_unit_test_mail_messages_CPPFLAGS = $(AM_CPPFLAGS) -DGENERATOR='"$(abs_top_srcdir)/tests/generate-messages.py"'

FUZZ_TARGETS += \
	fuzz/fuzz-address \
	fuzz/fuzz-address-single \
	fuzz/fuzz-charset \
	fuzz/fuzz-date \
	fuzz/fuzz-encoded-word \
	fuzz/fuzz-header \
	fuzz/fuzz-html-text \
	fuzz/fuzz-mime \
	fuzz/fuzz-param \
	fuzz/fuzz-summary
fuzz_fuzz_address_SOURCES = fuzz/fuzz-address.c $(fuzz_main)
fuzz_fuzz_address_LDADD = $(mail_ldadd)
fuzz_fuzz_address_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_address_single_SOURCES = fuzz/fuzz-address-single.c $(fuzz_main)
fuzz_fuzz_address_single_LDADD = $(mail_ldadd)
fuzz_fuzz_address_single_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_charset_SOURCES = fuzz/fuzz-charset.c $(fuzz_main)
fuzz_fuzz_charset_LDADD = $(mail_ldadd)
fuzz_fuzz_charset_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_date_SOURCES = fuzz/fuzz-date.c $(fuzz_main)
fuzz_fuzz_date_LDADD = $(mail_ldadd)
fuzz_fuzz_date_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_encoded_word_SOURCES = fuzz/fuzz-encoded-word.c $(fuzz_main)
fuzz_fuzz_encoded_word_LDADD = $(mail_ldadd)
fuzz_fuzz_encoded_word_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_header_SOURCES = fuzz/fuzz-header.c $(fuzz_main)
fuzz_fuzz_header_LDADD = $(mail_ldadd)
fuzz_fuzz_header_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_html_text_SOURCES = fuzz/fuzz-html-text.c $(fuzz_main)
fuzz_fuzz_html_text_LDADD = $(mail_ldadd)
fuzz_fuzz_html_text_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_mime_SOURCES = fuzz/fuzz-mime.c $(fuzz_main)
fuzz_fuzz_mime_LDADD = $(mail_ldadd)
fuzz_fuzz_mime_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_param_SOURCES = fuzz/fuzz-param.c $(fuzz_main)
fuzz_fuzz_param_LDADD = $(mail_ldadd)
fuzz_fuzz_param_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_summary_SOURCES = fuzz/fuzz-summary.c $(fuzz_main)
fuzz_fuzz_summary_LDADD = $(mail_ldadd)
fuzz_fuzz_summary_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
