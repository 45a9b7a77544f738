# SPDX-License-Identifier: MIT
"""The main job, end to end: mail in over LMTP, out over IMAP and POP3; clients of Python's library."""
import os
import socket
import ssl
import threading
import time
import unittest

import culver


class Path(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = culver.Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def test_lmtp_to_imap_and_pop3(self):
        text = culver.message("Through it all", "one\r\n.two\r\n..three\r\n\r\nfour\r\n")
        self.server.deliver(text, "alice")
        imap = self.server.imap("alice")
        imap.select("INBOX")
        numbers = imap.search(None, "SUBJECT", '"Through it all"')[1][0].split()
        self.assertEqual(len(numbers), 1)
        data = imap.fetch(numbers[0], "(RFC822.SIZE BODY.PEEK[])")[1]
        body = data[0][1].decode()
        head, sep, _ = body.partition(text)
        self.assertEqual(sep, text, "the message is there octet for octet, behind what delivery put in front")
        for word in ("Return-Path: <sender@example.org>\r\n", "Delivered-To: alice\r\n", "Received: from "):
            self.assertIn(word, head)
        self.assertIn(("RFC822.SIZE %d" % len(body)).encode(), data[0][0])
        imap.logout()
        pop = self.server.pop3("alice")
        count = pop.stat()[0]
        got = "\r\n".join(x.decode() for x in pop.retr(count)[1]) + "\r\n"
        self.assertEqual(got, body)
        pop.quit()

    def test_tls_everywhere(self):
        imap = self.server.imap("bob", tls=True)
        self.assertEqual(imap.select("INBOX")[0], "OK")
        imap.logout()
        plain = self.server.imap("bob", login=False)
        plain.starttls(self.server.tls_context())
        plain.login("bob", culver.PASSWORD)
        plain.logout()
        self.server.pop3("bob", tls=True).quit()
        pop = self.server.pop3("bob", login=False)
        pop.stls(self.server.tls_context())
        pop.user("bob")
        pop.pass_(culver.PASSWORD)
        pop.quit()
        with self.server.lmtp() as lmtp:
            lmtp.ehlo()
            lmtp.starttls(context=self.server.tls_context())
            self.assertEqual(lmtp.sendmail("a@example.org", ["bob"], culver.message("over TLS")), {})

    def test_old_tls_is_refused(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with socket.create_connection(("127.0.0.1", self.server.ports["imaps"]), culver.WAIT) as s:
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                context.wrap_socket(s)

    def test_wrong_password(self):
        imap = self.server.imap("alice", login=False)
        with self.assertRaises(imap.error) as raised:
            imap.login("alice", "wrong")
        self.assertIn("AUTHENTICATIONFAILED", str(raised.exception))
        log = culver.wait_for(lambda: [x for x in self.server.log_text().splitlines() if "auth: " in x and "alice" in x
                                       and "127.0.0.1" in x], "the failure is logged at once, the client still there")
        self.assertNotIn("wrong", " ".join(log))
        imap.login("alice", culver.PASSWORD)
        imap.logout()

    def test_idle_sees_a_delivery(self):
        with self.server.raw("imap") as c:
            c.line()
            c.ask("a", 'LOGIN carol "%s"' % culver.PASSWORD)
            c.ask("b", "SELECT INBOX")
            c.send("c IDLE\r\n")
            self.assertTrue(c.line().startswith(b"+"))
            before = time.monotonic()
            self.server.deliver(culver.message("wake up"), "carol")
            self.assertTrue(c.until("* 1 EXISTS")[-1] == b"* 1 EXISTS")
            self.assertLess(time.monotonic() - before, 5)
            # a change of flags by another session, too
            other = self.server.imap("carol")
            other.select("INBOX")
            other.store("1", "+FLAGS", "(\\Flagged $Label1)")
            lines = c.until("* 1 FETCH")
            self.assertIn(b"\\Flagged", lines[-1])
            self.assertIn(b"$Label1", lines[-1])
            other.store("1", "+FLAGS", "\\Deleted")
            c.until("* 1 FETCH")
            other.expunge()
            self.assertEqual(c.until("* 1 EXPUNGE")[-1], b"* 1 EXPUNGE")
            c.send("DONE\r\n")
            self.assertTrue(c.until("c ")[-1].startswith(b"c OK"))
            other.logout()

    def test_idle_loses_nothing_at_its_start(self):
        """A delivery races with IDLE, again and again: EXISTS always comes, behind the + line."""
        with self.server.raw("imap") as c:
            c.line()
            c.ask("a", 'LOGIN dave "%s"' % culver.PASSWORD)
            c.ask("b", "SELECT INBOX")
            for i in range(1, 26):
                thread = threading.Thread(target=self.server.deliver, args=(culver.message(str(i)), "dave"))
                thread.start()
                c.send("i%d IDLE\r\n" % i)
                lines = c.until("* %d EXISTS" % i)
                thread.join()
                plus = [x for x in lines if x.startswith(b"+")]
                self.assertEqual(len(plus), 1, lines)
                self.assertLess(lines.index(plus[0]), len(lines) - 1)
                c.send("DONE\r\n")
                c.until("i%d " % i)

    def test_outside_program(self):
        """A file that a script puts into new/ is a new message, and an idling client is told."""
        self.server.deliver(culver.message("first"), "bob")
        with self.server.raw("imap") as c:
            c.line()
            c.ask("a", 'LOGIN bob "%s"' % culver.PASSWORD)
            exists = [x for x in c.ask("b", "SELECT INBOX") if x.endswith(b" EXISTS")][0]
            count = int(exists.split()[1])
            c.send("c IDLE\r\n")
            c.line()
            name = os.path.join(self.server.maildir("bob"), "tmp", "1700000000.1.script")
            with open(name, "w") as f:
                f.write("Subject: by hand\n\nbody\n")
            os.chown(name, self.server.uid, self.server.gid)
            os.rename(name, os.path.join(self.server.maildir("bob"), "new", "1700000000.1.script"))
            c.until("* %d EXISTS" % (count + 1))
            c.send("DONE\r\n")
            c.until("c ")
            lines = c.ask("d", "FETCH %d (UID BODY.PEEK[])" % (count + 1))
            self.assertIn(b"Subject: by hand", lines)

    def test_recipient_delimiter(self):
        server = culver.Server("recipient_delimiter = +\nlmtp_save_to_detail_mailbox = yes\n"
                               "lda_mailbox_autocreate = yes\n")
        try:
            server.deliver(culver.message("detail"), "alice+lists")
            server.deliver(culver.message("plain"), "alice")
            imap = server.imap("alice")
            self.assertEqual(imap.select("lists")[1], [b"1"])
            self.assertEqual(imap.select("INBOX")[1], [b"1"])
            imap.logout()
        finally:
            server.close()

    def test_unknown_recipient(self):
        with self.server.lmtp() as lmtp:
            lmtp.ehlo()
            lmtp.mail("a@example.org")
            code, text = lmtp.rcpt("nobody-there")
            self.assertEqual(code, 550)
            self.assertIn(b"5.1.1", text)

    def test_two_recipients_two_answers(self):
        c = self.server.raw("lmtp")
        c.line()
        c.send("LHLO test\r\nMAIL FROM:<>\r\nRCPT TO:<alice>\r\nRCPT TO:<nobody-there>\r\nRCPT TO:<bob>\r\nDATA\r\n")
        c.until("354")
        c.send(culver.message("both") + ".\r\n")
        self.assertTrue(c.line().startswith(b"250"))
        self.assertTrue(c.line().startswith(b"250"))
        c.send("QUIT\r\n")
        self.assertTrue(c.line().startswith(b"221"))
        c.close()


if __name__ == "__main__":
    unittest.main()
