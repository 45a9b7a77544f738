# src/lib-protocol
noinst_LIBRARIES += src/lib-protocol/libimapproto.a
src_lib_protocol_libimapproto_a_SOURCES = \
	src/lib-protocol/imap-fetch-items.c src/lib-protocol/imap-fetch-items.h \
	src/lib-protocol/imap-literal.c src/lib-protocol/imap-literal.h \
	src/lib-protocol/imap-notify.c src/lib-protocol/imap-notify.h \
	src/lib-protocol/imap-quote.c src/lib-protocol/imap-quote.h \
	src/lib-protocol/imap-search.c src/lib-protocol/imap-search.h \
	src/lib-protocol/imap-seqset.c src/lib-protocol/imap-seqset.h \
	src/lib-protocol/imap-token.c src/lib-protocol/imap-token.h
noinst_LIBRARIES += src/lib-protocol/libmsieve.a
src_lib_protocol_libmsieve_a_SOURCES = src/lib-protocol/managesieve.c src/lib-protocol/managesieve.h
noinst_LIBRARIES += src/lib-protocol/libprotocol.a
src_lib_protocol_libprotocol_a_SOURCES = \
	src/lib-protocol/auth-client.c src/lib-protocol/auth-client.h \
	src/lib-protocol/children.c src/lib-protocol/children.h \
	src/lib-protocol/hub-client.c src/lib-protocol/hub-client.h \
	src/lib-protocol/identity.c src/lib-protocol/identity.h \
	src/lib-protocol/password-scheme.c src/lib-protocol/password-scheme.h \
	src/lib-protocol/service.c src/lib-protocol/service.h \
	src/lib-protocol/session.c src/lib-protocol/session.h \
	src/lib-protocol/smtp-client.c src/lib-protocol/smtp-client.h \
	src/lib-protocol/smtp-reply.c src/lib-protocol/smtp-reply.h \
	src/lib-protocol/tls.c src/lib-protocol/tls.h \
	src/lib-protocol/tls-proxy.c src/lib-protocol/tls-proxy.h \
	src/lib-protocol/worker-child.c src/lib-protocol/worker-child.h \
	src/lib-protocol/worker-behind.c src/lib-protocol/worker-homes.c \
	src/lib-protocol/worker-hibernate.c src/lib-protocol/worker-private.h \
	src/lib-protocol/worker-parent.c src/lib-protocol/worker-parent.h \
	src/lib-protocol/worker-rest.c

imap_proto_libs = src/lib-protocol/libimapproto.a src/lib-mail/libmail.a src/lib/libbase.a $(UTF8PROC_LIBS) $(OPENSSL_LIBS)
UNIT_TESTS += tests/unit/test-imap-parse
tests_unit_test_imap_parse_SOURCES = tests/unit/test-imap-parse.c
tests_unit_test_imap_parse_LDADD = $(imap_proto_libs) $(CMOCKA_LIBS)

FUZZ_TARGETS += fuzz/fuzz-imap-fetch-items
fuzz_fuzz_imap_fetch_items_SOURCES = fuzz/fuzz-imap-fetch-items.c $(fuzz_main)
fuzz_fuzz_imap_fetch_items_LDADD = $(imap_proto_libs)
fuzz_fuzz_imap_fetch_items_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-imap-literal
fuzz_fuzz_imap_literal_SOURCES = fuzz/fuzz-imap-literal.c $(fuzz_main)
fuzz_fuzz_imap_literal_LDADD = $(imap_proto_libs)
fuzz_fuzz_imap_literal_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-imap-notify
fuzz_fuzz_imap_notify_SOURCES = fuzz/fuzz-imap-notify.c $(fuzz_main)
fuzz_fuzz_imap_notify_LDADD = $(imap_proto_libs)
fuzz_fuzz_imap_notify_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-imap-search
fuzz_fuzz_imap_search_SOURCES = fuzz/fuzz-imap-search.c $(fuzz_main)
fuzz_fuzz_imap_search_LDADD = $(imap_proto_libs)
fuzz_fuzz_imap_search_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-imap-seqset
fuzz_fuzz_imap_seqset_SOURCES = fuzz/fuzz-imap-seqset.c $(fuzz_main)
fuzz_fuzz_imap_seqset_LDADD = $(imap_proto_libs)
fuzz_fuzz_imap_seqset_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)

FUZZ_TARGETS += fuzz/fuzz-imap-token
fuzz_fuzz_imap_token_SOURCES = fuzz/fuzz-imap-token.c $(fuzz_main)
fuzz_fuzz_imap_token_LDADD = $(imap_proto_libs)
fuzz_fuzz_imap_token_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
