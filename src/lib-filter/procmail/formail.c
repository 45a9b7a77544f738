/* SPDX-License-Identifier: MIT */
#include "lib-filter/procmail/formail.h"

#include <time.h>
#include "lib-filter/procmail/run.h"
#include "lib/array.h"

#define FIELDS_MAX 1000000	/* of a header; what is behind them belongs to the last.  One more for a From_ line */

#define NOBODY "foo@bar"	/* where no address was found */

struct field {
	struct span text;	/* with continued lines and the newline at the end */
	size_t name;		/* octets of its name, with the colon; of "From " five */
	bool gone, old;		/* removed; Old- in front */
	struct span renamed;	/* in the place of so many octets of the name */
	size_t renamed_octets;
	bool keep;		/* -i with -r: taken over into the reply */
};

struct option {
	char letter;
	struct span text, to;	/* to: of -R */
	size_t name;		/* octets of text that are the name, or the beginning of one */
	bool whole;		/* the name has its colon */
};

struct formail {
	const struct formail_context *c;
	struct option options[FORMAIL_FIELDS];
	size_t option_count;
	bool extracts, escapes, forces, reply, trusts, keeps, joins, zaps;
	bool nobody;		/* an answer has nobody to go to */
	struct span prefix;
	struct array fields;
	struct span body;
	struct buf from, again;	/* From_ lines that were made: of a message without one, and for -a */
	struct buf plain;	/* the text, when names in it have blanks in front of their colons */
	struct buf *out;
};

/* Octets that a name may have. */
static size_t
name_octets(struct span s)
{
	size_t n = 0;

	while (n < s.n && (unsigned char)s.p[n] > ' ' && s.p[n] != 0x7f && s.p[n] != ':')
		n++;
	return n;
}

/* The name that a line begins with, with its colon, and blanks in front of that (RFC 5322 section 4.5); 0: none. */
static size_t
name_length(struct span line)
{
	size_t n = name_octets(line), colon = n;

	while (colon < line.n && ascii_is_wsp(line.p[colon]))
		colon++;
	if (n > 0 && colon < line.n && line.p[colon] == ':')
		return colon + 1;
	return span_starts(line, SPAN("From ")) ? 5 : 0;
}

/* The text with no blanks between names and colons, in f->plain if there were any. */
static struct span
without_blanks(struct formail *f, struct span in)
{
	size_t copied = 0;

	for (size_t at = 0; at < in.n && in.p[at] != '\n'; at += span_chr(span_from(in, at), '\n') + 1) {
		struct span line = span_sub(in, at, span_chr(span_from(in, at), '\n'));
		size_t name = name_length(line), octets = name_octets(line);

		if (name == 0 && !ascii_is_wsp(in.p[at]) && in.p[at] != '>')
			break;
		if (name <= octets + 1 || line.p[name - 1] != ':')
			continue;
		buf_add(&f->plain, span_sub(in, copied, at + octets - copied));
		copied = at + name - 1;
	}
	if (copied == 0)
		return in;
	buf_add(&f->plain, span_from(in, copied));
	return buf_span(&f->plain);
}

static bool
split(struct formail *f, struct span in)
{
	f->fields = ARRAY_INIT(struct field, FIELDS_MAX + 1);
	f->plain = BUF_INIT(f->out->max);
	in = without_blanks(f, in);
	if (f->plain.failed)
		return false;
	while (in.n > 0) {
		size_t n = span_chr(in, '\n') + 1, name;
		struct field *x = f->fields.n == 0 ? NULL : array_at(&f->fields, f->fields.n - 1);

		n = n > in.n ? in.n : n;
		if (in.p[0] == '\n')
			break;
		name = name_length(span_sub(in, 0, n));
		if (x != NULL && (ascii_is_wsp(in.p[0]) || f->fields.n >= FIELDS_MAX ||
		    (f->fields.n == 1 && span_starts(in, SPAN(">From ")) && span_starts(x->text, SPAN("From "))))) {
			x->text.n += n;
		} else if (name > 0 && !(name == 5 && in.p[4] == ' ' && f->fields.n > 0)) {
			x = array_push(&f->fields);
			if (x == NULL)
				return false;
			*x = (struct field){ .text = span_sub(in, 0, n), .name = name };
		} else {
			break;	/* no header, or its end without an empty line */
		}
		in = span_from(in, n);
	}
	f->body = in.n > 0 && in.p[0] == '\n' ? span_from(in, 1) : in;
	return true;
}

