/* SPDX-License-Identifier: MIT */
#include "lib-config/sieve-setting.h"

enum kind { TEXT, CAUSES, URL, PLUGINS, PLACE, SCRIPT_FILE, LIST, TIME, SIZE, NUMBER, YESNO, WHOSE, STATUS, EOL, IDLE };

/* A name that ends with * stands for all that begin so, a # for a number or nothing: the first line that fits counts. */
static const struct {
	const char *name;
	enum kind kind;
} names[] = {
	{ "sieve", PLACE }, { "sieve_dir", TEXT }, { "sieve_before#", PLACE }, { "sieve_after#", PLACE }, { "sieve_default", PLACE },
	{ "sieve_default_name", IDLE }, { "sieve_discard", PLACE }, { "sieve_global", PLACE }, { "sieve_global_dir", PLACE },
	{ "sieve_global_path", PLACE }, { "sieve_enabled", YESNO }, { "sieve_redirect_duplicate_period", TIME },
	{ "sieve_include_max_includes", NUMBER }, { "sieve_include_max_nesting_depth", NUMBER },
	{ "sieve_variables_max_scope_size", NUMBER }, { "sieve_variables_max_variable_size", SIZE },
	{ "sieve_extensions", TEXT }, { "sieve_global_extensions", TEXT }, { "sieve_user_email", TEXT },
	{ "sieve_redirect_envelope_from", WHOSE },
	{ "sieve_max_actions", NUMBER }, { "sieve_max_redirects", NUMBER }, { "sieve_max_script_size", SIZE },
	{ "sieve_quota_max_scripts", NUMBER }, { "sieve_quota_max_storage", SIZE },
	{ "sieve_vacation_min_period", TIME }, { "sieve_vacation_max_period", TIME }, { "sieve_vacation_default_period", TIME },
	{ "sieve_vacation_use_original_recipient", YESNO }, { "sieve_vacation_dont_check_recipient", YESNO },
	{ "sieve_vacation_send_from_recipient", YESNO }, { "sieve_vacation_to_header_ignore_envelope", YESNO },
	{ "sieve_vacation_max_subject_codepoints", NUMBER }, { "sieve_vacation_default_subject", TEXT },
	{ "sieve_vacation_default_subject_template", TEXT },
	{ "sieve_duplicate_default_period", TIME }, { "sieve_duplicate_max_period", TIME },
	{ "sieve_max_cpu_time", TIME },
	/* What one run took is not held against the next. */
	{ "sieve_resource_usage_timeout", IDLE }, { "sieve_plugins", PLUGINS },
	{ "sieve_trace_*", IDLE }, { "sieve_user_log", TEXT }, { "sieve_implicit_extensions", IDLE }, { "sieve_subaddress_sep", IDLE },
	{ "sieve_notify_mailto_envelope_from", WHOSE },
	{ "sieve_spamtest_status_type", STATUS }, { "sieve_spamtest_status_header", TEXT }, { "sieve_spamtest_max_header", TEXT },
	{ "sieve_spamtest_max_value", TEXT }, { "sieve_spamtest_text_value#", TEXT },
	{ "sieve_virustest_status_type", STATUS }, { "sieve_virustest_status_header", TEXT }, { "sieve_virustest_max_header", TEXT },
	{ "sieve_virustest_max_value", TEXT }, { "sieve_virustest_text_value#", TEXT },
	{ "sieve_editheader_max_header_size", SIZE }, { "sieve_editheader_protected", TEXT },
	{ "sieve_editheader_forbid_add", TEXT }, { "sieve_editheader_forbid_delete", TEXT },
	{ "imapsieve_url", URL }, { "imapsieve_expunge_discarded", YESNO },
	{ "sieve_report_from", WHOSE }, { "sieve_env_*", TEXT },
	{ "sieve_pipe_bin_dir", TEXT }, { "sieve_filter_bin_dir", TEXT }, { "sieve_execute_bin_dir", TEXT },
	{ "sieve_pipe_exec_timeout", TIME }, { "sieve_filter_exec_timeout", TIME }, { "sieve_execute_exec_timeout", TIME },
	{ "sieve_pipe_input_eol", EOL }, { "sieve_filter_input_eol", EOL }, { "sieve_execute_input_eol", EOL },
	{ "sieve_program_memory", SIZE },
	{ "sieve_list_*", LIST },
	{ "sieve_pipe_socket_dir", TEXT }, { "sieve_filter_socket_dir", TEXT }, { "sieve_execute_socket_dir", TEXT },
};

