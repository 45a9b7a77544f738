/* SPDX-License-Identifier: MIT */
/* mailbox metadata get, set, unset, list: annotations (RFC 5464), of a mailbox or with -s of the server. */
#include "adm/adm.h"

#include <unistd.h>
#include "lib-storage/metadata.h"

struct metadata_args {
	struct span mailbox, name;
	struct span value;		/* to be set; p NULL: removed */
};

static int
set_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	const struct metadata_args *x = data;
	const struct metadata m = { x->name, x->value };
	struct err e = ERR_INIT;

	(void)a;
	(void)f;
	if (x->value.n > storage_metadata_value_max(st))
		return adm_fail(ADM_DATA, "the value is larger than mail_attribute_max_size");
	return storage_metadata_set(st, x->mailbox, &m, 1, &e) == 0 ? ADM_OK : adm_fail_err(&e, "mailbox metadata");
}

static int
get_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	const struct metadata_args *x = data;
	struct metadata *found;
	struct err e = ERR_INIT;
	size_t count;

	if (storage_metadata_get(st, x->mailbox, &x->name, 1, 0, a->arena, &found, &count, &e) == -1)
		return adm_fail_err(&e, "mailbox metadata");
	if (found[0].value.p == NULL)
		return adm_fail(ADM_NOT_FOUND, "there is no such annotation");
	format_value(f, found[0].value);
	return ADM_OK;
}

static int
list_work(struct adm *a, struct storage *st, struct format *f, void *data)
{
	const struct metadata_args *x = data;
	const struct span both[] = { SPAN("/private"), SPAN("/shared") };
	struct metadata *found;
	struct err e = ERR_INIT;
	size_t count;

	if (storage_metadata_get(st, x->mailbox, x->name.n > 0 ? &x->name : both, x->name.n > 0 ? 1 : 2, METADATA_ALL, a->arena, &found,
	    &count, &e) == -1)
		return adm_fail_err(&e, "mailbox metadata");
	for (size_t i = 0; i < count; i++)
		format_value(f, found[i].name);
	return ADM_OK;
}

/* [-s] MAILBOX, or with -s "" for the server; then from least to most words.  ADM_OK. */
static int
take_args(struct adm *a, struct metadata_args *x, int least, int most, bool sets)
{
	bool server = false;
	const char *why;
	int opt, n;

	while ((opt = getopt(a->argc, a->argv, "+s")) != -1) {
		if (opt == '?')
			return adm_usage(a);
		server = true;
	}
	n = a->argc - optind;
	if (n < least + 1 || n > most + 1)
		return adm_usage(a);
	x->mailbox = span_str(a->argv[optind]);
	if (x->mailbox.n == 0 && !server)
		return adm_fail(ADM_USAGE, "the server's annotations are asked for with -s");
	if (n > 1) {
		x->name = metadata_name(span_str(a->argv[optind + 1]), a->arena, &why);
		if (x->name.p == NULL)
			return adm_fail(ADM_USAGE, "%s: %s", a->argv[optind + 1], why);
	}
	if (sets && !metadata_is_settable(x->mailbox.n == 0, x->name))
		return adm_fail(ADM_NO_PERM, "%s is what the configuration says", a->argv[optind + 1]);
	return ADM_OK;
}

static int
run(struct adm *a, const char *column, adm_user_work *work, struct metadata_args *x)
{
	struct format *f = format_new(a->format_given ? a->format : FORMAT_FLOW, STDOUT_FILENO);
	int rc;

	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	if (column != NULL)
		format_column(f, column, column, FORMAT_HIDE_KEY);
	rc = adm_for_users(a, f, work, x);
	format_end(f);
	format_free(f);
	return rc;
}

int
cmd_metadata_get(struct adm *a)
{
	struct metadata_args x = { .value = SPAN_NONE };
	int rc = take_args(a, &x, 1, 1, false);

	return rc == ADM_OK ? run(a, "value", get_work, &x) : rc;
}

int
cmd_metadata_set(struct adm *a)
{
	struct metadata_args x = { .value = SPAN_NONE };
	int rc = take_args(a, &x, 2, 2, true);

	if (rc != ADM_OK)
		return rc;
	x.value = span_str(a->argv[optind + 2]);
	return run(a, NULL, set_work, &x);
}

int
cmd_metadata_unset(struct adm *a)
{
	struct metadata_args x = { .value = SPAN_NONE };
	int rc = take_args(a, &x, 1, 1, true);

	return rc == ADM_OK ? run(a, NULL, set_work, &x) : rc;
}

int
cmd_metadata_list(struct adm *a)
{
	struct metadata_args x = { .value = SPAN_NONE };
	int rc = take_args(a, &x, 0, 1, false);

	return rc == ADM_OK ? run(a, "key", list_work, &x) : rc;
}
