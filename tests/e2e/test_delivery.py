# SPDX-License-Identifier: MIT
"""LMTP, culver-lda and POP3 against the running server, beyond what any client does."""
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import culver

LDA = os.path.join(culver.PREFIX, "libexec", "culver", "culver-lda")


class Lmtp(culver.Raw):
    """An LMTP client that says each line itself."""

    def __init__(self, server):
        super().__init__(server, server.ports["lmtp"])
        self.reply()
        self.say("LHLO client.example")

    def reply(self):
        while True:
            line = self.line().decode("latin-1")
            if line[3:4] != "-":
                return line

    def say(self, line):
        self.send(line + "\r\n")
        return self.reply()

    def mail(self, message, *users, sender="sender@example.net"):
        """A whole transaction; the replies for the recipients."""
        assert self.say("MAIL FROM:<%s>" % sender).startswith("250")
        for user in users:
            assert self.say("RCPT TO:<%s>" % user).startswith("250"), user
        assert self.say("DATA").startswith("354")
        self.send(message.encode("latin-1") if isinstance(message, str) else message)
        self.send("\r\n.\r\n")
        return [self.reply() for _ in users]


class Base(unittest.TestCase):
    extra = ""

    @classmethod
    def setUpClass(cls):
        cls.server = culver.Server(extra=cls.extra)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def retrieve(self, user):
        """All messages of INBOX, which is empty afterwards."""
        client = self.server.pop3(user)
        found = []
        for number in range(1, client.stat()[0] + 1):
            found.append(b"\r\n".join(client.retr(number)[1]) + b"\r\n")
            client.dele(number)
        client.quit()
        return found


