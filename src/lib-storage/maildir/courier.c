/* SPDX-License-Identifier: MIT */
/* The files of Courier's POP3 server and of its keywords. */
#include "lib-storage/maildir/uidlist.h"

#include <stdio.h>

void
courier_pop3_begin(struct courier_pop3 *c, struct span text)
{
	struct span line, word;
	uint32_t version;

	*c = (struct courier_pop3){ .text = text };
	if (text.n == 0 || text.p[0] != '/' || !span_line(text, &c->used, &line))
		return;
	line = span_from(line, 1);
	if (span_next(&line, ' ', &word) && span_u32(word, &version))
		c->version = version;
}

/* The last word of s, which is cut off. */
static bool
take_last(struct span *s, struct span *word_out)
{
	size_t at = s->n;

	while (at > 0 && s->p[at - 1] != ' ')
		at--;
	if (at == 0)
		return false;
	*word_out = span_from(*s, at);
	*s = span_sub(*s, 0, at - 1);
	return true;
}

/* A UIDL that is the file's name: what can not be in one is written as +XX. */
static void
name_uidl(struct span base, char uidl[512])
{
	size_t n = 0;

	for (size_t i = 0; i < base.n && n < 500; i++) {
		char c = base.p[i];

		if (c < 0x21 || c > 0x7e || c == '\'' || c == '"' || c == '+')
			n += (size_t)snprintf(uidl + n, 512 - n, "+%02X", (unsigned)(unsigned char)c);
		else
			uidl[n++] = c;
	}
	uidl[n] = '\0';
}

static bool
parse_pop3_line(unsigned version, struct span line, struct span *base_out, char uidl[512])
{
	struct span id = SPAN_NONE, size, part;
	uint64_t number = 0, validity = 0, octets;

	if (version > 0 && !take_last(&line, &id))
		return false;
	if (!take_last(&line, &size) || !span_u64(size, INT64_MAX, &octets) || line.n == 0)
		return false;
	if (version > 0 && (!span_next(&id, ':', &part) || !span_u64(part, INT64_MAX, &number)))
		return false;
	if (version > 0 && span_next(&id, ':', &part) && !span_u64(part, INT64_MAX, &validity))
		return false;
	*base_out = span_sub(line, 0, span_chr(line, ':'));
	if (base_out->n == 0 || base_out->n > 255 || span_chr(*base_out, '/') != base_out->n ||
	    span_chr(*base_out, '\0') != base_out->n)
		return false;
	if (number == 0)
		name_uidl(*base_out, uidl);
	else if (validity != 0)
		snprintf(uidl, 512, "UID%llu-%llu", (unsigned long long)number, (unsigned long long)validity);
	else
		snprintf(uidl, 512, "UID%llu", (unsigned long long)number);
	return true;
}

bool
courier_pop3_next(struct courier_pop3 *c, struct span *base_out, char uidl[512])
{
	struct span line;

	while (span_line(c->text, &c->used, &line)) {
		if (line.n == 0)
			continue;
		if (parse_pop3_line(c->version, line, base_out, uidl))
			return true;
		c->unsound++;
	}
	return false;
}

uint32_t
courier_keyword_bit(struct courier_keywords *c, struct span name)
{
	if (!keyword_is_legal(name))
		return 0;
	for (size_t i = 0; i < c->count; i++)
		if (span_ieq(c->names[i], name))
			return (uint32_t)1 << i;
	if (c->count == KEYWORD_LETTERS)
		return 0;
	c->names[c->count] = name;
	return (uint32_t)1 << c->count++;
}

void
courier_keywords_begin(struct courier_keywords *c, struct span text)
{
	struct span line;

	*c = (struct courier_keywords){ .text = text };
	/* A name that can be no keyword keeps its place: the numbers behind count it. */
	while (span_line(text, &c->used, &line) && line.n > 0) {
		if (c->count == KEYWORD_LETTERS)
			c->unsound++;
		else
			c->names[c->count++] = keyword_is_legal(line) ? line : SPAN_NONE;
	}
}

bool
courier_keywords_next(struct courier_keywords *c, struct span *base_out, uint32_t *mask_out)
{
	struct span line;

	while (span_line(c->text, &c->used, &line)) {
		size_t colon = span_chr(line, ':');
		struct span rest = span_from(line, colon + 1), word;
		uint32_t i;

		*mask_out = 0;
		*base_out = span_sub(line, 0, colon);
		if (colon == 0 || colon == line.n) {
			c->unsound += line.n > 0;
			continue;
		}
		while (span_next(&rest, ' ', &word))
			if (span_u32(word, &i) && i < c->count && c->names[i].n > 0)
				*mask_out |= (uint32_t)1 << i;
		return true;
	}
	return false;
}
