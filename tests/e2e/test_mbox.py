# SPDX-License-Identifier: MIT
"""mbox files: the first configuration of every tutorial, with the spool as Debian has it, beside other programs.

The spool is root:mail 2775, a mailbox in it its user's and the group's.  procmail, mutt, mail and Dovecot itself work on the
same files; nothing may be lost, and each must see the UIDs and flags that the others wrote.
"""
import grp
import os
import pty
import pwd
import re
import select
import shutil
import signal
import smtplib
import subprocess
import threading
import time
import unittest

import culver

ROOT = os.geteuid() == 0
EXTRA = """\
mail_location = mbox:~/mail:INBOX={spool}/%u
mail_privileged_group = mail
mbox_lock_timeout = 30s
"""


def needs(program):
    return unittest.skipUnless(shutil.which(program), "there is no " + program)


def as_user(server, group="mail"):
    """For subprocess: the mail user, in the group that programs for the spool are installed with."""
    def change():
        if ROOT:
            gid = grp.getgrnam(group).gr_gid if group else server.gid
            os.setgroups([])
            os.setresgid(gid, gid, gid)
            os.setresuid(server.uid, server.uid, server.uid)
        os.umask(0o007)
    return change


def numbered(n, who="lmtp"):
    return culver.message("Number %s-%d" % (who, n), "Body %s-%d\r\nFrom the beginning\r\n" % (who, n))


class MboxServer(culver.Server):
    def __init__(self, extra="", start=True):
        super().__init__("", start=False)
        self.spool = self.path("spool")
        os.mkdir(self.spool)
        os.chmod(self.spool, 0o2775)
        if ROOT:
            os.chown(self.spool, 0, grp.getgrnam("mail").gr_gid)
            os.chmod(self.spool, 0o2775)
        text = self.read("dovecot.conf").replace("mail_location = maildir:~/Maildir\n", EXTRA.format(spool=self.spool))
        with open(self.config, "w") as f:
            f.write(text + extra)
        if start:
            self.start()

    def inbox(self, user="alice"):
        return os.path.join(self.spool, user)

    def text(self, user="alice"):
        with open(self.inbox(user), "rb") as f:
            return f.read()

    def put(self, user, data):
        """A mailbox that other programs made."""
        with open(self.inbox(user), "wb") as f:
            f.write(data)
        if ROOT:
            os.chown(self.inbox(user), self.uid, grp.getgrnam("mail").gr_gid)
        os.chmod(self.inbox(user), 0o660)

    def no_locks(self):
        return [n for n in os.listdir(self.spool) if n.endswith(".lock")] == []


def uids_flags(imap):
    out = {}
    for line in imap.fetch("1:*", "(UID FLAGS)")[1]:
        if line is None:
            continue
        m = re.search(rb"UID (\d+) FLAGS \(([^)]*)\)|FLAGS \(([^)]*)\) UID (\d+)", line)
        if m is None:       # told unasked
            continue
        uid, flags = (m.group(1), m.group(2)) if m.group(1) else (m.group(4), m.group(3))
        out[int(uid)] = set(flags.split()) - {b"\\Recent"}
    return out


def status(imap, box, item):
    return int(re.search(rb"%s (\d+)" % item.encode(), imap.status(box, "(%s)" % item)[1][0]).group(1))


