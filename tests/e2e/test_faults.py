# SPDX-License-Identifier: MIT
"""The disk is full, may only be read, or lies; derived files are damaged under the hands of sessions.  Each is answered,
nothing is kept by half, and the mailbox is as before as soon as the cause is gone, without a restart."""
import imaplib
import os
import poplib
import resource
import shutil
import smtplib
import subprocess
import unittest

import culver

LARGE = "x" * 70 + "\r\n"


def mount(*args):
    done = subprocess.run(["mount", *args], capture_output=True, text=True)
    if done.returncode != 0:
        raise unittest.SkipTest("nothing can be mounted here: %s" % done.stderr.strip())


class Faults(unittest.TestCase):
    extra = ""

    def setUp(self):
        self.mounted = []
        self.server = culver.Server(extra=self.extra, start=False)
        # What these tests provoke is told in the log; a process that dies is still a failure.
        self.server.allowed = ("No space left", "Read-only file system", "Permission denied", "File too large", "index",
                               "can not be written", "for reading only", "Disk quota", "is another one now")
        self.home = self.server.path("home", "alice")
        self.prepare()
        self.server.start()

    def prepare(self):
        pass

    def tearDown(self):
        try:
            self.server.stop()
        finally:
            for place in reversed(self.mounted):
                subprocess.run(["umount", "-l", place], check=False, capture_output=True)
            self.server.close()

    def tmpfs(self, place, size):
        if os.geteuid() != 0:
            self.skipTest("only root can mount")
        os.makedirs(place, exist_ok=True)
        mount("-t", "tmpfs", "-o", "size=%s,mode=0700,uid=%d,gid=%d" % (size, self.server.uid, self.server.gid), "tmpfs", place)
        self.mounted.append(place)

    def fill(self, place):
        """Every octet of it; the name of what fills it."""
        name = os.path.join(place, "ballast")
        with open(name, "wb", buffering=0) as f:
            for size in (65536, 4096, 1):
                try:
                    while True:
                        f.write(b"\0" * size)
                except OSError:
                    continue
        return name

    def select(self, box="INBOX", user="alice"):
        """A new session: (mode, UIDVALIDITY, {uid: (flags, subject)})."""
        imap = self.server.imap(user)
        typ, data = imap.select(box)
        self.assertEqual(typ, "OK", data)
        validity = imap.response("UIDVALIDITY")[1]
        mode = "READ-ONLY" if imap.is_readonly else "READ-WRITE"
        typ, rows = imap.uid("fetch", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        self.assertEqual(typ, "OK")
        mails = {}
        for row in rows:
            if isinstance(row, tuple):
                head = row[0].decode()
                uid = int(head.split("UID ")[1].split()[0].rstrip(")"))
                flags = head.split("FLAGS (")[1].split(")")[0].replace("\\Recent", "").split()
                mails[uid] = (sorted(flags), row[1].decode().strip())
        imap.logout()
        return mode, validity, mails

    def append(self, text, user="alice"):
        imap = self.server.imap(user)
        answer = imap.append("INBOX", None, None, text.encode())
        imap.logout()
        return answer

    def lmtp_code(self, text, user="alice"):
        with self.server.lmtp() as c:
            c.ehlo("here")
            c.mail("a@example.org")
            code = c.rcpt(user)[0]
            return code if code >= 400 else c.data(text)[0]

    def litter(self, maildir):
        return os.listdir(maildir + "/tmp")


def is_readonly_fix():
    """imaplib forgets the answer's code: READ-ONLY is kept here."""
    original = imaplib.IMAP4.select

    def select(self, mailbox="INBOX", readonly=False):
        self.is_readonly = False
        self.untagged_responses = {}
        typ, dat = self._simple_command("EXAMINE" if readonly else "SELECT", mailbox)
        if typ != "OK":
            return typ, dat
        self.state = "SELECTED"
        self.is_readonly = b"READ-ONLY" in b"".join(x for x in dat if x) or "READ-ONLY" in self.untagged_responses
        return typ, self.untagged_responses.get("EXISTS", [None])
    imaplib.IMAP4.select = select
    return original


is_readonly_fix()


class FullDisk(Faults):
    def prepare(self):
        self.tmpfs(self.home, "6m")

    def test_mail_and_index_on_a_full_disk(self):
        server = self.server
        for i in range(5):
            server.deliver(culver.message("mail %d" % i), "alice")
        imap = server.imap("alice")
        imap.select("INBOX")
        imap.store("2", "+FLAGS", "(\\Seen)")
        imap.logout()
        before = self.select()
        idle = server.imap("alice")     # a session that is there all the time
        idle.select("INBOX")
        ballast = self.fill(self.home)
        for _ in range(2):
            self.assertEqual(self.select()[1:], before[1:])
        typ, data = self.append(culver.message("no room", LARGE * 2000))
        self.assertEqual(typ, "NO")
        self.assertIn(b"[OVERQUOTA]", data[0])
        self.assertEqual(self.lmtp_code(culver.message("no room", LARGE * 2000)), 452)
        typ, data = idle.append("INBOX", None, None, culver.message("no room", LARGE * 2000).encode())
        self.assertEqual(typ, "NO")
        self.assertEqual(idle.fetch("1:*", "(UID BODY.PEEK[])")[0], "OK")
        typ, data = idle.create("Folder")
        self.assertIn(typ, ("OK", "NO"))
        pop = server.pop3("alice")
        self.assertEqual(pop.stat()[0], 5)
        self.assertIn(b"Subject: mail 0", b"\n".join(pop.retr(1)[1]))
        pop.quit()
        # What is expunged makes room, and goes also when there is none.
        idle.store("5", "+FLAGS", "(\\Deleted)")
        idle.expunge()
        self.assertEqual(self.litter(self.server.maildir("alice")), [])
        os.unlink(ballast)
        self.assertEqual(self.append(culver.message("room again", LARGE * 2000))[0], "OK")
        self.assertEqual(idle.append("INBOX", None, None, culver.message("room again", LARGE * 2000).encode())[0], "OK")
        server.deliver(culver.message("room again"), "alice")
        idle.logout()
        mode, validity, mails = self.select()
        self.assertEqual((mode, validity), ("READ-WRITE", before[1]))
        self.assertEqual([m[1] for m in mails.values()].count("Subject: room again"), 3)
        self.assertEqual([m[1] for m in mails.values()].count("Subject: no room"), 0)
        self.assertEqual(server.adm("scrub", "-u", "alice"), "")


class FullIndex(Faults):
    extra = "mail_location = maildir:~/Maildir:INDEX=~/index\n"

    def prepare(self):
        self.index = os.path.join(self.home, "index")
        self.tmpfs(self.index, "2m")

    def outside(self, name):
        path = os.path.join(self.server.maildir("alice"), "new", name)
        with open(path, "w") as f:
            f.write("Subject: outside\n\ntext\n")
        os.chown(path, self.server.uid, self.server.gid)

    def test_index_file_system_full(self):
        server = self.server
        for i in range(5):
            server.deliver(culver.message("mail %d" % i), "alice")
        before = self.select()
        self.assertEqual(before[0], "READ-WRITE")
        ballast = self.fill(self.index)
        self.assertEqual(self.select()[1:], before[1:])
        # An index that can not take a message in does not keep those that it has from anybody.
        for i in range(400):
            self.outside("1700000000.M%dP1.outside" % i)
        mode, validity, mails = self.select()
        self.assertEqual(validity, before[1])
        self.assertTrue(before[2].items() <= mails.items())
        os.unlink(ballast)
        self.assertEqual(len(self.select()[2]), 405)
        server.deliver(culver.message("room again"), "alice")
        self.assertEqual(len(self.select()[2]), 406)
        self.assertEqual(server.adm("scrub", "-u", "alice"), "")

    def test_no_index_and_no_room_for_one(self):
        server = self.server
        for i in range(5):
            server.deliver(culver.message("mail %d" % i), "alice")
        before = self.select()
        server.stop()       # whoever has the removed index open has its room as well
        shutil.rmtree(self.index + "/culver.index")
        ballast = self.fill(self.index)
        server.start()
        self.assertEqual(self.select(), ("READ-ONLY",) + before[1:])
        typ, data = self.append(culver.message("refused"))
        self.assertEqual(typ, "NO")
        self.assertIn(b"[OVERQUOTA]", data[0])
        self.assertEqual(self.lmtp_code(culver.message("refused")), 452)
        pop = server.pop3("alice")
        self.assertEqual(pop.stat()[0], 5)
        pop.quit()
        os.unlink(ballast)
        self.assertEqual(self.select(), before)
        culver.wait_for(lambda: self.lmtp_code(culver.message("room again")) == 250, "deliveries go on")
        self.assertEqual(len(self.select()[2]), 6)


class ReadOnly(Faults):
    def read_only(self, on):
        if on:
            mount("--bind", self.home, self.home)
            mount("-o", "remount,bind,ro", self.home)
            self.mounted.append(self.home)
        else:
            subprocess.run(["umount", "-l", self.mounted.pop()], check=True)

    def check(self, before):
        self.assertEqual(self.select(), ("READ-ONLY",) + before[1:])
        imap = self.server.imap("alice")
        imap.select("INBOX")
        self.assertEqual(imap.store("1", "+FLAGS", "(\\Flagged)")[0], "NO")
        self.assertEqual(imap.append("INBOX", None, None, culver.message("refused").encode())[0], "NO")
        self.assertEqual(imap.create("Refused")[0], "NO")
        self.assertEqual(imap.search(None, "SUBJECT", "mail")[0], "OK")
        self.assertEqual(imap.status("INBOX", "(MESSAGES UIDNEXT SIZE)")[0], "OK")
        imap.logout()
        self.assertEqual(self.lmtp_code(culver.message("refused")) // 100, 4)
        pop = self.server.pop3("alice")
        self.assertEqual(pop.stat()[0], len(before[2]))
        self.assertTrue(pop.retr(1)[0].startswith(b"+OK"))
        pop.dele(1)
        self.assertRaises(poplib.error_proto, pop.quit)

    def test_read_only_file_system(self):
        if os.geteuid() != 0:
            self.skipTest("only root can mount")
        server = self.server
        for i in range(4):
            server.deliver(culver.message("mail %d" % i), "alice")
        imap = server.imap("alice")
        imap.select("INBOX")
        imap.store("2", "+FLAGS", "(\\Seen important)")
        imap.store("3", "+FLAGS", "(\\Deleted)")
        imap.expunge()
        imap.logout()
        before = self.select()
        self.assertEqual(before[0], "READ-WRITE")
        self.read_only(True)
        self.check(before)
        self.read_only(False)
        self.assertEqual(self.select(), before)
        shutil.rmtree(server.maildir("alice") + "/culver.index")
        self.read_only(True)
        self.check(before)
        self.read_only(False)
        self.assertEqual(self.select(), before)
        culver.wait_for(lambda: self.lmtp_code(culver.message("again")) == 250, "deliveries go on")
        self.assertEqual(len(self.select()[2]), 4)
        self.assertEqual(server.adm("scrub", "-u", "alice"), "")


class FileSize(Faults):
    def prepare(self):
        self.limit = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, self.limit[1]))     # all that is started has it

    def tearDown(self):
        resource.setrlimit(resource.RLIMIT_FSIZE, self.limit)
        super().tearDown()

    def test_file_size_limit(self):
        """RLIMIT_FSIZE (SIGXFSZ): the message is refused, the session goes on."""
        server = self.server
        server.deliver(culver.message("small"), "alice")
        imap = server.imap("alice")
        imap.select("INBOX")
        for _ in range(2):
            self.assertEqual(imap.append("INBOX", None, None, culver.message("large", LARGE * 30000).encode())[0], "NO")
            self.assertEqual(imap.append("INBOX", None, None, culver.message("small").encode())[0], "OK")
        imap.logout()
        self.assertIn(self.lmtp_code(culver.message("large", LARGE * 30000)), (451, 452))
        server.deliver(culver.message("small"), "alice")
        self.assertEqual([m[1] for m in self.select()[2].values()], ["Subject: small"] * 4)
        self.assertEqual(self.litter(server.maildir("alice")), [])


