/* SPDX-License-Identifier: MIT */
/* What plugin { sieve... } may hold. */
#include "lib-config/sieve-setting.h"
#include "testing.h"

static void
test_values(void **state)
{
	static const struct {
		const char *key, *value;
		bool known;
		enum err_code code;
	} cases[] = {
		{ "quota", "x", false, ERR_NONE },
		{ "sieve", "file:~/sieve;active=~/.dovecot.sieve", true, ERR_NONE },
		{ "sieve", "dict:file:/x;name=y", true, ERR_NONE },
		{ "sieve", "dict:proxy::sieve", true, ERR_SYNTAX },
		{ "sieve_before", "/etc/x", true, ERR_NONE },
		{ "sieve_before2", "ldap:/etc/x", true, ERR_SYNTAX },
		{ "sieve_before2", "~/x;bindir=/y", true, ERR_DENIED },
		{ "sieve_user_log", "~/x.log", true, ERR_NONE },
		{ "sieve_implicit_extensions", "fileinto", true, ERR_DENIED },
		{ "sieve_before_x", "/etc/x", true, ERR_DENIED },
		{ "sieve_after17", "/etc/x", true, ERR_NONE },
		{ "sieve_extensions", "-copy +vacation-seconds", true, ERR_NONE },
		{ "sieve_extensions", "+vacation-seconds +vnd.dovecot.pipe", true, ERR_NONE },
		{ "sieve_extensions", "fileinto mailboxid", true, ERR_NONE },
		{ "sieve_extensions", "fileinto extlists", true, ERR_NONE },
		{ "sieve_list_friends", "~/friends", true, ERR_NONE },
		{ "sieve_list_friends", "ldap:x", true, ERR_SYNTAX },
		{ "sieve_list_friends", "dict:file:/x;prefix=priv/y/", true, ERR_NONE },
		{ "sieve_list_friends", "dict:proxy::x", true, ERR_SYNTAX },
		{ "sieve_before", "ldap:/x", true, ERR_SYNTAX },
		{ "sieve_enabled", "no", true, ERR_NONE },
		{ "sieve_enabled", "maybe", true, ERR_SYNTAX },
		{ "sieve_redirect_duplicate_period", "1d", true, ERR_NONE },
		{ "sieve_include_max_includes", "many", true, ERR_SYNTAX },
		{ "sieve_pipe_socket_dir", "sieve-pipe", true, ERR_NONE },
		{ "sieve_global_extensions", "-imapsieve", true, ERR_NONE },
		{ "sieve_pipe_bin_dir", "/usr/lib/x", true, ERR_NONE },
		{ "sieve_pipe_bin_dirs", "/usr/lib/x", true, ERR_DENIED },
		{ "sieve_execute_exec_timeout", "20s", true, ERR_NONE },
		{ "sieve_execute_exec_timeout", "never", true, ERR_SYNTAX },
		{ "sieve_max_actions", "32", true, ERR_NONE },
		{ "sieve_max_actions", "many", true, ERR_SYNTAX },
		{ "sieve_max_actions", "", true, ERR_NONE },
		{ "sieve_max_script_size", "1M", true, ERR_NONE },
		{ "sieve_max_script_size", "1X", true, ERR_SYNTAX },
		{ "sieve_vacation_min_period", "7d", true, ERR_NONE },
		{ "sieve_vacation_min_period", "7 hours", true, ERR_NONE },
		{ "sieve_vacation_min_period", "soon", true, ERR_SYNTAX },
		{ "sieve_vacation_min_period", "7y", true, ERR_SYNTAX },
		{ "sieve_vacation_send_from_recipient", "yes", true, ERR_NONE },
		{ "sieve_vacation_send_from_recipient", "perhaps", true, ERR_SYNTAX },
		{ "sieve_max_cpu_time", "30s", true, ERR_NONE },
		{ "sieve_max_cpu_time", "long", true, ERR_SYNTAX },
		{ "sieve_resource_usage_timeout", "1h", true, ERR_DENIED },
		{ "sieve_trace_dir", "/x", true, ERR_DENIED },
		{ "sieve_extensions", "+editheader", true, ERR_NONE },
		{ "sieve_editheader_protected", "Received", true, ERR_NONE },
		{ "sieve_editheader_protect", "Received", true, ERR_DENIED },
		{ "sieve_editheader_max_header_size", "2k", true, ERR_NONE },
		{ "sieve_redirect_envelope_from", "orig_recipient", true, ERR_NONE },
		{ "sieve_redirect_envelope_from", "<a@example.org>", true, ERR_NONE },
		{ "sieve_redirect_envelope_from", "a@example.org", true, ERR_DENIED },
		{ "sieve_report_from", "me", true, ERR_DENIED },
		{ "sieve_spamtest_status_type", "strlen", true, ERR_NONE },
		{ "sieve_spamtest_status_type", "length", true, ERR_DENIED },
		{ "sieve_virustest_text_value5", "infected", true, ERR_NONE },
		{ "sieve_virustest_text_values", "infected", true, ERR_DENIED },
		{ "sieve_filter_input_eol", "cr", true, ERR_DENIED },
		{ "sieve_nonsense", "1", true, ERR_DENIED },
		{ "sieve_plugins", "sieve_imapsieve sieve_extprograms", true, ERR_NONE },
		{ "sieve_plugins", "sieve_storage_ldap", true, ERR_DENIED },
		{ "sieve_extensions", "+imapsieve", true, ERR_NONE },
		{ "imapsieve_mailbox1_name", "Junk", true, ERR_NONE },
		{ "imapsieve_mailbox1_causes", "COPY, flag", true, ERR_NONE },
		{ "imapsieve_mailbox12_causes", "MOVE", true, ERR_SYNTAX },
		{ "imapsieve_mailbox1_before", "file:/x", true, ERR_NONE },
		{ "imapsieve_mailbox1_after", "dict:file:/x", true, ERR_SYNTAX },
		{ "imapsieve_mailbox1_nonsense", "1", true, ERR_DENIED },
		{ "imapsieve_mailbox_name", "1", true, ERR_DENIED },
		{ "imapsieve_url", "sieve://mx.example:4190", true, ERR_NONE },
		{ "imapsieve_url", "sieve://mx.example) BYE (", true, ERR_SYNTAX },
		{ "imapsieve_url", "http://mx.example", true, ERR_SYNTAX },
		{ "imapsieve_expunge_discarded", "yes", true, ERR_NONE },
		{ "imapsieve_expunge_discarded", "perhaps", true, ERR_SYNTAX },
		{ "imapsieve_nonsense", "1", true, ERR_DENIED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct err e = ERR_INIT;
		bool known;
		int rc = sieve_setting_check(span_str(cases[i].key), span_str(cases[i].value), &known, &e);

		if (known != cases[i].known || e.code != cases[i].code || (rc == 0) != (cases[i].code == ERR_NONE))
			fail_msg("%s = %s: %d %s", cases[i].key, cases[i].value, (int)e.code, e.log);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
