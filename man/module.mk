# man
dist_man_MANS += man/culverconf.1 man/culveradm.1

# The settings' page is made by the program that has them all.
nodist_man_MANS = man/culver.conf.5
CLEANFILES += man/culver.conf.5
EXTRA_DIST += man/culver.conf.5.in
man/culver.conf.5: $(top_srcdir)/man/culver.conf.5.in culverconf$(EXEEXT)
	@$(MKDIR_P) man
	$(AM_V_GEN)./culverconf --man $(top_srcdir)/man/culver.conf.5.in | \
		sed -e 's,@SYSCONFDIR@,$(sysconfdir)/culver,g' > $@.new && mv $@.new $@
