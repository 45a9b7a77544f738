/* SPDX-License-Identifier: MIT */
/* Any octets give a list of bounded length, which can be written in both ways, and read again. */
#include <stdlib.h>

#include "lib-mail/address.h"
#include "lib-mail/imap-mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(64 << 20);
	struct buf once = BUF_INIT(100 * size + 1000), imap = BUF_INIT(100 * size + 1000);
	struct address *list;
	bool truncated;
	size_t count = 0;

	if (address_parse(a, span_of(data, size), 1000, &list, &truncated) == -1)
		abort();
	for (const struct address *ad = list; ad != NULL; ad = ad->next) {
		if (ad->domain.p != NULL && ad->mailbox.p == NULL)
			abort();
		count++;
	}
	if (count > 1001)
		abort();
	imap_addresses_write(&imap, list);
	address_write_list(&once, list);
	if (imap.failed || once.failed)
		abort();
	if (address_parse(a, buf_span(&once), 1000, &list, NULL) == -1)
		abort();
	buf_clear(&once);
	buf_clear(&imap);
	arena_free(a);
	return 0;
}
