/* SPDX-License-Identifier: MIT */
/* mail_location, and LIST patterns: paths are absolute and never lead out by ".."; a pattern matches itself. */
#include <stdlib.h>
#include "lib-storage/list-match.h"
#include "lib-storage/location.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_path(const char *p)
{
	size_t n;

	if (p == NULL)
		return;
	n = strlen(p);
	if (p[0] != '/' || strstr(p, "/../") != NULL || (n >= 3 && strcmp(p + n - 3, "/..") == 0))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(1 << 20);
	struct span in = span_of(data, size);
	struct location loc;
	struct err e = ERR_INIT;
	bool wild = false;

	if (a == NULL)
		return 0;
	if (location_parse(in, SPAN("/home/bob"), a, &loc, &e) == 0) {
		check_path(loc.root);
		check_path(loc.inbox);
		check_path(loc.index);
		check_path(loc.control);
		check_path(loc.index_pvt);
		if ((loc.dirname != NULL && strchr(loc.dirname, '/') != NULL) ||
		    (loc.subscriptions != NULL && strchr(loc.subscriptions, '/') != NULL))
			abort();
		if (loc.root == NULL)
			abort();
	}
	arena_free(a);
	for (size_t i = 0; i < in.n; i++)
		wild = wild || in.p[i] == '*' || in.p[i] == '%';
	if (in.n > 0 && in.n <= 1024 && !wild && list_match(in, in, '.') != LIST_YES)
		abort();
	if (in.n <= 1024 && list_match(SPAN("*"), in, '.') != LIST_YES)
		abort();
	return 0;
}
