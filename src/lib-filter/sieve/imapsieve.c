/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/imapsieve.h"

#include <stdio.h>

#include "lib-filter/sieve/match.h"
#include "lib-filter/sieve/setting.h"

static const struct {
	const char *name;
	unsigned cause;
} causes[] = { { "APPEND", IMAPSIEVE_APPEND }, { "COPY", IMAPSIEVE_COPY }, { "FLAG", IMAPSIEVE_FLAG } };

/* "COPY APPEND", also with commas.  0: one of them is none. */
static unsigned
parse_causes(struct span text)
{
	unsigned found = 0;

	while (text.n > 0) {
		size_t n = 0, i = 0;
		struct span word;

		while (n < text.n && text.p[n] != ' ' && text.p[n] != ',')
			n++;
		word = span_sub(text, 0, n);
		text = span_from(text, n + 1);
		if (word.n == 0)
			continue;
		while (i < sizeof(causes) / sizeof(causes[0]) && !span_ieq(word, span_str(causes[i].name)))
			i++;
		if (i == sizeof(causes) / sizeof(causes[0]))
			return 0;
		found |= causes[i].cause;
	}
	return found;
}

static struct span
setting(const struct filter_host *host, size_t number, const char *what)
{
	char name[64];

	snprintf(name, sizeof(name), "imapsieve_mailbox%zu_%s", number, what);
	return span_trim(sieve_setting_text(host, name));
}

int
imapsieve_rules_read(const struct filter_host *host, struct arena *a, struct imapsieve_rules *out, struct err *e)
{
	out->n = 0;
	out->v = arena_alloc(a, IMAPSIEVE_RULES_MAX, sizeof(*out->v));
	if (out->v == NULL)
		return err_set(e, ERR_LIMIT, "no memory for the rules of imapsieve");
	for (size_t i = 1; i <= IMAPSIEVE_RULES_MAX && setting(host, i, "name").n > 0; i++) {
		struct imapsieve_rule *rule = &out->v[out->n++];
		struct span text = setting(host, i, "causes");

		rule->name = arena_dup(a, setting(host, i, "name"));
		rule->from = arena_dup(a, setting(host, i, "from"));
		rule->before = arena_dup(a, setting(host, i, "before"));
		rule->after = arena_dup(a, setting(host, i, "after"));
		if (rule->name.p == NULL || rule->from.p == NULL || rule->before.p == NULL || rule->after.p == NULL)
			return err_set(e, ERR_LIMIT, "no memory for the rules of imapsieve");
		rule->causes = text.n == 0 ? IMAPSIEVE_APPEND | IMAPSIEVE_COPY | IMAPSIEVE_FLAG : parse_causes(text);
		if (rule->causes == 0)
			return err_set(e, ERR_SYNTAX, "imapsieve_mailbox%zu_causes: \"%.*s\" has something other than APPEND, COPY, FLAG", i,
			    SPAN_ARG(text));
	}
	return 0;
}

static bool
name_matches(struct span pattern, struct span name)
{
	static const struct sieve_match glob = { .type = SIEVE_MATCHES, .comparator = SIEVE_OCTET };

	uint64_t work = UINT64_MAX;

	if (span_ieq(pattern, SPAN("INBOX")) || span_ieq(name, SPAN("INBOX")))
		return span_ieq(pattern, name) || span_eq(pattern, SPAN("*"));
	return sieve_match_one(&glob, name, pattern, NULL, &work);
}

bool
imapsieve_rule_matches(const struct imapsieve_rule *rule, const struct imapsieve_event *event)
{
	if (!(rule->causes & event->cause) || !name_matches(rule->name, event->mailbox))
		return false;
	return rule->from.n == 0 || (event->cause == IMAPSIEVE_COPY && name_matches(rule->from, event->from));
}

size_t
imapsieve_select(const struct imapsieve_rules *rules, const struct imapsieve_event *event, struct span *out, size_t max,
    size_t *before_out)
{
	size_t n = 0;

	for (int after = 0; after < 2; after++) {
		for (size_t i = 0; i < rules->n; i++) {
			struct span location = after ? rules->v[i].after : rules->v[i].before;

			if (location.n > 0 && n < max && imapsieve_rule_matches(&rules->v[i], event))
				out[n++] = location;
		}
		if (!after)
			*before_out = n;
	}
	return n;
}

bool
imapsieve_environment(const struct imapsieve_event *event, struct span name, struct span *out)
{
	const char *cause = "";

	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (causes[i].cause == event->cause)
			cause = causes[i].name;
	if (span_ieq(name, SPAN("imap.user")))
		*out = event->user;
	else if (span_ieq(name, SPAN("imap.email")))
		*out = event->email;
	else if (span_ieq(name, SPAN("imap.cause")))
		*out = span_str(cause);
	else if (span_ieq(name, SPAN("imap.mailbox")) || span_ieq(name, SPAN("vnd.dovecot.mailbox-to")))
		*out = event->mailbox;
	else if (span_ieq(name, SPAN("vnd.dovecot.mailbox-from")))
		*out = event->cause == IMAPSIEVE_COPY ? event->from : event->mailbox;
	else if (span_ieq(name, SPAN("imap.changedflags")) && event->cause == IMAPSIEVE_FLAG)
		*out = event->changed_flags;
	else if (span_ieq(name, SPAN("location")))
		*out = SPAN("MS");		/* RFC 6785 section 4.1 */
	else if (span_ieq(name, SPAN("phase")))
		*out = SPAN("post");
	else
		return false;
	return true;
}

struct sieve_extset
imapsieve_available(const struct sieve_extset *usual)
{
	/* What is stored stays as it is: a message in a mailbox is never changed (RFC 3501 section 2.3.1.1). */
	static const enum sieve_ext not_here[] = { EXT_REJECT, EXT_EREJECT, EXT_VACATION, EXT_VACATION_SECONDS, EXT_EDITHEADER,
		EXT_REPLACE, EXT_ENCLOSE, EXT_VND_FILTER, EXT_ENVELOPE, EXT_ENVELOPE_DSN, EXT_ENVELOPE_DELIVERBY };
	struct sieve_extset s = *usual;

	for (size_t i = 0; i < sizeof(not_here) / sizeof(not_here[0]); i++)
		extset_remove(&s, not_here[i]);
	extset_add(&s, EXT_IMAPSIEVE);
	extset_add(&s, EXT_VND_IMAPSIEVE);
	return s;
}
