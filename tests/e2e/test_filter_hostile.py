# SPDX-License-Identifier: MIT
"""Hostile Sieve scripts, .forward files and spam scanners, by LMTP and culver-lda: bounded in time and memory, the mail
is in INBOX at worst, and the log tells script and line.  test_procmail_hostile has procmail's recipes."""
import os
import subprocess
import time
import unittest

import culver
from test_queue import Sink
from test_spam import Fake

LDA = os.path.join(culver.PREFIX, "libexec", "culver", "culver-lda")
CONFIG = """
login_trusted_networks = 127.0.0.1
submission_host = 127.0.0.1:%d
recipient_forward = yes
recipient_files = yes
protocol lmtp {
  mail_plugins = $mail_plugins sieve
}
protocol lda {
  mail_plugins = $mail_plugins sieve
}
plugin {
  sieve_extensions = +editheader
}
"""
REQUIRE = ('require ["fileinto", "mailbox", "variables", "regex", "body", "mime", "foreverypart", "extracttext", '
           '"editheader", "vacation", "enotify", "copy", "reject", "include", "date", "relational", "duplicate"];\n')
MEMORY = (900 << 20) * culver.SLOW
SECONDS = 100 * culver.SLOW        # a few on a machine that does nothing else


def most_memory(pid):
    """Octets that a process has had at most; 0 when it has ended."""
    try:
        with open("/proc/%d/status" % pid) as f:
            return int([x for x in f if x.startswith("VmHWM")][0].split()[1]) << 10
    except (OSError, IndexError):
        return 0


class Base(unittest.TestCase):
    extra = ""

    @classmethod
    def setUpClass(cls):
        cls.sink = Sink()
        cls.server = culver.Server(start=False)
        cls.server.add_config(CONFIG % cls.sink.port + cls.extra)
        cls.server.allowed = ("sieve:", "forward:", "saving to", "not scanned for spam", "sieve line")
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.sink.close()

    def write(self, user, name, text, mode=0o600):
        path = self.server.path("home", user, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.chown(path + ".new", self.server.uid, self.server.gid)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)
        return path

    def script(self, user, text):
        return self.write(user, ".dovecot.sieve", text)

    def remove(self, user, *names):
        for name in names:
            try:
                os.unlink(self.server.path("home", user, name))
            except FileNotFoundError:
                pass

    def messages(self, user="alice"):
        """How many messages are where, and then none."""
        found = {}
        top = self.server.maildir(user)
        for directory, _, files in os.walk(top):
            if os.path.basename(directory) in ("new", "cur") and files:
                name = os.path.relpath(os.path.dirname(directory), top)
                found[name] = found.get(name, 0) + len(files)
                for f in files:
                    os.unlink(os.path.join(directory, f))
        return found

    def by_lmtp(self, text, user):
        with self.server.raw("lmtp") as client:
            client.socket.settimeout(120 * culver.SLOW)
            client.send("LHLO x\r\nMAIL FROM:<sender@example.org>\r\nRCPT TO:<%s>\r\nDATA\r\n" % user)
            client.until("354")
            client.send(text)
            client.send(b".\r\n")
            reply = client.line()
            self.assertTrue(reply.startswith((b"250 ", b"550 ")), reply)
            pids = self.server.pids("deliver") + self.server.pids("lmtp")
            return reply.startswith(b"250 "), max(most_memory(p) for p in pids)

    def by_lda(self, text, user):
        path = self.server.path("message")
        with open(path, "wb") as f:
            f.write(text.replace(b"\r\n", b"\n"))
        memory = 0
        command = [LDA, "-c", self.server.config, "-d", user, "-f", "sender@example.org"]
        with open(path, "rb") as f, subprocess.Popen(command, stdin=f, stdout=subprocess.DEVNULL,
                                                     stderr=subprocess.DEVNULL) as process:
            while process.poll() is None:
                memory = max(memory, most_memory(process.pid))
                time.sleep(0.005)
        os.unlink(path)
        self.assertIn(process.returncode, (0, 77))
        return process.returncode == 0, memory

    def both_ways(self, text, what, where=None, told=None, user="alice", delivered=True):
        """By LMTP and culver-lda; where: the mailbox (a directory's name) that has it; told: a line of the log."""
        if isinstance(text, str):
            text = text.encode("latin-1")
        for way in (self.by_lmtp, self.by_lda):
            before, start = len(self.server.log_text()), time.monotonic()
            done, memory = way(text, user)
            took = time.monotonic() - start
            if os.environ.get("CULVER_VERBOSE"):
                print("%-8s %-50.50s %6.2f s %5d MB" % (way.__name__, what, took, memory >> 20))
            if delivered is not None:
                self.assertEqual(done, delivered, what)
            self.assertLess(took, SECONDS, what)
            self.assertLess(memory, MEMORY, what)
            found = self.messages(user)
            if where is None:
                self.assertEqual(sum(found.values()), 1, (what, way.__name__))
            else:
                self.assertEqual(found, {where: 1} if where else {}, (what, way.__name__))
            if told is not None:
                self.assertRegex(self.server.log_text()[before:], told, (what, way.__name__))


