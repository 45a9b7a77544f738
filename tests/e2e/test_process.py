# SPDX-License-Identifier: MIT
"""The processes: start, reload, stop, death of any of them, limits of connections, administration."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import unittest

import culver


class Process(unittest.TestCase):
    def setUp(self):
        self.server = culver.Server()

    def tearDown(self):
        self.server.close()

    def test_reload_keeps_sessions(self):
        imap = self.server.imap("alice")
        imap.select("INBOX")
        self.server.add_config("login_greeting = New words.")
        self.server.process.send_signal(signal.SIGHUP)

        def greeting():
            with self.server.raw("imap") as c:
                return b"New words." in c.line()
        culver.wait_for(greeting, "new connections get the new setting")
        self.assertEqual(imap.noop()[0], "OK")
        self.server.deliver(culver.message("after the reload"), "alice")
        self.assertEqual(imap.select("INBOX")[1], [b"1"])
        imap.logout()

    def test_reload_refuses_errors(self):
        self.server.allowed = ("no_such_setting",)
        self.server.add_config("no_such_setting = yes")
        self.server.process.send_signal(signal.SIGHUP)
        culver.wait_for(lambda: "no_such_setting" in self.server.log_text(), "the log tells of the error")
        self.server.imap("alice").logout()

    def test_second_start_is_refused(self):
        done = subprocess.run([os.path.join(culver.PREFIX, "sbin", "culver"), "-F", "-c", self.server.config],
                              capture_output=True, timeout=culver.WAIT)
        self.assertNotEqual(done.returncode, 0)
        self.server.allowed = ("already running",)
        self.server.imap("alice").logout()

    def test_daemon_lets_go(self):
        """Who reads what a start in the background says has its end, whatever the services hold."""
        self.server.stop()
        program = os.path.join(culver.PREFIX, "sbin", "culver")
        for more in ((), ("-o", "log_path=syslog")):
            with subprocess.Popen([program, "-c", self.server.config, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as starter:
                try:
                    self.assertEqual(starter.communicate(timeout=culver.WAIT), (b"", b""))
                    self.assertEqual(starter.returncode, 0)
                    with self.server.lmtp() as client:
                        self.assertEqual(client.noop()[0], 250)
                finally:
                    done = subprocess.run([program, "-c", self.server.config, "stop"], capture_output=True, timeout=culver.WAIT)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_kill_of_each_process(self):
        self.server.allowed = ("killed", "signal 9", "died", "gone", "closed", "lost", "connection", "started again")
        self.server.deliver(culver.message("before"), "alice")
        for name in ("auth", "hub", "imap-login", "pop3-login", "imap", "pop3", "lmtp", "deliver"):
            for pid in self.server.pids(name):
                with contextlib.suppress(ProcessLookupError):   # a session's process may just have ended
                    os.kill(pid, signal.SIGKILL)

            def serves():
                try:
                    imap = self.server.imap("alice")
                    imap.select("INBOX")
                    imap.logout()
                    self.server.pop3("alice").quit()
                    self.server.deliver(culver.message("after " + name), "alice")
                    return True
                except Exception:
                    return False
            culver.wait_for(serves, "service after the death of " + name)
        imap = self.server.imap("alice")
        self.assertGreaterEqual(int(imap.select("INBOX")[1][0]), 9)
        imap.logout()

    def test_kill_of_all(self):
        self.server.allowed = ("killed", "signal 9", "died", "gone", "closed", "lost", "unclean")
        for i in range(5):
            self.server.deliver(culver.message("number %d" % i), "alice")
        imap = self.server.imap("alice")
        imap.select("INBOX")
        imap.store("1", "+FLAGS", "\\Flagged")
        uids = imap.fetch("1:*", "(UID)")[1]
        self.server.kill_all()
        begin = time.monotonic()
        self.server.start()
        imap = self.server.imap("alice")
        self.assertEqual(imap.select("INBOX")[1], [b"5"])
        self.assertLess(time.monotonic() - begin, 10)
        self.assertEqual(imap.fetch("1:*", "(UID)")[1], uids)
        self.assertIn(b"\\Flagged", imap.fetch("1", "(FLAGS)")[1][0])
        imap.logout()

    def test_workers_end_with_the_master(self):
        self.server.allowed = ("gone", "lost", "closed", "died")
        imap = self.server.imap("alice")
        tree = self.server.tree()
        self.server.process.kill()
        self.server.process.wait()
        culver.wait_for(lambda: not [p for p in tree if os.path.exists("/proc/%d" % p)], "nothing outlives the master")
        self.server.process = None
        imap.shutdown()
        self.server.start()

    def test_full_log_does_not_stop_logins(self):
        if not os.path.exists("/dev/full"):
            self.skipTest("no /dev/full here")
        server = culver.Server("log_path = /dev/full\n")
        try:
            server.imap("alice").logout()
            server.deliver(culver.message("unlogged"), "alice")
        finally:
            server.close()

    def test_connections_of_one_user(self):
        server = culver.Server("mail_max_userip_connections = 3\n")
        held = []
        try:
            held = [server.imap("alice") for _ in range(3)]
            refused = server.imap("alice", login=False)
            with self.assertRaises(refused.error) as raised:
                refused.login("alice", culver.PASSWORD)
            self.assertIn("LIMIT", str(raised.exception))
            server.imap("bob").logout()
            held.pop().logout()

            def again():
                try:
                    server.imap("alice").logout()
                    return True
                except Exception:
                    return False
            culver.wait_for(again, "a place that became free is given again")
        finally:
            for client in held:
                client.logout()
            server.close()

    def test_time_before_login(self):
        server = culver.Server("login_max_time = 2 secs\n")
        try:
            for port in ("imap", "pop3", "imaps"):
                with socket.create_connection(("127.0.0.1", server.ports[port]), culver.WAIT) as s:
                    s.settimeout(culver.WAIT)
                    while s.recv(4096) != b"":
                        pass
        finally:
            server.close()


class Adm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = culver.Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def test_who_and_kick(self):
        imap = self.server.imap("alice")
        rows = json.loads(self.server.adm("-f", "json", "who"))
        self.assertIn("alice", [r["username"] for r in rows])
        self.assertIn("username", self.server.adm("who"))
        self.assertIn("1", self.server.adm("kick", "alice"))
        with self.assertRaises((imap.abort, imap.error, OSError)):
            for _ in range(200):
                imap.noop()
                time.sleep(0.05)
        culver.wait_for(lambda: json.loads(self.server.adm("-f", "json", "who", "alice")) == [], "the session is gone")
        self.assertEqual(self.server.adm("kick", "alice", check=False).returncode, 68)

    def test_user_and_auth(self):
        self.assertIn("home\t%s" % self.server.path("home", "bob"), self.server.adm("user", "bob"))
        self.assertEqual(self.server.adm("user", "-f", "uid", "bob").strip(), str(self.server.uid))
        self.assertEqual(self.server.adm("user", "nobody-there", check=False).returncode, 67)
        self.assertEqual(sorted(self.server.adm("user", "*").split()), sorted(culver.USERS))
        self.assertIn("succeeded", self.server.adm("auth", "test", "bob", culver.PASSWORD))
        self.assertEqual(self.server.adm("auth", "test", "bob", "wrong", check=False).returncode, 77)
        self.server.adm("auth", "cache", "flush")

    def test_pw(self):
        for scheme in ("PLAIN", "SHA512-CRYPT", "SSHA256", "SHA512.hex", "BLF-CRYPT"):
            stored = self.server.adm("pw", "-s", scheme, "-p", "mine").strip()
            self.assertTrue(stored.upper().startswith("{%s}" % scheme.upper()), stored)
            self.assertIn("verified", self.server.adm("pw", "-t", stored, "-p", "mine"))
            self.assertNotEqual(self.server.adm("pw", "-t", stored, "-p", "other", check=False).returncode, 0)

    def test_mailboxes(self):
        self.server.adm("mailbox", "create", "-u", "carol", "-s", "Work", "Work.2026")
        self.assertIn("Work.2026", self.server.adm("mailbox", "list", "-u", "carol").split())
        self.assertIn("Work", self.server.adm("mailbox", "list", "-u", "carol", "-s").split())
        self.server.adm("mailbox", "rename", "-u", "carol", "Work", "Job")
        self.assertIn("Job", self.server.adm("mailbox", "list", "-u", "carol").split())
        self.server.adm("save", "-u", "carol", "-m", "Job", stdin=culver.message("saved").replace("\r\n", "\n"))
        rows = json.loads(self.server.adm("-f", "json", "mailbox", "status", "-u", "carol", "messages vsize unseen", "Job"))
        self.assertEqual(rows[0]["messages"], "1")
        self.assertEqual(rows[0]["unseen"], "1")
        self.server.adm("flags", "add", "-u", "carol", "\\Seen $Done", "mailbox", "Job", "all")
        rows = json.loads(self.server.adm("-f", "json", "fetch", "-u", "carol", "uid flags hdr.subject", "mailbox", "Job",
                                          "keyword", "$Done"))
        self.assertEqual(rows[0]["hdr.subject"], "saved")
        self.assertIn("\\Seen", rows[0]["flags"])
        self.server.adm("index", "-u", "carol", "*")
        self.server.adm("force-resync", "-u", "carol", "*")
        self.assertEqual(self.server.adm("search", "-u", "carol", "mailbox", "Job", "subject", "saved").split(),
                         ["Job", rows[0]["uid"]])
        self.assertNotEqual(self.server.adm("expunge", "-u", "carol", "mailbox", "Job", check=False).returncode, 0)
        self.server.adm("expunge", "-u", "carol", "mailbox", "Job", "all")
        self.assertEqual(self.server.adm("search", "-u", "carol", "mailbox", "Job", "all"), "")
        self.server.adm("mailbox", "delete", "-u", "carol", "-r", "Job")
        self.assertNotIn("Job", self.server.adm("mailbox", "list", "-u", "carol").split())

    def test_all_users(self):
        rows = json.loads(self.server.adm("-f", "json", "mailbox", "list", "-A"))
        self.assertGreaterEqual(len(rows), len(culver.USERS))

    def test_logs_and_services(self):
        self.server.adm("log", "errors")
        self.assertIn("imap-login", self.server.adm("service", "status"))

    def test_reload(self):
        self.server.adm("reload")
        self.server.imap("alice").logout()

    def test_usage(self):
        self.assertEqual(self.server.adm("nonsense", check=False).returncode, 64)
        self.assertEqual(self.server.adm("search", "-u", "alice", "nonsense", check=False).returncode, 64)
        self.assertIn("mailbox list", self.server.adm("help"))

    def test_stop(self):
        server = culver.Server()
        try:
            server.adm("stop")
            server.process.wait(culver.WAIT)
            server.process = None
        finally:
            server.close()


if __name__ == "__main__":
    unittest.main()
