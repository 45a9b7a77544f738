/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib-mail/imap-mime.h"
#include "lib-mail/mime.h"

#define MULTI "Content-Type: multipart/mixed; boundary="
#define EMPTY_PART "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0)"
#define NO_ENVELOPE "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
#define TEXT(size, lines) "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" " #size " " #lines ")"
#define HTML(size, lines) "(\"text\" \"html\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" " #size " " #lines ")"

static const struct {
	const char *in, *body;	/* as BODY has it */
} structures[] = {
	{ "", EMPTY_PART },
	{ "\nx\n", TEXT(3, 1) },
	{ "\r\nx\r\n", TEXT(3, 1) },
	{ "Content-Type: text/html\n\nx", HTML(1, 0) },
	{ "Content-Type: nonsense\n\nx", TEXT(1, 0) },
	{ "Content-Transfer-Encoding: base64\n\nx", TEXT(1, 0) },	/* not MIME */
	{ "MIME-Version: 1.0\nContent-Transfer-Encoding: BASE64\n\nx", "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"BASE64\" 1 0)" },
	{ "Content-Type: image/png; name=\"a \\\"b\"\nContent-ID: <x>\nContent-Description: d\n\nx",
		"(\"image\" \"png\" (\"name\" \"a \\\"b\") \"<x>\" \"d\" \"7bit\" 1)" },
	{ MULTI "x\n\n--x\n\na\n--x\n\nb\n--x--\n", "(" TEXT(1, 0) TEXT(1, 0) " \"mixed\")" },
	{ MULTI "x\r\n\r\n--x\r\n\r\na\r\n--x\r\n\r\nb\r\n--x--\r\n", "(" TEXT(1, 0) TEXT(1, 0) " \"mixed\")" },
	{ MULTI "x\n\npre\n--x\n\na\n\n--x--\npost\n", "(" TEXT(3, 1) " \"mixed\")" },
	{ MULTI "x\n\n--x\n\na", "(" TEXT(1, 0) " \"mixed\")" },			/* not closed */
	{ MULTI "x\n\nno part", "(" EMPTY_PART " \"mixed\")" },
	{ MULTI "x\n\n--x--\n", "(" EMPTY_PART " \"mixed\")" },
	{ "Content-Type: multipart/mixed\n\n--x\n", "(" EMPTY_PART " \"mixed\")" },
	{ MULTI "x\n\n--x", "(" TEXT(0, 0) " \"mixed\")" },
	{ MULTI "x\n\n--x\n--x\n--x--", "(" TEXT(0, 0) TEXT(0, 0) " \"mixed\")" },
	{ MULTI "x\n\n--x\nContent-Type: text/html\n--x--", "(" HTML(0, 0) " \"mixed\")" },	/* no empty line */
	{ MULTI "x\n\n--x  \t\n\na\n--x-- \n", "(" TEXT(1, 0) " \"mixed\")" },
	{ MULTI "x\n\n --x\n\n-x\n--y\n--x\n\na\n--x--\n", "(" TEXT(1, 0) " \"mixed\")" },
	{ MULTI "\"a b\\\\c\"\n\n--a b\\c\n\na\n--a b\\c--\n", "(" TEXT(1, 0) " \"mixed\")" },
	{ MULTI "x\n\n--x\n" MULTI "y\n\n--y\n\na\n--y--\n--x\n\nb\n--x--\n", "((" TEXT(1, 0) " \"mixed\")" TEXT(1, 0) " \"mixed\")" },
	/* The inner one is not closed: the outer boundary ends both. */
	{ MULTI "x\n\n--x\n" MULTI "y\n\n--y\n\na\n--x\n\nb\n--x--\n", "((" TEXT(1, 0) " \"mixed\")" TEXT(1, 0) " \"mixed\")" },
	/* A boundary that begins with another's: the longer counts. */
	{ MULTI "b\n\n--b\n" MULTI "bb\n\n--bb\n\na\n--bb--\n--b\n\nc\n--b--\n", "((" TEXT(1, 0) " \"mixed\")" TEXT(1, 0) " \"mixed\")" },
	{ MULTI "bb\n\n--bb\n" MULTI "b\n\n--b\n\na\n--b--\n--bb\n\nc\n--bb--\n", "((" TEXT(1, 0) " \"mixed\")" TEXT(1, 0) " \"mixed\")" },
	{ MULTI "x\n\n--x\n" MULTI "x\n\n--x\n\na\n--x--\n", "((" TEXT(1, 0) " \"mixed\") \"mixed\")" },
	{ "Content-Type: message/rfc822\n\nSubject: s\n\nx\n", "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 17 "
		"(NIL \"s\" NIL NIL NIL NIL NIL NIL NIL NIL) " TEXT(3, 1) " 3)" },
	{ "Content-Type: message/rfc822\n\n", "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 0 " NO_ENVELOPE " " EMPTY_PART " 0)" },
	{ MULTI "x\n\n--x\nContent-Type: message/rfc822\n\n\n--x--", "((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 2 "
		NO_ENVELOPE " " EMPTY_PART " 1) \"mixed\")" },
	{ "Content-Type: multipart/digest; boundary=x\n\n--x\n\nTo: a@b\n\ny\n--x\nContent-Type: text/html\n\nz\n--x--",
		"((\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 12 (NIL NIL NIL NIL NIL ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL) "
		TEXT(1, 0) " 2)" HTML(1, 0) " \"digest\")" },
	{ MULTI "a; boundary*0=x\n\n--a\n\nb\n--a--", "(" TEXT(1, 0) " \"mixed\")" },
	{ "Content-Type: multipart/mixed; boundary*0=x; boundary*1=y\n\n--xy\n\nb\n--xy--", "(" TEXT(1, 0) " \"mixed\")" },
};