static bool
fits(struct span key, struct span name)
{
	char last = name.p[name.n - 1];
	struct span stem = span_sub(name, 0, name.n - 1), rest;

	if (last != '*' && last != '#')
		return span_eq(key, name);
	if (!span_starts(key, stem))
		return false;
	rest = span_from(key, stem.n);
	for (size_t i = 0; last == '#' && i < rest.n; i++)
		if (!ascii_is_digit(rest.p[i]))
			return false;
	return true;
}

/* A number and what stands behind it. */
static bool
number(struct span value, struct span *unit_out)
{
	size_t digits = 0;
	uint64_t n;

	value = span_trim(value);
	while (digits < value.n && ascii_is_digit(value.p[digits]))
		digits++;
	*unit_out = span_trim(span_from(value, digits));
	return span_u64(span_sub(value, 0, digits), UINT32_MAX, &n);
}

static bool
is_unit(struct span unit, const char *const *units)
{
	for (; *units != NULL; units++)
		if (span_ieq(unit, span_str(*units)))
			return true;
	return unit.n == 0;
}

static int
check_causes(struct span value, struct err *e)
{
	while (value.n > 0) {
		size_t n = 0;
		struct span word;

		while (n < value.n && value.p[n] != ' ' && value.p[n] != ',')
			n++;
		word = span_sub(value, 0, n);
		value = span_from(value, n + 1);
		if (word.n > 0 && !span_ieq(word, SPAN("APPEND")) && !span_ieq(word, SPAN("COPY")) && !span_ieq(word, SPAN("FLAG")))
			return err_set(e, ERR_SYNTAX, "%.*s is none of APPEND, COPY, FLAG", SPAN_ARG(word));
	}
	return 0;
}

/* Programs need no word: their directories say that they are wanted. */
static int
check_plugins(struct span value, struct err *e)
{
	struct span word;

	while (span_next(&value, ' ', &word))
		if (word.n > 0 && !span_eq(word, SPAN("sieve_imapsieve")) && !span_eq(word, SPAN("sieve_extprograms")))
			return err_set(e, ERR_DENIED, "names %.*s, which is not there", SPAN_ARG(word));
	return 0;
}

/* Clients see it as a word of CAPABILITY (RFC 6785 section 7, RFC 5804 section 3). */
static int
check_url(struct span value, struct err *e)
{
	bool ok = span_istarts(value, SPAN("sieve://")) && value.n > 8;

	for (size_t i = 0; i < value.n; i++)
		ok = ok && value.p[i] > ' ' && value.p[i] < 0x7f && strchr("(){%*\"\\]", value.p[i]) == NULL;
	return ok ? 0 : err_set(e, ERR_SYNTAX, "%.*s is no URL that begins with sieve://", SPAN_ARG(value));
}

