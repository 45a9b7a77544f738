/* SPDX-License-Identifier: MIT */
#include "lib-storage/acl.h"

#include "lib/array.h"
#include "lib/encode.h"
#include "lib-storage/list-match.h"

const char acl_right_letters[ACL_RIGHTS + 1] = "lrwstipekxa";
const char *const acl_right_names[ACL_RIGHTS] = {
	"lookup", "read", "write", "write-seen", "write-deleted", "insert", "post", "expunge", "create", "delete", "admin",
};

static const struct {
	struct span word;
	enum acl_kind kind;
	bool named;
} identifiers[] = {
	{ SPAN("anyone"), ACL_ANYONE, false },
	{ SPAN("anonymous"), ACL_ANYONE, false },
	{ SPAN("authenticated"), ACL_AUTHENTICATED, false },
	{ SPAN("group="), ACL_GROUP, true },
	{ SPAN("owner"), ACL_OWNER, false },
	{ SPAN("user="), ACL_USER, true },
	{ SPAN("group-override="), ACL_GROUP_OVERRIDE, true },
};
#define IDENTIFIERS (sizeof(identifiers) / sizeof(identifiers[0]))

bool
acl_letters_parse(struct span letters, unsigned *out)
{
	unsigned rights = 0;

	for (size_t i = 0; i < letters.n; i++) {
		size_t bit = span_chr(span_str(acl_right_letters), letters.p[i]);

		if (letters.p[i] == 'c')
			rights |= ACL_CREATE | ACL_DELETE;
		else if (letters.p[i] == 'd')
			rights |= ACL_EXPUNGE | ACL_DELETED;
		else if (bit < ACL_RIGHTS)
			rights |= 1u << bit;
		else
			return false;
	}
	*out = rights;
	return true;
}

void
acl_letters_write(struct buf *out, unsigned rights, bool obsolete)
{
	for (unsigned i = 0; i < ACL_RIGHTS; i++)
		if (rights & 1u << i)
			buf_addc(out, acl_right_letters[i]);
	if (obsolete && rights & (ACL_CREATE | ACL_DELETE))
		buf_addc(out, 'c');
	if (obsolete && rights & (ACL_EXPUNGE | ACL_DELETED))
		buf_addc(out, 'd');
}

unsigned
acl_right_by_name(struct span name)
{
	for (unsigned i = 0; i < ACL_RIGHTS; i++)
		if (span_ieq(name, span_str(acl_right_names[i])))
			return 1u << i;
	return 0;
}

bool
acl_identifier_parse(struct span text, struct acl_entry *out)
{
	bool negative = text.n > 0 && text.p[0] == '-';

	if (negative)
		text = span_from(text, 1);
	for (size_t i = 0; i < IDENTIFIERS; i++) {
		struct span name = span_from(text, identifiers[i].word.n);

		if (identifiers[i].named ? !span_starts(text, identifiers[i].word) : !span_eq(text, identifiers[i].word))
			continue;
		if (identifiers[i].named && (name.n == 0 || name.n > ACL_NAME_MAX || !utf8_is_valid(name)))
			return false;
		for (size_t k = 0; k < name.n; k++)
			if ((unsigned char)name.p[k] < ' ' || name.p[k] == 0x7f)
				return false;
		*out = (struct acl_entry){ .kind = identifiers[i].kind, .negative = negative, .name = name };
		return true;
	}
	return false;
}

void
acl_identifier_write(struct buf *out, const struct acl_entry *entry)
{
	if (entry->negative)
		buf_addc(out, '-');
	for (size_t i = 0; i < IDENTIFIERS; i++) {
		if (identifiers[i].kind != entry->kind)
			continue;
		buf_add(out, identifiers[i].word);
		break;
	}
	buf_add(out, entry->name);
}

bool
acl_same_identifier(const struct acl_entry *a, const struct acl_entry *b)
{
	return a->kind == b->kind && a->negative == b->negative && span_eq(a->name, b->name);
}

/* A word up to a space, or in quotes, where \ takes the meaning from a character.  SPAN_NONE: malformed. */
static struct span
take_word(struct span *line, struct arena *a)
{
	struct span word;
	char *p;
	size_t n = 0, i;

	if (line->n == 0 || line->p[0] != '"') {
		size_t end = span_chr(*line, ' ');

		word = span_sub(*line, 0, end);
		*line = span_from(*line, end);
		return word.n == 0 ? SPAN_NONE : word;
	}
	p = arena_alloc(a, line->n, 1);
	if (p == NULL)
		return SPAN_NONE;
	for (i = 1; i < line->n && line->p[i] != '"'; i++) {
		if (line->p[i] == '\\' && i + 1 < line->n)
			i++;
		p[n++] = line->p[i];
	}
	if (i == line->n || n == 0 || (i + 1 < line->n && line->p[i + 1] != ' '))
		return SPAN_NONE;
	*line = span_from(*line, i + 1);
	return span_of(p, n);
}

static void
skip_spaces(struct span *line)
{
	while (line->n > 0 && line->p[0] == ' ')
		*line = span_from(*line, 1);
}

static struct span
keep(struct arena *a, struct span s)
{
	return s.n == 0 ? SPAN_NONE : arena_dup(a, s);
}

