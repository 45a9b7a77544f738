# dovecot.conf and conf.d: installed where there is none yet, since what is there is the administrator's
configuration_files = \
	conf.d/10-auth.conf conf.d/10-logging.conf conf.d/10-mail.conf conf.d/10-master.conf conf.d/10-ssl.conf \
	conf.d/15-lda.conf conf.d/15-mailboxes.conf conf.d/20-imap.conf conf.d/20-lmtp.conf conf.d/20-managesieve.conf conf.d/20-pop3.conf \
	conf.d/90-acl.conf conf.d/90-imapsieve.conf conf.d/90-limits.conf conf.d/90-procmail.conf conf.d/90-quota.conf \
	conf.d/90-recipients.conf conf.d/90-sieve.conf conf.d/90-spam.conf \
	conf.d/auth-deny.conf.ext conf.d/auth-master.conf.ext conf.d/auth-passwdfile.conf.ext \
	conf.d/auth-static.conf.ext conf.d/auth-system.conf.ext

install-data-local: install-configuration
.PHONY: install-configuration
install-configuration:
	@$(MKDIR_P) "$(DESTDIR)$(sysconfdir)/culver/conf.d"
	@for f in dovecot.conf $(configuration_files); do \
		to="$(DESTDIR)$(sysconfdir)/culver/$$f"; \
		if test -e "$$to"; then echo "  keeping $$to"; \
		else sed -e 's,/etc/culver/,$(sysconfdir)/culver/,g' "$(top_srcdir)/$$f" > "$$to.new" && \
			chmod 644 "$$to.new" && mv "$$to.new" "$$to" || exit 1; fi; \
	done
	@$(MKDIR_P) "$(DESTDIR)$(sysconfdir)/pam.d"
	@to="$(DESTDIR)$(sysconfdir)/pam.d/culver"; \
		if test -e "$$to"; then echo "  keeping $$to"; \
		else $(INSTALL_DATA) "$(top_srcdir)/dist/pam.d/culver" "$$to"; fi
