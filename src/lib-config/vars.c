/* SPDX-License-Identifier: MIT */
#include <fnmatch.h>
#include <regex.h>
#include <stdlib.h>
#include "lib-config/vars.h"
#include "lib-config/vars-hash.h"
#include "lib/encode.h"
#include "lib/sys.h"

#define VALUE_MAX 65536
#define DEPTH_MAX 8		/* of {if} in {if} */
#define NUMBER_MAX 100000	/* offsets, widths; a width of %N is a modulus, up to 2^32 */

struct job {
	const struct var *vars;	/* NULL: only a check, every variable is there and empty */
	unsigned depth;
	struct err *e;
};

/* [offset "."] width and modifiers, as they stand between the % and the name. */
struct spec {
	int64_t offset;
	uint64_t width;
	bool has_width, zero_pad, width_from_end;
	struct span modifiers;
};

static int expand(struct buf *out, struct span in, struct job *job);

static int
bad(struct job *job, struct span what, const char *why)
{
	return err_set(job->e, ERR_SYNTAX, "%%%.*s: %s", SPAN_ARG(what), why);
}

static size_t
take_digits(struct span in, size_t i, uint64_t *out)
{
	size_t end = i;

	while (end < in.n && ascii_is_digit(in.p[end]))
		end++;
	*out = 0;
	if (end > i && !span_u64(span_sub(in, i, end - i), UINT32_MAX, out))
		*out = UINT32_MAX;
	return end;
}

/* Returns where the name begins. */
static size_t
take_spec(struct span in, size_t i, struct spec *spec)
{
	bool negative = i < in.n && in.p[i] == '-';
	uint64_t number;
	size_t start;

	memset(spec, 0, sizeof(*spec));
	i += negative;
	start = i;
	i = take_digits(in, i, &number);
	if (i < in.n && in.p[i] == '.') {
		spec->offset = negative ? -(int64_t)number : (int64_t)number;
		i++;
		spec->width_from_end = i < in.n && in.p[i] == '-';
		i += spec->width_from_end;
		start = i;
		i = take_digits(in, i, &number);
	}
	spec->has_width = i > start;
	spec->zero_pad = spec->has_width && in.p[start] == '0';
	spec->width = number;
	start = i;
	while (i < in.n && memchr("LUEXRNHMDT", in.p[i], 10) != NULL)
		i++;
	spec->modifiers = span_sub(in, start, i - start);
	return i;
}

static const struct var *
find_letter(const struct var *vars, char letter)
{
	for (; vars->letter != 0 || vars->name != NULL; vars++) {
		if (vars->letter == letter)
			return vars;
	}
	return NULL;
}

static const struct var *
find_name(const struct var *vars, struct span name)
{
	for (const struct var *v = vars; v->letter != 0 || v->name != NULL; v++) {
		if (v->name != NULL && span_eq(span_str(v->name), name))
			return v;
	}
	return name.n == 1 ? find_letter(vars, name.p[0]) : NULL;
}

static int
put_var(struct buf *out, struct span name, const struct var *var, struct job *job)
{
	if (var == NULL)
		return bad(job, name, "there is no such variable here");
	if (var->value.p == NULL && (var->letter == 'h' || span_eq(span_str(var->name), SPAN("home"))))
		return bad(job, name, "the user has no home directory");
	buf_add(out, var->value);
	return 0;
}

/* passdb:name:otherwise and userdb:name:otherwise: the last part counts when there is no such field. */
static int
put_named(struct buf *out, struct span name, struct job *job)
{
	const struct var *var;
	size_t colon = name.n;

	if (job->vars == NULL)
		return 0;
	var = find_name(job->vars, name);
	if (var == NULL && (span_starts(name, SPAN("passdb:")) || span_starts(name, SPAN("userdb:")))) {
		while (colon > 7 && name.p[colon - 1] != ':')
			colon--;
		if (colon > 7 && (var = find_name(job->vars, span_sub(name, 0, colon - 1))) == NULL)
			buf_add(out, span_from(name, colon));
		if (var == NULL)
			return 0;
	}
	if (var == NULL && span_eq(name, SPAN("hostname"))) {
		buf_adds(out, host_name());
		return 0;
	}
	return put_var(out, name, var, job);
}

static int
put_hash(struct buf *out, struct span algorithm, struct span params, struct span field, struct job *job)
{
	struct buf value = BUF_INIT(VALUE_MAX);
	struct err e = ERR_INIT;
	int rc = put_named(&value, field, job);

	if (rc == 0 && vars_hash(out, algorithm, params, buf_span(&value), job->vars != NULL, &e) == -1)
		rc = err_set(job->e, e.code, "%%{%.*s}: %s", SPAN_ARG(algorithm), e.log);
	buf_wipe(&value);
	return rc;
}