class Permission(Faults):
    def test_directory_without_permission(self):
        server = self.server
        server.deliver(culver.message("mail"), "alice")
        before = self.select()
        for part in ("cur", "new", "tmp", ""):
            place = os.path.join(server.maildir("alice"), part)
            os.chmod(place, 0)
            try:
                if os.geteuid() == 0:
                    self.assertIn(self.append(culver.message("refused"))[0] if part != "" else "NO", ("OK", "NO"))
                    self.assertTrue(250 <= self.lmtp_code(culver.message("perhaps")) < 500)
            except (imaplib.IMAP4.error, OSError, smtplib.SMTPException):
                pass
            finally:
                os.chmod(place, 0o700)
            mode, validity, mails = self.select()
            self.assertEqual((mode, validity), before[:2])
            self.assertTrue(before[2].items() <= mails.items())
        self.assertEqual(server.adm("scrub", "-u", "alice"), "")


class FullLog(Faults):
    extra = "log_path = {log}/log\n"

    def prepare(self):
        place = self.server.path("logs")
        self.tmpfs(place, "64k")
        os.chmod(place, 0o777)
        with open(self.server.config) as f:
            text = f.read()
        with open(self.server.config, "w") as f:
            f.write(text.replace("{log}", place))
        self.place = place

    def test_log_file_system_full(self):
        self.fill(self.place)
        for i in range(3):
            self.server.deliver(culver.message("mail %d" % i), "alice")
            self.assertEqual(len(self.select()[2]), i + 1)
            self.assertEqual(self.append(culver.message("more"), user="bob")[0], "OK")
        self.assertEqual(self.server.imap("alice", login=False).noop()[0], "OK")


