# src/hibernate: idle IMAP sessions
pkglibexec_PROGRAMS += src/hibernate/imap-hibernate
src_hibernate_imap_hibernate_SOURCES = src/hibernate/main.c
src_hibernate_imap_hibernate_LDADD = src/lib-protocol/libprotocol.a src/lib-config/libconfig.a src/lib/libbase.a \
	$(OPENSSL_LIBS) $(SECCOMP_LIBS) $(EV_LIBS)
