/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "lib-config/config-priv.h"
#include "lib/sys.h"

static const char tls[] = "ssl = no\n";

/* text gives `want` for one setting, or (note not NULL) a note that contains it. */
static const struct {
	const char *text, *name, *want, *note;
} cases[] = {
	/* values */
	{ "mail_home = a", "mail_home", "a", NULL },
	{ "  mail_home=a  ", "mail_home", "a", NULL },
	{ "mail_home = a b # comment", "mail_home", "a b", NULL },
	{ "# mail_home = no\nmail_home = yes", "mail_home", "yes", NULL },
	{ "mail_plugins = quota\nmail_plugins = $mail_plugins quota", "mail_plugins", "quota quota", NULL },
	{ "mail_plugins = quota kwota", "mail_plugins", "quota kwota", "mail_plugins: there is no kwota" },
	{ "plugin {\n  quota = count:User\n  quota_rule = *:storage=1G\n}", "plugin/quota_rule", "*:storage=1G", NULL },
	{ "plugin {\n  quota_rule = *:storage=1X\n}", NULL, NULL, "quota_rule: 1X: there is no unit X" },
	{ "plugin {\n  quota = kount\n}", NULL, NULL, "quota: there is no quota backend kount" },
	{ "plugin {\n  quota = dict:User::file:x\n}", "plugin/quota", "dict:User::file:x", "quota is counted in the index" },
	{ "spam_learn_spam = yes", "spam_learn_spam", "yes", "spam_learn_spam: nobody learns anything without spam_scanner" },
	{ "spam_scanner = spamd\nspam_learn_ham = yes", "spam_learn_ham", "yes", NULL },
	{ "spam_learn_ham = no", "spam_learn_ham", "no", NULL },
	{ "spam_junk_score = five", NULL, NULL, "spam_junk_score = five: that is no score, such as 5.0" },
	{ "spam_reject_score = 5,0", NULL, NULL, "spam_reject_score = 5,0: that is no score" },
	{ "spam_reject_score = -", NULL, NULL, "that is no score" },
	{ "spam_reject_score = 1.2.3", NULL, NULL, "that is no score" },
	{ "protocol lda {\n  spam_reject_score = x\n}", NULL, NULL, "that is no score" },
	{ "spam_junk_score = -0.5\nspam_reject_score = 15", "spam_junk_score", "-0.5", NULL },
	{ "spam_scanner_address = 127.0.0.1:783", NULL, NULL, "spam_scanner_address = 127.0.0.1:783: it is unix:/path or inet:host:port" },
	{ "spam_scanner_address = inet:localhost", NULL, NULL, "it is unix:/path or inet:host:port" },
	{ "spam_scanner_address = inet::783", NULL, NULL, "it is unix:/path or inet:host:port" },
	{ "spam_learn_address = inet:localhost:65536", NULL, NULL, "spam_learn_address = inet:localhost:65536: it is" },
	{ "spam_learn_address = unix:spamd.sock", NULL, NULL, "it is unix:/path or inet:host:port" },
	{ "spam_learn_address = inet:[::1]:783\nspam_scanner_address = unix:/run/spamd.sock", "spam_learn_address", "inet:[::1]:783", NULL },
	{ "spam_scanner_timeout = 0", NULL, NULL, "is too low" },
	{ "spam_scanner_max_size = 0", NULL, NULL, "is too low" },
	{ "plugin {\n  imapsieve_mailbox1_causes = MOVE\n}", NULL, NULL, "imapsieve_mailbox1_causes: MOVE is none of APPEND, COPY, FLAG" },
	{ "plugin {\n  quota_rulle = x\n}", "plugin/quota_rulle", "x", "quota_rulle has no effect: there is no such" },
	{ "mail_plugins = acl imap_acl", "mail_plugins", "acl imap_acl", NULL },
	{ "plugin {\n  acl = file:/x\n}", NULL, NULL, "only vfile is known" },
	{ "plugin {\n  acl = vfile:/x:cache_secs=1\n}", "plugin/acl", "vfile:/x:cache_secs=1", NULL },
	{ "plugin {\n  acl_shared_dict = mysql:x\n}", NULL, NULL, "only file: is known" },
	{ "namespace {\n  type = shared\n  prefix = s/%%u/\n  location = maildir:/x/%%u\n}", "mail_home", "", "without mail_plugins = acl" },
	{ "namespace {\n  type = shared\n  prefix = s/%%u/\n}", NULL, NULL, "needs a location" },
	{ "procmail_programs = maybe", NULL, NULL, "procmail_programs = maybe: it is yes, no" },
	{ "procmail_programs = /usr/lib/smrsh\nprocmail_rc = /etc/procmailrc ~/.procmailrc %h/x", "procmail_programs", "/usr/lib/smrsh", NULL },
	{ "procmail_rc = /etc/procmailrc .procmailrc", NULL, NULL, "procmail_rc: .procmailrc is no absolute path" },
	{ "procmail_timeout = 0", NULL, NULL, "is too low" },
	{ "mail_home = \"a # b\" # c", "mail_home", "a # b", NULL },
	{ "mail_home = 'a \\' b'", "mail_home", "a ' b", NULL },
	{ "mail_home = \"a \\\\ \\\" b\"", "mail_home", "a \\ \" b", NULL },
	{ "mail_home = a \"b\" c", "mail_home", "a \"b\" c", NULL },
	{ "mail_home = a \\\n  b \\\n# between\n  c\nlog_path = x", "mail_home", "a b c", NULL },
	{ "# ssl\nmail_home = a \\", "mail_home", "a", "TLS can not be offered" },
	{ "mail_home =", "mail_home", "", NULL },
	{ "mail_home = a\nmail_home =", "mail_home", "", NULL },
	{ "mail_home = a\r\nlog_path = b\r\n", "mail_home", "a", NULL },
	{ "\xef\xbb\xbfmail_home = a", "mail_home", "a", NULL },
	{ "mail_home == a", "mail_home", "= a", NULL },
	{ "mail_home = x#y", "mail_home", "x", "white space before" },
	/* $variables */
	{ "imap_client_workarounds = a\nimap_client_workarounds = $imap_client_workarounds b", "imap_client_workarounds", "a b", NULL },
	{ "auth_mechanisms = $auth_mechanisms login", "auth_mechanisms", "plain login", NULL },
	{ "mail_home = x\nimap_client_workarounds = $mail_home $mail_home", "imap_client_workarounds", "x x", NULL },
	{ "imap_client_workarounds = \"$mail_home\"", "imap_client_workarounds", "$mail_home", NULL },
	{ "imap_client_workarounds = a$mail_home", "imap_client_workarounds", "a$mail_home", NULL },
	{ "login_log_format = %$: %s", "login_log_format", "%$: %s", NULL },
	{ "protocols = $protocols imap", "protocols", "imap", NULL },
	{ "mail_home = $nothing", NULL, NULL, "there is no setting $nothing" },
	{ "plugin {\n  a = 1\n  a = $a 2\n}", "plugin/a", "1 2", NULL },
	{ "imap_client_workarounds = g\nprotocol imap {\n  imap_client_workarounds = $imap_client_workarounds i\n}", "imap_client_workarounds", "g", NULL },
	/* types */
	{ "mail_debug = YES", "mail_debug", "YES", NULL },
	{ "mail_debug = maybe", NULL, NULL, "neither yes nor no" },
	{ "auth_cache_size = 10 MB", "auth_cache_size", "10 MB", NULL },
	{ "auth_cache_size = 10 X", NULL, NULL, "not a size" },
	{ "auth_cache_size = 99999999999 T", NULL, NULL, "too large" },
	{ "auth_failure_delay = 2", NULL, NULL, "no unit" },
	{ "auth_failure_delay = 2 fortnights", NULL, NULL, "unit of time" },
	{ "first_valid_uid = -1", NULL, NULL, "not a number" },
	{ "mail_fsync = sometimes", NULL, NULL, "not one of optimized:never:always" },
	{ "ssl_key = /etc/key.pem", NULL, NULL, "write ssl_key = </etc/key.pem" },
	{ "ssl_key = -----BEGIN PRIVATE KEY-----", NULL, NULL, "put it in a file" },
	{ "ssl_key = secret", NULL, NULL, "read from a file" },
	{ "mail_location = maildir:%{user", NULL, NULL, "'}' is missing" },
	/* unknown names */
	{ "mail_locaton = x", NULL, NULL, "test:1: there is no setting mail_locaton; did you mean mail_location?" },
	{ "\n\nzzzzzz = x", NULL, NULL, "test:3: there is no setting zzzzzz" },
	{ "namespace a {\n  prefx = b\n}", NULL, NULL, "did you mean prefix?" },
	{ "namspace a {\n}", NULL, NULL, "did you mean namespace?" },
	{ "service imap-logn {\n  client_limit = 1\n}", NULL, NULL, "did you mean imap-login?" },
	{ "service imap {\n  unix_listner x {\n  }\n}", NULL, NULL, "did you mean unix_listener?" },
	{ "protocol imp {\n}", NULL, NULL, "did you mean imap?" },
	{ "protocols = imap popp3", NULL, NULL, "did you mean pop3?" },
	/* blocks */
	{ "namespace a {\n  inbox = yes\n  prefix = p\n}", "namespace/a/prefix", "p", NULL },
	{ "namespace \"a b\" {\n  inbox = yes\n  prefix = p\n}", "namespace/a b/prefix", "p", NULL },
	{ "namespace a {\n  inbox = yes\n}\nnamespace a {\n  prefix = p\n}", "namespace/a/prefix", "p", NULL },
	{ "namespace a {\n  inbox = yes\n  mailbox X {\n    auto = create\n  }\n}", "namespace/a/mailbox/X/auto", "create",
	  NULL },
	{ "service auth {\n  unix_listener /a/b {\n    mode = 0640\n  }\n}", "service/auth/unix_listener//a/b/mode", "0640",
	  NULL },
	{ "service/auth/unix_listener//a/b/mode = 0640", "service/auth/unix_listener//a/b/mode", "0640", NULL },
	{ "plugin/quota = maildir", "plugin/quota", "maildir", NULL },
	{ "namespace/inbox/inbox = yes\nnamespace/inbox/mailbox/Sent/auto = create", "namespace/inbox/mailbox/Sent/auto",
	  "create", NULL },
	{ "service pop3-login {\n}", "service/pop3-login/user", "$default_login_user", NULL },
	{ "namespace a {", NULL, NULL, "test:1: this block is not closed" },
	{ "}", NULL, NULL, "without a block" },
	{ "namespace a", NULL, NULL, "expected '=' or '{'" },
	{ "namespace \"a {", NULL, NULL, "has no end" },
	{ "namespace a { prefix = b }", NULL, NULL, "behind '{'" },
	{ "namespace a b {", NULL, NULL, "expected '{'" },
	{ "mailbox x {\n}", NULL, NULL, "does not belong here" },
	{ "plugin {\n  plugin {\n  }\n}", NULL, NULL, "there is no block plugin" },
	{ "protocol imap {\n  service imap {\n  }\n}", NULL, NULL, "belongs at the top level" },
	{ "protocol imap {\n  protocol pop3 {\n  }\n}", NULL, NULL, "can not be in another" },
	{ "remote nonsense/8 {\n}", NULL, NULL, "neither an address nor a network" },
	{ "local 10.0.0.0/8 {\n  local 11.0.0.0/9 {\n  }\n}", NULL, NULL, "outside of the local block" },
	{ "remote 10.0.0.0/33 {\n}", NULL, NULL, "neither an address nor a network" },
	{ "protocol {\n}", NULL, NULL, "needs to be told for which" },
	/* the whole */
	{ "passdb {\n}", NULL, NULL, "passdb has no driver" },
	{ "namespace a {\n}", NULL, NULL, "must have inbox = yes" },
	{ "namespace a {\n  inbox = yes\n}\nnamespace b {\n  inbox = yes\n}", NULL, NULL, "only one namespace" },
	{ "namespace a {\n  inbox = yes\n  separator = //\n}", NULL, NULL, "one character" },
	{ "service imap-login {\n  inet_listener imap {\n    port = 70000\n  }\n}", NULL, NULL, "65535" },
	{ "ssl = required", NULL, NULL, "no ssl_cert" },
	{ "ssl = yes", "ssl", "yes", "TLS can not be offered" },
	{ "ssl_cert = </c", NULL, NULL, "no ssl_key" },
	{ "imap_max_line_length = 10", NULL, NULL, "too low" },
	{ "protocols = imap sieve pop3 imap submission", "protocols", "imap sieve pop3", "submission is not served" },
	{ "protocols = none", "protocols", "", NULL },
	/* what Culver does without */
	{ "director_servers = x", "mail_home", "", "director_servers has no effect: there is no director" },
	{ "mbox_md5 = all", "mail_home", "", "messages are known by their UIDs" },
	{ "login_access_sockets = tcpwrap", NULL, NULL, "would not be safe" },
	{ "login_access_sockets =", "mail_home", "", NULL },
	{ "service anvil {\n}", "mail_home", "", NULL },
	{ "service anvil {\n  client_limit = 5\n}", "mail_home", "", "counted by service hub" },
	{ "service my-own-daemon {\n  executable = script x\n}", "mail_home", "", "no services but the built-in ones" },
	{ "mbox_min_index_size = 10", "mail_home", "", "mbox_min_index_size has no effect: every mailbox has its place" },
	{ "service imap {\n  vsz_limit = 1G\n}", "mail_home", "", "vsz_limit has no effect: the index" },
	{ "service imap {\n  executable = imap\n}", "mail_home", "", "executable has no effect: the services are built in" },
	{ "service lmtp {\n  fifo_listener x {\n  }\n}", "mail_home", "", "fifo_listener has no effect: no service" },
	{ "service imap {\n  unix_listener x {\n  }\n}", "mail_home", "", "service imap does not listen" },
	{ "service lmtp {\n  inet_listener x {\n    haproxy = yes\n  }\n}", NULL, NULL, "PROXY header is not understood" },
	{ "service lmtp {\n  inet_listener x {\n    haproxy = no\n  }\n}", "mail_home", "", NULL },
	{ "dict {\n}", "mail_home", "", NULL },
	{ "dict {\n  quota = pgsql:x\n}", "mail_home", "", "no dictionary server" },
	{ "metric imap {\n  filter {\n    x = y\n  }\n}", "mail_home", "", "no configurable metrics" },
	{ "!include x", NULL, NULL, "no files are read" },
	{ "!include", NULL, NULL, "which file" },
};

