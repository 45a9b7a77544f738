/* SPDX-License-Identifier: MIT */
#include "lib-mail/charset.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <utf8proc.h>

#include "lib/encode.h"
#include "lib/lane.h"

enum { NAME_OCTETS = 48, CACHE_SLOTS = 8, CARRY = 16 };

enum kind { KIND_UTF8, KIND_CP1252, KIND_GUESS, KIND_ICONV };

struct slot {
	char name[NAME_OCTETS];
	iconv_t cd;
	bool busy;
};

struct charset_cache {
	struct slot slots[CACHE_SLOTS];
	unsigned used, next;	/* next: the one to give up when all are used */
};

struct charset {
	enum kind kind;
	bool unknown;
	iconv_t cd;
	struct slot *slot;	/* whose cd it is; NULL: our own */
	char carry[CARRY];	/* the beginning of a character whose end has not come yet */
	size_t carried;
};

/* Names that mail uses and iconv has not, or for which mail means more than the name says. */
static const struct {
	const char *name, *iconv;
} aliases[] = {
	{ "gb2312", "GB18030" }, { "gb_2312-80", "GB18030" }, { "x-gbk", "GB18030" }, { "cp936", "GB18030" },
	{ "ks_c_5601-1987", "CP949" }, { "ks_c_5601", "CP949" }, { "x-windows-949", "CP949" }, { "euc-kr", "CP949" },
	{ "x-sjis", "CP932" }, { "shift_jis", "CP932" }, { "shift-jis", "CP932" },
	{ "iso-8859-8-i", "ISO-8859-8" }, { "iso-8859-6-i", "ISO-8859-6" }, { "windows-874", "CP874" },
	{ "unicode-1-1-utf-7", "UTF-7" }, { "x-mac-roman", "MACINTOSH" }, { "x-euc-jp", "EUC-JP" },
	{ "x-big5", "BIG5" }, { "iso-8859-9", "CP1254" },
};

static const struct {
	const char *name;
	enum kind kind;
} builtin[] = {
	{ "utf-8", KIND_UTF8 }, { "utf8", KIND_UTF8 }, { "cp65001", KIND_UTF8 }, { "unicode-1-1-utf-8", KIND_UTF8 },
	{ "us-ascii", KIND_GUESS }, { "ascii", KIND_GUESS }, { "ansi_x3.4-1968", KIND_GUESS },
	{ "iso646-us", KIND_GUESS },
	{ "iso-8859-1", KIND_CP1252 }, { "iso8859-1", KIND_CP1252 }, { "iso_8859-1", KIND_CP1252 },
	{ "latin1", KIND_CP1252 }, { "windows-1252", KIND_CP1252 }, { "cp1252", KIND_CP1252 },
	{ "x-ansi", KIND_CP1252 },
};

/* 0x80 to 0x9f of Windows-1252; the five that it leaves out stay what they are in ISO-8859-1. */
static const uint16_t cp1252[32] = {
	0x20ac, 0x81, 0x201a, 0x192, 0x201e, 0x2026, 0x2020, 0x2021, 0x2c6, 0x2030, 0x160, 0x2039, 0x152, 0x8d, 0x17d,
	0x8f, 0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x2dc, 0x2122, 0x161, 0x203a, 0x153, 0x9d,
	0x17e, 0x178,
};

struct charset_cache *
charset_cache_new(void)
{
	return calloc(1, sizeof(struct charset_cache));
}

void
charset_cache_free(struct charset_cache *cache)
{
	if (cache == NULL)
		return;
	for (unsigned i = 0; i < cache->used; i++)
		iconv_close(cache->slots[i].cd);
	free(cache);
}

/*
 * The name as iconv is given it.  Only letters, digits and a few marks: iconv reads "//" and "," as options, and a path
 * as a path.
 */
static bool
iconv_name(struct span name, char out[static NAME_OCTETS])
{
	if (name.n == 0 || name.n >= NAME_OCTETS)
		return false;
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
		if (span_ieq(name, span_str(aliases[i].name))) {
			memcpy(out, aliases[i].iconv, strlen(aliases[i].iconv) + 1);
			return true;
		}
	}
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!ascii_is_alpha(c) && !ascii_is_digit(c) && memchr("-_.:+", c, 5) == NULL)
			return false;
		out[i] = ascii_upper(c);
	}
	out[name.n] = '\0';
	return true;
}

static bool
builtin_kind(struct span name, enum kind *kind_out)
{
	for (size_t i = 0; i < sizeof(builtin) / sizeof(builtin[0]); i++) {
		if (span_ieq(name, span_str(builtin[i].name))) {
			*kind_out = builtin[i].kind;
			return true;
		}
	}
	return false;
}