static void
fields_clear(struct formail *f)
{
	array_clear(&f->fields);
	buf_clear(&f->plain);
}

/* An option's field: the whole name with its colon, or the beginning of names. */
static bool
is_named(const struct field *x, struct span name)
{
	return span_istarts(x->text, name) && name.n <= x->name;
}

/* The same for what becomes of it: -i and -R have been applied. */
static bool
is_named_now(const struct field *x, struct span name)
{
	size_t n = name.n < x->renamed.n ? name.n : x->renamed.n;

	if (x->gone || x->old)
		return false;
	if (x->renamed.p == NULL)
		return is_named(x, name);
	return span_ieq(span_sub(x->renamed, 0, n), span_sub(name, 0, n)) &&
	    span_istarts(span_from(x->text, x->renamed_octets), span_from(name, n));
}

static struct span
option_name(const struct option *o)
{
	return span_sub(o->text, 0, o->name);
}

/* -i and -I with a field to put in the place of others, be it of blanks. */
static bool
has_content(const struct option *o)
{
	return o->whole && o->text.n > o->name;
}

static struct field *
field_at(const struct formail *f, size_t i)
{
	return array_at(&f->fields, i);
}

static struct field *
find(const struct formail *f, const char *name)
{
	for (size_t i = 0; i < f->fields.n; i++)
		if (!field_at(f, i)->gone && !field_at(f, i)->old && field_at(f, i)->name == strlen(name) && span_ieq(span_sub(field_at(f, i)->text, 0, field_at(f, i)->name), span_str(name)))
			return field_at(f, i);
	return NULL;
}

static struct span
content(const struct field *x)
{
	return x == NULL ? SPAN_NONE : span_from(x->text, x->name);
}

/* The bare address in what a field of addresses says first. */
static struct span
first_address(struct span s)
{
	size_t open = span_chr(s, '<'), n;

	s = span_trim(s);
	open = span_chr(s, '<');
	if (open < s.n) {
		s = span_from(s, open + 1);
		return span_trim(span_sub(s, 0, span_chr(s, '>')));
	}
	for (n = 0; n < s.n && s.p[n] != ',' && s.p[n] != ' ' && s.p[n] != '\t' && s.p[n] != '\n' && s.p[n] != '('; n++)
		;
	return span_sub(s, 0, n);
}

/* How much an address says, whatever field it stands in. */
static unsigned
address_rank(struct span address)
{
	bool has_at = span_chr(address, '@') < address.n;

	if (address.n == 0)
		return 0;
	if (span_chr(address, '!') < address.n)
		return has_at ? 2 : 3;
	return !has_at ? 1 : span_chr(address, '.') < address.n ? 4 : 2;
}

static struct span
sender(const struct formail *f, bool trusts)
{
	static const char *const envelope[] = { "From ", "Return-Path:", "Errors-To:", "Resent-Sender:", "Resent-From:",
		"Resent-Reply-To:", "Sender:", "From:", "Reply-To:", "Path:" };
	static const char *const header[] = { "Reply-To:", "From:", "Sender:", "Return-Path:", "From ", "Errors-To:", "Resent-From:",
		"Resent-Sender:", "Resent-Reply-To:", "Path:" };
	const char *const *names = trusts ? header : envelope;
	struct span best = SPAN_NONE;

	/* A bounce is answered to nobody. */
	if (span_eq(span_trim(content(find(f, "Return-Path:"))), SPAN("<>")))
		return SPAN("<>");
	for (size_t i = 0; i < sizeof(envelope) / sizeof(envelope[0]); i++) {
		struct span address = first_address(content(find(f, names[i])));

		if (address_rank(address) > address_rank(best))
			best = address;
	}
	return best.n > 0 ? best : SPAN(NOBODY);
}