static int
check_value(enum kind kind, struct span value, struct err *e)
{
	static const char *const times[] = {
		"s", "sec", "secs", "m", "min", "mins", "h", "hour", "hours", "d", "day", "days", "w", "week", "weeks", NULL
	};
	static const char *const sizes[] = { "b", "k", "kb", "m", "mb", "g", "gb", "t", "tb", NULL };
	static const char *const words[] = { "yes", "no", "y", "n", "true", "false", "1", "0", NULL };
	static const char *const whose[] = { "sender", "recipient", "orig_recipient", "user_email", "postmaster", NULL };
	static const char *const status[] = { "score", "strlen", "text", NULL };
	static const char *const eols[] = { "lf", "crlf", NULL };
	struct span unit;

	switch (kind) {
	case TEXT:
		return 0;
	case CAUSES:
		return check_causes(value, e);
	case URL:
		return check_url(value, e);
	case PLUGINS:
		return check_plugins(value, e);
	case IDLE:
		return err_set(e, ERR_DENIED, "has no effect");
	case LIST:
		if (span_starts(value, SPAN("dict:")) || span_starts(value, SPAN("ldap:")))
			return span_starts(value, SPAN("dict:file:")) ? 0 : err_set(e, ERR_SYNTAX, "lists are in files, or dict:file: dictionaries");
		return 0;
	case PLACE:
		if (span_find(value, SPAN(";bindir=")) != SIZE_MAX)
			return err_set(e, ERR_DENIED, "has a bindir, which has no effect: binaries are beside their scripts");
		if (span_starts(value, SPAN("dict:")) || span_starts(value, SPAN("ldap:")))
			return span_starts(value, SPAN("dict:file:")) ? 0 :
			    err_set(e, ERR_SYNTAX, "scripts are in files, or dict:file: dictionaries");
		return 0;
	case SCRIPT_FILE:
		return span_starts(value, SPAN("dict:")) || span_starts(value, SPAN("ldap:")) ?
		    err_set(e, ERR_SYNTAX, "scripts for events are in files only") : 0;
	case TIME:
		return number(value, &unit) && is_unit(unit, times) ? 0 : err_set(e, ERR_SYNTAX, "%.*s is no time", SPAN_ARG(value));
	case SIZE:
		return number(value, &unit) && is_unit(unit, sizes) ? 0 : err_set(e, ERR_SYNTAX, "%.*s is no size", SPAN_ARG(value));
	case NUMBER:
		return number(value, &unit) && unit.n == 0 ? 0 : err_set(e, ERR_SYNTAX, "%.*s is no number", SPAN_ARG(value));
	case YESNO:
		return is_unit(value, words) ? 0 : err_set(e, ERR_SYNTAX, "%.*s is neither yes nor no", SPAN_ARG(value));
	/* With a wrong word what is usual counts, as Dovecot has it. */
	case WHOSE:
		return is_unit(value, whose) || span_starts(value, SPAN("<")) ? 0 :
		    err_set(e, ERR_DENIED, "is not sender, recipient, orig_recipient, user_email, postmaster or <an@address>");
	case STATUS:
		return is_unit(value, status) ? 0 : err_set(e, ERR_DENIED, "is not score, strlen or text");
	case EOL:
		return is_unit(value, eols) ? 0 : err_set(e, ERR_DENIED, "is not lf or crlf");
	}
	return 0;
}

/* imapsieve_mailbox1_name: the part behind the number.  Empty: it is none of these. */
static struct span
mailbox_part(struct span key)
{
	const struct span stem = SPAN("imapsieve_mailbox");
	size_t n = stem.n;

	if (!span_starts(key, stem))
		return SPAN("");
	while (n < key.n && ascii_is_digit(key.p[n]))
		n++;
	return n > stem.n && n < key.n && key.p[n] == '_' ? span_from(key, n + 1) : SPAN("");
}

static int
check_mailbox(struct span part, struct span value, struct err *e)
{
	static const struct {
		const char *part;
		enum kind kind;
	} parts[] = { { "name", TEXT }, { "from", TEXT }, { "causes", CAUSES }, { "before", SCRIPT_FILE },
		{ "after", SCRIPT_FILE } };

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (span_eq(part, span_str(parts[i].part)))
			return value.n == 0 ? 0 : check_value(parts[i].kind, span_trim(value), e);
	return err_set(e, ERR_DENIED, "has no effect: it is name, from, causes, before, after that a mailbox has");
}

int
sieve_setting_check(struct span key, struct span value, bool *known_out, struct err *e)
{
	*known_out = span_starts(key, SPAN("sieve")) || span_starts(key, SPAN("imapsieve"));
	if (!*known_out)
		return 0;
	if (mailbox_part(key).n > 0)
		return check_mailbox(mailbox_part(key), value, e);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (fits(key, span_str(names[i].name)))
			return value.n == 0 ? 0 : check_value(names[i].kind, span_trim(value), e);
	return err_set(e, ERR_DENIED, "has no effect: there is no such setting of Sieve");
}
