/* SPDX-License-Identifier: MIT */
/* What scripts send and ask of others: notifications, copies, lists, DSN parameters, spam scores, programs. */
#include "lib-filter/sieve/mailto.h"
#include "sieve-rig.h"
#include "testing.h"

static const char mail[] =
    "From: Ann <ann@example.org>\n"
    "To: bob@example.com\n"
    "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n"
    "\n"
    "The body.\n";

#define E "require [\"enotify\",\"variables\",\"fcc\",\"fileinto\",\"mailbox\",\"imap4flags\",\"vacation\",\"relational\"]; "
#define IF(test) E "if " test " { fileinto \"yes\"; } else { fileinto \"no\"; }"
#define YES "save yes"
#define NO "save no"

static const struct rig_case notifies[] = {
	{ E "notify \"mailto:x@example.org\";", "send x@example.org; keep" },
	{ E "notify \"mailto:x@example.org,y%40example.org?cc=z@example.org&bcc=x@example.org\";",
	    "send x@example.org; send y@example.org; send z@example.org; keep" },
	{ E "notify \"mailto:x@example.org\"; notify \"MAILTO:X@example.org\"; discard;", "send x@example.org" },
	{ E "notify :message \"a\" \"mailto:x@example.org\"; notify :message \"b\" \"mailto:x@example.org\"; discard;",
	    "send x@example.org; send x@example.org" },
	{ E "notify :fcc \"Sent\" :create :flags \"\\\\Seen\" \"mailto:x@example.org\"; discard;",
	    "send x@example.org; save Sent create flag1" },
	{ E "addflag \"a\"; notify :fcc \"Sent\" \"mailto:x@example.org\"; fileinto \"Sent\";",
	    "send x@example.org; save Sent; save Sent a" },
	{ E "set \"x\" \"mailto\"; notify \"${x}\";", "failed at line 1: notify: \"mailto\" is no method: it is no mailto: URI: keep" },
	{ E "notify \"mailto:\";", "keep" },
	{ E "notify \"mailto:nobody\";", "line 1: notify: \"mailto:nobody\" is no method: it names something that is no address" },
	{ E "notify \"xmpp:a@b.cd\";", "line 1: notify: \"xmpp:a@b.cd\" is no method: it is no mailto: URI" },
	{ E "notify \"mailto:a@b.cd%0\";", "line 1: notify: \"mailto:a@b.cd%0\" is no method: what is encoded in it is broken" },
	{ E "notify \"mailto:a@b.cd;c@d.ef\";", "line 1: notify: \"mailto:a@b.cd;c@d.ef\" is no method: there is a comma between addresses" },
	{ E "notify \"mailto:a@b.cd?subject=a>b\";",
	    "line 1: notify: \"mailto:a@b.cd?subject=a>b\" is no method: it has a character that must be encoded" },
	{ E "notify \"mailto:a@b.cd?x\";", "line 1: notify: \"mailto:a@b.cd?x\" is no method: a field of it has no name" },
	{ E "notify \"mailto:a@b.cd?subject=a%0Ab\";",
	    "line 1: notify: \"mailto:a@b.cd?subject=a%0Ab\" is no method: what is encoded in it is broken" },
	{ E "notify :importance \"4\" \"mailto:a@b.cd\";", "line 1: notify: :importance takes \"1\", \"2\" or \"3\"" },
	{ E "notify :from \"a, b\" \"mailto:a@b.cd\";", "line 1: notify: :from takes one address" },
	{ E "notify :options [\"a=\", \"b.c=d e=f\", \"${x}\"] \"mailto:a@b.cd\"; discard;", "send a@b.cd" },
	{ E "notify :options [\"a=b\", \"_a=b\"] \"mailto:a@b.cd\";", "line 1: notify: \"_a=b\" is no option of the form name=value" },
	{ E "notify :options \"a\" \"mailto:a@b.cd\";", "line 1: notify: \"a\" is no option of the form name=value" },
	{ E "notify :options \"=a\" \"mailto:a@b.cd\";", "line 1: notify: \"=a\" is no option of the form name=value" },
	{ E "notify :options \"a=b\nc\" \"mailto:a@b.cd\";", "line 1: notify: \"a=b??c\" is no option of the form name=value" },
	{ E "notify :create \"mailto:a@b.cd\";", "line 1: notify: :create, :flags, :specialuse and :mailboxid need :fcc" },
	{ "require \"enotify\"; notify :fcc \"a\" \"mailto:a@b.cd\";", "line 1: notify: :fcc needs require \"fcc\"" },
	{ "notify \"mailto:a@b.cd\";", "line 1: notify: needs require \"enotify\"" },
	{ IF("valid_notify_method [\"mailto:a@b.cd\", \"mailto:?to=a@b.cd\"]"), YES },
	{ IF("valid_notify_method [\"mailto:a@b.cd\", \"tel:112\"]"), NO },
	{ IF("notify_method_capability \"mailto:a@b.cd\" \"Online\" \"maybe\""), YES },
	{ IF("notify_method_capability :contains \"mailto:a@b.cd\" \"online\" [\"yes\",\"may\"]"), YES },
	{ IF("notify_method_capability \"mailto:a@b.cd\" \"other\" \"maybe\""), NO },
	{ IF("notify_method_capability \"tel:112\" \"online\" \"maybe\""), NO },
	{ E "set :encodeurl \"x\" \"a b&\xc3\xbc?~-\"; fileinto \"${x}\";", "save a%20b%26%C3%BC%3F~-" },
	/* the older words */
	{ "require \"notify\"; notify :method \"mailto\" :options [\"x@example.org\",\"y@example.org\"] :high; discard;",
	    "send x@example.org; send y@example.org" },
	{ "require \"notify\"; notify :options \"x@example.org\" :id \"a\"; notify :options \"y@example.org\" :id \"b\" :low; denotify :is "
	    "\"a\";", "send y@example.org; keep" },
	{ "require \"notify\"; notify :options \"x@example.org\" :id \"a\"; notify :options \"y@example.org\" :id \"b\" :low; denotify "
	    ":matches \"*\" :low; keep;", "send x@example.org; keep" },
	{ "require \"notify\"; notify :options \"x@example.org\"; notify :options \"y@example.org\"; denotify; keep;", "keep" },
	{ "require \"notify\"; notify :method \"sms\" :options \"x@example.org\";", "line 1: notify: the one method is \"mailto\"" },
	{ "require \"notify\"; notify;", "line 1: notify: :options takes the addresses, 8 at most" },
	{ "require [\"notify\",\"enotify\"];", "line 1: require: \"notify\" and \"enotify\" can not be together" },
	{ "require [\"imap4flags\",\"imapflags\"];", "line 1: require: \"imapflags\" and \"imap4flags\" can not be together" },
	{ "require [\"ihave\",\"enotify\"]; if ihave \"notify\" { notify; }",
	    "line 1: ihave: \"notify\" and \"enotify\" can not be together" },
	{ "require \"imapflags\"; addflag \"a\"; mark; keep;", "keep flag4 a" },
	{ "require \"imapflags\"; setflag [\"\\\\Flagged\",\"b\"]; unmark;", "keep b" },
};

