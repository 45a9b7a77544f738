/* SPDX-License-Identifier: MIT */
/* What mailboxes there are: mailbox, mboxmetadata, servermetadata (RFC 5490), special-use (RFC 8579), mailboxid (RFC 9042). */
#include "lib-filter/sieve/check.h"
#include "lib-filter/sieve/run.h"

/* Whether ask says yes to each of the list. */
static int
all_of(struct sieve_run *r, const struct sieve_node *n, const struct sieve_arg *list, bool (*ask)(void *ctx, struct span name))
{
	for (size_t i = 0; i < list->count; i++) {
		struct span name;

		if (sieve_run_string(r, n, list->strings[i], &name) == -1 || sieve_run_work(r, n, 1) == -1)
			return -1;
		if (ask == NULL || !ask(r->host->ctx, name))
			return 0;
	}
	return 1;
}

static int
test_mailboxexists(struct sieve_run *r, const struct sieve_node *n)
{
	return all_of(r, n, n->pos[0], r->host->mailbox_exists);
}

static int
test_mailboxidexists(struct sieve_run *r, const struct sieve_node *n)
{
	return all_of(r, n, n->pos[0], r->host->mailbox_id_exists);
}

/* RFC 8579 section 2 has them of RFC 6154: a backslash and an atom. */
int
sieve_check_special_use(struct sieve_checker *c, const struct sieve_node *n, const struct sieve_arg *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct span s = list->strings[i];
		bool ok = s.n > 1 && s.p[0] == '\\';

		for (size_t k = 1; k < s.n; k++)
			ok = ok && s.p[k] > ' ' && s.p[k] < 0x7f && strchr("(){%*\"\\]", s.p[k]) == NULL;
		if (!ok && sieve_is_constant(c, s))
			return sieve_fail(c, n, "\"%.*s\" is no special use: those are as \"\\Junk\"", SPAN_ARG(span_sub(s, 0, 60)));
	}
	return 0;
}

static int
check_specialuse(struct sieve_checker *c, struct sieve_node *n)
{
	return sieve_check_special_use(c, n, n->pos[1]);
}

/* RFC 8579 section 4: each of the special uses has a mailbox; or the one that is named has them all. */
static int
test_specialuse(struct sieve_run *r, const struct sieve_node *n)
{
	const struct filter_host *host = r->host;
	struct span mailbox = SPAN("");

	if (n->pos[0] != NULL && sieve_run_string(r, n, n->pos[0]->strings[0], &mailbox) == -1)
		return -1;
	for (size_t i = 0; i < n->pos[1]->count; i++) {
		struct span use;

		if (sieve_run_string(r, n, n->pos[1]->strings[i], &use) == -1 || sieve_run_work(r, n, 1) == -1)
			return -1;
		if (host->special_use_exists == NULL || !host->special_use_exists(host->ctx, mailbox, use))
			return 0;
	}
	return 1;
}

/* An entry's name (RFC 5464 section 3.1): /private/x or /shared/x, no empty component, no wildcard. */
static bool
is_entry(struct span s)
{
	if ((!span_istarts(s, SPAN("/private/")) && !span_istarts(s, SPAN("/shared/"))) || s.p[s.n - 1] == '/')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < ' ' || s.p[i] >= 0x7f || s.p[i] == '*' || s.p[i] == '%' || (s.p[i] == '/' && i + 1 < s.n && s.p[i + 1] == '/'))
			return false;
	return true;
}

static bool
entry_value(struct sieve_run *r, struct span mailbox, struct span name, struct span *out)
{
	const struct filter_host *host = r->host;

	return is_entry(name) && host->metadata != NULL && host->metadata(host->ctx, mailbox, name, r->a, out);
}

static int
match_entry(struct sieve_run *r, const struct sieve_node *n, const struct sieve_arg *mailbox, const struct sieve_arg *entry,
    const struct sieve_arg *keys)
{
	struct span box = SPAN(""), name, value;
	struct sieve_matching x;
	int rc;

	if (sieve_matching_begin(&x, r, n, keys) == -1 || sieve_run_string(r, n, entry->strings[0], &name) == -1 ||
	    (mailbox != NULL && sieve_run_string(r, n, mailbox->strings[0], &box) == -1))
		return -1;
	if (!entry_value(r, box, name, &value))
		return 0;
	rc = sieve_matching_value(&x, value);
	return rc != 0 ? rc : sieve_matching_end(&x);
}

static int
test_metadata(struct sieve_run *r, const struct sieve_node *n)
{
	return match_entry(r, n, n->pos[0], n->pos[1], n->pos[2]);
}

static int
test_servermetadata(struct sieve_run *r, const struct sieve_node *n)
{
	return match_entry(r, n, NULL, n->pos[0], n->pos[1]);
}

static int
entries_exist(struct sieve_run *r, const struct sieve_node *n, const struct sieve_arg *mailbox, const struct sieve_arg *list)
{
	struct span box = SPAN(""), name, value;

	if (mailbox != NULL && sieve_run_string(r, n, mailbox->strings[0], &box) == -1)
		return -1;
	for (size_t i = 0; i < list->count; i++) {
		if (sieve_run_string(r, n, list->strings[i], &name) == -1 || sieve_run_work(r, n, 1) == -1)
			return -1;
		if (!entry_value(r, box, name, &value))
			return 0;
	}
	return 1;
}

static int
test_metadataexists(struct sieve_run *r, const struct sieve_node *n)
{
	return entries_exist(r, n, n->pos[0], n->pos[1]);
}

static int
test_servermetadataexists(struct sieve_run *r, const struct sieve_node *n)
{
	return entries_exist(r, n, NULL, n->pos[0]);
}

static const struct sieve_tag_use match_tags[] = { SIEVE_MATCH_TAGS, { TAG_NONE, EXT_CORE } };

const struct sieve_word sieve_words_mailbox[] = {
	{ .name = "mailboxexists", .is_test = true, .ext = EXT_MAILBOX, .args = "L", .run = test_mailboxexists },
	{ .name = "mailboxidexists", .is_test = true, .ext = EXT_MAILBOXID, .args = "L", .run = test_mailboxidexists },
	{ .name = "specialuse_exists", .is_test = true, .ext = EXT_SPECIAL_USE, .args = "?SL", .check = check_specialuse,
	    .run = test_specialuse },
	{ .name = "metadata", .is_test = true, .ext = EXT_MBOXMETADATA, .args = "SSL", .tags = match_tags, .check = sieve_check_match,
	    .run = test_metadata },
	{ .name = "metadataexists", .is_test = true, .ext = EXT_MBOXMETADATA, .args = "SL", .run = test_metadataexists },
	{ .name = "servermetadata", .is_test = true, .ext = EXT_SERVERMETADATA, .args = "SL", .tags = match_tags,
	    .check = sieve_check_match, .run = test_servermetadata },
	{ .name = "servermetadataexists", .is_test = true, .ext = EXT_SERVERMETADATA, .args = "L", .run = test_servermetadataexists },
	{ .name = NULL },
};
