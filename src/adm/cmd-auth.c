/* SPDX-License-Identifier: MIT */
/* Questions to auth: user, auth test, auth cache flush. */
#include "adm/adm.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int
print_field(const struct identity *id, const char *only, const char *key, struct span value)
{
	(void)id;
	if (only != NULL && strcmp(only, key) != 0)
		return 0;
	if (only != NULL)
		printf("%.*s\n", SPAN_ARG(value));
	else
		printf("%s\t%.*s\n", key, SPAN_ARG(value));
	return 1;
}

static int
show_user(struct adm *a, const char *name, const char *only)
{
	struct identity id;
	struct span rest, field;
	char number[24];
	int rc = adm_identity(a, span_str(name), &id), shown = 0;

	if (rc != ADM_OK)
		return rc;
	if (only == NULL)
		printf("field\tvalue\n");
	shown += only != NULL ? print_field(&id, only, "user", id.user) : 0;
	snprintf(number, sizeof(number), "%lu", (unsigned long)id.uid);
	shown += print_field(&id, only, "uid", span_str(number));
	snprintf(number, sizeof(number), "%lu", (unsigned long)id.gid);
	shown += print_field(&id, only, "gid", span_str(number));
	shown += print_field(&id, only, "home", id.home);
	rest = id.fields;
	while (span_next(&rest, '\0', &field)) {
		char *key = arena_cstr(a->arena, span_of(field.p, span_chr(field, '=')));

		if (key != NULL)
			shown += print_field(&id, only, key, span_from(field, strlen(key) + 1));
	}
	return shown > 0 ? ADM_OK : adm_fail(ADM_NOT_FOUND, "user %s has no field %s", name, only);
}

/* Names that match a mask, one a line. */
static int
list_users(struct adm *a, const char *mask)
{
	struct err e = ERR_INIT;
	struct ipc_out o;
	struct ipc_msg m;
	int sock = -1, rc = adm_channel(a, "auth", &sock);

	if (rc != ADM_OK)
		return rc;
	if (ipc_msg_init(&m, &e) == -1) {
		close(sock);
		return adm_fail(ADM_TEMP, "%s", e.log);
	}
	ipc_begin(&o, MSG_AUTH_USERS);
	ipc_put_u32(&o, F_ID, 1);
	ipc_put_str(&o, F_TEXT, mask);
	rc = adm_send(sock, &o);
	while (rc == ADM_OK && (rc = adm_receive(sock, &m)) == ADM_OK && m.type != MSG_DONE)
		if (m.type == MSG_AUTH_USER)
			printf("%.*s\n", SPAN_ARG(ipc_bytes(&m, F_USER, USER_NAME_MAX)));
	if (rc == ADM_OK && ipc_opt_u32(&m, F_CODE, 0) != 0)
		rc = adm_fail(ADM_TEMP, "listing the users failed; the log has the details");
	ipc_msg_clear(&m);
	close(sock);
	return rc;
}

int
cmd_user(struct adm *a)
{
	const char *only = NULL;
	int opt, rc = ADM_OK;

	while ((opt = getopt(a->argc, a->argv, "+f:u")) != -1) {
		if (opt == '?')
			return adm_usage(a);
		if (opt == 'f')
			only = optarg;
	}
	if (optind == a->argc)
		return adm_usage(a);
	for (int i = optind; i < a->argc; i++) {
		int one = strpbrk(a->argv[i], "*?") != NULL ? list_users(a, a->argv[i]) :
		    show_user(a, a->argv[i], only);

		if (one != ADM_OK)
			rc = one;
	}
	return rc;
}

struct auth_info {
	const char *rip, *lip, *service;
	uint32_t secured;
};

static int
take_info(struct adm *a, struct auth_info *info)
{
	int opt;

	while ((opt = getopt(a->argc, a->argv, "+x:")) != -1) {
		if (opt != 'x')
			return adm_usage(a);
		if (strncmp(optarg, "rip=", 4) == 0)
			info->rip = optarg + 4;
		else if (strncmp(optarg, "lip=", 4) == 0)
			info->lip = optarg + 4;
		else if (strncmp(optarg, "service=", 8) == 0)
			info->service = optarg + 8;
		else
			return adm_fail(ADM_USAGE, "-x knows rip=, lip= and service=");
	}
	return ADM_OK;
}

