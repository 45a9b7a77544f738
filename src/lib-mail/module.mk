# src/lib-mail: message syntax, structure, summaries, search in a message
noinst_LIBRARIES += src/lib-mail/libmail.a
src_lib_mail_libmail_a_SOURCES = \
	src/lib-mail/address.c src/lib-mail/address.h \
	src/lib-mail/charset.c src/lib-mail/charset.h \
	src/lib-mail/crlf.c src/lib-mail/crlf.h \
	src/lib-mail/date.c src/lib-mail/date.h \
	src/lib-mail/encoded-word.c src/lib-mail/encoded-word.h \
	src/lib-mail/header.c src/lib-mail/header.h \
	src/lib-mail/header-name.c src/lib-mail/header-name.h src/lib-mail/header-name.def \
	src/lib-mail/imap-mime.c src/lib-mail/imap-mime.h \
	src/lib-mail/lex.h src/lib-mail/limits.h \
	src/lib-mail/match.c src/lib-mail/match.h \
	src/lib-mail/mime.c src/lib-mail/mime.h \
	src/lib-mail/param.c src/lib-mail/param.h \
	src/lib-mail/subject.c src/lib-mail/subject.h \
	src/lib-mail/summary.c src/lib-mail/summary.h
