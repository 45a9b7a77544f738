/* SPDX-License-Identifier: MIT */
#include "lib-protocol/password-scheme.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include "lib/encode.h"
#include "lib/sys.h"

#define SALT_LEN 8		/* octets of salt that we make; any number is read */
#define DECODED_MAX 1024

enum kind { KIND_PLAIN, KIND_CRYPT, KIND_DIGEST, KIND_MD5 };

struct pw_scheme {
	const char *name;
	enum kind kind;
	const char *crypt_prefix;	/* KIND_CRYPT: how a new one starts; NULL: the system's choice */
	const EVP_MD *(*md)(void);	/* KIND_DIGEST */
	size_t digest_len;
	bool salted;			/* the salt stands behind the digest */
	bool hex;			/* usual encoding; else base64 */
};

static const struct pw_scheme schemes[] = {
	{ "PLAIN", KIND_PLAIN, NULL, NULL, 0, false, false },
	{ "CLEARTEXT", KIND_PLAIN, NULL, NULL, 0, false, false },
	{ "CLEAR", KIND_PLAIN, NULL, NULL, 0, false, false },
	{ "CRYPT", KIND_CRYPT, NULL, NULL, 0, false, false },
	{ "DES-CRYPT", KIND_CRYPT, "", NULL, 0, false, false },
	{ "MD5-CRYPT", KIND_CRYPT, "$1$", NULL, 0, false, false },
	{ "BLF-CRYPT", KIND_CRYPT, "$2y$", NULL, 0, false, false },
	{ "SHA256-CRYPT", KIND_CRYPT, "$5$", NULL, 0, false, false },
	{ "SHA512-CRYPT", KIND_CRYPT, "$6$", NULL, 0, false, false },
	{ "SCRYPT", KIND_CRYPT, "$7$", NULL, 0, false, false },
	{ "YESCRYPT", KIND_CRYPT, "$y$", NULL, 0, false, false },
	{ "ARGON2I", KIND_CRYPT, "$argon2i$", NULL, 0, false, false },
	{ "ARGON2ID", KIND_CRYPT, "$argon2id$", NULL, 0, false, false },
	{ "MD5", KIND_MD5, "$1$", EVP_md5, 16, false, true },
	{ "PLAIN-MD5", KIND_DIGEST, NULL, EVP_md5, 16, false, true },
	{ "LDAP-MD5", KIND_DIGEST, NULL, EVP_md5, 16, false, false },
	{ "SMD5", KIND_DIGEST, NULL, EVP_md5, 16, true, false },
	{ "SHA", KIND_DIGEST, NULL, EVP_sha1, 20, false, false },
	{ "SHA1", KIND_DIGEST, NULL, EVP_sha1, 20, false, false },
	{ "SSHA", KIND_DIGEST, NULL, EVP_sha1, 20, true, false },
	{ "SHA256", KIND_DIGEST, NULL, EVP_sha256, 32, false, false },
	{ "SSHA256", KIND_DIGEST, NULL, EVP_sha256, 32, true, false },
	{ "SHA512", KIND_DIGEST, NULL, EVP_sha512, 64, false, false },
	{ "SSHA512", KIND_DIGEST, NULL, EVP_sha512, 64, true, false },
};

#define SCHEME_COUNT (sizeof(schemes) / sizeof(schemes[0]))

const char *
pw_scheme_name(size_t idx)
{
	return idx < SCHEME_COUNT ? schemes[idx].name : NULL;
}

static bool
is_known_to_system(const struct pw_scheme *s)
{
	int rc;

	if (s->kind != KIND_CRYPT || s->crypt_prefix == NULL || s->crypt_prefix[0] == '\0')
		return true;
	rc = crypt_checksalt(s->crypt_prefix);
	return rc != CRYPT_SALT_INVALID && rc != CRYPT_SALT_METHOD_DISABLED;
}

/* "SSHA256.hex" */
static int
find_scheme(struct span name, struct pw_hash *out, struct err *e)
{
	size_t dot = span_chr(name, '.');
	struct span suffix = span_from(name, dot);

	name = span_sub(name, 0, dot);
	if (suffix.n == 0)
		out->encoding = PW_ENC_USUAL;
	else if (span_ieq(suffix, SPAN(".b64")) || span_ieq(suffix, SPAN(".base64")))
		out->encoding = PW_ENC_B64;
	else if (span_ieq(suffix, SPAN(".hex")))
		out->encoding = PW_ENC_HEX;
	else
		return err_set(e, ERR_NOTFOUND, "unknown encoding %.*s of a password", SPAN_ARG(span_sub(suffix, 0, 32)));
	for (size_t i = 0; i < SCHEME_COUNT; i++) {
		if (!span_ieq(name, span_str(schemes[i].name)))
			continue;
		out->scheme = &schemes[i];
		if (!is_known_to_system(&schemes[i]))
			return err_set(e, ERR_NOTFOUND, "crypt(3) of this system does not know %s", schemes[i].name);
		return 0;
	}
	return err_set(e, ERR_NOTFOUND, "unknown password scheme %.*s", SPAN_ARG(span_sub(name, 0, 32)));
}