static struct mime_part *
parse(struct arena *a, struct span in)
{
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;
	struct mime_part *root = NULL;

	assert_int_equal(mime_parse(a, in, &lim, NULL, NULL, &root), 0);
	return root;
}

static void
test_structures(void **state)
{
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;

	(void)state;
	for (size_t i = 0; i < sizeof(structures) / sizeof(structures[0]); i++) {
		struct arena *a = arena_new(MAIL_ARENA_MAX);
		struct buf got = BUF_INIT(100000);

		assert_int_equal(imap_body_write(&got, parse(a, span_str(structures[i].in)), &lim), 0);
		if (!span_eq(buf_span(&got), span_str(structures[i].body)))
			fail_msg("%s gave %s", structures[i].in, buf_cstr(&got));
		buf_clear(&got);
		arena_free(a);
	}
}

#define NEST								\
	"Subject: outer\n" MULTI "x\n\npreamble\n"			\
	"--x\n\nfirst\n"						\
	"--x\nContent-Type: message/rfc822\n\n"				\
	"Subject: inner\n" MULTI "y\n\n"				\
	"--y\nContent-Type: text/html\n\nhtml\n"			\
	"--y\n\nlast\n"							\
	"--y--\n"							\
	"--x\nContent-Type: message/rfc822\n\nSubject: plain\n\nplain text\n" \
	"--x\n" MULTI "z\n\n--z\n\ndeep\n--z--\n"			\
	"--x--\nepilogue\n"

static const struct {
	const char *message, *path;
	enum mime_section what;
	const char *want;	/* NULL: there is no such section */
} sections[] = {
	{ "A: b\n\nbody", "", MIME_SECTION_ALL, "A: b\n\nbody" },
	{ "A: b\n\nbody", "", MIME_SECTION_HEADER, "A: b\n\n" },
	{ "A: b\n\nbody", "", MIME_SECTION_TEXT, "body" },
	{ "A: b\n\nbody", "", MIME_SECTION_MIME, NULL },
	{ "A: b\n\nbody", "1", MIME_SECTION_ALL, "body" },
	{ "A: b\n\nbody", "1", MIME_SECTION_MIME, "A: b\n\n" },
	{ "A: b\n\nbody", "1", MIME_SECTION_HEADER, NULL },
	{ "A: b\n\nbody", "1", MIME_SECTION_TEXT, NULL },
	{ "A: b\n\nbody", "2", MIME_SECTION_ALL, NULL },
	{ "A: b\n\nbody", "0", MIME_SECTION_ALL, NULL },
	{ "A: b\n\nbody", "1.1", MIME_SECTION_ALL, NULL },
	{ NEST, "1", MIME_SECTION_ALL, "first" },
	{ NEST, "1", MIME_SECTION_MIME, "\n" },
	{ NEST, "1", MIME_SECTION_TEXT, NULL },
	{ NEST, "2", MIME_SECTION_HEADER, "Subject: inner\n" MULTI "y\n\n" },
	{ NEST, "2", MIME_SECTION_MIME, "Content-Type: message/rfc822\n\n" },
	{ NEST, "2", MIME_SECTION_TEXT, "--y\nContent-Type: text/html\n\nhtml\n--y\n\nlast\n--y--" },
	{ NEST, "2.1", MIME_SECTION_ALL, "html" },
	{ NEST, "2.1", MIME_SECTION_MIME, "Content-Type: text/html\n\n" },
	{ NEST, "2.1.1", MIME_SECTION_ALL, NULL },
	{ NEST, "2.2", MIME_SECTION_ALL, "last" },
	{ NEST, "2.3", MIME_SECTION_ALL, NULL },
	{ NEST, "3", MIME_SECTION_ALL, "Subject: plain\n\nplain text" },
	{ NEST, "3", MIME_SECTION_HEADER, "Subject: plain\n\n" },
	{ NEST, "3", MIME_SECTION_TEXT, "plain text" },
	{ NEST, "3.1", MIME_SECTION_ALL, "plain text" },
	{ NEST, "3.1", MIME_SECTION_HEADER, NULL },
	{ NEST, "3.2", MIME_SECTION_ALL, NULL },
	{ NEST, "4", MIME_SECTION_HEADER, NULL },
	{ NEST, "4", MIME_SECTION_ALL, "--z\n\ndeep\n--z--" },
	{ NEST, "4.1", MIME_SECTION_ALL, "deep" },
	{ NEST, "4.1.1", MIME_SECTION_ALL, NULL },
	{ NEST, "5", MIME_SECTION_ALL, NULL },
	{ "Content-Type: message/rfc822\n\nSubject: s\n\nx", "1", MIME_SECTION_ALL, "Subject: s\n\nx" },
	{ "Content-Type: message/rfc822\n\nSubject: s\n\nx", "1", MIME_SECTION_HEADER, "Subject: s\n\n" },
	{ "Content-Type: message/rfc822\n\nSubject: s\n\nx", "1.1", MIME_SECTION_ALL, "x" },
	{ "Content-Type: message/rfc822\n\nSubject: s\n\nx", "1.1.1", MIME_SECTION_ALL, NULL },
};

