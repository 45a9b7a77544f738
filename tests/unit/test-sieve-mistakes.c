/* SPDX-License-Identifier: MIT */
/* All that is wrong with a script is told together, and nothing that is only a consequence of it. */
#include "lib-filter/sieve/script.h"
#include "testing.h"

struct told {
	struct buf text;
	struct sieve_error first;
	unsigned count;
};

static void
on_error(void *ctx, const struct sieve_error *error)
{
	struct told *t = ctx;

	if (t->count++ == 0)
		t->first = *error;
	buf_addf(&t->text, "%u: %s\n", error->line, error->text);
}

static int
on_script(void *ctx, bool personal, struct span name, struct arena *a, struct span *out, struct err *e)
{
	(void)ctx;
	(void)personal;
	(void)a;
	if (span_eq(name, SPAN("good")))
		*out = SPAN("keep;");
	else if (span_eq(name, SPAN("wrong")))
		*out = SPAN("jump;\nkeep $;\nstop 1;");
	else
		return err_set(e, ERR_NOTFOUND, "none");
	return 0;
}

/* Fills t; the first is the one that is told of a script when no other is asked for. */
static void
compile(struct span script, struct told *t)
{
	struct filter_host host = { .script = on_script };
	struct sieve_compile_options o = { .host = &host };
	struct sieve_error error = { 0 };
	struct sieve_script *s;
	struct span bad;

	*t = (struct told){ .text = BUF_INIT(1 << 20) };
	assert_true(sieve_extset_parse(&o.available, SPAN("-regex"), &bad));
	o.available_global = o.available;
	s = sieve_compile_with(script, &o, &error);
	o.on_error = on_error;
	o.on_error_ctx = t;
	if (s != NULL) {
		sieve_script_free(s);
		s = sieve_compile_with(script, &o, &error);
		assert_non_null(s);
		assert_int_equal(t->count, 0);
		sieve_script_free(s);
		return;
	}
	assert_null(sieve_compile_with(script, &o, &(struct sieve_error){ 0 }));
	assert_true(t->count > 0 && t->count <= SIEVE_MISTAKES_MAX);
	assert_int_equal(t->first.line, error.line);
	assert_string_equal(t->first.text, error.text);
}

#define NO_COMMAND " stands where \";\" or \"{\" is expected\n"