static void
test_notify(void **state)
{
	struct sieve_rig rig;

	(void)state;
	rig_init(&rig, mail);
	assert_int_equal(rig_cases(&rig, notifies, COUNT(notifies)), 0);
	rig_clear(&rig);
}

static bool
has(struct span text, const char *line)
{
	return span_find(text, span_str(line)) != SIZE_MAX;
}

static void
test_notification(void **state)
{
	static const char *const settings[][2] = { { "sieve_notify_mailto_envelope_from", "<postmaster@example.com>" }, { NULL, NULL } };
	struct sieve_rig rig;
	struct span text;

	(void)state;
	rig_init(&rig, mail);
	rig_run(&rig, E "notify :importance \"1\" :message \"Neu: \xc3\xbc\" :from \"Bob <b@example.com>\" "
	    "\"mailto:x@example.org?cc=y@example.org&body=a%0D%0Ab&X-Tag=1&From=evil@example.org\";");
	text = rig_message(&rig, 0);
	assert_true(has(text, "\r\nFrom: Bob <b@example.com>\r\nTo: x@example.org\r\nCc: y@example.org\r\nSubject: =?UTF-8?"));
	assert_true(has(text, "Auto-Submitted: auto-notified; owner-email=\"bob+work@example.com\"\r\n"));
	assert_true(has(text, "X-Priority: 1 (Highest)\r\nImportance: High\r\nX-Tag: 1\r\nMIME-Version: 1.0\r\n"));
	assert_true(has(text, "\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n"));
	assert_true(span_ends(text, SPAN("7bit\r\n\r\na\r\nb\r\n")));
	assert_true(span_find(text, SPAN("evil")) == SIZE_MAX);
	assert_span(rig_action(&rig, 0)->sender, "b@example.com");
	rig_run(&rig, E "notify \"mailto:x@example.org\";");
	assert_true(has(rig_message(&rig, 0), "\r\nSubject: =?UTF-8?"));
	assert_span(rig_action(&rig, 0)->sender, "bob+work@example.com");
	/* the envelope has the address alone, and outlives the script */
	rig_run(&rig, E "notify :from \"carl@example.com\" \"mailto:x@example.org\";");
	assert_span(rig_action(&rig, 0)->sender, "carl@example.com");
	rig_run(&rig, E "notify :from \"carl@example.com (Carl)\" \"mailto:x@example.org\";");
	assert_span(rig_action(&rig, 0)->sender, "carl@example.com");
	rig_run(&rig, E "notify :from text:\n dora@example.com\n.\n \"mailto:x@example.org\";");
	assert_span(rig_action(&rig, 0)->sender, "dora@example.com");
	/* the copy is of what is sent; the message that came is not touched by it */
	rig_run(&rig, E "notify :fcc \"Sent\" \"mailto:x@example.org\";");
	assert_true(span_eq(rig_action(&rig, 1)->message, rig_action(&rig, 0)->text) && rig_action(&rig, 1)->own);
	assert_null(rig_action(&rig, 2)->message.p);
	rig.settings = settings;
	rig_run(&rig, E "notify \"mailto:x@example.org\";");
	assert_span(rig_action(&rig, 0)->sender, "postmaster@example.com");
	rig.envelope.sender = SPAN("");
	rig_run(&rig, E "notify \"mailto:x@example.org\";");
	assert_span(rig_action(&rig, 0)->sender, "");
	rig_run(&rig, "require \"notify\"; notify :message \"$from$ ($env-from$) wrote: $subject$ $text[5]$ $no$ $\" :options \"x@example.org\";");
	assert_true(has(rig_message(&rig, 0), "Ann <ann@example.org> () wrote: Gr=C3=BC=C3=9Fe The b $no$ $"));
	rig_clear(&rig);
	/* no program is told of what a program has sent */
	rig_init(&rig, "Auto-Submitted: auto-replied\n\nx\n");
	assert_span(rig_run(&rig, E "notify :fcc \"a\" \"mailto:x@example.org\";"), "keep");
	assert_true(rig.logged.n > 0);
	rig_clear(&rig);
	rig_init(&rig, "Auto-Submitted: no (really)\n\nx\n");
	assert_span(rig_run(&rig, E "notify \"mailto:x@example.org\";"), "send x@example.org; keep");
	rig_clear(&rig);
}

