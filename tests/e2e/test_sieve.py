# SPDX-License-Identifier: MIT
"""Scripts through Culver's Sieve and through Debian's Pigeonhole (sieve-test): they must want the same.

Each script runs over each message.  What is compared: whether it compiles, whether it fails when it runs, the actions in
their order with their flags, and for those that change the message what is stored.
"""
import os
import pwd
import random
import re
import shutil
import subprocess
import tempfile
import unittest

import sieve_generated

BUILD = os.environ.get("CULVER_BUILD", "build")
OURS = os.path.join(BUILD, "tests", "sieve", "sieve-actions")
THEIRS = shutil.which("sieve-test")

ROUNDS = int(os.environ.get("SIEVE_ROUNDS", "20"))

SETTINGS = {
    "sieve_spamtest_status_type": "score",
    "sieve_spamtest_status_header": "X-Spam-Score",
    "sieve_spamtest_max_value": "5",
    "sieve_virustest_status_type": "text",
    "sieve_virustest_status_header": "X-Virus: ([a-z]+)",
    "sieve_virustest_text_value1": "clean",
    "sieve_virustest_text_value5": "infected",
    "sieve_max_redirects": "4",
}
CONFIG = """
log_path = {dir}/log
base_dir = {dir}/run
ssl = no
mail_location = maildir:{dir}/mail
mail_home = {dir}/home
first_valid_uid = 1
{user}
plugin {{
  sieve = file:{dir}/none
  sieve_extensions = +editheader +vacation-seconds +spamtest +virustest +spamtestplus +imapflags +notify
{settings}
}}
"""

MESSAGES = {
    "plain": """\
Return-Path: <ann@example.org>
Received: from a.example.org by b.example.org; Tue, 14 Nov 2023 10:00:00 +0200
Received: from c.example.org by a.example.org; Tue, 14 Nov 2023 09:59:00 +0200
From: "Ann, of Green" <ann+list@Example.ORG>
To: Bob <bob@example.com>, carl@example.net
Cc: undisclosed-recipients:;
Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from
 home [list] * 50%
Date: Tue, 14 Nov 2023 10:00:00 +0200
Message-ID: <m1@example.org>
X-Spam-Score: 4.5
X-Virus: infected
X-Number: 0017
X-Tag: one
X-Tag: two
X-Tag: three
X-Empty:

Hello Bob,
this is the body.
""",
    "mime": """\
From: ann@example.org
To: bob@example.com
Subject: parts
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="x"

The prologue.
--x
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Sch=F6ne plain words and a soft =
break.
--x
Content-Type: multipart/alternative; boundary=y

--y
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PGh0bWw+PHA+VGhlIDxiPmJvbGQ8L2I+IHRhJmFtcDt4PC9wPjwvaHRtbD4=
--y--
--x
Content-Type: application/x-exe; name="run.exe"
Content-Disposition: attachment; filename="run.exe"

MZ
--x
Content-Type: message/rfc822

From: carl@example.net
Subject: inside

Inner words.
--x--
The epilogue.
""",
    "empty": "Subject:\n\n",
    "odd": "no field\nFrom: a@b@c, <>, x\nTo: (comment) bob@[192.0.2.1]\nSubject: =?x?q?broken\nX-Number: abc\n\n\0\xff\n",
}

REQUIRE = ('require ["fileinto","reject","envelope","encoded-character","copy","relational","imap4flags","subaddress","variables",'
           '"vacation","body","environment","date","index","ihave","mailbox","duplicate","editheader","enotify","spamtest",'
           '"spamtestplus","virustest","mime","foreverypart","extracttext","regex","comparator-i;ascii-numeric"];\n')