static bool
parse_int(struct span s, int64_t *out)
{
	bool negative = s.n > 0 && s.p[0] == '-';
	uint64_t magnitude;

	if (!span_u64(span_from(s, negative), INT64_MAX, &magnitude))
		return false;
	*out = negative ? -(int64_t)magnitude : (int64_t)magnitude;
	return true;
}

static int
match_pattern(const char *value, const char *pattern, bool is_regex, bool *out, struct job *job)
{
	regex_t re;

	if (!is_regex) {
		*out = fnmatch(pattern, value, 0) == 0;
		return 0;
	}
	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return bad(job, SPAN("{if}"), "the regular expression is wrong");
	*out = regexec(&re, value, 0, NULL, 0) == 0;
	regfree(&re);
	return 0;
}

static int
compare(struct buf *a, struct span op, struct buf *b, bool *out, struct job *job)
{
	static const char *const numeric[] = { "==", "!=", "<", "<=", ">", ">=" };
	static const char *const text[] = { "eq", "ne", "lt", "le", "gt", "ge" };
	static const char *const pattern[] = { "*", "!*", "~", "!~" };
	int64_t na = 0, nb = 0;

	for (unsigned i = 0; i < 6; i++) {
		bool is_numeric = span_eq(op, span_str(numeric[i]));
		int cmp;

		if (!is_numeric && !span_eq(op, span_str(text[i])))
			continue;
		if (is_numeric && job->vars != NULL && (!parse_int(buf_span(a), &na) || !parse_int(buf_span(b), &nb)))
			return bad(job, SPAN("{if}"), "what is compared is not a number");
		cmp = is_numeric ? (na > nb) - (na < nb) : span_cmp(buf_span(a), buf_span(b));
		*out = i == 0 ? cmp == 0 : i == 1 ? cmp != 0 : i == 2 ? cmp < 0 : i == 3 ? cmp <= 0 :
		    i == 4 ? cmp > 0 : cmp >= 0;
		return 0;
	}
	for (unsigned i = 0; i < 4; i++) {
		const char *ca = buf_cstr(a), *cb = buf_cstr(b);

		if (!span_eq(op, span_str(pattern[i])))
			continue;
		if (ca == NULL || cb == NULL)
			return bad(job, SPAN("{if}"), "there is a NUL in what is compared");
		if (match_pattern(ca, cb, i >= 2, out, job) == -1)
			return -1;
		*out ^= i % 2 == 1;
		return 0;
	}
	return bad(job, op, "is not an operator of {if}");
}

/* Splits at ; where it is neither escaped nor inside another %{}.  The count, or more than max. */
static unsigned
split_fields(struct span in, struct span *fields, unsigned max)
{
	unsigned count = 0, braces = 0;
	size_t start = 0;

	for (size_t i = 0; i <= in.n; i++) {
		if (i + 1 < in.n && in.p[i] == '\\')
			i++;
		else if (i < in.n && in.p[i] == '{')
			braces++;
		else if (i < in.n && in.p[i] == '}' && braces > 0)
			braces--;
		else if (i >= in.n || (in.p[i] == ';' && braces == 0)) {
			if (count < max)
				fields[count] = span_sub(in, start, i - start);
			count++;
			start = i + 1;
		}
	}
	return count;
}

/* A field of {if}: pieces without backslash are expanded; what follows a backslash is as it is. */
static int
expand_field(struct buf *out, struct span in, struct job *job)
{
	size_t start = 0;

	for (size_t i = 0, braces = 0; i < in.n; i++) {
		if (in.p[i] == '{')
			braces++;
		else if (in.p[i] == '}' && braces > 0)
			braces--;
		else if (in.p[i] == '\\' && braces == 0 && i + 1 < in.n) {
			if (expand(out, span_sub(in, start, i - start), job) == -1)
				return -1;
			i++;
			/* "\%{user}" means the text "%{user}". */
			buf_addc(out, in.p[i]);
			start = i + 1;
		}
	}
	return expand(out, span_from(in, start), job);
}

static int
put_if(struct buf *out, struct span args, struct job *job)
{
	struct span f[5] = { SPAN_NONE };
	struct buf a = BUF_INIT(VALUE_MAX), b = BUF_INIT(VALUE_MAX), ignored = BUF_INIT(VALUE_MAX);
	unsigned count = split_fields(args, f, 5);
	bool yes = false;
	int rc = -1;

	if (count != 4 && count != 5)
		return bad(job, SPAN("{if}"), "it is {if;value;operator;value;then;else}");
	if (++job->depth > DEPTH_MAX)
		return bad(job, SPAN("{if}"), "is nested too deeply");
	if (expand_field(&a, f[0], job) == 0 && expand_field(&b, f[2], job) == 0 &&
	    compare(&a, f[1], &b, &yes, job) == 0)
		rc = expand_field(out, yes ? f[3] : f[4], job);
	/* A check looks at the other way too. */
	if (rc == 0 && job->vars == NULL)
		rc = expand_field(&ignored, yes ? f[4] : f[3], job);
	job->depth--;
	out->failed |= a.failed || b.failed;
	buf_clear(&a);
	buf_clear(&b);
	buf_clear(&ignored);
	return rc;
}

