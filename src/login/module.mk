# src/login: the processes before login
noinst_LIBRARIES += src/login/liblogin.a
src_login_liblogin_a_SOURCES = \
	src/login/client.c \
	src/login/crowd.c src/login/crowd.h \
	src/login/imap.c \
	src/login/log-line.c \
	src/login/login.c src/login/login.h \
	src/login/main.c src/login/main.h \
	src/login/pop3.c \
	src/login/server.h \
	src/login/upstream.c

login_libs = src/login/liblogin.a src/lib-protocol/libprotocol.a src/lib-config/libconfig.a src/lib/libbase.a \
	$(OPENSSL_LIBS) $(SECCOMP_LIBS) $(EV_LIBS)
pkglibexec_PROGRAMS += src/login/imap-login src/login/pop3-login
src_login_imap_login_SOURCES = src/login/main-imap.c
src_login_imap_login_LDADD = $(login_libs)
src_login_pop3_login_SOURCES = src/login/main-pop3.c
src_login_pop3_login_LDADD = $(login_libs)