# One test each: the script files the message into "yes" or "no".
TESTS = r"""
header :is "subject" "Grüße from home [list] * 50%"
header "x-empty" ""
header :contains "x-nothing" ""
header :contains "x-empty" ""
header :matches "subject" "gr??e*"
header :matches "subject" "*\\**"
header :matches "subject" "*[list]*"
header :matches :comparator "i;octet" "subject" "gr*"
header :comparator "i;octet" :is "x-tag" "One"
header :count "eq" "x-tag" "3"
header :count "ge" ["x-tag", "received", "x-nothing"] "5"
header :value "gt" :comparator "i;ascii-numeric" "x-number" "16"
header :value "lt" :comparator "i;ascii-numeric" "x-number" "18"
header :value "ge" "subject" "h"
header :comparator "i;ascii-numeric" "x-number" "17"
header :comparator "i;ascii-numeric" "subject" "x"
header :index 2 "x-tag" "two"
header :index 1 :last "x-tag" "three"
header :index 4 "x-tag" "three"
header :regex "subject" "^gr.+e from"
header :regex "subject" "\\[(list|other)\\]"
header :regex "x-number" "^0*17$"
header :regex :comparator "i;octet" "x-tag" "^ONE$"
address "from" "ann+list@example.org"
address :localpart "from" "ann+list"
address :domain "from" "example.org"
address :all :contains "from" "@EXAMPLE"
address :user "from" "ann"
address :detail "from" "list"
address :detail "to" ""
address :is "to" "carl@example.net"
address :count "eq" "to" "2"
address :contains "cc" "undisclosed"
address :domain :matches "to" "*.com"
address "to" "bob@[192.0.2.1]"
address :index 1 :domain "to" "example.com"
address :matches "from" "a@b*"
address :contains "from" "missing"
date :zone "+0000" "date" "iso8601" "2023-11-14T08:00:00Z"
envelope "from" "ann@example.org"
envelope :domain "to" "example.com"
envelope :localpart :matches "to" "b?b"
exists ["from", "subject"]
exists ["from", "x-nothing"]
exists "x-empty"
size :over 100
size :under 20
size :over 1K
body :contains "the body"
body :raw :contains "prologue"
body :raw :contains "=F6"
body :text :contains "schöne plain"
body :text :contains "soft break"
body :text :contains "<b>"
body :text :contains "ta&x"
body :content "text/html" :contains "<b>bold</b>"
body :content "text" :contains "plain"
body :content "message" :contains "inside"
body :content "multipart" :contains "prologue"
body :content "application" :contains "MZ"
body :content "" :contains "inner words"
body :matches "*body*"
body :content "text" :contains "epilogue"
date "date" "hour" "10"
date :originalzone "date" "zone" "+0200"
date :zone "+0000" "date" "hour" "08"
date "date" "weekday" "2"
date :value "ge" "date" "date" "2023-11-14"
date :index 2 "received" "minute" "59"
date "x-number" "year" "2023"
currentdate :value "gt" "year" "2020"
environment "phase" "during"
environment "name" "Sieve"
environment :contains "vnd.nothing" ""
ihave ["fileinto", "copy"]
ihave "vnd.none"
mailboxexists "INBOX"
string :is "${unknown}" ""
string :count "eq" ["a", "b", ""] "2"
string :matches "abcde" "a*d?"
string :regex "foobar" "^(foo|bar)+$"
spamtest :value "ge" :comparator "i;ascii-numeric" "8"
spamtest "9"
spamtest "0"
spamtest :percent "90"
virustest "5"
virustest "0"
hasflag "\\Seen"
valid_notify_method "mailto:a@example.org"
valid_notify_method "mailto:"
valid_notify_method ["mailto:a@example.org", "http://example.org"]
notify_method_capability "mailto:a@example.org" "online" "maybe"
header :mime :type "content-type" "multipart"
header :mime :subtype "content-type" "mixed"
header :mime :contenttype "content-type" "multipart/mixed"
header :mime :anychild :contenttype "content-type" "text/html"
header :mime :anychild :param "filename" "content-disposition" "run.exe"
header :mime :param "boundary" "content-type" "x"
header :mime :anychild "subject" "inside"
exists :mime :anychild "content-disposition"
address :mime :anychild "from" "carl@example.net"
allof (true, not false, anyof (false, header :contains "subject" "a"))
not exists "subject"
""".strip().splitlines()

