# src/adm
bin_PROGRAMS += culverconf
culverconf_SOURCES = src/adm/culverconf.c
culverconf_LDADD = src/lib-config/libconfig.a src/lib/libbase.a $(OPENSSL_LIBS)

bin_PROGRAMS += culveradm
culveradm_SOURCES = \
	src/adm/adm.h \
	src/adm/cmd-auth.c \
	src/adm/check.c src/adm/check.h \
	src/adm/cmd-check.c \
	src/adm/cmd-config.c \
	src/adm/cmd-fetch.c \
	src/adm/cmd-filter.c \
	src/adm/cmd-index.c \
	src/adm/cmd-mail.c \
	src/adm/cmd-acl.c \
	src/adm/cmd-mailbox.c \
	src/adm/cmd-metadata.c \
	src/adm/cmd-pw.c \
	src/adm/cmd-queue.c \
	src/adm/cmd-quota.c \
	src/adm/cmd-recipient.c \
	src/adm/cmd-release.c \
	src/adm/cmd-replay.c \
	src/adm/cmd-save.c \
	src/adm/cmd-server.c \
	src/adm/cmd-sieve.c \
	src/adm/cmd-who.c \
	src/adm/format.c src/adm/format.h \
	src/adm/mail.h \
	src/adm/main.c \
	src/adm/password.c \
	src/adm/progress.c src/adm/progress.h \
	src/adm/query.c src/adm/query.h \
	src/adm/replay.c src/adm/replay.h \
	src/adm/replay-apply.c src/adm/replay-apply.h src/adm/replay-copies.c src/adm/replay-copies.h \
	src/adm/replay-recipes.c src/adm/replay-recipes.h \
	src/adm/server.c \
	src/adm/user.c
culveradm_LDADD = src/lib-deliver/libdeliver.a src/lib-filter/libfilter.a src/lib-protocol/libprotocol.a src/lib-storage/libstorage.a src/lib-index/libindex.a src/lib-mail/libmail.a \
	src/lib-config/libconfig.a src/lib/libbase.a $(LMDB_LIBS) $(PACK_LIBS) $(UTF8PROC_LIBS) $(SECCOMP_LIBS) $(CRYPT_LIBS) $(OPENSSL_LIBS) \
	$(EV_LIBS) $(PCRE2_LIBS) -lm

UNIT_TESTS += tests/unit/test-adm
tests_unit_test_adm_SOURCES = tests/unit/test-adm.c src/adm/format.c src/adm/query.c
tests_unit_test_adm_LDADD = src/lib-mail/libmail.a src/lib/libbase.a $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-replay
tests_unit_test_replay_SOURCES = tests/unit/test-replay.c src/adm/replay.c
tests_unit_test_replay_LDADD = src/lib-filter/libfilter.a src/lib-mail/libmail.a src/lib/libbase.a $(CMOCKA_LIBS)

bashcompletiondir = $(datadir)/bash-completion/completions
bashcompletion_DATA = src/adm/completion/culveradm
src/adm/completion/culveradm: $(top_srcdir)/src/adm/completion/culveradm.bash
	@$(MKDIR_P) src/adm/completion
	$(AM_V_GEN)cp $(top_srcdir)/src/adm/completion/culveradm.bash $@
CLEANFILES += src/adm/completion/culveradm
zshcompletiondir = $(datadir)/zsh/site-functions
dist_zshcompletion_DATA = src/adm/completion/_culveradm
EXTRA_DIST += src/adm/completion/culveradm.bash
