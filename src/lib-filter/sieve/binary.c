/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/binary.h"

/*
 * The algorithm itself, which OpenSSL 3 has for programs of before: the first digest by way of its providers reads their
 * configuration, which takes a millisecond, five times what the compilation of thirty rules takes.
 */
#define OPENSSL_API_COMPAT 0x10100000L
#include <openssl/sha.h>

#include "lib-filter/sieve/compile.h"

#define BINARY_VERSION 3	/* 2: lines of strings end in CRLF; 3: one extension more */
#define HEAD (4 + 4 + SIEVE_DIGEST)
#define STAMP (8 + 8 + 8 + SIEVE_DIGEST)

enum { NODE_TEST_LIST = 1, NODE_BLOCK = 2, NODE_TEST = 4 };
enum { ARG_LIST = 1, ARG_DECODED = 2 };
enum { UNIT_PERSONAL = 1, UNIT_MISSING = 2 };

void
sieve_digest(unsigned char out[SIEVE_DIGEST], struct span text)
{
	SHA256_CTX ctx;

	SHA256_Init(&ctx);
	SHA256_Update(&ctx, text.p, text.n);
	SHA256_Final(out, &ctx);
}

/* Of all extensions and tags that there are: a binary made with others is not read. */
static void
words_digest(unsigned char out[SIEVE_DIGEST])
{
	static const char words[] =
#define EXTENSION(id, name, on) name " "
#include "lib-filter/sieve/extension.def"
#undef EXTENSION
#define TAG_NAME(id, name, value, group) ":" name #value #group
#include "lib-filter/sieve/tag.def"
#undef TAG_NAME
	    ;

	sieve_digest(out, span_str(words));
}

/* ---- dump ---- */

static void
put_string(struct buf *out, struct span s)
{
	buf_add_be32(out, (uint32_t)s.n);
	buf_add(out, s);
}

static void
put_arg(struct buf *out, const struct sieve_arg *arg)
{
	buf_addc(out, (char)arg->type);
	buf_add_be32(out, arg->line);
	switch (arg->type) {
	case SIEVE_NUMBER:
		buf_add_be64(out, arg->number);
		break;
	case SIEVE_TAG:
		put_string(out, arg->tag);
		break;
	case SIEVE_STRINGS:
		buf_addc(out, (char)((arg->is_list ? ARG_LIST : 0) | (arg->decoded ? ARG_DECODED : 0)));
		buf_add_be32(out, (uint32_t)arg->count);
		for (size_t i = 0; i < arg->count; i++)
			put_string(out, arg->strings[i]);
		break;
	}
}

/* The depth is that of the parsed tree: SIEVE_DEPTH_MAX. */
static void
put_nodes(struct buf *out, const struct sieve_node *n)
{
	uint32_t count = 0;

	for (const struct sieve_node *x = n; x != NULL; x = x->next)
		count++;
	buf_add_be32(out, count);
	for (; n != NULL; n = n->next) {
		count = 0;
		put_string(out, n->name);
		buf_add_be32(out, n->line);
		buf_addc(out, (char)((n->has_test_list ? NODE_TEST_LIST : 0) | (n->has_block ? NODE_BLOCK : 0) |
		    (n->is_test ? NODE_TEST : 0)));
		for (const struct sieve_arg *arg = n->args; arg != NULL; arg = arg->next)
			count++;
		buf_add_be32(out, count);
		for (const struct sieve_arg *arg = n->args; arg != NULL; arg = arg->next)
			put_arg(out, arg);
		put_nodes(out, n->tests);
		put_nodes(out, n->block);
	}
}

static void
digest_of(const struct sieve_script *unit, unsigned char out[SIEVE_DIGEST])
{
	if (unit->digest.n == SIEVE_DIGEST)
		memcpy(out, unit->digest.p, SIEVE_DIGEST);
	else
		sieve_digest(out, unit->text);
}

static void
put_unit(struct buf *out, const struct sieve_script *unit)
{
	unsigned char digest[SIEVE_DIGEST];

	buf_addc(out, (char)((unit->personal ? UNIT_PERSONAL : 0) | (unit->state == SCRIPT_MISSING ? UNIT_MISSING : 0)));
	put_string(out, unit->name);
	digest_of(unit, digest);
	buf_add(out, span_of(digest, sizeof(digest)));
	put_nodes(out, unit->commands);
}

