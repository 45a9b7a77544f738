# src/script: programs that run when something happens
pkglibexec_PROGRAMS += src/script/script
src_script_script_SOURCES = src/script/main.c
src_script_script_LDADD = src/lib-protocol/libprotocol.a src/lib-config/libconfig.a src/lib/libbase.a \
	$(OPENSSL_LIBS) $(SECCOMP_LIBS) $(EV_LIBS)