/* The From_ line of a message that has none, in text: a field like the others. */
static bool
add_from(struct formail *f, struct buf *text)
{
	time_t now = (time_t)f->c->now;
	struct field *room;
	struct tm tm;
	char date[64] = "";

	if (localtime_r(&now, &tm) != NULL)
		strftime(date, sizeof(date), "%a %b %e %H:%M:%S %Y", &tm);
	buf_addf(text, "From %.*s  %s\n", SPAN_ARG(sender(f, false)), date);
	room = text->failed ? NULL : array_push(&f->fields);
	if (room == NULL)
		return false;
	memmove((struct field *)f->fields.p + 1, f->fields.p, (f->fields.n - 1) * sizeof(*room));
	*field_at(f, 0) = (struct field){ .text = buf_span(text), .name = 5 };
	return true;
}

/* Text of a field; continued lines together if asked for. */
static void
put_text(struct formail *f, struct span text)
{
	if (!f->joins) {
		buf_add(f->out, text);
		if (text.n == 0 || text.p[text.n - 1] != '\n')
			buf_addc(f->out, '\n');
		return;
	}
	for (size_t i = 0; i < text.n; i++)
		buf_addc(f->out, text.p[i] == '\n' && i + 1 < text.n ? ' ' : text.p[i]);
	if (text.n == 0 || text.p[text.n - 1] != '\n')
		buf_addc(f->out, '\n');
}

static void
put_field(struct formail *f, const struct field *x)
{
	struct span text = x->text;
	struct span inside = content(x);
	size_t octets = span_chr(inside, '\n');
	bool is_empty = octets == 0 || (octets == 1 && ascii_is_wsp(inside.p[0]));

	if (f->zaps && is_empty && octets + 1 >= inside.n && x->text.p[x->name - 1] == ':')
		return;
	if (x->old)
		buf_adds(f->out, "Old-");
	if (x->renamed.p != NULL) {
		buf_add(f->out, x->renamed);
		text = span_from(text, x->renamed_octets);
	}
	if (f->zaps && x->renamed.p == NULL && x->name < text.n && !ascii_is_wsp(text.p[x->name]) && text.p[x->name - 1] == ':') {
		buf_add(f->out, span_sub(text, 0, x->name));
		buf_addc(f->out, ' ');
		text = span_from(text, x->name);
	}
	put_text(f, text);
}

static void
extract(struct formail *f)
{
	for (size_t i = 0; i < f->fields.n; i++) {
		const struct field *x = field_at(f, i);

		for (size_t k = 0; k < f->option_count; k++) {
			const struct option *o = &f->options[k];
			struct span text = content(x);

			if ((o->letter != 'x' && o->letter != 'X') || !is_named(x, o->text))
				continue;
			if (o->letter == 'X') {
				put_field(f, x);
			} else {
				if (f->zaps)
					text = span_trim(text);
				if (text.n > 0 || !f->zaps)
					put_text(f, text);
			}
			break;
		}
	}
}

/* -u and -U, of fields under the names that they have then. */
static void
leave_one(struct formail *f, const struct option *o)
{
	struct span name = option_name(o);
	struct field *last = NULL;

	for (size_t i = 0; i < f->fields.n; i++) {
		struct field *x = field_at(f, i);

		if (!is_named_now(x, name))
			continue;
		if (last != NULL)
			(o->letter == 'u' ? x : last)->gone = true;
		last = o->letter == 'u' && last != NULL ? last : x;
	}
}

/* -i, -I, -R, then -u, -U on the fields that are there. */
static void
edit(struct formail *f)
{
	for (size_t k = 0; k < f->option_count; k++) {
		const struct option *o = &f->options[k];
		struct span name = option_name(o);

		for (size_t i = 0; i < f->fields.n; i++) {
			struct field *x = field_at(f, i);

			if (x->gone || !is_named(x, name))
				continue;
			switch (o->letter) {
			case 'i':
				x->gone = x->text.p == f->from.p;
				x->old = !f->reply && !x->gone;
				x->keep = !has_content(o);
				break;
			case 'I':
				x->gone = true;
				break;
			case 'R':
				x->gone = x->text.p == f->from.p;
				x->renamed = o->to;
				/* A beginning of names is replaced by another, or by a whole name with the rest of it. */
				x->renamed_octets = name_length(o->to) > 0 ? x->name : name.n;
				break;
			}
		}
	}
	for (size_t k = 0; k < f->option_count; k++)
		if (f->options[k].letter == 'u' || f->options[k].letter == 'U')
			leave_one(f, &f->options[k]);
}