int
sieve_script_dump(const struct sieve_script *s, const struct sieve_stamp *stamp, struct buf *out)
{
	unsigned char digest[SIEVE_DIGEST];
	size_t start = out->n;

	buf_adds(out, "CuSv");
	buf_add_be32(out, BINARY_VERSION);
	words_digest(digest);
	buf_add(out, span_of(digest, sizeof(digest)));
	buf_add_be64(out, stamp->size);
	buf_add_be64(out, (uint64_t)stamp->mtime_ns);
	buf_add_be64(out, (uint64_t)stamp->written_ns);
	buf_add(out, span_of(stamp->digest, SIEVE_DIGEST));
	put_nodes(out, s->commands);
	buf_add_be32(out, (uint32_t)s->include_count);
	for (const struct sieve_script *unit = s->included; unit != NULL; unit = unit->next)
		put_unit(out, unit);
	sieve_digest(digest, span_from(buf_span(out), start));
	buf_add(out, span_of(digest, sizeof(digest)));
	return out->failed || out->n - start > SIEVE_BINARY_MAX ? -1 : 0;
}

/* ---- load ---- */

struct loader {
	struct span in;			/* what is left */
	struct arena *a;
	size_t nodes, strings;		/* so far */
	bool bad;
};

static struct span
take(struct loader *l, size_t n)
{
	struct span s = span_sub(l->in, 0, n);

	if (s.n < n) {
		l->bad = true;
		return SPAN_NONE;
	}
	l->in = span_from(l->in, n);
	return s;
}

static uint32_t
take_u32(struct loader *l)
{
	struct span s = take(l, 4);

	return l->bad ? 0 : be32_get(s.p);
}

static uint64_t
take_u64(struct loader *l)
{
	struct span s = take(l, 8);

	return l->bad ? 0 : be64_get(s.p);
}

static unsigned
take_u8(struct loader *l)
{
	struct span s = take(l, 1);

	return l->bad ? 0 : (unsigned char)s.p[0];
}

static struct span
take_string(struct loader *l)
{
	uint32_t n = take_u32(l);

	return take(l, n);
}

/* How many things there are, each of which has at least min octets: so that no count makes more room than there is input. */
static size_t
take_count(struct loader *l, size_t min)
{
	uint32_t n = take_u32(l);

	if (n > l->in.n / min) {
		l->bad = true;
		return 0;
	}
	return n;
}

static void *
make(struct loader *l, size_t count, size_t size)
{
	void *p = arena_alloc(l->a, count, size);

	l->bad = l->bad || p == NULL;
	return p;
}

static void
take_strings(struct loader *l, struct sieve_arg *arg)
{
	unsigned flags = take_u8(l);
	size_t count = take_count(l, 4);

	l->strings += count;
	if (l->bad || l->strings > SIEVE_STRINGS_MAX || count == 0 || (count != 1 && !(flags & ARG_LIST))) {
		l->bad = true;
		return;
	}
	arg->is_list = (flags & ARG_LIST) != 0;
	arg->decoded = (flags & ARG_DECODED) != 0;
	arg->strings = make(l, count, sizeof(*arg->strings));
	for (size_t i = 0; i < count && !l->bad; i++) {
		arg->strings[i] = take_string(l);
		arg->count = i + 1;
	}
}

static struct sieve_arg *
take_arg(struct loader *l)
{
	struct sieve_arg *arg = make(l, 1, sizeof(*arg));
	unsigned type = take_u8(l);
	uint32_t line = take_u32(l);

	if (l->bad)
		return NULL;
	arg->line = line;
	switch (type) {
	case SIEVE_NUMBER:
		arg->type = SIEVE_NUMBER;
		arg->number = take_u64(l);
		break;
	case SIEVE_TAG:
		arg->type = SIEVE_TAG;
		arg->tag = take_string(l);
		break;
	case SIEVE_STRINGS:
		arg->type = SIEVE_STRINGS;
		take_strings(l, arg);
		break;
	default:
		l->bad = true;
	}
	return arg;
}

static void
take_args(struct loader *l, struct sieve_node *n)
{
	struct sieve_arg **tail = &n->args;
	size_t count = take_count(l, 5);

	for (size_t i = 0; i < count && !l->bad; i++) {
		*tail = take_arg(l);
		if (*tail != NULL)
			tail = &(*tail)->next;
	}
}

/* Commands, or tests: blocks are within commands only, and each of the two has its own depth. */
static struct sieve_node *
take_nodes(struct loader *l, bool tests, unsigned test_depth, unsigned block_depth)
{
	struct sieve_node *first = NULL, **tail = &first;
	size_t count = take_count(l, 21);

	if (count > 0 && (test_depth > SIEVE_DEPTH_MAX || block_depth > SIEVE_DEPTH_MAX))
		l->bad = true;
	l->nodes += count;
	l->bad = l->bad || l->nodes > SIEVE_NODES_MAX;
	for (size_t i = 0; i < count && !l->bad; i++) {
		struct sieve_node *n = make(l, 1, sizeof(*n));
		unsigned flags;

		if (n == NULL)
			break;
		*tail = n;
		tail = &n->next;
		n->name = take_string(l);
		n->line = take_u32(l);
		flags = take_u8(l);
		n->has_test_list = (flags & NODE_TEST_LIST) != 0;
		n->has_block = (flags & NODE_BLOCK) != 0;
		n->is_test = (flags & NODE_TEST) != 0;
		if (n->is_test != tests || (n->is_test && n->has_block))
			l->bad = true;
		take_args(l, n);
		n->tests = take_nodes(l, true, test_depth + 1, block_depth);
		n->block = take_nodes(l, false, 0, block_depth + 1);
		/* One test, unless they are in parentheses; a list of none is not written. */
		if ((!n->has_block && n->block != NULL) || (!n->has_test_list && n->tests != NULL && n->tests->next != NULL) ||
		    (n->has_test_list && n->tests == NULL))
			l->bad = true;
	}
	return first;
}

