# SPDX-License-Identifier: MIT
"""The way to a session and through it: what login says and logs, crowds of clients, certificates by name, log files,
sessions that sleep without a process."""
import os
import re
import signal
import socket
import ssl
import subprocess
import time
import unittest

import culver


class Login(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = culver.Server("login_max_connections_per_ip = 5\n")

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def logged(self, pattern):
        return culver.wait_for(lambda: re.search(pattern, self.server.log_text()), "the log says " + pattern)

    def test_log_lines(self):
        """As administrators and fail2ban look for them."""
        self.server.imap("alice", tls=True).logout()
        self.logged(r"imap-login: Login: user=<alice>, method=PLAIN, rip=127\.0\.0\.1, lip=127\.0\.0\.1, mpid=\d+, TLS, "
                    r"session=<\S+>")
        with self.server.raw("imap") as c:
            c.line()
            c.ask("a", "LOGIN carol wrong")
        self.logged(r"imap-login: Disconnected \(auth failed, 1 attempts in \d+ secs\): user=<carol>, method=PLAIN, "
                    r"rip=127\.0\.0\.1")
        with self.server.raw("pop3") as c:
            c.line()
        self.logged(r"pop3-login: Disconnected \(no auth attempts in \d+ secs\): user=<>, rip=127\.0\.0\.1")

    def test_log_lines_can_not_be_forged(self):
        with self.server.raw("imap") as c:
            c.line()
            c.send(b"a LOGIN {25+}\r\nx\nimap-login: Login: evil wrong\r\n")
            c.until("a ")
        self.logged(r"x\\x0aimap-login: Login: evil")
        self.assertNotIn("\nimap-login: Login: evil", self.server.log_text())

    def test_the_oldest_makes_room(self):
        held = [self.server.raw("imap") for _ in range(40)]
        try:
            for c in held[:3]:
                c.line()
            self.server.imap("bob").logout()
            for c in held:
                c.socket.settimeout(0.05)
            processes = len(self.server.pids("imap-login"))     # each counts its own, however they come to it
            culver.wait_for(lambda: sum(c.ended() for c in held) >= 40 - 5 * processes, "the oldest have made room")
            self.assertFalse(held[-1].ended())
        finally:
            for c in held:
                c.close()

    def test_pipelined_behind_the_login(self):
        for tls in (False, True):
            with self.server.raw("imaps" if tls else "imap", tls) as c:
                c.line()
                c.send('a LOGIN alice "%s"\r\nb NOOP\r\nc LOGOUT\r\n' % culver.PASSWORD)
                lines = c.until("c ")
                self.assertTrue(lines[0].startswith(b"a OK"), lines)
                self.assertTrue(lines[1].startswith(b"b OK"), lines)
                self.assertTrue(lines[-1].startswith(b"c OK"), lines)
        for tls in (False, True):
            with self.server.raw("pop3s" if tls else "pop3", tls) as c:
                c.send("USER alice\r\nPASS %s\r\nNOOP\r\nQUIT\r\n" % culver.PASSWORD)
                lines = [c.line() for _ in range(5)]
                self.assertTrue(all(line.startswith(b"+OK") for line in lines), lines)

    def test_much_both_ways_over_tls(self):
        """The proxy loses nothing when either side is slow."""
        text = culver.message("large", "".join("%07d %s\r\n" % (i, "x" * 60) for i in range(60000)))
        imap = self.server.imap("dave", tls=True)
        self.assertEqual(imap.append("INBOX", None, None, text.encode())[0], "OK")
        imap.select("INBOX")
        with self.server.raw("imaps", True) as c:
            c.line()
            c.ask("a", 'LOGIN dave "%s"' % culver.PASSWORD)
            c.ask("b", "SELECT INBOX")
            c.send("c FETCH 1 BODY.PEEK[]\r\nd NOOP\r\n")
            time.sleep(0.5)     # all buffers on the way fill up
            got = b"\r\n".join(c.until("d "))
        self.assertIn(text.encode(), got)
        imap.store("1", "+FLAGS", "\\Deleted")
        imap.expunge()
        imap.logout()

    def test_logs_are_reopened(self):
        os.rename(self.server.path("log"), self.server.path("log.1"))
        self.server.process.send_signal(signal.SIGUSR1)
        culver.wait_for(lambda: "reopened" in self.server.log_text(), "a new log")
        self.server.imap("carol").logout()
        self.logged("Login: user=<carol>")
        self.logged(r"imap\(carol\)\S+: Logged out")


class Names(unittest.TestCase):
    def test_certificate_by_name(self):
        server = culver.Server(start=False)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
                        "/CN=mail.example.org", "-addext", "subjectAltName=DNS:mail.example.org,DNS:*.example.net",
                        "-keyout", server.path("key2.pem"), "-out", server.path("cert2.pem")],
                       check=True, capture_output=True)
        server.add_config('local_name "mail.example.org *.example.net" {\n  ssl_cert = <%s\n  ssl_key = <%s\n}' %
                          (server.path("cert2.pem"), server.path("key2.pem")))
        server.start()
        try:
            for name, file in (("mail.example.org", "cert2.pem"), ("a.example.net", "cert2.pem"),
                               ("localhost", "cert.pem")):
                context = ssl.create_default_context(cafile=server.path(file))
                with socket.create_connection(("127.0.0.1", server.ports["imaps"]), culver.WAIT) as s:
                    context.wrap_socket(s, server_hostname=name).close()    # fails when it is the other one
        finally:
            server.close()


