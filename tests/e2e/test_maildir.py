# SPDX-License-Identifier: MIT
"""Maildir and the programs beside the server: they add, flag, move and remove files while sessions are open."""
import glob
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import unittest

import culver


def needs(*programs):
    missing = [x for x in programs if shutil.which(x) is None]
    return unittest.skipIf(missing, "%s not installed" % ", ".join(missing))


def subjects(imap, box=None):
    """The subjects of all messages, in order."""
    if box is not None:
        imap.select(box)
    else:
        imap.noop()
    status, answer = imap.fetch("1:*", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
    return [x[1].decode().split(":", 1)[1].strip() for x in answer or [] if isinstance(x, tuple)] if status == "OK" else []


class Base(unittest.TestCase):
    extra = ""

    def setUp(self):
        self.server = culver.Server(self.extra)
        self.dir = self.server.maildir("alice")

    def tearDown(self):
        self.server.close()

    def as_user(self, *command, stdin=None, env=None, check=True):
        """A command of the mail's owner, in his home."""
        if os.geteuid() == 0:
            command = ("setpriv", "--reuid=%d" % self.server.uid, "--regid=%d" % self.server.gid, "--clear-groups") + command
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=60, cwd=self.server.path("home", "alice"),
                              env=dict(os.environ, HOME=self.server.path("home", "alice"), **(env or {})))
        if check and done.returncode != 0:
            raise AssertionError(done)
        return done

    def shell(self, script):
        return self.as_user("sh", "-ec", script).stdout.decode()

    def mail(self, subject, body="Text\n"):
        return ("From: a@example.org\nSubject: %s\n\n%s" % (subject, body)).encode()


class Replaced(Base):
    """The whole tree goes while a delivering process has it open: removed, begun anew, put back from a copy."""
    def put(self, subject):
        self.server.deliver(culver.message(subject), "alice")

    def test_removed(self):
        self.put("one")
        shutil.rmtree(self.dir)
        self.put("two")
        self.assertEqual(subjects(self.server.imap("alice"), "INBOX"), ["two"])

    def test_begun_anew(self):
        self.put("one")
        for i in range(3):
            shutil.rmtree(self.dir)
            self.shell("mkdir -m 700 Maildir Maildir/cur Maildir/new Maildir/tmp")
            self.put("two")
            self.put("three")
            imap = self.server.imap("alice")
            self.assertEqual(subjects(imap, "INBOX"), ["two", "three"])
            imap.logout()

    def test_restored(self):
        self.put("one")
        self.shell("cp -a Maildir copy")
        self.put("two")
        self.shell("mv Maildir damaged; cp -a copy Maildir")
        self.put("three")
        imap = self.server.imap("alice")
        self.assertEqual(subjects(imap, "INBOX"), ["one", "three"])
        imap.logout()
        self.put("four")
        self.assertEqual(len(glob.glob(self.dir + "/[cn]*[wr]/*U=*")), 3)
        self.server.adm("scrub", "-u", "alice")
        self.shell("rm -rf Maildir; mv damaged Maildir")
        self.put("five")
        # Where the index has seen the message go, it comes back as a new one.
        self.assertEqual(sorted(subjects(self.server.imap("alice"), "INBOX")), ["five", "one", "two"])


class ReplacedBesideOthers(Replaced):
    """The same, in a process that is not shut in to one user's mail."""
    def setUp(self):
        super().setUp()
        self.put("another")
        self.server.deliver(culver.message("another"), "bob")
        self.shell("rm -rf Maildir")


class ReplacedBesideIndex(Replaced):
    """The index is elsewhere, and stays."""
    extra = "mail_location = maildir:~/Maildir:INDEX=~/index\n"