static struct slot *
cache_slot(struct charset_cache *cache, const char *name)
{
	struct slot *s;

	for (unsigned i = 0; i < cache->used; i++) {
		s = &cache->slots[i];
		if (!s->busy && strcmp(s->name, name) == 0)
			return s;
	}
	if (cache->used < CACHE_SLOTS) {
		s = &cache->slots[cache->used];
	} else {
		s = &cache->slots[cache->next++ % CACHE_SLOTS];
		if (s->busy)
			return NULL;
	}
	iconv_t cd = iconv_open("UTF-8", name);

	if (cd == (iconv_t)-1)
		return NULL;
	if (s == &cache->slots[cache->used])
		cache->used++;
	else
		iconv_close(s->cd);
	memcpy(s->name, name, strlen(name) + 1);
	s->cd = cd;
	return s;
}

struct charset *
charset_open(struct charset_cache *cache, struct span name)
{
	struct charset *cs = calloc(1, sizeof(*cs));
	char iname[NAME_OCTETS];

	if (cs == NULL || builtin_kind(name, &cs->kind))
		return cs;
	cs->kind = KIND_GUESS;
	cs->unknown = true;
	if (!iconv_name(name, iname))
		return cs;
	if (cache != NULL && (cs->slot = cache_slot(cache, iname)) != NULL) {
		cs->cd = cs->slot->cd;
		cs->slot->busy = true;
	} else if ((cs->cd = iconv_open("UTF-8", iname)) == (iconv_t)-1) {
		return cs;
	}
	cs->kind = KIND_ICONV;
	cs->unknown = false;
	return cs;
}

void
charset_close(struct charset *cs)
{
	if (cs == NULL)
		return;
	if (cs->slot != NULL) {
		iconv(cs->cd, NULL, NULL, NULL, NULL);
		cs->slot->busy = false;
	} else if (cs->kind == KIND_ICONV) {
		iconv_close(cs->cd);
	}
	free(cs);
}

bool
charset_is_unknown(const struct charset *cs)
{
	return cs->unknown;
}

bool
charset_is_known(struct span name)
{
	struct charset *cs = charset_open(NULL, name);
	bool known = cs != NULL && !cs->unknown;

	charset_close(cs);
	return known;
}

static void
put_cp1252(struct buf *out, unsigned char c)
{
	utf8_put(out, c >= 0x80 && c < 0xa0 ? cp1252[c - 0x80] : c);
}

/* How many octets at the end of s are the beginning of a UTF-8 sequence that is not complete. */
static size_t
utf8_cut(struct span s)
{
	for (size_t n = 1; n <= 3 && n <= s.n; n++) {
		unsigned char c = (unsigned char)s.p[s.n - n];

		if (c >= 0xc2 && c <= 0xf4)
			return n < (c < 0xe0 ? 2u : c < 0xf0 ? 3u : 4u) ? n : 0;
		if ((c & 0xc0) != 0x80)
			return 0;
	}
	return 0;
}

static size_t
ascii_run(struct span s)
{
	size_t i = 0;
	uint64_t w;

	while (s.n - i >= sizeof(w)) {
		memcpy(&w, s.p + i, sizeof(w));
		if ((w & 0x8080808080808080u) != 0)
			break;
		i += sizeof(w);
	}
	while (i < s.n && (unsigned char)s.p[i] < 0x80)
		i++;
	return i;
}

static void
add_octets(enum kind kind, struct buf *out, struct span in)
{
	size_t pos = 0;

	while (pos < in.n && !out->failed) {
		size_t run = ascii_run(span_from(in, pos)), at;
		uint32_t cp;

		buf_add(out, span_sub(in, pos, run));
		pos += run;
		at = pos;
		if (pos == in.n)
			break;
		if (kind == KIND_CP1252) {
			put_cp1252(out, (unsigned char)in.p[pos++]);
		} else if (utf8_next(in, &pos, &cp)) {
			buf_add(out, span_of(in.p + at, pos - at));
		} else if (kind == KIND_GUESS) {
			put_cp1252(out, (unsigned char)in.p[at]);
		} else {
			utf8_put(out, 0xfffd);
		}
	}
}

/* Converts what can be; *in is what is left: an incomplete character at its end, or nothing. */
static void
add_iconv(struct charset *cs, struct buf *out, struct span *in)
{
	char room[2048];

	while (in->n > 0 && !out->failed) {
		char *from = (char *)(uintptr_t)in->p, *to = room;
		size_t left = in->n, space = sizeof(room), rc;

		rc = iconv(cs->cd, &from, &left, &to, &space);
		buf_add(out, span_of(room, sizeof(room) - space));
		*in = span_of(from, left);
		if (rc != (size_t)-1)
			continue;
		if (errno == EINVAL && left < CARRY)
			return;
		if (errno != E2BIG) {
			utf8_put(out, 0xfffd);
			*in = span_from(*in, 1);
		}
	}
}

