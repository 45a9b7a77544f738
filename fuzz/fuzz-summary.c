/* SPDX-License-Identifier: MIT */
/*
 * The input twice: as a message, whose summary must be there and say what the message says; and as a stored value,
 * which must be refused or be safe to look into, also when its checksum is right.  Both as the index keeps them, too.
 */
#include <stdlib.h>

#include "lib/squeeze.h"
#include "lib-mail/crlf.h"
#include "lib-mail/header.h"
#include "lib-mail/summary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
look(const struct summary_view *v)
{
	struct summary_fieldset set = { { 0x5555555555555555u, 0x3333333333333333u, 0, 0 } };
	struct summary_cursor at = { 0, 0 };
	struct buf out = BUF_INIT((size_t)64 << 20);
	enum header_id id;
	struct span raw;

	summary_body_write(&out, v);
	buf_reset(&out);
	summary_fields_write(&out, v, &set);
	if (out.failed || out.n != summary_fields_size(v, &set))
		abort();
	while (summary_field_next(v, &at, &id, &raw)) {
		if (raw.p < v->fields.p || raw.p + raw.n > v->fields.p + v->fields.n)
			abort();
	}
	summary_field_get(v, HEADER_SUBJECT, &raw);
	buf_clear(&out);
}

/* As the index keeps it, it says the same. */
static void
packs(struct span value, const struct summary_view *v)
{
	struct buf packed = BUF_INIT(SUMMARY_ROOM_MAX), room = BUF_INIT(SUMMARY_ROOM_MAX), again = BUF_INIT(SUMMARY_ROOM_MAX);
	struct summary_view w;

	summary_pack(&packed, value);
	if (packed.failed || !summary_packed_is_sound(buf_span(&packed)) || !summary_packed_head(buf_span(&packed), &w) ||
	    w.flags != v->flags || w.virtual_size != v->virtual_size || !summary_unpack(&room, buf_span(&packed), &w))
		abort();
	summary_encode(&again, &w);
	if (!span_eq(buf_span(&again), value))
		abort();
	buf_clear(&packed);
	buf_clear(&room);
	buf_clear(&again);
}

/* Octets that nobody squeezed, behind what is known. */
static void
unpack_any(struct span in)
{
	static const char some[] = "some text that is known";
	size_t known = sizeof(some) - 1, n = in.n == 0 ? 0 : (unsigned char)in.p[0] * 3u;
	char *room = malloc(known + n + SQUEEZE_SLACK);
	struct summary_view v;
	struct buf r = BUF_INIT(SUMMARY_ROOM_MAX);

	if (room == NULL)
		abort();
	memcpy(room, some, known);
	unsqueeze(room, known, n, span_from(in, 1));
	if (memcmp(room, some, known) != 0)
		abort();
	free(room);
	if (summary_unpack(&r, in, &v))
		look(&v);
	buf_clear(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct span names[] = { { "subject", 7 }, { "from", 4 }, { "to", 2 }, { "Received", 8 } };
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;
	struct span in = span_of(data, size);
	struct arena *a = arena_new(MAIL_ARENA_MAX);
	struct buf value = BUF_INIT((size_t)64 << 20), x = BUF_INIT((size_t)64 << 20), y = BUF_INIT((size_t)64 << 20);
	struct summary_fieldset set;
	struct summary_view v;

	if (summary_from_message(&value, a, in, &lim) == -1 || !summary_view(buf_span(&value), &v))
		abort();
	if (v.size != size || v.virtual_size != crlf_size(in))
		abort();
	look(&v);
	if ((v.flags & SUMMARY_FIELDS) != 0) {
		summary_fieldset_init(&set, names, 4);
		summary_fields_write(&x, &v, &set);
		header_fields_write(&y, in, names, 4, false, 100000, SIZE_MAX);
		if (!span_eq(buf_span(&x), buf_span(&y)))
			abort();
	}
	packs(buf_span(&value), &v);
	/* As the pieces of a value: the input cut in five. */
	v.fields = span_sub(in, 0, size / 5);
	v.envelope = span_sub(in, size / 5, size / 5);
	v.bodystructure = span_sub(in, size / 5 * 2, size / 5);
	v.holes = span_sub(in, size / 5 * 3, size / 5);
	v.entries = span_from(in, size / 5 * 4);
	buf_reset(&value);
	summary_encode(&value, &v);
	if (summary_view(buf_span(&value), &v)) {
		look(&v);
		packs(buf_span(&value), &v);
	}
	if (summary_view(in, &v))
		look(&v);
	unpack_any(in);
	buf_clear(&value);
	buf_clear(&x);
	buf_clear(&y);
	arena_free(a);
	return 0;
}