static struct config *
read_text(const char *text)
{
	struct err e = ERR_INIT;
	struct buf all = BUF_INIT(1 << 20);
	struct config *c;

	/* Only the cases about TLS are to be told of it. */
	buf_adds(&all, text);
	if (strstr(text, "ssl") == NULL) {
		buf_adds(&all, "\n");
		buf_adds(&all, tls);
	}
	c = config_read_text(buf_span(&all), "test", &e);
	assert_non_null(c);
	buf_clear(&all);
	return c;
}

static void
test_language(void **state)
{
	struct dump_options values = { .what = DUMP_ALL, .values_only = true };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *c = read_text(cases[i].text);
		struct buf got = BUF_INIT(10000), want = BUF_INIT(10000);
		struct err e = ERR_INIT;
		const struct config_note *notes;
		size_t count = config_notes(c, &notes), k = 0;

		while (cases[i].note != NULL && k < count && strstr(notes[k].text, cases[i].note) == NULL)
			k++;
		if (cases[i].note != NULL && k == count)
			fail_msg("%s\ngave no note '%s' but %zu others: %s", cases[i].text, cases[i].note, count,
			    count > 0 ? notes[0].text : "");
		if (cases[i].note == NULL && count > 0)
			fail_msg("%s\ngave the note %s", cases[i].text, notes[0].text);
		assert_int_equal(config_has_errors(c), cases[i].want == NULL);
		if (cases[i].want != NULL) {
			if (config_dump_name(c, &values, span_str(cases[i].name), &got, &e) == -1)
				fail_msg("%s\n%s", cases[i].text, e.log);
			buf_addf(&want, "%s\n", cases[i].want);
			if (!span_eq(buf_span(&got), buf_span(&want)))
				fail_msg("%s\ngave '%.*s'", cases[i].text, SPAN_ARG(buf_span(&got)));
		}
		buf_clear(&got);
		buf_clear(&want);
		config_free(c);
	}
}