class Tutorial(unittest.TestCase):
    def test_first_configuration(self):
        with MboxServer() as server:
            server.deliver(numbered(1))
            server.deliver(numbered(2))
            st = os.stat(server.inbox())
            if ROOT:
                self.assertEqual((st.st_uid, st.st_gid, st.st_mode & 0o777),
                                 (server.uid, grp.getgrnam("mail").gr_gid, 0o660))
            text = server.text()
            self.assertTrue(text.startswith(b"From sender@example.org "), text[:100])
            self.assertIn(b"\n>From the beginning\n", text)
            imap = server.imap()
            self.assertEqual(imap.select()[1], [b"2"])
            body = imap.fetch("1", "(BODY.PEEK[] RFC822.SIZE)")[1][0]
            self.assertIn(b"Subject: Number lmtp-1", body[1])
            for hidden in (b"Status:", b"X-UID", b"X-IMAP", b"Content-Length", b"X-Keywords"):
                self.assertNotIn(hidden, body[1])
            self.assertEqual(int(re.search(rb"RFC822.SIZE (\d+)", body[0]).group(1)), len(body[1]))
            imap.store("1", "+FLAGS", r"(\Flagged work)")
            imap.create("lists/culver")
            self.assertEqual(imap.copy("1:2", "lists/culver")[0], "OK")
            self.assertEqual(imap.append("lists/culver", r"(\Draft)", None, numbered(3).encode())[0], "OK")
            imap.subscribe("lists/culver")
            self.assertIn(b'(\\Noinferiors \\HasNoChildren) "/" lists/culver', imap.list()[1])
            self.assertIn(b'(\\Noselect \\HasChildren) "/" lists', imap.list()[1])
            imap.store("2", "+FLAGS", r"(\Deleted)")
            imap.expunge()
            imap.logout()
            with open(server.path("home", "alice", "mail", ".subscriptions")) as f:
                self.assertIn("lists\tculver", f.read())
            text = server.text()
            self.assertIn(b"\nX-Keywords: work", text)
            self.assertIn(b"\nX-Status: F\n", text)
            self.assertNotIn(b"lmtp-2", text)
            pop = server.pop3()
            self.assertEqual(pop.stat()[0], 1)
            self.assertIn(b"Body lmtp-1", b"\n".join(pop.retr(1)[1]))
            pop.quit()
            culver.wait_for(server.no_locks, "no lock file is left")

    def test_index_lost(self):
        with MboxServer() as server:
            for n in range(5):
                server.deliver(numbered(n))
            imap = server.imap()
            imap.select()
            imap.store("2", "+FLAGS", r"(\Seen \Answered $Junk)")
            imap.store("4", "+FLAGS", r"(\Deleted)")
            imap.expunge()
            before, validity = uids_flags(imap), status(imap, "INBOX", "UIDVALIDITY")
            imap.logout()
            # All that is not mail: the index, and what is kept about mailboxes.
            for what in ([".culver.index"], [".culver.index", ".culver.control"]):
                for name in what:
                    shutil.rmtree(server.path("home", "alice", "mail", name))
                imap = server.imap()
                imap.select()
                self.assertEqual(uids_flags(imap), before)
                self.assertEqual(status(imap, "INBOX", "UIDVALIDITY"), validity)
                imap.logout()
            server.deliver(numbered(9))
            imap = server.imap()
            imap.select()
            self.assertGreater(max(uids_flags(imap)), max(before))
            imap.logout()

    def test_read_only_spool(self):
        with MboxServer() as server:
            server.put("bob", b"From x@example.org Thu Nov 26 10:00:00 2026\nSubject: old\n\nold mail\n\n")
            if not ROOT:
                self.skipTest("files of another user are needed")
            os.chown(server.inbox("bob"), 0, 0)
            os.chmod(server.inbox("bob"), 0o644)
            os.chmod(server.spool, 0o755)
            server.allowed = ("can not be written",)
            imap = server.imap("bob")
            self.assertEqual(imap.select()[1], [b"1"])
            self.assertIn(b"old mail", imap.fetch("1", "(BODY[TEXT])")[1][0][1])
            imap.logout()
            # \\Seen stays, in the index.
            imap = server.imap("bob")
            imap.select()
            self.assertEqual(uids_flags(imap), {1: {b"\\Seen"}})
            imap.store("1", "+FLAGS", r"(\Deleted)")
            self.assertEqual(imap.expunge()[0], "NO")
            imap.logout()
            with open(server.inbox("bob"), "rb") as f:
                self.assertEqual(f.read().count(b"Status"), 0)

    def test_idle_sees_others(self):
        # Longer than the test: what is told comes from the hub, not from looking now and then.
        with MboxServer("mailbox_idle_check_interval = 10 mins\n") as server:
            server.deliver(numbered(1))
            with server.raw("imap") as c:
                c.line()
                c.ask("a", 'LOGIN alice "%s"' % culver.PASSWORD)
                c.ask("b", "SELECT INBOX")
                c.send("c IDLE\r\n")
                c.until("+ ")
                for n in range(2, 4):
                    with open(server.inbox(), "ab") as f:
                        f.write(b"From x@example.org Thu Nov 26 10:00:00 2026\nSubject: new\n\nnew\n\n")
                    c.until("* %d EXISTS" % n)
                c.send("DONE\r\n")
                c.until("c OK")
                c.ask("d", "LOGOUT")

    def test_locked_by_another(self):
        with MboxServer("mbox_lock_timeout = 2s\n") as server:
            server.deliver(numbered(1))
            lock = server.inbox() + ".lock"
            with open(lock, "w") as f:
                f.write("0")
            # Mail waits in the queue of the one who brings it; reading goes on.
            server.allowed = ("another program keeps",)
            with server.lmtp() as client:
                with self.assertRaises(Exception):
                    client.sendmail("a@example.org", ["alice"], numbered(2))
            imap = server.imap()
            self.assertEqual(imap.select()[1], [b"1"])
            imap.store("1", "+FLAGS", r"(\Flagged)")
            os.unlink(lock)
            server.deliver(numbered(2))
            imap.noop()
            self.assertEqual(uids_flags(imap)[1], {b"\\Flagged"})
            imap.logout()