/* Whether what is included is what it was. */
static bool
is_same(const struct sieve_compile_options *o, struct arena *a, bool personal, struct span name, bool missing, struct span digest)
{
	unsigned char now[SIEVE_DIGEST];
	struct err e = ERR_INIT;
	struct span text;

	if (o->host == NULL || o->host->script == NULL)
		return missing;
	if (o->host->script(o->host->ctx, personal, name, a, &text, &e) == -1)
		return missing && e.code == ERR_NOTFOUND;
	sieve_digest(now, text);
	return !missing && span_eq(digest, span_of(now, sizeof(now)));
}

bool
sieve_included_is_same(const struct sieve_script *s, const struct sieve_compile_options *options, struct arena *a)
{
	unsigned char digest[SIEVE_DIGEST];
	bool same = true;

	for (const struct sieve_script *unit = s->included; same && unit != NULL; unit = unit->next) {
		digest_of(unit, digest);
		same = is_same(options, a, unit->personal, unit->name, unit->state == SCRIPT_MISSING, span_of(digest, sizeof(digest)));
	}
	return same;
}

static void
take_units(struct loader *l, struct sieve_script *s, const struct sieve_compile_options *o)
{
	size_t count = take_count(l, 1 + 4 + SIEVE_DIGEST + 4);

	l->bad = l->bad || (o->includes > 0 && count > o->includes);
	for (size_t i = 0; i < count && !l->bad; i++) {
		unsigned flags = take_u8(l);
		struct span name = take_string(l), digest = take(l, SIEVE_DIGEST);
		bool personal = (flags & UNIT_PERSONAL) != 0, missing = (flags & UNIT_MISSING) != 0;
		struct sieve_script *unit;

		if (l->bad || sieve_include_known(s, personal, name) != NULL || !is_same(o, l->a, personal, name, missing, digest) ||
		    (unit = sieve_include_new(s, personal, name)) == NULL) {
			l->bad = true;
			return;
		}
		unit->digest = digest;
		unit->commands = take_nodes(l, false, 0, 0);
		unit->state = missing ? SCRIPT_MISSING : SCRIPT_PARSED;
	}
}

bool
sieve_binary_stamp(struct span binary, struct sieve_stamp *out)
{
	unsigned char digest[SIEVE_DIGEST];
	const char *p = binary.p;

	if (binary.n < HEAD + STAMP + SIEVE_DIGEST || binary.n > SIEVE_BINARY_MAX || memcmp(p, "CuSv", 4) != 0 ||
	    be32_get(p + 4) != BINARY_VERSION)
		return false;
	words_digest(digest);
	if (memcmp(p + 8, digest, sizeof(digest)) != 0)
		return false;
	sieve_digest(digest, span_sub(binary, 0, binary.n - SIEVE_DIGEST));
	if (memcmp(p + binary.n - SIEVE_DIGEST, digest, sizeof(digest)) != 0)
		return false;
	out->size = be64_get(p + HEAD);
	out->mtime_ns = (int64_t)be64_get(p + HEAD + 8);
	out->written_ns = (int64_t)be64_get(p + HEAD + 16);
	memcpy(out->digest, p + HEAD + 24, SIEVE_DIGEST);
	return true;
}

struct sieve_script *
sieve_script_load(struct span binary, const struct sieve_compile_options *options, struct sieve_error *error)
{
	struct loader l = { .nodes = 0 };
	struct sieve_stamp stamp;
	struct sieve_script *s;
	struct span copy;

	if (!sieve_binary_stamp(binary, &stamp)) {
		sieve_error_set(error, 0, "this is no binary of a script, or an old one");
		return NULL;
	}
	s = sieve_script_new(error);
	if (s == NULL)
		return NULL;
	copy = arena_dup(s->a, span_sub(binary, HEAD + STAMP, binary.n - HEAD - STAMP - SIEVE_DIGEST));
	s->loaded = true;
	l.a = s->a;
	l.in = copy;
	l.bad = copy.p == NULL;
	s->commands = take_nodes(&l, false, 0, 0);
	take_units(&l, s, options);
	if (l.bad || l.in.n > 0)
		sieve_error_set(error, 0, "the binary is damaged, or not of these scripts");
	else if (sieve_script_check(s, options, error) == 0)
		return s;
	sieve_script_free(s);
	return NULL;
}
