/* SPDX-License-Identifier: MIT */
/* Cutting a text anywhere changes nothing.  The first octet chooses the charset, the second the cut. */
#include <stdlib.h>

#include "lib-mail/charset.h"
#include "lib/encode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "utf-8", "us-ascii", "windows-1252", "iso-8859-2", "koi8-r", "shift_jis",
		"euc-jp", "big5", "gb18030", "euc-kr", "iso-2022-jp", "utf-16", "utf-7" };
	static struct charset_cache *cache;
	struct buf whole, cut;
	struct charset *cs;
	struct span in, name;
	size_t at;

	if (size < 2)
		return 0;
	if (cache == NULL)
		cache = charset_cache_new();
	in = span_of(data + 2, size - 2);
	name = span_str(names[data[0] % (sizeof(names) / sizeof(names[0]))]);
	at = in.n == 0 ? 0 : data[1] % in.n;
	whole = BUF_INIT(20 * size + 100);
	cut = BUF_INIT(20 * size + 100);
	charset_to_utf8(cache, &whole, name, in);
	cs = charset_open(cache, name);
	charset_add(cs, &cut, span_sub(in, 0, at));
	charset_add(cs, &cut, span_from(in, at));
	charset_finish(cs, &cut);
	charset_close(cs);
	if (whole.failed || !utf8_is_valid(buf_span(&whole)) || !span_eq(buf_span(&whole), buf_span(&cut)))
		abort();
	buf_clear(&whole);
	buf_clear(&cut);
	return 0;
}
