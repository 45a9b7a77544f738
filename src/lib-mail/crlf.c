/* SPDX-License-Identifier: MIT */
#include "lib-mail/crlf.h"

#include "lib/lane.h"

static size_t
lane_sum(lane v)
{
	size_t sum = 0;

	for (size_t i = 0; i < sizeof(v); i++)
		sum += v[i];
	return sum;
}

/*
 * A comparison gives 0xff where it holds, so subtracting it counts in each lane; 255 rounds fit before a lane could
 * overflow.  The octet before each is a second, unaligned load.
 */
static size_t
count_lanes(struct crlf_count *count, const char *p, size_t n)
{
	const lane lf = lane_of('\n'), cr = lane_of('\r');
	size_t done = 0;

	while (n - done >= sizeof(lane)) {
		lane lines = { 0 }, bare = { 0 };

		for (unsigned round = 0; round < 255 && n - done >= sizeof(lane); round++, done += sizeof(lane)) {
			lane here = (lane)(lane_load(p + done) == lf);
			lane before = (lane)(lane_load(p + done - 1) == cr);

			lines -= here;
			bare -= here & ~before;
		}
		count->lines += lane_sum(lines);
		count->bare += lane_sum(bare);
	}
	return done;
}

void
crlf_count(struct crlf_count *count, struct span in, char prev)
{
	size_t i = 0;

	while (i < in.n) {
		if (i > 0 && in.n - i >= sizeof(lane)) {
			i += count_lanes(count, in.p + i, in.n - i);
			prev = in.p[i - 1];
			continue;
		}
		if (in.p[i] == '\n') {
			count->lines++;
			count->bare += prev != '\r';
		}
		prev = in.p[i++];
	}
}

uint64_t
crlf_size(struct span in)
{
	struct crlf_count count = { 0, 0 };

	crlf_count(&count, in, 0);
	return (uint64_t)in.n + count.bare;
}

size_t
crlf_convert(struct crlf *state, struct span *in, char *room, size_t size)
{
	const char *p = in->p, *end = p + in->n;
	size_t used = 0;

	while (p < end && used < size) {
		const char *lf;
		size_t n;

		if (*p == '\n') {
			if (state->cr)
				p++;
			room[used++] = state->cr ? '\n' : '\r';
			state->cr = !state->cr;
			continue;
		}
		n = (size_t)(end - p) < size - used ? (size_t)(end - p) : size - used;
		lf = memchr(p, '\n', n);
		if (lf != NULL)
			n = (size_t)(lf - p);
		memcpy(room + used, p, n);
		used += n;
		p += n;
		state->cr = p[-1] == '\r';
	}
	*in = span_of(p, (size_t)(end - p));
	return used;
}

uint64_t
crlf_skip(struct crlf *state, struct span *in, uint64_t virt)
{
	uint64_t left = virt;
	char scratch[4096];

	/* Whole blocks are only counted; the last one is converted, into nothing. */
	while (in->n >= sizeof(scratch)) {
		struct crlf_count count = { 0, 0 };

		crlf_count(&count, span_of(in->p, sizeof(scratch)), state->cr ? '\r' : 0);
		if (sizeof(scratch) + count.bare > left)
			break;
		left -= sizeof(scratch) + count.bare;
		state->cr = in->p[sizeof(scratch) - 1] == '\r';
		*in = span_from(*in, sizeof(scratch));
	}
	while (left > 0 && in->n > 0)
		left -= crlf_convert(state, in, scratch, left < sizeof(scratch) ? (size_t)left : sizeof(scratch));
	return virt - left;
}

void
crlf_add(struct buf *out, struct span in)
{
	struct crlf_count count = { 0, 0 };
	struct crlf state = { false };

	crlf_count(&count, in, 0);
	if (count.bare == 0) {
		buf_add(out, in);
		return;
	}
	if (in.n > out->max - out->n || count.bare > out->max - out->n - in.n) {
		out->failed = true;
		return;
	}
	if (out->failed || (in.n + count.bare > out->cap - out->n && !buf_grow(out, out->n + in.n + count.bare)))
		return;
	out->n += crlf_convert(&state, &in, out->p + out->n, in.n + count.bare);
}

void
crlf_mask_nuls(char *p, size_t n)
{
	char *nul = p, *end = p + n;

	while (nul < end && (nul = memchr(nul, '\0', (size_t)(end - nul))) != NULL)
		*nul++ = (char)0x80;
}