/* [letters] [":" named rights]; those of other programs are kept as they are. */
static const char *
take_rights(struct span line, struct arena *a, struct acl_entry *out)
{
	size_t end = span_chr(line, ' ');
	struct buf extra = BUF_INIT(ACL_FILE_MAX);
	struct span word;

	if (line.n > 0 && line.p[0] != ':') {
		if (!acl_letters_parse(span_sub(line, 0, end), &out->rights))
			return "there is no such right";
		line = span_from(line, end);
		skip_spaces(&line);
	}
	if (line.n == 0)
		return NULL;
	if (line.p[0] != ':')
		return "more behind the rights";
	line = span_from(line, 1);
	while (span_next(&line, ' ', &word)) {
		unsigned right = acl_right_by_name(word);

		out->rights |= right;
		if (right == 0 && word.n > 0) {
			if (extra.n > 0)
				buf_addc(&extra, ' ');
			buf_add(&extra, word);
		}
	}
	out->extra = keep(a, buf_span(&extra));
	end = extra.n;
	buf_clear(&extra);
	return end > 0 && out->extra.p == NULL ? "too much" : NULL;
}

static const char *
parse_line(struct span line, bool with_pattern, struct arena *a, struct acl_entry *out)
{
	struct span pattern = SPAN_NONE, id;
	const char *why;

	if (with_pattern) {
		pattern = take_word(&line, a);
		if (pattern.n == 0)
			return "a pattern of mailbox names is missing";
		skip_spaces(&line);
	}
	id = take_word(&line, a);
	if (id.n == 0 || !acl_identifier_parse(id, out))
		return "not an identifier";
	skip_spaces(&line);
	why = take_rights(line, a, out);
	id = out->name;
	out->name = keep(a, id);
	out->pattern = keep(a, pattern);
	out->global = with_pattern;
	return (id.n > 0 && out->name.p == NULL) || (pattern.n > 0 && out->pattern.p == NULL) ? "too much" : why;
}

int
acl_parse(struct span text, bool with_patterns, struct arena *a, struct acl_list *out, struct err *e)
{
	struct array entries = ARRAY_INIT(struct acl_entry, ACL_ENTRIES_MAX);
	const char *why = NULL;
	unsigned number = 0;

	*out = (struct acl_list){ NULL, 0 };
	while (text.n > 0 && why == NULL) {
		size_t end = span_chr(text, '\n');
		struct span line = span_trim(span_sub(text, 0, end));
		struct acl_entry *entry;

		text = span_from(text, end + 1);
		number++;
		if (line.n == 0 || line.p[0] == '#')
			continue;
		entry = array_push(&entries);
		why = entry == NULL ? "too many lines" : parse_line(line, with_patterns, a, entry);
	}
	if (why == NULL && entries.n > 0) {
		out->v = arena_alloc(a, entries.n, sizeof(*out->v));
		if (out->v != NULL)
			memcpy(out->v, entries.p, entries.n * sizeof(*out->v));
		out->n = entries.n;
		if (out->v == NULL)
			why = "too much";
	}
	array_clear(&entries);
	if (why == NULL)
		return 0;
	*out = (struct acl_list){ NULL, 0 };
	return err_set(e, ERR_SYNTAX, "line %u: %s", number, why);
}

static void
write_entry(struct buf *out, const struct acl_entry *entry)
{
	bool quote = span_chr(entry->name, ' ') != entry->name.n || span_chr(entry->name, '"') != entry->name.n ||
	    span_chr(entry->name, '\\') != entry->name.n;
	struct buf id = BUF_INIT(ACL_NAME_MAX + 32);

	acl_identifier_write(&id, entry);
	if (quote)
		buf_addc(out, '"');
	for (size_t i = 0; i < id.n; i++) {
		if (quote && (id.p[i] == '"' || id.p[i] == '\\'))
			buf_addc(out, '\\');
		buf_addc(out, id.p[i]);
	}
	if (quote)
		buf_addc(out, '"');
	out->failed |= id.failed;
	buf_clear(&id);
	buf_addc(out, ' ');
	acl_letters_write(out, entry->rights, false);
	if (entry->extra.n > 0) {
		buf_adds(out, entry->rights == 0 ? ":" : " :");
		buf_add(out, entry->extra);
	}
	buf_addc(out, '\n');
}

void
acl_write(struct buf *out, const struct acl_list *list)
{
	for (int kind = 0; kind < ACL_KINDS; kind++)
		for (size_t i = 0; i < list->n; i++)
			if (list->v[i].kind == (enum acl_kind)kind)
				write_entry(out, &list->v[i]);
}

static bool
fits(const struct acl_entry *entry, const struct acl_who *who)
{
	switch (entry->kind) {
	case ACL_ANYONE:
		return true;
	case ACL_AUTHENTICATED:
		return who->user.n > 0;
	case ACL_OWNER:
		return who->owner;
	case ACL_USER:
		return span_eq(entry->name, who->user);
	case ACL_GROUP:
	case ACL_GROUP_OVERRIDE:
		for (size_t i = 0; i < who->group_count; i++)
			if (span_eq(entry->name, who->groups[i]))
				return true;
		return false;
	case ACL_KINDS:
		break;
	}
	return false;
}

void
acl_add(struct acl_sum *sum, const struct acl_list *list, const struct acl_who *who, bool implied, struct span name,
    char separator)
{
	for (int kind = 0; kind < ACL_KINDS; kind++) {
		unsigned given = 0, taken = 0;
		bool gives = false, takes = false;

		for (size_t i = 0; i < list->n; i++) {
			const struct acl_entry *entry = &list->v[i];

			if (entry->kind != (enum acl_kind)kind || !fits(entry, who) ||
			    (entry->pattern.n > 0 && list_match(entry->pattern, name, separator) != LIST_YES))
				continue;
			if (entry->negative) {
				takes = true;
				taken |= entry->rights;
			} else {
				gives = true;
				given |= entry->rights;
			}
		}
		if (kind == ACL_OWNER && implied && who->owner && !gives) {
			gives = true;
			given = ACL_ALL;
		}
		if (gives)
			sum->given = given;
		if (takes)
			sum->taken = taken;
	}
}