/* A field whose content is made when the option has none. */
static bool
is_generated(struct span text)
{
	text = span_trim(text);
	return span_ieq(text, SPAN("Message-ID:")) || span_ieq(text, SPAN("Resent-Message-ID:"));
}

/* A field of an option, a space behind its name if there is none. */
static void
put_new(struct formail *f, struct span text)
{
	if (is_generated(text)) {
		buf_add(f->out, text);
		buf_addf(f->out, " <%llx.%llx@%.*s>\n", (unsigned long long)f->c->now, (unsigned long long)f->c->unique, SPAN_ARG(f->c->host_name));
		return;
	}
	buf_add(f->out, text);
	buf_addc(f->out, '\n');
}

/* There: what -a would add is there already, of each option. */
static void
find_there(const struct formail *f, bool there[FORMAIL_FIELDS])
{
	for (size_t k = 0; k < f->option_count; k++) {
		struct span name = option_name(&f->options[k]);

		there[k] = false;
		for (size_t i = 0; i < f->fields.n && f->options[k].letter == 'a' && !there[k]; i++)
			there[k] = is_named_now(field_at(f, i), name);
	}
}

/* -a "From ": where the message has lost its line, to -I "From " for one, it gets another. */
static bool
renew_from(struct formail *f, bool there[FORMAIL_FIELDS])
{
	bool made = false;

	for (size_t k = 0; k < f->option_count; k++)
		if (f->options[k].letter == 'a' && span_eq(f->options[k].text, SPAN("From ")) && !there[k]) {
			there[k] = true;
			if (!made && !add_from(f, &f->again))
				return false;
			made = true;
		}
	return true;
}

/* there: find_there()'s. */
static void
put_added(struct formail *f, const bool there[FORMAIL_FIELDS])
{
	static const char order[] = "aAiI";

	for (const char *letter = order; *letter != '\0'; letter++)
		for (size_t k = 0; k < f->option_count; k++) {
			const struct option *o = &f->options[k];

			if (o->letter != *letter || !o->whole || (*letter != 'a' && !has_content(o)))
				continue;
			if (!there[k])
				put_new(f, o->text);
		}
}

/* Whether an option says of a generated field that it is to go (-I), or to be called Old- (-i with another content). */
static bool
has_option(const struct formail *f, char letter, struct span name)
{
	for (size_t k = 0; k < f->option_count; k++) {
		const struct option *o = &f->options[k];

		if (o->letter == letter && span_ieq(option_name(o), name) && (letter == 'I' || has_content(o)))
			return true;
	}
	return false;
}

/* The name of a field of an answer; false: it is left out. */
static bool
put_reply_name(struct formail *f, struct span name)
{
	if (has_option(f, 'I', name))
		return false;
	if (has_option(f, 'i', name))
		buf_adds(f->out, "Old-");
	for (size_t k = 0; k < f->option_count; k++) {
		const struct option *o = &f->options[k];

		if (o->letter == 'R' && span_istarts(name, o->text)) {
			buf_add(f->out, o->to);
			name = name_length(o->to) > 0 ? SPAN("") : span_from(name, o->name);
			break;
		}
	}
	buf_add(f->out, name);
	return true;
}

/* The ids of a field as they stand there, with a space in front of them if there is none. */
static void
put_ids(struct formail *f, struct span ids)
{
	if (!ascii_is_wsp(ids.p[0]))
		buf_addc(f->out, ' ');
	buf_add(f->out, span_sub(ids, 0, ids.n - (ids.p[ids.n - 1] == '\n')));
}

/* -r: the header of an answer. */
static void
put_reply(struct formail *f)
{
	struct span to = sender(f, f->trusts), subject = content(find(f, "Subject:"));
	struct span id = content(find(f, "Message-ID:")), references = content(find(f, "References:"));

	f->nobody = span_eq(to, SPAN(NOBODY));
	for (size_t i = 0; i < f->fields.n; i++) {
		const struct field *x = field_at(f, i);

		if (!x->gone && (x->keep || is_named(x, SPAN("X-Loop:"))))
			put_field(f, x);
	}
	if (put_reply_name(f, SPAN("To:")))
		buf_addf(f->out, " %.*s\n", SPAN_ARG(to));
	if (subject.n > 0 && subject.p[0] != '\n' && put_reply_name(f, SPAN("Subject:"))) {
		buf_adds(f->out, subject.n > 0 && !ascii_is_wsp(subject.p[0]) ? " Re: " : " Re:");
		put_text(f, subject);
	}
	if (id.n > 1 && put_reply_name(f, SPAN("References:"))) {
		if (references.n > 1)
			put_ids(f, references);
		put_ids(f, id);
		buf_addc(f->out, '\n');
	}
	if (id.n > 1 && put_reply_name(f, SPAN("In-Reply-To:"))) {
		put_ids(f, id);
		buf_addc(f->out, '\n');
	}
}

