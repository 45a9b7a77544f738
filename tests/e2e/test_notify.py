# SPDX-License-Identifier: MIT
"""NOTIFY (RFC 5465) with hub: what is told while no command is in progress, by whomever it was done."""
import os
import signal
import unittest

import culver

MESSAGES = "(MessageNew MessageExpunge FlagChange)"
ALL = "(selected %s) (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))" % MESSAGES


class Client:
    """A connection that is logged in, without a thread that reads: what comes unasked for is looked at in its order."""

    def __init__(self, server, user="alice"):
        self.raw = server.raw("imap")
        self.raw.line()
        self.ok('LOGIN %s "%s"' % (user, culver.PASSWORD))

    def ok(self, command):
        lines = self.raw.ask("t", command)
        assert lines[-1].startswith(b"t OK"), (command, lines)
        return lines[:-1]

    def told(self, start):
        """The next line that begins so, and those before it."""
        lines = self.raw.until(start)
        assert lines[-1].startswith(start.encode()), (start, lines)
        return lines

    def close(self):
        self.raw.close()


class Notify(unittest.TestCase):
    def setUp(self):
        self.server = culver.Server("imap_hibernate_timeout = 1 secs\nservice imap {\n  service_count = 0\n}\n")
        self.clients = []

    def tearDown(self):
        for c in self.clients:
            c.close()
        self.server.close()

    def client(self, user="alice"):
        self.clients.append(Client(self.server, user))
        return self.clients[-1]

    def outside(self, folder, name):
        """A program that knows nothing of us puts a message there."""
        path = os.path.join(self.server.maildir("alice"), folder, "tmp", name)
        with open(path, "w") as f:
            f.write("Subject: x\n\nx\n")
        os.chown(path, self.server.uid, self.server.gid)
        os.rename(path, path.replace("/tmp/", "/new/"))

    def test_told_between_commands(self):
        c, other = self.client(), self.client()
        other.ok("CREATE Work")
        other.ok("CREATE Play")
        c.ok("SELECT Play")
        first = c.ok("NOTIFY SET STATUS " + ALL)
        self.assertEqual(sorted(line.split()[2] for line in first if b"STATUS" in line), [b"INBOX", b"Work"])
        # Mail that is delivered, and mail that a script puts there, to what is selected and to others.
        self.server.deliver(culver.message("one"), "alice")
        self.assertIn(b"MESSAGES 1 ", c.told("* STATUS INBOX")[-1])
        self.outside(".Work", "1.a.x")
        self.assertIn(b"MESSAGES 1 ", c.told("* STATUS Work")[-1])
        self.outside(".Play", "1.b.x")
        c.told("* 1 EXISTS")
        other.ok("SELECT Work")
        other.ok("STORE 1 +FLAGS (\\Seen \\Deleted)")
        self.assertIn(b"UNSEEN 0", c.told("* STATUS Work")[-1])
        other.ok("EXPUNGE")
        culver.wait_for(lambda: b"MESSAGES 0 " in c.told("* STATUS Work")[-1], "the expunge is told")
        other.ok("SELECT Play")
        other.ok("STORE 1 +FLAGS (\\Deleted)")
        c.told("* 1 FETCH (UID 1 FLAGS (\\Deleted")
        other.ok("EXPUNGE")
        c.told("* 1 EXPUNGE")
        # Names.
        other.ok("RENAME Work Labour")
        c.told('* LIST (\\HasNoChildren) "." Labour ("OLDNAME" (Work))')
        other.ok("APPEND Labour {5+}\r\na: b\n")
        self.assertIn(b"MESSAGES 1 ", c.told("* STATUS Labour")[-1])
        other.ok("DELETE Labour")
        c.told('* LIST (\\NonExistent) "." Labour')
        other.ok("CREATE Labour")
        c.told("* STATUS Labour")
        other.ok("SUBSCRIBE Labour")
        c.told('* LIST (\\Subscribed \\HasNoChildren) "." Labour')
        # All that was told; nothing was left over, and nothing comes of what the client does itself.
        self.assertEqual(c.ok("NOOP"), [])
        c.ok("CREATE Mine")
        c.ok("SUBSCRIBE Mine")
        c.ok("DELETE Mine")
        self.assertEqual(c.ok("NOOP"), [])

    def test_idle_is_not_hibernated(self):
        c = self.client()
        c.ok("NOTIFY SET " + ALL)
        c.raw.send("i IDLE\r\n")
        c.told("+")
        other = self.client("bob")
        other.ok("SELECT INBOX")
        other.raw.send("i IDLE\r\n")
        culver.wait_for(lambda: "Hibernated" in self.server.log_text(), "bob sleeps")
        # alice was there first, and has her process still.
        self.assertEqual(self.server.log_text().count("Hibernated"), 1)
        self.server.deliver(culver.message("one"), "alice")
        c.told("* STATUS INBOX")
        c.raw.send("DONE\r\n")
        c.told("i OK")
        self.assertEqual(self.server.log_text().count("Hibernated"), 1)

    def test_hub_dies(self):
        self.server.allowed = ("killed", "hub", "gone")
        c, other = self.client(), self.client()
        other.ok("CREATE Work")
        c.ok("NOTIFY SET " + ALL)
        for pid in self.server.pids("hub"):
            os.kill(pid, signal.SIGKILL)
        other.ok("APPEND Work {5+}\r\na: b\n")
        self.assertIn(b"MESSAGES 1 ", c.told("* STATUS Work")[-1])
        culver.wait_for(lambda: self.server.pids("hub"), "hub is back")
        for n in (2, 3):
            other.ok("APPEND Work {5+}\r\na: b\n")
            self.assertIn(b"MESSAGES %d " % n, c.told("* STATUS Work")[-1])

    def test_the_next_session_of_the_process(self):
        """service_count = 0: a process serves the user's next session, and what the one before watched is nothing to it."""
        c = self.client()
        c.ok("CREATE Work")
        c.ok("NOTIFY SET " + ALL)
        c.ok("LOGOUT")
        c.close()
        self.clients.remove(c)
        c, other = self.client(), self.client()
        other.ok("APPEND Work {5+}\r\na: b\n")
        other.ok("CREATE Play")
        self.assertEqual(c.ok("NOOP"), [])
        c.ok("NOTIFY SET (mailboxes Work %s)" % MESSAGES)
        other.ok("APPEND Work {5+}\r\na: b\n")
        self.assertIn(b"MESSAGES 2 ", c.told("* STATUS Work")[-1])


if __name__ == "__main__":
    unittest.main()