class Sleep(unittest.TestCase):
    def setUp(self):
        self.server = culver.Server("imap_hibernate_timeout = 1 secs\n")

    def tearDown(self):
        self.server.close()

    def idle(self, tls):
        c = self.server.raw("imaps" if tls else "imap", tls)
        c.line()
        c.ask("a", 'LOGIN alice "%s"' % culver.PASSWORD)
        c.ask("b", "SELECT INBOX")
        c.send("c IDLE\r\n")
        self.assertTrue(c.line().startswith(b"+"))
        self.wait_asleep()
        return c

    def wait_asleep(self):
        culver.wait_for(lambda: len(self.server.pids("imap")) == 1, "only the parent is left")

    def exists(self, c, count):
        self.assertIn(b"* %d EXISTS" % count, c.until("* %d EXISTS" % count))

    def test_wakes_for_mail_and_for_the_client(self):
        for tls in (False, True):
            c = self.idle(tls)
            self.server.deliver(culver.message("wake up"), "alice")
            self.exists(c, 2 * tls + 1)
            self.wait_asleep()
            # A script's file wakes it as well.
            with open(os.path.join(self.server.maildir("alice"), "tmp", "1.script%d.x" % tls), "w") as f:
                f.write("Subject: x\n\nx\n")
            os.chown(f.name, self.server.uid, self.server.gid)
            os.rename(f.name, f.name.replace("/tmp/1.", "/new/1."))
            self.exists(c, 2 * tls + 2)
            self.wait_asleep()
            c.send("DONE\r\n")
            self.assertTrue(c.until("c ")[-1].startswith(b"c OK"))
            self.assertTrue(c.ask("d", "FETCH 1 (FLAGS)")[-1].startswith(b"d OK"))
            c.close()

    def test_sleeps_through_deaths_and_reload(self):
        self.server.allowed = ("killed", "hub", "gone")
        c = self.idle(True)
        old = self.server.pids("hub") + self.server.pids("imap")
        for pid in old:
            os.kill(pid, signal.SIGKILL)
        culver.wait_for(lambda: not set(old) & set(self.server.pids("hub") + self.server.pids("imap")), "they are dead")
        culver.wait_for(lambda: self.server.pids("hub") and self.server.pids("imap"), "they are back")
        self.server.process.send_signal(signal.SIGHUP)
        culver.wait_for(lambda: "configuration reloaded" in self.server.log_text(), "the reload")
        self.server.imap("bob").logout()
        self.server.deliver(culver.message("still there?"), "alice")
        self.exists(c, 1)
        c.send("DONE\r\n")
        self.assertTrue(c.until("c ")[-1].startswith(b"c OK"))
        c.close()

    def test_goodbye_at_the_end(self):
        c = self.idle(False)
        self.server.process.send_signal(signal.SIGTERM)
        self.assertTrue(c.line().startswith(b"* BYE"))
        c.close()

    def test_a_client_that_goes_is_forgotten(self):
        c = self.idle(False)
        c.close()
        culver.wait_for(lambda: "imap-hibernate: Disconnected: Connection closed" in self.server.log_text(), "its end")
        self.assertEqual(len(self.server.pids("imap")), 1)


if __name__ == "__main__":
    unittest.main()