class Programs(Base):
    @needs("procmail")
    def test_procmail(self):
        rc = self.server.path("home", "alice", "rc")
        with open(rc, "w") as f:
            f.write("MAILDIR=%s\nDEFAULT=%s/\n:0\n* ^Subject: .*work\n.Work/\n" % (self.dir, self.dir))
        os.chmod(rc, 0o644)
        imap = self.server.imap("alice")
        imap.create("Work")
        imap.select("INBOX")
        for i in range(5):
            self.as_user("procmail", rc, stdin=self.mail("mail %d" % i))
            self.as_user("procmail", rc, stdin=self.mail("work %d" % i))
        self.assertEqual(sorted(subjects(imap)), ["mail %d" % i for i in range(5)])
        self.assertEqual(sorted(subjects(imap, "Work")), ["work %d" % i for i in range(5)])
        # one more while the client idles
        tag = imap._new_tag()
        imap.send(tag + b" IDLE\r\n")
        self.assertTrue(imap.readline().startswith(b"+"))
        self.as_user("procmail", rc, stdin=self.mail("work late"))
        while not re.match(rb"\* 6 EXISTS", imap.readline()):
            pass
        imap.send(b"DONE\r\n")
        while not imap.readline().startswith(tag + b" OK"):
            pass
        self.assertEqual(len(subjects(imap)), 6)
        imap.logout()

    @needs("mutt")
    def test_mutt(self):
        """mutt reads, flags, deletes and saves to another folder behind an open session."""
        imap = self.server.imap("alice")
        imap.create("Other")
        for i in range(4):
            self.server.deliver(culver.message("mail %d" % i), "alice")
        imap.select("INBOX")
        self.assertEqual(len(subjects(imap)), 4)
        rc = self.server.path("home", "alice", "muttrc")
        with open(rc, "w") as f:
            f.write("set mbox_type=Maildir folder=%s spoolfile=%s delete=yes quit=yes confirmappend=no save_empty=no move=no\n"
                    "set sort=subject\nunset mark_old\nset use_from=no sendmail=/bin/true\n" % (self.dir, self.dir))
        os.chmod(rc, 0o644)
        import pty
        import select
        pid, fd = pty.fork()
        if pid == 0:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(self.server.gid)
                os.setuid(self.server.uid)
            os.chdir(self.server.path("home", "alice"))
            os.environ.update(HOME=self.server.path("home", "alice"), TERM="vt100")
            # read the first, flag the second, delete the third, save the fourth elsewhere
            os.execvp("mutt", ["mutt", "-n", "-F", rc, "-e",
                               "push '1<enter><display-message>q2<enter>F3<enter>d4<enter><save-message><kill-line>%s/.Other<enter>q'"
                               % self.dir])
        deadline = time.monotonic() + culver.WAIT
        while time.monotonic() < deadline:
            if select.select([fd], [], [], 0.2)[0]:
                try:
                    if os.read(fd, 65536) == b"":
                        break
                except OSError:
                    break
        else:
            os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(fd)
        self.assertEqual(subjects(imap), ["mail 0", "mail 1"])
        flags = [x.decode() for x in imap.fetch("1:2", "FLAGS")[1]]
        self.assertIn("\\Seen", flags[0])
        self.assertIn("\\Flagged", flags[1])
        self.assertEqual(subjects(imap, "Other"), ["mail 3"])
        imap.logout()

    @needs("rsync")
    def test_rsync(self):
        """A Maildir copied over another, and restored from a backup: what was removed is there again, as a new message."""
        imap = self.server.imap("alice")
        for i in range(3):
            self.server.deliver(culver.message("mail %d" % i), "alice")
        imap.select("INBOX")
        uids = imap.uid("search", "ALL")[1][0].split()
        self.shell("rsync -a Maildir/ backup/")
        imap.store("2", "+FLAGS", "\\Deleted")
        imap.expunge()
        imap.store("1", "+FLAGS", "\\Seen")
        imap.logout()
        self.shell("rsync -a backup/new backup/cur Maildir/")
        imap = self.server.imap("alice")
        self.assertEqual(sorted(set(subjects(imap, "INBOX"))), ["mail 0", "mail 1", "mail 2"])
        again = imap.uid("search", "ALL")[1][0].split()
        self.assertEqual([x for x in uids if x in again], [uids[0], uids[2]])
        self.assertEqual(len(again), len(set(again)))
        imap.logout()
        self.shell("rsync -a --delete backup/new backup/cur Maildir/")
        imap = self.server.imap("alice")
        self.assertEqual(sorted(subjects(imap, "INBOX")), ["mail 0", "mail 1", "mail 2"])
        imap.logout()

    def test_moves_and_names(self):
        imap = self.server.imap("alice")
        imap.create("Other")
        for i in range(6):
            self.server.deliver(culver.message("mail %d" % i), "alice")
        imap.select("INBOX")
        self.assertEqual(len(subjects(imap)), 6)
        one = lambda n: glob.escape(self.file("mail %d" % n))
        self.shell("mv %s Maildir/.Other/cur/" % one(0))
        self.shell("t=%s; cp $t Maildir/.Other/new/" % one(1))
        self.shell("t=%s; mv $t Maildir/cur/${t##*/}:2,FS" % one(2))
        self.shell("rm %s" % one(3))
        self.shell("t=%s; mv $t Maildir/cur/plain" % one(4))
        self.assertEqual(subjects(imap), ["mail 1", "mail 2", "mail 5", "mail 4"])
        self.assertIn(b"\\Flagged", imap.fetch("2", "FLAGS")[1][0])
        self.assertEqual(subjects(imap, "Other"), ["mail 0", "mail 1"])
        imap.logout()

    def file(self, subject):
        for path in glob.glob(self.dir + "/new/*") + glob.glob(self.dir + "/cur/*"):
            with open(path) as f:
                if ("Subject: %s\n" % subject) in f.read():
                    return path
        raise AssertionError(subject)

    def test_crowd(self):
        """Programs that add, flag, move and remove at the same time, and sessions that look on: each message once, the right one."""
        imap = self.server.imap("alice")
        imap.create("Other")
        imap.select("INBOX")
        # Each is one process: hundreds of mv(1) would take minutes where others work, too.
        head = """
import os, time
def move(old, new):
    time.sleep(0.002)
    try:
        os.rename(old, new)
    except FileNotFoundError:
        pass
def put(box, letter, count):
    for i in range(1, count + 1):
        with open("%s/tmp/%s%d" % (box, letter, i), "w") as f:
            f.write("Subject: %s%d\\n\\nx\\n" % (letter, i))
        move("%s/tmp/%s%d" % (box, letter, i), "%s/new/%s%d" % (box, letter, i))
"""
        scripts = [
            # a delivery agent
            "put('Maildir', 'a', 150)\n",
            # another, into the folder
            "put('Maildir/.Other', 'b', 100)\n",
            # one that flags
            "for i in range(60):\n for f in sorted(os.listdir('Maildir/new'))[:3]: move('Maildir/new/' + f, 'Maildir/cur/' + f + ':2,S')\n",
            # one that moves to the other folder, and back
            "for i in range(60):\n for a, b in (('Maildir/cur/', 'Maildir/.Other/cur/'), ('Maildir/.Other/cur/', 'Maildir/cur/')):\n"
            "  for f in sorted(os.listdir(a))[:1]: move(a + f, b + f)\n",
        ]
        failed = []

        def run(script):
            try:
                self.as_user(sys.executable, "-c", head + script)
            except Exception as e:      # which a thread would keep to itself
                failed.append(e)

        threads = [threading.Thread(target=run, args=(x,)) for x in scripts]
        for t in threads:
            t.start()
        known = {}
        while any(t.is_alive() for t in threads):
            for box in ("INBOX", "Other"):
                imap.select(box)
                answer = imap.uid("fetch", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1] or []
                for x in answer:
                    if isinstance(x, tuple):
                        uid = re.search(rb"UID (\d+)", x[0]).group(1)
                        # a UID is one message for ever
                        self.assertEqual(known.setdefault((box, uid), x[1]), x[1])
        for t in threads:
            t.join()
        self.assertEqual(failed, [])
        found = subjects(imap, "INBOX") + subjects(imap, "Other")
        imap.logout()
        wanted = ["a%d" % i for i in range(1, 151)] + ["b%d" % i for i in range(1, 101)]
        self.assertEqual(sorted(found), sorted(wanted))
        left = sum(len(os.listdir(self.dir + x)) for x in ("/new", "/cur", "/.Other/new", "/.Other/cur"))
        self.assertEqual(left, 250)