# Whole scripts: what they do.
SCRIPTS = r"""
keep;
%%
discard;
%%
discard; keep;
%%
fileinto "A"; fileinto "A"; fileinto "B";
%%
fileinto :copy "A"; redirect :copy "x@example.org";
%%
redirect "x@example.org"; redirect "x@example.org"; keep;
%%
redirect "a@example.org"; redirect "b@example.org"; redirect "c@example.org"; redirect "d@example.org"; redirect "e@example.org";
%%
if header :matches "subject" "* from *" { fileinto "${1}-${2}-${3}"; }
%%
if header :matches "subject" ["x*", "*home*"] { set "a" "${0}"; fileinto "${1}"; }
%%
set "a" "x"; set :upper "b" "${a}y${c}"; set :length "c" "grüße"; set :quotewildcard "d" "a*b?"; fileinto "${b}-${c}-${d}-${A}";
%%
set :lower :upperfirst "a" "HELLO wORLD"; fileinto "${a}";
%%
set "a" "${hex:41}"; set "b" "${unicode:fc}"; fileinto "${a}${b}${}${1a}${a b}";
%%
if address :matches :all "from" "*@*" { fileinto "${1}/${2}"; }
%%
if header :regex "subject" "(from|to) ([a-z]+)" { fileinto "${0}-${1}-${2}"; }
%%
if string :regex "aab" "(a)(x)?(a)b" { fileinto "${1}-${2}-${3}-"; }
%%
setflag ["\\Seen", "$Junk"]; addflag "\\Flagged abc"; removeflag "\\seen"; keep;
%%
addflag "a"; fileinto :flags ["b", "\\Answered"] "X"; fileinto "Y";
%%
addflag "v" ["a", "b"]; addflag "v" "c"; removeflag "v" "b"; fileinto "${v}";
%%
if hasflag :contains ["x"] { stop; } setflag "x y z"; if hasflag :count "eq" "3" { fileinto "three"; }
%%
reject "No.";
%%
if header :contains "subject" "zzz" { reject "No."; } elsif size :over 1 { fileinto "big"; } else { discard; }
%%
stop; discard;
%%
if true { if false { discard; } else { fileinto "in"; stop; } } fileinto "out";
%%
addheader "X-A" "1"; if header "x-a" "1" { fileinto "seen"; } deleteheader "X-A"; if exists "x-a" { fileinto "still"; }
%%
deleteheader :contains "x-tag" "o"; if header :count "eq" "x-tag" "1" { fileinto "one"; }
%%
deleteheader :index 1 :last "x-tag"; if header "x-tag" "three" { fileinto "there"; } else { fileinto "gone"; }
%%
deleteheader "received"; if exists "received" { fileinto "protected"; }
%%
foreverypart { if header :mime :matches "content-type" "*" { set "a" "${a}."; } } fileinto "${a}x";
%%
foreverypart { if header :mime :contenttype :contains "content-type" "html" { fileinto "html"; break; } }
%%
foreverypart { extracttext "t"; set "x" "${x}${t}|"; } if string :contains "${x}" "plain words" { fileinto "found"; }
%%
foreverypart :name "a" { foreverypart { set "x" "${x}."; break :name "a"; } } fileinto "x${x}";
%%
vacation "Away.";
%%
vacation :days 3 :subject "S" :addresses ["b@example.com"] "Away."; discard;
%%
notify "mailto:x@example.org"; discard;
%%
notify :message "m" :importance "1" "mailto:x@example.org,y@example.org";
%%
notify :importance "3" "mailto:x@example.org?cc=y@example.org&subject=a%20b";
%%
fileinto "${unknown}";
%%
redirect "Ann <x@example.org>"; redirect " x @ example.org (again)"; redirect "\\"x\\"@example.org"; redirect "\\"x y\\"@example.org";
%%
redirect "ann bob@example.org";
%%
redirect "<x@example.org";
%%
redirect "x@example..org";
%%
set "a" "Ann <x@example.org>"; redirect "${a}";
%%
fileinto "INBOX"; keep;
%%
fileinto :flags "\\Seen" "INBOX"; fileinto "A"; keep :flags "\\Flagged";
%%
keep :flags "\\Flagged"; fileinto :flags "$a" "INBOX";
%%
set "a" "${hex:ff}"; fileinto "${a}";
%%
fileinto "${hex:ff}";
%%
if header :contains "subject" "${hex:ff}" { fileinto "A"; }
%%
redirect "${unknown}";
%%
set "a" "not an address"; redirect "${a}";
%%
if ihave "vnd.none" { nonsense; } else { fileinto "else"; }
%%
if not ihave "vnd.none" { fileinto "no"; } else { nonsense "x"; }
%%
error "stop here";
%%
fileinto;
%%
fileinto "a" "b";
%%
keep
%%
if header "subject" { keep; }
%%
if header :is :contains "subject" "a" { keep; }
%%
unknown "a";
%%
if unknown "a" { keep; }
%%
redirect "nobody@";
%%
if header :regex "subject" "(a" { keep; }
%%
if header :comparator "i;none" "subject" "a" { keep; }
%%
if address "subject" "a" { keep; }
%%
if header :value "xx" "subject" "a" { keep; }
%%
else { keep; }
%%
if size 10 { keep; }
%%
set "1a" "x";
%%
set "a.b" "x";
%%
break;
%%
extracttext "x";
%%
fileinto "a
%%
if true { keep;
%%
keep; require "body";
%%
/* comment
%%
text: a
.
;
%%
if anyof true { keep; }
%%
if allof () { keep; }
%%
if not { keep; }
%%
deleteheader :last "x-tag";
%%
addheader "a b" "c";
%%
notify "nothing";
%%
# a comment
keep; /* another */ stop;
""".strip().split("\n%%\n")