/* vacation, too, leaves a copy. */
static void
test_fcc(void **state)
{
	struct sieve_rig rig;

	(void)state;
	rig_init(&rig, mail);
	rig.envelope.recipient = SPAN("bob@example.com");
	assert_span(rig_run(&rig, E "vacation :fcc \"Sent\" \"Away.\";"), "send ann+list@example.org; save Sent; keep");
	assert_true(span_eq(rig_action(&rig, 1)->message, rig_action(&rig, 0)->text));
	assert_span(rig_run(&rig, E "vacation :create \"Away.\";"),
	    "line 1: vacation: :create, :flags, :specialuse and :mailboxid need :fcc");
	rig_clear(&rig);
}

#define L "require [\"extlists\",\"fileinto\",\"envelope\",\"copy\",\"variables\"]; "

static const struct rig_case lists[] = {
	{ L "if address :list \"from\" \"friends\" { fileinto \"yes\"; }", "save yes" },
	{ L "if address :list \"to\" [\"friends\",\"tag:example.com,2009:all\"] { fileinto \"yes\"; }", "save yes" },
	{ L "if address :list \"to\" \"friends\" { fileinto \"yes\"; }", "keep" },
	{ L "if envelope :list \"from\" \"friends\" { fileinto \"yes\"; }", "keep" },
	{ L "if address :list \"to\" \"foes\" {}", "failed at line 1: address: there is no list \"foes\": keep" },
	{ L "if valid_ext_list [\"friends\",\"tag:example.com,2009:all\"] { fileinto \"yes\"; }", "save yes" },
	{ L "if valid_ext_list [\"friends\",\"foes\"] { fileinto \"yes\"; }", "keep" },
	{ L "redirect :list \"friends\";", "redirect ann@example.org; redirect carl@example.org" },
	{ L "redirect :copy :list \"friends\";", "redirect ann@example.org; redirect carl@example.org; keep" },
	{ L "redirect :list \"empty\";", "keep" },
	{ L "redirect :list \"many\";", "failed at line 1: redirect: the number of redirect actions exceeds policy limit (4): keep" },
	{ L "redirect :list \"foes\";", "failed at line 1: redirect: there is no list \"foes\": keep" },
	{ "if header :list \"a\" \"b\" {}", "line 1: header: :list needs require \"extlists\"" },
};

