# src/adm
bin_PROGRAMS += bin/culverconf
bin_culverconf_SOURCES = src/adm/culverconf.c
bin_culverconf_LDADD = src/lib-config/libconfig.a src/lib/libbase.a $(OPENSSL_LIBS)
