/* SPDX-License-Identifier: MIT */
#include "lib-filter/sieve/capability.h"

#include "lib-filter/sieve/site.h"

bool
sieve_capabilities(const struct set_view *view, struct buf *out)
{
	const struct sieve_site site = { .ctx = (void *)(uintptr_t)view, .setting = sieve_site_setting };
	struct sieve_extset personal, global;
	struct sieve_limits limits;
	const char *before = "";

	sieve_site_extensions(&site, &personal, &global, NULL);
	sieve_site_limits(&site, &limits);
	buf_adds(out, "\"IMPLEMENTATION\" \"Culver\"\r\n\"SIEVE\" \"");
	for (enum sieve_ext x = EXT_CORE + 1; x < EXT_COUNT; x++) {
		if (!extset_has(&personal, x))
			continue;
		buf_adds(out, before);
		buf_adds(out, sieve_extensions[x].name);
		before = " ";
	}
	buf_adds(out, "\"\r\n");
	if (extset_has(&personal, EXT_ENOTIFY))
		buf_adds(out, "\"NOTIFY\" \"mailto\"\r\n");
	if (extset_has(&personal, EXT_EXTLISTS))
		buf_adds(out, "\"EXTLISTS\" \"urn tag\"\r\n");
	buf_addf(out, "\"MAXREDIRECTS\" \"%zu\"\r\n", limits.redirects);
	return !out->failed;
}