class Delivery(Base):
    extra = """
recipient_delimiter = +
lmtp_save_to_detail_mailbox = yes
lda_mailbox_autocreate = yes
lda_mailbox_autosubscribe = yes
lmtp_max_message_size = 1 M
service auth {
  unix_listener auth-userdb {
    mode = 0666
  }
}
"""

    def test_trace_fields(self):
        with Lmtp(self.server) as client:
            reply, = client.mail("Subject: traced\r\n\r\nbody", "alice")
        self.assertRegex(reply, r"^250 2\.0\.0 <alice> \S+ Saved$")
        session = reply.split()[3]
        message, = self.retrieve("alice")
        lines = message.decode().split("\r\n")
        self.assertEqual(lines[:3], ["Return-Path: <sender@example.net>", "Delivered-To: alice",
                                     "Received: from client.example ([127.0.0.1])"])
        self.assertRegex(lines[3], r"^\tby \S+ with LMTP$")
        self.assertEqual(lines[4:6], ["\tid " + session, "\t(envelope-from <sender@example.net>)"])
        self.assertRegex(lines[6], r"^\tfor <alice>; \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}$")
        self.assertEqual(lines[7:], ["Subject: traced", "", "body", ""])

    def test_chunks(self):
        parts = [b"Subject: chunks\r\n", b"\r\n.\r\n..two\r", b"\nQUIT\r\n"]
        with Lmtp(self.server) as client:
            client.say("MAIL FROM:<>")
            client.say("RCPT TO:<alice>")
            for part in parts:
                client.send("BDAT %d\r\n" % len(part)).send(part)
                self.assertTrue(client.reply().startswith("250 2.0.0"))
            self.assertRegex(client.say("BDAT 0 LAST"), "^250 2.0.0 <alice> ")
        message, = self.retrieve("alice")
        self.assertTrue(message.endswith(b"".join(parts)), message)

    def test_each_recipient_has_a_reply(self):
        with Lmtp(self.server) as client:
            client.say("MAIL FROM:<a@b>")
            self.assertTrue(client.say("RCPT TO:<nobody-here>").startswith("550 5.1.1 <nobody-here> User doesn't exist"))
            client.say("RSET")
            for _ in range(3):
                replies = client.mail("Subject: all\r\n\r\nx", "alice", "bob", "carol", "dave", "bob")
                self.assertEqual([r.split()[2] for r in replies], ["<alice>", "<bob>", "<carol>", "<dave>", "<bob>"])
                self.assertTrue(all(r.startswith("250 ") for r in replies), replies)
        # Named twice in one transaction: one message.
        for user, count in (("alice", 3), ("bob", 3), ("carol", 3), ("dave", 3)):
            self.assertEqual(len(self.retrieve(user)), count, user)

    def test_over_tls(self):
        with Lmtp(self.server) as client:
            self.assertTrue(client.say("STARTTLS").startswith("220"))
            client.start_tls(self.server)
            client.say("LHLO client.example")
            replies = client.mail("Subject: tls\r\n\r\n" + "line of text\r\n" * 20000, "alice")
            self.assertTrue(replies[0].startswith("250 "), replies)
            self.assertTrue(client.say("QUIT").startswith("221"))
        message, = self.retrieve("alice")
        self.assertIn(b" with LMTPS\r\n", message)
        self.assertEqual(message.count(b"line of text\r\n"), 20000)

    def test_too_large(self):
        with Lmtp(self.server) as client:
            self.assertTrue(client.say("MAIL FROM:<a@b> SIZE=1048577").startswith("552 5.3.4"))
            replies = client.mail("Subject: large\r\n\r\n" + ("x" * 98 + "\r\n") * 11000, "alice", "bob")
            self.assertEqual([r[:9] for r in replies], ["552 5.3.4"] * 2)
            self.assertTrue(client.mail("Subject: small\r\n\r\nx", "alice")[0].startswith("250 "))
        self.assertEqual(len(self.retrieve("alice")), 1)

    def test_loop(self):
        with Lmtp(self.server) as client:
            replies = client.mail("Received: by x\r\n" * 101 + "\r\nx", "alice")
            self.assertTrue(replies[0].startswith("554 5.4.6"), replies)

    def test_detail_mailbox(self):
        with Lmtp(self.server) as client:
            self.assertTrue(client.mail("Subject: d\r\n\r\nx", "bob+Lists")[0].startswith("250 "))
            # No mailbox can have this name: INBOX takes it.
            self.assertTrue(client.mail("Subject: e\r\n\r\nx", "bob+..")[0].startswith("250 "))
        imap = self.server.imap("bob")
        self.assertEqual(imap.select("Lists")[1], [b"1"])
        self.assertIn(b"Lists", imap.lsub()[1][0])
        imap.logout()
        message, = self.retrieve("bob")
        self.assertIn(b"Delivered-To: bob+..\r\n", message)

    def test_killed_worker(self):
        """A delivery that is lost with its process is put off, not acknowledged; the next one has a new process."""
        self.server.allowed += ("was killed by signal 9",)
        with Lmtp(self.server) as client:
            self.assertTrue(client.mail("Subject: 1\r\n\r\nx", "carol")[0].startswith("250 "))
            if os.geteuid() == 0:
                workers = [p for p in self.server.pids("deliver") if culver.owner_of(p) == self.server.uid]
            else:
                # The parent is the one that has children.
                workers = [p for p in self.server.pids("deliver") if not culver.children_of(p)]
            self.assertTrue(workers)
            for pid in workers:
                os.kill(pid, signal.SIGKILL)
            replies = [client.mail("Subject: 2\r\n\r\nx", "carol")[0] for _ in range(3)]
            self.assertTrue(replies[-1].startswith("250 "), replies)
        saved = 1 + sum(r.startswith("250 ") for r in replies)
        self.assertGreaterEqual(len(self.retrieve("carol")), saved)

    def test_service_gone(self):
        """A connection to a process that has died is of no use any more, and is ended; the next one works."""
        self.server.allowed += ("service deliver: process", "delivery to carol")
        with Lmtp(self.server) as client:
            pid = [p for p in self.server.pids("deliver") if int(self.stat(p)[1]) == self.server.process.pid][0]
            os.kill(pid, signal.SIGKILL)
            culver.wait_for(lambda: not os.path.exists("/proc/%d" % pid), "it is gone")
            self.assertEqual(client.mail("Subject: 1\r\n\r\nx", "carol"), ["451 4.3.0 Temporary internal error"])
            self.assertTrue(client.reply().startswith("421 4.3.2 "))
            self.assertTrue(client.ended())
        with Lmtp(self.server) as client:
            self.assertTrue(client.mail("Subject: 2\r\n\r\nx", "carol")[0].startswith("250 "))
        self.assertEqual(len(self.retrieve("carol")), 1)

    def stat(self, pid):
        """Its fields from behind the name on: state, parent, ..."""
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()

    def lda(self, message, *args):
        return subprocess.run([LDA, "-c", self.server.config] + list(args), input=message, capture_output=True,
                              timeout=culver.WAIT)

    def test_lda(self):
        done = self.lda(b"From x@y Sat Nov 21 12:00:00 2026\nSubject: lda\n\nbody\n", "-d", "dave", "-f", "s@example.org",
                        "-a", "dave@example.org")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(self.retrieve("dave"), [b"Return-Path: <s@example.org>\r\nDelivered-To: dave@example.org\r\n"
                                                 b"Subject: lda\r\n\r\nbody\r\n"])
        self.assertEqual(self.lda(b"Subject: w\n\nx\n", "-d", "dave", "-m", "Work").returncode, 0)
        imap = self.server.imap("dave")
        self.assertEqual(imap.select("Work")[1], [b"1"])
        imap.logout()

    def test_lda_refuses(self):
        for status, args in ((67, ["-d", "nobody-here"]), (64, ["-Z"]), (64, ["-d"]),
                             (64, ["-d", "dave", "-f", "<s@example.org"]), (64, ["-d", "dave", "-a", "@@"]),
                             (64, ["-d", "dave", "-r", "<dave"]), (64, ["-d", "dave", "-f", "a@b\nX: y"]),
                             (77, ["-d", "dave", "-o", "mail_max_message_size=5"]),
                             (75, ["-d", "dave", "-o", "mail_debug=perhaps"]), (75, ["-d", "dave", "-o", "nonsense=1"]),
                             (75, ["-d", "dave", "-o", "auth_socket_path=/nowhere"])):
            done = self.lda(b"Subject: x\n\nbody\n", *args)
            self.assertEqual(done.returncode, status, (args, done.stderr))
            self.assertNotEqual(done.stderr, b"")
        done = subprocess.run([LDA, "-c", self.server.path("none")], input=b"x", capture_output=True, timeout=culver.WAIT)
        self.assertEqual(done.returncode, 75)


    def test_lda_sender(self):
        """-f, the "From " line, the field that is there; none of them: then none is claimed."""
        for text, args, want in ((b"Subject: x\n\nb\n", ["-f", ""], b"Return-Path: <>\r\n"),
                                 (b"Subject: x\n\nb\n", ["-f", "MAILER-DAEMON"], b"Return-Path: <>\r\n"),
                                 (b"Subject: x\n\nb\n", ["-ef", "<a@b>"], b"Return-Path: <a@b>\r\n"),
                                 (b"From c@d Sat Nov 21 12:00:00 2026\nSubject: x\n\nb\n", [], b"Return-Path: <c@d>\r\n"),
                                 (b"From MAILER-DAEMON Sat Nov 21 12:00:00 2026\nSubject: x\n\nb\n", [], b"Return-Path: <>\r\n"),
                                 (b"Subject: x\n\nb\n", [], b""),
                                 (b"Subject: x\n\nb\n", ["-f", "a@b@c"], b"")):
            self.assertEqual(self.lda(text, "-d", "dave", *args).returncode, 0)
            self.assertEqual(self.retrieve("dave"), [want + b"Delivered-To: dave\r\nSubject: x\r\n\r\nb\r\n"], args)
        self.assertEqual(self.lda(b"Return-Path: <e@f>\nSubject: x\n\nb\n", "-d", "dave").returncode, 0)
        self.assertEqual(self.retrieve("dave"), [b"Delivered-To: dave\r\nReturn-Path: <e@f>\r\nSubject: x\r\n\r\nb\r\n"])

    def test_lda_without_descriptors(self):
        """No file of the mail's gets the number of standard error; what can not be read is not an empty message."""
        for how, status in (("<&-", 75), (">&- 2>&-", 0), ("<&- >&- 2>&-", 75)):
            done = subprocess.run(["/bin/sh", "-c", "exec \"$@\" " + how, "sh", LDA, "-c", self.server.config, "-d", "dave"],
                                  input=b"Subject: x\n\nb\n", capture_output=True, timeout=culver.WAIT)
            self.assertEqual(done.returncode, status, how)
        self.assertEqual(self.retrieve("dave"), [b"Delivered-To: dave\r\nSubject: x\r\n\r\nb\r\n"])

    def test_lda_told_to_end(self):
        """Before the message is there: it is to come again."""
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # The suite may run where some of them are ignored.
            lda = subprocess.Popen([LDA, "-c", self.server.config, "-d", "dave"], stdin=subprocess.PIPE,
                                   preexec_fn=functools.partial(signal.signal, sig, signal.SIG_DFL))
            lda.stdin.write(b"Subject: x\n\nb" * 10000)    # more than a pipe holds: it reads
            lda.stdin.flush()
            lda.send_signal(sig)
            self.assertEqual(lda.wait(culver.WAIT), 75)
            lda.stdin.close()
        self.assertEqual(self.retrieve("dave"), [])

    def test_lda_may_not_ask(self):
        """Who may not look a user up is not told that there is none: the mail would go back for good."""
        if os.geteuid() != 0:
            self.skipTest("needs another user")
        self.server.allowed += ("userdb at",)
        done = subprocess.run([LDA, "-c", self.server.config, "-d", "dave"], input=b"Subject: x\n\nb\n", capture_output=True,
                              timeout=culver.WAIT, user=1, group=1, extra_groups=[])
        self.assertEqual(done.returncode, 75, done.stderr)