int
pw_parse(struct span stored, struct span default_scheme, struct pw_hash *out, struct err *e)
{
	struct span name = default_scheme;
	size_t close = span_chr(stored, '}');

	memset(out, 0, sizeof(*out));
	if (stored.n > PW_STORED_MAX)
		return err_set(e, ERR_LIMIT, "stored password of %zu octets", stored.n);
	if (stored.n > 0 && stored.p[0] == '{') {
		if (close == stored.n)
			return err_set(e, ERR_SYNTAX, "password scheme without }");
		name = span_sub(stored, 1, close - 1);
		stored = span_from(stored, close + 1);
	}
	out->data = stored;
	return find_scheme(name, out, e);
}

static bool
is_md5_crypt(const struct pw_hash *h)
{
	return h->scheme->kind == KIND_MD5 && span_starts(h->data, SPAN("$1$"));
}

bool
pw_is_slow(const struct pw_hash *h)
{
	return h->scheme->kind == KIND_CRYPT || is_md5_crypt(h);
}

static bool
same(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || CRYPTO_memcmp(a.p, b.p, a.n) == 0);
}

/* A copy with a NUL at its end; false when there is a NUL inside or it does not fit. */
static bool
to_cstr(struct span s, char *out, size_t room)
{
	if (s.n >= room || (s.n > 0 && memchr(s.p, '\0', s.n) != NULL))
		return false;
	if (s.n > 0)
		memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return true;
}

static enum pw_verdict
verify_crypt(struct span stored, struct span password, struct err *e)
{
	enum pw_verdict verdict = PW_MISMATCH;
	char setting[CRYPT_OUTPUT_SIZE], pass[CRYPT_MAX_PASSPHRASE_SIZE];
	struct crypt_data *cd;
	const char *got;

	if (!to_cstr(stored, setting, sizeof(setting)) || stored.n == 0) {
		err_set(e, ERR_CORRUPT, "stored password is no crypt(3) hash");
		return PW_BROKEN;
	}
	if (!to_cstr(password, pass, sizeof(pass)))
		return PW_MISMATCH;
	cd = calloc(1, sizeof(*cd));
	if (cd == NULL) {
		explicit_bzero(pass, sizeof(pass));
		err_set(e, ERR_TEMP, "out of memory");
		return PW_BROKEN;
	}
	got = crypt_rn(pass, setting, cd, (int)sizeof(*cd));
	explicit_bzero(pass, sizeof(pass));
	/* Locked accounts ("!", "*") are no hashes either: nobody gets in, and that is no fault of the database. */
	if (got == NULL && stored.p[0] != '!' && stored.p[0] != '*') {
		err_set(e, ERR_CORRUPT, "crypt(3) does not know this hash");
		verdict = PW_BROKEN;
	} else if (got != NULL && got[0] != '*' && same(span_str(got), stored)) {
		verdict = PW_MATCH;
	}
	explicit_bzero(cd, sizeof(*cd));
	free(cd);
	return verdict;
}

/* Brings the stored text of a digest into octets.  Hex is told from base64 by its length where both are usual. */
static bool
decode(const struct pw_hash *h, struct buf *out)
{
	const struct pw_scheme *s = h->scheme;

	if (h->encoding == PW_ENC_HEX || (h->encoding == PW_ENC_USUAL && !s->salted && h->data.n == s->digest_len * 2))
		return hex_decode(out, h->data) && !out->failed;
	return base64_decode(out, h->data) && !out->failed;
}

static bool
digest(const struct pw_scheme *s, struct span password, struct span salt, unsigned char out[EVP_MAX_MD_SIZE])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned n = 0;
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, s->md(), NULL) == 1 &&
		EVP_DigestUpdate(ctx, password.p, password.n) == 1 && EVP_DigestUpdate(ctx, salt.p, salt.n) == 1 &&
		EVP_DigestFinal_ex(ctx, out, &n) == 1 && n == s->digest_len;

	EVP_MD_CTX_free(ctx);
	return ok;
}

static enum pw_verdict
verify_digest(const struct pw_hash *h, struct span password, struct err *e)
{
	const struct pw_scheme *s = h->scheme;
	unsigned char md[EVP_MAX_MD_SIZE];
	struct buf raw = BUF_INIT(DECODED_MAX);
	enum pw_verdict verdict = PW_BROKEN;

	if (!decode(h, &raw) || raw.n < s->digest_len || (!s->salted && raw.n != s->digest_len))
		err_set(e, ERR_CORRUPT, "stored password is no %s digest", s->name);
	else if (!digest(s, password, span_from(buf_span(&raw), s->digest_len), md))
		err_set(e, ERR_TEMP, "OpenSSL refuses to make a %s digest", s->name);
	else
		verdict = same(span_of(md, s->digest_len), span_sub(buf_span(&raw), 0, s->digest_len)) ? PW_MATCH :
			PW_MISMATCH;
	explicit_bzero(md, sizeof(md));
	buf_wipe(&raw);
	return verdict;
}

