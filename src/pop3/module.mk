# src/pop3
noinst_LIBRARIES += src/pop3/libpop3.a
src_pop3_libpop3_a_SOURCES = \
	src/pop3/serve.c src/pop3/serve.h \
	src/pop3/session.c src/pop3/session.h \
	src/pop3/text.c src/pop3/text.h \
	src/pop3/uidl.c

# Scripted sessions, for the engines of several protocols.
transcript_sources = tests/unit/transcript.c tests/unit/transcript.h

UNIT_TESTS += tests/unit/test-pop3-session
tests_unit_test_pop3_session_SOURCES = tests/unit/test-pop3-session.c $(transcript_sources) \
	tests/unit/fake-mailbox.c tests/unit/fake-mailbox.h src/lib-storage/uidl.c
tests_unit_test_pop3_session_CPPFLAGS = $(AM_CPPFLAGS) -DCULVER_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_pop3_session_LDADD = src/pop3/libpop3.a src/lib-mail/libmail.a src/lib-config/libconfig.a \
	src/lib/libbase.a $(OPENSSL_LIBS) $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-pop3-session
fuzz_fuzz_pop3_session_SOURCES = fuzz/fuzz-pop3-session.c tests/unit/fake-mailbox.c src/lib-storage/uidl.c $(fuzz_main)
fuzz_fuzz_pop3_session_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)
fuzz_fuzz_pop3_session_LDADD = src/pop3/libpop3.a src/lib-mail/libmail.a src/lib-config/libconfig.a \
	src/lib/libbase.a $(OPENSSL_LIBS)
fuzz_fuzz_pop3_session_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

pkglibexec_PROGRAMS += src/pop3/pop3
src_pop3_pop3_SOURCES = src/pop3/main.c
src_pop3_pop3_LDADD = src/pop3/libpop3.a src/lib-protocol/libprotocol.a $(STORAGE_LIBS) $(SECCOMP_LIBS) $(EV_LIBS) \
	$(CRYPT_LIBS)
