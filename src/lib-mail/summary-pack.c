/* SPDX-License-Identifier: MIT */
/*
 * A summary as the index keeps it:
 *
 *	"CVQ" and the version	4	| checksum of the rest of the head	4
 *	octets of the head	1	| checksum of what is behind it		4
 *	flags, zone, sent date, size, what CRLF adds to it, the same of the header, sizes of the five pieces: each in seven bits
 *	an octet, the lowest first, the last octet without its highest bit
 *
 * and the pieces: fields and entries as they are, since they are often all that is asked for; the others squeezed, with the
 * fields and what mails have in common known.  To change a letter of that is to change the version.
 */
#include "lib/squeeze.h"
#include "lib-mail/summary-priv.h"

enum { PACKED_FIXED = 13, NUMBERS = 12, NUMBER_MAX = 10 };

#define MAGIC 0x43565102u	/* the last octet is the version: 2 */

/* The nearer to the end the shorter it would be; here all distances take the same. */
static const char known[] =
    "Received: from [127.0.0.1] (localhost [127.0.0.1])\r\n\tby mail. (Postfix) with ESMTPS id ESMTPSA for <; "
    "Return-Path: <bounce\r\nDelivered-To: \r\nSender: \r\nReply-To: noreply@\r\nBcc: \r\nCc: \r\n"
    "Lists: \r\nPrecedence: bulk\r\nPrecedence: list\r\nX-Priority: 3 (Normal)\r\nImportance: normal\r\n"
    "Auto-Submitted: auto-generated\r\nOrganization: \r\nX-Mailing-List: \r\nX-BeenThere: \r\nErrors-To: \r\n"
    "List-Id: <lists.\r\nList-Unsubscribe: <https://www.\r\nList-Unsubscribe: <mailto:unsubscribe@?subject=unsubscribe>\r\n"
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nList-Post: <mailto:\r\nList-Help: <mailto:?subject=help>\r\n"
    "List-Archive: <https://lists.\r\nList-Subscribe: <mailto:?subject=subscribe>\r\nList-Owner: <mailto:"
    "MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n\tboundary=\"----=_Part_\"\r\nContent-Type: multipart/mixed; "
    "boundary=\"===============\"\r\nContent-Type: multipart/related;\r\n boundary=\"--==_mimepart_\r\n"
    "Content-Type: multipart/signed; micalg=pgp-sha256; protocol=\"application/pgp-signature\"; boundary=\""
    "Content-Type: text/html; charset=\"utf-8\"\r\nContent-Transfer-Encoding: quoted-printable\r\n"
    "Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n"
    "Content-Type: text/plain; charset=\"UTF-8\"; format=flowed\r\nContent-Transfer-Encoding: 8bit\r\n"
    "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: inline\r\n"
    "Content-Language: en-US\r\nIn-Reply-To: <\r\nReferences: <\r\n <Subject: Re: Subject: Fwd: Aw: Subject: =?UTF-8?Q?"
    "Subject: =?utf-8?B?=?iso-8859-1?Q?_=20=C3=A4=C3=BC?=\r\n =?@gmail.com>@hotmail.com>@outlook.com>@yahoo.com>.org>.net>"
    "Sun, Tue, Wed, Thu, Fri, Sat, Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec 2023 2025 2026 2027 "
    " +0100 (CET)\r\n -0500\r\n +0200 (CEST)\r\n -0700 (PDT)\r\n +0000 (UTC)\r\n GMT\r\n"
    "From: \"\r\nFrom: =?utf-8?From: <\r\nTo: <\r\nTo: \"\r\nTo: undisclosed-recipients:;\r\n"
    "\r\nTo: @example.org>\r\nSubject: \r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\nMessage-ID: <@mail.gmail.com>\r\n"
    "(\"Mon, \" +0000\" ((\"\" NIL \"\" \"\")) ((NIL NIL \"\" \"gmail.com\")) ((NIL NIL \" NIL NIL NIL \"<\" \"<>\")"
    "((\"text\" \"plain\" (\"charset\" \"utf-8\" \"format\" \"flowed\") NIL NIL \"quoted-printable\" "
    "NIL NIL NIL NIL)(\"text\" \"html\" (\"charset\" \"UTF-8\") NIL NIL \"8bit\" (\"charset\" \"iso-8859-1\") NIL NIL \"base64\" "
    "NIL (\"attachment\" (\"filename\" \"NIL (\"inline\" NIL) NIL NIL)(\"application\" \"pdf\" (\"name\" \".pdf\") NIL NIL "
    "(\"image\" \"png\" (\"name\" \"image001.png\") \"<image001.png@\" NIL \"base64\" (\"image\" \"jpeg\" (\"name\" \".jpg\")"
    "(\"application\" \"octet-stream\" (\"name\" \"application\" \"pgp-signature\" (\"message\" \"rfc822\" NIL NIL NIL "
    " \"alternative\" (\"boundary\" \"----=_Part_\") NIL NIL NIL) \"mixed\" (\"boundary\" \"===============\") NIL NIL NIL)"
    " \"related\" (\"boundary\" \"\") NIL NIL NIL)(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" NIL NIL NIL NIL)";

