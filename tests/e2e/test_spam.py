# SPDX-License-Identifier: MIT
"""Spam scanners: SpamAssassin's spamd and rspamd themselves, and scanners that fail."""
import os
import shutil
import socket
import subprocess
import threading
import time
import unittest

import culver
from test_delivery import LDA, Lmtp

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"
JUNK = """\
namespace inbox {
  mailbox Spam {
    special_use = \\Junk
    auto = create
  }
}
"""
SPAMD = shutil.which("spamd", path="/usr/sbin:/usr/bin")
RSPAMD = shutil.which("rspamd", path="/usr/sbin:/usr/bin")


def wait_port(port, seconds=60):
    def answers():
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False
    culver.wait_for(answers, "port %d answers" % port, seconds)


class Fake:
    """A scanner that answers every question with the same octets; None: it says nothing."""

    def __init__(self, answer):
        self.answer, self.asked = answer, []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                conn = self.socket.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        with conn:
            conn.settimeout(30)
            data = b""
            try:
                while b"\r\n\r\n" not in data or len(data) < self.whole(data):
                    more = conn.recv(65536)
                    if not more:
                        break
                    data += more
                self.asked.append(data)
                if self.answer is None:
                    conn.recv(1)
                else:
                    conn.sendall(self.answer)
            except OSError:
                pass

    @staticmethod
    def whole(data):
        head, _, _ = data.partition(b"\r\n\r\n")
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                return len(head) + 4 + int(line.split(b":")[1])
        return 0

    def close(self):
        # what waits in accept() is woken by that, and not by close() alone
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def mails(server, mailbox="INBOX", user="alice"):
    imap = server.imap(user)
    try:
        if imap.select(mailbox)[0] != "OK":
            return []
        found = imap.search(None, "ALL")[1][0].split()
        return [imap.fetch(n, "(BODY.PEEK[])")[1][0][1].decode() for n in found]
    finally:
        imap.logout()


