# SPDX-License-Identifier: MIT
"""Spam scanners that are taught by what users move into and out of the mailbox for spam: the real ones, and some that fail."""
import os
import subprocess
import time
import unittest

import culver
from test_spam import RSPAMD, SPAMD, Fake, wait_port

BOXES = """\
namespace inbox {
  mailbox Spam {
    special_use = \\Junk
    auto = create
  }
  mailbox Bin {
    special_use = \\Trash
    auto = create
  }
  mailbox Trash {
    auto = create
  }
}
"""
LEARNED = b"SPAMD/1.1 0 EX_OK\r\nDidSet: local\r\nContent-length: 2\r\n\r\n\r\n"
WORDS = "Meeting minutes project schedule review agenda budget quarter figures attached please comment before friday.\r\n" * 3


class Silent(Fake):
    """A scanner that takes everything and says nothing."""

    def __init__(self):
        super().__init__(None)

    def serve(self, conn):
        with conn:
            self.asked.append(conn.recv(65536))
            self.over.wait(60)


def settings(scanner, address, both=True, more=""):
    return ("spam_scanner = %s\nspam_learn_address = %s\nspam_learn_spam = yes\nspam_learn_ham = %s\n" %
            (scanner, address, "yes" if both else "no")) + more + BOXES


def add(server, mailbox="INBOX", count=1, body="Hello.\r\n", user="alice"):
    with_body = [culver.message("Number %d" % n, body) for n in range(count)]
    imap = server.imap(user)
    try:
        for text in with_body:
            imap.append(mailbox, None, None, text.encode())
    finally:
        imap.logout()
    return with_body


def head_of(asked):
    return asked.partition(b"\r\n\r\n")[0].decode().split("\r\n")


