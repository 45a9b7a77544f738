/* SPDX-License-Identifier: MIT */
#include <openssl/evp.h>
#include "lib-config/vars-hash.h"
#include "lib/encode.h"

#define ROUNDS_MAX 100000
#define SALT_MAX 1024

static const struct {
	const char *name, *openssl;
} hashes[] = {
	{ "md5", "MD5" }, { "sha1", "SHA1" }, { "sha224", "SHA224" }, { "sha256", "SHA256" }, { "sha384", "SHA384" },
	{ "sha512", "SHA512" }, { "sha512_256", "SHA512-256" }, { "sha3-256", "SHA3-256" }, { "sha3-512", "SHA3-512" },
	{ "pkcs5", "SHA256" },
};

static const char *
openssl_name(struct span name)
{
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		if (span_eq(name, span_str(hashes[i].name)))
			return hashes[i].openssl;
	}
	return NULL;
}

bool
vars_is_hash(struct span name)
{
	return openssl_name(name) != NULL;
}

struct params {
	uint64_t rounds, truncate;	/* 0: all bits */
	struct span salt;
	enum { FORMAT_HEX, FORMAT_HEXUC, FORMAT_BASE64 } format;
};

static int
parse_params(struct span text, struct params *p, struct err *e)
{
	struct span one;

	while (span_next(&text, ',', &one)) {
		size_t equals = span_chr(one, '=');
		struct span key = span_sub(one, 0, equals), value = span_from(one, equals + 1);

		if (span_eq(key, SPAN("rounds"))) {
			if (!span_u64(value, ROUNDS_MAX, &p->rounds) || p->rounds == 0)
				return err_set(e, ERR_SYNTAX, "rounds is a number from 1 to %d", ROUNDS_MAX);
		} else if (span_eq(key, SPAN("truncate"))) {
			if (!span_u64(value, 8 * EVP_MAX_MD_SIZE, &p->truncate))
				return err_set(e, ERR_SYNTAX, "truncate is a number of bits");
		} else if (span_eq(key, SPAN("salt"))) {
			if (value.n > SALT_MAX)
				return err_set(e, ERR_SYNTAX, "the salt is too long");
			p->salt = value;
		} else if (span_eq(key, SPAN("format")) && span_eq(value, SPAN("hex"))) {
			p->format = FORMAT_HEX;
		} else if (span_eq(key, SPAN("format")) && span_eq(value, SPAN("hexuc"))) {
			p->format = FORMAT_HEXUC;
		} else if (span_eq(key, SPAN("format")) && span_eq(value, SPAN("base64"))) {
			p->format = FORMAT_BASE64;
		} else {
			return err_set(e, ERR_SYNTAX, "a hash has no parameter '%.*s'", SPAN_ARG(one));
		}
	}
	return 0;
}

/* Each round hashes the salt and what the round before gave. */
static bool
digest_rounds(const EVP_MD *md, const struct params *p, struct span value, unsigned char *out)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	struct span in = value;
	bool ok = ctx != NULL;

	for (uint64_t i = 0; ok && i < p->rounds; i++) {
		ok = EVP_DigestInit_ex(ctx, md, NULL) == 1 && EVP_DigestUpdate(ctx, p->salt.p, p->salt.n) == 1 &&
		    EVP_DigestUpdate(ctx, in.p, in.n) == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
		in = span_of(out, (size_t)EVP_MD_get_size(md));
	}
	EVP_MD_CTX_free(ctx);
	return ok;
}

/* Keeps the first bits, as a number with its last bit at the end. */
static size_t
keep_bits(unsigned char *digest, size_t n, uint64_t bits)
{
	size_t keep = (size_t)(bits + 7) / 8;
	unsigned shift = (unsigned)(8 * keep - bits);

	if (bits == 0 || keep > n)
		return n;
	for (size_t i = keep; shift > 0 && i-- > 0;)
		digest[i] = (unsigned char)(digest[i] >> shift | (i > 0 ? digest[i - 1] << (8 - shift) : 0));
	return keep;
}

int
vars_hash(struct buf *out, struct span name, struct span params, struct span value, bool compute, struct err *e)
{
	struct params p = { .rounds = 0, .salt = SPAN(""), .format = FORMAT_HEX };
	bool is_pkcs5 = span_eq(name, SPAN("pkcs5")), ok;
	unsigned char digest[EVP_MAX_MD_SIZE];
	size_t start = out->n, n;
	EVP_MD *md;

	if (parse_params(params, &p, e) == -1)
		return -1;
	md = EVP_MD_fetch(NULL, openssl_name(name), NULL);
	if (md == NULL)
		return err_set(e, ERR_SYNTAX, "OpenSSL has no %.*s", SPAN_ARG(name));
	n = (size_t)EVP_MD_get_size(md);
	if (p.rounds == 0)
		p.rounds = is_pkcs5 ? 2048 : 1;
	if (!compute)
		ok = true;
	else if (is_pkcs5)
		ok = value.n <= INT32_MAX && PKCS5_PBKDF2_HMAC(value.n == 0 ? "" : value.p, (int)value.n,
		    (const unsigned char *)p.salt.p, (int)p.salt.n, (int)p.rounds, md, (int)n, digest) == 1;
	else
		ok = digest_rounds(md, &p, value, digest);
	EVP_MD_free(md);
	if (!ok)
		return err_set(e, ERR_TEMP, "OpenSSL can not compute %.*s", SPAN_ARG(name));
	if (!compute)
		return 0;
	n = keep_bits(digest, n, p.truncate);
	if (p.format == FORMAT_BASE64)
		base64_encode(out, span_of(digest, n));
	else
		hex_encode(out, span_of(digest, n));
	for (size_t i = start; p.format == FORMAT_HEXUC && i < out->n; i++)
		out->p[i] = ascii_upper(out->p[i]);
	return 0;
}

void
vars_md5(struct span value, unsigned char out[16])
{
	struct params p = { .rounds = 1, .salt = SPAN("") };
	EVP_MD *md = EVP_MD_fetch(NULL, "MD5", NULL);

	if (md == NULL || !digest_rounds(md, &p, value, out))
		memset(out, 0, 16);
	EVP_MD_free(md);
}
