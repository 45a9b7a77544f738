# SPDX-License-Identifier: MIT
"""What stands on the disk is not what the server has put there: foreign files, missing rights, lost derived data."""
import imaplib
import os
import shutil
import smtplib
import socket
import unittest

import culver

MAIL = b"Subject: foreign\n\ntext\n"


class Foreign(unittest.TestCase):
    def setUp(self):
        self.server = culver.Server()
        self.server.deliver(culver.message("own"), "alice")
        self.maildir = self.server.maildir("alice")

    def tearDown(self):
        self.server.close()

    def put(self, sub, name):
        path = os.path.join(os.fsencode(self.maildir), os.fsencode(sub), os.fsencode(name))
        with open(path, "wb") as f:
            f.write(MAIL)
        os.chown(path, self.server.uid, self.server.gid)

    def test_only_plain_files_are_messages(self):
        """A link leads out of the Maildir, a FIFO would hold its reader for ever."""
        os.symlink("/etc/passwd", self.maildir + "/new/link")
        os.symlink("nowhere", self.maildir + "/cur/dangling:2,S")
        os.mkfifo(self.maildir + "/new/fifo", 0o666)
        os.mkdir(self.maildir + "/cur/directory:2,S")
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(self.maildir + "/new/socket")
        for name in ("fifo", "socket"):
            os.chown(self.maildir + "/new/" + name, self.server.uid, self.server.gid)
        imap = self.server.imap("alice")
        self.assertEqual(imap.select("INBOX")[1], [b"1"])
        self.assertEqual(imap.fetch("1:*", "(RFC822.SIZE ENVELOPE BODY.PEEK[])")[0], "OK")
        imap.logout()

    def test_odd_names(self):
        """Every plain file is a message once, whatever it is called, and stays one with the same UID."""
        for sub, name in (("new", b"with\nnewline"), ("new", b"\xff\xfe"), ("new", b"x" * 255), ("cur", b"y" * 250 + b":2,S"),
                          ("cur", b"noflags"), ("cur", b"unknown:2,XYZS"), ("cur", b"colon:1,exp"), 
                          ("cur", b"twice:2,:2,S"), ("cur", b"1.M1P1.h,S=99999999999999999999,W=3,U=zz.1:2,"),
                          ("cur", b"1.M1P2.h,S=5,W=3:2,F")):
            self.put(sub, name)
        self.put("new", b".hidden")
        imap = self.server.imap("alice")
        self.assertEqual(imap.select("INBOX")[1], [b"11"])
        status, first = imap.fetch("1:*", "(UID RFC822.SIZE BODY.PEEK[TEXT])")
        self.assertEqual(status, "OK")
        imap.select("INBOX")
        self.assertEqual(imap.fetch("1:*", "(UID RFC822.SIZE BODY.PEEK[TEXT])")[1], first)
        self.assertEqual(imap.store("1:*", "+FLAGS", "(\\Seen \\Deleted)")[0], "OK")
        self.assertEqual(imap.expunge()[0], "OK")
        self.assertEqual(imap.select("INBOX")[1], [b"0"])
        imap.logout()
        left = os.listdir(self.maildir + "/cur") + os.listdir(self.maildir + "/new")
        self.assertEqual(left, [".hidden"])

    def test_refused_sessions_are_told(self):
        """A worker that can not even begin tells its client so."""
        if os.geteuid() != 0:
            self.skipTest("the mail user owns his home")
        self.server.allowed = ("Permission denied", "ended with status")
        home = self.server.path("home", "alice")
        os.chmod(home, 0)
        try:
            with self.server.raw("imap") as c:
                c.line()
                answer = c.ask("a", 'LOGIN alice "%s"' % culver.PASSWORD)
                self.assertTrue(answer[-1].startswith(b"a NO [UNAVAILABLE]"), answer)
                self.assertTrue(c.line().startswith(b"* BYE"))
            with self.server.raw("pop3") as c:
                c.line()
                c.send("USER alice\r\nPASS %s\r\n" % culver.PASSWORD)
                self.assertEqual(c.line(), b"+OK")
                self.assertTrue(c.line().startswith(b"-ERR [SYS/TEMP]"))
            with self.server.lmtp() as c:
                c.ehlo("here")
                c.mail("a@example.org")
                c.rcpt("alice")
                self.assertEqual(c.data(culver.message("later"))[0], 451)
        finally:
            os.chmod(home, 0o700)
        imap = self.server.imap("alice")
        self.assertEqual(imap.select("INBOX")[1], [b"1"])
        imap.logout()

    def test_lost_index(self):
        """The index damaged in several ways: the same mails with the same UIDs."""
        # a file cut under its mapping is a bus error, which a sanitizer tells in its own words; and for leaks it can not look
        # into a process that nobody may trace
        self.server.allowed = ("index", "signal", "ended with status", "mailbox INBOX is another", "AddressSanitizer", "LeakSanitizer")
        data = self.maildir + "/culver.index/data.mdb"

        def cut(size):
            os.truncate(data, size)

        def scribble():
            with open(data, "r+b") as f:
                for at in range(8192, os.path.getsize(data), 4096):
                    f.seek(at)
                    f.write(b"\x5a" * 64)

        def replace():
            with open(data, "wb") as f:
                f.write(b"\xa5" * 65536)

        def remove():
            shutil.rmtree(self.maildir + "/culver.index")
        def view():
            """A session that meets the damage may fail; the next one finds a new index."""
            try:
                imap = self.server.imap("alice")
                self.assertEqual(imap.select("INBOX")[0], "OK")
                validity = imap.response("UIDVALIDITY")[1]
                status, mails = imap.uid("fetch", "1:*", "(RFC822.SIZE)")
                imap.logout()
                return (mails, validity) if status == "OK" else None
            except (imaplib.IMAP4.error, OSError):
                return None
        for damage in (lambda: cut(0), lambda: cut(100), lambda: cut(8192), scribble, replace, remove):
            before = culver.wait_for(view, "the mailbox serves")
            damage()
            self.assertEqual(culver.wait_for(view, "the mailbox serves again"), before)

            def delivers():
                try:
                    self.server.deliver(culver.message("after the damage"), "alice")
                    return True
                except smtplib.SMTPException:
                    return False
            culver.wait_for(delivers, "deliveries go on")


if __name__ == "__main__":
    unittest.main()
