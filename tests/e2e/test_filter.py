# SPDX-License-Identifier: MIT
"""Mail that Sieve scripts decide about, through LMTP and culver-lda, with the processes shut in as they are in earnest."""
import os
import subprocess
import unittest

import culver

CONFIG = """
login_trusted_networks = 127.0.0.1
imap_metadata = yes
mail_server_comment = for tests
plugin {
  sieve_before = %(dir)s/before.sieve
  sieve_after = dict:file:%(dir)s/dicts/late.dict;name=late
  sieve_extensions = +extlists +mboxmetadata +servermetadata
  sieve_list_friends = %(dir)s/lists/friends
  sieve_list_pipe = %(dir)s/lists/pipe
}
protocol lmtp {
  mail_plugins = $mail_plugins sieve
}
protocol lda {
  mail_plugins = $mail_plugins sieve
}
"""


def message(subject, **more):
    return culver.message(subject=subject, **more)


class Filter(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = culver.Server(start=False)
        cls.server.add_config(CONFIG % {"dir": cls.server.dir})
        cls.server.allowed = ("sieve:", "saving to")
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def script(self, user, text, name=".dovecot.sieve"):
        path = self.server.path("home", user, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.rename(path + ".new", path)

    def subjects(self, user, mailbox):
        imap = self.server.imap(user)
        try:
            if imap.select('"%s"' % mailbox, readonly=True)[0] != "OK":
                return []
            data = imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
            return [part[1].decode().split(":", 1)[1].strip() for part in data if isinstance(part, tuple)]
        finally:
            imap.logout()

    def test_tester(self):
        path = os.path.join(self.server.dir, "mine.svtest")
        with open(path, "w") as f:
            f.write('require "vnd.dovecot.testsuite";\ntest "good" { if not true { test_fail "no"; } }\n'
                    'test "bad" {\n  test_fail "as it should";\n}\n')
        self.assertIn("2: good: ok", self.server.adm("sieve", "test", "-v", path, check=False).stdout)
        shown = self.server.adm("sieve", "test", path, check=False).stdout
        self.assertIn(":4: bad: FAILED: as it should", shown)
        self.assertTrue(shown.endswith("1 passed, 1 failed\n"), shown)

    def test_tester_programs(self):
        programs = os.path.join(self.server.dir, "tested")
        os.mkdir(programs)
        for name, text in (("show", 'cat; echo "$1 $SENDER"'), ("bad", "exit 3"), ("mark", "tr '\\r' '#'")):
            with open(os.path.join(programs, name), "w") as f:
                f.write("#!/bin/sh\n%s\n" % text)
            os.chmod(os.path.join(programs, name), 0o755)
        path = os.path.join(self.server.dir, "programs.svtest")
        with open(path, "w") as f:
            f.write('require ["vnd.dovecot.testsuite", "vnd.dovecot.execute", "vnd.dovecot.pipe", "variables"];\n'
                    'test_config_set "sieve_execute_bin_dir" "${tst.path}/tested";\n'
                    'test_config_set "sieve_execute_input_eol" "lf";\n'
                    'test_config_set "sieve_pipe_bin_dir" "${tst.path}/tested";\n'
                    'test_set "envelope.from" "ann@example.org";\n'
                    'test "execute" { execute :input "in" :output "o" "show" ["word"];\n'
                    '  if not string :matches "${o}" "inword ann@example.org*" { test_fail "${o}"; } }\n'
                    'test "lf" { execute :input text:\na\n.\n:output "o" "mark";\n'
                    '  if string :contains "${o}" "#" { test_fail "${o}"; } }\n'
                    'test_config_unset "sieve_execute_input_eol";\n'
                    'test "crlf" { execute :input "a\n" :output "o" "mark";\n'
                    '  if not string :contains "${o}" "a#" { test_fail "${o}"; } }\n'
                    'test "pipe" { pipe "show"; if not test_result_execute { test_fail "no"; } }\n'
                    'test_result_reset;\n'
                    'test "bad" { pipe "bad"; if test_result_execute { test_fail "it worked"; }\n'
                    '  if not test_error :contains "failed to pipe" { test_fail "why"; } }\n')
        self.assertEqual("5 passed, 0 failed\n", self.server.adm("sieve", "test", "-x", path, check=False).stdout)
        shown = self.server.adm("sieve", "test", path, check=False).stdout
        self.assertIn("no programs are run here", shown)
        self.assertTrue(shown.endswith("1 passed, 4 failed\n"), shown)

    def test_compile(self):
        where = os.path.join(self.server.dir, "global")
        os.mkdir(where)
        for name, text in (("good.sieve", "keep;\n"), ("bad.sieve", "keep;\nwrong;\n"), ("other", "wrong")):
            with open(os.path.join(where, name), "w") as f:
                f.write(text)
        done = self.server.adm("sieve", "compile", where, check=False)
        self.assertEqual((done.returncode, done.stdout.count("\n")), (65, 1), done.stdout)
        self.assertIn("bad.sieve:2: error: ", done.stdout)
        self.assertEqual(sorted(os.listdir(where)), ["bad.sieve", "good.csvbin", "good.sieve", "other"])
        self.assertEqual(self.server.adm("sieve", "compile", os.path.join(where, "good.sieve"), check=False).returncode, 0)
        self.assertNotEqual(self.server.adm("sieve", "compile", check=False).returncode, 0)

    def test_places(self):
        self.script("alice", 'require ["fileinto", "mailbox", "imap4flags"];\n'
                    'if header :contains "subject" "list" { fileinto :create "Lists"; }\n'
                    'elsif header :contains "subject" "flag" { setflag "\\\\Flagged"; keep; }\n'
                    'elsif header :contains "subject" "drop" { discard; }\n')
        for subject in ("to the list", "a flag", "drop it", "plain"):
            self.server.deliver(message(subject), "alice")
        self.assertEqual(self.subjects("alice", "INBOX"), ["a flag", "plain"])
        self.assertEqual(self.subjects("alice", "Lists"), ["to the list"])
        imap = self.server.imap("alice")
        imap.select("INBOX", readonly=True)
        self.assertEqual(imap.search(None, "FLAGGED")[1], [b"1"])
        imap.logout()
        # The script is changed while its user's worker has it at hand.
        self.script("alice", 'require ["fileinto", "mailbox"]; fileinto :create "Other";')
        self.server.deliver(message("changed"), "alice")
        self.assertEqual(self.subjects("alice", "Other"), ["changed"])

    def test_lists(self):
        """A list outside of the user's home, which changes while the worker is there."""
        os.makedirs(self.server.path("lists"), exist_ok=True)
        self.script("dave", 'require ["fileinto", "mailbox", "extlists", "envelope"];\n'
                    'if envelope :list "from" "friends" { fileinto :create "Friends"; }')
        for entry in ("nobody@example.org", "sender@example.org"):
            with open(self.server.path("lists", "friends"), "w") as f:
                f.write("# friends\n%s\n" % entry)
            self.server.deliver(message(entry), "dave")
        self.assertEqual(self.subjects("dave", "Friends"), ["sender@example.org"])

    def test_metadata(self):
        """A client sets an annotation, a script reads it; it is there after the index is gone."""
        self.script("bob", 'require ["fileinto", "mailbox", "mboxmetadata", "servermetadata", "variables"];\n'
                    'if not servermetadata "/shared/comment" "for tests" { stop; }\n'
                    'if metadata :matches "INBOX" "/private/vendor/x/folder" "*" { fileinto :create "${1}"; }\n'
                    'elsif metadataexists "INBOX" "/private/vendor/x/folder" { discard; }', "sieve/main.sieve")
        if not os.path.lexists(self.server.path("home", "bob", ".dovecot.sieve")):
            os.symlink("sieve/main.sieve", self.server.path("home", "bob", ".dovecot.sieve"))
        self.server.deliver(message("before"), "bob")
        imap = self.server.imap("bob")
        self.assertIn("METADATA", imap.capability()[1][0].decode().split())
        imap.logout()
        with self.server.raw("imap") as client:
            client.until("* OK")
            client.ask("a", 'LOGIN bob "%s"' % culver.PASSWORD)
            self.assertTrue(client.ask("b", 'SETMETADATA INBOX (/private/vendor/x/folder "Annotated")')[-1].startswith(b"b OK"))
        told = self.server.adm("mailbox", "metadata", "get", "-u", "bob", "INBOX", "/private/vendor/x/folder")
        self.assertEqual(told, "Annotated\n")
        self.server.adm("mailbox", "metadata", "set", "-u", "bob", "INBOX", "/shared/x", "y z")
        self.assertEqual(self.server.adm("mailbox", "metadata", "list", "-u", "bob", "INBOX").split(),
                         ["/private/vendor/x/folder", "/shared/x"])
        self.server.adm("mailbox", "metadata", "unset", "-u", "bob", "INBOX", "/shared/x")
        for status, args in ((68, ("get", "INBOX", "/shared/x")), (64, ("get", "INBOX", "x")), (64, ("get", "", "/shared/x")),
                             (77, ("set", "-s", "", "/shared/comment", "x")), (68, ("get", "None", "/shared/x"))):
            done = self.server.adm("mailbox", "metadata", args[0], "-u", "bob", *args[1:], check=False)
            self.assertEqual(done.returncode, status, (args, done.stderr))
        self.assertEqual(self.server.adm("mailbox", "metadata", "get", "-u", "bob", "-s", "", "/shared/comment"), "for tests\n")
        self.server.deliver(message("behind"), "bob")
        self.assertIn("before", self.subjects("bob", "INBOX"))
        self.assertEqual(self.subjects("bob", "Annotated"), ["behind"])

    def test_mailbox_id(self):
        """A rule by MAILBOXID finds the mailbox under another name."""
        imap = self.server.imap("alice")
        imap.create("Before")
        name = imap.status("Before", "(MAILBOXID)")[1][0].decode().split("(")[2].rstrip(")")
        imap.rename("Before", "Behind")
        self.assertEqual(imap.status("Behind", "(MAILBOXID)")[1][0].decode().split("(")[2].rstrip(")"), name)
        imap.logout()
        self.script("alice", 'require ["fileinto", "mailboxid"]; fileinto :mailboxid "%s" "Before";' % name)
        self.server.deliver(message("by its id"), "alice")
        self.assertEqual(self.subjects("alice", "Behind"), ["by its id"])

    def test_link_and_reject(self):
        """The active script is a link into the directory of scripts; a refusal is the reply to that recipient alone."""
        self.script("bob", 'require "reject"; if header "subject" "no" { reject "Not here."; }', "sieve/main.sieve")
        os.symlink("sieve/main.sieve", self.server.path("home", "bob", ".dovecot.sieve"))
        with self.server.raw("lmtp") as client:
            client.send("LHLO x\r\nMAIL FROM:<sender@example.org>\r\nRCPT TO:<bob>\r\nRCPT TO:<carol>\r\nDATA\r\n")
            client.until("354")
            client.send(message("no") + ".\r\n")
            self.assertEqual(client.line(), b"550 5.7.1 <bob> Not here.")
            self.assertTrue(client.line().startswith(b"250 2.0.0 <carol>"))
        self.assertEqual(self.subjects("carol", "INBOX")[-1], "no")
        self.server.deliver(message("yes"), "bob")
        self.assertEqual(self.subjects("bob", "INBOX"), ["yes"])

    def test_errors(self):
        """Whatever is wrong with a script, its user's mail is in INBOX."""
        for number, text in enumerate(("nonsense", "require \"none\";", "keep", "\0\xff", "if " * 1000)):
            self.script("dave", text)
            self.server.deliver(message("error %d" % number), "dave")
        os.unlink(self.server.path("home", "dave", ".dovecot.sieve"))
        os.mkdir(self.server.path("home", "dave", ".dovecot.sieve"))
        self.server.deliver(message("a directory"), "dave")
        os.rmdir(self.server.path("home", "dave", ".dovecot.sieve"))
        os.mkfifo(self.server.path("home", "dave", ".dovecot.sieve"))
        self.server.deliver(message("a pipe"), "dave")
        os.unlink(self.server.path("home", "dave", ".dovecot.sieve"))
        # What a script includes, or looks into.
        os.makedirs(self.server.path("home", "dave", "sieve"), exist_ok=True)
        os.mkfifo(self.server.path("home", "dave", "sieve", "pipe.sieve"))
        self.script("dave", 'require "include"; include "pipe";')
        self.server.deliver(message("a pipe that is included"), "dave")
        os.makedirs(self.server.path("lists"), exist_ok=True)
        os.mkfifo(self.server.path("lists", "pipe"))
        self.script("dave", 'require ["extlists", "envelope"]; if envelope :list "from" "pipe" { discard; }')
        self.server.deliver(message("a pipe for a list"), "dave")
        os.unlink(self.server.path("home", "dave", ".dovecot.sieve"))
        self.assertEqual(len(self.subjects("dave", "INBOX")), 9)
        self.assertIn("line 1: ", self.server.log_text())

    def test_before(self):
        with open(self.server.path("before.sieve"), "w") as f:
            f.write('require ["fileinto", "mailbox"]; if header "subject" "spam" { fileinto :create "Junk"; }')
        self.server.deliver(message("spam"), "carol")
        self.assertEqual(self.subjects("carol", "Junk"), ["spam"])
        os.unlink(self.server.path("before.sieve"))

    def test_dict(self):
        """A script of a file dictionary, which is read behind the wall that other scripts are behind."""
        os.makedirs(self.server.path("dicts"), exist_ok=True)
        with open(self.server.path("dicts", "late.dict"), "w") as f:
            f.write('priv/sieve/name/late\n3\npriv/sieve/data/3\nrequire ["fileinto", "mailbox"];\x01n# in lines\x01n'
                    'if header "subject" "dict" { fileinto :create "Dict"; }\n')
        self.server.deliver(message("dict"), "carol")
        self.server.deliver(message("no dict"), "carol")
        os.unlink(self.server.path("dicts", "late.dict"))
        self.server.deliver(message("dict"), "carol")
        self.assertEqual(self.subjects("carol", "Dict"), ["dict"])

    def test_xclient_and_utf8(self):
        with self.server.raw("lmtp") as client:
            client.send("LHLO proxy\r\n")
            self.assertIn(b"250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN SESSION TTL TIMEOUT", client.until("250 "))
            client.send("XCLIENT ADDR=192.0.2.77 HELO=real.example\r\nLHLO proxy\r\n")
            client.until("250 ")
            client.send("MAIL FROM:<j\u00fcrgen@example.org> SMTPUTF8\r\nRCPT TO:<carol> NOTIFY=NEVER\r\nDATA\r\n".encode())
            client.until("354")
            client.send(message("through a proxy") + ".\r\n")
            self.assertTrue(client.line().startswith(b"250 "))
        imap = self.server.imap("carol")
        imap.select("INBOX", readonly=True)
        number = imap.search(None, "SUBJECT", '"through a proxy"')[1][0].split()[-1]
        text = imap.fetch(number, "(BODY.PEEK[HEADER])")[1][0][1]
        imap.logout()
        self.assertIn(b"Received: from real.example ([192.0.2.77])\r\n", text)
        self.assertIn(b"with UTF8LMTP\r\n", text)
        self.assertTrue(text.startswith("Return-Path: <j\u00fcrgen@example.org>\r\n".encode()))

    def test_why(self):
        self.script("bob", 'require ["fileinto", "mailbox"];\nif header "subject" "why" {\n'
                    'fileinto :create "Why"; }\n', "sieve/main.sieve")
        if not os.path.lexists(self.server.path("home", "bob", ".dovecot.sieve")):
            os.symlink("sieve/main.sieve", self.server.path("home", "bob", ".dovecot.sieve"))
        text = message("why")
        self.server.deliver(text, "bob")
        name = text.split("Message-ID: ")[1].split("\r\n")[0]
        for wanted in (name, name.strip("<>")):
            told = self.server.adm("filter", "why", "-u", "bob", wanted)
            self.assertIn("line 3: stored mail into mailbox 'Why'", told)
        self.assertEqual(self.server.adm("filter", "why", "bob", name), told)
        long = "<%s@example.org>" % ("l" * 3000)        # the journal keeps its beginning
        self.server.deliver("Message-ID: %s\r\n" % long + message("long"), "bob")
        for wanted in (long, long.strip("<>")):
            self.assertIn("kept: stored mail into mailbox 'INBOX'", self.server.adm("filter", "why", "bob", wanted))
        self.assertEqual(self.server.adm("filter", "why", "-u", "bob", "none@such", check=False).returncode, 68)
        # Of one that is nowhere, who wanted that.
        self.script("bob", 'if header "subject" "nowhere" {\n  discard;\n}\n')
        text = message("nowhere")
        self.server.deliver(text, "bob")
        wanted = text.split("Message-ID: ")[1].split("\r\n")[0]
        self.assertRegex(self.server.adm("filter", "why", "bob", wanted), r"\.dovecot\.sieve line 2: discarded")
        # Of one that a script keeps, the line that says so, though another script runs behind it.
        self.script("bob", '#\nif header "subject" "stays" {\n  keep;\n}\n')
        self.assertRegex(self.why("bob", message("stays")), r"\.dovecot\.sieve line 3: stored mail into mailbox 'INBOX'")

    def why(self, user, text):
        self.server.deliver(text, user)
        return self.server.adm("filter", "why", user, text.split("Message-ID: ")[1].split("\r\n")[0])

    def test_why_included(self):
        """The line is one of the script that has it."""
        self.script("dave", 'require ["fileinto", "mailbox", "variables"];\n\n\nif header "subject" "wrong" '
                    '{ fileinto "${nothing}"; } elsif header "subject" "gone" { discard; }\nelse { fileinto :create "Other"; }\n',
                    "sieve/other.sieve")
        self.script("dave", 'require "include"; include "other";\n')
        self.assertRegex(self.why("dave", message("a")),
                         r'\.dovecot\.sieve, included "other" line 5: stored mail into mailbox \'Other\'')
        self.assertRegex(self.why("dave", message("gone")), r'\.dovecot\.sieve, included "other" line 4: discarded')
        self.assertRegex(self.why("dave", message("wrong")),
                         r'\.dovecot\.sieve line 4: error: in the included script "other": fileinto: ')
        row = self.server.adm("filter", "replay", "--changed", "dave", "mailbox", "Other", "all")
        self.assertEqual(row, "")
        row = self.server.adm("filter", "replay", "dave", "mailbox", "Other", "all")
        self.assertIn('rule=%s, included "other" line 5' % self.server.path("home", "dave", ".dovecot.sieve"), row)
        os.unlink(self.server.path("home", "dave", ".dovecot.sieve"))

    def test_why_folded(self):
        """A row is a line, however the sender has folded the Message-ID; among many users only some have the message."""
        self.script("alice", "keep;\n")
        self.server.deliver("Message-ID: <folded\r\n here@x>\r\nSubject: x\r\n\r\n", "alice")
        told = self.server.adm("filter", "why", "-A", "<folded here@x>")
        self.assertRegex(told, r"\Auser=alice .*message-id=<folded here@x> .*INBOX'\n\Z")
        done = self.server.adm("filter", "why", "-A", "<nobody@has.it>", check=False)
        self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (68, "", 1))
        self.assertEqual(self.server.adm("-f", "json", "filter", "why", "-u", "*", "<nobody@has.it>", check=False).stdout, "[]\n")

    def test_dsn(self):
        """What the MTA says of notifications is the filter's to see."""
        self.script("carol", 'require ["envelope", "envelope-dsn", "fileinto", "mailbox"];\n'
                    'if allof (envelope "notify" "NEVER", envelope "orcpt" "rfc822;c+x@example.org") '
                    '{ fileinto :create "DSN"; }')
        with self.server.raw("lmtp") as client:
            client.send("LHLO x\r\nMAIL FROM:<a@example.org> ENVID=e1 RET=HDRS\r\n"
                        "RCPT TO:<carol> NOTIFY=NEVER ORCPT=rfc822;c+2Bx@example.org\r\nDATA\r\n")
            client.until("354")
            client.send(message("dsn") + ".\r\n")
            client.until("250 2.0.0 <carol>")
        os.unlink(self.server.path("home", "carol", ".dovecot.sieve"))
        self.assertEqual(self.subjects("carol", "DSN"), ["dsn"])

    def lda(self, text, *args):
        return subprocess.run([os.path.join(culver.PREFIX, "libexec", "culver", "culver-lda"), "-c", self.server.config,
                               "-d", "carol"] + list(args), input=text.encode(), capture_output=True, timeout=60)

    def test_lda(self):
        self.script("carol", 'require ["fileinto", "mailbox", "ereject"];\n'
                    'if header "subject" "lda" { fileinto :create "LDA"; } elsif header "subject" "no" { ereject "Go away."; }')
        done = self.lda(message("lda"))
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(self.subjects("carol", "LDA"), ["lda"])
        done = self.lda(message("no"), "-e")
        self.assertEqual(done.returncode, 77)
        self.assertIn(b"Go away.", done.stderr)
        os.unlink(self.server.path("home", "carol", ".dovecot.sieve"))


if __name__ == "__main__":
    unittest.main()
