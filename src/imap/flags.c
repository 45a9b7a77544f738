/* SPDX-License-Identifier: MIT */
/* Flags and keywords: reading them, writing them, telling which there are (RFC 3501 sections 2.3.2 and 7.2.6). */
#include "imap/session.h"

#define FLAG_NAMES_MAX 128	/* octets of all system flags with their spaces and parentheses */

static const struct {
	struct span name;
	unsigned flag;
} system_flags[] = {	/* in the order in which they are told */
	{ SPAN("\\Answered"), MSG_ANSWERED },
	{ SPAN("\\Flagged"), MSG_FLAGGED },
	{ SPAN("\\Deleted"), MSG_DELETED },
	{ SPAN("\\Seen"), MSG_SEEN },
	{ SPAN("\\Draft"), MSG_DRAFT },
};
#define FORWARDED SPAN("$Forwarded")
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool
take_flag(struct imap_in *in, struct imap_flags *f)
{
	struct span word;

	if (!imap_flag(in, &word))
		return false;
	if (word.p[0] != '\\') {
		if (span_ieq(word, FORWARDED))
			f->flags |= MSG_PASSED;
		else
			f->names[f->name_count++] = word;
		return true;
	}
	for (size_t i = 0; i < COUNT(system_flags); i++)
		if (span_ieq(word, system_flags[i].name)) {
			f->flags |= system_flags[i].flag;
			return true;
		}
	return imap_fail(in, "Invalid system flag");	/* \Recent too: nobody can set it */
}

bool
imap_arg_flags(struct imap_session *s, struct imap_in *in, bool bare, struct imap_flags *out)
{
	size_t most = 1;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < in->s.n; i++)
		most += in->s.p[i] == ' ';
	out->names = arena_alloc(s->arena, most, sizeof(*out->names));
	if (out->names == NULL)
		return imap_fail(in, "Too many flags");
	if (!imap_peek(in, '(')) {
		if (!bare)
			return imap_fail(in, "Expected a list of flags");
		do
			if (!take_flag(in, out))
				return false;
		while (imap_sp(in) && in->s.n > 0);
		return true;
	}
	imap_take(in, '(');
	while (!imap_peek(in, ')')) {
		if (!take_flag(in, out))
			return false;
		if (!imap_peek(in, ')') && !imap_sp(in))
			return false;
	}
	return imap_take(in, ')');
}

void
imap_keywords_load(struct imap_session *s)
{
	s->keyword_count = mailbox_keywords(s->box, &s->keywords);
}

static void
write_keywords(const struct imap_session *s, struct buf *b)
{
	buf_adds(b, "\\Answered \\Flagged \\Deleted \\Seen \\Draft $Forwarded");
	for (size_t i = 0; i < s->keyword_count; i++) {
		if (s->keywords[i].n == 0)
			continue;
		buf_addc(b, ' ');
		buf_add(b, s->keywords[i]);
	}
}

void
imap_keywords_tell(struct imap_session *s)
{
	imap_keywords_load(s);
	buf_reset(&s->scratch);
	write_keywords(s, &s->scratch);
	if (!span_eq(buf_span(&s->scratch), buf_span(&s->told_flags)))
		imap_put_flag_lists(s);
}

/* A keyword that came into being after the list was told: by another session, within this command. */
bool
imap_keywords_stale(const struct imap_session *s, const struct msg_rec *rec)
{
	if (rec->keywords == 0)
		return false;
	for (uint64_t bits = rec->keywords; bits != 0; bits &= bits - 1) {
		size_t bit = (size_t)__builtin_ctzll(bits);

		if (bit >= s->keyword_count || s->keywords[bit].n == 0)
			return true;
	}
	return false;
}

size_t
imap_flags_room(const struct imap_session *s)
{
	size_t room = FLAG_NAMES_MAX;

	for (size_t i = 0; i < s->keyword_count; i++)
		room += s->keywords[i].n + 1;
	return room;
}

