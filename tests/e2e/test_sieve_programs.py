# SPDX-License-Identifier: MIT
"""Programs that Sieve scripts run (vnd.dovecot.pipe, .filter, .execute), through LMTP and culver-lda; where what becomes of a
message is a matter of taste, the same through Debian's Pigeonhole."""
import os
import pwd
import shutil
import signal
import smtplib
import subprocess
import time
import unittest

import culver
import dovecot

LDA = os.path.join(culver.PREFIX, "libexec", "culver", "culver-lda")

SETTINGS = """
protocol lmtp {
  mail_plugins = $mail_plugins sieve
}
protocol lda {
  mail_plugins = $mail_plugins sieve
}
plugin {
  sieve_extensions = +vnd.dovecot.pipe +vnd.dovecot.filter +vnd.dovecot.execute
  sieve_pipe_bin_dir = %(dir)s/bin
  sieve_filter_bin_dir = %(dir)s/bin
  sieve_execute_bin_dir = %(dir)s/bin
  sieve_filter_input_eol = lf
  sieve_program_memory = 200M
  sieve_filter_exec_timeout = 2s
  sieve_execute_exec_timeout = 2s
  sieve_plugins = %(plugins)s
}
"""

PROGRAMS = {
    # what it was given, for the test to look at
    "show": 'd="%(dir)s/shown"; { env; echo "umask $(umask)"; pwd; for a; do echo "arg <$a>"; done; cat; } > "$d.new" 2>/dev/null;'
            ' mv "$d.new" "$d"; echo out; echo err >&2',
    "code": 'cat > /dev/null; echo "Subject: made $*"; echo; echo "by a program"; exit $1',
    "upper": "tr a-z A-Z",
    "cat": "cat",
    "length": 'printf "%%s" "$(wc -c)"',
    "empty": "cat > /dev/null",
    "note": 'cat > /dev/null; echo x >> "%(dir)s/noted"',
    "slow": "sleep 30",
    "endless": "cat > /dev/null; exec yes",
    "fork": "cat > /dev/null; sleep 300 & sleep 300 & echo x",
    "greedy": 'cat > /dev/null; x=0123456789abcdef; while :; do x="$x$x$x$x"; done',
    "killed": "cat > /dev/null; kill -9 $$",
}

REQUIRE = ('require ["vnd.dovecot.pipe", "vnd.dovecot.filter", "vnd.dovecot.execute", "copy", "variables", "fileinto", '
           '"mailbox"];\n')
ELSE = ' { fileinto :create "yes"; } else { fileinto :create "no"; }'

# What is to be the same here and there: where the message is, and what it says.
SAME = [
    'pipe "empty";',
    'pipe "code" "0";',
    'pipe "code" "1";',
    'pipe "code" ["3", "b"];',
    'pipe :copy "code" "1";',
    'pipe :copy "empty"; fileinto :create "Work";',
    'pipe :copy :try "code" "1"; fileinto :create "Work";',
    'pipe "none";',
    'pipe :copy "none"; fileinto :create "Work";',
    'pipe "../bin/empty";',
    'pipe "/bin/true";',
    'pipe "..";',
    'pipe "";',
    'pipe "killed";',
    'filter "upper";',
    'filter "code" "0";',
    'filter "code" "1";',
    'filter "none";',
    'if filter "upper"' + ELSE,
    'if filter "code" "2"' + ELSE,
    'if filter "none"' + ELSE,
    'filter "upper"; filter "cat"; pipe :copy "empty"; fileinto :create "Both";',
    'execute "code" "0";',
    'execute "code" "1";',
    'if execute "code" "0"' + ELSE,
    'if execute "code" "1"' + ELSE,
    'if execute "none"' + ELSE,
    'if execute :input "words" :output "x" "upper" { fileinto :create "${x}"; }',
    'set "x" "old"; if not execute :input "words" :output "x" "code" "1" { fileinto :create "${x}"; }',
    'execute :pipe :output "x" "length"; if string :matches "${x}" "*" { fileinto :create "n"; }',
    'execute :input "a" :pipe "cat";',
    'execute :output "x.y" "cat";',
    'execute "slow"; fileinto :create "after";',
    'if not execute "slow" { fileinto :create "after"; }',
]


