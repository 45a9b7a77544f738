/* SPDX-License-Identifier: MIT */
#include "lib-index/schema.h"

#include "lib-mail/summary.h"

#define MESSAGE_FIXED 52
#define STATE_FIXED 156

static inline uint64_t
load(const char *p, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p, n);
	return v;
}

/* A step is a permutation of the state for every word: one changed word always gives another state. */
static inline uint64_t
mix(uint64_t state, uint64_t word)
{
	state = (state ^ word) * 0x9fb21c651e98df25u;
	return state ^ state >> 32;
}

static uint64_t
mix_span(uint64_t a, struct span s)
{
	uint64_t b = a ^ 0xd1342543de82ef95u;

	/* Two at a time: the one need not wait for the other. */
	for (; s.n >= 16; s = span_from(s, 16)) {
		a = mix(a, load(s.p, 8));
		b = mix(b, load(s.p + 8, 8));
	}
	if (s.n >= 8) {
		a = mix(a, load(s.p, 8));
		s = span_from(s, 8);
	}
	if (s.n > 0)
		b = mix(b, load(s.p, s.n));
	return mix(a, b);
}

uint32_t
idx_sum(enum idx_db db, struct span key, struct span value)
{
	uint64_t h = mix_span(mix_span((uint64_t)db << 56 | (uint64_t)key.n << 40 | value.n, key), value);

	return (uint32_t)(h ^ h >> 32);
}

bool
idx_value_open(enum idx_db db, struct span key, struct span *value)
{
	struct span v = *value;

	if (v.n < IDX_SUM_LEN)
		return false;
	v.n -= IDX_SUM_LEN;
	if (be32_get(v.p + v.n) != idx_sum(db, key, v))
		return false;
	*value = v;
	return true;
}

size_t
idx_message_pack(char *room, const struct idx_message *m)
{
	size_t n = MESSAGE_FIXED;

	room[0] = 1;
	room[1] = (char)m->flags;
	room[2] = (char)m->bits;
	room[3] = 0;
	be64_put(room + 4, m->keywords);
	be64_put(room + 12, m->modseq);
	be64_put(room + 20, (uint64_t)m->internal_date);
	be64_put(room + 28, (uint64_t)m->save_date);
	be64_put(room + 36, m->size);
	be64_put(room + 44, m->physical_size);
	if (m->bits & IDX_DIGEST) {
		memcpy(room + n, m->digest, IDX_DIGEST_LEN);
		n += IDX_DIGEST_LEN;
	}
	if (m->bits & IDX_UIDL) {
		size_t len = m->uidl.n > 255 ? 255 : m->uidl.n;

		room[n++] = (char)len;
		memcpy(room + n, m->uidl.p, len);
		n += len;
	}
	if (m->name.n > 0) {
		size_t len = m->name.n > INDEX_FILE_NAME_MAX ? INDEX_FILE_NAME_MAX : m->name.n;

		memcpy(room + n, m->name.p, len);
		n += len;
	}
	return n;
}

bool
idx_message_unpack(struct span v, struct idx_message *out)
{
	size_t n = MESSAGE_FIXED;

	if (v.n < MESSAGE_FIXED || v.p[0] != 1)
		return false;
	out->flags = (uint8_t)v.p[1];
	out->bits = (uint8_t)v.p[2];
	if ((out->flags & ~IDX_FLAGS) != 0 || (out->bits & ~IDX_MESSAGE_BITS) != 0)
		return false;
	out->keywords = be64_get(v.p + 4);
	out->modseq = be64_get(v.p + 12);
	out->internal_date = (int64_t)be64_get(v.p + 20);
	out->save_date = (int64_t)be64_get(v.p + 28);
	out->size = be64_get(v.p + 36);
	out->physical_size = be64_get(v.p + 44);
	if ((out->size > INT64_MAX && out->size != IDX_SIZE_UNKNOWN) ||
	    (out->physical_size > INT64_MAX && out->physical_size != IDX_SIZE_UNKNOWN))
		return false;
	if (out->bits & IDX_DIGEST) {
		if (v.n - n < IDX_DIGEST_LEN)
			return false;
		memcpy(out->digest, v.p + n, IDX_DIGEST_LEN);
		n += IDX_DIGEST_LEN;
	}
	out->uidl = SPAN_NONE;
	if (out->bits & IDX_UIDL) {
		size_t len;

		if (v.n - n < 1)
			return false;
		len = (uint8_t)v.p[n++];
		if (v.n - n < len)
			return false;
		out->uidl = span_sub(v, n, len);
		n += len;
	}
	out->name = span_from(v, n);
	if (out->name.n > INDEX_FILE_NAME_MAX || span_chr(out->name, '\0') != out->name.n ||
	    span_chr(out->name, '/') != out->name.n)
		return false;
	return true;
}

