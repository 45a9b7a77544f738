# SPDX-License-Identifier: MIT
"""Every usual and unusual MIME shape comes through octet for octet: LMTP to IMAP, APPEND to POP3."""
import imaplib
import os
import re
import subprocess
import sys
import tempfile
import unittest

import culver

# a BODYSTRUCTURE of ten thousand parts is one line
imaplib._MAXLINE = 64 << 20
GENERATOR = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "generate-messages.py")


def canonical(raw):
    """As mail is sent: line ends are CRLF, the last line has one.  IMAP has no NUL in a literal."""
    text = re.sub(rb"(?<!\r)\n", b"\r\n", raw)
    if not text.endswith(b"\r\n"):
        text += b"\r\n"
    return text


class Roundtrip(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory(prefix="culver-messages-")
        subprocess.run([sys.executable, GENERATOR, cls.dir.name], check=True, capture_output=True, timeout=120)
        cls.messages = []
        for name in sorted(os.listdir(cls.dir.name)):
            with open(os.path.join(cls.dir.name, name), "rb") as f:
                cls.messages.append((name, canonical(f.read())))
        cls.server = culver.Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.dir.cleanup()

    def test_enough_shapes(self):
        self.assertGreaterEqual(len(self.messages), 500)

    def test_lmtp_to_imap(self):
        with self.server.raw("lmtp") as c:
            c.line()
            c.send("LHLO test\r\n")
            c.until("250 ")
            for name, text in self.messages:
                c.send("MAIL FROM:<a@example.org>\r\nRCPT TO:<alice>\r\nDATA\r\n")
                self.assertTrue(c.until("354", "4", "5")[-1].startswith(b"354"), name)
                c.send((b"\r\n" + text).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n")
                answer = c.line()
                self.assertTrue(answer.startswith(b"250"), (name, answer))
        client = self.server.imap("alice")
        client.select("INBOX")
        for i, (name, text) in enumerate(self.messages, 1):
            status, data = client.fetch(str(i), "(RFC822.SIZE BODY.PEEK[])")
            self.assertEqual(status, "OK", name)
            body = data[0][1]
            self.assertIn(b"RFC822.SIZE %d" % len(body), data[0][0] + (data[1] if isinstance(data[1], bytes) else b""), name)
            self.assertTrue(body.replace(b"\x80", b"\0").endswith(text.replace(b"\x80", b"\0")), name)
            front = body[:len(body) - len(text)]
            self.assertTrue(front.startswith(b"Return-Path: <a@example.org>\r\n"), name)
        # what is answered from the index and what is read from the mail agree
        for item in ("ENVELOPE", "BODYSTRUCTURE", "BODY", "INTERNALDATE", "BODY.PEEK[HEADER.FIELDS (Subject From Received)]"):
            self.assertEqual(client.fetch("1:*", "(%s)" % item)[0], "OK", item)
        client.logout()

    def test_header_fields_agree_with_the_header(self):
        """HEADER.FIELDS, served from the index, gives the very lines that HEADER has."""
        client = self.server.imap("carol")
        for name, text in self.messages[::7]:
            client.append("INBOX", None, None, text)
        count = int(client.select("INBOX")[1][0])
        for i in range(1, count + 1):
            fields = client.fetch(str(i), "(BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)])")[1][0][1]
            header = client.fetch(str(i), "(BODY.PEEK[HEADER])")[1][0][1]
            wanted = b"".join(m.group(0) for m in re.finditer(
                rb"(?ims)^(?:subject|from)[ \t]*:[^\r\n]*(?:(?:\r(?!\n)|(?<!\r)\n)[^\r\n]*)*\r\n(?:[ \t][^\n]*\r\n)*", header))
            if b"\r" in header.replace(b"\r\n", b"") or b"\0" in header or b"\x80" in header:
                continue        # the expression above does not say what a line is there
            self.assertEqual(fields, wanted + b"\r\n", self.messages[::7][i - 1][0])
        client.logout()

    def test_append_to_pop3(self):
        # by hand: Python's own append() would turn every bare CR into a line end
        with self.server.raw("imap") as c:
            c.line()
            c.ask("a", 'LOGIN bob "%s"' % culver.PASSWORD)
            for name, text in self.messages:
                c.send(b"b APPEND INBOX (\\Seen) {%d+}\r\n" % len(text) + text + b"\r\n")
                answer = c.until("b ")[-1]
                self.assertTrue(answer.startswith(b"b OK"), (name, answer))
        with self.server.raw("pop3") as c:
            c.line()
            c.send("USER bob\r\n")
            c.line()
            c.send("PASS %s\r\n" % culver.PASSWORD)
            self.assertTrue(c.line().startswith(b"+OK"))
            for i, (name, text) in enumerate(self.messages, 1):
                c.send("LIST %d\r\n" % i)
                size = int(c.line().split()[2])
                self.assertEqual(size, len(text), name)
                c.send("RETR %d\r\n" % i)
                self.assertTrue(c.line().startswith(b"+OK"), name)
                # size octets and stuffed dots, then the end: read until it is certain
                raw = b""
                while True:
                    at = (b"\r\n" + c.data).find(b"\r\n.\r\n")
                    if at != -1:
                        raw, c.data = c.data[:at], c.data[at + 3:]
                        break
                    more = c.socket.recv(65536)
                    self.assertNotEqual(more, b"", name)
                    c.data += more
                got = (b"\r\n" + raw).replace(b"\r\n..", b"\r\n.")[2:]
                self.assertEqual(got, text, name)
            c.send("QUIT\r\n")
            self.assertTrue(c.line().startswith(b"+OK"))


if __name__ == "__main__":
    unittest.main()