/* All errors are told, and each reason once. */
static void
test_notes(void **state)
{
	struct config *c = read_text("ssl = no\na = 1\nmail_debug = x\ndirector_servers = a\ndirector_servers = b\nnamespace {\n");
	const struct config_note *notes;
	size_t errors = 0, count = config_notes(c, &notes);

	(void)state;
	for (size_t i = 0; i < count; i++)
		errors += notes[i].is_error;
	assert_int_equal(errors, 4);	/* namespace: not closed, and no inbox */
	assert_int_equal(count, 5);
	assert_true(notes[0].is_error && notes[1].is_error && !notes[2].is_error);
	config_free(c);
}

static struct buf
dump_of(struct config *c, enum dump_what what)
{
	struct dump_options o = { .what = what, .secrets = true };
	struct buf out = BUF_INIT(1 << 20);
	struct err e = ERR_INIT;

	assert_int_equal(config_dump(c, &o, &out, &e), 0);
	return out;
}

/* What culverconf shows is a configuration that gives the same image. */
static void
test_round_trip(void **state)
{
	static const char *const texts[] = {
		"",
		"mail_home = \" # x \"\nlogin_greeting = \"a \\\"b\\\" \\\\ 'c'\"\nimap_client_workarounds = \"$mail_home\"\n",
		"log_timestamp = \"%F \"\nrecipient_delimiter = '<'\nhostname = \"ends with \\\\\"\n",
		"protocol imap {\n  imap_client_workarounds = a b\n  plugin {\n    x = y z\n  }\n}\nimap_client_workarounds = a\n"
		"local 10.0.0.0/8 {\n  remote 1.2.3.4 {\n    protocol !pop3 {\n      mail_debug = no\n    }\n  }\n}\n"
		"mail_debug = yes\nlocal_name \"a.b *.c\" {\n  login_greeting = x\n}\n",
		"namespace inbox {\n  inbox = yes\n  mailbox \"Sent Items\" {\n    special_use = \\Sent\n  }\n"
		"  mailbox \"a\\\"{b\" {\n    auto = create\n  }\n}\nnamespace {\n  type = public\n  prefix = x/\n}\n"
		"namespace {\n  type = public\n  prefix = y/\n}\n",
		/* In the order in which they are shown. */
		"service auth {\n  unix_listener /var/x {\n    mode = 0666\n  }\n}\n"
		"service imap-login {\n  inet_listener imap {\n    port = 0\n  }\n  inet_listener {\n    port = 5\n  }\n"
		"  user = $default_internal_user\n}\n"
		"passdb {\n  driver = static\n  args = password=x y\n}\nuserdb {\n  driver = static\n  args = uid=5 home=/h/%u\n}\n",
		"ssl_cert = </etc/c\nssl_key = </etc/k\nplugin {\n  a = \"  spaces  \"\n  b =\n}\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		for (enum dump_what what = DUMP_CHANGED; what <= DUMP_ALL; what++) {
			struct config *first = read_text(texts[i]), *second;
			struct buf shown = dump_of(first, what), again;
			struct buf images[2] = { BUF_INIT(1 << 24), BUF_INIT(1 << 24) };
			struct err e = ERR_INIT;
			const struct config_note *notes;
			int fds[2];

			second = config_read_text(buf_span(&shown), "again", &e);
			if (config_has_errors(second)) {
				config_notes(second, &notes);
				fail_msg("%.*s\n%s", SPAN_ARG(buf_span(&shown)), notes[0].text);
			}
			again = dump_of(second, what);
			if (!span_eq(buf_span(&shown), buf_span(&again)))
				fail_msg("%.*s\n----\n%.*s", SPAN_ARG(buf_span(&shown)), SPAN_ARG(buf_span(&again)));
			fds[0] = config_image(first, &e);
			fds[1] = config_image(second, &e);
			assert_int_equal(fd_read_all(fds[0], 1 << 24, &images[0], &e), 0);
			assert_int_equal(fd_read_all(fds[1], 1 << 24, &images[1], &e), 0);
			/* With -a built-in values get set by the text, which the image tells apart. */
			if (what == DUMP_SET && !span_eq(buf_span(&images[0]), buf_span(&images[1])))
				fail_msg("the images differ for\n%.*s", SPAN_ARG(buf_span(&shown)));
			for (int k = 0; k < 2; k++) {
				close(fds[k]);
				buf_clear(&images[k]);
			}
			buf_clear(&shown);
			buf_clear(&again);
			config_free(first);
			config_free(second);
		}
	}
}