class Rights(Base):
    extra = "imap_fetch_failure = no-after\n"

    def test_unreadable(self):
        """A file without rights is told of, and only it."""
        self.server.allowed = ("Permission denied",)
        for i in range(2):
            self.server.deliver(culver.message("mail %d" % i), "alice")
        bad = self.dir + "/new/1700000000.bad"
        with open(bad, "wb") as f:
            f.write(self.mail("secret"))
        os.chown(bad, self.server.uid, self.server.gid)
        os.chmod(bad, 0)
        imap = self.server.imap("alice")
        self.assertEqual(imap.select("INBOX")[1], [b"3"])
        status, answer = imap.fetch("1:*", "(RFC822.SIZE ENVELOPE BODY.PEEK[])")
        self.assertEqual(status, "NO")
        for seq in (1, 2):
            self.assertEqual(imap.fetch(str(seq), "(BODY.PEEK[])")[0], "OK")
        self.assertEqual(imap.fetch("3", "(BODY.PEEK[])")[0], "NO")
        self.assertEqual(imap.store("1:3", "+FLAGS", "\\Seen")[0], "OK")
        self.assertEqual(imap.status("INBOX", "(MESSAGES UNSEEN SIZE)")[0], "OK")
        imap.logout()
        pop3 = self.server.pop3("alice")
        self.assertEqual(pop3.stat()[0], 3)
        self.assertTrue(pop3.retr(1)[0].startswith(b"+OK"))
        pop3.quit()
        self.assertIn("Permission denied", self.server.log_text())
        for path in glob.glob(self.dir + "/cur/*bad*"):
            os.chmod(path, 0o600)
        imap = self.server.imap("alice")
        self.assertEqual(subjects(imap, "INBOX")[2], "secret")
        imap.logout()

    def test_modes_from_above(self):
        """What the server's processes make has the rights of where it is made, whatever their umask is."""
        imap = self.server.imap("alice")
        imap.create("Shared")
        shared = self.dir + "/.Shared"
        for path in (shared, shared + "/cur", shared + "/new", shared + "/tmp"):
            os.chmod(path, 0o2770)
        imap.append("Shared", "\\Seen", None, self.mail("one"))
        imap.create("Shared.Sub")
        imap.append("Shared.Sub", None, None, self.mail("two"))
        imap.append("INBOX", None, None, self.mail("three"))
        imap.select("INBOX")
        imap.copy("1", "Shared.Sub")
        imap.logout()

        def mode(pattern):
            return {oct(os.stat(x).st_mode & 0o7777) for x in glob.glob(self.dir + pattern)}
        self.assertEqual(mode("/.Shared/cur/*"), {"0o660"})
        self.assertEqual(mode("/.Shared.Sub"), {"0o2770"})
        self.assertEqual(mode("/.Shared.Sub/cur"), {"0o2770"})
        self.assertEqual(mode("/new/*"), {"0o600"})
        self.assertEqual(mode("/.Shared.Sub/culver-mailbox"), {"0o660"})


