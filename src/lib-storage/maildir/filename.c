/* SPDX-License-Identifier: MIT */
/*
 * <sec>.M<usec>P<pid>.<host>,S=<size>,W=<crlf size>,U=<uidvalidity hex>.<uid>:2,<flags>
 * Flags are D F P R S T, keywords a to z; what else may stand there is kept.
 */
#include "lib-storage/maildir/maildir.h"

#include <stdio.h>
#include <unistd.h>
#include "lib/sys.h"

static const char letters[] = "DFPRST";		/* in the order that a name has them */
static const uint8_t letter_flags[] = { IDX_DRAFT, IDX_FLAGGED, IDX_PASSED, IDX_ANSWERED, IDX_SEEN, IDX_DELETED };

bool
maildir_hex32(struct span s, uint32_t *out)
{
	uint32_t v = 0;

	if (s.n == 0 || s.n > 8)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);

		if (!ascii_is_digit(c) && !(c >= 'a' && c <= 'f'))
			return false;
		v = v << 4 | (uint32_t)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
	}
	*out = v;
	return true;
}

static void
parse_field(struct span f, struct maildir_name *out)
{
	uint64_t v;

	if (f.n < 3 || f.p[1] != '=')
		return;
	switch (f.p[0]) {
	case 'S':
		if (span_u64(span_from(f, 2), INT64_MAX, &v))
			out->size = v;
		break;
	case 'W':
		if (span_u64(span_from(f, 2), INT64_MAX, &v))
			out->virtual_size = v;
		break;
	case 'U': {
		struct span val = span_from(f, 2);
		size_t dot = span_chr(val, '.');
		uint32_t validity, uid;

		if (dot < val.n && maildir_hex32(span_sub(val, 0, dot), &validity) && span_u32(span_from(val, dot + 1), &uid) &&
		    validity != 0 && uid != 0 && uid != UINT32_MAX) {
			out->uidvalidity = validity;
			out->uid = uid;
		}
		break;
	}
	default:
		break;
	}
}

static void
parse_info(struct span info, struct maildir_name *out)
{
	if (info.n < 2 || info.p[0] != '2' || info.p[1] != ',')
		return;
	out->info = span_from(info, 2);
	for (size_t i = 2; i < info.n; i++) {
		char c = info.p[i];

		if (c >= 'a' && c <= 'z') {
			out->keywords |= (uint32_t)1 << (c - 'a');
			continue;
		}
		for (size_t k = 0; k < sizeof(letter_flags); k++)
			if (letters[k] == c)
				out->flags |= letter_flags[k];
	}
}

bool
maildir_name_base(struct span name, struct span *base_out)
{
	size_t colon = span_chr(name, ':');

	if (name.n == 0 || name.n > MAILDIR_NAME_MAX || name.p[0] == '.' || colon == 0 || span_chr(name, '/') != name.n ||
	    span_chr(name, '\0') != name.n)
		return false;
	*base_out = span_sub(name, 0, colon);
	return true;
}

bool
maildir_name_parse(struct span name, struct maildir_name *out)
{
	struct span rest, piece, unique;
	uint64_t v;
	size_t n;

	*out = (struct maildir_name){ .size = IDX_SIZE_UNKNOWN, .virtual_size = IDX_SIZE_UNKNOWN };
	if (!maildir_name_base(name, &out->base))
		return false;
	parse_info(span_from(name, out->base.n + 1), out);
	unique = span_sub(out->base, 0, span_chr(out->base, ','));
	n = span_chr(unique, '.');
	if (span_u64(span_sub(unique, 0, n), INT32_MAX * (uint64_t)4, &v))
		out->sec = (int64_t)v;
	if (n + 1 < unique.n && unique.p[n + 1] == 'M') {
		for (size_t i = n + 2; i < unique.n && i < n + 8 && ascii_is_digit(unique.p[i]); i++)
			out->usec = out->usec * 10 + (uint32_t)(unique.p[i] - '0');
	}
	rest = span_from(out->base, span_chr(out->base, ','));
	while (span_next(&rest, ',', &piece))
		parse_field(piece, out);
	return true;
}

size_t
maildir_name_plain(char out[MAILDIR_NAME_MAX + 1], struct span base)
{
	struct span rest = base, piece;
	size_t n = 0;
	bool first = true;

	while (span_next(&rest, ',', &piece) && n + piece.n + 1 <= MAILDIR_NAME_MAX) {
		if (!first && piece.n >= 2 && piece.p[0] == 'U' && piece.p[1] == '=')
			continue;
		if (!first)
			out[n++] = ',';
		memcpy(out + n, piece.p, piece.n);
		n += piece.n;
		first = false;
	}
	out[n] = '\0';
	return n;
}