static void
test_sections(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		struct arena *a = arena_new(MAIL_ARENA_MAX);
		struct span in = span_str(sections[i].message), rest = span_str(sections[i].path), digits;
		const struct mime_part *root = parse(a, in);
		struct mime_extent x;
		uint32_t path[8];
		size_t depth = 0;

		while (span_next(&rest, '.', &digits))
			assert_true(span_u32(digits, &path[depth++]));
		if (mime_section(root, path, depth, sections[i].what, &x) != (sections[i].want != NULL))
			fail_msg("section %s, case %zu", sections[i].path, i);
		if (sections[i].want != NULL && !span_eq(span_sub(in, x.offset, x.size), span_str(sections[i].want)))
			fail_msg("section %s, case %zu, is %.*s", sections[i].path, i, (int)x.size, in.p + x.offset);
		arena_free(a);
	}
}

static const struct {
	const char *type, *want;	/* BODYSTRUCTURE; in [] what is not in BODY */
} extensions[] = {
	{ "", "(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0[ NIL NIL NIL NIL])" },
	{ "Content-Disposition: attachment; filename=x\nContent-Language: en, de-CH (x)\nContent-Location: a\n b\nContent-MD5: m\n",
		"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0[ \"m\" (\"attachment\" (\"filename\" \"x\")) (\"en\" \"de-CH\") \"a b\"])" },
	{ "Content-Disposition: ; filename=x\nContent-Language: \"en\"\n",
		"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 1 0[ NIL (\"attachment\" (\"filename\" \"x\")) NIL NIL])" },
	{ "Content-Disposition:\nContent-Description: a\r\n  b\nContent-ID:\n",
		"(\"text\" \"plain\" (\"charset\" \"us-ascii\") \"\" \"a  b\" \"7bit\" 1 0[ NIL NIL NIL NIL])" },
	{ MULTI "q\nContent-Disposition: inline\n", "((\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0[ NIL NIL NIL NIL]) \"mixed\"[ (\"boundary\" \"q\")"
		" (\"inline\" NIL) NIL NIL])" },
	{ "Content-Type: message/rfc822\n", "(\"message\" \"rfc822\" NIL NIL NIL \"7bit\" 1 " NO_ENVELOPE
		" (\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0[ NIL NIL NIL NIL]) 0[ NIL NIL NIL NIL])" },
};