class Concurrency(Base):
    extra = "lmtp_user_concurrency_limit = 1\nprocmail_rc = ~/.procmailrc\nmail_plugins = procmail\n"

    def test_one_user(self):
        """One delivery too many is put off, so that it holds nobody's connection; others do not wait for that user's."""
        path, times, go = (self.server.path("home", "alice", x) for x in (".procmailrc", "times", "go"))
        with open(path, "w") as f:
            f.write(":0 hwc\n| echo begin >> $HOME/times; n=0; while test $n -lt 200 -a ! -e $HOME/go; do sleep 0.1; "
                    "n=$((n + 1)); done\n")
        os.chown(path, self.server.uid, self.server.gid)
        self.addCleanup(os.unlink, path)
        with Lmtp(self.server) as first, Lmtp(self.server) as second, Lmtp(self.server) as third:
            first.send("MAIL FROM:<a@b>\r\nRCPT TO:<alice>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\n")
            culver.wait_for(lambda: os.path.exists(times), "it is under way")
            self.assertEqual(second.mail("Subject: x\r\n\r\nx", "alice"), ["451 4.3.0 <alice> Too many concurrent deliveries for user"])
            self.assertEqual([x[:3] for x in third.mail("Subject: x\r\n\r\nx", "bob", "alice", "carol")], ["250", "451", "250"])
            with open(go, "w"):
                pass
            self.assertEqual([first.reply()[:3] for _ in range(4)], ["250", "250", "354", "250"])
            self.assertEqual([x[:3] for x in second.mail("Subject: x\r\n\r\nx", "alice")], ["250"])
        self.assertEqual(len(self.retrieve("alice")), 2)

    def test_end_of_the_process(self):
        """Who comes while the process ends is not turned away: the next one has the listener."""
        self.server.allowed += ("lmtp",)
        path = self.server.path("home", "bob", ".procmailrc")
        with open(path, "w") as f:
            f.write(":0 hwc\n| echo begin >> $HOME/times; sleep 2\n")
        os.chown(path, self.server.uid, self.server.gid)
        self.addCleanup(os.unlink, path)
        with Lmtp(self.server) as client:
            client.say("MAIL FROM:<a@b>")
            client.say("RCPT TO:<bob>")
            client.say("DATA")
            client.send("Subject: x\r\n\r\nx\r\n.\r\n")
            culver.wait_for(lambda: os.path.exists(self.server.path("home", "bob", "times")), "it is under way")
            children = [culver.children_of(p) for p in self.server.pids("lmtp")]
            parent = [p for p, own in zip(self.server.pids("lmtp"), children) if own][0]
            os.kill(parent, signal.SIGTERM)
            time.sleep(0.3)
            with Lmtp(self.server) as other:
                self.assertEqual(other.say("NOOP"), "250 2.0.0 OK")
            self.assertTrue(client.reply().startswith("250"))
        self.assertNotIn("connection from", self.server.log_text())


