# src/master: the command and the process that starts all others
noinst_LIBRARIES += src/master/libmaster.a
src_master_libmaster_a_SOURCES = \
	src/master/backoff.c src/master/backoff.h \
	src/master/broker.c \
	src/master/kinds.c src/master/kinds.h \
	src/master/listener.c src/master/listener.h \
	src/master/logs.c src/master/logs.h \
	src/master/master.c src/master/master.h \
	src/master/notify.c src/master/notify.h \
	src/master/process.c \
	src/master/tool.c

sbin_PROGRAMS += src/master/culver
src_master_culver_SOURCES = src/master/main.c
src_master_culver_LDADD = src/master/libmaster.a src/lib-protocol/libprotocol.a src/lib-config/libconfig.a \
	src/lib/libbase.a $(OPENSSL_LIBS) $(EV_LIBS)

UNIT_TESTS += tests/unit/test-master
tests_unit_test_master_SOURCES = tests/unit/test-master.c
tests_unit_test_master_LDADD = src/master/libmaster.a src/lib-protocol/libprotocol.a src/lib-config/libconfig.a \
	src/lib/libbase.a $(OPENSSL_LIBS) $(EV_LIBS) $(CMOCKA_LIBS)

dist_man_MANS += man/culver.1