static void
test_lists(void **state)
{
	struct sieve_rig rig;

	(void)state;
	rig_init(&rig, mail);
	rig.lists = "friends=ann@example.org,carl@example.org;tag:example.com,2009:all=bob@example.com;empty=;many=a@b.c,b@b.c,c@b.c,d@b.c,e@b.c";
	assert_int_equal(rig_cases(&rig, lists, COUNT(lists)), 0);
	rig_clear(&rig);
}

#define D "require [\"redirect-dsn\",\"redirect-deliverby\",\"envelope\",\"envelope-dsn\",\"envelope-deliverby\",\"fileinto\",\"relational\"," \
    "\"comparator-i;ascii-numeric\"]; "
#define DIF(test) D "if " test " { fileinto \"yes\"; } else { fileinto \"no\"; }"

static const struct rig_case dsns[] = {
	{ DIF("envelope \"notify\" \"DELAY\""), YES },
	{ DIF("envelope \"notify\" \"NEVER\""), NO },
	{ DIF("envelope :count \"eq\" :comparator \"i;ascii-numeric\" \"notify\" \"2\""), YES },
	{ DIF("envelope \"ret\" \"hdrs\""), YES },
	{ DIF("envelope \"envid\" \"QQ314159\""), YES },
	{ DIF("envelope :matches \"orcpt\" \"rfc822;*@example.com\""), YES },
	{ DIF("envelope \"bymode\" \"return\""), YES },
	{ DIF("envelope \"bytrace\" \"true\""), YES },
	{ DIF("envelope \"bytimerelative\" \"120\""), YES },
	{ DIF("envelope \"bytimeabsolute\" \"2023-11-14T22:15:20Z\""), YES },
	{ "require \"envelope\"; if envelope \"notify\" \"a\" {}", "line 1: envelope: \"notify\" needs require \"envelope-dsn\"" },
	{ "require \"envelope\"; if envelope \"bymode\" \"a\" {}", "line 1: envelope: \"bymode\" needs require \"envelope-deliverby\"" },
	{ D "redirect :notify \"NEVER,DELAY\" \"a@b.cd\";", "line 1: redirect: :notify takes \"NEVER\", or some of \"SUCCESS,FAILURE,DELAY\"" },
	{ D "redirect :ret \"ALL\" \"a@b.cd\";", "line 1: redirect: :ret takes \"FULL\" or \"HDRS\"" },
	{ D "redirect :bymode \"notify\" \"a@b.cd\";", "line 1: redirect: :bymode and :bytrace need :bytimerelative or :bytimeabsolute" },
	{ D "redirect :bytimerelative 1 :bytimeabsolute \"x\" \"a@b.cd\";",
	    "line 1: redirect: :bytimeabsolute and :bytimerelative can not be together" },
	{ D "redirect :bytimeabsolute \"2023-02-01\" \"a@b.cd\";", "line 1: redirect: :bytimeabsolute takes a time as RFC 3339 has it" },
	{ D "redirect :bytimeabsolute \"2023-11-14T22:00:00Z\" \"a@b.cd\";",
	    "failed at line 1: redirect: the time until when it is to be delivered is over: keep" },
};

static void
test_dsn(void **state)
{
	struct sieve_rig rig;

	(void)state;
	rig_init(&rig, mail);
	rig.envelope.notify = SPAN("FAILURE,DELAY");
	rig.envelope.ret = SPAN("HDRS");
	rig.envelope.envid = SPAN("QQ314159");
	rig.envelope.orig_recipient = SPAN("bob@example.com");
	rig.envelope.bydeadline = SPAN("120;RT");
	assert_int_equal(rig_cases(&rig, dsns, COUNT(dsns)), 0);
	rig_run(&rig, D "redirect :notify \"FAILURE,DELAY\" :ret \"FULL\" :bytimeabsolute \"2023-11-14T23:23:20+01:00\" :bymode \"notify\" "
	    ":bytrace \"a@b.cd\";");
	assert_span(rig_action(&rig, 0)->dsn_notify, "FAILURE,DELAY");
	assert_span(rig_action(&rig, 0)->dsn_ret, "FULL");
	assert_span(rig_action(&rig, 0)->by, "600;NT");
	rig_run(&rig, D "redirect :bytimerelative 60 \"a@b.cd\";");
	assert_span(rig_action(&rig, 0)->by, "60;R");
	assert_int_equal(rig_action(&rig, 0)->dsn_notify.n, 0);
	rig_clear(&rig);
	rig_init(&rig, mail);
	assert_span(rig_run(&rig, DIF("anyof (envelope :contains [\"notify\",\"ret\",\"envid\",\"orcpt\",\"bymode\",\"bytrace\"] \"\")")), NO);
	rig_clear(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notify),
		cmocka_unit_test(test_notification),
		cmocka_unit_test(test_fcc),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_dsn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