static const struct {
	const char *script, *want;
} cases[] = {
	{ "keep;", "" },
	/* the parser goes on behind the command */
	{ "keep,\nkeep;\nstop,;\nredirect;", "1: ," NO_COMMAND "3: ," NO_COMMAND 
	    "4: the redirect command requires 1 positional argument, but 0 are specified\n" },
	{ "if true {\n keep\n}\nif true {\n if true {\n  keep, keep }\n stop }\nredirect;",
	    "3: }" NO_COMMAND "6: ," NO_COMMAND "7: }" NO_COMMAND "8: the redirect command requires 1 positional argument, but 0 are specified\n" },
	{ "if anyof(true,) {\n jump;\n keep,;\n}\nelse { swim; }", "1: ) stands where a test is expected\n3: ," NO_COMMAND
	    "2: jump is no command\n5: swim is no command\n" },
	{ "keep;\n}\nkeep;\n) ;\nstop 1;", "2: } stands where a command is expected\n4: ) stands where a command is expected\n"
	    "5: stop: there are too many arguments\n" },
	{ "\"x\" {\n keep,; }\nkeep 1;", "1: a string stands where a command is expected\n3: keep: there are too many arguments\n" },
	{ "if true { if true {\nkeep;", "2: the script ends where a command or \"}\" is expected\n" },
	{ "redirect [\"a@b.c\", 1], {\n stop 1;\n}", "1: a number stands where a string is expected\n2: stop: there are too many arguments\n" },
	/* and the lexer behind the token */
	{ "if size :over 99999999999999999999 { stop 1; }\nif size :over 5x {}", "1: the number is too large\n"
	    "2: a number ends with K, M, G or its last digit\n1: stop: there are too many arguments\n" },
	{ "if size :under 18446744073709551615 {}", "" },
	{ "if size :under 18446744073709551616 {}", "1: the number is too large\n" },
	{ "if size :under 17179869183G {}", "" },
	{ "if size :under 17179869184G {}", "1: the number is too large\n" },
	{ "keep $$$;\nstop \x01\x02;\n%\nkeep 1;", "1: an octet that can not be here\n2: an octet that can not be here\n"
	    "3: an octet that can not be here\n" },
	{ "jump $;\nif fly $ {}", "1: an octet that can not be here\n2: an octet that can not be here\n1: jump is no command\n"
	    "2: fly is no test\n" },
	{ "require \"reject\";\nreject text: No,\nnot; here {\n.\n;\nreject 1;", "2: text: is followed by a new line\n"
	    "6: the reject command expects a string as argument 1, but a number was found\n" },
	{ "redirect text: x;\nstop 1;", "1: text: is followed by a new line\n2: stop: there are too many arguments\n" },
	{ "if true {\nkeep 1;\n/* x", "3: a comment has no end\n2: keep: there are too many arguments\n" },
	{ "if true {\nredirect \"x;\n}", "2: a string has no end\n" },
	/* arguments, block and tests are different things */
	{ "stop 1 true {\n swim; }", "1: stop: there are too many arguments\n1: stop: takes no block\n2: swim is no command\n" },
	{ "if anyof(jump, size 1, fly) { redirect; }", "1: jump is no test\n1: size: takes :over or :under\n1: fly is no test\n"
	    "1: the redirect command requires 1 positional argument, but 0 are specified\n" },
	{ "if address matches \"from\" \"x\" {}", "1: the address test requires 2 positional arguments, but 0 are specified\n"
	    "1: missing colon before 'matches', a tag of the address test\n" },
	{ "redirect \"a@b.c\"\nkeep;\nif address :is :is \"a\" {}", "1: missing semicolon behind the redirect command\n"
	    "3: address: :is and :is can not be together\n" },
	{ "if size 1 :over {}\nif size :over 1 {}", "1: unexpected tagged argument ':over' behind an argument without a tag of the size test\n" },
	{ "elseif true {\n swim; }\nelse {}", "1: elseif is no command\n2: swim is no command\n3: else: there is no if before it\n" },
	{ "if jump {}\nelsif $ {}\nelse {}", "2: an octet that can not be here\n1: jump is no test\n" },
	{ "stop (true);", "1: the stop command accepts no sub-tests, but one is specified\n" },
	/* what was not required, and what can not be, is told once */
	{ "fileinto \"a\";\nfileinto \"b\";\nkeep :flags \"x\";\nkeep :flags \"y\";", "1: fileinto: needs require \"fileinto\"\n"
	    "3: keep: :flags needs require \"imap4flags\"\n" },
	{ "require [\"regex\", \"none\", \"nothing\"];\nif header :regex \"a\" \"b\" {}", "1: require: there is no extension \"regex\"\n"
	    "1: require: there is no extension \"none\"\n1: require: there is no extension \"nothing\"\n" },
	{ "require \"fileinto\"\n\"copy\";\nfileinto \"a\";", "1: require: there are too many arguments\n" },
	{ "require \"fileinto\",;\nfileinto \"a\"; jump;", "1: ," NO_COMMAND "2: jump is no command\n" },
	/* a loop whose name is wrong may have any */
	{ "require \"foreverypart\";\nforeverypart :name 1 {\n break :name \"a\"; }", "2: foreverypart: :name takes a string\n" },
	/* special uses */
	{ "require [\"special-use\",\"fileinto\",\"variables\"];\nif specialuse_exists \"Junk\" {}\n"
	    "if specialuse_exists [\"\\\\Junk\",\"\\\\J x\"] {}\nfileinto :specialuse \"Junk\" \"x\"; fileinto :specialuse \"${x}\" \"x\";",
	    "2: specialuse_exists: \"Junk\" is no special use: those are as \"\\Junk\"\n"
	    "3: specialuse_exists: \"\\J x\" is no special use: those are as \"\\Junk\"\n"
	    "4: fileinto: \"Junk\" is no special use: those are as \"\\Junk\"\n" },
	/* ${} names nothing that can not be there */
	{ "require [\"variables\",\"include\"];\nredirect \"${a.b}${\";\nredirect \"${global.x.y}\";\nstop 1;",
	    "2: redirect: the namespace of ${a.b} is not known\n3: redirect: the namespace of ${global.x.y} is not known\n"
	    "4: stop: there are too many arguments\n" },
	{ "require [\"variables\"];\nredirect \"${32}${a.1}${a. b}${.a}${a.}${a-b.c}${global.x}@x.org\";",
	    "2: redirect: the namespace of ${global.x} is not known\n" },
	{ "redirect \"a@${a.b}\";", "1: redirect: \"a@${a.b}\" is no address\n" },
	/* includes */
	{ "require \"include\";\ninclude \"wrong\"; include \"good\";\ninclude \"wrong\";\nstop 1;",
	    "2: in the included script \"wrong\": an octet that can not be here\n1: in the included script \"wrong\": jump is no command\n"
	    "3: in the included script \"wrong\": stop: there are too many arguments\n2: include: \"wrong\" has mistakes\n"
	    "3: include: \"wrong\" has mistakes\n4: stop: there are too many arguments\n" },
	{ "require \"ihave\";\nif allof(ihave \"none\", swim) { crawl; }\nelse { stop 1; }", "3: stop: there are too many arguments\n" },
};

static void
test_cases(void **state)
{
	size_t bad = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct told t;

		compile(span_str(cases[i].script), &t);
		if (!span_eq(buf_span(&t.text), span_str(cases[i].want))) {
			print_error("%s\n  have:\n%.*s  want:\n%s\n", cases[i].script, SPAN_ARG(buf_span(&t.text)), cases[i].want);
			bad++;
		}
		buf_clear(&t.text);
	}
	assert_int_equal(bad, 0);
}

/* Of a script that is nothing but mistakes so many are told, whichever they are, and the rest costs nothing. */
static void
test_bound(void **state)
{
	static const struct {
		const char *piece;
		unsigned count;
	} pieces[] = {
		{ "jump;                          \n", SIEVE_MISTAKES_MAX }, { "keep,;\n", SIEVE_MISTAKES_MAX }, { "$ ", 1 }, { "$ ; ", SIEVE_MISTAKES_MAX },
		{ "}\n", SIEVE_MISTAKES_MAX }, { "if true {\n", 2 }, { "not ", 1 }, { "keep, text: x\n", 1 }, { "text: x\n;", SIEVE_MISTAKES_MAX },
		{ "[", 1 }, { "if allof(", 1 }, { "/", 1 }, { "/ ", 1 }, { "{", 1 }, { "keep {", 2 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(pieces); i++) {
		struct buf script = BUF_INIT((size_t)2 << 20);
		struct told t;

		while (script.n < (size_t)1 << 20)
			buf_adds(&script, pieces[i].piece);
		compile(buf_span(&script), &t);
		if (pieces[i].count == SIEVE_MISTAKES_MAX ? t.count != SIEVE_MISTAKES_MAX : t.count > 40 || t.count < pieces[i].count)
			fail_msg("%s: %u: %.*s", pieces[i].piece, t.count, SPAN_ARG(span_sub(buf_span(&t.text), 0, 300)));
		buf_clear(&t.text);
		buf_clear(&script);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
