# SPDX-License-Identifier: MIT
"""lmtp_proxy: recipients whose mail goes on to another Culver, or to Dovecot; and Dovecot in front of Culver."""
import os
import shutil
import smtplib
import socket
import time
import unittest

import culver
import dovecot

TRUST = "login_trusted_networks = 127.0.0.1\n"
HAS_DOVECOT = os.access(dovecot.PROGRAM, os.X_OK) and shutil.which("doveconf") is not None


def fields(server, **users):
    """The front server's users: those with fields are ones of other servers."""
    with open(server.path("passwd.new"), "w") as f:
        for user in server.users:
            f.write("%s:{PLAIN}%s::::::%s\n" % (user, culver.PASSWORD, users.get(user, "")))
    os.rename(server.path("passwd.new"), server.path("passwd"))


def mails(server, user="alice"):
    imap = server.imap(user)
    try:
        imap.select("INBOX", readonly=True)
        found = imap.search(None, "ALL")[1][0].split()
        return [imap.fetch(n, "(BODY.PEEK[])")[1][0][1] for n in found]
    finally:
        imap.logout()


class Proxy(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.back = culver.Server(extra=TRUST)
        cls.front = culver.Server(extra=TRUST + "lmtp_proxy = yes\nauth_cache_size = 0\n")
        cls.front.allowed = ("lmtp proxy:", "proxy fields of")

    @classmethod
    def tearDownClass(cls):
        cls.front.close()
        cls.back.close()

    def to_back(self, more=""):
        return "proxy=y host=127.0.0.1 port=%d %s" % (self.back.ports["lmtp"], more)

    def send(self, text, *users, server=None):
        """(answers to RCPT, answers behind DATA)"""
        with (server or self.front).raw("lmtp") as client:
            client.send("LHLO mx.example\r\n")
            client.until("220")
            client.until("250 ")
            client.send("MAIL FROM:<s@example.org> BODY=8BITMIME\r\n")
            client.until("250")
            rcpts = [client.send("RCPT TO:<%s>\r\n" % user).line().decode() for user in users]
            taken = [r for r in rcpts if r.startswith("250")]
            if not taken:
                return rcpts, []
            client.send("DATA\r\n").line()
            client.send(text + ".\r\n")
            return rcpts, [client.line().decode() for _ in taken]

    def test_mixed(self):
        """Local and proxied recipients in one transaction; the bytes are those that came."""
        fields(self.front, alice=self.to_back(), carol=self.to_back("destuser=dave"))
        text = "Subject: mixed\r\n\r\n...three\r\n..\r\nlatin \xe4\r\n" + "x" * 5000 + "\r\n"
        wire = text.encode("latin-1")
        want = wire.replace(b"\r\n..", b"\r\n.")
        with self.front.raw("lmtp") as client:
            client.until("220")
            client.send("LHLO mx.example\r\nMAIL FROM:<s@example.org>\r\nRCPT TO:<alice>\r\nRCPT TO:<bob>\r\nRCPT TO:<nobody>\r\n"
                        "RCPT TO:<carol>\r\nDATA\r\n")
            client.until("250 ")
            self.assertEqual([client.line()[:3] for _ in range(6)], [b"250", b"250", b"250", b"550", b"250", b"354"])
            client.send(wire + b".\r\n")
            answers = [client.line().decode() for _ in range(3)]
            self.assertTrue(answers[0].startswith("250 2.0.0 <alice>"), answers)
            self.assertTrue(answers[1].startswith("250 2.0.0 <bob>"), answers)
            self.assertTrue(answers[2].startswith("250 2.0.0 <dave>"), answers)
        for server, user in ((self.back, "alice"), (self.back, "dave"), (self.front, "bob")):
            got = [x for x in mails(server, user) if b"Subject: mixed" in x][0]
            self.assertTrue(got.startswith(b"Return-Path: <s@example.org>\r\nDelivered-To: %s\r\n" % user.encode()))
            self.assertTrue(got.endswith(b"\r\n" + want), got[-100:])
            self.assertEqual(got.count(b"\r\nReceived:"), 1 if server is self.front else 2)
            self.assertEqual(got.count(b"Return-Path:"), 1)
        self.assertEqual([x for x in mails(self.front, "alice") if b"Subject: mixed" in x], [])
        self.assertIn("from=<s@example.org> to=<alice> passed on to 127.0.0.1:%d: 250 2.0.0 <alice>" % self.back.ports["lmtp"],
                      self.front.log_text())
        # The server behind knows whom the one in front speaks for.
        self.assertIn(b"Received: from mx.example ([127.0.0.1])", mails(self.back, "alice")[0])

    def test_answers(self):
        """What the server behind says to RCPT is what the client gets."""
        fields(self.front, alice=self.to_back("destuser=nobody-there"), bob=self.to_back("port=1 proxy_timeout=2"),
               carol="proxy=y", dave=self.to_back("host=localhost"))
        rcpts, answers = self.send("Subject: x\r\n\r\nx\r\n", "alice", "bob", "carol", "dave")
        self.assertTrue(rcpts[0].startswith("550 5.1.1 <nobody-there>"), rcpts)
        self.assertEqual(rcpts[1], "451 4.4.0 <bob> Remote server not answering")
        self.assertTrue(rcpts[2].startswith("451 4.3.0"), rcpts)
        self.assertTrue(rcpts[3].startswith("250"), rcpts)
        self.assertEqual([a[:3] for a in answers], ["250"])

    def test_aliases(self):
        """Users of other servers are ends of aliases: alone they are asked at RCPT, among others when the message is there."""
        front = culver.Server(start=False, extra=TRUST + "lmtp_proxy = yes\nauth_cache_size = 0\n")
        try:
            front.add_config("recipient_aliases = %s/aliases\n" % front.dir)
            with open(front.path("aliases"), "w") as f:
                f.write("single: alice\ngone: dave\nteam: alice, bob\nboth: alice, dave\nowner-team: carol\n")
            fields(front, alice=self.to_back(), dave=self.to_back("destuser=nobody-there"))
            front.start()
            rcpts, answers = self.send("Subject: one\r\n\r\nx\r\n", "single", "gone", "alice", server=front)
            self.assertEqual([r[:3] for r in rcpts], ["250", "550", "250"])
            self.assertEqual([a[:3] for a in answers], ["250", "250"])
            self.assertEqual(len([x for x in mails(self.back) if b"Subject: one" in x]), 1)
            rcpts, answers = self.send("Subject: two\r\n\r\nx\r\n", "team", server=front)
            self.assertEqual(([r[:3] for r in rcpts], [a[:3] for a in answers]), (["250"], ["250"]))
            self.assertEqual(len([x for x in mails(front, "bob") if b"Subject: two" in x]), 1)
            (got,) = [x for x in mails(self.back) if b"Subject: two" in x]
            self.assertTrue(got.startswith(b"Return-Path: <carol@"), got[:100])
            # One end of two is refused behind the message: the sender hears of it.
            rcpts, answers = self.send("Subject: three\r\n\r\nx\r\n", "both", server=front)
            self.assertEqual(([r[:3] for r in rcpts], [a[:3] for a in answers]), (["250"], ["550"]))
            self.assertEqual(len([x for x in mails(self.back) if b"Subject: three" in x]), 1)
        finally:
            front.close()

    def test_silent(self):
        """A server that takes connections and says nothing costs its timeout, once a transaction."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = silent.getsockname()[1]
            there = "proxy=y host=127.0.0.1 port=%d proxy_timeout=1" % port
            fields(self.front, alice=there, bob=there)
            start = time.monotonic()
            rcpts, answers = self.send("Subject: x\r\n\r\nx\r\n", "alice", "bob", "carol")
            self.assertLess(time.monotonic() - start, 6)
            self.assertEqual([r[:3] for r in rcpts], ["451", "451", "250"])
            self.assertEqual([a[:3] for a in answers], ["250"])

    def test_tls(self):
        for how in ("starttls=any-cert", "starttls=yes"):
            fields(self.front, alice=self.to_back(how))
            rcpts, answers = self.send("Subject: %s\r\n\r\n%s\r\n" % (how, "y" * 200000), "alice")
            if how.endswith("yes"):     # nobody has signed the test's certificate
                self.assertEqual([r[:3] for r in rcpts], ["451"])
                continue
            self.assertEqual([a[:3] for a in answers], ["250"], (rcpts, answers))
            got = mails(self.back)[-1]
            self.assertIn(b" with LMTPS\r\n", got)
            self.assertTrue(got.endswith(b"y" * 200000 + b"\r\n"))

    def test_loop(self):
        """To itself, and between two that trust each other."""
        me = "proxy=y host=%s port=%d" % ("127.0.0.1", self.front.ports["lmtp"])
        fields(self.front, alice=me, bob=me.replace("127.0.0.1", "localhost"), carol=me.replace("proxy=y", "proxy_maybe=y"))
        rcpts, answers = self.send("Subject: loop\r\n\r\nx\r\n", "alice", "bob", "carol")
        self.assertEqual(rcpts[0], "554 5.4.6 <alice> Proxying loops to itself")
        # By a name it is not seen at once: it goes round until the TTL is used up.
        self.assertTrue(rcpts[1].startswith("554 5.4.6 <bob> Proxying appears to be looping"), rcpts)
        self.assertTrue(rcpts[2].startswith("250"), rcpts)
        self.assertEqual([a[:3] for a in answers], ["250"])
        self.assertTrue(mails(self.front, "carol")[-1].endswith(b"Subject: loop\r\n\r\nx\r\n"))

    def test_hostip(self):
        """Where a server is may be told beside what it is called; a loop is known by it."""
        fields(self.front, alice=self.to_back("host=nowhere.invalid hostip=127.0.0.1"),
               bob="proxy=y host=nowhere.invalid hostip=127.0.0.1 port=%d" % self.front.ports["lmtp"])
        rcpts, answers = self.send("Subject: hostip\r\n\r\nx\r\n", "alice", "bob")
        self.assertEqual([r[:9] for r in rcpts], ["250 2.1.5", "554 5.4.6"])
        self.assertEqual([a[:3] for a in answers], ["250"])

    def test_logins_stay(self):
        """The fields are for mail that comes in: logins are local ones."""
        fields(self.front, alice=self.to_back())
        self.front.imap("alice").logout()
        self.front.adm("mailbox", "list", "-u", "alice")

    def test_end_behind(self):
        """The server behind dies in the middle: the client shall come again, and finds the connection as it was."""
        victim = culver.Server(extra=TRUST)
        try:
            fields(self.front, alice="proxy=y host=127.0.0.1 port=%d" % victim.ports["lmtp"])
            with self.front.raw("lmtp") as client:
                client.send("LHLO x\r\nMAIL FROM:<s@x>\r\nRCPT TO:<alice>\r\nRCPT TO:<bob>\r\n")
                client.until("250 2.1.5")
                self.assertEqual(client.line()[:3], b"250")
                victim.kill_all()
                client.send("DATA\r\n").until("354")
                client.send("Subject: x\r\n\r\nx\r\n.\r\n")
                self.assertEqual(client.line()[:9], b"451 4.4.0")
                self.assertEqual(client.line()[:3], b"250")
                client.send("MAIL FROM:<s@x>\r\nRCPT TO:<alice>\r\nQUIT\r\n")
                self.assertEqual([client.line()[:3] for _ in range(3)], [b"250", b"451", b"221"])
        finally:
            victim.close()

    @unittest.skipUnless(HAS_DOVECOT, "needs Dovecot")
    def test_dovecot_behind(self):
        port = culver.free_ports(["lmtp"])["lmtp"]
        extra = TRUST + "service lmtp {\n  inet_listener lmtp {\n    address = 127.0.0.1\n    port = %d\n  }\n}\n" % port
        homes = self.front.path("dovecot-homes")
        os.mkdir(homes)
        os.chown(homes, self.front.uid, self.front.gid)
        with dovecot.Dovecot(homes, self.front.uid, self.front.gid, extra=extra) as other:
            fields(self.front, alice="proxy=y host=127.0.0.1 port=%d" % port)
            body = "..dots\r\n" + "z" * 100000 + "\r\n"
            rcpts, answers = self.send("Subject: to Dovecot\r\n\r\n" + body, "alice", "bob")
            self.assertEqual([a[:3] for a in answers], ["250", "250"], (rcpts, other.read("log")))
            imap = other.imap("alice")
            imap.select("INBOX")
            got = imap.fetch("1", "(BODY.PEEK[])")[1][0][1]
            imap.logout()
            self.assertTrue(got.endswith(b"\r\n\r\n" + body[1:].encode()))
            # Dovecot believes in whom the front speaks for.
            self.assertIn(b"Received: from ", got)
            self.assertEqual(got.count(b"Return-Path:"), 1)

    @unittest.skipUnless(HAS_DOVECOT, "needs Dovecot")
    def test_dovecot_in_front(self):
        port = culver.free_ports(["lmtp"])["lmtp"]
        extra = TRUST + "lmtp_proxy = yes\nservice lmtp {\n  inet_listener lmtp {\n    address = 127.0.0.1\n    port = %d\n  }\n}\n" % port
        extra += "passdb {\n  driver = static\n  args = proxy=y host=127.0.0.1 port=%d nopassword=y\n}\n" % self.back.ports["lmtp"]
        homes = self.front.path("front-homes")
        os.mkdir(homes)
        with dovecot.Dovecot(homes, self.front.uid, self.front.gid, extra=extra, start=False) as other:
            with open(other.config) as f:       # the first passdb is the one that says yes
                text = f.read().replace("args = password=%s" % culver.PASSWORD.replace(" ", "_"),
                                        "args = proxy=y host=127.0.0.1 port=%d nopassword=y" % self.back.ports["lmtp"])
            with open(other.config, "w") as f:
                f.write(text)
            other.start()
            with smtplib.LMTP("127.0.0.1", port, timeout=culver.WAIT) as client:
                self.assertEqual(client.sendmail("s@example.org", ["bob"], "Subject: from Dovecot\r\n\r\nx\r\n"), {})
            self.assertTrue(mails(self.back, "bob")[-1].endswith(b"Subject: from Dovecot\r\n\r\nx\r\n"), other.read("log"))


if __name__ == "__main__":
    unittest.main()