static void
put_body(struct formail *f)
{
	struct span rest = f->body, line;

	/* The empty line at the end is put there again, not quoted. */
	if (f->reply && span_ends(rest, SPAN("\n\n")))
		rest.n--;
	while (rest.n > 0) {
		size_t n = span_chr(rest, '\n') + 1;

		line = span_sub(rest, 0, n);
		rest = span_from(rest, n);
		if (f->escapes && (f->reply || span_starts(line, SPAN("From "))))
			buf_add(f->out, f->prefix);
		if (f->escapes && f->reply && span_starts(line, SPAN("From ")))
			buf_add(f->out, f->prefix);
		buf_add(f->out, line);
	}
	if (f->out->n > 0 && f->out->p[f->out->n - 1] != '\n')
		buf_addc(f->out, '\n');
	if (f->out->n > 1 && f->out->p[f->out->n - 2] != '\n')
		buf_addc(f->out, '\n');
}

/* The header as it will be, in its own buffer, since what is there already is found in it.  False: out of memory. */
static bool
put_header(struct formail *f)
{
	struct buf header = BUF_INIT(f->out->max), *out = f->out;
	bool there[FORMAIL_FIELDS], ok = true;

	edit(f);
	if (f->reply) {
		struct formail reply = *f;

		f->out = &header;
		put_reply(f);
		f->out = out;
		ok = !header.failed && split(&reply, buf_span(&header));
		if (ok)
			find_there(&reply, there);
		fields_clear(&reply);
		buf_add(out, buf_span(&header));
		buf_clear(&header);
	} else {
		find_there(f, there);
		ok = f->forces || renew_from(f, there);
		for (size_t i = 0; i < f->fields.n; i++)
			if (!field_at(f, i)->gone)
				put_field(f, field_at(f, i));
	}
	if (ok)
		put_added(f, there);
	return ok;
}

/* Options that make another header of it: -x and -X are about that one. */
static bool
changes_header(const struct formail *f)
{
	for (size_t k = 0; k < f->option_count; k++)
		if (f->options[k].letter != 'x' && f->options[k].letter != 'X')
			return true;
	return f->reply;
}

static void
extract_changed(struct formail *f)
{
	struct formail changed = *f;
	struct buf header = BUF_INIT(f->out->max), *out = f->out;
	bool ok;

	f->out = &header;
	ok = put_header(f) && !header.failed;
	f->out = out;
	if (!ok || !split(&changed, buf_span(&header)))
		out->failed = true;
	else
		extract(&changed);
	fields_clear(&changed);
	buf_clear(&header);
}

static enum formail_rc
run(struct formail *f, struct span in)
{
	if (!split(f, in)) {
		f->out->failed = true;
		return FORMAIL_DONE;
	}
	if (!f->forces && !f->reply && find(f, "From ") == NULL && !add_from(f, &f->from)) {
		f->out->failed = true;
		return FORMAIL_DONE;
	}
	if (f->extracts) {
		if (changes_header(f))
			extract_changed(f);
		else
			extract(f);
		if (f->keeps) {
			buf_addc(f->out, '\n');
			put_body(f);
		}
		return FORMAIL_DONE;
	}
	if (!put_header(f)) {
		f->out->failed = true;
		return FORMAIL_DONE;
	}
	buf_addc(f->out, '\n');
	if (!f->reply || f->keeps)
		put_body(f);
	return FORMAIL_DONE;
}

/* The argument of an option: the rest of its word, or the next. */
static bool
take(const struct span *argv, size_t argc, size_t *i, struct span *word, struct span *out)
{
	if (word->n > 0) {
		*out = *word;
		*word = SPAN_NONE;
		return true;
	}
	if (*i + 1 >= argc)
		return false;
	*out = argv[++*i];
	return true;
}