static void
write_file(const char *dir, const char *name, const char *text)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static struct config *
read_file(const char *dir, const char *name)
{
	struct err e = ERR_INIT;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return config_read(path, &e);
}

static void
expect(struct config *c, const char *name, const char *want)
{
	struct dump_options values = { .what = DUMP_ALL, .values_only = true };
	struct buf got = BUF_INIT(10000);
	struct err e = ERR_INIT;

	if (config_dump_name(c, &values, span_str(name), &got, &e) == -1)
		fail_msg("%s", e.log);
	if (!span_eq(span_trim(buf_span(&got)), span_str(want)))
		fail_msg("%s: got '%.*s', wanted '%s'", name, SPAN_ARG(buf_span(&got)), want);
	buf_clear(&got);
}

static bool
has_note(struct config *c, const char *text)
{
	const struct config_note *notes;
	size_t count = config_notes(c, &notes);

	for (size_t i = 0; i < count; i++) {
		if (strstr(notes[i].text, text) != NULL)
			return true;
	}
	return false;
}

static void
test_files(void **state)
{
	static const char *const names[] = {
		"main.conf", "d/10-a.conf", "d/20-b.conf", "d/README", "value", "loop.conf", "missing.conf", "open.conf", "d/sub",
		"big.conf",
	};
	char dir[] = "/tmp/culver-test-config-XXXXXX", sub[64], path[4096];
	struct config *c;
	struct err e = ERR_INIT;
	struct buf big = BUF_INIT(2 << 20);

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(sub, sizeof(sub), "%s/d", dir);
	assert_int_equal(mkdir(sub, 0700), 0);
	write_file(dir, "main.conf", "ssl = no\nimap_client_workarounds = a\n!include d/*.conf\n!include_try nothing/*.conf\n"
	    "mail_home = <value\nlogin_greeting = $mail_home .\nssl_ca = <../ca.pem\n"
	    "namespace x {\n  inbox = yes\n  !include d/sub\n}\n");
	write_file(dir, "d/10-a.conf", "imap_client_workarounds = $imap_client_workarounds b\nhostname = <../value\n");
	write_file(dir, "d/20-b.conf", "imap_client_workarounds = $imap_client_workarounds c\n");
	write_file(dir, "d/sub", "prefix = inside/\n");
	write_file(dir, "value", "from a file\n");
	c = read_file(dir, "main.conf");
	assert_non_null(c);
	assert_false(config_has_errors(c));
	expect(c, "imap_client_workarounds", "a b c");
	expect(c, "namespace/x/prefix", "inside/");
	snprintf(path, sizeof(path), "<%s/value", dir);
	expect(c, "mail_home", path);
	snprintf(path, sizeof(path), "<%s/d/../value", dir);
	expect(c, "hostname", path);
	snprintf(path, sizeof(path), "<%s/../ca.pem", dir);
	expect(c, "ssl_ca", path);
	expect(c, "login_greeting", "from a file .");
	assert_int_equal(config_override(c, SPAN("imap_client_workarounds = z"), &e), 0);
	assert_int_equal(config_override(c, SPAN("plugin/x=y"), &e), 0);
	assert_int_equal(config_override(c, SPAN("imap_client_workaround=z"), &e), -1);
	assert_int_equal(e.code, ERR_SYNTAX);
	assert_int_equal(config_override(c, SPAN("imap_client_workarounds"), &e), -1);
	assert_int_equal(config_override(c, SPAN(""), &e), -1);
	assert_false(config_has_errors(c));
	expect(c, "imap_client_workarounds", "z");
	expect(c, "plugin/x", "y");
	config_free(c);

	write_file(dir, "loop.conf", "ssl = no\n!include loop.conf\n");
	c = read_file(dir, "loop.conf");
	assert_true(has_note(c, "include each other"));
	config_free(c);
	write_file(dir, "missing.conf", "!include nothing.conf\nmail_home = <nothing\n");
	c = read_file(dir, "missing.conf");
	assert_true(has_note(c, "missing.conf:1: there is no file"));
	assert_true(has_note(c, "missing.conf:2: "));
	config_free(c);
	/* A file closes what it opens: the one that includes it goes on where it was. */
	write_file(dir, "d/sub", "mailbox y {\n");
	write_file(dir, "open.conf", "ssl = no\nnamespace x {\n  !include d/sub\n  inbox = yes\n}\n");
	c = read_file(dir, "open.conf");
	assert_true(has_note(c, "sub:1: this block is not closed"));
	expect(c, "namespace/x/inbox", "yes");
	config_free(c);
	while (big.n <= CONFIG_FILE_MAX)
		buf_adds(&big, "# filler\n");
	write_file(dir, "big.conf", buf_cstr(&big));
	assert_null(read_file(dir, "big.conf"));
	assert_null(read_file(dir, "not-there.conf"));
	buf_clear(&big);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(sub), 0);
	assert_int_equal(rmdir(dir), 0);
}

