/* SPDX-License-Identifier: MIT */
#include "lib-deliver/recipient/access.h"

#include <stdlib.h>
#include "lib/hash.h"
#include "lib-deliver/recipient/lines.h"
#include "lib-deliver/smtp-path.h"

#define KEY_MAX 1100
#define KEYS_MAX 4000000
#define DOMAIN_LABELS 128

/*
 * Keys in the table: a letter for the tag (c, f, t; a where there is none), a letter for what it is (n: a name or an address of
 * mail; 4 and 6: a network, with its bits and octets), the rest in lower case.
 */
struct recipient_access {
	struct arena *a;
	struct hash *keys;
	bool bits4[33], bits6[129];	/* networks of that many bits are there */
};

static const struct recipient_reply plain_refusal = { 550, "5.7.1", false, { "Access denied", 13 } };

/* "192.168", "192.168." and the like: 1 to 4 numbers. */
static bool
parse_ipv4(struct span s, struct netaddr *out)
{
	struct netaddr net = { .family = 4 };
	struct span part;
	uint64_t number;
	size_t n = 0;

	if (s.n > 0 && s.p[s.n - 1] == '.')
		s.n--;
	if (s.n == 0 || s.p[s.n - 1] == '.')
		return false;
	while (span_next(&s, '.', &part)) {
		if (n == 4 || !span_u64(part, 255, &number))
			return false;
		net.octets[n++] = (uint8_t)number;
	}
	net.bits = (uint8_t)(n * 8);
	*out = net;
	return true;
}

/* "2001:db8" and the like: 1 to 8 groups; a whole address with "::" in it is netaddr_parse's. */
static bool
parse_ipv6(struct span s, struct netaddr *out)
{
	struct netaddr net = { .family = 6 };
	struct span part;
	size_t n = 0;

	if (span_find(s, SPAN("::")) != SIZE_MAX)
		return netaddr_parse(s, out);
	if (s.n > 0 && s.p[s.n - 1] == ':')
		s.n--;
	while (span_next(&s, ':', &part)) {
		unsigned value = 0;

		if (n == 8 || part.n == 0 || part.n > 4)
			return false;
		for (size_t i = 0; i < part.n; i++) {
			char c = ascii_lower(part.p[i]);

			if (!ascii_is_digit(c) && (c < 'a' || c > 'f'))
				return false;
			value = value * 16 + (unsigned)(ascii_is_digit(c) ? c - '0' : c - 'a' + 10);
		}
		net.octets[2 * n] = (uint8_t)(value >> 8);
		net.octets[2 * n + 1] = (uint8_t)value;
		n++;
	}
	net.bits = (uint8_t)(n * 16);
	*out = net;
	return n > 0;
}

static bool
parse_network(struct span s, struct netaddr *out)
{
	bool tagged = span_istarts(s, SPAN("ipv6:"));

	if (tagged)
		s = span_from(s, 5);
	if (span_chr(s, '/') < s.n)
		return netaddr_parse(s, out) && out->family != 0;
	if (tagged || span_chr(s, ':') < s.n)
		return parse_ipv6(s, out);
	return parse_ipv4(s, out);
}

/* The key of a network, whose octets behind its bits do not count. */
static size_t
network_key(char tag, const struct netaddr *net, unsigned bits, char out[KEY_MAX])
{
	size_t octets = net->family == 4 ? 4 : 16, n = 0;

	out[n++] = tag;
	out[n++] = net->family == 4 ? '4' : '6';
	out[n++] = (char)bits;
	for (size_t i = 0; i < octets; i++) {
		unsigned left = bits > i * 8 ? bits - (unsigned)i * 8 : 0;
		unsigned mask = left >= 8 ? 0xff : (0xff00u >> left) & 0xff;

		out[n++] = (char)(net->octets[i] & mask);
	}
	return n;
}

/* QUARANTINE, QUARANTINE:reason.  The reason goes into a header field. */
static bool
parse_quarantine(struct span s, struct recipient_access_entry *en)
{
	static const struct span word = { "QUARANTINE", 10 };

	if (!span_istarts(s, word) || (s.n > word.n && s.p[word.n] != ':' && !ascii_is_wsp(s.p[word.n])))
		return false;
	s = span_trim(span_from(s, word.n));
	if (s.n > 0 && s.p[0] == ':')
		s = span_trim(span_from(s, 1));
	en->verdict = RECIPIENT_QUARANTINE;
	en->reason = span_sub(s, 0, RECIPIENT_REPLY_TEXT);
	for (size_t i = 0; i < en->reason.n; i++)
		if (en->reason.p[i] < ' ' || en->reason.p[i] > '~')
			return false;
	return true;
}