/* What an option is about.  FORMAIL_UNKNOWN: no name, of which the program is to complain, or to make what it does. */
static enum formail_rc
parse_name(struct option *o)
{
	bool adds = o->letter == 'a' || o->letter == 'A' || o->letter == 'i', counts = o->letter == 'u' || o->letter == 'U';

	o->name = name_length(o->text);
	o->whole = o->name > 0;
	if (!o->whole && (adds || counts || name_octets(o->text) < o->text.n))
		return FORMAIL_UNKNOWN;
	if (!o->whole)
		o->name = o->text.n;
	if (o->letter == 'R') {
		size_t name = name_length(o->to);

		if (span_trim(span_from(o->text, o->name)).n > 0 || (name == 0 && (o->whole || name_octets(o->to) < o->to.n)))
			return FORMAIL_UNKNOWN;
		if (name > 0)
			o->to = span_sub(o->to, 0, name);
	}
	if (!adds && o->letter != 'I')
		o->text = option_name(o);
	return FORMAIL_DONE;
}

static enum formail_rc
parse_word(struct formail *f, const struct span *argv, size_t argc, size_t *i)
{
	struct span word = span_from(argv[*i], 1);

	while (word.n > 0) {
		char c = word.p[0];
		struct option *o;

		word = span_from(word, 1);
		switch (c) {
		case 'b': f->escapes = false; break;
		case 'f': f->forces = true; break;
		case 'r': f->reply = true; break;
		case 't': f->trusts = true; break;
		case 'k': f->keeps = true; break;
		case 'c': f->joins = true; break;
		case 'z': f->zaps = true; break;
		case 'Y': break;	/* of finding where messages begin */
		case 'q':
			if (word.n > 0 && word.p[0] == '-')
				word = span_from(word, 1);
			break;
		case 'p':
			if (!take(argv, argc, i, &word, &f->prefix))
				return FORMAIL_FAILED;
			break;
		case 'a': case 'A': case 'i': case 'I': case 'u': case 'U': case 'x': case 'X': case 'R':
			if (f->option_count == FORMAIL_FIELDS)
				return FORMAIL_UNKNOWN;
			o = &f->options[f->option_count++];
			o->letter = c;
			if (!take(argv, argc, i, &word, &o->text) || (c == 'R' && !take(argv, argc, i, &word, &o->to)))
				return FORMAIL_FAILED;
			f->extracts |= c == 'x' || c == 'X';
			if (parse_name(o) == FORMAIL_UNKNOWN)
				return FORMAIL_UNKNOWN;
			break;
		default:
			return FORMAIL_UNKNOWN;
		}
	}
	return FORMAIL_DONE;
}

bool
formail_is(struct span program)
{
	return span_eq(program, SPAN("formail")) || span_eq(program, SPAN("/usr/bin/formail"));
}

static enum formail_rc
parse(struct formail *f, const struct span *argv, size_t argc)
{
	enum formail_rc rc = FORMAIL_DONE;

	for (size_t i = 0; i < argc && rc == FORMAIL_DONE; i++)
		rc = argv[i].n > 1 && argv[i].p[0] == '-' ? parse_word(f, argv, argc, &i) : FORMAIL_UNKNOWN;
	return rc;
}

const char *
formail_warning(const struct span *argv, size_t argc)
{
	struct formail f = { .option_count = 0 };

	if (parse(&f, argv, argc) != FORMAIL_DONE || !f.reply)
		return NULL;
	for (size_t k = 0; k < f.option_count; k++)
		if (f.options[k].letter == 'u' || f.options[k].letter == 'U')
			return "with -r, formail's -u and -U have no effect on the fields that -r makes";
	return NULL;
}

enum formail_rc
formail_run(const struct span *argv, size_t argc, struct span in, const struct formail_context *c, struct buf *out)
{
	struct formail f = { .c = c, .escapes = true, .prefix = SPAN(">"), .from = BUF_INIT(4096), .again = BUF_INIT(4096), .out = out };
	enum formail_rc rc = parse(&f, argv, argc);

	if (rc == FORMAIL_DONE)
		rc = run(&f, in);
	if (rc == FORMAIL_DONE && f.reply && f.nobody)
		rc = FORMAIL_NOBODY;
	fields_clear(&f);
	buf_clear(&f.from);
	buf_clear(&f.again);
	return rc;
}
