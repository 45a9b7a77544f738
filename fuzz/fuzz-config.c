/* SPDX-License-Identifier: MIT */
/*
 * The configuration language.  What was read without errors can be shown, read again, and shown again the same; and it
 * gives an image that opens.
 */
#include <stdlib.h>
#include <unistd.h>
#include "lib-config/config.h"
#include "lib-config/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct buf
show(struct config *c, const struct set_filter *f)
{
	struct dump_options o = { .what = DUMP_SET, .filter = f, .secrets = true };
	struct buf out = BUF_INIT((size_t)64 << 20);
	struct err e = ERR_INIT;

	if (config_dump(c, &o, &out, &e) == -1)
		abort();
	return out;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	struct config *first = config_read_text(span_of(data, size), "fuzz", &e), *second;
	struct set_filter imap = { .protocol = "imap" };
	struct settings *s;
	struct buf shown, again, filtered;
	int fd;

	if (first == NULL || config_has_errors(first)) {
		config_free(first);
		return 0;
	}
	shown = show(first, NULL);
	second = config_read_text(buf_span(&shown), "again", &e);
	if (second == NULL || config_has_errors(second))
		abort();
	again = show(second, NULL);
	if (!span_eq(buf_span(&shown), buf_span(&again)))
		abort();
	fd = config_image(first, &e);
	if (fd == -1 || settings_open(fd, &s, &e) == -1)
		abort();
	close(fd);
	set_view_free(set_view_new(s, &imap));
	settings_close(s);
	filtered = show(first, &imap);
	buf_clear(&filtered);
	buf_clear(&shown);
	buf_clear(&again);
	config_free(first);
	config_free(second);
	return 0;
}