class Layouts(unittest.TestCase):
    def run_in(self, location, separator, wanted):
        """Names made by a client are directories where the layout says."""
        with culver.Server() as server:
            with open(server.config) as f:
                text = f.read()
            server.stop()
            text = text.replace("mail_location = maildir:~/Maildir", "mail_location = " + location)
            text = text.replace("  inbox = yes\n", "  inbox = yes\n  separator = %s\n" % separator)
            with open(server.config, "w") as f:
                f.write(text)
            server.start()
            imap = server.imap("alice")
            names = ['"Work%s2026"' % separator, '"Entw&APw-rfe"', '"a &- b"', '"~tilde"', '"100%"', '"star*"', '"q\\"uote"']
            for name in names:
                self.assertEqual(imap.create(name)[0], "OK", name)
                self.assertEqual(imap.append(name, None, None, b"Subject: x\r\n\r\ny\r\n")[0], "OK", name)
                self.assertEqual(imap.subscribe(name)[0], "OK", name)
                self.assertEqual(imap.select(name)[1], [b"1"])
            self.assertEqual(imap.create('"a%sb"' % ("." if separator == "/" else "/"))[0],
                             "OK" if "fs" in location and separator == "/" else "NO")
            listed = b"\n".join(x if isinstance(x, bytes) else b"".join(x) for x in imap.lsub()[1])
            for name in ("Entw&APw-rfe", "a &- b", "~tilde", "100%", "star*"):
                self.assertIn(name.encode(), listed)
            imap.logout()
            # the server's restart, and a delivery by LMTP, find them again
            server.stop()
            server.start()
            server.deliver(culver.message("after"), "alice")
            imap = server.imap("alice")
            self.assertEqual(imap.select(names[1])[1], [b"1"])
            self.assertEqual(imap.select("INBOX")[1], [b"1"])
            imap.logout()
            home = server.path("home", "alice")
            for path in wanted:
                self.assertTrue(os.path.isdir(os.path.join(home, path, "cur")), path)

    def test_maildir_plus_plus(self):
        self.run_in("maildir:~/Maildir:INDEX=~/index:CONTROL=~/control", ".",
                    ["Maildir/.Work.2026", "Maildir/.Entw&APw-rfe", "Maildir/.a &- b", "Maildir/.~tilde"])

    def test_utf8_with_slashes(self):
        self.run_in("maildir:~/Maildir:UTF-8:INBOX=~/Maildir/inbox", "/",
                    ["Maildir/inbox", "Maildir/.Work.2026", "Maildir/.Entw\u00fcrfe", "Maildir/.a & b"])

    def test_fs_with_dirname(self):
        self.run_in("maildir:~/Mail:LAYOUT=fs:DIRNAME=Maildir:SUBSCRIPTIONS=.subs", "/",
                    ["Mail/INBOX/Maildir", "Mail/Work/2026/Maildir", "Mail/Entw&APw-rfe/Maildir", "Mail/a.b/Maildir"])

    def test_fs_with_dots(self):
        self.run_in("maildir:~/Mail:LAYOUT=fs", ".", ["Mail", "Mail/Work/2026", "Mail/star*"])


