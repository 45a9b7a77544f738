# SPDX-License-Identifier: MIT
"""Hostile input, and faults that servers of this kind are known to have."""
import os
import socket
import threading
import time
import unittest

import culver


class Hostile(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = culver.Server(users=culver.USERS + ("erin", "frank"))

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def inbox_texts(self, user):
        imap = self.server.imap(user)
        imap.select("INBOX")
        numbers = imap.search(None, "ALL")[1][0].split()
        texts = [imap.fetch(n, "(BODY.PEEK[])")[1][0][1] for n in numbers]
        imap.logout()
        return texts

    def lmtp_data(self, user, data):
        c = self.server.raw("lmtp")
        c.line()
        c.send("LHLO test\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<%s>\r\nDATA\r\n" % user)
        c.until("354")
        c.send(data)
        answer = c.line()
        c.close()
        return answer

    def test_only_crlf_dot_crlf_ends_data(self):
        smuggled = "MAIL FROM:<evil@example.org>\r\nRCPT TO:<bob>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n"
        for i, end in enumerate(("\n.\n", "\r\n.\n", "\n.\r\n", "\r.\r", "\r\n.\r", "\r.\r\n")):
            text = "Subject: end %d\r\n\r\nfirst%s%s" % (i, end, smuggled)
            self.assertTrue(self.lmtp_data("alice", text + "\r\n.\r\n").startswith(b"250"))
        self.assertEqual(self.inbox_texts("bob"), [])
        texts = self.inbox_texts("alice")
        self.assertEqual(len(texts), 6)
        for text in texts:
            self.assertIn(b"Subject: smuggled", text)

    def test_nul_in_login_literal(self):
        """A NUL does not cut a password short: "right\\0anything" is not "right"."""
        for password in (culver.PASSWORD.encode() + b"\0", culver.PASSWORD.encode() + b"\0junk"):
            with self.server.raw("imap") as c:
                c.line()
                c.send(b"a LOGIN alice {%d}\r\n" % len(password))
                if c.line().startswith(b"+"):
                    c.send(password + b"\r\n")
                    self.assertFalse(c.until("a ")[-1].startswith(b"a OK"))

    def test_huge_literals_are_not_invited(self):
        for size in ("9223372036854775808", "18446744073709551616", "99999999999999999999999999", "4294967301"):
            with self.server.raw("imap") as c:
                c.line()
                c.send("a LOGIN {%s}\r\n" % size)
                self.assertFalse(c.line().startswith(b"+"), size)
            with self.server.raw("imap") as c:
                c.line()
                c.ask("a", 'LOGIN alice "%s"' % culver.PASSWORD)
                c.send("b APPEND INBOX {%s}\r\n" % size)
                answer = c.line()
                self.assertFalse(answer.startswith(b"+"), size)
                self.assertTrue(answer.startswith((b"b NO", b"b BAD", b"* BYE")), answer)

    def test_user_names_stay_in_the_mail_root(self):
        for name in ("..", ".", "../alice", "a/b", "alice/../bob", "%75", "a\\\\b/.."):
            with self.server.raw("imap") as c:
                c.line()
                answer = c.ask("a", 'LOGIN "%s" "%s"' % (name, culver.PASSWORD))[-1]
                self.assertFalse(answer.startswith(b"a OK"), name)
            with self.server.raw("lmtp") as c:
                c.line()
                c.send('LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<"%s">\r\n' % name)
                self.assertTrue(c.until("5", "4")[-1].startswith((b"5", b"4")), name)

    def test_user_before_stls_is_forgotten(self):
        with self.server.raw("pop3") as c:
            c.line()
            c.send("USER alice\r\n")
            self.assertTrue(c.line().startswith(b"+OK"))
            c.send("STLS\r\n")
            self.assertTrue(c.line().startswith(b"+OK"))
            c.start_tls(self.server)
            c.send("PASS %s\r\n" % culver.PASSWORD)
            self.assertTrue(c.line().startswith(b"-ERR"))

    def test_commands_behind_starttls_are_not_run(self):
        for port, first, injected, tagged in (("imap", "a STARTTLS\r\n", "b NOOP\r\n", b"b "),
                                              ("pop3", "STLS\r\n", "CAPA\r\n", b"+OK")):
            with self.server.raw(port) as c:
                c.line()
                c.send(first + injected)
                c.line()
                try:
                    c.start_tls(self.server)
                    c.socket.settimeout(1)
                    self.assertFalse(c.line().startswith(tagged))
                except (OSError, ConnectionError):
                    pass    # ending the connection is an answer as good

    def test_http_runs_no_commands(self):
        request = ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nLHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<carol>\r\n"
                   "DATA\r\nSubject: by http\r\n\r\nx\r\n.\r\n")
        with self.server.raw("lmtp") as c:
            c.line()
            c.send(request)
            self.assertTrue(c.ended())
        self.assertEqual(self.inbox_texts("carol"), [])
        for port in ("imap", "pop3"):
            with self.server.raw(port) as c:
                c.line()
                c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertTrue(c.ended())

    def test_million_header_lines(self):
        text = b"Subject: many\r\n" + b"X: y\r\n" * 1000000 + b"\r\nbody\r\n"
        self.assertTrue(self.lmtp_data("dave", text + b".\r\n").startswith(b"250"))
        imap = self.server.imap("dave")
        imap.select("INBOX")
        self.assertEqual(imap.fetch("*", "(ENVELOPE BODYSTRUCTURE)")[0], "OK")
        self.assertIn(str(len(text)).encode()[:3], imap.fetch("*", "(RFC822.SIZE)")[1][0])
        imap.logout()

    def test_many_addresses(self):
        addresses = b",\r\n ".join(b"user%d@example.org" % i for i in range(120000))
        text = b"Subject: addresses\r\nTo: " + addresses + b"\r\n\r\nbody\r\n"
        self.assertTrue(self.lmtp_data("dave", text + b".\r\n").startswith(b"250"))
        imap = self.server.imap("dave")
        imap.select("INBOX")
        self.assertEqual(imap.fetch("*", "(ENVELOPE)")[0], "OK")
        imap.logout()

    def test_deep_and_wide_mime(self):
        deep = "".join("Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i) for i in range(3000))
        wide = "Content-Type: multipart/mixed; boundary=w\r\n\r\n" + "--w\r\n\r\nx\r\n" * 50000 + "--w--\r\n"
        for text in (deep, wide):
            self.assertTrue(self.lmtp_data("carol", text + "\r\n.\r\n").startswith(b"250"))
            imap = self.server.imap("carol")
            imap.select("INBOX")
            self.assertEqual(imap.fetch("*", "(BODYSTRUCTURE)")[0], "OK")
            imap.store("1:*", "+FLAGS", "\\Deleted")
            imap.expunge()
            imap.logout()

    def test_limits_before_login(self):
        for port, text in (("imap", b"a " + b"x" * 200000 + b"\r\n"), ("pop3", b"USER " + b"x" * 200000 + b"\r\n"),
                           ("lmtp", b"LHLO " + b"x" * 200000 + b"\r\n")):
            with self.server.raw(port) as c:
                c.line()
                try:
                    c.send(text)
                    answer = c.line()
                except ConnectionError:
                    answer = b""
                self.assertTrue(answer == b"" or answer.startswith((b"a BAD", b"* BYE", b"* BAD", b"-ERR", b"5")), answer)
        for _ in range(3):
            self.server.imap("alice").logout()

    def test_limits_in_session(self):
        with self.server.raw("imap") as c:
            c.line()
            c.ask("a", 'LOGIN alice "%s"' % culver.PASSWORD)
            c.ask("b", "SELECT INBOX")
            cases = ("SEARCH " + "NOT " * 5000 + "SEEN", "SEARCH " + "(" * 5000 + "SEEN" + ")" * 5000,
                     "CREATE " + "x" * 5000, "STORE 1 +FLAGS " + "k" * 3000,
                     "FETCH " + ",".join(str(i) for i in range(1, 30000, 2)) + " FLAGS")
            for i, case in enumerate(cases):
                answer = c.ask("c%d" % i, case)[-1]
                self.assertTrue(answer.startswith((b"c%d NO" % i, b"c%d BAD" % i, b"c%d OK" % i)), answer[:200])
            self.assertTrue(c.ask("z", "NOOP")[-1].startswith(b"z OK"))

    def test_store_unchangedsince_loses_no_update(self):
        """Many sessions count in keywords with UNCHANGEDSINCE; each success is there exactly once."""
        self.server.deliver(culver.message("counter"), "frank")
        done = []

        def worker(number):
            with self.server.raw("imap") as c:
                c.line()
                c.ask("a", 'LOGIN frank "%s"' % culver.PASSWORD)
                c.ask("b", "SELECT INBOX (CONDSTORE)")
                for i in range(20):
                    for _ in range(200):
                        line = [x for x in c.ask("f", "FETCH 1 (FLAGS MODSEQ)") if b"FETCH" in x][-1]
                        modseq = int(line.split(b"MODSEQ (")[1].split(b")")[0])
                        old = [w for w in line.split(b"FLAGS (")[1].split(b")")[0].split() if w.startswith(b"n")]
                        value = int(old[0][1:]) if old else 0
                        # one keyword at a time stands for the number
                        new = b"n%d" % ((value + 1) % 16)
                        answer = c.ask("s", "STORE 1 (UNCHANGEDSINCE %d) FLAGS.SILENT (%s)" % (modseq, new.decode()))[-1]
                        if b"MODIFIED" not in answer:
                            self.assertTrue(answer.startswith(b"s OK"), answer)
                            done.append(number)
                            break

        threads = [threading.Thread(target=worker, args=(i,)) for i in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(len(done), 80)
        imap = self.server.imap("frank")
        imap.select("INBOX")
        self.assertIn(b"n%d" % (80 % 16), imap.fetch("1", "(FLAGS)")[1][0])
        imap.logout()

    def test_logins_beside_slow_tls_clients(self):
        held = []
        try:
            for _ in range(400):
                s = socket.create_connection(("127.0.0.1", self.server.ports["imaps"]), culver.WAIT)
                s.send(b"\x16\x03\x01\x02\x00")     # the beginning of a handshake that never goes on
                held.append(s)
            begin = time.monotonic()
            for _ in range(5):
                self.server.imap("alice", tls=True).logout()
            self.assertLess(time.monotonic() - begin, culver.WAIT)
        finally:
            for s in held:
                s.close()

    def test_deliveries_beside_held_lmtp_connections(self):
        held = []
        try:
            for _ in range(110):
                s = socket.create_connection(("127.0.0.1", self.server.ports["lmtp"]), culver.WAIT)
                s.send(b"LHLO held\r\n")
                held.append(s)
            for _ in range(3):
                self.server.deliver(culver.message("beside"), "erin")
        finally:
            for s in held:
                s.close()

    @unittest.skipUnless(os.geteuid() == 0, "privileges are given up only when there are some")
    def test_who_parses_what(self):
        """Nothing that reads from the network runs as root, and login is confined to an empty directory."""
        def status(pid):
            with open("/proc/%d/status" % pid) as f:
                return dict(x.split(":", 1) for x in f.read().splitlines() if ":" in x)
        client = self.server.imap("alice")
        raw = self.server.raw("lmtp")
        raw.line()
        try:
            for name in ("imap-login", "pop3-login", "auth", "hub"):
                pids = self.server.pids(name)
                self.assertTrue(pids, name)
                uids = [int(status(p)["Uid"].split()[0]) for p in pids]
                if name == "auth":
                    self.assertTrue(any(u != 0 for u in uids), name)
                else:
                    self.assertNotIn(0, uids, name)
            for pid in self.server.pids("imap-login"):
                self.assertEqual(os.listdir("/proc/%d/root" % pid), [], "an empty directory is all that login sees")
                self.assertEqual(status(pid)["NoNewPrivs"].strip(), "1")
            workers = [p for p in self.server.pids("imap") if int(status(p)["Uid"].split()[0]) == self.server.uid]
            self.assertTrue(workers, "the session's worker runs as the mail user")
            self.assertEqual(status(workers[0])["NoNewPrivs"].strip(), "1")
            lmtp = [p for p in self.server.pids("lmtp")]
            self.assertTrue(lmtp)
            self.assertTrue(any(int(status(p)["Uid"].split()[0]) not in (0, self.server.uid) for p in lmtp))
        finally:
            raw.close()
            client.logout()

    @unittest.skipUnless(os.geteuid() == 0, "another process's memory is root's to read")
    def test_password_does_not_stay_in_login(self):
        secret = culver.PASSWORD.encode()
        client = self.server.imap("carol", tls=True)
        try:
            for pid in self.server.pids("imap-login"):
                with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as mem:
                    for line in maps:
                        where, rights = line.split()[:2]
                        if not rights.startswith("rw"):
                            continue
                        first, last = (int(x, 16) for x in where.split("-"))
                        if last - first > 1 << 32:
                            continue        # the shadow of AddressSanitizer: none of the program's octets
                        try:
                            mem.seek(first)
                            self.assertNotIn(secret, mem.read(last - first), line)
                        except OSError:
                            continue
        finally:
            client.logout()


if __name__ == "__main__":
    unittest.main()
