/* SPDX-License-Identifier: MIT */
/* who and kick: the hub knows who is connected. */
#include "adm/adm.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "lib/hash.h"

/* A mask of user names, or an address or network: "10.0.0.0/8", "::1". */
static bool
is_address(const char *text)
{
	return text[strspn(text, "0123456789./")] == '\0' || (strchr(text, ':') != NULL && strchr(text, '@') == NULL);
}

static int
ask_hub(struct adm *a, uint16_t type, int first, int *sock_out)
{
	struct ipc_out o;
	int rc = adm_channel(a, "hub", sock_out);

	if (rc != ADM_OK)
		return rc;
	ipc_begin(&o, type);
	ipc_put_u32(&o, F_ID, 1);
	for (int i = first; i < a->argc; i++)
		ipc_put_str(&o, is_address(a->argv[i]) ? F_RIP : F_USER, a->argv[i]);
	return adm_send(*sock_out, &o);
}

/* Sessions of one user, service and address are one row, unless -1 asks for each. */
struct who_row {
	struct span user, service, rip;
	struct buf pids;
	uint32_t count;
	struct who_row *next;
};

struct who {
	struct arena *arena;
	struct hash *by_key;
	struct who_row *first, **last;
};

static int
who_add(struct who *w, struct ipc_msg *m)
{
	struct span user = ipc_bytes(m, F_USER, USER_NAME_MAX), service = ipc_bytes(m, F_SERVICE, 64);
	struct span rip = ipc_bytes(m, F_RIP, 64);
	uint32_t pid = ipc_opt_u32(m, F_PID, 0);
	char *key = arena_printf(w->arena, "%.*s\t%.*s\t%.*s", SPAN_ARG(user), SPAN_ARG(service), SPAN_ARG(rip));
	struct who_row *row = key == NULL ? NULL : hash_get(w->by_key, span_str(key));

	if (row == NULL) {
		row = arena_alloc(w->arena, 1, sizeof(*row));
		if (row == NULL || key == NULL || !hash_set(w->by_key, span_str(key), row))
			return adm_fail(ADM_TEMP, "too many sessions for the memory there is");
		row->user = arena_dup(w->arena, user);
		row->service = arena_dup(w->arena, service);
		row->rip = arena_dup(w->arena, rip);
		buf_init(&row->pids, 1 << 20);
		*w->last = row;
		w->last = &row->next;
	}
	row->count++;
	buf_addf(&row->pids, "%s%u", row->pids.n > 0 ? " " : "", pid);
	return ADM_OK;
}

static void
who_print(struct who *w, struct format *f)
{
	for (struct who_row *row = w->first; row != NULL; row = row->next) {
		format_value(f, row->user);
		format_valuef(f, "%u", row->count);
		format_value(f, row->service);
		format_valuef(f, "(%.*s)", SPAN_ARG(buf_span(&row->pids)));
		format_valuef(f, "(%.*s)", SPAN_ARG(row->rip));
		buf_clear(&row->pids);
	}
}

static void
who_print_one(struct format *f, struct ipc_msg *m)
{
	char since[32] = "";
	time_t when = (time_t)ipc_u64(m, F_TIME);
	struct tm tm;

	if (localtime_r(&when, &tm) != NULL)
		strftime(since, sizeof(since), "%Y-%m-%d %H:%M:%S", &tm);
	format_value(f, ipc_bytes(m, F_USER, USER_NAME_MAX));
	format_value(f, ipc_bytes(m, F_SERVICE, 64));
	format_valuef(f, "%u", ipc_opt_u32(m, F_PID, 0));
	format_value(f, ipc_bytes(m, F_RIP, 64));
	format_value(f, ipc_bytes(m, F_SESSION, SESSION_ID_MAX));
	format_value(f, span_str(since));
}

static struct format *
who_format(struct adm *a, bool each)
{
	struct format *f = format_new(a->format_given ? a->format : FORMAT_TABLE, STDOUT_FILENO);

	if (f == NULL)
		return NULL;
	format_column(f, "username", "username", 0);
	if (each) {
		format_column(f, "service", "proto", 0);
		format_column(f, "pid", "pid", FORMAT_RIGHT);
		format_column(f, "ip", "ip", 0);
		format_column(f, "session", "session", 0);
		format_column(f, "since", "since", 0);
	} else {
		format_column(f, "connections", "#", FORMAT_RIGHT);
		format_column(f, "service", "proto", 0);
		format_column(f, "pids", "(pids)", 0);
		format_column(f, "ips", "(ips)", 0);
	}
	return f;
}

int
cmd_who(struct adm *a)
{
	struct err e = ERR_INIT;
	struct who w = { .arena = a->arena, .last = &w.first };
	bool each = false;
	struct format *f;
	struct ipc_msg m;
	int sock = -1, opt, rc;

	while ((opt = getopt(a->argc, a->argv, "+1")) != -1) {
		if (opt != '1')
			return adm_usage(a);
		each = true;
	}
	if (a->argc - optind > 2)
		return adm_usage(a);
	rc = ask_hub(a, MSG_WHO, optind, &sock);
	if (rc != ADM_OK)
		return rc;
	f = who_format(a, each);
	w.by_key = hash_new(SIZE_MAX);
	if (f == NULL || w.by_key == NULL || ipc_msg_init(&m, &e) == -1)
		return adm_fail(ADM_TEMP, "out of memory");
	while ((rc = adm_receive(sock, &m)) == ADM_OK && m.type == MSG_WHO_ENTRY) {
		if (each)
			who_print_one(f, &m);
		else if ((rc = who_add(&w, &m)) != ADM_OK)
			break;
	}
	who_print(&w, f);
	format_end(f);
	format_free(f);
	hash_free(w.by_key);
	ipc_msg_clear(&m);
	close(sock);
	return rc;
}

int
cmd_kick(struct adm *a)
{
	uint32_t count = 0;
	int sock = -1, rc;

	if (a->argc < 2 || a->argc > 3)
		return adm_usage(a);
	rc = ask_hub(a, MSG_KICK, 1, &sock);
	if (rc == ADM_OK)
		rc = adm_done(sock, &count);
	if (rc == ADM_OK && count == 0)
		rc = adm_fail(ADM_NOT_FOUND, "no such session");
	else if (rc == ADM_OK)
		printf("kicked connections: %u\n", count);
	if (sock != -1)
		close(sock);
	return rc;
}
