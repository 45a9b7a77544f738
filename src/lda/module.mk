# src/lda
pkglibexec_PROGRAMS += src/lda/culver-lda
src_lda_culver_lda_SOURCES = \
	src/lda/args.c src/lda/args.h \
	src/lda/main.c \
	src/lda/scan.c src/lda/scan.h \
	src/lda/userdb.c src/lda/userdb.h
src_lda_culver_lda_LDADD = src/lib-protocol/libprotocol.a $(lmtp_scan) src/lib-deliver/libdeliver.a src/lib-filter/libfilter.a src/lib-storage/libstorage.a \
	src/lib-index/libindex.a $(lmtp_base) $(LMDB_LIBS) $(PACK_LIBS) $(PCRE2_LIBS) $(JANSSON_LIBS) -lm

dist_man_MANS += man/culver-lda.1

UNIT_TESTS += tests/unit/test-lda
tests_unit_test_lda_SOURCES = tests/unit/test-lda.c src/lda/args.c src/lda/userdb.c src/lib-deliver/smtp-path.c
tests_unit_test_lda_LDADD = src/lib/libbase.a $(CMOCKA_LIBS)