class Together(unittest.TestCase):
    """Others write to the same file at the same time."""

    lock = threading.Lock()

    def procmail(self, server, n, who):
        rc = server.path("procmailrc-" + who)
        if not os.path.exists(rc):
            with open(rc, "w") as f:
                f.write("DEFAULT=%s\nORGMAIL=%s\nLOCKSLEEP=1\nLOGFILE=/dev/null\n" % (server.inbox(), server.inbox()))
            os.chmod(rc, 0o644)
        # Without its set-group-id bit, in the group that the bit would give it: it stays in that.
        own = server.path("procmail")
        with self.lock:
            if not os.path.exists(own):
                shutil.copy(shutil.which("procmail"), own)
                os.chmod(own, 0o755)
        subprocess.run([own, rc], input=self.with_from(n, who), check=True, preexec_fn=as_user(server),
                       stderr=subprocess.DEVNULL, env={"HOME": server.path("home", "alice"), "PATH": os.environ["PATH"]},
                       timeout=60)

    def with_from(self, n, who):
        return (b"From procmail@example.org Thu Nov 26 10:00:00 2026\n" +
                numbered(n, who).replace("\r\n", "\n").encode())

    @needs("procmail")
    def test_nothing_is_lost(self):
        count = 12
        with MboxServer("mail_max_userip_connections = 50\n") as server:
            failures = []

            def guard(work, *args):
                try:
                    for n in range(count):
                        work(n, *args)
                except Exception as e:      # a thread's own: told below
                    failures.append(e)

            expunged = set()

            def session():
                imap = server.imap()
                try:
                    deadline = time.monotonic() + 40
                    while writers_alive() and time.monotonic() < deadline:
                        imap.select()
                        found = uids_flags(imap)
                        for i, uid in enumerate(sorted(found)):
                            if uid in marked:
                                continue
                            marked.add(uid)
                            imap.uid("STORE", str(uid), "+FLAGS", r"(\Deleted)" if uid % 3 == 0 else r"(\Flagged)")
                        gone = [u for u in found if u % 3 == 0]
                        for uid in gone:
                            data = imap.uid("FETCH", str(uid), "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
                            if data and data[0]:
                                expunged.add(re.search(rb"Number (\S+)", data[0][1]).group(1))
                        imap.expunge()
                        time.sleep(0.05)
                    imap.logout()
                except Exception as e:
                    failures.append(e)

            marked = set()
            writers = [threading.Thread(target=guard, args=(lambda n: server.deliver(numbered(n, "lmtp")),)),
                       threading.Thread(target=guard, args=(lambda n: self.procmail(server, n, "procmail1"),)),
                       threading.Thread(target=guard, args=(lambda n: self.procmail(server, n, "procmail2"),))]

            def writers_alive():
                return any(t.is_alive() for t in writers)

            for t in writers:
                t.start()
            reader = threading.Thread(target=session)
            reader.start()
            for t in writers + [reader]:
                t.join(90)
            self.assertEqual([repr(f) + str(getattr(f, "filename", "")) for f in failures], [], server.log_text()[-1500:])
            text = server.text()
            there = re.findall(rb"^Subject: Number (\S+)$", text, re.M)
            wanted = {b"%s-%d" % (who, n) for who in (b"lmtp", b"procmail1", b"procmail2") for n in range(count)}
            self.assertEqual(len(there), len(set(there)))
            self.assertEqual(set(there) | expunged, wanted)
            self.assertEqual(set(there) & expunged, set())
            for name in there:
                who = name.decode()
                self.assertEqual(len(re.findall(rb"^Body %s\r?$" % name, text, re.M)), 1, who)
            imap = server.imap()
            imap.select()
            flags = uids_flags(imap)
            self.assertEqual(len(flags), len(there))
            for uid, have in flags.items():
                if uid in marked and uid % 3:
                    self.assertIn(b"\\Flagged", have)
            imap.logout()
            culver.wait_for(server.no_locks, "no lock file is left")

    @needs("mutt")
    def test_mutt(self):
        with MboxServer() as server:
            for n in range(4):
                server.deliver(numbered(n))
            imap = server.imap()
            imap.select()
            imap.store("1", "+FLAGS", r"(\Flagged)")
            imap.logout()
            rc = server.path("muttrc")
            with open(rc, "w") as f:
                f.write("set mbox_type=mbox\nset folder=%s\nset delete=yes\nset move=no\nset quit=yes\nset mark_old=no\n"
                        "set wait_key=no\nset header_cache=\n" % server.path("home", "alice"))
            os.chmod(rc, 0o644)
            imap = server.imap()
            imap.select()
            # The second is deleted, the third marked, while the session is open.
            self.terminal(server, ["mutt", "-F", rc, "-f", server.inbox(), "-e", "push '2<enter>d3<enter>F<sync-mailbox><quit>'"])
            imap.noop()
            flags = uids_flags(imap)
            self.assertEqual(sorted(flags), [1, 3, 4])
            self.assertIn(b"\\Flagged", flags[1])
            self.assertIn(b"\\Flagged", flags[3])
            self.assertIn(b"Body lmtp-3", imap.uid("FETCH", "4", "(BODY.PEEK[])")[1][0][1])
            imap.logout()

    def terminal(self, server, command):
        pid, fd = pty.fork()
        if pid == 0:
            as_user(server)()
            os.execvpe(command[0], command, {"HOME": server.path("home", "alice"), "TERM": "xterm", "LANG": "C.UTF-8",
                                             "PATH": os.environ["PATH"], "MAIL": server.inbox()})
        deadline, screen = time.monotonic() + 30, b""
        while time.monotonic() < deadline:
            if select.select([fd], [], [], 0.1)[0]:
                try:
                    data = os.read(fd, 65536)
                except OSError:
                    break
                if not data:
                    break
                screen += data
        else:
            os.kill(pid, signal.SIGKILL)
            self.fail("%s did not end: %r" % (command[0], screen[-2000:]))
        os.waitpid(pid, 0)
        os.close(fd)

    @needs("mail")
    def test_mail(self):
        with MboxServer() as server:
            for n in range(3):
                server.deliver(numbered(n))
            subprocess.run(["mail", "-n", "-N", "-f", server.inbox()], input=b"delete 2\nquit\n", preexec_fn=as_user(server),
                           env={"HOME": server.path("home", "alice"), "PATH": os.environ["PATH"], "MAIL": server.inbox()},
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
            imap = server.imap()
            imap.select()
            self.assertEqual(sorted(uids_flags(imap)), [1, 3])
            imap.logout()


@needs("doveadm")
class Stop(unittest.TestCase):
    def test_while_another_host_has_the_lock(self):
        """Who stops the server does not wait for mbox_lock_timeout, and what was not answered with 250 does not arrive."""
        extra = "mbox_lock_timeout = 5 mins\nmbox_dotlock_change_timeout = 5 mins\n"
        with MboxServer(extra) as server:
            server.allowed = ("another program keeps the mailbox locked",)
            server.deliver(numbered(1), "alice")
            lock = os.path.join(server.spool, "alice.lock")
            with open(lock, "w") as f:
                f.write("1:elsewhere\n")
            answers = []

            def deliver():
                try:
                    server.deliver(numbered(2), "alice")
                except smtplib.SMTPException as e:
                    answers.append(e)
            sender = threading.Thread(target=deliver)
            sender.start()
            time.sleep(1)
            self.assertEqual(answers, [])
            server.stop()
            sender.join(culver.WAIT)
            self.assertEqual(len(answers), 1)
            os.unlink(lock)
            server.start()
            client = server.imap("alice")
            self.assertEqual(client.select()[1], [b"1"])
            client.logout()


class Dovecot(unittest.TestCase):
    """The same files under Debian's Dovecot: the same UIDVALIDITY, UIDs, flags and keywords, in both directions."""

    def doveadm(self, server, *args):
        home = server.path("home", "alice")
        conf = server.path("other.conf")
        if not os.path.exists(conf):
            user = pwd.getpwuid(server.uid).pw_name
            with open(conf, "w") as f:
                f.write("base_dir = %s/other\nlog_path = %s/other.log\nmail_location = mbox:~/mail:INBOX=%s/alice\n"
                        "mbox_write_locks = fcntl\nfirst_valid_uid = 1\nssl = no\ndefault_internal_user = %s\n"
                        "default_internal_group = %s\ndefault_login_user = %s\nnamespace inbox {\n inbox = yes\n}\n"
                        % (server.dir, home, server.spool, user, grp.getgrgid(server.gid).gr_name, user))
            os.chmod(conf, 0o644)
        done = subprocess.run(["doveadm", "-c", conf] + list(args), capture_output=True, text=True, timeout=60,
                              preexec_fn=as_user(server), env={"HOME": home, "USER": "alice", "PATH": os.environ["PATH"]})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def seen_by_dovecot(self, server):
        out = {}
        uid = None
        for line in self.doveadm(server, "fetch", "uid flags", "mailbox", "INBOX", "all").splitlines():
            if line.startswith("uid: "):
                uid = int(line[5:])
            elif line.startswith("flags: "):
                out[uid] = {f.encode() for f in line[7:].split()} - {b"\\Recent"}
        return out

    def test_read_by_dovecot(self):
        with MboxServer() as server:
            for n in range(6):
                server.deliver(numbered(n))
            imap = server.imap()
            imap.select()
            imap.store("1", "+FLAGS", r"(\Seen)")
            imap.store("3", "+FLAGS", r"(\Flagged \Answered work $Junk)")
            imap.store("2", "+FLAGS", r"(\Deleted)")
            imap.expunge()
            imap.store("5", "+FLAGS", r"(\Draft)")
            ours, validity = uids_flags(imap), status(imap, "INBOX", "UIDVALIDITY")
            imap.logout()
            self.assertEqual(self.seen_by_dovecot(server), ours)
            self.assertIn("uidvalidity=%d" % validity, self.doveadm(server, "mailbox", "status", "uidvalidity", "INBOX"))
            # Dovecot changes flags and expunges; Culver sees it.
            self.doveadm(server, "flags", "add", r"\Seen other", "mailbox", "INBOX", "uid", "4")
            self.doveadm(server, "expunge", "mailbox", "INBOX", "uid", "5")
            imap = server.imap()
            imap.select()
            now = uids_flags(imap)
            self.assertEqual(sorted(now), [1, 3, 4, 6])
            self.assertEqual(now[4], {b"\\Seen", b"other"})
            self.assertEqual(now[3], ours[3])
            self.assertIn(b"Body lmtp-5", imap.uid("FETCH", "6", "(BODY.PEEK[])")[1][0][1])
            imap.logout()

    def test_written_by_dovecot(self):
        with MboxServer() as server:
            server.put("alice", b"".join(
                b"From x@example.org Thu Nov 26 10:00:0%d 2026\nSubject: mail %d\n\nbody %d\n\n" % (n, n, n) for n in range(6)))
            self.doveadm(server, "flags", "add", r"\Flagged work", "mailbox", "INBOX", "2:3")
            self.doveadm(server, "expunge", "mailbox", "INBOX", "uid", "4")
            theirs = self.seen_by_dovecot(server)
            self.assertEqual(sorted(theirs), [1, 2, 3, 5, 6])
            out = self.doveadm(server, "mailbox", "status", "uidvalidity uidnext", "INBOX")
            imap = server.imap()
            imap.select()
            self.assertEqual(uids_flags(imap), theirs)
            self.assertIn("uidvalidity=%d" % status(imap, "INBOX", "UIDVALIDITY"), out)
            self.assertGreaterEqual(status(imap, "INBOX", "UIDNEXT"), 7)
            imap.store("1", "+FLAGS", r"(\Answered)")
            imap.logout()
            theirs[1].add(b"\\Answered")
            self.assertEqual(self.seen_by_dovecot(server), theirs)


if __name__ == "__main__":
    unittest.main()
