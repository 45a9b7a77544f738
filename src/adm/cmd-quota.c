/* SPDX-License-Identifier: MIT */
/* quota get, quota recalc. */
#include "adm/adm.h"

#include <string.h>
#include <unistd.h>
#include "lib-storage/quota.h"

static bool
has_many_users(const struct adm *a)
{
	return a->all_users || a->user_file != NULL || (a->user_mask != NULL && strpbrk(a->user_mask, "*?") != NULL);
}

static void
put_row(const struct adm *a, struct format *f, struct span root, const char *type, uint64_t value, bool limited, uint64_t limit)
{
	if (has_many_users(a))
		format_value(f, a->user);
	format_value(f, root);
	format_value(f, span_str(type));
	format_valuef(f, "%llu", (unsigned long long)value);
	if (limited)
		format_valuef(f, "%llu", (unsigned long long)limit);
	else
		format_value(f, SPAN("-"));
	format_valuef(f, "%llu", limited && limit > 0 ? (unsigned long long)((double)value * 100. / (double)limit) : 0ULL);
}

static uint64_t
kilo(uint64_t octets)
{
	return octets / 1024 + (octets % 1024 > 0);
}

static int
get_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	struct quota_status *list;
	struct err e = ERR_INIT;
	size_t count;

	(void)data;
	if (storage_quota(st, SPAN_NONE, a->arena, &list, &count, &e) == -1)
		return adm_fail_err(&e, "quota");
	for (size_t i = 0; i < count; i++) {
		put_row(a, f, list[i].root, "STORAGE", kilo(list[i].bytes), list[i].bytes_limited, kilo(list[i].bytes_limit));
		put_row(a, f, list[i].root, "MESSAGE", list[i].messages, list[i].messages_limited, list[i].messages_limit);
	}
	return ADM_OK;
}

static int
recalc_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	struct err e = ERR_INIT;

	(void)a;
	(void)f;
	(void)data;
	return storage_quota_recalc(st, &e) == -1 ? adm_fail_err(&e, "quota") : ADM_OK;
}

static int
run(struct adm *a, adm_user_work *work, bool shows)
{
	struct format *f;
	int rc;

	if (a->argc > 1)
		return adm_usage(a);
	f = format_new(a->format_given ? a->format : FORMAT_TABLE, STDOUT_FILENO);
	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	if (shows) {
		if (has_many_users(a))
			format_column(f, "username", "Username", 0);
		format_column(f, "root", "Quota name", 0);
		format_column(f, "type", "Type", 0);
		format_column(f, "value", "Value", FORMAT_RIGHT);
		format_column(f, "limit", "Limit", FORMAT_RIGHT);
		format_column(f, "percent", "%", FORMAT_RIGHT);
	}
	rc = adm_for_users(a, f, work, NULL);
	if (shows)
		format_end(f);
	format_free(f);
	return rc;
}

int
cmd_quota_get(struct adm *a)
{
	return run(a, get_work, true);
}

int
cmd_quota_recalc(struct adm *a)
{
	return run(a, recalc_work, false);
}