static int
put_long(struct buf *out, struct span name, struct job *job)
{
	size_t end = 0;
	struct span head;

	while (end < name.n && name.p[end] != ':' && name.p[end] != ';')
		end++;
	head = span_sub(name, 0, end);
	if (span_eq(head, SPAN("if")))
		return put_if(out, span_from(name, end + 1), job);
	if (span_eq(head, SPAN("env"))) {
		char var[256];
		struct span var_name = span_from(name, end + 1);

		if (var_name.n == 0 || var_name.n >= sizeof(var) || memchr(var_name.p, '\0', var_name.n) != NULL)
			return bad(job, name, "is not a variable of the environment");
		memcpy(var, var_name.p, var_name.n);
		var[var_name.n] = '\0';
		buf_add(out, span_str(getenv(var)));
		return 0;
	}
	if (end < name.n && vars_is_hash(head)) {
		size_t colon = end;

		while (colon < name.n && name.p[colon] != ':')
			colon++;
		if (colon == name.n)
			return bad(job, name, "which variable is to be hashed?");
		return put_hash(out, head, span_sub(name, end + 1, colon > end ? colon - end - 1 : 0),
		    span_from(name, colon + 1), job);
	}
	return put_named(out, name, job);
}

static void
reverse(struct buf *v)
{
	for (size_t i = 0, k = v->n; i + 1 < k; i++) {
		char c = v->p[i];

		v->p[i] = v->p[--k];
		v->p[k] = c;
	}
}

/* Width and offset of a hash are its modulus and its least number of digits; they are used up by it. */
static void
hash_number(struct buf *v, uint64_t hash, struct spec *spec)
{
	char digits[24];
	uint64_t number = spec->width != 0 ? hash % spec->width : (uint32_t)hash;
	int n = 0;

	do
		digits[n++] = "0123456789abcdef"[number & 15];
	while ((number = (uint32_t)number >> 4) != 0 && n < 8);
	v->n = 0;
	for (int64_t pad = spec->offset > 64 ? 64 : spec->offset; pad > n; pad--)
		buf_addc(v, '0');
	while (n > 0)
		buf_addc(v, digits[--n]);
	spec->offset = 0;
	spec->has_width = false;
	spec->width = 0;
}

static uint64_t
old_hash(struct span s)
{
	/* The hash of ELF symbol tables, which older configurations spread their users with. */
	uint32_t h = 0;

	for (size_t i = 0; i < s.n; i++) {
		uint32_t top;

		h = (h << 4) + (uint8_t)s.p[i];
		top = h & UINT32_C(0xf0000000);
		h ^= top >> 24;
		h ^= top;
	}
	return h;
}

static void
modify(struct buf *v, char modifier, struct spec *spec)
{
	struct buf old = *v;
	struct span in = buf_span(&old);
	unsigned char md5[16];
	uint64_t number = 0;

	switch (modifier) {
	case 'L':
	case 'U':
		for (size_t i = 0; i < v->n; i++)
			v->p[i] = modifier == 'L' ? ascii_lower(v->p[i]) : ascii_upper(v->p[i]);
		return;
	case 'R':
		reverse(v);
		return;
	case 'T':
		while (v->n > 0 && (ascii_is_wsp(v->p[v->n - 1]) || v->p[v->n - 1] == '\n' || v->p[v->n - 1] == '\r'))
			v->n--;
		return;
	}
	buf_init(v, VALUE_MAX);
	switch (modifier) {
	case 'E':
		for (size_t i = 0; i < in.n; i++) {
			if (in.p[i] == '"' || in.p[i] == '\'' || in.p[i] == '\\')
				buf_addc(v, '\\');
			buf_addc(v, in.p[i]);
		}
		break;
	case 'D':
		for (size_t i = 0; i < in.n; i++) {
			if (in.p[i] == '.')
				buf_adds(v, ",dc=");
			else
				buf_addc(v, in.p[i]);
		}
		break;
	case 'X':
		span_u64(in, UINT64_MAX, &number);
		buf_addf(v, "%llx", (unsigned long long)number);
		break;
	case 'M':
		vars_md5(in, md5);
		hex_encode(v, span_of(md5, sizeof(md5)));
		break;
	case 'N':
		vars_md5(in, md5);
		hash_number(v, be64_get(md5), spec);
		break;
	case 'H':
		hash_number(v, old_hash(in), spec);
		break;
	}
	v->failed |= old.failed;
	buf_clear(&old);
}