void
charset_add(struct charset *cs, struct buf *out, struct span in)
{
	/* The character that was cut off, with octets added until it is whole. */
	while (cs->carried > 0 && in.n > 0 && !out->failed) {
		struct span one;

		cs->carry[cs->carried++] = in.p[0];
		in = span_from(in, 1);
		one = span_of(cs->carry, cs->carried);
		if (cs->kind == KIND_ICONV) {
			add_iconv(cs, out, &one);
		} else if (utf8_cut(one) != cs->carried) {
			/* Whole now, or broken: then its last octet may begin the next one. */
			size_t cut = utf8_cut(one);

			add_octets(cs->kind, out, span_of(one.p, one.n - cut));
			one = span_from(one, one.n - cut);
		}
		memmove(cs->carry, one.p, one.n);
		cs->carried = one.n;
	}
	if (in.n == 0)
		return;
	if (cs->kind == KIND_ICONV) {
		add_iconv(cs, out, &in);
	} else {
		size_t cut = cs->kind == KIND_UTF8 || cs->kind == KIND_GUESS ? utf8_cut(in) : 0;

		add_octets(cs->kind, out, span_of(in.p, in.n - cut));
		in = span_from(in, in.n - cut);
	}
	if (in.n > 0 && in.n < CARRY) {
		memcpy(cs->carry, in.p, in.n);
		cs->carried = in.n;
	}
}

void
charset_finish(struct charset *cs, struct buf *out)
{
	if (cs->carried > 0 && cs->kind == KIND_ICONV)
		utf8_put(out, 0xfffd);
	else
		add_octets(cs->kind, out, span_of(cs->carry, cs->carried));
	cs->carried = 0;
	if (cs->kind == KIND_ICONV) {
		char room[64], *to = room;
		size_t space = sizeof(room);

		if (iconv(cs->cd, NULL, NULL, &to, &space) != (size_t)-1)
			buf_add(out, span_of(room, sizeof(room) - space));
	}
}

bool
charset_to_utf8(struct charset_cache *cache, struct buf *out, struct span name, struct span in)
{
	struct charset *cs = charset_open(cache, name);
	bool known;

	if (cs == NULL) {
		out->failed = true;
		return false;
	}
	charset_add(cs, out, in);
	charset_finish(cs, out);
	known = !cs->unknown;
	charset_close(cs);
	return known;
}

/* Sixteen ASCII octets without a CR, in lower case, to `to`; false when they are not that. */
static bool
fold_lane(const char *from, char *to)
{
	lane v = lane_load(from);

	if (lane_any((lane)(v == lane_of('\r')) | (v & lane_of('\x80'))))
		return false;
	v += (lane)((v - lane_of('A')) < lane_of(26)) & lane_of(0x20);
	memcpy(to, &v, sizeof(v));
	return true;
}

static void
fold_code_point(struct buf *out, uint32_t cp)
{
	utf8proc_int32_t parts[64];
	int boundclass = 0;
	utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)cp, parts, 64,
		UTF8PROC_COMPAT | UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD, &boundclass);

	if (n < 0 || n > 64) {
		utf8_put(out, cp);
		return;
	}
	for (utf8proc_ssize_t i = 0; i < n; i++)
		utf8_put(out, (uint32_t)parts[i]);
}

void
charset_fold(struct buf *out, struct span utf8)
{
	size_t pos = 0;

	while (pos < utf8.n && !out->failed) {
		char room[1024];
		size_t used = 0;

		while (used + sizeof(lane) <= sizeof(room) && pos < utf8.n) {
			unsigned char c = (unsigned char)utf8.p[pos];

			if (utf8.n - pos >= sizeof(lane) && fold_lane(utf8.p + pos, room + used)) {
				used += sizeof(lane);
				pos += sizeof(lane);
				continue;
			}
			if (c >= 0x80)
				break;
			/* The octets before the odd one, one by one; then lanes again. */
			do {
				if (c != '\r')
					room[used++] = ascii_lower((char)c);
				pos++;
			} while (c != '\r' && used < sizeof(room) && pos < utf8.n &&
				(c = (unsigned char)utf8.p[pos]) < 0x80);
		}
		buf_add(out, span_of(room, used));
		while (pos < utf8.n && (unsigned char)utf8.p[pos] >= 0x80 && !out->failed) {
			uint32_t cp;

			fold_code_point(out, utf8_next(utf8, &pos, &cp) ? cp : 0xfffd);
		}
	}
}