class Scanners(unittest.TestCase):
    def story(self, settings, tests):
        with culver.Server(extra=settings + JUNK) as server:
            server.deliver(culver.message("Ham"))
            server.deliver(culver.message("Spam", GTUBE))
            ham, spam = mails(server), mails(server, "Spam")
            self.assertEqual(len(ham), 1)
            self.assertEqual(len(spam), 1)
            self.assertIn("X-Spam-Status: No, score=", ham[0])
            self.assertNotIn("X-Spam-Flag", ham[0])
            self.assertIn("X-Spam-Flag: YES\r\n", spam[0])
            self.assertIn("X-Spam-Checker-Version: ", spam[0])
            self.assertIn(tests, spam[0])
            # Below what says how it came, above what came.
            self.assertLess(spam[0].index("\r\nReceived:"), spam[0].index("\r\nX-Spam-Flag"))
            self.assertTrue(spam[0].endswith(GTUBE))
            return server.log_text()

    @unittest.skipUnless(SPAMD, "needs spamd")
    def test_spamd(self):
        with culver.Server(start=False) as place:
            for path in ("unix", "inet"):
                port = culver.free_ports(["spamd"])["spamd"]
                where = place.path("spamd.sock")
                listen = ["--socketpath=" + where, "--socketmode=0666"] if path == "unix" else \
                    ["-i", "127.0.0.1", "-p", str(port)]
                with open(place.path("spamd.log"), "ab") as log:
                    process = subprocess.Popen([SPAMD, "-L", "-x", "-m", "1", "-s", "stderr",
                                                "-H", place.path("home", "alice"), "-r", place.path("spamd.pid"),
                                                "--siteconfigpath=/etc/spamassassin"] + listen +
                                               (["-u", "nobody"] if os.geteuid() == 0 else []),
                                               stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                try:
                    if path == "unix":
                        culver.wait_for(lambda: os.path.exists(where), "spamd's socket is there", 60)
                    else:
                        wait_port(port)
                    self.story("spam_scanner = spamd\nspam_scanner_timeout = 60s\nspam_scanner_address = %s\n" %
                               ("unix:" + where if path == "unix" else "inet:127.0.0.1:%d" % port), "GTUBE")
                finally:
                    process.terminate()
                    process.wait(20)

    @unittest.skipUnless(RSPAMD, "needs rspamd")
    def test_rspamd(self):
        with culver.Server(start=False) as place:
            ports = culver.free_ports(["normal", "controller"])
            for name in ("run", "db"):
                os.mkdir(place.path(name))
                os.chown(place.path(name), place.uid, place.gid)
            with open(place.path("rspamd.conf"), "w") as f:
                f.write("""\
.include "/etc/rspamd/common.conf"
options {
  pidfile = "%(dir)s/run/rspamd.pid"; tempdir = "%(dir)s/run"; control_socket = "%(dir)s/run/control mode=0600";
  dns { nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }
}
logging { type = "console"; level = "warning"; }
worker "normal" { bind_socket = "127.0.0.1:%(normal)d"; count = 1; }
""" % dict(ports, dir=place.dir))
            command = [RSPAMD, "-f", "-c", place.path("rspamd.conf"), "--var=DBDIR=" + place.path("db"),
                       "--var=RUNDIR=" + place.path("run"), "--var=LOGDIR=" + place.path("run")]
            if os.geteuid() == 0:
                command += ["-u", "nobody", "-g", "nogroup"]
            with open(place.path("rspamd.log"), "ab") as log:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                wait_port(ports["normal"], 90)
                # rspamd wants GTUBE to be refused: here it is to be seen.  What it thinks of a message without a date of
                # today, and without a name server, is no matter.
                self.story("spam_scanner = rspamd\nspam_scanner_timeout = 60s\nspam_reject_score = 100\nspam_junk_score = 14\n"
                           "spam_scanner_address = inet:localhost:%d\n" % ports["normal"], "GTUBE")
            finally:
                process.terminate()
                process.wait(20)

    def test_questions(self):
        fake = Fake(b'HTTP/1.1 200 OK\r\n\r\n{"score":6.0,"required_score":15.0,"action":"add header","symbols":{"X":{}}}')
        try:
            with culver.Server(extra="spam_scanner = rspamd\nspam_scanner_address = inet:127.0.0.1:%d\n"
                                     "spam_scanner_password = q1\nspam_headers_strip = yes\n" % fake.port + JUNK) as server:
                text = culver.message("Forged", extra="X-Spam-Flag: NO\r\nX-Spam-Status: No,\r\n\tscore=-100\r\nX-Spam: keep\r\n")
                with Lmtp(server) as lmtp:
                    self.assertEqual([x[:3] for x in lmtp.mail(text[:-2], "alice", "bob", sender="sender@example.org")],
                                     ["250"] * 2)
                # One question for both; the scanner sees what came.
                self.assertEqual(len(fake.asked), 1)
                head, _, body = fake.asked[0].partition(b"\r\n\r\n")
                for line in (b"Rcpt: alice", b"Rcpt: bob", b"From: sender@example.org", b"Password: q1", b"IP: 127.0.0.1"):
                    self.assertIn(line, head.split(b"\r\n"))
                self.assertEqual(body.decode(), text)
                for user in ("alice", "bob"):
                    got = mails(server, "Spam", user)
                    self.assertEqual(len(got), 1)
                    self.assertEqual(got[0].count("X-Spam-Flag: "), 1)
                    self.assertEqual(got[0].count("X-Spam-Status: "), 1)
                    self.assertIn("X-Spam-Status: Yes, score=6.0 required=15.0 tests=X\r\n", got[0])
                    self.assertIn("\r\nX-Spam: keep\r\n", got[0])
                    self.assertNotIn("-100", got[0])
                    self.assertTrue(got[0].endswith("X-Spam: keep\r\n\r\nHello.\r\n"))
                    # No filter is switched on: what the verdict has filed is explained all the same.
                    told = server.adm("filter", "why", "-u", user).splitlines()
                    self.assertEqual(len(told), 2, told)
                    self.assertIn("taken for spam", told[0])
                    self.assertIn("stored mail into mailbox 'Spam'", told[1])
        finally:
            fake.close()

    def test_refused(self):
        fake = Fake(b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; 20.0 / 5.0\r\n\r\n\r\n")
        try:
            with culver.Server(extra="spam_scanner = spamd\nspam_scanner_address = inet:127.0.0.1:%d\n"
                                     "spam_reject_score = 15\nspam_scanner_max_size = 4k\n" % fake.port + JUNK) as server:
                with self.assertRaises(Exception) as caught:
                    server.deliver(culver.message("Spam"))
                self.assertEqual(caught.exception.smtp_code, 550)
                self.assertEqual(mails(server) + mails(server, "Spam"), [])
                # A larger one is not shown to the scanner.
                server.deliver(culver.message("Large", "x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 60))
                self.assertEqual(len(mails(server)), 1)
        finally:
            fake.close()

    def test_failure(self):
        """Whatever the scanner does, mail is delivered; or waits, where that is wanted."""
        for answer in (None, b"", b"\0" * 100, b"SPAMD/1.0 76 EX_PROTOCOL\r\n", b"x" * (2 << 20)):
            fake = Fake(answer)
            try:
                extra = "spam_scanner = spamd\nspam_scanner_address = inet:127.0.0.1:%d\nspam_scanner_timeout = 1s\n" % fake.port
                with culver.Server(extra=extra) as server:
                    server.allowed = ("not scanned for spam",)
                    text = culver.message("One")
                    server.deliver(text)
                    got = mails(server)
                    self.assertEqual(len(got), 1)
                    self.assertTrue(got[0].endswith(text))
                    self.assertIn("not scanned for spam", server.log_text())
                    if answer is None:
                        # Who let us wait is not asked again at once.
                        start = time.monotonic()
                        server.deliver(text)
                        self.assertLess(time.monotonic() - start, 0.9)
            finally:
                fake.close()
        port = culver.free_ports(["nobody"])["nobody"]
        extra = "spam_scanner = spamd\nspam_scanner_address = inet:127.0.0.1:%d\nspam_scanner_failure = defer\n" % port
        with culver.Server(extra=extra) as server:
            server.allowed = ("not scanned for spam",)
            with self.assertRaises(Exception) as caught:
                server.deliver(culver.message("One"))
            self.assertEqual(caught.exception.smtp_code, 451)
            self.assertEqual(mails(server), [])

    def lda(self, server, text, *words):
        return subprocess.run([LDA, "-c", server.config, "-d", "alice", "-f", "sender@example.org", *words], timeout=60,
                              input=text.encode(), capture_output=True)

    def test_lda(self):
        """culver-lda asks, too: as the mail user, with the message as it came."""
        fake = Fake(b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; 6.0 / 5.0\r\n\r\nX-Spam-Status: Yes, score=6.0 required=5.0 tests=X\r\n\r\n")
        try:
            with culver.Server(extra="spam_scanner = spamd\nspam_scanner_address = inet:127.0.0.1:%d\n"
                                     "spam_headers_strip = yes\n" % fake.port + JUNK) as server:
                text = culver.message("Forged", extra="X-Spam-Flag: NO\r\nX-Spam: keep\r\n").replace("\r\n", "\n")
                done = self.lda(server, text)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.assertEqual(len(fake.asked), 1)
                self.assertTrue(fake.asked[0].endswith(text.encode()))
                self.assertIn(b"User: alice\r\n", fake.asked[0])
                (got,) = mails(server, "Spam")
                self.assertTrue(got.startswith("Return-Path: <sender@example.org>\r\nDelivered-To: alice\r\nX-Spam-Flag: YES\r\n"))
                self.assertEqual(got.count("X-Spam-Flag: "), 1)
                self.assertIn("\r\nX-Spam: keep\r\n", got)
                # A mailbox that is asked for is where it goes.
                self.assertEqual(self.lda(server, text, "-m", "INBOX").returncode, 0)
                self.assertEqual(len(mails(server)), 1)
                # Refused: not to be tried again.
                done = self.lda(server, text, "-o", "spam_reject_score=5")
                self.assertEqual(done.returncode, 77)
                self.assertIn(b"Refused as spam", done.stderr)
                # Switched off for it.
                asked = len(fake.asked)
                self.assertEqual(self.lda(server, text, "-o", "spam_scanner=none").returncode, 0)
                self.assertEqual(len(fake.asked), asked)
        finally:
            fake.close()
        port = culver.free_ports(["nobody"])["nobody"]
        with culver.Server(extra="spam_scanner = spamd\nspam_scanner_address = inet:127.0.0.1:%d\n" % port) as server:
            server.allowed = ("not scanned for spam",)
            text = culver.message("One")
            self.assertEqual(self.lda(server, text).returncode, 0)
            self.assertEqual(self.lda(server, text, "-o", "spam_scanner_failure=defer").returncode, 75)
            self.assertEqual(len(mails(server)), 1)
            self.assertIn("not scanned for spam", server.log_text())

    def test_without_scanner(self):
        with culver.Server(extra="spam_headers_strip = yes\n") as server:
            server.deliver(culver.message("Forged", extra="X-Spam-Flag: NO\r\n"))
            text = culver.message("Honest")
            server.deliver(text)
            forged, honest = mails(server)
            self.assertNotIn("X-Spam", forged)
            self.assertTrue(honest.endswith(text))


if __name__ == "__main__":
    unittest.main()