static char *
add_word(char *p, const char *start, struct span word)
{
	if (p != start)
		*p++ = ' ';
	memcpy(p, word.p, word.n);
	return p + word.n;
}

char *
imap_flags_format(const struct imap_session *s, char *p, const struct msg_rec *rec)
{
	char *start;

	*p++ = '(';
	start = p;
	for (size_t i = 0; i < COUNT(system_flags); i++)
		if ((rec->flags & system_flags[i].flag) != 0)
			p = add_word(p, start, system_flags[i].name);
	if (mailbox_is_recent(s->box, rec->uid))
		p = add_word(p, start, SPAN("\\Recent"));
	if ((rec->flags & MSG_PASSED) != 0)
		p = add_word(p, start, FORWARDED);
	for (uint64_t bits = rec->keywords; bits != 0; bits &= bits - 1) {
		size_t bit = (size_t)__builtin_ctzll(bits);

		if (bit < s->keyword_count && s->keywords[bit].n > 0)
			p = add_word(p, start, s->keywords[bit]);
	}
	*p++ = ')';
	return p;
}

char *
imap_format_u64(char *p, uint64_t v)
{
	char digits[20];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while ((v /= 10) != 0);
	while (n > 0)
		*p++ = digits[--n];
	return p;
}

uint64_t
imap_keywords_digest(struct imap_session *s)
{
	uint64_t h = 0xcbf29ce484222325ULL;	/* FNV-1a */

	imap_keywords_load(s);
	buf_reset(&s->told_flags);
	write_keywords(s, &s->told_flags);
	for (size_t i = 0; i < s->told_flags.n; i++)
		h = (h ^ (unsigned char)s->told_flags.p[i]) * 0x100000001b3ULL;
	return h;
}

/* Where access control lets the user change some of the flags alone. */
static void
put_allowed(struct imap_session *s, unsigned allowed, bool keywords)
{
	size_t start;

	buf_reset(&s->scratch);
	start = s->scratch.n;
	for (size_t i = 0; i < COUNT(system_flags); i++) {
		if ((allowed & system_flags[i].flag) == 0)
			continue;
		buf_adds(&s->scratch, s->scratch.n > start ? " " : "");
		buf_add(&s->scratch, system_flags[i].name);
	}
	if ((allowed & MSG_PASSED) != 0) {
		buf_adds(&s->scratch, s->scratch.n > start ? " " : "");
		buf_add(&s->scratch, FORWARDED);
	}
	for (size_t i = 0; keywords && i < s->keyword_count; i++) {
		if (s->keywords[i].n == 0)
			continue;
		buf_addc(&s->scratch, ' ');
		buf_add(&s->scratch, s->keywords[i]);
	}
	if (keywords && !mailbox_keywords_full(s->box))
		buf_adds(&s->scratch, " \\*");
	buf_adds(&s->scratch, ")] Flags permitted.\r\n");
	stream_put(&s->io, buf_span(&s->scratch));
}

void
imap_put_flag_lists(struct imap_session *s)
{
	unsigned allowed;
	bool keywords;

	imap_keywords_load(s);
	buf_reset(&s->told_flags);
	write_keywords(s, &s->told_flags);
	stream_put(&s->io, SPAN("* FLAGS ("));
	stream_put(&s->io, buf_span(&s->told_flags));
	stream_put(&s->io, SPAN(")\r\n* OK [PERMANENTFLAGS ("));
	if (s->read_only) {
		stream_put(&s->io, SPAN(")] Read-only mailbox.\r\n"));
		return;
	}
	allowed = mailbox_permanent_flags(s->box, &keywords);
	if (allowed != (MSG_ANSWERED | MSG_FLAGGED | MSG_DELETED | MSG_SEEN | MSG_DRAFT | MSG_PASSED) || !keywords) {
		put_allowed(s, allowed, keywords);
		return;
	}
	stream_put(&s->io, buf_span(&s->told_flags));
	stream_puts(&s->io, mailbox_keywords_full(s->box) ? ")] Flags permitted.\r\n" : " \\*)] Flags permitted.\r\n");
}