class Derived(Faults):
    """Removed or damaged while sessions are open: they go on, or end, and the next has the same mailbox."""

    def damage(self):
        index = os.path.join(self.server.maildir("alice"), "culver.index")
        control = os.path.join(self.server.maildir("alice"), "culver-mailbox")

        def junk(path):
            with open(path, "r+b") as f:
                f.write(os.urandom(os.path.getsize(path)))
        yield lambda: os.unlink(index + "/lock.mdb")
        yield lambda: os.unlink(index + "/sessions")
        yield lambda: junk(index + "/sessions")
        yield lambda: shutil.rmtree(index)
        yield lambda: os.unlink(control)
        yield lambda: junk(control)
        yield lambda: (os.unlink(control), shutil.rmtree(index))

    def test_removed_or_damaged_under_sessions(self):
        server = self.server
        for i in range(5):
            server.deliver(culver.message("mail %d" % i), "alice")
        before = self.select()
        for damage in self.damage():
            with server.raw("imap") as c:
                c.line()
                c.ask("a", 'LOGIN alice "%s"' % culver.PASSWORD)
                c.ask("b", "SELECT INBOX")
                damage()
                c.ask("c", "NOOP")
                c.ask("d", "UID FETCH 1:* (FLAGS BODY.PEEK[])")
            mode, validity, mails = self.select()
            self.assertEqual((mode, validity), before[:2])
            self.assertTrue(before[2].items() <= mails.items())
            server.deliver(culver.message("after the damage"), "alice")
            more = self.select()[2]
            self.assertEqual(len(more), len(mails) + 1)
            self.assertTrue(max(more) > max(mails))
            server.adm("scrub", "-u", "alice", "--repair", check=False)     # writes the control file again
            self.assertEqual(server.adm("scrub", "-u", "alice"), "")
            before = self.select()

    def test_culveradm_index_and_scrub(self):
        server = self.server
        for i in range(20):
            server.deliver(culver.message("mail %d" % i), "alice")
        before = self.select()
        self.assertEqual(server.adm("index", "verify", "-u", "alice"), "")
        self.assertEqual(server.adm("index", "verify", "-u", "alice", "INBOX"), "")
        stats = dict(x.split()[-2:] for x in server.adm("index", "stats", "-u", "alice").splitlines())
        self.assertEqual(stats["message-entries"], "20")
        self.assertTrue(int(stats["file-octets"]) > 0 and int(stats["octets-a-message"]) > 0, stats)
        server.adm("index", "rebuild", "-u", "alice", "INBOX")
        self.assertEqual(self.select()[1:], before[1:])
        imap = server.imap("alice")
        imap.select("INBOX")
        server.adm("index", "compact", "-u", "alice")
        self.assertEqual(imap.store("1", "+FLAGS", "(\\Seen)")[0], "OK")
        imap.logout()
        self.assertEqual(server.adm("scrub", "-u", "alice", "INBOX"), "")
        # A message changed behind everybody's back.
        maildir = server.maildir("alice")
        self.assertEqual(server.adm("fetch", "-u", "alice", "uid", "mailbox", "INBOX", "uid", "2").split()[-1], "2")
        for sub in ("cur", "new"):
            for name in os.listdir(os.path.join(maildir, sub)):
                if ".2:" in name or name.endswith(".2"):
                    with open(os.path.join(maildir, sub, name), "a") as f:
                        f.write("more than was there\n")
        done = server.adm("scrub", "-u", "alice", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("message 2:", done.stdout)
        os.unlink(maildir + "/culver-mailbox")
        done = server.adm("scrub", "-u", "alice", check=False)
        self.assertIn("the control file is missing", done.stdout)
        server.adm("scrub", "-u", "alice", "--repair", check=False)
        done = server.adm("scrub", "-u", "alice", check=False)
        self.assertNotIn("control file", done.stdout)
        self.assertEqual(self.select()[1], before[1])


if __name__ == "__main__":
    unittest.main()
