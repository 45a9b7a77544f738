# SPDX-License-Identifier: MIT
"""Compressed mail: stored so, read whoever stored it, and given to Dovecot and back."""
import glob
import gzip
import os
import random
import re
import shutil
import subprocess
import unittest

import culver

GZIP, ZSTD = b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd"
DOVEADM = """\
base_dir = {dir}/doveadm-run
log_path = /dev/stderr
ssl = no
mail_location = maildir:{maildir}
mail_plugins = zlib
plugin {{
  zlib_save = {save}
}}
namespace inbox {{
  inbox = yes
}}
"""


def text_of(number, lines):
    """A message of that many lines, always the same; every third line is random, as attachments are."""
    r = random.Random(number)
    body = "".join("%x\r\n" % r.getrandbits(240) if i % 3 == 0 else "Line %d of message %d\r\n" % (i, number)
                   for i in range(lines))
    return ("From: <a@example.org>\r\nTo: <alice@example.org>\r\nSubject: Number %d\r\n\r\n%s" % (number, body)).encode()


MESSAGES = [text_of(1, 0), text_of(2, 10), text_of(3, 500), text_of(4, 8000), text_of(5, 30000)]


def append(imap, message, box="INBOX"):
    status, answer = imap.append(box, None, None, message)
    assert status == "OK", answer


def fetch_all(imap, box="INBOX"):
    """Pairs of RFC822.SIZE and content, in order."""
    imap.select(box)
    status, answer = imap.fetch("1:*", "(RFC822.SIZE BODY.PEEK[])")
    assert status == "OK", answer
    return [(int(re.search(rb"RFC822.SIZE (\d+)", x[0]).group(1)), x[1]) for x in answer if isinstance(x, tuple)]