class Programs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = culver.Server(start=False)
        os.mkdir(cls.server.path("bin"))
        for name, text in PROGRAMS.items():
            path = cls.server.path("bin", name)
            with open(path, "w") as f:
                f.write("#!/bin/sh\n" + text % {"dir": cls.server.path("home")} + "\n")
            os.chmod(path, 0o755)
        os.chmod(cls.server.path("home"), 0o777)
        cls.server.add_config("hostname = host.example\n" + SETTINGS % {"dir": cls.server.dir, "plugins": ""})
        cls.server.allowed = ("sieve:", "plugin/sieve_plugins")
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def setUp(self):
        self.found()

    def script(self, text, user="alice", root=None):
        path = os.path.join(root or self.server.path("home"), user, ".dovecot.sieve")
        for end in (".new", ".svbin", ".log"):
            if os.path.exists(path + end):
                os.unlink(path + end)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.rename(path + ".new", path)

    def found(self, user="alice", root=None):
        """All messages: (mailbox, what stands behind the trace fields); they are taken away."""
        out = []
        top = os.path.join(root or self.server.path("home"), user, "Maildir")
        for where, _, names in os.walk(top):
            if os.path.basename(where) not in ("new", "cur"):
                continue
            for name in names:
                with open(os.path.join(where, name), "rb") as f:
                    text = f.read().replace(b"\r\n", b"\n")
                box = os.path.relpath(os.path.dirname(where), top)
                at = text.upper().find(b"FROM: <SENDER@")
                out.append((box, text[at:] if at >= 0 else text))
                os.unlink(os.path.join(where, name))
        return sorted(out)

    def shown(self):
        with open(self.server.path("home", "shown")) as f:
            text = f.read()
        os.unlink(self.server.path("home", "shown"))
        return text

    def test_pipe(self):
        """Octets, arguments and environment are Pigeonhole's."""
        self.script(REQUIRE + 'pipe "show" ["one", "two words", "", "$(id)"];')
        text = culver.message("to a program", body="body\r\n.\r\n")
        with self.server.raw("lmtp") as client:
            client.send("LHLO x\r\nMAIL FROM:<sender@example.org>\r\n")
            client.send("RCPT TO:<alice> ORCPT=rfc822;first@example.org\r\nDATA\r\n")
            client.until("354")
            client.send(text.replace("\r\n.\r\n", "\r\n..\r\n") + ".\r\n")
            self.assertTrue(client.line().startswith(b"250 "))
        self.assertEqual(self.found(), [])
        head, _, mail = self.shown().partition("Return-Path:")
        lines = sorted(line for line in head.splitlines() if not line.startswith(("PWD=", "SHLVL=", "_=")))
        home = self.server.path("home", "alice")
        self.assertEqual(lines, sorted([
            "HOME=" + home, "HOST=host.example", "ORIG_RECIPIENT=first@example.org", "RECIPIENT=alice",
            "SENDER=sender@example.org", "USER=alice", "umask 0077", home,
            "arg <one>", "arg <two words>", "arg <>", "arg <$(id)>"]))
        self.assertTrue(mail.endswith("Subject: to a program\n" + text.replace("\r\n", "\n").split("to a program\n")[1]), mail)
        self.assertIn("program %s/bin/show: err" % self.server.dir, self.server.log_text())

    def test_sender_of_a_bounce(self):
        self.script(REQUIRE + 'pipe "show";')
        self.server.deliver(culver.message(), "alice", sender="")
        self.assertIn("\nSENDER=\n", "\n" + self.shown())

    def test_lda(self):
        self.script(REQUIRE + 'filter "upper"; pipe :copy "show";', "bob")
        done = subprocess.run([LDA, "-c", self.server.config, "-d", "bob", "-f", "s@example.org"], timeout=culver.WAIT,
                              input=b"Subject: lda\n\nbody\n", capture_output=True,
                              env={"PATH": os.environ["PATH"], "SECRET": "x"})
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        shown = self.shown()
        self.assertIn("SUBJECT: LDA\n\nBODY\n", shown)
        self.assertNotIn("SECRET", shown)
        (box, text), = self.found("bob")
        self.assertIn(b"SUBJECT: LDA\n\nBODY\n", text)

    def test_kept(self):
        """What Pigeonhole loses, or takes for a message, is kept here."""
        for text in ('pipe :try "code" "1";', 'pipe :try "none";', 'filter "empty";', 'filter "endless";',
                     'execute :output "x" "endless";', 'filter "slow"; fileinto :create "Work";',
                     'if filter "slow" { discard; }', 'pipe "greedy";'):
            self.script(REQUIRE + text)
            mail = culver.message(text[:6])
            self.server.deliver(mail, "alice")
            self.assertEqual(self.found(), [(".", mail.replace("\r\n", "\n").encode())], text)

    def test_nothing_stays(self):
        self.script(REQUIRE + 'if execute "fork" { fileinto :create "done"; }')
        begin = time.monotonic()
        self.server.deliver(culver.message(), "alice")
        self.assertLess(time.monotonic() - begin, 8)
        self.found()
        culver.wait_for(lambda: not self.server.pids("sleep"), "the program's processes have ended")

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_helper_killed(self):
        """Without the process that runs programs mail is kept, and the next message has a new one."""
        noted = self.server.path("home", "noted")
        self.script(REQUIRE + 'pipe "note";')
        self.server.deliver(culver.message(), "alice")
        self.assertEqual((self.found(), os.path.getsize(noted)), ([], 2))
        workers = [p for p in self.server.pids("deliver") if culver.owner_of(p) == self.server.uid]
        helpers = [c for p in workers for c in culver.children_of(p)]
        self.assertTrue(helpers)
        for pid in helpers:
            os.kill(pid, signal.SIGKILL)
        self.server.deliver(culver.message(), "alice")
        kept = len(self.found())
        if kept == 0:  # then the worker had ended already, and another one ran the program
            self.assertFalse(set(workers) & set(self.server.pids("deliver")))
        self.assertEqual(kept * 2 + os.path.getsize(noted), 4)
        culver.wait_for(lambda: not [p for p in workers if os.path.exists("/proc/%d" % p)], "the workers have ended")
        self.server.deliver(culver.message(), "alice")
        self.assertEqual(self.found(), [])
        self.assertEqual(kept * 2 + os.path.getsize(noted), 6)

    def test_large(self):
        self.script(REQUIRE + 'if not filter "upper" { discard; }')
        mail = culver.message(body="some line of text that is long enough\r\n" * 100000)
        self.server.deliver(mail, "alice")
        (_, text), = self.found()
        self.assertEqual(text, mail.replace("\r\n", "\n").upper().encode())

    def test_out_of_the_directory(self):
        """A name with variables gets no farther than a constant one."""
        for name in ("../../../bin/true", "/bin/true", ".hidden", "a/b", ""):
            self.script(REQUIRE + 'set "p" "%s"; pipe "${p}";' % name)
            self.server.deliver(culver.message(), "alice")
            self.assertEqual([box for box, _ in self.found()], ["."], name)

    @unittest.skipUnless(os.path.exists(dovecot.PROGRAM), "Dovecot is not installed")
    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_as_pigeonhole(self):
        homes = self.server.path("other")
        for name in ("", "alice"):
            os.mkdir(os.path.join(homes, name))
            os.chown(os.path.join(homes, name), self.server.uid, self.server.gid)
        settings = SETTINGS % {"dir": self.server.dir, "plugins": "sieve_extprograms"}
        with dovecot.Dovecot(homes, self.server.uid, self.server.gid, extra=settings) as other:
            for text in SAME:
                mail = culver.message("same")
                self.script(REQUIRE + text)
                self.script(REQUIRE + text, root=homes)
                self.server.deliver(mail, "alice")
                with smtplib.LMTP(os.path.join(other.dir, "run", "lmtp")) as client:
                    self.assertEqual(client.sendmail("sender@example.org", ["alice"], mail), {})
                with self.subTest(text):
                    self.assertEqual(self.found(), self.found(root=homes))


