/* SPDX-License-Identifier: MIT */
/*
 * plugin { quota = ...; quota_rule = ...; quota_rule2 = ...; quota_warning = ...; quota_grace = ...; quota2 = ...;
 * quota2_rule = ... }: as far as the numbers go without a gap.  The configuration was checked when it was read; what a user
 * database adds was not.
 */
#include <stdio.h>
#include "lib-config/vars.h"
#include "lib-storage/quota-priv.h"
#include "lib-storage/storage-priv.h"

/* "quota2", "quota2_rule", "quota2_rule3" */
static struct span
get(const struct set_view *v, unsigned root, const char *what, unsigned number)
{
	char name[64], root_number[12] = "", own_number[12] = "";

	if (root > 1)
		snprintf(root_number, sizeof(root_number), "%u", root);
	if (number > 1)
		snprintf(own_number, sizeof(own_number), "%u", number);
	snprintf(name, sizeof(name), "quota%s%s%s", root_number, what, own_number);
	return set_plugin(v, name);
}

static int
wrong(struct err *e, unsigned root, const char *what, unsigned number)
{
	return err_wrap(e, "quota%.0u%s%.0u", root > 1 ? root : 0, what, number > 1 ? number : 0);
}

static int
expand(struct span in, const struct var *vars, struct arena *a, struct span *out, struct err *e)
{
	struct buf text = BUF_INIT(4096);
	int rc = vars_expand(&text, in, vars, e);

	if (rc == 0) {
		*out = text.failed ? SPAN_NONE : arena_dup(a, buf_span(&text));
		if (out->p == NULL)
			rc = err_set(e, ERR_LIMIT, "too long");
	}
	buf_clear(&text);
	return rc;
}

/* Later default rules replace what earlier ones said. */
static int
read_rules(const struct set_view *v, unsigned number, struct arena *a, struct quota_root *r, struct err *e)
{
	bool has_default = false;
	struct span text;

	r->rules = arena_alloc(a, QUOTA_RULES_MAX, sizeof(*r->rules));
	if (r->rules == NULL)
		return err_set(e, ERR_LIMIT, "too many rules");
	for (unsigned i = 1; i <= QUOTA_RULES_MAX && (text = get(v, number, "_rule", i)).p != NULL; i++) {
		struct quota_rule rule;

		if (text.n == 0)
			continue;
		if (quota_rule_parse(text, &rule, e) == -1)
			return wrong(e, number, "_rule", i);
		if (!rule.is_default) {
			r->rules[r->rule_count++] = rule;
			continue;
		}
		has_default = true;
		r->yields = rule.yields;
		if (rule.limits.bytes.is_set)
			r->limits.bytes = rule.limits.bytes;
		if (rule.limits.messages.is_set)
			r->limits.messages = rule.limits.messages;
	}
	r->yields = r->yields || !has_default;
	return 0;
}

static int
read_warnings(const struct set_view *v, unsigned number, const struct var *vars, struct arena *a, struct quota_root *r,
    struct err *e)
{
	struct span text;

	r->warnings = arena_alloc(a, QUOTA_RULES_MAX, sizeof(*r->warnings));
	if (r->warnings == NULL)
		return err_set(e, ERR_LIMIT, "too many warnings");
	for (unsigned i = 1; i <= QUOTA_RULES_MAX && (text = get(v, number, "_warning", i)).p != NULL; i++) {
		struct quota_warning *w = &r->warnings[r->warning_count];

		if (text.n == 0)
			continue;
		if (quota_warning_parse(text, w, e) == -1 || expand(w->command, vars, a, &w->command, e) == -1)
			return wrong(e, number, "_warning", i);
		r->warning_count++;
	}
	return 0;
}

static int
read_root(const struct set_view *v, unsigned number, struct span text, const struct var *vars, struct arena *a,
    struct quota_root *r, struct err *e)
{
	struct quota_amount grace = QUOTA_GRACE_DEFAULT;
	struct span own;

	memset(r, 0, sizeof(*r));
	if (quota_root_parse(text, &r->def, e) == -1)
		return wrong(e, number, "", 1);
	if (r->def.name.n > 0 && expand(r->def.name, vars, a, &r->def.name, e) == -1)
		return wrong(e, number, "", 1);
	own = get(v, number, "_grace", 1);
	if (own.n > 0 && quota_amount_parse(own, 1, &grace, e) == -1)
		return wrong(e, number, "_grace", 1);
	r->grace = grace;
	if (read_rules(v, number, a, r, e) == -1)
		return -1;
	return read_warnings(v, number, vars, a, r, e);
}

int
quota_settings_read(const struct set_view *v, const struct var *vars, struct arena *a, struct quota_conf *out,
    struct err *e)
{
	struct quota_amount most = { 0 };
	struct err ignored = ERR_INIT;
	struct span text, size = set_plugin(v, "quota_max_mail_size");

	memset(out, 0, sizeof(*out));
	for (unsigned i = 1; (text = get(v, i, "", 1)).p != NULL; i++) {
		if (text.n == 0)
			continue;
		if (out->root_count == QUOTA_ROOTS_MAX)
			return err_set(e, ERR_LIMIT, "more than %d quota roots", QUOTA_ROOTS_MAX);
		if (read_root(v, i, text, vars, a, &out->roots[out->root_count], e) == -1)
			return -1;
		/* The others were warned of; a dictionary's is counted in the index. */
		if (out->roots[out->root_count].def.backend != QUOTA_FS &&
		    out->roots[out->root_count].def.backend != QUOTA_IMAPC)
			out->root_count++;
	}
	if (size.n > 0 && quota_amount_parse(size, 1, &most, e) == -1)
		return err_wrap(e, "quota_max_mail_size");
	out->max_mail_size = most.n > 0 && !most.is_percent ? (uint64_t)most.n : 0;
	text = set_plugin(v, "quota_vsizes");
	out->vsizes = span_ieq(text, SPAN("yes")) || span_ieq(text, SPAN("y")) || span_eq(text, SPAN("1")) ||
	    span_ieq(text, SPAN("true"));
	out->base_dir = set_str(v, SET_base_dir);
	out->words = text = set_plugin(v, "quota_exceeded_message");
	/* "100% full" is to be said as it is. */
	if (text.n > 0 && expand(text, vars, a, &out->words, &ignored) == -1)
		out->words = text;
	return 0;
}