/* PLAIN and crypt(3) hashes may be wrapped in base64 or hex, to have any octet inside. */
static enum pw_verdict
verify_text(const struct pw_hash *h, struct span password, struct err *e)
{
	struct buf raw = BUF_INIT(PW_STORED_MAX);
	struct span stored = h->data;
	enum pw_verdict verdict = PW_BROKEN;
	bool ok = true;

	if (h->encoding != PW_ENC_USUAL) {
		ok = h->encoding == PW_ENC_HEX ? hex_decode(&raw, stored) : base64_decode(&raw, stored);
		stored = buf_span(&raw);
	}
	if (!ok || raw.failed)
		err_set(e, ERR_CORRUPT, "stored password is not in the encoding that it names");
	else if (h->scheme->kind != KIND_PLAIN)
		verdict = verify_crypt(stored, password, e);
	else if (stored.n == 0)		/* an empty password is a slip of the pen, no open door: that is "nopassword" */
		verdict = PW_MISMATCH;
	else
		verdict = same(stored, password) ? PW_MATCH : PW_MISMATCH;
	buf_wipe(&raw);
	return verdict;
}

enum pw_verdict
pw_verify(const struct pw_hash *h, struct span password, struct err *e)
{
	switch (h->scheme->kind) {
	case KIND_PLAIN:
	case KIND_CRYPT:
		return verify_text(h, password, e);
	case KIND_MD5:
		return is_md5_crypt(h) ? verify_crypt(h->data, password, e) : verify_digest(h, password, e);
	case KIND_DIGEST:
		return verify_digest(h, password, e);
	}
	return PW_BROKEN;
}

static int
generate_crypt(const struct pw_scheme *s, struct span password, unsigned long rounds, struct buf *out, struct err *e)
{
	/* Traditional DES has no prefix that crypt_gensalt_rn would take for the system's choice. */
	const char *prefix = s->crypt_prefix;
	char setting[CRYPT_GENSALT_OUTPUT_SIZE], pass[CRYPT_MAX_PASSPHRASE_SIZE], random[64];
	struct crypt_data *cd;
	const char *got;
	int rc = -1;

	if (!to_cstr(password, pass, sizeof(pass)))
		return err_set(e, ERR_SYNTAX, "%s can not hold this password (too long, or with a NUL)", s->name);
	cd = calloc(1, sizeof(*cd));
	if (cd == NULL) {
		explicit_bzero(pass, sizeof(pass));
		return err_set(e, ERR_TEMP, "out of memory");
	}
	random_bytes(random, sizeof(random));
	if (crypt_gensalt_rn(prefix, rounds, random, (int)sizeof(random), setting, (int)sizeof(setting)) == NULL)
		err_set(e, ERR_SYNTAX, "%s with %lu rounds is not possible", s->name, rounds);
	else if ((got = crypt_rn(pass, setting, cd, (int)sizeof(*cd))) == NULL || got[0] == '*')
		err_set(e, ERR_TEMP, "crypt(3) fails for %s", s->name);
	else {
		buf_adds(out, got);
		rc = 0;
	}
	explicit_bzero(pass, sizeof(pass));
	explicit_bzero(cd, sizeof(*cd));
	free(cd);
	return rc;
}

static int
generate_digest(const struct pw_scheme *s, struct span password, struct buf *raw, struct err *e)
{
	unsigned char md[EVP_MAX_MD_SIZE];
	char salt[SALT_LEN];
	size_t salt_len = s->salted ? sizeof(salt) : 0;

	random_bytes(salt, sizeof(salt));
	if (!digest(s, password, span_of(salt, salt_len), md))
		return err_set(e, ERR_TEMP, "OpenSSL refuses to make a %s digest", s->name);
	buf_add(raw, span_of(md, s->digest_len));
	buf_add(raw, span_of(salt, salt_len));
	explicit_bzero(md, sizeof(md));
	return 0;
}

int
pw_generate(struct span scheme, struct span password, unsigned long rounds, struct buf *out, struct err *e)
{
	struct buf raw = BUF_INIT(PW_STORED_MAX);
	struct pw_hash h;
	int rc = 0;

	if (find_scheme(scheme, &h, e) == -1)
		return -1;
	if (h.scheme->kind == KIND_PLAIN)
		buf_add(&raw, password);
	else if (h.scheme->kind == KIND_DIGEST)
		rc = generate_digest(h.scheme, password, &raw, e);
	else
		rc = generate_crypt(h.scheme, password, rounds, &raw, e);
	if (rc == 0) {
		bool is_text = h.scheme->kind != KIND_DIGEST;

		buf_addc(out, '{');
		for (size_t i = 0; i < scheme.n; i++)
			buf_addc(out, ascii_upper(scheme.p[i]));
		buf_addc(out, '}');
		if (h.encoding == PW_ENC_HEX || (h.encoding == PW_ENC_USUAL && !is_text && h.scheme->hex))
			hex_encode(out, buf_span(&raw));
		else if (h.encoding == PW_ENC_B64 || !is_text)
			base64_encode(out, buf_span(&raw));
		else
			buf_add(out, buf_span(&raw));
		if (out->failed || raw.failed)
			rc = err_set(e, ERR_LIMIT, "password too long");
	}
	buf_wipe(&raw);
	return rc;
}