size_t
idx_state_pack(char *room, const struct idx_state *st)
{
	memset(room, 0, STATE_FIXED);
	be32_put(room, INDEX_VERSION);
	be32_put(room + 4, st->bits);
	be32_put(room + 8, st->uidvalidity);
	be32_put(room + 12, st->uidnext);
	be32_put(room + 16, st->recent_uid);
	be32_put(room + 20, st->uid_reserved);
	be64_put(room + 24, st->modseq_reserved);
	be64_put(room + 32, st->highestmodseq);
	be64_put(room + 40, st->pruned_to);
	be32_put(room + 48, st->messages);
	be32_put(room + 52, st->unseen);
	be32_put(room + 56, st->deleted);
	be32_put(room + 60, st->unsized);
	be32_put(room + 64, st->dirty);
	be32_put(room + 68, st->tombstones);
	be64_put(room + 72, st->bytes);
	be64_put(room + 80, st->dev);
	be64_put(room + 88, (uint64_t)st->scanned_at);
	for (int i = 0; i < 2; i++) {
		char *p = room + 96 + 20 * i;

		be64_put(p, (uint64_t)st->stamp[i].sec);
		be32_put(p + 8, st->stamp[i].nsec);
		be64_put(p + 12, st->stamp[i].ino);
	}
	be32_put(room + 136, st->unseen_from);
	be64_put(room + 140, st->physical);
	be64_put(room + 148, st->unsized_bytes);
	memcpy(room + STATE_FIXED, st->name, st->name_n);
	return STATE_FIXED + (size_t)st->name_n;
}

bool
idx_state_unpack(struct span key, struct span v, struct idx_state *out)
{
	if (key.n != IDX_KEY_ID || v.n < STATE_FIXED || v.n > STATE_FIXED + INDEX_NAME_MAX)
		return false;
	if (be32_get(v.p) != INDEX_VERSION)
		return false;
	out->id = be32_get(key.p);
	out->bits = be32_get(v.p + 4);
	out->uidvalidity = be32_get(v.p + 8);
	out->uidnext = be32_get(v.p + 12);
	out->recent_uid = be32_get(v.p + 16);
	out->uid_reserved = be32_get(v.p + 20);
	out->modseq_reserved = be64_get(v.p + 24);
	out->highestmodseq = be64_get(v.p + 32);
	out->pruned_to = be64_get(v.p + 40);
	out->messages = be32_get(v.p + 48);
	out->unseen = be32_get(v.p + 52);
	out->deleted = be32_get(v.p + 56);
	out->unsized = be32_get(v.p + 60);
	out->dirty = be32_get(v.p + 64);
	out->tombstones = be32_get(v.p + 68);
	out->bytes = be64_get(v.p + 72);
	out->dev = be64_get(v.p + 80);
	out->scanned_at = (int64_t)be64_get(v.p + 88);
	for (int i = 0; i < 2; i++) {
		const char *p = v.p + 96 + 20 * i;

		out->stamp[i].sec = (int64_t)be64_get(p);
		out->stamp[i].nsec = be32_get(p + 8);
		out->stamp[i].ino = be64_get(p + 12);
	}
	out->unseen_from = be32_get(v.p + 136);
	out->physical = be64_get(v.p + 140);
	out->unsized_bytes = be64_get(v.p + 148);
	idx_state_set_name(out, span_from(v, STATE_FIXED));
	return (out->bits & ~(uint32_t)IDX_STATE_BITS) == 0 && out->uidvalidity != 0 && out->uidnext != 0 &&
	    out->highestmodseq != 0 && out->highestmodseq <= INT64_MAX && out->pruned_to <= out->highestmodseq &&
	    out->messages < out->uidnext && out->unseen <= out->messages && out->deleted <= out->messages &&
	    out->unsized <= out->messages && out->dirty <= out->messages;
}

int
idx_keywords_unpack(struct span v, struct span names[INDEX_KEYWORDS])
{
	int count = 0;

	while (v.n > 0) {
		size_t len = span_chr(v, '\0');

		if (len == v.n || count == INDEX_KEYWORDS)
			return -1;
		names[count++] = span_sub(v, 0, len);
		v = span_from(v, len + 1);
	}
	return count;
}

bool
idx_entry_is_valid(enum idx_db db, struct span key, struct span v)
{
	struct idx_state st;
	struct idx_message m;
	struct span names[INDEX_KEYWORDS];

	switch (db) {
	case DB_META:
		return key.n > 0;
	case DB_MAILBOX:
		return key.n > 0 && key.n <= INDEX_NAME_MAX && v.n == 4 && be32_get(v.p) != 0;
	case DB_STATE:
		return idx_state_unpack(key, v, &st);
	case DB_MESSAGE:
		return key.n == IDX_KEY_MESSAGE && idx_message_unpack(v, &m);
	case DB_CHANGE:
		return key.n == IDX_KEY_CHANGE && v.n == 1 && (v.p[0] == IDX_CHANGE_FLAGS || v.p[0] == IDX_CHANGE_EXPUNGED);
	case DB_SUMMARY:
		return key.n == IDX_KEY_MESSAGE && summary_packed_is_sound(v);
	case DB_KEYWORD:
		return key.n == IDX_KEY_ID && idx_keywords_unpack(v, names) >= 0;
	case DB_COUNT:
		break;
	}
	return false;
}