static void
test_extensions(void **state)
{
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;

	(void)state;
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
		struct arena *a = arena_new(MAIL_ARENA_MAX);
		struct array holes = ARRAY_INIT(struct imap_hole, 100);
		struct buf in = BUF_INIT(1000), got = BUF_INIT(10000), marked = BUF_INIT(10000);
		size_t pos = 0;

		buf_addf(&in, "MIME-Version: 1.0\n%s\nx", extensions[i].type);
		assert_int_equal(imap_bodystructure_write(&got, parse(a, buf_span(&in)), &lim, &holes), 0);
		for (size_t h = 0; h < holes.n; h++) {
			const struct imap_hole *hole = array_at(&holes, h);

			buf_add(&marked, span_sub(buf_span(&got), pos, hole->offset - pos));
			buf_addf(&marked, "[%.*s]", (int)hole->size, got.p + hole->offset);
			pos = hole->offset + hole->size;
		}
		buf_add(&marked, span_from(buf_span(&got), pos));
		assert_string_equal(buf_cstr(&marked), extensions[i].want);
		array_clear(&holes);
		buf_clear(&in);
		buf_clear(&got);
		buf_clear(&marked);
		arena_free(a);
	}
}

static const struct {
	const char *in, *want;
} envelopes[] = {
	{ "", NO_ENVELOPE },
	{ "Date: d\nSubject: s\nFrom: a@b\nTo: c@d\nCc: e@f\nBcc: g@h\nIn-Reply-To: <i>\nMessage-ID: <m>\n",
		"(\"d\" \"s\" ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"a\" \"b\")) ((NIL NIL \"c\" \"d\")) ((NIL NIL \"e\" \"f\"))"
		" ((NIL NIL \"g\" \"h\")) \"<i>\" \"<m>\")" },
	{ "From: a@b\nSender: s@t\nReply-To: \n", "(NIL NIL ((NIL NIL \"a\" \"b\")) ((NIL NIL \"s\" \"t\")) ((NIL NIL \"a\" \"b\")) NIL NIL NIL NIL NIL)" },
	{ "Sender: s@t\n", "(NIL NIL NIL ((NIL NIL \"s\" \"t\")) NIL NIL NIL NIL NIL NIL)" },
	{ "Subject:\nDate:\nMessage-ID:\n", "(\"\" \"\" NIL NIL NIL NIL NIL NIL NIL \"\")" },
	{ "Subject: a\nSubject: b\nTo: a@b\nTo: c@d\n", "(NIL \"b\" NIL NIL NIL ((NIL NIL \"a\" \"b\")(NIL NIL \"c\" \"d\")) NIL NIL NIL NIL)" },
	{ "Subject: a\n  b\tc  d\n", "(NIL \"a b c d\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ "In-Reply-To: <a>\r\n  <b>\n", "(NIL NIL NIL NIL NIL NIL NIL NIL \"<a>  <b>\" NIL)" },
	{ "Date: a\rb\n", "(\"a b\" NIL NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ "Subject: \"q\\\n", "(NIL \"\\\"q\\\\\" NIL NIL NIL NIL NIL NIL NIL NIL)" },
	{ "Subject: \xe4\n", "(NIL {1}\r\n\xe4 NIL NIL NIL NIL NIL NIL NIL NIL)" },
};

static void
test_envelopes(void **state)
{
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;

	(void)state;
	for (size_t i = 0; i < sizeof(envelopes) / sizeof(envelopes[0]); i++) {
		struct arena *a = arena_new(MAIL_ARENA_MAX);
		struct buf got = BUF_INIT(10000);

		assert_int_equal(imap_envelope_write(&got, a, parse(a, span_str(envelopes[i].in))->envelope, &lim), 0);
		assert_string_equal(buf_cstr(&got), envelopes[i].want);
		buf_clear(&got);
		arena_free(a);
	}
}

static void
test_strings(void **state)
{
	struct buf got = BUF_INIT(100000);
	char wide[5000];

	(void)state;
	imap_nstring_write(&got, SPAN_NONE);
	buf_addc(&got, ' ');
	imap_nstring_write(&got, SPAN(""));
	buf_addc(&got, ' ');
	imap_string_write(&got, SPAN("a\r\nb"));
	buf_addc(&got, ' ');
	imap_string_write(&got, SPAN("a\0b\0"));
	assert_string_equal(buf_cstr(&got), "NIL \"\" {4}\r\na\r\nb {8}\r\na\xef\xbf\xbd" "b\xef\xbf\xbd");
	buf_reset(&got);
	memset(wide, 'x', sizeof(wide));
	imap_string_write(&got, span_of(wide, sizeof(wide)));
	assert_int_equal(got.p[0], '{');
	buf_clear(&got);
}

/* What is past a limit is not divided, but still there to be fetched. */
static void
test_limits(void **state)
{
	struct span in = SPAN(MULTI "x\n\n--x\n\na\n--x\n\nb\n--x\n\nc\n--x--\n");
	struct span nested = SPAN(MULTI "x\n\n--x\n" MULTI "y\n\n--y\n\na\n--y--\n--x\n\nb\n--x--\n");
	struct mail_limits lim = MAIL_LIMITS_DEFAULT;
	struct arena *a = arena_new(MAIL_ARENA_MAX);
	struct mime_part *root;
	struct mime_extent x;

	(void)state;
	lim.mime_parts = 3;
	assert_int_equal(mime_parse(a, in, &lim, NULL, NULL, &root), 0);
	assert_int_equal(root->children, 2);
	assert_true((root->flags & MIME_CUT) != 0);
	assert_true(mime_section(root, (const uint32_t[]){ 2 }, 1, MIME_SECTION_ALL, &x));
	assert_true(span_eq(span_sub(in, x.offset, x.size), SPAN("b\n--x\n\nc")));

	lim = MAIL_LIMITS_DEFAULT;
	lim.mime_depth = 1;
	assert_int_equal(mime_parse(a, nested, &lim, NULL, NULL, &root), 0);
	assert_int_equal(root->children, 2);
	assert_int_equal(root->child->flags, MIME_CUT);
	assert_true(span_eq(root->child->type, SPAN("application")));
	assert_true(span_eq(span_sub(nested, root->child->body.offset, root->child->body.size), SPAN("--y\n\na\n--y--")));

	lim.header_fields = 1;
	assert_int_equal(mime_parse(a, SPAN("A: b\nContent-Type: text/html\n\nx"), &lim, NULL, NULL, &root), 0);
	assert_int_equal(root->flags, MIME_HEADER_TRUNCATED | MIME_TEXT);
	assert_true(span_eq(root->subtype, SPAN("plain")) && root->body.size == 1);
	arena_free(a);

	/* Memory that ends anywhere is a limit too. */
	for (size_t max = 0; max < 6000; max += 37) {
		a = arena_new(max);
		lim = MAIL_LIMITS_DEFAULT;
		lim.mime_depth = 10;
		if (mime_parse(a, span_str(NEST), &lim, NULL, NULL, &root) == 0)
			assert_int_equal(root->header.size + root->body.size, strlen(NEST));
		arena_free(a);
	}
}

static void
test_decode(void **state)
{
	struct arena *a = arena_new(MAIL_ARENA_MAX);
	struct span in = SPAN("MIME-Version: 1\nContent-Transfer-Encoding: Quoted-Printable\n\na=3Db");
	struct buf got = BUF_INIT(100);

	(void)state;
	assert_true(mime_decode(&got, in, parse(a, in)));
	assert_string_equal(buf_cstr(&got), "a=b");
	in = SPAN("MIME-Version: 1\nContent-Transfer-Encoding: base64\n\nYT1i");
	assert_true(mime_decode(&got, in, parse(a, in)));
	assert_string_equal(buf_cstr(&got), "a=ba=b");
	in = SPAN("MIME-Version: 1\nContent-Transfer-Encoding: x-odd\n\nYT1i");
	assert_false(mime_decode(&got, in, parse(a, in)));
	buf_clear(&got);
	arena_free(a);
}

static const struct {
	const char *in;
	bool want;
} attachments[] = {
	{ "\nx", false },
	{ "Content-Type: application/pdf\n\nx", true },
	{ "Content-Type: application/pkcs7-mime\n\nx", false },
	{ MULTI "x\n\n--x\n\na\n--x\nContent-Type: application/pdf\n\nb\n--x--", true },
	{ MULTI "x\n\n--x\n\na\n--x\nContent-Disposition: attachment\n\nb\n--x--", true },
	{ MULTI "x\n\n--x\n\na\n--x\n\nb\n--x--", false },
	{ MULTI "x\n\n--x\nContent-Type: image/png\nContent-ID: <1>\nContent-Disposition: inline\n\n--x--", false },
	{ "Content-Type: multipart/related; boundary=x\n\n--x\nContent-Type: text/html\n\na\n--x\nContent-Type: image/png\n\nb\n--x--", false },
	{ "Content-Type: multipart/signed; boundary=x\n\n--x\n\na\n--x\nContent-Type: application/pgp-signature\nContent-Disposition: attachment\n\nb\n--x--", false },
	{ NEST, true },
};

static void
test_attachments(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(attachments) / sizeof(attachments[0]); i++) {
		struct arena *a = arena_new(MAIL_ARENA_MAX);

		if (mime_has_attachment(parse(a, span_str(attachments[i].in))) != attachments[i].want)
			fail_msg("case %zu", i);
		arena_free(a);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structures),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_extensions),
		cmocka_unit_test(test_envelopes),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_attachments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
