/* SPDX-License-Identifier: MIT */
#include "lib/pack.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#define PIECE 65536
#define GZIP_WINDOW (15 + 16)	/* zlib's way to say gzip, with the largest window */

enum pack_kind
pack_detect(struct span first)
{
	static const struct {
		struct span magic;
		enum pack_kind kind;
	} magics[] = {
		{ { "\x1f\x8b\x08", 3 }, PACK_GZIP },
		{ { "\x28\xb5\x2f\xfd", 4 }, PACK_ZSTD },
		{ { "\xfd" "7zXZ\0", 6 }, PACK_FOREIGN },
		{ { "\x04\x22\x4d\x18", 4 }, PACK_FOREIGN },
		{ { "Dovecot-LZ", 10 }, PACK_FOREIGN },
	};

	/* bzip2: a digit, then the first block's mark */
	if (first.n >= 10 && memcmp(first.p, "BZh", 3) == 0 && memcmp(first.p + 4, "1AY&SY", 6) == 0)
		return PACK_FOREIGN;
	for (size_t i = 0; i < sizeof(magics) / sizeof(magics[0]); i++)
		if (span_starts(first, magics[i].magic))
			return magics[i].kind;
	return PACK_NONE;
}

const char *
pack_name(enum pack_kind kind)
{
	static const char *const names[] = { "plain", "gzip", "zstd", "bzip2, xz or LZ4" };

	return names[kind];
}

struct unpacker {
	enum pack_kind kind;
	z_stream z;
	ZSTD_DStream *zstd;
	bool inside;		/* of a stream: its end has not come */
	bool any;
};

int
unpacker_new(enum pack_kind kind, struct unpacker **out, struct err *e)
{
	struct unpacker *u;

	if (kind != PACK_GZIP && kind != PACK_ZSTD)
		return err_set(e, ERR_CORRUPT, "compressed with %s, which is not read here", pack_name(kind));
	u = calloc(1, sizeof(*u));
	if (u == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	u->kind = kind;
	if (kind == PACK_ZSTD)
		u->zstd = ZSTD_createDStream();
	if (kind == PACK_ZSTD ? u->zstd == NULL : inflateInit2(&u->z, GZIP_WINDOW) != Z_OK) {
		free(u);
		return err_set(e, ERR_TEMP, "out of memory");
	}
	*out = u;
	return 0;
}

void
unpacker_free(struct unpacker *u)
{
	if (u == NULL)
		return;
	if (u->kind == PACK_GZIP)
		inflateEnd(&u->z);
	ZSTD_freeDStream(u->zstd);
	free(u);
}

bool
unpacker_is_whole(const struct unpacker *u)
{
	return u->any && !u->inside;
}

/* One call of the library: *used of in, *made octets in room.  1 when that was the end of a stream. */
static int
gunzip(struct unpacker *u, struct span in, char *room, size_t room_n, size_t *used, size_t *made, struct err *e)
{
	int rc;

	u->z.next_in = (Bytef *)(uintptr_t)in.p;
	u->z.avail_in = in.n > UINT32_MAX ? UINT32_MAX : (uInt)in.n;
	*used = u->z.avail_in;
	u->z.next_out = (Bytef *)room;
	u->z.avail_out = (uInt)room_n;
	rc = inflate(&u->z, Z_NO_FLUSH);
	*used -= u->z.avail_in;
	*made = room_n - u->z.avail_out;
	if (rc == Z_STREAM_END)
		return inflateReset(&u->z) == Z_OK ? 1 : err_set(e, ERR_TEMP, "zlib failed");
	if (rc == Z_OK || rc == Z_BUF_ERROR)
		return 0;
	return err_set(e, rc == Z_MEM_ERROR ? ERR_TEMP : ERR_CORRUPT, "gzip: %s", u->z.msg != NULL ? u->z.msg : "damaged");
}

static int
unzstd(struct unpacker *u, struct span in, char *room, size_t room_n, size_t *used, size_t *made, struct err *e)
{
	ZSTD_inBuffer from = { in.p, in.n, 0 };
	ZSTD_outBuffer to = { room, room_n, 0 };
	size_t rc = ZSTD_decompressStream(u->zstd, &to, &from);

	*used = from.pos;
	*made = to.pos;
	if (ZSTD_isError(rc))
		return err_set(e, ERR_CORRUPT, "zstd: %s", ZSTD_getErrorName(rc));
	return rc == 0;
}

int
unpacker_step(struct unpacker *u, struct span *in, struct buf *out, size_t most, struct err *e)
{
	while (out->n < most) {
		size_t room = most - out->n > PIECE ? PIECE : most - out->n, used = 0, made = 0;
		int rc;

		/* Behind an end nothing is asked for without input: that would be the begin of another stream. */
		if (in->n == 0 && !u->inside)
			return 0;
		if (!buf_grow(out, out->n + room))
			return err_set(e, ERR_TEMP, "out of memory");
		rc = u->kind == PACK_GZIP ? gunzip(u, *in, out->p + out->n, room, &used, &made, e) :
		    unzstd(u, *in, out->p + out->n, room, &used, &made, e);
		if (rc == -1)
			return -1;
		out->n += made;
		*in = span_from(*in, used);
		u->any = true;
		u->inside = rc == 0;
		if (used == 0 && made == 0 && rc == 0)
			return in->n == 0 ? 0 : err_set(e, ERR_CORRUPT, "%s: no end", pack_name(u->kind));
	}
	return 1;
}

struct packer {
	enum pack_kind kind;
	z_stream z;
	ZSTD_CCtx *zstd;
	char room[PIECE];
};

int
packer_new(enum pack_kind kind, int level, struct packer **out, struct err *e)
{
	struct packer *p = calloc(1, sizeof(*p));
	bool ok;

	if (p == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	p->kind = kind;
	if (kind == PACK_GZIP) {
		level = level == 0 ? Z_DEFAULT_COMPRESSION : level < 1 ? 1 : level > 9 ? 9 : level;
		ok = deflateInit2(&p->z, level, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) == Z_OK;
	} else {
		p->zstd = ZSTD_createCCtx();
		level = level < 0 ? 1 : level > ZSTD_maxCLevel() ? ZSTD_maxCLevel() : level;
		ok = p->zstd != NULL && !ZSTD_isError(ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, level)) &&
		    !ZSTD_isError(ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_checksumFlag, 1));
	}
	if (!ok) {
		ZSTD_freeCCtx(p->zstd);
		free(p);
		return err_set(e, ERR_TEMP, "out of memory");
	}
	*out = p;
	return 0;
}