#define KNOWN (sizeof(known) - 1)

/* Made once: it is the same for all. */
static const struct squeezer *
squeezer(void)
{
	static struct squeezer s;

	if (s.known == 0)
		squeezer_init(&s, span_of(known, KNOWN));
	return &s;
}

static void
put_number(struct buf *out, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_addc(out, (char)(v | 0x80));
	buf_addc(out, (char)v);
}

static bool
get_number(const char **p, const char *end, uint64_t *out)
{
	unsigned shift = 0;
	unsigned char c;

	*out = 0;
	do {
		if (*p == end || shift == 7 * NUMBER_MAX)
			return false;
		c = (unsigned char)*(*p)++;
		*out |= (uint64_t)(c & 0x7f) << shift;
		shift += 7;
	} while (c & 0x80);
	return true;
}

static void
put_head(struct buf *out, const struct summary_view *v)
{
	const size_t sizes[SUMMARY_PIECES] = { v->fields.n, v->envelope.n, v->bodystructure.n, v->holes.n, v->entries.n };

	buf_add_be32(out, MAGIC);
	buf_add_be32(out, 0);
	buf_addc(out, 0);
	buf_add_be32(out, 0);
	put_number(out, v->flags);
	put_number(out, (uint64_t)(v->sent.tz + SUMMARY_TZ_BIAS));
	/* Times before 1970 are odd. */
	put_number(out, v->sent.time < 0 ? ~(uint64_t)v->sent.time << 1 | 1 : (uint64_t)v->sent.time << 1);
	put_number(out, v->size);
	put_number(out, v->virtual_size - v->size);
	put_number(out, v->header_size);
	put_number(out, v->header_virtual - v->header_size);
	for (unsigned i = 0; i < SUMMARY_PIECES; i++)
		put_number(out, sizes[i]);
}

void
summary_pack(struct buf *out, struct span summary)
{
	struct buf all = BUF_INIT(SUMMARY_ROOM_MAX);
	struct summary_view v;
	size_t start = out->n, head;

	if (!summary_view(summary, &v)) {
		out->failed = true;
		return;
	}
	put_head(out, &v);
	head = out->n - start;
	buf_add(out, v.fields);
	buf_add(out, v.entries);
	buf_add(&all, span_of(known, KNOWN));
	buf_add(&all, v.fields);
	buf_add(&all, v.envelope);
	buf_add(&all, v.bodystructure);
	buf_add(&all, v.holes);
	if (all.failed)
		out->failed = true;
	else
		squeeze(out, squeezer(), buf_span(&all), KNOWN + v.fields.n);
	buf_clear(&all);
	if (out->failed)
		return;
	out->p[start + 8] = (char)head;
	be32_put(out->p + start + 9, summary_checksum(out->p + start + head, out->n - start - head));
	be32_put(out->p + start + 4, summary_checksum(out->p + start + 8, head - 8));
}

