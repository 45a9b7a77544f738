/* SPDX-License-Identifier: MIT */
/* pw: makes and checks password hashes; asks no server. */
#include "adm/adm.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "lib-protocol/password-scheme.h"

static int
list_schemes(void)
{
	const char *name;

	for (size_t i = 0; (name = pw_scheme_name(i)) != NULL; i++)
		printf("%s%s", i > 0 ? " " : "", name);
	putchar('\n');
	return ADM_OK;
}

/* From the terminal a new password is asked for twice. */
static int
ask(bool fresh, char out[ADM_PASSWORD_MAX])
{
	char again[ADM_PASSWORD_MAX];
	int rc = adm_ask_password(fresh ? "Enter new password: " : "Enter password to verify: ", out);

	if (rc != ADM_OK || !fresh || isatty(STDIN_FILENO) != 1)
		return rc;
	rc = adm_ask_password("Retype new password: ", again);
	if (rc == ADM_OK && strcmp(out, again) != 0)
		rc = adm_fail(ADM_DATA, "the passwords differ");
	explicit_bzero(again, sizeof(again));
	return rc;
}

static int
check(const char *stored, const char *password)
{
	struct err e = ERR_INIT;
	struct pw_hash hash;

	if (pw_parse(span_str(stored), SPAN("CRYPT"), &hash, &e) == -1)
		return adm_fail_err(&e, "the hash");
	switch (pw_verify(&hash, span_str(password), &e)) {
	case PW_MATCH:
		printf("%s (verified)\n", stored);
		return ADM_OK;
	case PW_MISMATCH:
		return adm_fail(ADM_FAILED, "the password does not match the hash");
	case PW_BROKEN:
		break;
	}
	return adm_fail_err(&e, "the hash");
}

static int
generate(const char *scheme, const char *password, unsigned long rounds)
{
	struct buf out = BUF_INIT(PW_STORED_MAX);
	struct err e = ERR_INIT;
	int rc = ADM_OK;

	if (pw_generate(span_str(scheme), span_str(password), rounds, &out, &e) == -1)
		rc = adm_fail_err(&e, "making the hash");
	else
		printf("%.*s\n", SPAN_ARG(buf_span(&out)));
	buf_wipe(&out);
	return rc;
}

int
cmd_pw(struct adm *a)
{
	const char *scheme = "CRYPT", *stored = NULL, *given = NULL;
	char password[ADM_PASSWORD_MAX];
	uint64_t rounds = 0;
	int opt, rc = ADM_OK;

	while ((opt = getopt(a->argc, a->argv, "+s:p:r:t:l")) != -1) {
		switch (opt) {
		case 's':
			scheme = optarg;
			break;
		case 'p':
			given = optarg;
			break;
		case 'r':
			if (!span_u64(span_str(optarg), 1000000000, &rounds))
				return adm_fail(ADM_USAGE, "not a number of rounds: %s", optarg);
			break;
		case 't':
			stored = optarg;
			break;
		case 'l':
			return list_schemes();
		default:
			return adm_usage(a);
		}
	}
	if (optind != a->argc)
		return adm_usage(a);
	if (given != NULL && (size_t)snprintf(password, sizeof(password), "%s", given) >= sizeof(password))
		return adm_fail(ADM_DATA, "a password of more than %d octets", ADM_PASSWORD_MAX - 1);
	if (given == NULL)
		rc = ask(stored == NULL, password);
	if (rc == ADM_OK)
		rc = stored != NULL ? check(stored, password) : generate(scheme, password, (unsigned long)rounds);
	explicit_bzero(password, sizeof(password));
	return rc;
}