class Compress(unittest.TestCase):
    def files(self, user="alice", box=""):
        base = os.path.join(self.server.maildir(user), box)
        return sorted(glob.glob(base + "/cur/*") + glob.glob(base + "/new/*"),
                      key=lambda x: int(re.search(r"U=[0-9a-f]+\.(\d+)", x).group(1)) if "U=" in x else 0)

    def head(self, path):
        with open(path, "rb") as f:
            return f.read(4)

    def check_server(self, magic):
        imap = self.server.imap("alice")
        for message in MESSAGES:
            append(imap, message)
        with self.server.lmtp() as c:
            c.sendmail("a@example.org", ["alice"], MESSAGES[3])
        wanted = MESSAGES + [MESSAGES[3]]
        got = fetch_all(imap)
        self.assertEqual([x[1] for x in got[:5]], MESSAGES)
        self.assertTrue(got[5][1].endswith(MESSAGES[3]))
        self.assertEqual([x[0] for x in got[:5]], [len(x) for x in MESSAGES])
        self.assertEqual(got[5][0], len(got[5][1]))
        for path, message in zip(self.files(), wanted):
            name, size = os.path.basename(path), os.path.getsize(path)
            if len(message) > 1000:
                self.assertEqual(self.head(path)[:len(magic)], magic)
                self.assertLess(size, len(message) * 0.75)
            if path != self.files()[5]:
                self.assertIn(",S=%d,W=%d," % (len(message.replace(b"\r\n", b"\n")), len(message)), name)
        # a copy shares the compressed file
        imap.create("Copies")
        self.assertEqual(imap.copy("1:*", "Copies")[0], "OK")
        self.assertEqual(fetch_all(imap, "Copies"), got)
        self.assertEqual({os.stat(x).st_nlink for x in self.files(box=".Copies")}, {2})
        self.assertEqual(imap.status("Copies", "(SIZE)")[1][0].split()[-1], b"%d)" % sum(x[0] for x in got))
        # parts, headers, searches and POP3 are those of the plain message
        imap.select("INBOX")
        self.assertEqual(imap.fetch("4", "BODY.PEEK[]<50000.500>")[1][0][1], MESSAGES[3][50000:50500])
        self.assertEqual(imap.fetch("5", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]")[1][0][1], b"Subject: Number 5\r\n\r\n")
        self.assertEqual(imap.search(None, "TEXT", '"Line 7999 of message 4"')[1][0], b"4 6")
        imap.logout()
        pop3 = self.server.pop3("alice")
        self.assertEqual([int(x.split()[1]) for x in pop3.list()[1]], [x[0] for x in got])
        self.assertEqual(b"\r\n".join(pop3.retr(4)[1]) + b"\r\n", MESSAGES[3])
        pop3.quit()
        # and from the files alone
        shutil.rmtree(self.server.maildir("alice") + "/culver.index")
        imap = self.server.imap("alice")
        self.assertEqual(fetch_all(imap), got)
        imap.logout()

    def test_zstd(self):
        with culver.Server("mail_compress = zstd\nmail_compress_level = 7\n") as self.server:
            self.check_server(ZSTD)

    def test_gz_as_dovecot_says_it(self):
        with culver.Server("mail_plugins = zlib\nplugin {\n  zlib_save = gz\n  zlib_save_level = 9\n}\n") as self.server:
            self.check_server(GZIP)

    def test_damaged(self):
        """One message that can not be decompressed is one message: the log tells why, the others are served."""
        with culver.Server("mail_compress = gz\nimap_fetch_failure = no-after\n") as self.server:
            self.server.allowed = ("cut off", "gzip", "more than")
            imap = self.server.imap("alice")
            for message in MESSAGES[:4]:
                append(imap, message)
            imap.logout()
            path = self.files()[2]
            os.truncate(path, os.path.getsize(path) - 100)
            bomb = self.server.maildir("alice") + "/new/bomb"
            with gzip.open(bomb, "wb", 9) as f:
                for _ in range(130):
                    f.write(b"\n" * (1 << 20))
            os.chown(bomb, self.server.uid, self.server.gid)
            shutil.rmtree(self.server.maildir("alice") + "/culver.index")
            imap = self.server.imap("alice")
            self.assertEqual(imap.select("INBOX")[1], [b"5"])
            self.assertEqual(imap.fetch("1:*", "(RFC822.SIZE BODY.PEEK[])")[0], "NO")
            for seq in (1, 2, 4):
                self.assertEqual(imap.fetch(str(seq), "BODY.PEEK[]")[1][0][1], MESSAGES[seq - 1])
            for seq in (3, 5):
                self.assertEqual(imap.fetch(str(seq), "BODY.PEEK[]")[0], "NO")
            self.assertEqual(imap.status("INBOX", "(MESSAGES SIZE)")[0], "OK")
            imap.logout()
            pop3 = self.server.pop3("alice")
            self.assertEqual(pop3.stat()[0], 5)
            with self.assertRaises(Exception):
                pop3.retr(3)
            self.assertEqual(b"\r\n".join(pop3.retr(4)[1]) + b"\r\n", MESSAGES[3])
            pop3.quit()
            log = self.server.log_text()
            self.assertIn("cut off", log)
            self.assertIn("more than 104857600 octets", log)

    def doveadm(self, save, *args, stdin=None):
        config = self.server.path("doveadm.conf")
        with open(config, "w") as f:
            f.write(DOVEADM.format(dir=self.server.dir, maildir=self.server.maildir("alice"), save=save))
        os.chmod(config, 0o644)
        command = ["env", "USER=alice", "HOME=" + self.server.path("home", "alice"), "doveadm", "-c", config] + list(args)
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid=%d" % self.server.uid, "--regid=%d" % self.server.gid, "--clear-groups"] + command
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=60, cwd="/")
        assert done.returncode == 0, done
        return done.stdout

    @unittest.skipUnless(shutil.which("doveadm"), "Dovecot is not installed")
    def test_dovecot(self):
        """What Dovecot's zlib plugin wrote is read here, and what is written here by Dovecot."""
        with culver.Server("mail_compress = zstd\n") as self.server:
            for save, message in (("gz", MESSAGES[2]), ("zstd", MESSAGES[3]), ("gz", MESSAGES[1])):
                self.doveadm(save, "save", "-m", "INBOX", stdin=message)
            on_disk = {self.head(x)[:3] for x in self.files()}
            self.assertEqual(on_disk, {GZIP, ZSTD[:3]})
            imap = self.server.imap("alice")
            wanted = [MESSAGES[2], MESSAGES[3], MESSAGES[1]]
            self.assertEqual(fetch_all(imap), [(len(x), x) for x in wanted])
            append(imap, MESSAGES[4])
            append(imap, MESSAGES[0])
            imap.copy("1", "INBOX")
            imap.logout()
            wanted += [MESSAGES[4], MESSAGES[0], MESSAGES[2]]
            out = self.doveadm("gz", "-f", "flow", "fetch", "size.virtual size.physical", "mailbox", "INBOX")
            sizes = sorted(tuple(int(n) for n in re.findall(rb"=(\d+)", line)) for line in out.splitlines())
            self.assertEqual(sizes, sorted((len(x), len(x.replace(b"\r\n", b"\n"))) for x in wanted))
            texts = self.doveadm("gz", "-f", "pager", "fetch", "text", "mailbox", "INBOX")
            for message in wanted:
                self.assertIn(message.replace(b"\r\n", b"\n").strip(), texts.replace(b"\r\n", b"\n"))

    @unittest.skipUnless(shutil.which("doveadm"), "Dovecot is not installed")
    def test_what_is_not_read(self):
        with culver.Server("imap_fetch_failure = no-after\n") as self.server:
            self.server.allowed = ("bzip2, xz or LZ4",)
            self.doveadm("bz2", "save", "-m", "INBOX", stdin=MESSAGES[2])
            self.doveadm("lz4", "save", "-m", "INBOX", stdin=MESSAGES[2])
            imap = self.server.imap("alice")
            self.assertEqual(imap.select("INBOX")[1], [b"2"])
            self.assertEqual(imap.fetch("1", "BODY.PEEK[]")[0], "NO")
            append(imap, MESSAGES[1])
            self.assertEqual(imap.fetch("3", "BODY.PEEK[]")[1][0][1], MESSAGES[1])
            imap.logout()
            self.assertIn("bzip2, xz or LZ4", self.server.log_text())


if __name__ == "__main__":
    unittest.main()
