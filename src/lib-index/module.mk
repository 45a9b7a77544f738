# src/lib-index: the per-user index
noinst_LIBRARIES += src/lib-index/libindex.a
src_lib_index_libindex_a_SOURCES = \
	src/lib-index/batch.c \
	src/lib-index/change.c src/lib-index/change.h \
	src/lib-index/check.c src/lib-index/check.h src/lib-index/check-priv.h \
	src/lib-index/claim.c src/lib-index/claim.h \
	src/lib-index/guard.c \
	src/lib-index/index.c src/lib-index/index.h src/lib-index/index-priv.h \
	src/lib-index/mend.c \
	src/lib-index/message.c \
	src/lib-index/private.c \
	src/lib-index/replace.c \
	src/lib-index/salvage.c \
	src/lib-index/schema.c src/lib-index/schema.h \
	src/lib-index/session.c src/lib-index/session.h \
	src/lib-index/total.c src/lib-index/total.h \
	src/lib-index/txn.c
