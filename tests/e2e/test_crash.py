# SPDX-License-Identifier: MIT
"""kill -9 under load: what was acknowledged is there exactly once, and the mailbox serves again at once."""
import os
import random
import re
import signal
import smtplib
import threading
import time
import unittest

import culver

DELIVERIES = 200
SENDERS = 4
PROCESSES = ("deliver", "lmtp", "hub", "auth", "imap", "imap-login")
ONE_SESSION = 5     # seconds: a start of the whole server on a busy machine is in it


class Load:
    """Senders that deliver numbered messages until each is acknowledged, and tell of what was."""

    def __init__(self, server):
        self.server = server
        self.lock = threading.Lock()
        self.next = 0
        self.acknowledged = set()
        # Where a process dies between saving and answering, the sender hears 4xx or nothing and comes again (RFC 2033
        # section 5, RFC 1047): a mail may be there once for each attempt, and exactly once when there was one.
        self.attempts = dict.fromkeys(range(DELIVERIES), 0)
        self.threads = [threading.Thread(target=self._run) for _ in range(SENDERS)]
        for t in self.threads:
            t.start()

    def _run(self):
        while True:
            with self.lock:
                number, self.next = self.next, self.next + 1
            if number >= DELIVERIES:
                return
            deadline = time.monotonic() + culver.WAIT
            while time.monotonic() < deadline and number not in self.acknowledged:
                try:
                    self.attempts[number] += 1
                    self.server.deliver(culver.message("number %d" % number, body="x" * 5000 + "\r\n"), "alice")
                    self.acknowledged.add(number)
                except (smtplib.SMTPException, OSError, AssertionError):
                    time.sleep(0.02)

    def done(self):
        return not any(t.is_alive() for t in self.threads)

    def join(self):
        for t in self.threads:
            t.join()


class Crash(unittest.TestCase):
    def setUp(self):
        self.server = culver.Server()
        self.server.allowed = ("",)      # every sort of complaint about the killed
        self.random = random.Random(7)

    def tearDown(self):
        self.server.close()

    def check(self, load):
        self.assertEqual(len(load.acknowledged), DELIVERIES)
        imap = self.server.imap("alice")
        count = int(imap.select("INBOX")[1][0])
        status, data = imap.fetch("1:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)] BODY.PEEK[TEXT])")
        self.assertEqual(status, "OK")
        seen, uids = {}, []
        for item in data:
            if not isinstance(item, tuple):
                continue
            m = re.search(rb"Subject: number (\d+)", item[1])
            if m:
                uids.append(int(re.search(rb"UID (\d+)", item[0]).group(1)))
                seen[int(m.group(1))] = seen.get(int(m.group(1)), 0) + 1
            else:
                self.assertEqual(item[1], b"x" * 5000 + b"\r\n")
        imap.logout()
        self.assertEqual(sorted(seen), list(range(DELIVERIES)))
        self.assertEqual({n: times for n, times in seen.items() if times > load.attempts[n]}, {})
        self.assertGreater(sum(tries == 1 for tries in load.attempts.values()), DELIVERIES // 4)
        self.assertEqual(count, len(uids))
        self.assertEqual(len(set(uids)), count)

    def test_each_process(self):
        load = Load(self.server)
        while not load.done():
            pids = self.server.pids(self.random.choice(PROCESSES))
            if pids:
                try:
                    os.kill(self.random.choice(pids), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.1)
        load.join()
        self.check(load)

    def test_all(self):
        load = Load(self.server)
        for _ in range(4):
            time.sleep(0.3)
            self.server.kill_all()
            begin = time.monotonic()
            self.server.start()
            imap = self.server.imap("alice")
            self.assertEqual(imap.select("INBOX")[0], "OK")
            self.assertLess(time.monotonic() - begin, ONE_SESSION)
            imap.logout()
        load.join()
        self.check(load)


if __name__ == "__main__":
    unittest.main()