class Moves(unittest.TestCase):
    def setUp(self):
        self.fake = Fake(LEARNED)
        self.addCleanup(self.fake.close)

    def silence(self):
        self.fake = Silent()
        self.addCleanup(self.fake.close)

    def address(self):
        return "inet:127.0.0.1:%d" % self.fake.port

    def asked(self, count):
        culver.wait_for(lambda: len(self.fake.asked) >= count, "%d lessons came" % count)
        return self.fake.asked

    def test_what_is_a_lesson(self):
        with culver.Server(extra=settings("spamd", self.address())) as server:
            text = add(server, count=4)[0]
            imap = server.imap()
            self.assertEqual(imap.select()[0], "OK")
            self.assertEqual(imap.copy("1", "Spam")[0], "OK")
            head, _, body = self.asked(1)[0].partition(b"\r\n\r\n")
            self.assertEqual(body.decode(), text.replace("\r\n", "\n"))     # as it is stored
            self.assertIn(b"TELL SPAMC/1.5", head)
            self.assertIn(b"User: alice", head.split(b"\r\n"))
            self.assertIn(b"Message-class: spam", head.split(b"\r\n"))
            self.assertIn(b"Set: local", head.split(b"\r\n"))
            self.assertEqual(imap.uid("MOVE", "2:3", "Spam")[0], "OK")
            for asked in self.asked(3)[1:]:
                self.assertIn("Message-class: spam", head_of(asked))
            add(server, "Spam")
            self.assertIn("Message-class: spam", head_of(self.asked(4)[3]))
            # No lesson: what is thrown away, what stays, what has to do with no spam.
            imap.select("Spam")
            self.assertEqual(imap.copy("1", "Bin")[0], "OK")
            self.assertEqual(imap.copy("1", "Trash")[0], "OK")
            self.assertEqual(imap.copy("1", "Spam")[0], "OK")
            imap.select("INBOX")
            self.assertEqual(imap.copy("1", "Bin")[0], "OK")
            # Ham: back into INBOX.
            imap.select("Spam")
            self.assertEqual(imap.uid("MOVE", "1:2", "INBOX")[0], "OK")
            for asked in self.asked(6)[4:]:
                self.assertIn("Message-class: ham", head_of(asked))
            imap.logout()
            time.sleep(0.3)
            self.assertEqual(len(self.fake.asked), 6)
            self.assertIn("learned 1 messages as spam: from the client to Spam", server.log_text())
            self.assertIn("learned 2 messages as ham: from Spam to INBOX", server.log_text())
            # What it knew already.
            self.fake.answer = LEARNED.replace(b"DidSet: local\r\n", b"")
            imap = server.imap()
            imap.select()
            self.assertEqual(imap.copy("1:2", "Spam")[0], "OK")
            imap.logout()
            culver.wait_for(lambda: "2 messages in Spam as spam told the spam scanner nothing new" in server.log_text(), "it is told")

    def test_one_of_two(self):
        with culver.Server(extra=settings("spamd", self.address(), both=False, more="spam_junk_mailbox = Odd\n")) as server:
            add(server, count=2)
            imap = server.imap()
            imap.create("Odd")
            imap.select()
            imap.copy("1", "Spam")          # the setting names another
            imap.copy("1", "Odd")
            self.assertIn("Message-class: spam", head_of(self.asked(1)[0]))
            imap.select("Odd")
            imap.uid("MOVE", "1", "INBOX")
            imap.logout()
            time.sleep(0.3)
            self.assertEqual(len(self.fake.asked), 1)

    def test_rspamd_questions(self):
        self.fake.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{\"success\":true}"
        with culver.Server(extra=settings("rspamd", self.address(), more="spam_scanner_password = q1\n")) as server:
            add(server)
            imap = server.imap()
            imap.select()
            imap.copy("1", "Spam")
            head = head_of(self.asked(1)[0])
            self.assertEqual(head[0], "POST /learnspam HTTP/1.0")
            self.assertIn("Password: q1", head)
            imap.select("Spam")
            imap.copy("1", "INBOX")
            self.assertEqual(head_of(self.asked(2)[1])[0], "POST /learnham HTTP/1.0")
            imap.logout()

    def test_nobody_waits(self):
        """A scanner that says nothing: no command is slower for it, and what was moved is moved."""
        self.silence()
        with culver.Server(extra=settings("spamd", self.address(), more="spam_scanner_timeout = 4s\n")) as server:
            server.allowed = ("is not learned",)
            add(server, count=50)
            imap = server.imap()
            imap.select()
            start = time.monotonic()
            for _ in range(49):
                self.assertEqual(imap.uid("MOVE", imap.uid("SEARCH", "ALL")[1][0].split()[0].decode(), "Spam")[0], "OK")
            self.assertEqual(imap.select("Spam")[1][0], b"49")
            imap.logout()
            self.assertLess(time.monotonic() - start, 4)
            culver.wait_for(lambda: server.log_text().count("is not learned") == 49, "the log tells of all", 30)
            self.assertEqual(server.log_text().count("did not answer in time"), 2)
            self.assertEqual(server.log_text().count("not asked"), 47)

    def test_session_ends_first(self):
        """What was moved just before the end, or before the session's process is killed, is learned all the same."""
        with culver.Server(extra=settings("spamd", self.address(), more="spam_scanner_timeout = 20s\n")) as server:
            add(server, count=10)
            imap = server.imap()
            imap.select()
            self.assertEqual(imap.uid("MOVE", "1:5", "Spam")[0], "OK")
            imap.logout()
            self.asked(5)
            imap = server.imap()
            imap.select()
            self.assertEqual(imap.uid("MOVE", "6:10", "Spam")[0], "OK")
            imap.shutdown()
            self.asked(10)
            culver.wait_for(lambda: server.log_text().count("learned 5 messages as spam") == 2, "the log tells of both")

    def test_stop(self):
        """The server stops in time, whoever is being waited for."""
        self.silence()
        with culver.Server(extra=settings("spamd", self.address(), more="spam_scanner_timeout = 30s\n")) as server:
            add(server, count=3)
            imap = server.imap()
            imap.select()
            imap.uid("MOVE", "1:3", "Spam")
            self.asked(1)
            start = time.monotonic()
            server.stop()
            self.assertLess(time.monotonic() - start, 4)
            self.assertIn("3 messages waits for the next time: told to end", server.log_text())
            self.assertNotIn("did not end in time", server.log_text())
            # The next process behind a session of that user gives the lessons.
            self.fake.asked.clear()
            self.fake.over.set()
            self.fake.answer = LEARNED
            self.fake.serve = lambda conn: Fake.serve(self.fake, conn)
            server.start()
            add(server)
            imap = server.imap()
            imap.select()
            imap.uid("MOVE", "4", "Spam")
            self.asked(4)
            self.assertFalse(os.path.exists(os.path.join(server.maildir("alice"), "culver-filter.events")))

    def test_killed_over_what_was_left(self):
        """A process that is killed over the lessons of an earlier one has an heir; a lesson that ends one after the other is given up."""
        self.silence()
        with culver.Server(extra=settings("spamd", self.address(), more="spam_scanner_timeout = 30s\n")) as server:
            server.allowed = ("was killed", "given up, 3 processes have ended over it")
            left = os.path.join(server.maildir("alice"), "culver-filter.events")
            add(server, count=3, body="left\r\n")
            add(server, count=4, body="new\r\n")
            imap = server.imap()
            imap.select()
            imap.uid("MOVE", "1:3", "Spam")
            self.asked(1)
            server.stop()
            self.assertTrue(os.path.exists(left))
            # From now on it takes everything but the second of them, over which it is silent.
            fake, asked = self.fake, []

            def serve(conn):
                with conn:
                    data = conn.recv(65536)
                    while b"\r\n\r\n" not in data or len(data) < Fake.whole(data):
                        data += conn.recv(65536)
                    what = data.split(b"Subject: Number ")[1][:1].decode() + ("left" if b"left" in data else "new")
                    asked.append(what)
                    if what == "1left":
                        fake.over.wait(60)
                    conn.sendall(LEARNED)
            fake.serve = serve
            server.start()
            for uid in range(4, 8):
                imap = server.imap()
                imap.select()
                known = server.pids("imap")
                imap.uid("MOVE", str(uid), "Spam")
                if uid == 7:
                    break
                culver.wait_for(lambda: asked.count("1left") == uid - 3, "it is at the second")
                self.assertTrue(os.path.exists(left + "-at-work"))
                self.assertFalse(os.path.exists(left))
                behind = set(server.pids("imap")) - set(known)
                self.assertEqual(len(behind), 1)
                pid = behind.pop()
                os.kill(pid, 9)
                # Those of earlier sessions may end meanwhile.
                culver.wait_for(lambda: pid not in server.pids("imap"), "it is gone")
                imap.logout()
            culver.wait_for(lambda: not os.path.exists(left + "-at-work"), "all of them are done with")
            culver.wait_for(lambda: asked.count("3new") == 1, "the new one too")
            self.assertEqual(asked, ["0left", "1left", "1left", "1left", "2left", "3new"])
            self.assertIn("Spam UID 2: it is not learned: given up, 3 processes have ended over it", server.log_text())

    def test_stop_with_work(self):
        """What waits when the server stops is still learned, if the scanner is quick."""
        serve = self.fake.serve
        self.fake.serve = lambda conn: (time.sleep(0.02), serve(conn))
        with culver.Server(extra=settings("spamd", self.address())) as server:
            add(server, count=30)
            imap = server.imap()
            imap.select()
            self.assertEqual(imap.uid("MOVE", "1:30", "Spam")[0], "OK")
            self.asked(1)
            server.stop()
            self.assertEqual(len(self.fake.asked), 30)

    def test_failures(self):
        for answer in (b"", b"\0" * 100, b"SPAMD/1.0 69 Service Unavailable\r\n", b"x" * (2 << 20)):
            fake = Fake(answer)
            try:
                with culver.Server(extra=settings("spamd", "inet:127.0.0.1:%d" % fake.port)) as server:
                    server.allowed = ("is not learned",)
                    add(server)
                    imap = server.imap()
                    imap.select()
                    self.assertEqual(imap.uid("MOVE", "1", "Spam")[0], "OK")
                    self.assertEqual(imap.noop()[0], "OK")
                    culver.wait_for(lambda: "is not learned" in server.log_text(), "the log tells of it")
                    imap.logout()
            finally:
                fake.close()

    def test_refused_and_too_large(self):
        port = culver.free_ports(["nobody"])["nobody"]
        with culver.Server(extra=settings("spamd", "inet:127.0.0.1:%d" % port, more="spam_scanner_max_size = 4k\n")) as server:
            server.allowed = ("is not learned",)
            add(server)
            add(server, body=("y" * 70 + "\r\n") * 100)
            imap = server.imap()
            imap.select()
            self.assertEqual(imap.uid("MOVE", "1:2", "Spam")[0], "OK")
            culver.wait_for(lambda: "Connection refused" in server.log_text() and "larger than" in server.log_text(),
                            "the log tells of both")
            imap.logout()

    def test_sandbox(self):
        """Whoever may be taught: all are shut in, and a session's process by one filter more where another may connect."""
        def seccomp(server, pid):
            with open("/proc/%d/status" % pid) as f:
                status = dict(line.split(":", 1) for line in f if line.startswith("Seccomp"))
            return status["Seccomp"].strip(), int(status.get("Seccomp_filters", "0"))

        for learns in (False, True):
            with culver.Server(extra=settings("spamd", self.address()) if learns else BOXES) as server:
                add(server, count=2)
                before = set(server.pids("imap"))
                imap = server.imap()
                imap.select()
                imap.copy("1:2", "Spam")
                if learns:
                    self.asked(2)
                found = {pid: seccomp(server, pid) for pid in server.pids("imap")}
                parent = [n for pid, (_, n) in found.items() if pid in before][0]
                workers = [n for pid, (_, n) in found.items() if pid not in before]
                self.assertEqual(len(workers), 2 if learns else 1)
                kinds = {kind for kind, _ in found.values()}
                self.assertIn(kinds, ({"0"}, {"2"}))        # sanitized builds have none
                if kinds == {"2"}:
                    self.assertEqual(max(workers), parent + 1 if learns else max(workers))
                imap.logout()


class RealScanners(unittest.TestCase):
    def teach(self, server, count=3):
        """Some spam into Spam, and back out again.  spamd knows a text again, whatever its header."""
        for n in range(count):
            add(server, body=WORDS + "Item %d.\r\n" % n)
        imap = server.imap()
        imap.select()
        self.assertEqual(imap.uid("MOVE", "1:%d" % count, "Spam")[0], "OK")
        culver.wait_for(lambda: "learned %d messages as spam" % count in server.log_text(), "spam is learned", 60)
        imap.select("Spam")
        self.assertEqual(imap.uid("MOVE", "1:*", "INBOX")[0], "OK")
        culver.wait_for(lambda: "learned %d messages as ham" % count in server.log_text(), "ham is learned", 60)
        imap.logout()

    @unittest.skipUnless(SPAMD, "needs spamd")
    def test_spamd(self):
        with culver.Server(start=False) as place:
            where = place.path("spamd.sock")
            home = place.path("home", "alice")
            state = place.path("spamd-home")
            os.mkdir(state)
            os.chown(state, place.uid, place.gid)
            with open(place.path("user_prefs"), "w") as f:
                f.write("use_bayes 1\nbayes_path %s/bayes\nbayes_file_mode 0700\n" % state)
            with open(place.path("spamd.log"), "ab") as log:
                process = subprocess.Popen([SPAMD, "-L", "-x", "-m", "1", "-s", "stderr", "--allow-tell", "--socketpath=" + where,
                                            "--socketmode=0666", "-H", home, "-r", place.path("spamd.pid"),
                                            "--cf=bayes_path %s/bayes" % state, "--cf=use_bayes 1",
                                            "--siteconfigpath=/etc/spamassassin"] +
                                           (["-u", "nobody"] if os.geteuid() == 0 else []),
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                culver.wait_for(lambda: os.path.exists(where), "spamd's socket is there", 60)
                with culver.Server(extra=settings("spamd", "unix:" + where, more="spam_scanner_timeout = 60s\n")) as server:
                    self.teach(server)
            finally:
                process.terminate()
                process.wait(20)
            # What it has learned is on disk.
            self.assertIn("bayes_toks", os.listdir(state))

    @unittest.skipUnless(RSPAMD, "needs rspamd")
    def test_rspamd_without_statistics(self):
        """rspamd without the database that it learns into: an answer, and a line in the log."""
        with culver.Server(start=False) as place:
            ports = culver.free_ports(["controller"])
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
worker "controller" { bind_socket = "127.0.0.1:%(controller)d"; count = 1; secure_ip = "127.0.0.1"; }
""" % dict(ports, dir=place.dir))
            command = [RSPAMD, "-f", "-c", place.path("rspamd.conf"), "--var=DBDIR=" + place.path("db"),
                       "--var=RUNDIR=" + place.path("run"), "--var=LOGDIR=" + place.path("run")]
            if os.geteuid() == 0:
                command += ["-u", "nobody", "-g", "nogroup"]
            with open(place.path("rspamd.log"), "ab") as log:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                wait_port(ports["controller"], 90)
                with culver.Server(extra=settings("rspamd", "inet:localhost:%d" % ports["controller"],
                                                  more="spam_scanner_timeout = 60s\n")) as server:
                    server.allowed = ("is not learned",)
                    add(server, body=WORDS)
                    imap = server.imap()
                    imap.select()
                    self.assertEqual(imap.uid("MOVE", "1", "Spam")[0], "OK")
                    culver.wait_for(lambda: "learned 1 messages as spam" in server.log_text() or
                                    "told the spam scanner nothing new" in server.log_text() or
                                    "rspamd: status" in server.log_text(), "rspamd has answered", 60)
                    imap.logout()
            finally:
                process.terminate()
                process.wait(20)


if __name__ == "__main__":
    unittest.main()
