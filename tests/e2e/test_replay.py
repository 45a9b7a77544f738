# SPDX-License-Identifier: MIT
"""culveradm filter replay and filter check: what scripts would make of mail that is there, and what is wrong with them."""
import json
import os
import subprocess
import tempfile
import unittest

import culver

CONFIG = """
protocol lmtp {
  mail_plugins = $mail_plugins sieve procmail
}
plugin {
  sieve = file:~/sieve;active=~/.dovecot.sieve
}
"""

SCRIPT = """require ["fileinto", "mailbox", "imap4flags", "copy", "vacation", "duplicate", "reject", "include"];
if header :contains "subject" "list" { fileinto :create "Lists"; }
elsif header :contains "subject" "flag" { addflag "\\\\Flagged"; }
elsif header :contains "subject" "both" { fileinto :copy :create :flags "$Copy" "Copies"; addflag "$Here"; }
elsif header :contains "subject" "drop" { discard; }
elsif header :contains "subject" "away" { vacation :addresses "alice@example.org" "I am away."; }
elsif header :contains "subject" "refuse" { reject "No."; }
elsif header :contains "subject" "pass" { redirect "x@example.org"; }
elsif header :contains "subject" "nowhere" { fileinto "No/Such"; }
elsif header :contains "subject" "twice" { if duplicate :header "subject" { fileinto "Trash"; } }
"""