/* 0: it is none. */
static size_t
read_head(struct span packed, struct summary_view *v, uint64_t sizes[SUMMARY_PIECES])
{
	uint64_t n[NUMBERS - SUMMARY_PIECES];
	const char *p = packed.p, *end;
	size_t head;

	if (packed.n < PACKED_FIXED || be32_get(p) != MAGIC)
		return 0;
	head = (unsigned char)p[8];
	if (head < PACKED_FIXED || head > packed.n || be32_get(p + 4) != summary_checksum(p + 8, head - 8))
		return 0;
	end = p + head;
	p += PACKED_FIXED;
	for (unsigned i = 0; i < NUMBERS - SUMMARY_PIECES; i++)
		if (!get_number(&p, end, &n[i]))
			return 0;
	for (unsigned i = 0; i < SUMMARY_PIECES; i++)
		if (!get_number(&p, end, &sizes[i]) || sizes[i] > SUMMARY_ROOM_MAX)
			return 0;
	if (p != end || n[0] > UINT32_MAX || n[1] > 2 * SUMMARY_TZ_BIAS)
		return 0;
	*v = (struct summary_view){
		.flags = (unsigned)n[0],
		.sent = { n[2] & 1 ? (int64_t)~(n[2] >> 1) : (int64_t)(n[2] >> 1), (int32_t)n[1] - SUMMARY_TZ_BIAS },
		.size = n[3], .virtual_size = n[3] + n[4], .header_size = n[5], .header_virtual = n[5] + n[6],
	};
	return head;
}

bool
summary_packed_head(struct span packed, struct summary_view *out)
{
	uint64_t sizes[SUMMARY_PIECES];

	return read_head(packed, out, sizes) != 0;
}

static bool
rest_is_sound(struct span packed, size_t head)
{
	return be32_get(packed.p + 9) == summary_checksum(packed.p + head, packed.n - head);
}

bool
summary_packed_is_sound(struct span packed)
{
	uint64_t sizes[SUMMARY_PIECES];
	struct summary_view v;
	size_t head = read_head(packed, &v, sizes);

	return head != 0 && rest_is_sound(packed, head);
}

/* Fields and entries, which are there as they are; where the rest begins, 0: packed is none. */
static size_t
unpack_front(struct span packed, struct summary_view *v, uint64_t sizes[SUMMARY_PIECES])
{
	size_t head = read_head(packed, v, sizes), left = packed.n - head;

	if (head == 0 || !rest_is_sound(packed, head) || sizes[0] > left || sizes[4] > left - sizes[0])
		return 0;
	v->fields = span_sub(packed, head, (size_t)sizes[0]);
	v->entries = span_sub(packed, head + v->fields.n, (size_t)sizes[4]);
	return head + v->fields.n + v->entries.n;
}

bool
summary_unpack(struct buf *room, struct span packed, struct summary_view *out)
{
	struct summary_view v;
	struct span *const pieces[] = { &v.envelope, &v.bodystructure, &v.holes };
	uint64_t sizes[SUMMARY_PIECES], total;
	size_t front = unpack_front(packed, &v, sizes), pos;

	if (front == 0)
		return false;
	pos = KNOWN + v.fields.n;
	total = sizes[1] + sizes[2] + sizes[3];
	if (room->n != KNOWN) {
		buf_reset(room);
		buf_add(room, span_of(known, KNOWN));
	}
	if (total > SUMMARY_ROOM_MAX / 2 || !buf_grow(room, pos + (size_t)total + SQUEEZE_SLACK))
		return false;
	if (v.fields.n > 0)
		memcpy(room->p + KNOWN, v.fields.p, v.fields.n);
	if (!unsqueeze(room->p, pos, (size_t)total, span_from(packed, front)))
		return false;
	for (unsigned i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		*pieces[i] = span_of(room->p + pos, (size_t)sizes[i + 1]);
		pos += (size_t)sizes[i + 1];
	}
	if (!summary_is_sound(&v))
		return false;
	*out = v;
	return true;
}

bool
summary_unpack_fields(struct span packed, struct summary_view *out)
{
	struct summary_view v;
	uint64_t sizes[SUMMARY_PIECES];

	if (unpack_front(packed, &v, sizes) == 0 || !summary_is_sound(&v))
		return false;
	*out = v;
	return true;
}
