/* SPDX-License-Identifier: MIT */
#include "auth/user-name.h"

#include "lib/encode.h"
#include "lib/ipc-types.h"
#include "lib-config/vars.h"

int
user_name_check(struct span name, size_t max, struct err *e)
{
	struct span rest = name;

	if (name.n == 0)
		return err_set(e, ERR_SYNTAX, "empty user name");
	if (name.n > max)
		return err_set(e, ERR_SYNTAX, "user name of %zu octets", name.n);
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < ' ' || name.p[i] == 127 || name.p[i] == '/')
			return err_set(e, ERR_SYNTAX, "user name with octet 0x%02x", (unsigned char)name.p[i]);
	if (!utf8_is_valid(name))
		return err_set(e, ERR_SYNTAX, "user name is not valid UTF-8");
	if (span_find(name, SPAN("..")) != SIZE_MAX)
		return err_set(e, ERR_SYNTAX, "user name with ..");
	for (;;) {
		size_t at = span_chr(rest, '@');
		struct span part = span_sub(rest, 0, at);

		if (part.n == 0 || span_eq(part, SPAN(".")))
			return err_set(e, ERR_SYNTAX, "user name with an empty or . part");
		if (at == rest.n)
			return 0;
		rest = span_from(rest, at + 1);
	}
}

int
user_name_make(const struct auth_conf *c, struct span raw, struct arena *a, struct span *out, struct err *e)
{
	struct buf name = BUF_INIT(USER_NAME_MAX * 2), made = BUF_INIT(USER_NAME_MAX * 2);
	struct var vars[VARS_USER_COUNT + 1];
	int rc = -1;

	if (raw.n == 0 || raw.n > c->max_user)
		return err_set(e, ERR_SYNTAX, "user name of %zu octets", raw.n);
	for (size_t i = 0; i < raw.n; i++) {
		char ch = (char)c->translation[(unsigned char)raw.p[i]];

		if (!c->any_char && !c->chars[(unsigned char)ch]) {
			err_set(e, ERR_SYNTAX, "user name with octet 0x%02x, which is not in auth_username_chars",
				(unsigned char)ch);
			goto out;
		}
		buf_addc(&name, ch);
	}
	if (c->default_realm.n > 0 && span_chr(buf_span(&name), '@') == name.n) {
		buf_addc(&name, '@');
		buf_add(&name, c->default_realm);
	}
	if (name.failed) {
		err_set(e, ERR_SYNTAX, "user name too long");
		goto out;
	}
	if (user_name_check(buf_span(&name), c->max_user, e) == -1)
		goto out;
	if (c->username_format.n == 0) {
		buf_add(&made, buf_span(&name));
	} else {
		vars_for_user(vars, buf_span(&name), SPAN_NONE);
		vars[VARS_USER_COUNT] = (struct var){ 0, NULL, SPAN_NONE };
		if (vars_expand(&made, c->username_format, vars, e) == -1) {
			err_wrap(e, "auth_username_format");
			goto out;
		}
	}
	if (made.failed)
		err_set(e, ERR_SYNTAX, "user name too long");
	else if (user_name_check(buf_span(&made), c->max_user, e) == 0) {
		*out = arena_dup(a, buf_span(&made));
		rc = out->p == NULL ? err_set(e, ERR_LIMIT, "no room for a user name") : 0;
	}
out:
	buf_clear(&name);
	buf_clear(&made);
	return rc;
}

bool
user_name_matches(struct span pattern, struct span name)
{
	size_t p = 0, n = 0, star = SIZE_MAX, mark = 0;

	while (n < name.n) {
		if (p < pattern.n && pattern.p[p] == '*') {
			star = p++;
			mark = n;
		} else if (p < pattern.n && (pattern.p[p] == '?' || pattern.p[p] == name.p[n])) {
			p++;
			n++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			n = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern.n && pattern.p[p] == '*')
		p++;
	return p == pattern.n;
}

bool
user_name_passes_filter(struct span filter, struct span name)
{
	bool have_positive = false, passed = false;

	filter = span_trim(filter);
	if (filter.n == 0)
		return true;
	while (filter.n > 0) {
		size_t n = 0;
		struct span word;

		while (n < filter.n && !ascii_is_wsp(filter.p[n]) && filter.p[n] != ',')
			n++;
		word = span_sub(filter, 0, n);
		filter = span_from(filter, n + (n < filter.n));
		if (word.n == 0)
			continue;
		if (word.p[0] == '!') {
			if (user_name_matches(span_from(word, 1), name))
				return false;
			continue;
		}
		have_positive = true;
		passed = passed || user_name_matches(word, name);
	}
	return passed || !have_positive;
}