class Scripts(Base):
    def wrong(self, text, line, why, where="."):
        self.script("alice", text)
        self.both_ways(culver.message("hostile"), text[-60:], where,
                       r"Error: sieve: \S+/\.dovecot\.sieve: line %d: .*%s" % (line, why))

    def test_mistakes(self):
        """What is no script never bounces mail."""
        for text, line in (("keep;\n\nnonsense;\n", 3), ('require "none";\n', 1), ('keep;\nif true {\n', 3),
                           ('fileinto "x";\n', 1), ("/* no end", 1), ('keep;\nredirect "no address";\n', 2),
                           ("if not " * 100 + "true {}", 1),
                           ("if true {" * 100, 1), ('keep; stop "' + "x" * 10000, 1), ("\xff\0;", 1),
                           ('require "regex";\nif header :regex "subject" "((((" {}', 2)):
            self.wrong(text, line, "")
        self.script("alice", "#" + "x" * (2 << 20))
        self.both_ways(culver.message("large"), "a large script", ".", r"Error: sieve: \S+/\.dovecot\.sieve: ")

    def test_endless(self):
        double = 'set "x" "aaaaaaaaaaaaaaaa";\n' + 'set "x" "${x}${x}";\n' * 30
        self.wrong(REQUIRE + double + 'fileinto :create "${x}";\n', 33, "fileinto: .* is an invalid folder name")
        self.wrong(REQUIRE + double + "".join('set "v%d" "${x}";\n' % i for i in range(1000)), 287,
                   "more than 255 variables")
        for n in range(32):
            self.write("alice", "sieve/s%d.sieve" % n,
                       'require "include";\ninclude "s%d";\ninclude "s%d";\n' % (n + 1, n + 2))
        self.wrong('require "include";\ninclude "s0";\n', 2, "", ".")
        self.wrong(REQUIRE + "".join('fileinto :create "m%d";\n' % i for i in range(100)), 34,
                   "actions exceeds policy limit")

    def test_redirects(self):
        """More than may be are none; and what is passed on does not come back again and again."""
        before = self.sink.tries
        self.wrong(REQUIRE + "".join('redirect "u%d@example.net";\n' % i for i in range(1000)), 6,
                   "redirect.*exceeds policy limit")
        time.sleep(0.5)
        self.assertEqual(self.sink.tries, before)
        self.script("alice", 'redirect "alice@example.org";\n')
        self.both_ways(culver.message("loop", extra="X-Sieve-Redirected-From: alice\r\n"), "a loop", ".", "in a loop")

    def test_patterns(self):
        """Expressions and keys made for a message; the script's steps end them."""
        key = "a" * 16000 + "b"
        text = culver.message("x", body="a" * (4 << 20) + "\r\n")
        for test in ('body :regex "(a|b){0,250}(a|b){0,250}[cd]"', 'body :matches "*%s"' % key):
            self.script("alice", REQUIRE + "\nif %s { discard; }\n" % test)
            self.both_ways(text, test, ".", r"Error: sieve: \S+/\.dovecot\.sieve: line 3: body: .*too much work")

    def test_places(self):
        """Names of mailboxes that a message tells stay in its user's mail."""
        self.script("alice", REQUIRE + 'if header :matches "subject" "*" { fileinto :create "${1}"; }\n')
        before = sorted(os.listdir(self.server.dir)), sorted(os.listdir(self.server.path("home")))
        for name in ("../bob", "../../bob/Maildir", "/etc/x", "a/../../b", "..", ".", "~/x", "~bob/x", "a\0b",
                     "INBOX/../x", "a//b", "/", "&AC4-.&AC8-", ".bob", "a" * 300, "a/" * 500, "../" * 3000000,
                     "a" * 10000000,
                     "=?utf-8?q?=00=2F..=2F?="):
            self.both_ways(culver.message(name), name[:40])
        self.remove("alice", ".dovecot.sieve")
        os.symlink(self.server.path("home", "bob"), self.server.path("home", "alice", "Maildir", ".link"))
        self.script("alice", 'require "fileinto"; fileinto "link";')
        self.both_ways(culver.message("link"), "a symbolic link")
        os.unlink(self.server.path("home", "alice", "Maildir", ".link"))
        self.assertEqual(self.messages("bob"), {})
        self.assertEqual([x for x in os.listdir(self.server.path("home", "bob")) if x != "Maildir"], [])
        self.assertEqual((sorted(os.listdir(self.server.dir)), sorted(os.listdir(self.server.path("home")))), before)

    def test_files(self):
        """Scripts that are links to elsewhere, and binaries that nobody compiled."""
        self.remove("alice", ".dovecot.sieve")
        for target in ("/etc/shadow", "/dev/zero", "/proc/self/mem", ".dovecot.sieve",
                       "sieve/../../bob/.dovecot.sieve"):
            os.symlink(target, self.server.path("home", "alice", ".dovecot.sieve"))
            self.both_ways(culver.message("link"), target, ".")
            self.remove("alice", ".dovecot.sieve")
        self.script("alice", REQUIRE + 'include "../../bob/x";')
        self.both_ways(culver.message("include"), "include", ".", "line 2: ")
        self.script("alice", REQUIRE + 'fileinto :create "Good";')
        self.both_ways(culver.message("good"), "good", ".Good")
        binary = [x for x in os.listdir(self.server.path("home", "alice")) if x.endswith("csvbin")]
        self.assertEqual(len(binary), 1)
        with open(self.server.path("home", "alice", binary[0]), "rb") as f:
            good = f.read()
        for bad in (b"", b"x" * 100000, good[:-1], good[:40] + b"\xff" * 40 + good[80:]):
            self.write("alice", binary[0], bad)
            self.both_ways(culver.message("binary"), "a binary", ".Good")