/* The part that offset and width ask for. */
static void
put_part(struct buf *out, struct span v, const struct spec *spec)
{
	uint64_t width = spec->width;

	if (spec->offset >= 0)
		v = span_from(v, (uint64_t)spec->offset < v.n ? (size_t)spec->offset : v.n);
	else
		v = span_from(v, (uint64_t)-spec->offset < v.n ? v.n - (size_t)-spec->offset : 0);
	if (spec->has_width && spec->width_from_end)
		v = span_sub(v, 0, width < v.n ? v.n - (size_t)width : 0);
	else if (spec->has_width && !spec->zero_pad)
		v = span_sub(v, 0, width < v.n ? (size_t)width : v.n);
	else if (spec->zero_pad)
		for (uint64_t pad = v.n; pad < width; pad++)
			buf_addc(out, '0');
	buf_add(out, v);
}

/* One variable; *i stands behind its %. */
static int
expand_one(struct buf *out, struct span in, size_t *i, struct job *job)
{
	struct buf value = BUF_INIT(VALUE_MAX);
	struct spec spec;
	size_t from = *i, at = take_spec(in, from, &spec), end = at;
	unsigned braces = 0;
	int rc;

	if (at == in.n)
		return bad(job, span_from(in, from), "the text ends inside of a variable");
	if (in.p[at] == '%') {
		*i = at + 1;
		buf_addc(out, '%');
		return 0;
	}
	if ((spec.offset > NUMBER_MAX || spec.offset < -NUMBER_MAX || spec.width > NUMBER_MAX) &&
	    memchr(spec.modifiers.p, 'N', spec.modifiers.n) == NULL &&
	    memchr(spec.modifiers.p, 'H', spec.modifiers.n) == NULL)
		return bad(job, span_sub(in, from, at - from), "the number is too large");
	if (in.p[at] != '{') {
		struct span letter = span_sub(in, at, 1);

		*i = at + 1;
		rc = job->vars == NULL ? 0 : put_var(&value, letter, find_letter(job->vars, letter.p[0]), job);
	} else {
		do {
			if (in.p[end] == '\\')
				end++;
			else if (in.p[end] == '{')
				braces++;
			else if (in.p[end] == '}')
				braces--;
			end++;
		} while (braces > 0 && end < in.n);
		if (braces > 0)
			return bad(job, span_from(in, from), "'}' is missing");
		*i = end;
		rc = put_long(&value, span_sub(in, at + 1, end - at - 2), job);
	}
	for (size_t m = 0; rc == 0 && m < spec.modifiers.n; m++)
		modify(&value, spec.modifiers.p[m], &spec);
	if (rc == 0)
		put_part(out, buf_span(&value), &spec);
	out->failed |= value.failed;
	buf_wipe(&value);
	return rc;
}

static int
expand(struct buf *out, struct span in, struct job *job)
{
	size_t i = 0;

	while (i < in.n) {
		size_t percent = i + span_chr(span_from(in, i), '%');

		buf_add(out, span_sub(in, i, percent - i));
		i = percent + 1;
		if (percent < in.n && expand_one(out, in, &i, job) == -1)
			return -1;
	}
	return 0;
}

int
vars_expand(struct buf *out, struct span in, const struct var *vars, struct err *e)
{
	struct job job = { vars, 0, e };

	if (expand(out, in, &job) == -1)
		return -1;
	return out->failed ? err_set(e, ERR_LIMIT, "'%.*s' gets too long", SPAN_ARG(in)) : 0;
}

int
vars_check(struct span in, struct err *e)
{
	struct buf out = BUF_INIT(VALUE_MAX);
	struct job job = { NULL, 0, e };
	int rc = expand(&out, in, &job);

	buf_clear(&out);
	return rc;
}

void
vars_for_user(struct var out[VARS_USER_COUNT], struct span user, struct span home)
{
	size_t at = span_chr(user, '@'), last = user.n;
	struct span name = span_sub(user, 0, at), domain = at < user.n ? span_from(user, at + 1) : SPAN("");

	while (last > at + 1 && user.p[last - 1] != '@')
		last--;
	out[0] = (struct var){ 'u', "user", user };
	out[1] = (struct var){ 'n', "username", name };
	out[2] = (struct var){ 'd', "domain", domain };
	out[3] = (struct var){ 'h', "home", home };
	out[4] = (struct var){ 0, "domain_first", span_sub(domain, 0, span_chr(domain, '@')) };
	out[5] = (struct var){ 0, "domain_last", at < user.n ? span_from(user, last) : SPAN("") };
}
