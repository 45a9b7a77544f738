/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>
#include "lib-protocol/password-scheme.h"

/* The digests are those that md5sum, sha1sum, sha256sum and sha512sum print for `secret'. */
static const struct {
	const char *stored, *password;
	enum pw_verdict want;
} cases[] = {
	{ "{PLAIN}secret", "secret", PW_MATCH },
	{ "{plain}secret", "secreT", PW_MISMATCH },
	{ "{CLEARTEXT}a}b", "a}b", PW_MATCH },
	{ "{PLAIN}", "", PW_MISMATCH },
	{ "{PLAIN.b64}c2VjcmV0", "secret", PW_MATCH },
	{ "{PLAIN.hex}736563726574", "secret", PW_MATCH },
	{ "{PLAIN.hex}73656372657", "secret", PW_BROKEN },
	{ "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee69", "secret", PW_MATCH },
	{ "{PLAIN-MD5}5EBE2294ECD0E0F08EAB7690D2A6EE69", "secret", PW_MATCH },
	{ "{MD5}5ebe2294ecd0e0f08eab7690d2a6ee69", "secret", PW_MATCH },
	{ "{LDAP-MD5}Xr4ilOzQ4PCOq3aQ0qbuaQ==", "secret", PW_MATCH },
	{ "{PLAIN-MD5}5ebe2294ecd0e0f08eab7690d2a6ee6", "secret", PW_BROKEN },
	{ "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret", PW_MATCH },
	{ "{SHA1.hex}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4", "secret", PW_MATCH },
	{ "{SHA1}e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4", "secret", PW_MATCH },
	{ "{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=", "secret", PW_MATCH },
	{ "{SHA512.hex}bd2b1aaf7ef4f09be9f52ce2d8d599674d81aa9d6a4421696dc4d93dd0619d682ce56b4d64a9ef097761ced99e0f67265b5f76"
	  "085e5b0ee7ca4696b2ad6fe2b2", "secret", PW_MATCH },
	{ "{SSHA}not base64!", "secret", PW_BROKEN },
	{ "{SSHA}c2hvcnQ=", "secret", PW_BROKEN },
	{ "{CRYPT}$1$saltsalt$lM5oFUt5bLqcHMWG0cK4y/", "wrong", PW_MISMATCH },
	{ "{CRYPT}*", "*", PW_MISMATCH },
	{ "{CRYPT}!$6$x$y", "x", PW_MISMATCH },
	{ "{CRYPT}$6$", "", PW_MISMATCH },
	{ "{CRYPT}", "", PW_BROKEN },
	{ "{SHA512-CRYPT}$6$rounds=1000$saltsalt$acdVPmrSgFCufxEw9.1pQzgZYHLp6vmRWCfRL5YBumZrXbNGmbqIHZewhjXD19byMHq3oI"
	  "aXrHYR0L29Jex95/", "slowpass", PW_MATCH },
	{ "no scheme at all", "x", PW_BROKEN },
};

static void
test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = ERR_INIT;
		struct pw_hash h;
		enum pw_verdict got = PW_BROKEN;

		if (pw_parse(span_str(cases[i].stored), SPAN("CRYPT"), &h, &e) == 0)
			got = pw_verify(&h, span_str(cases[i].password), &e);
		if (got != cases[i].want)
			fail_msg("%s with %s: %d (%s)", cases[i].stored, cases[i].password, got, e.log);
		assert_null(strstr(e.log, "saltsalt"));		/* never what is stored */
	}
}

static void
test_unknown(void **state)
{
	static const char *const stored[] = { "{NOSUCH}x", "{PLAIN.rot13}x", "{PLAIN", "{}", "{ARGON2ID}$argon2id$v=19$x" };
	struct err e = ERR_INIT;
	struct pw_hash h;

	(void)state;
	for (size_t i = 0; i < sizeof(stored) / sizeof(stored[0]); i++)
		if (pw_parse(span_str(stored[i]), SPAN("PLAIN"), &h, &e) == 0) {
			/* A crypt(3) that knows it may have it. */
			assert_non_null(strstr(stored[i], "ARGON2"));
		}
}

/* Each scheme's own product is accepted, another password is not, and no byte of one is cut. */
static void
test_round_trip(void **state)
{
	struct buf out = BUF_INIT(4096);
	struct err e = ERR_INIT;
	const char *name;
	struct pw_hash h;

	(void)state;
	for (size_t i = 0; (name = pw_scheme_name(i)) != NULL; i++) {
		unsigned long rounds = strcmp(name, "BLF-CRYPT") == 0 ? 4 : strcmp(name, "YESCRYPT") == 0 ? 1 :
			strcmp(name, "SCRYPT") == 0 ? 6 : strstr(name, "SHA") == name && strstr(name, "CRYPT") != NULL ? 1000 : 0;

		buf_reset(&out);
		if (pw_generate(span_str(name), SPAN("pass w\xc3\xb6rd"), rounds, &out, &e) == -1) {
			assert_true(e.code == ERR_NOTFOUND && strstr(name, "ARGON2") != NULL);
			continue;
		}
		assert_int_equal(pw_parse(buf_span(&out), SPAN("PLAIN"), &h, &e), 0);
		assert_int_equal(pw_verify(&h, SPAN("pass w\xc3\xb6rd"), &e), PW_MATCH);
		assert_int_equal(pw_verify(&h, SPAN("pass w\xc3\xb6re"), &e), strcmp(name, "DES-CRYPT") == 0 ? PW_MATCH :
				 PW_MISMATCH);	/* DES looks at 8 octets only */
		assert_int_equal(pw_verify(&h, SPAN("pass w\xc3\xb6rd\0x"), &e), PW_MISMATCH);
		assert_int_equal(pw_verify(&h, SPAN("other"), &e), PW_MISMATCH);
		assert_int_equal(pw_is_slow(&h), strstr(name, "CRYPT") != NULL || strcmp(name, "MD5") == 0);
	}
	buf_reset(&out);
	assert_int_equal(pw_generate(SPAN("ssha256.hex"), SPAN("x"), 0, &out, &e), 0);
	assert_true(span_starts(buf_span(&out), SPAN("{SSHA256.HEX}")));
	assert_int_equal(pw_parse(buf_span(&out), SPAN("PLAIN"), &h, &e), 0);
	assert_int_equal(pw_verify(&h, SPAN("x"), &e), PW_MATCH);
	assert_int_equal(pw_generate(SPAN("CRYPT"), SPAN("a\0b"), 0, &out, &e), -1);
	assert_int_equal(e.code, ERR_SYNTAX);
	buf_wipe(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors), cmocka_unit_test(test_unknown), cmocka_unit_test(test_round_trip),
	};

	return cmocka_run_group_tests_name("password scheme", tests, NULL, NULL);
}
