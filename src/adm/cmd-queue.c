/* SPDX-License-Identifier: MIT */
/* queue list, flush, delete: orders to the queue of the running server. */
#include "adm/adm.h"

#include <stdio.h>
#include <unistd.h>
#include "lib/stream.h"
#include "lib-deliver/queue-client.h"

#define LINE_OCTETS 8192
#define TIMEOUT_MS 30000
#define COLUMNS 9

static const char *const columns[COLUMNS] = { "id", "kind", "user", "sender", "recipient", "size", "created", "due", "why" };

/* Sends the order; rows go to f (NULL: there are none). */
static int
order(struct adm *a, const char *text, struct format *f)
{
	struct err e = ERR_INIT;
	struct stream s;
	struct span line;
	int rc = adm_settings(a), fd;

	if (rc != ADM_OK)
		return rc;
	fd = queue_connect(a->view, &e);
	if (fd == -1)
		return adm_fail(ADM_TEMP, "%s", e.log);
	stream_init_fd(&s, fd, LINE_OCTETS, TIMEOUT_MS);
	stream_puts(&s, text);
	for (;;) {
		struct span cell;

		if (stream_line(&s, LINE_OCTETS, &line, &e) == -1) {
			rc = adm_fail(ADM_TEMP, "the queue: %s", e.log);
			break;
		}
		if (span_starts(line, SPAN("NO "))) {
			rc = adm_fail(ADM_FAILED, "%.*s", SPAN_ARG(span_from(line, 3)));
			break;
		}
		if (span_starts(line, SPAN("OK ")))
			break;
		for (size_t i = 0; f != NULL && i < COLUMNS; i++)
			format_value(f, span_next(&line, '\t', &cell) ? cell : SPAN(""));
	}
	stream_clear(&s);
	close(fd);
	return rc;
}

int
cmd_queue_list(struct adm *a)
{
	struct format *f;
	int rc;

	if (a->argc > 1)
		return adm_usage(a);
	f = format_new(a->format_given ? a->format : FORMAT_TABLE, STDOUT_FILENO);
	if (f == NULL)
		return adm_fail(ADM_TEMP, "out of memory");
	for (size_t i = 0; i < COLUMNS; i++)
		format_column(f, columns[i], columns[i], i >= 5 && i <= 7 ? FORMAT_RIGHT : 0);
	rc = order(a, "LIST\n", f);
	format_end(f);
	format_free(f);
	return rc;
}

static bool
is_id(const char *id)
{
	for (const char *p = id; *p != '\0'; p++)
		if (!ascii_is_digit(*p) && !ascii_is_alpha(*p) && *p != '.')
			return false;
	return id[0] != '\0';
}

static int
each_id(struct adm *a, const char *word)
{
	int worst = ADM_OK;

	for (int i = 1; i < a->argc; i++) {
		char text[128];
		int rc;

		if (!is_id(a->argv[i]) || snprintf(text, sizeof(text), "%s %s\n", word, a->argv[i]) >= (int)sizeof(text))
			rc = adm_fail(ADM_DATA, "%s is no name of a message in the queue", a->argv[i]);
		else
			rc = order(a, text, NULL);
		if (rc != ADM_OK)
			worst = rc;
	}
	return worst;
}

int
cmd_queue_flush(struct adm *a)
{
	return a->argc == 1 ? order(a, "FLUSH\n", NULL) : each_id(a, "FLUSH");
}

int
cmd_queue_delete(struct adm *a)
{
	return a->argc == 1 ? adm_usage(a) : each_id(a, "DELETE");
}