/* Limits end in notes, in little time. */
static void
test_limits(void **state)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	struct config *c;

	(void)state;
	for (int i = 0; i < 100; i++)
		buf_adds(&text, "plugin {\n");
	c = read_text(buf_cstr(&text));
	assert_true(config_has_errors(c));
	config_free(c);
	buf_reset(&text);
	for (int i = 0; i < 40000; i++)
		buf_adds(&text, "namespace x {\n}\n");
	for (int i = 0; i < 5000; i++)
		buf_adds(&text, "passdb {\n}\n");
	c = read_text(buf_cstr(&text));
	assert_true(has_note(c, "too many blocks"));
	config_free(c);
	buf_reset(&text);
	for (int i = 0; i < 1000; i++)
		buf_addf(&text, "remote 10.0.%d.%d {\n}\n", i / 250, i % 250);
	c = read_text(buf_cstr(&text));
	assert_true(has_note(c, "too many filter blocks"));
	config_free(c);
	buf_reset(&text);
	buf_adds(&text, "mail_home = ");
	for (int i = 0; i < 70000; i++)
		buf_addc(&text, 'x');
	c = read_text(buf_cstr(&text));
	assert_true(has_note(c, "too long"));
	config_free(c);
	buf_reset(&text);
	buf_adds(&text, "imap_client_workarounds = xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n");
	for (int i = 0; i < 60; i++)
		buf_adds(&text, "imap_client_workarounds = $imap_client_workarounds $imap_client_workarounds\n");
	c = read_text(buf_cstr(&text));
	assert_true(has_note(c, "value is too long"));
	config_free(c);
	buf_clear(&text);
}