# Scripts that change the message: what is stored must be the same, octet for octet.
EDITS = r"""
addheader "X-A" "one"; fileinto "Box";
%%
addheader :last "X-A" "one two"; deleteheader "x-tag"; fileinto "Box";
%%
deleteheader :index 2 "x-tag"; fileinto "Box";
%%
deleteheader :matches "x-tag" "t*"; addheader "X-B" ""; fileinto "Box";
%%
addheader "X-A" "1"; addheader "X-A" "2"; deleteheader :index 1 "x-a"; fileinto "Box";
""".strip().split("\n%%\n")

# Where the two differ on purpose, and why.  Each is (script, message), with None for every message.
def one(test):
    return REQUIRE + "if " + test + ' { fileinto "yes"; } else { fileinto "no"; }'


DIFFER = {
    # RFC 4790 section 9.1.1: all that does not begin with a digit is equal, also the empty string
    (one('header :comparator "i;ascii-numeric" "subject" "x"'), "empty"),
    # RFC 5228 section 5.1: a group's name is no address
    (one('address :contains "cc" "undisclosed"'), "plain"),
    # RFC 5183 section 4.1: Pigeonhole does not know the item
    (one('environment "phase" "during"'), None),
    # whether there is an answer Pigeonhole decides when it sends it, and sieve-test sends nothing
    (REQUIRE + 'vacation "Away.";', "empty"), (REQUIRE + 'vacation "Away.";', "odd"),
    (REQUIRE + 'vacation :days 3 :subject "S" :addresses ["b@example.com"] "Away."; discard;', "empty"),
    (REQUIRE + 'vacation :days 3 :subject "S" :addresses ["b@example.com"] "Away."; discard;', "odd"),
    # RFC 6068 section 2: a comma is what stands between two addresses
    (REQUIRE + 'notify :message "m" :importance "1" "mailto:x@example.org,y@example.org";', None),
    # a mailbox without a name: the one finds out when it runs, the other when it stores; both keep the message
    (REQUIRE + 'fileinto "${unknown}";', None),
    # RFC 5260 section 6: Pigeonhole only warns of it, and deletes all
    (REQUIRE + 'deleteheader :last "x-tag";', None),
}