static bool
parse_answer(struct span s, struct recipient_access_entry *en)
{
	static const struct {
		struct span word;
		enum recipient_verdict verdict;
	} words[] = {
		{ { "OK", 2 }, RECIPIENT_OK }, { { "RELAY", 5 }, RECIPIENT_OK }, { { "REJECT", 6 }, RECIPIENT_REJECT },
		{ { "DISCARD", 7 }, RECIPIENT_DISCARD }, { { "SKIP", 4 }, RECIPIENT_UNDECIDED }, { { "DUNNO", 5 }, RECIPIENT_UNDECIDED },
	};
	size_t n = 0;

	en->reply = plain_refusal;
	while (n < s.n && !ascii_is_wsp(s.p[n]))
		n++;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_ieq(span_sub(s, 0, n), words[i].word)) {
			struct recipient_reply told = { .text = span_trim(span_from(s, n)) };

			en->verdict = words[i].verdict;
			/* A text behind REJECT is for the client, one behind another word for who reads the table. */
			if (en->verdict != RECIPIENT_REJECT || told.text.n == 0)
				return true;
			return recipient_reply_parse(told.text, &plain_refusal, &en->reply);
		}
	if (parse_quarantine(s, en))
		return true;
	en->verdict = RECIPIENT_REJECT;
	if (span_istarts(s, SPAN("error:")))
		s = span_trim(span_from(s, 6));
	else if (s.n < 3 || !ascii_is_digit(s.p[0]) || !ascii_is_digit(s.p[1]) || !ascii_is_digit(s.p[2]))
		return false;
	return recipient_reply_parse(s, &plain_refusal, &en->reply);
}

/* What tags are there that others' tables have, and that nothing here asks about. */
static bool
is_foreign_tag(struct span s)
{
	static const char *const tags[] = { "spam:", "greetpause:", "clientrate:", "clientconn:", "authinfo:", "srv_features:",
		"clt_features:", "tls_srv:", "tls_clt:", "tls_rcpt:", "try_tls:", "srv_tls:", "quarantine:" };

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		if (span_istarts(s, span_str(tags[i])))
			return true;
	return false;
}

static char
take_tag(struct span *s)
{
	static const struct {
		struct span name;
		char tag;
	} tags[] = { { { "from:", 5 }, 'f' }, { { "connect:", 8 }, 'c' }, { { "to:", 3 }, 't' } };

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++)
		if (span_istarts(*s, tags[i].name)) {
			*s = span_from(*s, tags[i].name.n);
			return tags[i].tag;
		}
	return 'a';
}

static int
make_key(struct recipient_access *t, struct span s, char key[KEY_MAX], size_t *n_out, struct err *e)
{
	char tag = take_tag(&s);
	struct netaddr net;
	size_t n = 0;

	if (s.n == 0 || s.n > KEY_MAX - 2)
		return err_set(e, ERR_SYNTAX, "no address in front of the answer, or too long a one");
	if (tag != 'f' && tag != 't' && parse_network(s, &net)) {
		(net.family == 4 ? t->bits4 : t->bits6)[net.bits] = true;
		*n_out = network_key(tag, &net, net.bits, key);
		return 0;
	}
	if (span_chr(s, '/') < s.n && span_chr(s, '@') == s.n)
		return err_set(e, ERR_SYNTAX, "%.*s is no network", SPAN_ARG(span_sub(s, 0, 100)));
	key[n++] = tag;
	key[n++] = 'n';
	for (size_t i = 0; i < s.n; i++)
		key[n++] = ascii_lower(s.p[i]);
	*n_out = n;
	return 0;
}

/* What is no address of any kind that is looked for: a wildcard, a domain as virtual tables have it, a client's name in brackets. */
static bool
is_odd_key(struct span s)
{
	char tag = take_tag(&s);
	size_t star = span_chr(s, '*');

	return s.n > 0 && (s.p[0] == '@' || (tag == 'c' && s.p[0] == '[') ||
	    (star < s.n && (star == 0 || s.p[star - 1] == '@' || s.p[star - 1] == '.')));
}