class Locks(Base):
    def test_nobody_waits_for_a_slow_client(self):
        """An APPEND that stands still and a FETCH whose answer is not read hold up no other session."""
        for i in range(3):
            self.server.deliver(culver.message("mail %d" % i, "x" * 70 + "\r\n"), "alice")
        big = culver.message("large", ("y" * 76 + "\r\n") * 400000)      # more than the sockets' buffers hold
        self.server.deliver(big, "alice")
        stalled, slow = self.server.raw("imap"), self.server.raw("imap")
        for c in (stalled, slow):
            c.until("*")
            c.ask("a", 'LOGIN alice "%s"' % culver.PASSWORD)
            c.ask("b", "SELECT INBOX")
        stalled.send("c APPEND INBOX {100000}\r\n")
        self.assertTrue(stalled.line().startswith(b"+"))
        stalled.send(b"Subject: half\r\n\r\n" + b"z" * 50000)
        slow.send("c FETCH 4 BODY.PEEK[]\r\n")
        time.sleep(0.5)
        begin = time.monotonic()
        imap = self.server.imap("alice")
        self.assertEqual(imap.select("INBOX")[1], [b"4"])
        self.assertEqual(imap.store("1:*", "+FLAGS", "(\\Seen new-keyword)")[0], "OK")
        self.assertEqual(imap.append("INBOX", None, None, self.mail("mine"))[0], "OK")
        self.server.deliver(culver.message("delivered"), "alice")
        self.assertEqual(imap.create("New")[0], "OK")
        self.assertEqual(imap.copy("1:3", "New")[0], "OK")
        self.assertEqual(imap.store("4", "+FLAGS", "\\Deleted")[0], "OK")
        self.assertEqual(imap.expunge()[0], "OK")
        self.assertEqual(imap.rename("New", "Newer")[0], "OK")
        self.assertEqual(imap.delete("Newer")[0], "OK")
        imap.logout()
        self.assertLess(time.monotonic() - begin, 10)
        # the one comes to its end, and the other has what it asked for, though it was expunged meanwhile
        stalled.send(b"z" * (100000 - 50017) + b"\r\n")
        self.assertTrue(stalled.until("c ")[-1].startswith(b"c OK"), "APPEND")
        text = bytearray(slow.data)
        while b"\r\nc OK" not in text[-200:]:
            more = slow.socket.recv(1 << 20)
            self.assertNotEqual(more, b"")
            text += more
        self.assertEqual(text.count(b"y" * 76), 400000)
        stalled.close()
        slow.close()

    def test_locks_die_with_their_holder(self):
        """Workers that are killed in the middle of whatever they do leave nobody waiting."""
        self.server.allowed = ("signal", "ended with status", "killed")
        for round_ in range(4):
            clients = [self.server.imap("alice") for _ in range(3)]
            stop = threading.Event()

            def work(client):
                try:
                    client.select("INBOX")
                    while not stop.is_set():
                        client.append("INBOX", None, None, self.mail("x"))
                        client.store("1:*", "+FLAGS", "\\Seen")
                        client.store("1:*", "-FLAGS", "\\Seen")
                except Exception:
                    pass
            threads = [threading.Thread(target=work, args=(c,)) for c in clients]
            for t in threads:
                t.start()
            time.sleep(0.3 + 0.05 * round_)
            parents = set(self.server.pids("imap")[:1])
            for pid in self.server.pids("imap"):
                if pid not in parents:
                    try:
                        os.kill(pid, 9)
                    except ProcessLookupError:
                        pass
            stop.set()
            for t in threads:
                t.join(culver.WAIT)
            begin = time.monotonic()
            imap = self.server.imap("alice")
            self.assertEqual(imap.select("INBOX")[0], "OK")
            self.assertEqual(imap.append("INBOX", None, None, self.mail("after"))[0], "OK")
            self.assertEqual(imap.store("1:*", "+FLAGS", "\\Flagged")[0], "OK")
            imap.logout()
            self.assertLess(time.monotonic() - begin, 10)


if __name__ == "__main__":
    unittest.main()
