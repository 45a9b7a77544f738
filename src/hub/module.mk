# src/hub: who is connected, what changed
noinst_LIBRARIES += src/hub/libhub.a
src_hub_libhub_a_SOURCES = \
	src/hub/dirs.c src/hub/dirs.h \
	src/hub/registry.c src/hub/registry.h \
	src/hub/watch.c src/hub/watch.h

pkglibexec_PROGRAMS += src/hub/hub
src_hub_hub_SOURCES = src/hub/main.c
src_hub_hub_LDADD = src/hub/libhub.a src/lib-protocol/libprotocol.a src/lib-config/libconfig.a src/lib/libbase.a \
	$(OPENSSL_LIBS) $(SECCOMP_LIBS) $(EV_LIBS)

UNIT_TESTS += tests/unit/test-hub
tests_unit_test_hub_SOURCES = tests/unit/test-hub.c
tests_unit_test_hub_LDADD = src/hub/libhub.a src/lib-config/libconfig.a src/lib/libbase.a $(EV_LIBS) $(OPENSSL_LIBS) \
	$(CMOCKA_LIBS)
