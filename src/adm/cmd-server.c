/* SPDX-License-Identifier: MIT */
/* Orders to the master: reload, stop, log errors, service status. */
#include "adm/adm.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "lib/log.h"

static int
order(struct adm *a, uint16_t type)
{
	struct ipc_out o;
	int sock = -1, rc;

	if (a->argc != 1)
		return adm_usage(a);
	rc = adm_connect(a, &sock);
	if (rc != ADM_OK)
		return rc;
	ipc_begin(&o, type);
	ipc_put_u32(&o, F_ID, 1);
	rc = adm_send(sock, &o);
	if (rc == ADM_OK)
		rc = adm_done(sock, NULL);
	close(sock);
	return rc;
}

int
cmd_reload(struct adm *a)
{
	return order(a, MSG_RELOAD);
}

int
cmd_stop(struct adm *a)
{
	return order(a, MSG_SHUTDOWN);
}

/* Asks the master for a list: row() is called for each frame of the type. */
static int
list(struct adm *a, uint16_t ask, uint16_t row_type, int (*row)(struct format *f, struct ipc_msg *m), struct format *f)
{
	struct err e = ERR_INIT;
	struct ipc_out o;
	struct ipc_msg m;
	int sock = -1, rc = adm_connect(a, &sock);

	if (rc != ADM_OK)
		return rc;
	if (ipc_msg_init(&m, &e) == -1) {
		close(sock);
		return adm_fail(ADM_TEMP, "%s", e.log);
	}
	ipc_begin(&o, ask);
	ipc_put_u32(&o, F_ID, 1);
	rc = adm_send(sock, &o);
	while (rc == ADM_OK && (rc = adm_receive(sock, &m)) == ADM_OK && m.type != MSG_DONE)
		rc = m.type == row_type ? row(f, &m) : adm_fail(ADM_TEMP, "unexpected answer %u", m.type);
	ipc_msg_clear(&m);
	close(sock);
	format_end(f);
	return rc;
}

static int
row_log(struct format *f, struct ipc_msg *m)
{
	static const char *const words[] = { "debug", "info", "warning", "error", "fatal" };
	uint32_t level = ipc_opt_u32(m, F_LEVEL, LOG_LVL_ERROR);
	time_t when = (time_t)(ipc_has(m, F_TIME) ? ipc_u64(m, F_TIME) : 0);
	char stamp[64] = "";
	struct tm tm;

	if (when != 0 && localtime_r(&when, &tm) != NULL)
		strftime(stamp, sizeof(stamp), "%b %d %H:%M:%S", &tm);
	format_value(f, span_str(stamp));
	format_value(f, span_str(level <= LOG_LVL_FATAL ? words[level] : "?"));
	format_value(f, ipc_opt_bytes(m, F_TEXT, IPC_FRAME_MAX));
	return ADM_OK;
}

int
cmd_log_errors(struct adm *a)
{
	struct format *f;
	int rc;

	if (a->argc != 1)
		return adm_usage(a);
	f = format_new(a->format_given ? a->format : FORMAT_FLOW, STDOUT_FILENO);
	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	format_column(f, "timestamp", "timestamp", FORMAT_HIDE_KEY);
	format_column(f, "type", "type", FORMAT_HIDE_KEY);
	format_column(f, "text", "text", FORMAT_HIDE_KEY);
	rc = list(a, MSG_LOG_ERRORS, MSG_LOG_LINE, row_log, f);
	format_free(f);
	return rc;
}

static int
row_service(struct format *f, struct ipc_msg *m)
{
	format_value(f, ipc_bytes(m, F_NAME, 64));
	format_valuef(f, "%u", ipc_u32(m, F_PID));
	format_valuef(f, "%u", ipc_opt_u32(m, F_COUNT, 0));
	format_valuef(f, "%u", ipc_opt_u32(m, F_LIMIT, 0));
	return ADM_OK;
}

int
cmd_service_status(struct adm *a)
{
	struct format *f;
	int rc;

	if (a->argc != 1)
		return adm_usage(a);
	f = format_new(a->format_given ? a->format : FORMAT_TABLE, STDOUT_FILENO);
	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	format_column(f, "name", "name", 0);
	format_column(f, "pid", "pid", FORMAT_RIGHT);
	format_column(f, "clients", "clients", FORMAT_RIGHT);
	format_column(f, "limit", "limit", FORMAT_RIGHT);
	rc = list(a, MSG_SERVICES, MSG_SERVICE, row_service, f);
	format_free(f);
	return rc;
}