struct parsing {
	struct recipient_access *t;
	const struct recipient_limits *limits;
	struct recipient_remarks *remarks;
};

static int
take_line(void *ctx, struct span line, unsigned number, struct err *e)
{
	struct parsing *p = ctx;
	struct recipient_access *t = p->t;
	struct recipient_access_entry *en;
	char key[KEY_MAX];
	size_t n = 0;

	while (n < line.n && !ascii_is_wsp(line.p[n]))
		n++;
	if (is_foreign_tag(line)) {
		p->remarks->good++;
		recipient_remark_doubt(p->remarks, number, span_sub(line, 0, n), "is not asked for here: this line is not used");
		return 0;
	}
	en = arena_alloc(t->a, 1, sizeof(*en));
	if (en == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	en->line = number;
	en->key = span_sub(line, 0, n);
	if (span_trim(span_from(line, n)).n == 0)
		return err_set(e, ERR_SYNTAX, "no answer behind %.*s", SPAN_ARG(span_sub(en->key, 0, 60)));
	if (!parse_answer(span_trim(span_from(line, n)), en))
		return err_set(e, ERR_SYNTAX, "%.*s is no answer", SPAN_ARG(span_sub(span_trim(span_from(line, n)), 0, 60)));
	if (en->verdict == RECIPIENT_QUARANTINE && !p->limits->quarantine)
		return err_set(e, ERR_SYNTAX, "QUARANTINE needs a place (recipient_quarantine)");
	if (make_key(t, en->key, key, &n, e) == -1)
		return -1;
	p->remarks->good++;
	if (hash_get(t->keys, span_of(key, n)) != NULL) {
		recipient_remark_doubt(p->remarks, number, en->key, "is there already: this line is not used");
		return 0;
	}
	if (is_odd_key(en->key))
		recipient_remark_doubt(p->remarks, number, en->key, "is nothing that is looked for: this line is not used");
	if (en->verdict == RECIPIENT_REJECT && en->reply.mended)
		recipient_remark_doubt(p->remarks, number, span_trim(span_from(line, en->key.n)), RECIPIENT_REPLY_MENDED);
	return hash_set(t->keys, span_of(key, n), en) ? 0 : err_set(e, ERR_TEMP, "too many entries, or out of memory");
}

static int
take_bad(void *ctx, struct span line, unsigned number, struct err *e)
{
	struct parsing *p = ctx;
	struct recipient_access_entry *en;
	struct err none = ERR_INIT;
	char key[KEY_MAX];
	size_t n = 0;

	recipient_remark_mistake(p->remarks, number, e);
	while (n < line.n && !ascii_is_wsp(line.p[n]))
		n++;
	en = arena_alloc(p->t->a, 1, sizeof(*en));
	if (en == NULL)
		return err_set(e, ERR_TEMP, "out of memory");
	*en = (struct recipient_access_entry){ .line = number, .verdict = RECIPIENT_REJECT, .reply = recipient_reply_mistake,
		.key = span_sub(line, 0, n) };
	if (make_key(p->t, en->key, key, &n, &none) == -1 || hash_get(p->t->keys, span_of(key, n)) != NULL)
		return 0;
	return hash_set(p->t->keys, span_of(key, n), en) ? 0 : err_set(e, ERR_TEMP, "too many entries, or out of memory");
}

int
recipient_access_parse(struct span text, const struct recipient_limits *limits, struct recipient_access **out,
    struct recipient_remarks *remarks, unsigned *line_out, struct err *e)
{
	struct recipient_access *t = calloc(1, sizeof(*t));
	struct recipient_lines lines = { .text = text, .max = limits->max_line };
	struct parsing p = { t, limits, remarks };
	int rc = -1;

	*line_out = 0;
	recipient_remarks_begin(remarks);
	if (t == NULL || (t->a = arena_new(((size_t)1 << 20) + text.n * 60)) == NULL || (t->keys = hash_new(KEYS_MAX)) == NULL)
		err_set(e, ERR_TEMP, "out of memory");
	else
		rc = recipient_lines_each(&lines, t->a, take_line, remarks->go_on ? take_bad : NULL, &p, line_out, e);
	if (rc == 0) {
		*out = t;
		return 0;
	}
	recipient_access_free(t);
	return -1;
}

void
recipient_access_free(struct recipient_access *t)
{
	if (t == NULL)
		return;
	hash_free(t->keys);
	arena_free(t->a);
	free(t);
}

size_t
recipient_access_count(const struct recipient_access *t)
{
	return hash_count(t->keys);
}

static const char tag_letters[] = { [RECIPIENT_CONNECT] = 'c', [RECIPIENT_FROM] = 'f', [RECIPIENT_TO] = 't' };

/* With the tag, then without, which is not about recipients. */
static const struct recipient_access_entry *
look_key(const struct recipient_access *t, char tag, char *key, size_t n)
{
	const struct recipient_access_entry *en;

	key[0] = tag;
	en = hash_get(t->keys, span_of(key, n));
	if (en == NULL && tag != 't') {
		key[0] = 'a';
		en = hash_get(t->keys, span_of(key, n));
	}
	return en;
}

/* A name of up to four parts. */
static const struct recipient_access_entry *
look(const struct recipient_access *t, char tag, struct span first, struct span second, struct span third)
{
	const struct span parts[] = { first, second, third };
	char key[KEY_MAX];
	size_t n = 2;

	key[1] = 'n';
	for (size_t i = 0; i < 3; i++) {
		if (parts[i].n > sizeof(key) - n)
			return NULL;
		for (size_t k = 0; k < parts[i].n; k++)
			key[n++] = ascii_lower(parts[i].p[k]);
	}
	return look_key(t, tag, key, n);
}

static const struct recipient_access_entry *
look_domain(const struct recipient_access *t, char tag, struct span domain)
{
	const struct recipient_access_entry *en = domain.n == 0 ? NULL : look(t, tag, domain, SPAN(""), SPAN(""));

	for (unsigned i = 0; en == NULL && domain.n > 0 && i < DOMAIN_LABELS; i++) {
		size_t dot = span_chr(domain, '.');

		domain = span_from(domain, dot + 1);
		if (domain.n == 0)
			break;
		en = look(t, tag, SPAN("."), domain, SPAN(""));
		if (en == NULL)
			en = look(t, tag, domain, SPAN(""), SPAN(""));
	}
	return en;
}

/* user+detail@, user+*@, user@, with a domain or without. */
static const struct recipient_access_entry *
look_user(const struct recipient_access *t, char tag, struct span local, struct span user, struct span domain)
{
	const struct recipient_access_entry *en = look(t, tag, local, SPAN("@"), domain);

	if (en == NULL && user.n < local.n)
		en = look(t, tag, user, SPAN("+*@"), domain);
	if (en == NULL && user.n < local.n)
		en = look(t, tag, user, SPAN("@"), domain);
	return en;
}

const struct recipient_access_entry *
recipient_access_address(const struct recipient_access *t, enum recipient_access_tag tag, struct span local, struct span domain,
    struct span delimiters)
{
	const struct recipient_access_entry *en;
	struct span user = local, detail;
	char c = tag_letters[tag];

	if (local.n == 0)
		return look(t, c, SPAN("<>"), SPAN(""), SPAN(""));
	smtp_detail_split(local, delimiters, &user, &detail);
	en = domain.n == 0 ? NULL : look_user(t, c, local, user, domain);
	if (en == NULL)
		en = look_user(t, c, local, user, SPAN(""));
	return en != NULL ? en : look_domain(t, c, domain);
}

const struct recipient_access_entry *
recipient_access_client(const struct recipient_access *t, struct span name, struct span address)
{
	const struct recipient_access_entry *en = look_domain(t, 'c', name);
	struct netaddr addr;
	char key[KEY_MAX];

	if (en != NULL || address.n == 0 || !netaddr_parse(address, &addr) || addr.family == 0)
		return en;
	for (int bits = addr.family == 4 ? 32 : 128; bits >= 0 && en == NULL; bits--)
		if ((addr.family == 4 ? t->bits4 : t->bits6)[bits]) {
			size_t n = network_key('c', &addr, (unsigned)bits, key);

			en = look_key(t, 'c', key, n);
		}
	return en;
}
