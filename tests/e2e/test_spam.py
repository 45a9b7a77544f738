# SPDX-License-Identifier: MIT
"""Spam scanners: SpamAssassin's spamd and rspamd themselves, and scanners that fail."""
import os
import shutil
import smtplib
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
        self.answer, self.asked, self.over = answer, [], threading.Event()
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
                    self.over.wait(60)
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
        self.over.set()
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
    def story(self, settings, tests, more=lambda server: None):
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
            more(server)

    def preferences(self, server):
        """Carol takes everything for spam.  Her settings count where a message is for her alone."""
        with Lmtp(server) as lmtp:
            for users in (["carol"], ["dave"], ["carol", "dave"]):
                lmtp.mail(culver.message("For " + " ".join(users)), *users)
        (spam,), (carol,) = mails(server, "Spam", "carol"), mails(server, "INBOX", "carol")
        self.assertRegex(spam, r"\r\nX-Spam-Status: Yes, score=-?[0-9.]+ required=-100\.0 tests=")
        self.assertIn("Subject: For carol\r\n", spam)
        self.assertRegex(carol, r"\r\nX-Spam-Status: No, score=-?[0-9.]+ required=5\.0 tests=")
        self.assertEqual(len(mails(server, "INBOX", "dave")), 2)

    @unittest.skipUnless(SPAMD, "needs spamd")
    def test_spamd(self):
        with culver.Server(start=False) as place:
            os.makedirs(place.path("prefs", "carol"))
            with open(place.path("prefs", "carol", "user_prefs"), "w") as f:
                f.write("required_score -100\n")
            for path in ("unix", "inet"):
                port = culver.free_ports(["spamd"])["spamd"]
                where = place.path("spamd.sock")
                listen = ["--socketpath=" + where, "--socketmode=0666"] if path == "unix" else \
                    ["-i", "127.0.0.1", "-p", str(port)]
                with open(place.path("spamd.log"), "ab") as log:
                    process = subprocess.Popen([SPAMD, "-L", "-x", "-m", "1", "-s", "stderr",
                                                "--virtual-config-dir=" + place.path("prefs", "%u"), "-H", place.path("home", "alice"), "-r", place.path("spamd.pid"),
                                                "--siteconfigpath=/etc/spamassassin"] + listen +
                                               (["-u", "nobody"] if os.geteuid() == 0 else []),
                                               stdin=subprocess.DEVNULL, stdout=log, stderr=log)
                try:
                    if path == "unix":
                        culver.wait_for(lambda: os.path.exists(where), "spamd's socket is there", 60)
                    else:
                        wait_port(port)
                    self.story("spam_scanner = spamd\nspam_scanner_timeout = 60s\nspam_scanner_address = %s\n" %
                               ("unix:" + where if path == "unix" else "inet:127.0.0.1:%d" % port), "GTUBE", self.preferences)
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
            # What it thinks of a message without a date of today, and without a name server, is less than this.
            os.makedirs(place.path("local", "override.d"))
            with open(place.path("local", "override.d", "actions.conf"), "w") as f:
                f.write("add_header = 14;\n")
            command = [RSPAMD, "-f", "-c", place.path("rspamd.conf"), "--var=DBDIR=" + place.path("db"),
                       "--var=LOCAL_CONFDIR=" + place.path("local"),
                       "--var=RUNDIR=" + place.path("run"), "--var=LOGDIR=" + place.path("run")]
            if os.geteuid() == 0:
                command += ["-u", "nobody", "-g", "nogroup"]
            with open(place.path("rspamd.log"), "ab") as log:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                wait_port(ports["normal"], 90)
                # rspamd wants GTUBE to be refused: here it is to be seen.
                self.story("spam_scanner = rspamd\nspam_scanner_timeout = 60s\nspam_reject_score = 100\n"
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
                for line in (b"Rcpt: alice", b"Rcpt: bob", b"From: sender@example.org", b"Password: q1"):
                    self.assertIn(line, head.split(b"\r\n"))
                # Where it came from the message says itself: who hands it over is the site's own mail server, and no client.
                self.assertNotIn(b"127.0.0.1", head)
                self.assertNotIn(b"Helo:", head)
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

    def test_client(self):
        """Who is trusted tells for whom it speaks."""
        fake = Fake(b'HTTP/1.1 200 OK\r\n\r\n{"score":6.0,"required_score":null,"action":"no action"}')
        try:
            with culver.Server(extra="spam_scanner = rspamd\nspam_scanner_address = inet:127.0.0.1:%d\n"
                                     "login_trusted_networks = 127.0.0.1\n" % fake.port + JUNK) as server:
                with Lmtp(server) as lmtp:
                    self.assertTrue(lmtp.say("XCLIENT ADDR=192.0.2.7 HELO=bad.example").startswith("220"))
                    lmtp.say("LHLO mx.example.org")
                    self.assertEqual([x[:3] for x in lmtp.mail(culver.message()[:-2], "alice")], ["250"])
                head = fake.asked[0].partition(b"\r\n\r\n")[0].split(b"\r\n")
                self.assertIn(b"IP: 192.0.2.7", head)
                self.assertIn(b"Helo: bad.example", head)
                self.assertIn("\r\nX-Spam-Status: No, score=6.0 tests=none\r\n", mails(server)[0])
        finally:
            fake.close()

    def test_thresholds(self):
        """From which score on the mailbox for spam is the place is the site's; what is spam in the header is the scanner's."""
        for score, junk, box, status in (("6.5", "8", "INBOX", "Yes"), ("6.5", "6.5", "Spam", "Yes"), ("2.0", "1.9", "Spam", "No"),
                                         ("-3.2", "-3.2", "Spam", "No"), ("-3.3", "-3.2", "INBOX", "No")):
            fake = Fake(b"SPAMD/1.1 0 EX_OK\r\nSpam: %s ; %s / 5.0\r\n\r\n\r\n" %
                        (b"True" if status == "Yes" else b"False", score.encode()))
            try:
                with culver.Server(extra="spam_scanner = spamd\nspam_scanner_address = inet:127.0.0.1:%d\n"
                                         "spam_junk_score = %s\n" % (fake.port, junk) + JUNK) as server:
                    server.deliver(culver.message())
                    (got,) = mails(server, box)
                    self.assertIn("\r\nX-Spam-Status: %s, score=%s required=5.0 tests=none\r\n" % (status, score), got)
                    self.assertEqual("\r\nX-Spam-Flag: YES\r\n" in got, status == "Yes")
            finally:
                fake.close()

    def test_no_place(self):
        """Where there is no mailbox for spam, or none can be, it goes to INBOX, and the log says why."""
        fake = Fake(b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; 20.0 / 5.0\r\n\r\n\r\n")
        settings = "spam_scanner = spamd\nspam_scanner_address = inet:127.0.0.1:%d\n" % fake.port
        try:
            for more, words in ((JUNK.replace("auto = create", "auto = no"), "there is no mailbox with the special use \\Junk"),
                                ("spam_junk_mailbox = Odd\n", "spam goes to INBOX: Odd: "),
                                ("spam_junk_mailbox = ../x\n", "spam goes to INBOX: ../x: ")):
                with culver.Server(extra=settings + more) as server:
                    server.deliver(culver.message())
                    self.assertEqual(self.lda(server, culver.message()).returncode, 0)
                    self.assertEqual(len(mails(server)), 2)
                    self.assertEqual(server.log_text().count(words), 2)
            with culver.Server(extra=settings + "spam_junk_mailbox = Odd\nlda_mailbox_autocreate = yes\n") as server:
                server.deliver(culver.message())
                self.assertEqual(len(mails(server, "Odd")), 1)
        finally:
            fake.close()

    def test_no_such_name(self):
        """A scanner whose name nobody knows (a label is too long): mail comes all the same, or waits."""
        text = culver.message()
        for policy in ("deliver", "defer"):
            with culver.Server(extra="spam_scanner = spamd\nspam_scanner_address = inet:%s.example:783\n"
                                     "spam_scanner_failure = %s\n" % ("x" * 64, policy)) as server:
                server.allowed = ("spam_scanner_address", "not scanned for spam")
                if policy == "deliver":
                    server.deliver(text)
                    self.assertTrue(mails(server)[0].endswith(text))
                    self.assertEqual(self.lda(server, text).returncode, 0)
                else:
                    with self.assertRaises(smtplib.SMTPDataError) as caught:
                        server.deliver(text)
                    self.assertEqual(caught.exception.smtp_code, 451)
                    self.assertEqual(self.lda(server, text).returncode, 75)
                    self.assertEqual(mails(server), [])

    def test_refused(self):
        fake = Fake(b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; 20.0 / 5.0\r\n\r\n\r\n")
        try:
            with culver.Server(extra="spam_scanner = spamd\nspam_scanner_address = inet:127.0.0.1:%d\n"
                                     "spam_reject_score = 15\nspam_scanner_max_size = 4k\n" % fake.port + JUNK) as server:
                with self.assertRaises(Exception) as caught:
                    server.deliver(culver.message("Spam"))
                self.assertEqual(caught.exception.smtp_code, 550)
                self.assertEqual(mails(server) + mails(server, "Spam"), [])
                self.assertIn(": spam score 20.0 of 5.0 (): refused\n", server.log_text())
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
                    self.assertEqual("did not answer in time" in server.log_text(), answer is None)
                    if answer is None:
                        # Who let us wait twice is not asked again at once.
                        server.deliver(text)
                        start = time.monotonic()
                        server.deliver(text)
                        self.assertLess(time.monotonic() - start, 0.9)
                        self.assertIn("has not answered lately: not asked", server.log_text())
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

    def test_stop(self):
        """A server that stops does not wait for the scanner, whatever is set; the mail server keeps the message."""
        fake = Fake(None)
        refused = []

        def deliver(server):
            try:
                server.deliver(culver.message("One"))
            except smtplib.SMTPDataError as e:
                refused.append(e.smtp_code)
        try:
            with culver.Server(extra="spam_scanner = spamd\nspam_scanner_address = inet:127.0.0.1:%d\n" % fake.port) as server:
                server.allowed = ("not scanned for spam: told to end",)
                client = threading.Thread(target=deliver, args=(server,))
                client.start()
                culver.wait_for(lambda: fake.asked, "the scanner is asked")
                start = time.monotonic()
                server.stop()
                self.assertLess(time.monotonic() - start, 6)
                client.join(10)
                self.assertEqual(refused, [451])
                self.assertIn("not scanned for spam: told to end", server.log_text())
                self.assertNotIn("did not end in time", server.log_text())
        finally:
            fake.close()

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
                self.assertRegex(server.log_text(), r"lda\(alice\).*: spam score 6\.0 of 5\.0 \(X\): refused\n")
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


class Filters(unittest.TestCase):
    """What users' filters make of a verdict."""

    def write(self, server, user, name, text):
        path = server.path("home", user, name)
        with open(path, "w") as f:
            f.write(text)
        os.chown(path, server.uid, server.gid)
        os.chmod(path, 0o600)

    def subjects(self, server, user, mailbox):
        return [line[9:] for mail in mails(server, mailbox, user) for line in mail.split("\r\n") if line.startswith("Subject: ")]

    def test_filters(self):
        fake = Fake(b"SPAMD/1.1 0 EX_OK\r\nSpam: True ; 6.5 / 5.0\r\n\r\nX-Spam-Status: Yes, tests=A,B\r\n\r\n")
        self.addCleanup(fake.close)
        with culver.Server(extra="spam_scanner = spamd\nspam_scanner_address = inet:127.0.0.1:%d\n" % fake.port + JUNK + """
mail_plugins = $mail_plugins sieve procmail
procmail_rc = ~/.procmailrc
plugin {
  sieve = ~/.sieve
  sieve_extensions = +spamtest +spamtestplus
  sieve_spamtest_status_type = score
  sieve_spamtest_status_header = X-Spam-Score
  sieve_spamtest_max_value = 10
}
""") as server:
            self.write(server, "alice", ".sieve", """\
require ["fileinto", "spamtestplus", "relational", "comparator-i;ascii-numeric", "mailbox", "variables"];
if header "subject" "friend" {
    fileinto "INBOX";
} elsif header "subject" "keep" {
    keep;
} elsif spamtest :percent :value "ge" :comparator "i;ascii-numeric" "66" {
    fileinto :create "Worse";
} elsif allof (spamtest :percent :value "ge" :comparator "i;ascii-numeric" "65", header "x-spam-flag" "YES",
               header :matches "x-spam-level" "******") {
    fileinto :create "Bad";
}
""")
            self.write(server, "bob", ".procmailrc", """\
:0
* ^X-Spam-Level: \\*\\*\\*\\*\\*\\*\\*
worse/

:0
* ^Subject: whole
* ^X-Spam-Status: Yes, score=6\\.5 required=5\\.0 tests=A,B
almost-certainly-spam/
""")
            for subject in ("friend", "keep", "other"):
                server.deliver(culver.message(subject))
            for subject in ("whole", "other"):
                server.deliver(culver.message(subject), "bob")
            self.assertEqual([self.subjects(server, "alice", x) for x in ("INBOX", "Spam", "Worse", "Bad")],
                             [["friend"], ["keep"], [], ["other"]])
            # Recipes come first; what they leave goes where spam goes.
            self.assertEqual(len(os.listdir(server.path("home", "bob", "almost-certainly-spam", "new"))), 1)
            self.assertEqual([self.subjects(server, "bob", x) for x in ("INBOX", "Spam")], [[], ["other"]])


if __name__ == "__main__":
    unittest.main()
