# SPDX-License-Identifier: MIT
"""Processes that serve one session of their user after the other (service_count): nothing of one is in the next, nobody
else gets them, and whatever makes a new process another one makes a new one."""
import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

import culver

REUSE = """service imap {
  service_count = %(count)d
  idle_kill = %(idle)s
%(more)s}
service pop3 {
  service_count = %(count)d
  idle_kill = %(idle)s
%(more)s}
"""


def config(extra="", count=0, idle="1 mins", more=""):
    return REUSE % {"count": count, "idle": idle, "more": more} + extra


class Reuse(unittest.TestCase):
    extra, count, idle, more = "", 0, "1 mins", ""
    allowed = ()

    def setUp(self):
        self.server = culver.Server(config(self.extra, self.count, self.idle, self.more), start=False)
        self.server.allowed = self.allowed
        self.before()
        self.server.start()

    def before(self):
        pass

    def tearDown(self):
        self.server.close()

    def logins(self, service="imap"):
        """(user, process) of each login so far."""
        return re.findall(r"%s-login: Login: user=<(\w+)>.* mpid=(\d+)" % service, self.server.log_text())

    def at_rest(self, pid):
        """Until the process waits for another session: it holds no socket of a client, and hub knows nothing of it."""
        def rests():
            names = []
            for fd in os.listdir("/proc/%d/fd" % pid):
                try:
                    names.append(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
                except OSError:
                    pass
            return sum(name.startswith("socket:") for name in names) == 1
        culver.wait_for(rests, "the session of process %d is over" % pid)
        time.sleep(0.05)    # its word is on the way to the parent

    def last(self, service="imap", count=None):
        """The process of the newest login, at rest."""
        if count is not None:
            culver.wait_for(lambda: len(self.logins(service)) >= count, "%d logins" % count)
        return int(self.logins(service)[-1][1])

    def session(self, user="alice", service="imap", tls=False, rests=True):
        """One short session; the process that served it."""
        count = len(self.logins(service)) + 1
        if service == "imap":
            self.server.imap(user, tls).logout()
        else:
            self.server.pop3(user, tls).quit()
        pid = self.last(service, count)
        if rests:
            self.at_rest(pid)
        return pid

    def gone(self, pid):
        culver.wait_for(lambda: not os.path.exists("/proc/%d" % pid), "process %d ends" % pid)


class Sessions(Reuse):
    def test_one_process_of_one_user(self):
        for service, tls in (("imap", False), ("imap", True), ("pop3", False), ("pop3", True)):
            first = self.session("alice", service, tls)
            other = self.session("bob", service, tls)
            self.assertNotEqual(other, first)
            self.assertEqual(self.session("alice", service, tls), first)
            self.assertEqual(self.session("bob", service, tls), other)
        # Two at once need two.
        count = len(self.logins())
        a, b = self.server.imap("alice"), self.server.imap("alice")
        culver.wait_for(lambda: len(self.logins()) == count + 2, "two logins")
        self.assertEqual(len({pid for _, pid in self.logins()[-2:]}), 2)
        a.logout()
        b.logout()

    def test_state_is_not_kept(self):
        self.server.deliver(culver.message("one"), "alice")
        c = self.server.raw("imap")
        greeting = c.line()
        first = c.ask("a", 'LOGIN alice "%s"' % culver.PASSWORD)
        c.ask("b", 'ID ("name" "test")')
        c.ask("c", "ENABLE QRESYNC")
        self.assertIn(b"MODSEQ", b"".join(c.ask("d", "SELECT INBOX")))
        self.assertIn(b"MODSEQ", b"".join(c.ask("e", "STORE 1 +FLAGS (\\Deleted Mine)")))
        c.send("f IDLE\r\n")
        c.line()
        c.send("DONE\r\n")
        c.until("f ")
        # It ends in the middle of a command, with octets that nobody has read.
        c.send("g APPEND INBOX {100+}\r\nhalf of it")
        c.close()
        pid = self.last(count=1)
        self.at_rest(pid)
        with self.server.raw("imap") as c:
            self.assertEqual(c.line(), greeting)
            self.assertEqual(c.ask("a", 'LOGIN alice "%s"' % culver.PASSWORD), first)
            self.assertTrue(c.ask("b", "FETCH 1 FLAGS")[-1].startswith(b"b BAD"))
            self.assertTrue(c.ask("c", "CLOSE")[-1].startswith(b"c BAD"))
            self.assertIn(b"* 1 EXISTS", c.ask("d", "SELECT INBOX"))
            lines = b"".join(c.ask("e", "STORE 1 +FLAGS (\\Seen)"))
            self.assertNotIn(b"MODSEQ", lines)
            self.assertIn(b"\\Deleted", lines)
            c.ask("f", "LOGOUT")
        self.at_rest(pid)
        self.assertEqual(self.last(count=2), pid)
        # POP3: a session's marks for deletion end with it, unless it says QUIT.
        for _ in range(2):
            with self.server.raw("pop3") as c:
                c.line()
                for line in ("USER alice", "PASS %s" % culver.PASSWORD, "STAT", "DELE 1"):
                    c.send(line + "\r\n")
                    self.assertTrue(c.line().startswith(b"+OK"), line)
            self.at_rest(self.last("pop3", 1))
        self.assertEqual(len({pid for _, pid in self.logins("pop3")}), 1)
        self.assertEqual(self.server.pop3().stat()[0], 1)

    def test_log_lines(self):
        """Each has its own session's name, and counts its own session."""
        for i in range(3):
            with self.server.raw("imap") as c:
                c.line()
                c.ask("a", 'LOGIN alice "%s"' % culver.PASSWORD)
                for _ in range(i * 10):
                    c.ask("b", "NOOP")
                c.ask("c", "LOGOUT")
            self.at_rest(self.last(count=i + 1))
        self.assertEqual(len({pid for _, pid in self.logins()}), 1)
        log = self.server.log_text()
        sessions = re.findall(r"imap-login: Login: .*session=<(\S+)>", log)
        lines = re.findall(r"imap\(alice\)<(\d+)><(\S+)>: Logged out in=(\d+) out=(\d+)", log)
        self.assertEqual([line[1] for line in lines], sessions)
        self.assertEqual(len(set(sessions)), 3)
        octets = [int(line[2]) for line in lines]
        self.assertLess(octets[0], 100)
        self.assertEqual(octets[2] - octets[1], octets[1] - octets[0])

    def test_nothing_grows(self):
        self.server.deliver(culver.message("one"), "alice")

        def one():
            imap = self.server.imap()
            imap.select("INBOX")
            imap.fetch("1", "(ENVELOPE BODY.PEEK[])")
            imap.create("new")
            imap.append("new", None, None, culver.message("two").encode())
            imap.delete("new")
            imap.logout()
            pid = self.last()
            self.at_rest(pid)
            with open("/proc/%d/smaps_rollup" % pid) as f:
                memory = next(int(line.split()[1]) for line in f if line.startswith("Private_Dirty:"))
            return pid, memory, sorted(os.listdir("/proc/%d/fd" % pid))
        for _ in range(10):
            pid, memory, fds = one()
        for _ in range(60):
            one()
        later = one()
        self.assertEqual(later[0], pid)
        self.assertEqual(later[2], fds)
        self.assertLess(later[1], memory + 200)

    def test_preread_and_waiting_input(self):
        """What was sent behind the login is the new session's."""
        pid = self.session()
        for tls in (False, True):
            with self.server.raw("imaps" if tls else "imap", tls) as c:
                c.line()
                c.send('a LOGIN alice "%s"\r\nb NOOP\r\nc LOGOUT\r\n' % culver.PASSWORD)
                lines = c.until("c ")
                self.assertTrue(lines[0].startswith(b"a OK"), lines)
                self.assertTrue(lines[1].startswith(b"b OK"), lines)
                self.assertTrue(lines[-1].startswith(b"c OK"), lines)
            self.at_rest(pid)
        self.assertEqual({p for _, p in self.logins()}, {str(pid)})

    def test_changes_between_sessions_are_seen(self):
        self.session()
        for i in range(3):
            self.server.deliver(culver.message("number %d" % i), "alice")
            imap = self.server.imap()
            self.assertEqual(imap.select("INBOX")[1], [b"%d" % (i + 1)])
            imap.logout()
            self.at_rest(self.last())
        self.assertEqual(len({pid for _, pid in self.logins()}), 1)


class Users(Reuse):
    """A userdb whose answers change."""
    def before(self):
        self.write("alice")
        with open(self.server.config) as f:
            text = f.read()
        text = re.sub(r"userdb \{.*?\n\}", "userdb {\n  driver = passwd-file\n  args = username_format=%%u %s\n}" %
                      self.server.path("passwd"), text, flags=re.S)
        with open(self.server.config, "w") as f:
            f.write(text)

    def write(self, user, uid=None, gid=None, fields="", password=culver.PASSWORD):
        with open(self.server.path("passwd.new"), "w") as f:
            f.write("%s:{PLAIN}%s:%d:%d::%s::%s\n" % (user, password, self.server.uid if uid is None else uid,
                                                    self.server.gid if gid is None else gid,
                                                    self.server.path("home", user), fields))
        os.rename(self.server.path("passwd.new"), self.server.path("passwd"))
        os.utime(self.server.path("passwd"))

    def test_what_auth_says_has_changed(self):
        pid = self.session()
        self.assertEqual(self.session(), pid)
        # The password is asked for each time: it changes nothing else.
        time.sleep(1.1)     # passwd-file looks at the second
        self.write("alice", password="another one")
        with self.assertRaises(Exception):
            self.server.imap("alice")
        self.server.imap("alice", password="another one").logout()
        self.at_rest(self.last(count=3))
        self.assertEqual(self.last(), pid)
        time.sleep(1.1)
        self.write("alice", fields="userdb_imap_max_line_length=100k")
        other = self.session()
        self.assertNotEqual(other, pid)
        self.assertEqual(self.session(), other)

    @unittest.skipIf(os.geteuid() != 0, "another uid needs root")
    def test_another_uid(self):
        pid = self.session()
        time.sleep(1.1)
        uid = self.server.uid - 1
        self.write("alice", uid=uid)
        for root, dirs, files in os.walk(self.server.path("home", "alice")):
            for name in [root] + [os.path.join(root, f) for f in dirs + files]:
                os.chown(name, uid, -1)
        other = self.session()
        self.assertNotEqual(other, pid)
        with open("/proc/%d/status" % other) as f:
            self.assertIn("Uid:\t%d\t%d\t%d\t%d" % (uid, uid, uid, uid), f.read())
        time.sleep(1.1)
        self.write("alice", gid=self.server.gid - 1)
        for root, dirs, files in os.walk(self.server.path("home", "alice")):
            for name in [root] + [os.path.join(root, f) for f in dirs + files]:
                os.chown(name, self.server.uid, self.server.gid - 1)
        self.assertNotIn(self.session(), (pid, other))


class Ends(Reuse):
    count, idle = 3, "3 secs"

    def test_service_count_and_idle_kill(self):
        pid = self.session()
        self.assertEqual(self.session(), pid)
        self.assertEqual(self.session(rests=False), pid)
        self.gone(pid)
        other = self.session()
        self.assertNotEqual(other, pid)
        begin = time.monotonic()
        self.gone(other)
        self.assertGreater(time.monotonic() - begin, 1.5)

    def test_reload_and_stop(self):
        pid = self.session(service="pop3")
        self.server.process.send_signal(signal.SIGHUP)
        self.gone(pid)
        imap = self.server.imap()
        pid = self.last(count=1)
        self.server.process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        imap.noop()
        imap.logout()
        self.gone(pid)      # a session of the old settings leaves no process
        self.session()
        begin = time.monotonic()
        self.server.stop()
        self.assertLess(time.monotonic() - begin, 2.5)


class Others(Reuse):
    extra = "mail_max_userip_connections = 2\n"
    more = "  process_limit = 3\n"
    allowed = ("killed", "hub", "imap", "process_limit", "released to Dovecot")

    # One server for all of them.
    setUpClass = classmethod(Reuse.setUp)
    tearDownClass = classmethod(Reuse.tearDown)
    before = classmethod(Reuse.before)

    def setUp(self):
        pass

    def tearDown(self):
        pass

    def test_limit_of_a_user(self):
        pid = self.session()
        for _ in range(6):
            self.assertEqual(self.session(), pid)
        held = [self.server.imap(), self.server.imap()]
        refused = self.server.imap(login=False)
        with self.assertRaises(refused.error):
            refused.login("alice", culver.PASSWORD)
        held.pop().logout()

        def again():
            try:
                self.server.imap().logout()
                return True
            except Exception:
                return False
        culver.wait_for(again, "a place that became free")
        held.pop().logout()

    def test_rest_makes_room(self):
        """Who rests takes no session's place."""
        pids = [self.session(user) for user in ("alice", "bob", "carol")]
        self.assertEqual(len(set(pids)), 3)
        last = self.session("dave")
        self.gone(pids[0])
        self.assertTrue(os.path.exists("/proc/%d" % pids[1]))
        self.assertEqual(self.session("dave"), last)
        held = [self.server.imap(user) for user in ("alice", "bob", "carol")]
        refused = self.server.imap(login=False)
        with self.assertRaises(refused.error):
            refused.login("dave", culver.PASSWORD)
        for c in held:
            c.logout()

    def who(self, user):
        return json.loads(self.server.adm("-f", "json", "who", user))

    def test_who_and_kick(self):
        pid = self.session()
        self.assertEqual(self.who("alice"), [])
        self.assertEqual(self.server.adm("kick", "alice", check=False).returncode, 68)
        self.assertTrue(os.path.exists("/proc/%d" % pid))
        with self.server.raw("imap") as c:
            c.line()
            c.ask("a", 'LOGIN alice "%s"' % culver.PASSWORD)
            culver.wait_for(lambda: str(pid) in str(self.who("alice")), "who knows its process")
            self.server.adm("kick", "alice")
            self.assertTrue(c.until("* BYE")[-1].startswith(b"* BYE"))
        self.gone(pid)
        self.assertEqual(self.who("alice"), [])
        self.assertNotEqual(self.session(), pid)

    def test_signals(self):
        pid = self.session()
        os.kill(pid, signal.SIGTERM)
        self.gone(pid)
        pid = self.session()
        os.kill(pid, signal.SIGKILL)
        self.gone(pid)
        pid = self.session()
        # Stopped, it does not answer: the client waits, and is served by another when it dies.
        os.kill(pid, signal.SIGSTOP)
        done = subprocess.Popen([os.sys.executable, "-c",
                                 "import imaplib; m = imaplib.IMAP4('127.0.0.1', %d, timeout=20); m.login('alice', %r); "
                                 "print(m.select('INBOX')); m.logout()" % (self.server.ports["imap"], culver.PASSWORD)],
                                stdout=subprocess.PIPE, text=True)
        time.sleep(0.5)
        self.assertIsNone(done.poll())
        os.kill(pid, signal.SIGKILL)
        self.assertIn("OK", done.communicate(timeout=culver.WAIT)[0])

    def test_end_of_the_parent(self):
        pid = self.session()
        parents = [p for p in self.server.pids("imap") if p != pid]
        os.kill(parents[0], signal.SIGKILL)
        self.gone(pid)
        culver.wait_for(lambda: self.server.pids("imap"), "a new parent")
        self.session()

    def test_mail_that_was_made_anew(self):
        """A Maildir in the place of another is not where the process may work."""
        self.server.deliver(culver.message("old"), "carol")
        pid = self.session("carol")
        count = len(self.logins())
        path = self.server.maildir("carol")
        copy = path + ".new"
        for name in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(copy, name), 0o700)
        with open(os.path.join(copy, "new", "1234567890.x.y"), "w") as f:
            f.write("Subject: restored\n\nx\n")
        for root, dirs, files in os.walk(copy):
            for name in [root] + [os.path.join(root, f) for f in dirs + files]:
                os.chown(name, self.server.uid, self.server.gid)
        os.rename(path, path + ".old")
        os.rename(copy, path)
        imap = self.server.imap("carol")
        imap.select("INBOX")
        self.assertIn(b"restored", imap.fetch("1", "(ENVELOPE)")[1][0])
        imap.logout()
        self.gone(pid)
        shutil.rmtree(path + ".old")
        self.assertNotEqual(self.last(count=count + 1), pid)

    def test_index_is_looked_after(self):
        """Who rests has the user's index open for himself alone."""
        self.server.deliver(culver.message("one"), "alice")
        pid = self.session()
        for command in (("index", "verify", "-u", "alice"), ("index", "compact", "-u", "alice"),
                        ("index", "rebuild", "-u", "alice", "INBOX"), ("scrub", "-u", "alice")):
            self.server.adm(*command)
            imap = self.server.imap()
            self.assertEqual(imap.select("INBOX")[1], [b"1"])
            self.assertIn(b"one", imap.fetch("1", "(ENVELOPE)")[1][0])
            imap.append("INBOX", None, None, culver.message("two").encode())
            imap.store("2", "+FLAGS", "\\Deleted")
            imap.expunge()
            imap.logout()
            self.at_rest(self.last())
            self.assertEqual(self.last(), pid)
        shutil.rmtree(os.path.join(self.server.maildir("alice"), "culver.index"))
        imap = self.server.imap()
        self.assertEqual(imap.select("INBOX")[1], [b"1"])
        imap.logout()
        self.at_rest(self.last())
        # Killed at rest, it leaves nothing that had to be verified.
        os.kill(self.last(), signal.SIGKILL)
        culver.wait_for(lambda: "killed by signal 9" in self.server.log_text(), "its end is seen")
        with open(os.path.join(self.server.maildir("alice"), "culver.index", "sessions"), "rb") as f:
            head = f.read(4096)
        self.assertEqual(head[24:26], b"\0\0")
        self.assertEqual(set(head[32:4088]), {0})
        self.session()

    def test_release(self):
        """Who rests keeps nobody from taking the mail elsewhere, and serves none of it then."""
        self.server.deliver(culver.message("one"), "dave")
        self.session("dave")
        self.session("dave", "pop3")
        self.server.adm("release", "-u", "dave")
        with self.assertRaises(Exception):
            self.server.imap("dave").select("INBOX")
        with self.assertRaises(Exception):
            self.server.pop3("dave")
        self.server.adm("adopt", "-u", "dave")
        imap = self.server.imap("dave")
        self.assertEqual(imap.select("INBOX")[1], [b"1"])
        imap.logout()

    def test_logs_are_reopened(self):
        pid = self.session()
        os.rename(self.server.path("log"), self.server.path("log.1"))
        self.server.process.send_signal(signal.SIGUSR1)
        culver.wait_for(lambda: "reopened" in self.server.log_text(), "a new log")
        self.gone(pid)
        self.session()
        culver.wait_for(lambda: re.search(r"imap\(alice\)\S+: Logged out", self.server.log_text()), "the end is in the new log")

    def test_hub_starts_anew(self):
        pid = self.session()
        old = self.server.pids("hub")
        os.kill(old[0], signal.SIGKILL)
        culver.wait_for(lambda: self.server.pids("hub") and self.server.pids("hub") != old, "a new hub")
        self.session()
        self.assertEqual(self.who("alice"), [])
        imap = self.server.imap()
        culver.wait_for(lambda: len(self.who("alice")) == 1, "the new hub knows of it")
        imap.logout()
        self.assertTrue(os.path.exists("/proc/%d" % pid))


class Sleep(Reuse):
    extra = "imap_hibernate_timeout = 1 secs\n"

    def test_sleep_leaves_no_process(self):
        pid = self.session()
        c = self.server.raw("imap")
        c.line()
        c.ask("a", 'LOGIN alice "%s"' % culver.PASSWORD)
        c.ask("b", "SELECT INBOX")
        c.send("c IDLE\r\n")
        c.line()
        self.gone(pid)
        # A session that wakes up takes a process that rests.
        other = self.session()
        self.server.deliver(culver.message("wake up"), "alice")
        self.assertIn(b"* 1 EXISTS", c.until("* 1 EXISTS"))
        c.send("DONE\r\n")
        self.assertTrue(c.until("c ")[-1].startswith(b"c OK"))
        c.ask("d", "LOGOUT")
        culver.wait_for(lambda: re.search(r"imap\(alice\)<%d>.*Logged out" % other, self.server.log_text().split("wake")[-1]),
                        "it was served by that")
        c.close()


if __name__ == "__main__":
    unittest.main()
