/* SPDX-License-Identifier: MIT */
#include "lib-storage/metadata-dict.h"

#include <string.h>
#include "lib-storage/metadata.h"

#define INTERNAL SPAN("vendor/vendor.dovecot/pvt/")
#define SERVER SPAN("vendor/vendor.dovecot/pvt/server/")

/* "priv/<guid>/": what is behind it; n 0: it is about something else. */
static struct span
entry_of(struct span key, struct span guid, bool server, bool *shared_out)
{
	*shared_out = span_starts(key, SPAN("shared/"));
	if (!*shared_out && !span_starts(key, SPAN("priv/")))
		return SPAN("");
	key = span_from(key, *shared_out ? 7 : 5);
	if (!span_starts(key, guid) || key.n == guid.n || key.p[guid.n] != '/')
		return SPAN("");
	key = span_from(key, guid.n + 1);
	if (server)
		return span_starts(key, SERVER) ? span_from(key, SERVER.n) : SPAN("");
	return span_starts(key, INTERNAL) ? SPAN("") : key;
}

/* False: it has what no annotation can have, or memory is out. */
static bool
unescape(struct span in, struct arena *a, struct span *out)
{
	char *p = arena_alloc(a, in.n + 1, 1);
	size_t n = 0;

	for (size_t i = 0; p != NULL && i < in.n; i++) {
		char c = in.p[i];

		if (c == '\001') {
			if (++i == in.n)
				return false;
			switch (in.p[i]) {
			case 'n':
				c = '\n';
				break;
			case 'r':
				c = '\r';
				break;
			case 't':
				c = '\t';
				break;
			case '1':
				break;
			default:
				return false;	/* a NUL, or nothing known */
			}
		} else if (c == '\0') {
			return false;
		}
		p[n++] = c;
	}
	*out = span_of(p, n);
	return p != NULL;
}

static bool
take_name(struct span entry, struct arena *a, struct span *out)
{
	char room[METADATA_NAME_MAX + 1];
	struct span plain, name;
	const char *why;

	if (entry.n == 0 || entry.n > METADATA_NAME_MAX - SPAN("/private/").n || !unescape(entry, a, &plain))
		return false;
	memcpy(room, "/private/", 9);
	memcpy(room + 9, plain.p, plain.n);
	name = metadata_name(span_of(room, plain.n + 9), a, &why);
	if (name.p == NULL)
		return false;
	*out = span_from(name, 8);
	return true;
}

int
metadata_dict_parse(struct span text, struct span guid, bool server, struct arena *a, struct metadata_items *out, struct err *e)
{
	struct span key, value;
	size_t used = 0, most = 0;

	*out = (struct metadata_items){ NULL, 0 };
	for (size_t at = 0; guid.n > 0 && at < text.n; at++)
		most += text.p[at] == '\n';
	most = most / 2 > METADATA_ENTRIES_MAX ? METADATA_ENTRIES_MAX : most / 2;
	if (most == 0)
		return 0;
	out->v = arena_alloc(a, most, sizeof(*out->v));
	if (out->v == NULL)
		return err_set(e, ERR_LIMIT, "out of memory for annotations");
	while (out->n < most && span_line(text, &used, &key) && span_line(text, &used, &value)) {
		struct metadata_item *item = &out->v[out->n];
		struct span entry = entry_of(key, guid, server, &item->shared);

		item->user = SPAN("");
		if (entry.n > 0 && take_name(entry, a, &item->name) && unescape(value, a, &item->value))
			out->n++;
	}
	return 0;
}