bool
maildir_name_tag(char out[MAILDIR_NAME_MAX + 1], struct span base, uint32_t uidvalidity, uint32_t uid)
{
	struct span rest = base, piece;
	char tag[32];
	int tag_n = snprintf(tag, sizeof(tag), ",U=%08x.%u", uidvalidity, uid);
	size_t n = 0;
	bool first = true;

	while (span_next(&rest, ',', &piece)) {
		if (!first && piece.n >= 2 && piece.p[0] == 'U' && piece.p[1] == '=')
			continue;
		if (n + piece.n + 1 > MAILDIR_NAME_MAX)
			return false;
		if (!first)
			out[n++] = ',';
		memcpy(out + n, piece.p, piece.n);
		n += piece.n;
		first = false;
	}
	/* Room for the flags that it will have one day: ":2,", six flags, 26 keywords. */
	if (n + (size_t)tag_n + 3 + 6 + MAILDIR_LETTERS > MAILDIR_NAME_MAX)
		return false;
	memcpy(out + n, tag, (size_t)tag_n + 1);
	return true;
}

bool
maildir_name_info(char out[MAILDIR_NAME_MAX + 1], struct span base, struct span old, uint8_t flags, uint64_t keywords,
    bool cur)
{
	bool present[128] = { false };
	size_t n = base.n, others = 0;

	if (n > MAILDIR_NAME_MAX || (cur && n + 3 > MAILDIR_NAME_MAX))
		return false;
	memcpy(out, base.p, n);
	out[n] = '\0';
	if (!cur)
		return true;
	for (size_t k = 0; k < sizeof(letter_flags); k++)
		present[(int)letters[k]] = flags & letter_flags[k];
	for (int k = 0; k < MAILDIR_LETTERS; k++)
		present['a' + k] = keywords >> k & 1;
	/* Other programs' letters, such as a Z that says "compressed". */
	for (size_t i = 0; i < old.n && old.p[i] != ','; i++) {
		unsigned char c = (unsigned char)old.p[i];

		if (c <= ' ' || c >= 0x7f || c == ':' || c == '/' || (c >= 'a' && c <= 'z') || memchr(letters, c, 6) != NULL)
			continue;
		others += !present[c];
		present[c] = true;
	}
	memcpy(out + n, ":2,", 3);
	n += 3;
	/* Ours first, if there is no room for all. */
	if (n + 6 + MAILDIR_LETTERS + others > MAILDIR_NAME_MAX)
		for (int c = '!'; c < 0x7f; c++)
			present[c] = present[c] && ((c >= 'a' && c <= 'z') || memchr(letters, c, 6) != NULL);
	for (int c = '!'; c < 0x7f && n < MAILDIR_NAME_MAX; c++)
		if (present[c])
			out[n++] = (char)c;
	out[n] = '\0';
	return true;
}

void
maildir_name_sizes(const struct maildir_name *n, uint64_t file, uint64_t virtual_size, uint64_t *size_out,
    uint64_t *virtual_out)
{
	*virtual_out = virtual_size != IDX_SIZE_UNKNOWN ? virtual_size : n->virtual_size;
	/* A file that is smaller than S= is compressed; one without S= may be, and nobody has looked. */
	if (n->size == IDX_SIZE_UNKNOWN || n->size > file)
		*size_out = n->size;
	else
		*size_out = file;
}

/* The host's part of a name: what Maildir cannot have in one is written in octal. */
static const char *
host_part(void)
{
	static char host[80];
	const char *h = host_name();
	size_t n = 0;

	if (host[0] != '\0')
		return host;
	for (; *h != '\0' && n < sizeof(host) - 8; h++) {
		if (*h == '/' || *h == ':' || *h == ',' || (unsigned char)*h <= ' ')
			n += (size_t)snprintf(host + n, sizeof(host) - n, "\\%03o", (unsigned char)*h);
		else
			host[n++] = *h;
	}
	if (n == 0)
		memcpy(host, "localhost", 10);
	return host;
}

bool
maildir_name_new(char out[MAILDIR_NAME_MAX + 1], uint64_t size, uint64_t virtual_size, uint32_t uidvalidity, uint32_t uid)
{
	static int64_t last;
	int64_t now = clock_wall_us();
	int n;

	if (now <= last)
		now = last + 1;
	last = now;
	n = snprintf(out, MAILDIR_NAME_MAX + 1, "%lld.M%lluP%d.%s", (long long)(now / 1000000),
	    (unsigned long long)(now % 1000000), (int)getpid(), host_part());
	if (size != IDX_SIZE_UNKNOWN)
		n += snprintf(out + n, (size_t)(MAILDIR_NAME_MAX + 1 - n), ",S=%llu", (unsigned long long)size);
	if (size != IDX_SIZE_UNKNOWN && virtual_size != IDX_SIZE_UNKNOWN)
		n += snprintf(out + n, (size_t)(MAILDIR_NAME_MAX + 1 - n), ",W=%llu", (unsigned long long)virtual_size);
	/* 80 octets of host, four numbers: never near the end. */
	n += snprintf(out + n, (size_t)(MAILDIR_NAME_MAX + 1 - n), ",U=%08x.%u", uidvalidity, uid);
	return n <= MAILDIR_NAME_MAX - 3 - 6 - MAILDIR_LETTERS;
}
