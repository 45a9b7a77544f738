/* SPDX-License-Identifier: MIT */
/* environment (RFC 5183): what the host knows, and what is true of every script here. */
#include "config.h"
#include <stdio.h>

#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/run.h"
#include "lib/sys.h"

/* vnd.dovecot.environment: items of the host by Dovecot's names; settings sieve_env_NAME. */
static bool
dovecot_item(const struct sieve_run *r, struct span name, struct span *out)
{
	char setting[100];

	if (!extset_has(&r->script->required, EXT_VND_ENVIRONMENT) || !span_istarts(name, SPAN("vnd.dovecot.")))
		return false;
	name = span_from(name, 12);
	if (span_ieq(name, SPAN("username")))
		*out = r->host->user;
	else if (span_ieq(name, SPAN("default-mailbox")) || span_ieq(name, SPAN("default_mailbox")))
		*out = SPAN("INBOX");
	else if (span_istarts(name, SPAN("config.")) && name.n < 80 && r->host->setting != NULL) {
		snprintf(setting, sizeof(setting), "sieve_env_%.*s", SPAN_ARG(span_from(name, 7)));
		return r->host->setting(r->host->ctx, setting, out);
	} else {
		return false;
	}
	return true;
}

bool
sieve_environment_get(const struct sieve_run *r, struct span name, struct span *out)
{
	const struct filter_host *host = r->host;

	if (host->environment != NULL && host->environment(host->ctx, name, r->a, out))
		return true;
	if (dovecot_item(r, name, out))
		return true;
	/* A test script was written for the interpreter that its words are from; those that it tests are told the truth. */
	if (span_ieq(name, SPAN("name")))
		*out = extset_has(&r->script->required, EXT_TESTSUITE) ? SPAN("Pigeonhole Sieve") : SPAN("Culver");
	else if (span_ieq(name, SPAN("version")))
		*out = SPAN(PACKAGE_VERSION);
	else if (span_ieq(name, SPAN("location")))
		*out = SPAN("MDA");
	else if (span_ieq(name, SPAN("phase")))
		*out = SPAN("during");
	else if (span_ieq(name, SPAN("host")))
		*out = span_str(host_name());
	else if (span_ieq(name, SPAN("domain"))) {
		struct span full = span_str(host_name());

		*out = span_from(full, span_chr(full, '.') + 1);
	} else {
		return false;
	}
	return true;
}

/* RFC 5183 section 4: what is not known matches nothing. */
static int
test_environment(struct sieve_run *r, const struct sieve_node *n)
{
	struct sieve_matching x;
	struct span name, value;
	int rc;

	if (sieve_matching_begin(&x, r, n, n->pos[1]) == -1 || sieve_run_string(r, n, n->pos[0]->strings[0], &name) == -1)
		return -1;
	if (!sieve_environment_get(r, name, &value))
		return 0;
	rc = sieve_matching_value(&x, value);
	return rc != 0 ? rc : sieve_matching_end(&x);
}

static const struct sieve_tag_use tags[] = { SIEVE_MATCH_TAGS, { TAG_NONE, EXT_CORE } };

const struct sieve_word sieve_words_environment[] = {
	{ .name = "environment", .is_test = true, .ext = EXT_ENVIRONMENT, .args = "SL", .tags = tags, .check = sieve_check_match,
	    .run = test_environment },
	{ .name = NULL },
};
