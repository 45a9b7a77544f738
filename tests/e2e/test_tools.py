# SPDX-License-Identifier: MIT
"""scrub, index verify, release and adopt on mail that is not in order: they come to an end, and say what is."""
import gzip
import os
import shutil
import subprocess
import time
import unittest

import culver

MAIL = b"From: a@example.org\nSubject: x\n\nbody\n"
FOLDERS = 150


def put(path, data):
    with open(path, "wb") as f:
        f.write(data)


class Tools(unittest.TestCase):
    extra = ""

    def setUp(self):
        self.server = culver.Server(extra=self.extra)
        self.addCleanup(self.server.close)
        self.home = os.path.dirname(self.server.maildir("alice"))
        self.root = self.server.maildir("alice")

    def maildir(self, path):
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(path, sub), exist_ok=True)
        return path

    def own(self):
        for path, dirs, files in os.walk(os.fsencode(self.home)):
            for name in dirs + files:
                os.chown(os.path.join(path, name), self.server.uid, self.server.gid, follow_symlinks=False)

    def adm(self, command, *options):
        done = self.server.adm(*command.split(), "-u", "alice", *options, check=False)
        return done.returncode, done.stdout.splitlines()


class OddMaildir(Tools):
    def test_all(self):
        inbox, packed = self.maildir(self.root), gzip.compress(MAIL)
        put(inbox + "/cur/1.M1P1.h,S=%d:2,S" % len(MAIL), MAIL)
        put(inbox + "/cur/2.M2P1.h,S=%d,Z:2," % len(MAIL), packed)
        put(inbox + "/cur/3.M3P1.h,S=%d:2," % len(MAIL), MAIL)
        put(inbox + "/new/3.M3P1.h", MAIL + b"another\n")
        put(inbox + "/cur/4.empty:2,", b"")
        put(os.fsencode(inbox) + b"/cur/5.M\xff\xfe.h:2,", MAIL)
        put(self.maildir(inbox + "/.Caf\u00e9") + "/new/1.x", MAIL)
        put(self.maildir(self.home + "/elsewhere") + "/new/1.y", MAIL)
        os.symlink("../elsewhere", inbox + "/.Link")
        closed = inbox + "/cur/6.closed:2,"
        put(closed, MAIL)
        self.own()
        if os.geteuid() == 0:
            os.chown(closed, 0, 0)
        os.chmod(closed, 0)
        self.assertEqual(self.adm("adopt", "--dry-run")[0], 0)
        status, taken = self.adm("adopt")
        self.assertEqual(status, 0)
        self.assertEqual([(r.split()[0], r.split()[-1]) for r in taken[1:]], [("INBOX", "7"), ("Caf\u00e9", "1"), ("Link", "1")])
        for _ in range(2):
            # of seven messages the one that may not be read is told of, and nothing else
            status, found = self.adm("scrub")
            self.assertEqual(status, 1)
            self.assertEqual(len(found), 1, found)
            self.assertIn("can not be read", found[0])
            self.assertIn("6.closed", found[0])
            self.assertEqual(self.adm("index verify"), (0, []))
            # out, and in again: with the same numbers
            self.assertEqual([r.split()[0::2] for r in self.adm("release")[1][1:]], [r.split()[0::2] for r in taken[1:]])
            status, again = self.adm("adopt")
            self.assertEqual(status, 0)
            self.assertEqual([r.split()[0:1] + r.split()[2:] for r in again], [r.split()[0:1] + r.split()[2:] for r in taken])
        # who may read it again finds all in order
        if os.geteuid() == 0:
            for name in os.listdir(inbox + "/cur"):
                os.chown(os.path.join(inbox, "cur", name), self.server.uid, self.server.gid)
                os.chmod(os.path.join(inbox, "cur", name), 0o600)
            self.assertEqual(self.adm("scrub"), (0, []))


class FoldersGo(Tools):
    def folder(self, i):
        path = self.maildir(os.path.join(self.root, ".F%03d" % i))
        for k in range(5):
            put(path + "/new/%d.M1P1.h" % k, MAIL)

    def remove(self, path):
        """The command may have it open, and make files there and remove them."""
        deadline = time.monotonic() + culver.WAIT
        while os.path.exists(path) and time.monotonic() < deadline:
            shutil.rmtree(path, ignore_errors=True)
        self.assertFalse(os.path.exists(path))

    def test_while_it_runs(self):
        """Whether a folder is still there when its turn comes is chance; that the others get theirs is not."""
        for command in ("adopt", "scrub", "index verify", "release"):
            for i in range(FOLDERS):
                self.folder(i)
            self.maildir(self.root)
            self.own()
            if command != "adopt":
                self.assertEqual(self.adm("adopt")[0], 0)
                # Of a folder that went while it was adopted, and is back, the index knows all and the control file is missing.
                self.adm("scrub", "--repair")
                self.assertEqual(self.adm("scrub"), (0, []))
            run = subprocess.Popen([os.path.join(culver.PREFIX, "bin", "culveradm"), "-c", self.server.config] +
                                   command.split() + ["-u", "alice"] + (["*"] if command == "index verify" else []),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for i in range(FOLDERS - 1, 9, -1):
                path = os.path.join(self.root, ".F%03d" % i)
                os.rename(path, os.path.join(self.home, "gone"))
                self.remove(os.path.join(self.home, "gone"))
            out, err = run.communicate(timeout=60)
            self.assertEqual((run.returncode, err), (0, ""), (command, out))
            if command in ("adopt", "release"):
                names = {line.split()[0] for line in out.splitlines()[1:]}
                self.assertLessEqual({"INBOX"} | {"F%03d" % i for i in range(10)}, names)
            self.assertEqual(self.adm("scrub" if command != "release" else "adopt")[0], 0)


class BrokenMbox(Tools):
    extra = "mail_location = mbox:~/mail:INBOX=~/mail/inbox\n"

    def test_all(self):
        """`From ' lines that are none, an empty file, octets before the first message."""
        os.makedirs(self.home + "/mail", exist_ok=True)
        good = b"From a@example.org Mon Jan  1 00:00:00 2024\n" + MAIL + b"\n"
        put(self.home + "/mail/inbox", good + b"From here on it is text\n\nFrom nobody\n\n" + good + b"From \n\nFrom x y z\n" + good)
        put(self.home + "/mail/empty", b"")
        put(self.home + "/mail/none", b"this is no mailbox\n")
        self.own()
        client = self.server.imap("alice")
        count = int(client.select("INBOX")[1][0])
        self.assertEqual(count, 3)
        client.logout()
        # the one that is no mbox is told of; the others are in order
        done = self.server.adm("scrub", "-u", "alice", check=False)
        self.assertEqual((done.returncode, done.stdout), (75, ""))
        self.assertRegex(done.stderr, r"\Aculveradm: none: [^\n]*\n\Z")
        self.assertEqual(self.adm("index verify"), (0, []))
        for command in ("adopt", "release"):
            self.assertEqual(self.adm(command)[0], 0)
        with open(self.home + "/mail/none", "rb") as f:
            self.assertEqual(f.read(), b"this is no mailbox\n")


if __name__ == "__main__":
    unittest.main()
