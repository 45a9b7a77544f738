# src/login: the processes before login
noinst_LIBRARIES += src/login/liblogin.a
src_login_liblogin_a_SOURCES = \
	src/login/client.c \
	src/login/crowd.c src/login/crowd.h \
	src/login/imap.c \
	src/login/log-line.c \
	src/login/login.c src/login/login.h \
	src/login/main.c src/login/main.h \
	src/login/managesieve.c \
	src/login/pop3.c \
	src/login/server.h \
	src/login/upstream.c

login_libs = src/login/liblogin.a src/lib-protocol/libmsieve.a src/lib-protocol/libprotocol.a src/lib-config/libconfig.a src/lib/libbase.a \
	$(OPENSSL_LIBS) $(SECCOMP_LIBS) $(EV_LIBS)
pkglibexec_PROGRAMS += src/login/imap-login src/login/managesieve-login src/login/pop3-login
src_login_imap_login_SOURCES = src/login/main-imap.c
src_login_imap_login_LDADD = $(login_libs)
src_login_managesieve_login_SOURCES = src/login/main-managesieve.c
src_login_managesieve_login_LDADD = $(login_libs) $(FILTER_LIBS)
src_login_pop3_login_SOURCES = src/login/main-pop3.c
src_login_pop3_login_LDADD = $(login_libs)

UNIT_TESTS += tests/unit/test-login tests/unit/test-crowd
tests_unit_test_login_SOURCES = tests/unit/test-login.c tests/unit/transcript.c tests/unit/transcript.h
tests_unit_test_login_CPPFLAGS = $(AM_CPPFLAGS) -DCULVER_SRCDIR='"$(abs_top_srcdir)"'
tests_unit_test_login_LDADD = src/login/liblogin.a src/lib-protocol/libmsieve.a src/lib/libbase.a $(CMOCKA_LIBS)
tests_unit_test_crowd_SOURCES = tests/unit/test-crowd.c
tests_unit_test_crowd_LDADD = src/login/liblogin.a src/lib-protocol/libmsieve.a src/lib/libbase.a $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-login-imap fuzz/fuzz-login-pop3
fuzz_fuzz_login_imap_SOURCES = fuzz/fuzz-login-imap.c fuzz/login-replay.h $(fuzz_main)
fuzz_fuzz_login_imap_LDADD = src/login/liblogin.a src/lib-protocol/libmsieve.a src/lib/libbase.a
fuzz_fuzz_login_imap_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_fuzz_login_pop3_SOURCES = fuzz/fuzz-login-pop3.c fuzz/login-replay.h $(fuzz_main)
fuzz_fuzz_login_pop3_LDADD = src/login/liblogin.a src/lib-protocol/libmsieve.a src/lib/libbase.a
fuzz_fuzz_login_pop3_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
