# src/lib-protocol
noinst_LIBRARIES += src/lib-protocol/libimapproto.a
src_lib_protocol_libimapproto_a_SOURCES = \
	src/lib-protocol/imap-fetch-items.c src/lib-protocol/imap-fetch-items.h \
	src/lib-protocol/imap-literal.c src/lib-protocol/imap-literal.h \
	src/lib-protocol/imap-quote.c src/lib-protocol/imap-quote.h \
	src/lib-protocol/imap-search.c src/lib-protocol/imap-search.h \
	src/lib-protocol/imap-seqset.c src/lib-protocol/imap-seqset.h \
	src/lib-protocol/imap-token.c src/lib-protocol/imap-token.h