class Rawlog(Base):
    extra = "lmtp_rawlog_dir = @RAWLOG@\n"

    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="culver-rawlog-")
        cls.extra = cls.extra.replace("@RAWLOG@", cls.dir)
        super().setUpClass()
        user = [os.stat("/proc/%d" % p).st_uid for p in cls.server.pids("lmtp")]
        if os.geteuid() == 0:
            os.chown(cls.dir, user[0], -1)

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        shutil.rmtree(cls.dir)

    def read(self, end):
        """The lines of the files that end so, without their times."""
        lines = []
        for name in sorted(os.listdir(self.dir)):
            if name.endswith(end):
                self.assertEqual(os.stat(os.path.join(self.dir, name)).st_mode & 0o777, 0o600)
                with open(os.path.join(self.dir, name)) as f:
                    lines += [x.rstrip("\n").split(" ", 1)[1] for x in f]
        return lines

    def test_what_is_said(self):
        with Lmtp(self.server) as client:
            self.assertTrue(client.mail("Subject: recorded\r\n\r\nbody", "alice")[0].startswith("250"))
        self.assertEqual(self.read(".in"), ["LHLO client.example", "MAIL FROM:<sender@example.net>", "RCPT TO:<alice>", "DATA",
                                            "Subject: recorded", "", "body", "."])
        said = self.read(".out")
        self.assertRegex(said[0], "^220 ")
        self.assertRegex(said[-1], "^250 2.0.0 <alice> ")