static int
send_plain(int sock, const struct auth_info *info, const char *user, const char *password)
{
	struct buf response = BUF_INIT(8192);
	struct ipc_out o;
	int rc;

	buf_addc(&response, '\0');
	buf_adds(&response, user);
	buf_addc(&response, '\0');
	buf_adds(&response, password);
	ipc_begin(&o, MSG_AUTH_START);
	ipc_put_u32(&o, F_ID, 1);
	ipc_put_str(&o, F_SERVICE, info->service);
	ipc_put_str(&o, F_MECH, "PLAIN");
	ipc_put_bytes(&o, F_DATA, buf_span(&response));
	ipc_put_u32(&o, F_SECURED, 1);
	ipc_put_str(&o, F_RIP, info->rip);
	ipc_put_u32(&o, F_RPORT, 0);
	ipc_put_str(&o, F_LIP, info->lip);
	ipc_put_u32(&o, F_LPORT, 0);
	ipc_put_str(&o, F_SESSION, "culveradm");
	rc = adm_send(sock, &o);
	buf_wipe(&response);
	return rc;
}

int
cmd_auth_test(struct adm *a)
{
	struct auth_info info = { "", "", "doveadm", 1 };
	char password[ADM_PASSWORD_MAX];
	struct err e = ERR_INIT;
	struct ipc_msg m;
	const char *user;
	int sock = -1, rc = take_info(a, &info);

	if (rc != ADM_OK)
		return rc;
	if (optind == a->argc || a->argc - optind > 2)
		return adm_usage(a);
	user = a->argv[optind];
	if (a->argc - optind == 2)
		snprintf(password, sizeof(password), "%s", a->argv[optind + 1]);
	else if ((rc = adm_ask_password("Password: ", password)) != ADM_OK)
		return rc;
	rc = adm_channel(a, "auth", &sock);
	if (rc == ADM_OK && ipc_msg_init(&m, &e) == -1)
		rc = adm_fail(ADM_TEMP, "%s", e.log);
	if (rc == ADM_OK)
		rc = send_plain(sock, &info, user, password);
	explicit_bzero(password, sizeof(password));
	if (rc != ADM_OK)
		return rc;
	do
		rc = adm_receive(sock, &m);
	while (rc == ADM_OK && m.type == MSG_AUTH_MECHS);
	if (rc == ADM_OK && m.type == MSG_AUTH_OK) {
		printf("passdb: %s auth succeeded\nextra fields:\n  user=%.*s\n", user,
		    SPAN_ARG(ipc_bytes(&m, F_USER, USER_NAME_MAX)));
	} else if (rc == ADM_OK) {
		uint32_t code = ipc_opt_u32(&m, F_CODE, AUTH_FAIL_TEMP);

		printf("passdb: %s auth failed%s\n", user, code == AUTH_FAIL_CREDENTIALS ? "" :
		    code == AUTH_FAIL_TEMP ? " (temporary failure)" : " (refused)");
		rc = code == AUTH_FAIL_TEMP ? ADM_TEMP : ADM_NO_PERM;
	}
	ipc_msg_clear(&m);
	close(sock);
	return rc;
}

int
cmd_auth_cache_flush(struct adm *a)
{
	uint32_t count = 0;
	struct ipc_out o;
	int sock = -1, rc;

	if (a->argc > 2)
		return adm_usage(a);
	rc = adm_channel(a, "auth", &sock);
	if (rc != ADM_OK)
		return rc;
	ipc_begin(&o, MSG_AUTH_FLUSH);
	ipc_put_u32(&o, F_ID, 1);
	if (a->argc == 2)
		ipc_put_str(&o, F_USER, a->argv[1]);
	rc = adm_send(sock, &o);
	if (rc == ADM_OK)
		rc = adm_done(sock, &count);
	if (rc == ADM_OK)
		printf("%u cache entries flushed\n", count);
	close(sock);
	return rc;
}
