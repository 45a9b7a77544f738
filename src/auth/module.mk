# src/auth
noinst_LIBRARIES += src/auth/libauth.a
src_auth_libauth_a_SOURCES = \
	src/auth/auth-ipc.c src/auth/auth-ipc.h \
	src/auth/auth.c src/auth/auth.h \
	src/auth/cache.c src/auth/cache.h \
	src/auth/client-proto.c src/auth/client-proto.h \
	src/auth/conf.c src/auth/conf.h \
	src/auth/expand.c \
	src/auth/ext.c src/auth/ext.h \
	src/auth/fail-log.c src/auth/fail-log.h \
	src/auth/fields.c src/auth/fields.h \
	src/auth/helper-process.c \
	src/auth/helper.c src/auth/helper.h \
	src/auth/listeners.c src/auth/listeners.h \
	src/auth/login-token.c src/auth/login-token.h \
	src/auth/mech.c src/auth/mech.h \
	src/auth/passdb-helper.c \
	src/auth/passdb-passwd-file.c \
	src/auth/passdb-static.c \
	src/auth/passdb.c src/auth/passdb.h \
	src/auth/passwd-file-args.c src/auth/passwd-file-args.h \
	src/auth/passwd-file.c src/auth/passwd-file.h \
	src/auth/penalty.c src/auth/penalty.h \
	src/auth/request.c src/auth/request.h \
	src/auth/token.c src/auth/token.h \
	src/auth/user-identity.c src/auth/user-identity.h \
	src/auth/user-name.c src/auth/user-name.h \
	src/auth/userdb-passwd-file.c \
	src/auth/userdb-passwd.c \
	src/auth/userdb-static.c \
	src/auth/userdb.c src/auth/userdb.h \
	src/auth/workers.c src/auth/workers.h
auth_libs = src/auth/libauth.a src/lib-protocol/libprotocol.a src/lib-config/libconfig.a src/lib/libbase.a \
	$(SASL_LIBS) $(CRYPT_LIBS) $(PAM_LIBS) $(EV_LIBS) $(OPENSSL_LIBS) $(SECCOMP_LIBS) -lpthread

pkglibexec_PROGRAMS += src/auth/auth
src_auth_auth_SOURCES = src/auth/main.c
src_auth_auth_LDADD = $(auth_libs)

UNIT_TESTS += tests/unit/test-auth-request
tests_unit_test_auth_request_SOURCES = tests/unit/test-auth-request.c tests/unit/auth-rig.c tests/unit/auth-rig.h
tests_unit_test_auth_request_LDADD = $(auth_libs) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-auth-memory
tests_unit_test_auth_memory_SOURCES = tests/unit/test-auth-memory.c
tests_unit_test_auth_memory_LDADD = $(auth_libs) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-passwd-file
tests_unit_test_passwd_file_SOURCES = tests/unit/test-passwd-file.c
tests_unit_test_passwd_file_LDADD = $(auth_libs) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-user-name
tests_unit_test_user_name_SOURCES = tests/unit/test-user-name.c
tests_unit_test_user_name_LDADD = $(auth_libs) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-auth-ext
tests_unit_test_auth_ext_SOURCES = tests/unit/test-auth-ext.c tests/unit/auth-rig.c tests/unit/auth-rig.h
tests_unit_test_auth_ext_LDADD = $(auth_libs) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-auth-helper
tests_unit_test_auth_helper_SOURCES = tests/unit/test-auth-helper.c tests/unit/auth-rig.c tests/unit/auth-rig.h
tests_unit_test_auth_helper_LDADD = $(auth_libs) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-password-scheme
tests_unit_test_password_scheme_SOURCES = tests/unit/test-password-scheme.c
tests_unit_test_password_scheme_LDADD = $(auth_libs) $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-auth-client-proto
fuzz_fuzz_auth_client_proto_SOURCES = fuzz/fuzz-auth-client-proto.c $(fuzz_main)
fuzz_fuzz_auth_client_proto_LDADD = $(auth_libs)
fuzz_fuzz_auth_client_proto_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-passwd-file
fuzz_fuzz_passwd_file_SOURCES = fuzz/fuzz-passwd-file.c $(fuzz_main)
fuzz_fuzz_passwd_file_LDADD = $(auth_libs)
fuzz_fuzz_passwd_file_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-password-scheme
fuzz_fuzz_password_scheme_SOURCES = fuzz/fuzz-password-scheme.c $(fuzz_main)
fuzz_fuzz_password_scheme_LDADD = $(auth_libs)
fuzz_fuzz_password_scheme_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-sasl-plain
fuzz_fuzz_sasl_plain_SOURCES = fuzz/fuzz-sasl-plain.c $(fuzz_main)
fuzz_fuzz_sasl_plain_LDADD = $(auth_libs)
fuzz_fuzz_sasl_plain_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

UNIT_TESTS += tests/unit/test-identity
tests_unit_test_identity_SOURCES = tests/unit/test-identity.c
tests_unit_test_identity_LDADD = $(auth_libs) $(CMOCKA_LIBS)

UNIT_TESTS += tests/unit/test-auth-ipc
tests_unit_test_auth_ipc_SOURCES = tests/unit/test-auth-ipc.c tests/unit/auth-rig.c tests/unit/auth-rig.h
tests_unit_test_auth_ipc_LDADD = $(auth_libs) $(CMOCKA_LIBS)