class Replay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = culver.Server(start=False, users=culver.USERS + ("erin",))
        cls.server.add_config(CONFIG)
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def put(self, user, name, text):
        path = self.server.path("home", user, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        for place in (os.path.dirname(path), path):
            os.chown(place, self.server.uid, self.server.gid)

    def fill(self, user, subjects, **more):
        for subject in subjects:
            self.server.deliver(culver.message(subject=subject, **more), user)

    def rows(self, *words):
        return json.loads(self.server.adm("-f", "json", "filter", "replay", *words))

    def what(self, *words):
        return [row["what"] for row in self.rows(*words)]

    def content(self, user):
        """mailbox, subject, flags of all mail."""
        rows = json.loads(self.server.adm("-f", "json", "fetch", "-u", user, "mailbox hdr.subject flags", "all"))
        return sorted((r["mailbox"], r["hdr.subject"], r["flags"]) for r in rows)

    def files(self, user):
        return sorted(os.path.join(where, name) for where, _, names in os.walk(self.server.path("home", user))
                      for name in names if not name.startswith(("lock", "data", "sessions", "culver-mailbox")))

    def test_diff_and_apply(self):
        subjects = ["a list", "a flag", "both", "drop", "away", "refuse", "pass", "nowhere", "twice", "twice", "plain"]
        self.fill("alice", subjects)
        self.server.adm("flags", "add", "-u", "alice", "\\Seen", "mailbox", "INBOX", "subject", "flag")
        self.put("alice", "sieve/main.sieve", SCRIPT)
        os.symlink("sieve/main.sieve", self.server.path("home", "alice", ".dovecot.sieve"))
        before, files, queue = self.content("alice"), self.files("alice"), self.server.adm("queue", "list")
        expected = [
            "moved to Lists (made)", "flags +\\Flagged", "copied to Copies (made), flags +$Copy; flags +$Here",
            "discarded", "kept; vacation to <sender@example.org>", "not kept; rejected: No.",
            "not kept; redirected to <x@example.org>", "kept; there is no mailbox No/Such", "kept", "moved to Trash (made)",
            "kept",
        ]
        # There is no Trash, and nothing makes mailboxes by itself.
        expected[9] = "kept; there is no mailbox Trash"
        self.assertEqual(self.what("alice", "mailbox", "INBOX", "all"), expected)
        self.assertEqual(self.what("-u", "alice", "all"), expected)
        self.assertEqual([row["rule"].rsplit(" line ", 1)[-1] for row in self.rows("alice", "subject", "drop")], ["5"])
        self.assertEqual(self.what("--changed", "alice", "all"), [w for w in expected if w != "kept"])
        # Nothing was done, and nothing was left behind.
        self.assertEqual(self.content("alice"), before)
        self.assertEqual(self.files("alice"), files)
        self.assertEqual(self.server.adm("queue", "list"), queue)

        self.assertEqual(self.what("--apply", "alice", "all"), expected)
        after = self.content("alice")
        self.assertEqual(len(after), len(subjects) + 1)
        self.assertIn(("Lists", "a list", ""), after)
        self.assertIn(("INBOX", "a flag", "\\Flagged \\Seen"), after)
        self.assertIn(("INBOX", "both", "$Here"), after)
        self.assertIn(("Copies", "both", "$Copy"), after)
        for subject in ("drop", "away", "refuse", "pass", "nowhere", "plain"):
            self.assertIn(("INBOX", subject, ""), after)
        self.assertEqual(self.server.adm("queue", "list"), queue)
        # What is where it should be stays there.
        self.assertEqual(self.what("alice", "mailbox", "Lists", "all"), ["kept"])
        self.assertEqual(self.what("alice", "mailbox", "INBOX", "subject", "flag"), ["kept"])
        # A copy that is there is not made again.
        self.assertEqual(self.what("--apply", "alice", "mailbox", "INBOX", "subject", "both"), ["kept"])
        self.assertEqual(self.content("alice"), after)

    def test_script(self):
        """A script of the user's by name, or a file; the envelope is what the message tells of it."""
        self.fill("bob", ["one", "two"])
        self.put("bob", "sieve/other.sieve", 'require ["fileinto", "mailbox"]; if header "subject" "one" '
                 '{ fileinto :create "One"; }')
        self.assertEqual(self.what("bob", "other", "mailbox", "INBOX"), ["moved to One (made)", "kept"])
        path = self.server.path("mine.sieve")
        with open(path, "w") as f:
            f.write('require ["envelope", "imap4flags", "fileinto"];\nif envelope :localpart "from" "sender" {\n'
                    'setflag "$Sender"; }\n')
        os.chmod(path, 0o600)           # the file is read before the process becomes the user
        rows = self.rows("bob", path, "subject", "two")
        self.assertEqual([row["what"] for row in rows], ["flags +$Sender"])
        self.assertEqual(rows[0]["user"], "bob")
        self.assertEqual(self.what("-m", "Kept", "-s", "other", "bob", "subject", "two"), ["moved to Kept"])

    def test_recipes(self):
        """procmail's recipes: a file of them, and those of the settings with a script behind them."""
        self.fill("erin", ["list one", "pass", "file", "drop", "prog", "plain", "flag"])
        rc = ("MAILDIR=$HOME\n:0:\n* ^Subject:.*list\nmailbox:Lists/Talk\n\n:0\n* ^Subject:.*pass\n! x@example.org\n\n"
              ":0:\n* ^Subject:.*file\nfolder\n\n:0\n* ^Subject:.*drop\n/dev/null\n\n"
              ":0\n* ^Subject:.*prog\n| /bin/some program\n\n:0 fhw\n* ^Subject:.*flag\n| formail -I 'X-Seen: yes'\n")
        path = self.server.path("some.rc")
        with open(path, "w") as f:
            f.write(rc)
        os.chmod(path, 0o600)
        files = self.files("erin")
        expected = ["moved to Lists.Talk (made)", "not kept; redirected to <x@example.org>", "not kept; written to folder",
                    "discarded", "not kept; not run: /bin/some program", "kept", "kept; header +X-Seen: yes"]
        rows = self.rows("erin", path, "all")
        self.assertEqual([row["what"] for row in rows], expected)
        self.assertEqual(rows[0]["rule"], path + " line 2")
        self.assertEqual(self.files("erin"), files)
        self.assertEqual(rows[3]["rule"], path + " line 14")
        # What recipes leave is for the script.
        self.put("erin", ".procmailrc", rc)
        self.put("erin", ".dovecot.sieve", 'require ["fileinto", "mailbox"]; if header "subject" "plain" { fileinto :create "Plain"; }')
        os.chown(self.server.path("home", "erin"), self.server.uid, self.server.gid)
        expected[5] = "moved to Plain (made)"
        self.assertEqual(self.what("erin", "all"), expected)
        self.what("--apply", "erin", "all")
        after = [(box, subject) for box, subject, _ in self.content("erin")]
        self.assertIn(("Lists.Talk", "list one"), after)
        self.assertIn(("Plain", "plain"), after)
        self.assertEqual(len([box for box, _ in after if box == "INBOX"]), 5)
        self.assertFalse(os.path.exists(self.server.path("home", "erin", "folder")))

    def test_mistakes(self):
        self.fill("carol", ["one"])
        for words, status in ((("carol",), 64), (("carol", "nonsense"), 64), (("carol", "nothing", "all"), 68),
                              (("carol", "/no/such/file", "all"), 68), (("nobody-such", "all"), 67), ((), 64)):
            self.assertEqual(self.server.adm("filter", "replay", *words, check=False).returncode, status, words)
        self.put("carol", "sieve/bad.sieve", 'keep;\nnonsense;\n')
        done = self.server.adm("filter", "replay", "carol", "bad", "all", check=False)
        self.assertEqual(done.returncode, 65)
        self.assertIn("bad:2: ", done.stderr)
        self.put("carol", "sieve/cut.sieve", 'keep;\nif true {\nkeep;\n')
        done = self.server.adm("filter", "replay", "carol", "cut", "all", check=False)
        self.assertEqual(done.returncode, 65)
        self.assertRegex(done.stderr, "cut is no valid script: line [2-4]: ")
        # In the place of the active script the message is kept, as a delivery would.
        self.put("carol", ".dovecot.sieve", 'keep;\nnonsense;\n')
        os.chown(self.server.path("home", "carol"), self.server.uid, self.server.gid)
        done = self.server.adm("filter", "replay", "carol", "all", check=False)
        self.assertEqual(done.returncode, 65)
        self.assertIn("what=kept; failed: ", done.stdout)
        self.assertFalse(os.path.exists(self.server.path("home", "carol", ".dovecot.sieve.log")))
        self.assertEqual(self.content("carol"), [("INBOX", "one", "")])

    def check(self, *words):
        done = self.server.adm("filter", "check", *words, check=False)
        return done.returncode, done.stdout.splitlines()

    def test_check_user(self):
        home = self.server.path("home", "dave")
        self.put("dave", "sieve/good.sieve", "keep;\n")
        self.put("dave", "sieve/bad.sieve", 'require "fileinto";\nfileinto :nonsense "x";\nnonsense;\n')
        self.put("dave", ".procmailrc", "DROPPRIVS=yes\nINCLUDERC=$HOME/rc.lists\n:0\n* (a\nx\n")
        self.put("dave", "rc.lists", ":0 f\n| sort\n")
        os.symlink("sieve/good.sieve", os.path.join(home, ".dovecot.sieve"))
        status, lines = self.check("dave")
        self.assertEqual(status, 65)
        self.assertEqual([line.replace(home, "~") for line in lines], [
            "~/sieve/bad.sieve:2: error: unknown tagged argument ':nonsense' for the fileinto command (it takes no such tag)",
            "~/sieve/bad.sieve:3: error: nonsense is no command",
            "~/.procmailrc:1: warning: DROPPRIVS has no effect: nothing is run as root",
            "~/rc.lists:1: warning: a filter that fails or writes nothing leaves the message as it was",
            '~/.procmailrc:4: error: invalid expression "(a": a ( is not closed',
        ])
        self.assertEqual(self.check("-t", "sieve", "dave")[1], lines[:2])
        self.put("dave", "other.rc", ":0\n| true\n")
        done = self.server.adm("-o", "procmail_rc=~/none ~/other.rc", "-o", "procmail_programs=no", "filter", "check", "-t",
                               "procmail", "dave")
        self.assertEqual(done, os.path.join(home, "other.rc:2: warning: programs are not run here: procmail_programs\n"))
        done = subprocess.run([os.path.join(culver.PREFIX, "bin", "culveradm"), "-c", self.server.config, "filter", "check", "-t", "procmail",
                               "dave"], capture_output=True, text=True, timeout=60, preexec_fn=culver.without_landlock)
        self.assertIn("/.procmailrc: warning: the kernel has no Landlock: ", done.stdout + done.stderr)
        os.unlink(os.path.join(home, "sieve/bad.sieve"))
        self.assertEqual(self.check("-t", "sieve", "dave"), (0, []))
        # A script of no directory's is active.
        os.unlink(os.path.join(home, ".dovecot.sieve"))
        self.put("dave", ".dovecot.sieve", "nonsense;\n")
        os.chown(home, self.server.uid, self.server.gid)
        self.assertEqual(self.check("-t", "sieve", "dave")[0], 65)
        self.assertEqual(self.check("-u", "dave", "dave")[0], 64)
        self.assertEqual(self.check("no-such-user")[0], 67)
        self.assertFalse([name for name in self.files("dave") if name.endswith((".log", ".csvbin"))])

    def test_terminal(self):
        """A file's name is its owner's words: on a terminal it is shown, not obeyed."""
        with tempfile.TemporaryDirectory() as top:
            path = os.path.join(top, "x\033[31my.sieve")
            with open(path, "w") as f:
                f.write("kepp;\n")
            for words in (("filter", "check"), ("sieve", "compile")):
                master, slave = os.openpty()
                done = subprocess.run([os.path.join(culver.PREFIX, "bin", "culveradm"), "-c", self.server.config, *words, path],
                                      stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, timeout=60)
                os.close(slave)
                said = os.read(master, 65536)
                os.close(master)
                self.assertEqual(done.returncode, 65)
                self.assertIn(b"x^[[31my.sieve:1: error: kepp is no command", said)
                self.assertNotIn(b"\033", said)

    def test_check_file(self):
        """Nothing else is needed: no server, no configuration."""
        with tempfile.TemporaryDirectory() as where:
            def put(name, text):
                with open(os.path.join(where, name), "w") as f:
                    f.write(text)
                return os.path.join(where, name)

            def check(*words):
                done = subprocess.run([os.path.join(culver.PREFIX, "bin", "culveradm"), "-c", "/no/such", "filter", "check"] +
                                      list(words), capture_output=True, text=True, timeout=60, cwd=where)
                return done.returncode, done.stdout

            good = put("good.sieve", 'require "include"; include "other";\n')
            self.assertEqual(check(good), (0, '%s: warning: it includes "other", which is not there\n' % good))
            self.assertEqual(check("--strict", good)[0], 1)
            put("other.sieve", "keep;")
            self.assertEqual(check("--strict", "good.sieve"), (0, ""))
            put("bad.sieve", 'require ["fileinto", "nonsuch"];\nfileinto "x";\n')
            self.assertEqual(check("good.sieve", "bad.sieve"), (65, 'bad.sieve:1: error: require: there is no extension "nonsuch"\n'))
            put("ihave.sieve", 'require "ihave";\nif ihave "nonsuch" { what; }\n')
            self.assertEqual(check("ihave.sieve")[1],
                             "ihave.sieve:2: warning: ihave: not all of its extensions are there, so this never holds\n")
            put("recipes", ":0:\n* a\n{\n}\n")
            self.assertEqual(check("recipes"),
                             (0, "recipes:1: warning: a lock file on a block without the flag c is not taken\n"))
            self.assertEqual(check("-t", "sieve", "recipes")[0], 65)
            os.chmod(os.path.join(where, "recipes"), 0o666)
            self.assertEqual(check("recipes"), (65, "recipes: error: everyone can write to it, so it is not read\n"))
            self.assertEqual(check("./none")[0], 68)
            self.assertEqual(check()[0], 64)


if __name__ == "__main__":
    unittest.main()