static void
test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned max, want;
	} pairs[] = {
		{ "", "", 5, 0 }, { "abc", "abc", 5, 0 }, { "abc", "abd", 5, 1 }, { "abc", "acb", 5, 1 }, { "abc", "ab", 5, 1 },
		{ "", "abc", 5, 3 }, { "kitten", "sitting", 5, 3 }, { "kitten", "sitting", 2, 3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_int_equal(edit_distance(span_str(pairs[i].a), span_str(pairs[i].b), pairs[i].max), pairs[i].want);
}

static void
test_values(void **state)
{
	static const struct {
		enum set_type type;
		const char *def, *text;
		bool ok;
		uint64_t want;
	} values[] = {
		{ TYPE_BOOL, "", "yes", true, 1 }, { TYPE_BOOL, "", "No", true, 0 }, { TYPE_BOOL, "", "", false, 0 },
		{ TYPE_NUM, "", "18446744073709551615", true, UINT64_MAX }, { TYPE_NUM, "", "18446744073709551616", false, 0 },
		{ TYPE_NUM, "", "unlimited", true, UINT64_MAX }, { TYPE_NUM, "", "1 k", false, 0 },
		{ TYPE_SIZE, "", "0", true, 0 }, { TYPE_SIZE, "", "10", true, 10 }, { TYPE_SIZE, "", "10B", true, 10 },
		{ TYPE_SIZE, "", "64 k", true, 65536 }, { TYPE_SIZE, "", "1M", true, 1 << 20 },
		{ TYPE_SIZE, "", "2 GiB", true, UINT64_C(2) << 30 }, { TYPE_SIZE, "", "1 T", true, UINT64_C(1) << 40 },
		{ TYPE_SIZE, "", "1 BB", false, 0 }, { TYPE_SIZE, "", "k", false, 0 }, { TYPE_SIZE, "", "-1", false, 0 },
		{ TYPE_SIZE, "", "16777216 T", false, 0 }, { TYPE_SIZE, "", "16777215 T", true, UINT64_C(16777215) << 40 },
		{ TYPE_TIME, "", "0", true, 0 }, { TYPE_TIME, "", "30 s", true, 30000 }, { TYPE_TIME, "", "1 hour", true, 3600000 },
		{ TYPE_TIME, "", "2 weeks", true, 1209600000 }, { TYPE_TIME, "", "5m", true, 300000 },
		{ TYPE_TIME, "", "5 mins", true, 300000 }, { TYPE_TIME, "", "5 ms", true, 5 }, { TYPE_TIME, "", "5 msecs", true, 5 },
		{ TYPE_TIME, "", "1 d", true, 86400000 }, { TYPE_TIME, "", "infinite", true, UINT64_MAX },
		{ TYPE_TIME, "", "1 secondly", false, 0 }, { TYPE_TIME, "", "99999999999999 weeks", false, 0 },
		{ TYPE_TIME, "", "", false, 0 },
		{ TYPE_MODE, "", "0600", true, 0600 }, { TYPE_MODE, "", "0", true, 0 }, { TYPE_MODE, "", "0800", false, 0 },
		{ TYPE_MODE, "", "77777", false, 0 }, { TYPE_MODE, "", "", false, 0 },
		{ TYPE_MODE, "", "7777777777777777777777777777", false, 0 },
		{ TYPE_ENUM, "a:bb:c", "bb", true, 1 }, { TYPE_ENUM, "a:bb:c", "b", false, 0 }, { TYPE_ENUM, "a:b", "", false, 0 },
		{ TYPE_ENUM, "a:b", "a:b", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct setting_def def = { "x", values[i].type, values[i].def, "" };
		struct err e = ERR_INIT;
		uint64_t num = 0;
		int rc = value_parse(&def, span_str(values[i].text), &num, &e);

		if ((rc == 0) != values[i].ok || (rc == 0 && num != values[i].want))
			fail_msg("%s: %d, %llu", values[i].text, rc, (unsigned long long)num);
	}
}

/* A line of the shipped files with the setting on it no longer commented out; empty for prose. */
static struct span
uncommented(struct span line)
{
	size_t i = 0;

	while (i < line.n && ascii_is_wsp(line.p[i]))
		i++;
	if (i == line.n || line.p[i] != '#')
		return line;
	line = span_from(line, i + 1);
	/* "#name" and, inside of a block, "#  name": anything else is prose. */
	if (span_starts(line, SPAN("  ")))
		line = span_from(line, 2);
	return line.n > 0 && (ascii_is_alpha(line.p[0]) || line.p[0] == '}' || line.p[0] == '!') ? line : SPAN("");
}

static void
test_shipped(void **state)
{
	static const char *const files[] = {
		"dovecot.conf", "conf.d/10-auth.conf", "conf.d/10-logging.conf", "conf.d/10-mail.conf", "conf.d/10-master.conf",
		"conf.d/10-ssl.conf", "conf.d/15-lda.conf", "conf.d/15-mailboxes.conf", "conf.d/20-imap.conf",
		"conf.d/20-lmtp.conf", "conf.d/20-pop3.conf", "conf.d/90-limits.conf", "conf.d/auth-deny.conf.ext",
		"conf.d/auth-master.conf.ext", "conf.d/auth-passwdfile.conf.ext", "conf.d/auth-static.conf.ext",
		"conf.d/auth-system.conf.ext",
	};
	/* Where the comment is an example, not the default. */
	static const enum setting examples[] = {
		SET_base_dir, SET_mail_location, SET_ssl_cert, SET_ssl_key, SET_ssl_key_password,
	};
	struct err e = ERR_INIT;
	struct config *c = config_read(TOP_SRCDIR "/dovecot.conf", &e);
	struct buf all = BUF_INIT(CONFIG_FILE_MAX);
	const struct config_note *notes;

	(void)state;
	if (c == NULL)
		fail_msg("%s", e.log);
	/* There is no certificate yet: the one remark. */
	assert_int_equal(config_notes(c, &notes), 1);
	assert_false(notes[0].is_error);
	config_free(c);

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[4096];
		struct buf text = BUF_INIT(CONFIG_FILE_MAX);
		struct span rest, line;

		snprintf(path, sizeof(path), TOP_SRCDIR "/%s", files[i]);
		if (file_read(path, CONFIG_FILE_MAX, &text, &e) == -1)
			fail_msg("%s", e.log);
		for (rest = buf_span(&text); span_next(&rest, '\n', &line);) {
			line = uncommented(line);
			if (!span_starts(line, SPAN("!include")))
				buf_add(&all, line);
			buf_addc(&all, '\n');
		}
		buf_clear(&text);
	}
	c = config_read_text(buf_span(&all), "shipped", &e);
	if (config_notes(c, &notes) > 0)
		fail_msg("%s", notes[0].text);
	for (unsigned id = 0; id < SETTINGS_COUNT; id++) {
		const struct value *v = &scope_top(c)->values[id];
		bool is_example = false;

		for (size_t k = 0; k < sizeof(examples) / sizeof(examples[0]); k++)
			is_example |= examples[k] == id;
		if (!is_example && v->text.p != NULL && !span_eq(v->text, value_default(&setting_table[id])))
			fail_msg("%s: the default is %s", setting_table[id].name, setting_table[id].def);
	}
	buf_clear(&all);
	config_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_language),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_shipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
