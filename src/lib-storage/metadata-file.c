/* SPDX-License-Identifier: MIT */
#include "lib-storage/metadata-file.h"

#define HEAD "culver-metadata 1"

/* "p 3 8 5": what kind, and three lengths. */
static bool
parse_head(struct span line, bool *shared_out, size_t n_out[3])
{
	uint64_t n;
	struct span word;

	if (line.n < 2 || (line.p[0] != 'p' && line.p[0] != 's') || line.p[1] != ' ')
		return false;
	*shared_out = line.p[0] == 's';
	line = span_from(line, 2);
	for (size_t i = 0; i < 3; i++) {
		if (!span_next(&line, ' ', &word) || !span_u64(word, METADATA_FILE_MAX, &n))
			return false;
		n_out[i] = (size_t)n;
	}
	return line.n == 0;
}

int
metadata_file_parse(struct span text, struct arena *a, struct metadata_items *out, struct err *e)
{
	struct span line;
	size_t used = 0, n[3], most = 0;

	*out = (struct metadata_items){ NULL, 0 };
	if (text.n == 0)
		return 0;
	if (!span_line(text, &used, &line) || !span_eq(line, SPAN(HEAD)))
		return err_set(e, ERR_CORRUPT, "it does not begin with " HEAD);
	for (size_t i = 0; i < text.n; i++)
		most += text.p[i] == '\n';
	if (most > 2 * METADATA_ENTRIES_MAX)
		most = METADATA_ENTRIES_MAX;
	out->v = arena_alloc(a, most, sizeof(*out->v));
	if (out->v == NULL)
		return err_set(e, ERR_LIMIT, "out of memory for annotations");
	while (used < text.n) {
		struct metadata_item *item = &out->v[out->n];
		size_t all;

		if (out->n == most || !span_line(text, &used, &line) || !parse_head(line, &item->shared, n))
			return err_set(e, ERR_CORRUPT, "annotation %zu is damaged", out->n + 1);
		/* Each is at most METADATA_FILE_MAX: the sum can not wrap. */
		all = n[0] + n[1] + n[2];
		if (text.n - used <= all || text.p[used + all] != '\n')
			return err_set(e, ERR_CORRUPT, "annotation %zu is cut off", out->n + 1);
		item->user = span_sub(text, used, n[0]);
		item->name = span_sub(text, used + n[0], n[1]);
		item->value = span_sub(text, used + n[0] + n[1], n[2]);
		used += all + 1;
		out->n++;
	}
	return 0;
}

void
metadata_file_write(struct buf *out, const struct metadata_items *items)
{
	buf_adds(out, HEAD "\n");
	for (size_t i = 0; i < items->n; i++) {
		const struct metadata_item *item = &items->v[i];

		buf_addf(out, "%c %zu %zu %zu\n", item->shared ? 's' : 'p', item->user.n, item->name.n, item->value.n);
		buf_add(out, item->user);
		buf_add(out, item->name);
		buf_add(out, item->value);
		buf_addc(out, '\n');
	}
}