void
packer_free(struct packer *p)
{
	if (p == NULL)
		return;
	if (p->kind == PACK_GZIP)
		deflateEnd(&p->z);
	ZSTD_freeCCtx(p->zstd);
	free(p);
}

static int
run_gzip(struct packer *p, struct span in, int (*put)(void *, struct span, struct err *), void *arg, struct err *e)
{
	int rc = deflateReset(&p->z);

	while (rc == Z_OK || rc == Z_BUF_ERROR) {
		size_t n = in.n > PIECE * 16 ? PIECE * 16 : in.n;

		p->z.next_in = (Bytef *)(uintptr_t)in.p;
		p->z.avail_in = (uInt)n;
		p->z.next_out = (Bytef *)p->room;
		p->z.avail_out = PIECE;
		rc = deflate(&p->z, n == in.n ? Z_FINISH : Z_NO_FLUSH);
		in = span_from(in, n - p->z.avail_in);
		if (p->z.avail_out < PIECE && put(arg, span_of(p->room, PIECE - p->z.avail_out), e) == -1)
			return -1;
	}
	return rc == Z_STREAM_END ? 0 : err_set(e, ERR_TEMP, "zlib can not compress");
}

static int
run_zstd(struct packer *p, struct span in, int (*put)(void *, struct span, struct err *), void *arg, struct err *e)
{
	ZSTD_inBuffer from = { in.p, in.n, 0 };
	size_t left = 1;

	ZSTD_CCtx_reset(p->zstd, ZSTD_reset_session_only);
	/* The size in the head: whoever reads needs no more window than that. */
	ZSTD_CCtx_setPledgedSrcSize(p->zstd, in.n);
	while (left != 0) {
		ZSTD_outBuffer to = { p->room, PIECE, 0 };

		left = ZSTD_compressStream2(p->zstd, &to, &from, ZSTD_e_end);
		if (ZSTD_isError(left))
			return err_set(e, ERR_TEMP, "zstd can not compress: %s", ZSTD_getErrorName(left));
		if (to.pos > 0 && put(arg, span_of(p->room, to.pos), e) == -1)
			return -1;
	}
	return 0;
}

int
packer_run(struct packer *p, struct span in, int (*put)(void *, struct span, struct err *), void *arg, struct err *e)
{
	return p->kind == PACK_GZIP ? run_gzip(p, in, put, arg, e) : run_zstd(p, in, put, arg, e);
}