def words(line):
    """A line of actions with its flags in one order and case."""
    parts = line.split()
    flags = sorted(p.lower() for p in parts[2:] if parts[0] == "store")
    return " ".join(parts[:2] + flags) if parts and parts[0] == "store" else line


@unittest.skipUnless(THEIRS, "sieve-test (dovecot-sieve) is not installed")
@unittest.skipUnless(os.path.exists(OURS), "tests/sieve/sieve-actions was not built")
class Differential(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="culver-sieve-")
        self.addCleanup(shutil.rmtree, self.dir, True)
        user = "mail_uid = nobody\nmail_gid = nogroup" if os.getuid() == 0 else ""
        settings = "\n".join(f"  {name} = {value}" for name, value in SETTINGS.items())
        self.config = self.write("dovecot.conf", CONFIG.format(dir=self.dir, user=user, settings=settings))
        self.messages = {name: self.write(name + ".eml", text) for name, text in MESSAGES.items()}
        for name in ("home", "mail"):
            os.mkdir(os.path.join(self.dir, name))
            if os.getuid() == 0:
                os.chown(os.path.join(self.dir, name), pwd.getpwnam("nobody").pw_uid, -1)
        os.chmod(self.dir, 0o777)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8" if name.endswith((".sieve", ".conf")) else "latin-1" if "\xff" in text else "utf-8") as f:
            f.write(text)
        return path

    def ours(self, script, message, *options):
        settings = [x for name, value in SETTINGS.items() for x in ("-s", f"{name}={value}")]
        r = subprocess.run([OURS, *options, *settings, script, message], capture_output=True, timeout=20)
        self.assertIn(r.returncode, (0, 1), r)
        self.note = r.stderr.decode("utf-8", "replace")
        return r.returncode, r.stdout.decode("utf-8", "replace")

    def ours_actions(self, script, message):
        code, out = self.ours(script, message)
        actions = ["error"] if code else [words(line) for line in out.splitlines()]
        if actions[:1] == ["failed"]:       # the other side does not print the keep that follows
            self.assertEqual(actions[1:], ["store INBOX"], script)
            del actions[1:]
        return actions

    def theirs(self, script, message, *options):
        return subprocess.run([THEIRS, "-c", self.config, "-f", "ann@example.org", "-r", "bob@example.com", *options, script,
                               message], capture_output=True, timeout=20, cwd=self.dir)

    def theirs_actions(self, script, message):
        r = self.theirs(script, message)
        out, notes = r.stdout.decode("utf-8", "replace"), r.stderr.decode("utf-8", "replace")
        self.note += notes
        if "Panic:" in notes:               # Pigeonhole 0.5.19 edits no message whose first line is no field
            return None
        if "failed to compile" in notes:
            return ["error"]
        actions = ["failed"] if "final result: failed" in notes else []
        for line in out.splitlines():
            m = re.match(r" \* store message in folder: (.*)", line)
            if m:
                actions.append("store " + m.group(1).strip())
            elif line.strip().startswith("+ add IMAP flags:"):
                actions[-1] += " " + line.split(":", 1)[1].strip()
            elif line.startswith(" * redirect message to:"):
                actions.append("redirect " + re.search(r"<(.*)>", line).group(1))
            elif line.startswith(" * reject message with reason:"):
                actions.append("reject " + line.split(":", 1)[1].strip())
            elif line.startswith(" * send vacation"):
                actions.append("vacation")
            elif re.match(r"\s+\+ (To|Cc): ", line):
                actions.append("notify " + line.split(":", 1)[1].strip())
        return [words(line) for line in actions]

    def compare(self, scripts):
        bad = []
        for number, text in enumerate(scripts):
            script = self.write(f"s{number}.sieve", text)
            for name, message in self.messages.items():
                if (text, name) in DIFFER or (text, None) in DIFFER:
                    continue
                ours, theirs = self.ours_actions(script, message), self.theirs_actions(script, message)
                if theirs is not None and ours != theirs:
                    bad.append(f"{text[len(REQUIRE):] if text.startswith(REQUIRE) else text}\n   on {name}: ours {ours}\n"
                               f"   theirs {theirs}\n   {self.note}")
        self.assertFalse(bad, f"{len(bad)} differences\n" + "\n".join(bad))

    def test_tests(self):
        """Many tests in a script: a letter each in the name of the mailbox.  Where that differs, one by one."""
        plain = [test for test in TESTS if not any(one(test) == script for script, _ in DIFFER)]
        for start in range(0, len(plain), 12):
            group = plain[start:start + 12]
            script = self.write(f"g{start}.sieve", REQUIRE + "\n".join(
                f'if {test} {{ set "r" "${{r}}y"; }} else {{ set "r" "${{r}}n"; }}' for test in group) + '\nfileinto "${r}";\n')
            for message in self.messages.values():
                if self.ours_actions(script, message) != self.theirs_actions(script, message):
                    self.compare([one(test) for test in group])
                    self.fail("a group of tests differs: " + script)
        self.compare([one(test) for test in TESTS if test not in plain])

    def test_generated(self):
        """Another seed may find a corner in which the two differ."""
        r = random.Random(int(os.environ.get("SIEVE_SEED", "1")))
        self.messages.update((name, self.write(name + ".eml", text)) for name, text in sieve_generated.MESSAGES.items())
        del self.messages["odd"], self.messages["empty"]
        for number in range(ROUNDS):
            tests = [sieve_generated.test(r) for _ in range(25)]
            script = self.write("tests.sieve", REQUIRE + "\n".join(
                f'if {test} {{ set "r" "${{r}}y"; }} else {{ set "r" "${{r}}n"; }}' for test in tests) + '\nfileinto "${r}";\n')
            for message in self.messages.values():
                if self.ours_actions(script, message) != self.theirs_actions(script, message):
                    self.compare([one(test) for test in tests])
                    self.fail(f"a group of tests differs: {script}")
        self.compare([REQUIRE + sieve_generated.script(r) for number in range(ROUNDS)])

    def test_scripts(self):
        self.compare([REQUIRE + script for script in SCRIPTS])

    def test_edits(self):
        for number, text in enumerate(EDITS):
            script = self.write(f"e{number}.sieve", REQUIRE + text.replace("fileinto", "fileinto :create"))
            for name in ("plain", "mime"):
                shutil.rmtree(os.path.join(self.dir, "mail"))
                os.mkdir(os.path.join(self.dir, "mail"))
                if os.getuid() == 0:
                    os.chown(os.path.join(self.dir, "mail"), pwd.getpwnam("nobody").pw_uid, -1)
                self.theirs(script, self.messages[name], "-e")
                stored = [os.path.join(root, f) for root, _, files in os.walk(os.path.join(self.dir, "mail")) for f in files
                          if os.path.basename(root) in ("new", "cur")]
                self.assertEqual(len(stored), 1, text)
                with open(stored[0], encoding="utf-8") as f:
                    theirs = f.read()
                code, out = self.ours(script, self.messages[name], "-p")
                self.assertEqual(code, 0, text)
                self.assertEqual(out.split("---\n", 1)[1], theirs, text)


if __name__ == "__main__":
    unittest.main()