SERVICE = """
service %(name)s {
  executable = script %(dir)s/bin/%(name)s first
  user = %(user)s
  unix_listener sieve-programs/%(name)s {
    mode = 0666
  }
}
"""

# script, and what there is then: mailbox, and a line of the message
SOCKETS = [
    ('filter "upper"; fileinto :create "F";', [(".F", b"SUBJECT: A")]),
    ('if execute :input "in" :output "x" "upper" { fileinto :create "${x}"; }', [(".IN", b"Subject: a")]),
    ('pipe "show" ["one", "two words", "a\tb"];', []),
    ('if not filter "code" { fileinto :create "no"; }', [(".no", b"Subject: a")]),
    ('pipe "code";', [(".", b"Subject: a")]),
    ('pipe :copy "killed"; fileinto :create "kept";', [(".", b"Subject: a"), (".kept", b"Subject: a")]),
    ('if not execute "slow" { fileinto :create "late"; }', [(".late", b"Subject: a")]),
    ('if filter "cat" { fileinto :create "file"; }', [(".file", b"Subject: a")]),
    ('if not filter "none" { fileinto :create "none"; }', [(".none", b"Subject: a")]),
]


class Sockets(unittest.TestCase):
    """The same programs as services that are reached over a socket: of Culver's own master, and of Dovecot's."""
    script = Programs.script
    found = Programs.found

    def setUp(self):
        self.server = culver.Server(start=False)
        self.addCleanup(self.server.close)
        for name in ("bin", "only"):
            os.mkdir(self.server.path(name))
        for name, text in PROGRAMS.items():
            if name == "code":
                text = "cat > /dev/null; exit 3"
            with open(self.server.path("bin", name), "w") as f:
                f.write("#!/bin/sh\n" + text % {"dir": self.server.path("home")} + "\n")
            os.chmod(self.server.path("bin", name), 0o755)
        os.chmod(self.server.path("home"), 0o777)
        # what has no socket is looked for among the files
        shutil.copy(self.server.path("bin", "cat"), self.server.path("only", "cat"))
        settings = SETTINGS % {"dir": self.server.dir, "plugins": "sieve_extprograms"}
        self.server.add_config(settings.replace("/bin\n", "/only\n"))
        self.server.allowed = ("sieve:", "script ")

    def services(self):
        user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        return "".join(SERVICE % {"name": name, "dir": self.server.dir, "user": user}
                       for name in ("upper", "show", "code", "killed", "slow"))

    def look(self, where):
        self.server.add_config("plugin {\n%s}\n" % "".join(
            "  sieve_%s_socket_dir = %s\n" % (kind, where) for kind in ("pipe", "filter", "execute")))
        self.server.start()
        for text, wanted in SOCKETS:
            self.script(REQUIRE + text)
            self.server.deliver(culver.message("a"), "alice")
            got = [(box, mail.split(b"\n\n")[0].split(b"\n")) for box, mail in self.found()]
            self.assertEqual([box for box, _ in got], [box for box, _ in wanted], text)
            for (_, lines), (_, line) in zip(got, wanted):
                self.assertIn(line, lines, text)
        with open(self.server.path("home", "shown")) as f:
            shown = f.read()
        self.assertRegex(self.server.log_text(), "/code: exit status 1\n")
        for line in ("arg <first>", "arg <one>", "arg <two words>", "arg <a\tb>", "Subject: a"):
            self.assertIn("\n" + line + "\n", shown)
        self.assertNotIn("HOME=", shown)
        self.script(REQUIRE + 'pipe "show" "lda";')
        done = subprocess.run([LDA, "-c", self.server.config, "-d", "alice", "-f", "s@example.org"], timeout=culver.WAIT,
                              input=b"Subject: b\n\nbody\n", capture_output=True)
        self.assertEqual((done.returncode, done.stderr, self.found()), (0, b"", []))
        with open(self.server.path("home", "shown")) as f:
            self.assertIn("\narg <lda>\n", f.read())

    def test_ours(self):
        self.server.add_config(self.services())
        self.look("sieve-programs")

    @unittest.skipUnless(os.path.exists(dovecot.PROGRAM), "Dovecot is not installed")
    def test_dovecots(self):
        with dovecot.Dovecot(self.server.path("home"), self.server.uid, self.server.gid, extra=self.services(),
                             start=False) as other:
            os.makedirs(os.path.join(other.dir, "run", "sieve-programs"))
            other.start()
            self.look(os.path.join(other.dir, "run", "sieve-programs"))


if __name__ == "__main__":
    unittest.main()