class Forwards(Base):
    def test_files(self):
        for text in (b"\0\xff(((\"" * 1000, b"a" * 10000000, b"x@example.net\n" * 1000000, b":include:~/.forward\n",
                     b'"' * 1000, b"/../../../../etc/passwd\n", b":include:/dev/zero\n",
                     b",".join(b"u%d@example.net" % i for i in range(1100))):
            self.write("alice", ".forward", text)
            self.both_ways(culver.message("hostile"), repr(text[:40]), ".",
                           r"Error: forward: \S+/\.forward: (line \d+: |more than )")
        self.write("alice", ".forward", "x@example.net\n", 0o666)
        self.both_ways(culver.message("mode"), "a file that others may write", ".", "Error: forward: ")


class Scanner(Fake):
    """One that goes on for ever: again and again what it says, with a pause."""

    def __init__(self, answer, again, pause):
        self.again, self.pause = again, pause
        super().__init__(answer)

    def serve(self, conn):
        with conn:
            conn.settimeout(30)
            try:
                conn.recv(65536)
                conn.sendall(self.answer)
                while True:
                    conn.sendall(self.again)
                    time.sleep(self.pause)
            except OSError:
                pass


class Scanners(Base):
    def test_answers(self):
        spamd, rspamd = b"SPAMD/1.1 0 EX_OK\r\n", b"HTTP/1.1 200 OK\r\n"
        large = culver.message("large", body="x" * (20 << 20) + "\r\n")
        for scanner, answer, again, pause in (
                ("spamd", spamd, b"X: " + b"y" * 65536, 0), ("spamd", spamd, b"x", 0.1), ("spamd", b"", b"", 1),
                ("rspamd", rspamd + b"\r\n", b"[" * 65536, 0), ("rspamd", rspamd, b"x", 0.1),
                ("rspamd", rspamd, b"A: b\r\n", 0)):
            fake = Scanner(answer, again, pause)
            try:
                with culver.Server(extra="spam_scanner = %s\nspam_scanner_address = inet:127.0.0.1:%d\n"
                                         "spam_scanner_timeout = 1s\nspam_scanner_max_size = 200M\n" %
                                         (scanner, fake.port)) as server:
                    server.allowed = ("not scanned for spam",)
                    own, self.server = self.server, server
                    try:
                        # The large one is not read by this scanner either.
                        self.both_ways(large, "%s %r" % (scanner, again[:10]), ".", "Error: .*not scanned for spam: ")
                    finally:
                        self.server = own
            finally:
                fake.close()


if __name__ == "__main__":
    unittest.main()
