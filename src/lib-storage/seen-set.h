/* SPDX-License-Identifier: MIT */
#ifndef CULVER_LIB_STORAGE_SEEN_SET_H
#define CULVER_LIB_STORAGE_SEEN_SET_H
/* UIDs as ascending ranges with gaps between, and their text: "culver-seen 1", then "1:5,7,9:20" on a line. */
#include "lib/array.h"
#include "lib/buf.h"

#define SEEN_RANGES_MAX 1000000
#define SEEN_FILE_MAX ((size_t)24 << 20)

struct seen_range {
	uint32_t first, last;
};
struct seen_set {
	struct array ranges;	/* struct seen_range */
};
#define SEEN_SET_INIT ((struct seen_set){ ARRAY_INIT(struct seen_range, SEEN_RANGES_MAX) })

void seen_clear(struct seen_set *s);
bool seen_has(const struct seen_set *s, uint32_t uid);
/* uids ascending; on: added, else taken out.  False: memory is out, or too many ranges; s is as it was. */
bool seen_change(struct seen_set *s, const uint32_t *uids, size_t count, bool on);
/* Into an empty set.  False: not such a text; s is empty. */
bool seen_parse(struct seen_set *s, struct span text);
void seen_write(struct buf *out, const struct seen_set *s);
#endif