class Pressure(Base):
    extra = "lmtp_max_connections = 4\n"

    def test_idle_connections_give_way(self):
        working = [Lmtp(self.server) for _ in range(2)]
        for client in working:
            client.say("MAIL FROM:<a@b>")
            client.say("RCPT TO:<alice>")
        idle = [Lmtp(self.server) for _ in range(2)]
        for _ in range(3):
            client = Lmtp(self.server)
            self.assertTrue(client.mail("Subject: new\r\n\r\nx", "alice")[0].startswith("250 "))
            idle.append(client)
        # The oldest idle ones were sent away with a word, those inside a transaction were left alone.
        for client in idle[:2]:
            self.assertTrue(client.reply().startswith("421 4.3.2"))
        for client in working:
            client.say("DATA")
            client.send("Subject: old\r\n\r\nx\r\n.\r\n")
            self.assertTrue(client.reply().startswith("250 "))
        for client in working + idle:
            client.close()
        self.assertEqual(len(self.retrieve("alice")), 5)


class Pop3(Base):
    extra = """
protocol pop3 {
  pop3_lock_session = yes
}
"""

    def test_only_quit_deletes(self):
        for n in range(3):
            self.server.deliver(culver.message("m%d" % n), "alice")
        client = self.server.pop3("alice")
        self.assertEqual(client.stat()[0], 3)
        client.dele(2)
        client.close()
        client = culver.wait_for(lambda: self.again("alice"), "the session's lock is free")
        self.assertEqual(client.stat()[0], 3)
        uidls = client.uidl()[1]
        client.dele(2)
        client.quit()
        client = self.server.pop3("alice")
        self.assertEqual([x.split()[1] for x in client.uidl()[1]], [uidls[0].split()[1], uidls[2].split()[1]])
        for line in client.uidl()[1]:
            self.assertRegex(line, rb"^\d+ [0-9a-f]{16}$")
        client.quit()
        self.assertEqual(len(self.retrieve("alice")), 2)

    def again(self, user):
        try:
            return self.server.pop3(user)
        except Exception as e:      # poplib's own, with the server's words
            if b"[IN-USE]" not in e.args[0]:
                raise
            return None

    def test_one_session_at_a_time(self):
        client = self.server.pop3("bob")
        self.assertIsNone(self.again("bob"))
        client.quit()
        culver.wait_for(lambda: self.again("bob"), "the session's lock is free").quit()

    def test_view_is_fixed(self):
        self.server.deliver(culver.message("first"), "carol")
        self.server.deliver(culver.message("second"), "carol")
        client = self.server.pop3("carol")
        before = client.list()[1]
        self.server.deliver(culver.message("third"), "carol")
        imap = self.server.imap("carol")
        imap.select()
        imap.store("1", "+FLAGS", "\\Deleted")
        imap.expunge()
        imap.logout()
        self.assertEqual(client.list()[1], before)
        with self.assertRaises(Exception) as raised:
            client.retr(1)
        self.assertIn(b"-ERR", raised.exception.args[0])
        self.assertEqual(len(b"\r\n".join(client.retr(2)[1])) + 2, int(before[1].split()[1]))
        client.dele(2)
        client.quit()
        self.assertEqual(len(self.retrieve("carol")), 1)

    def listing(self, raw):
        """The lines of a multi-line answer, as they were sent."""
        return list(iter(raw.line, b"."))

    def test_pipeline(self):
        for _ in range(5):
            self.server.deliver(culver.message("p", body=".\r\n..\r\nend"), "dave")
        raw = self.server.raw("pop3")
        raw.line()
        raw.send("USER dave\r\nPASS %s\r\n" % culver.PASSWORD)
        raw.line()
        raw.line()
        raw.send("".join("RETR %d\r\nTOP %d 1\r\nLIST %d\r\n" % (n, n, n) for n in range(1, 6)) + "QUIT\r\n")
        for n in range(1, 6):
            octets = int(raw.line().split()[1])
            lines = self.listing(raw)
            self.assertEqual(lines[-3:], [b"..", b"...", b"end"])
            self.assertEqual(sum(len(x) + 2 for x in lines) - 2, octets)
            self.assertEqual(raw.line(), b"+OK")
            self.assertEqual(self.listing(raw)[-1], b"..")
            self.assertEqual(raw.line(), b"+OK %d %d" % (n, octets))
        self.assertTrue(raw.line().startswith(b"+OK"))
        raw.close()


if __name__ == "__main__":
    unittest.main()
