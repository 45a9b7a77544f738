# SPDX-License-Identifier: MIT
"""NOTIFY (RFC 5465) with hub: what is told while no command is in progress, by whomever it was done."""
import os
import random
import re
import signal
import time
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
        self.server = culver.Server("imap_metadata = yes\nimap_hibernate_timeout = 1 secs\n"
                                    "service imap {\n  service_count = 0\n}\n")
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
        maildir = os.path.join(self.server.maildir("alice"), folder)
        path = os.path.join(maildir, "tmp", name)
        with open(path, "w") as f:
            f.write("Subject: x\n\nx\n")
        os.chown(path, self.server.uid, self.server.gid)
        os.rename(path, os.path.join(maildir, "new", name))

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

    def test_annotations(self):
        c, other = self.client(), self.client()
        other.ok("CREATE Work")
        c.ok("NOTIFY SET (personal (MailboxMetadataChange ServerMetadataChange))")
        other.ok('SETMETADATA Work (/shared/comment "x")')
        c.told("* METADATA Work /shared/comment")
        other.ok('SETMETADATA "" (/private/vendor/x/y "x")')
        c.told('* METADATA "" /private/vendor/x/y')
        other.ok("SETMETADATA Work (/shared/comment NIL)")
        c.told("* METADATA Work /shared/comment")
        c.ok('SETMETADATA Work (/shared/comment "y")')
        self.assertEqual(c.ok("NOOP"), [])

    def test_random(self):
        """Whatever two others do, who believes what NOTIFY tells knows names, subscriptions and figures as they are."""
        seed = int(os.environ.get("NOTIFY_SEED", random.getrandbits(32)))
        rnd = random.Random(seed)
        names = ["A", "B", "C.x", "C.y", "D"]
        c, others = self.client(), [self.client(), self.client()]
        c.ok("ENABLE CONDSTORE")
        figures, known = {}, {}

        def learn(lines):
            for line in lines:
                text = line.decode()
                m = re.match(r'\* STATUS (\S+) \((.*)\)$', text)
                if m:
                    words = m.group(2).split()
                    figures[m.group(1)] = dict(zip(words[::2], words[1::2]))
                m = re.match(r'\* LIST \((.*?)\) "." (\S+)(?: \("OLDNAME" \((\S+)\)\))?$', text)
                if m:
                    attrs, name, old = m.groups()
                    if old is not None:
                        if known.pop(old, (True, False))[1]:
                            known[old] = False, True        # RENAME leaves subscriptions where they are
                        if old in figures:
                            figures[name] = figures.pop(old)
                    if "\\NonExistent" in attrs and "\\Subscribed" not in attrs:
                        known.pop(name, None)
                    else:
                        known[name] = ("\\NonExistent" not in attrs, "\\Subscribed" in attrs)
                    if "\\NonExistent" in attrs:
                        figures.pop(name, None)

        learn(c.ok('LIST "" * RETURN (SUBSCRIBED)'))
        learn(c.ok("NOTIFY SET STATUS (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))"))
        for i in range(250):
            other, name = rnd.choice(others), rnd.choice(names)
            what = rnd.choice(["CREATE %s", "DELETE %s", "SUBSCRIBE %s", "UNSUBSCRIBE %s", "APPEND %s {5+}\r\na: b\n",
                               "APPEND %s {5+}\r\na: b\n", "rename", "change", "change"])
            if what == "rename":
                other.raw.ask("t", "RENAME %s %s" % (name, rnd.choice(names)))
            elif what == "change":
                if other.raw.ask("t", "SELECT " + name)[-1].startswith(b"t OK"):
                    other.raw.ask("t", "STORE 1 +FLAGS.SILENT (%s)" % rnd.choice(["\\Seen", "\\Deleted", "\\Flagged"]))
                    if rnd.random() < 0.5:
                        other.raw.ask("t", "EXPUNGE")
                    other.raw.ask("t", "UNSELECT")
            else:
                other.raw.ask("t", what % name)
            if rnd.random() < 0.1:
                learn(c.ok("NOOP"))

        def told():
            learn(c.ok("NOOP"))
            return dict(known), {n: dict(f) for n, f in figures.items()}

        def agree():
            believed = told()
            known.clear()
            figures.clear()
            learn(others[0].ok('LIST (SUBSCRIBED) "" *'))
            learn(others[0].ok('LIST "" * RETURN (SUBSCRIBED STATUS (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ))'))
            truth = {n: k for n, k in known.items() if True in k}, dict(figures)    # not mere names above others
            self.last = believed, truth
            known.clear()
            known.update(believed[0])
            figures.clear()
            figures.update(believed[1])
            return believed == truth

        try:
            culver.wait_for(agree, "the client knows what is there")
        except Exception:
            print("NOTIFY_SEED=%d\n%s\n%s" % ((seed,) + self.last))
            raise

    def test_many(self):
        """hub, which knows nothing of protocol blocks or of users' own settings, lets a session watch as many as it may."""
        self.server.close()
        self.server = culver.Server("imap_max_notify_mailboxes = 1\nprotocol imap {\n  imap_max_notify_mailboxes = 400\n}\n")
        c, other = self.client(), self.client()
        for i in range(300):
            other.ok("CREATE m%03d" % i)
        c.ok("NOTIFY SET (personal %s)" % MESSAGES)
        other.ok("APPEND m299 {5+}\r\na: b\n")
        self.assertIn(b"MESSAGES 1 ", c.told("* STATUS m299")[-1])

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

    def test_a_client_that_does_not_read(self):
        """hub has more to tell than it may keep for one session: it is told when it listens again."""
        c, other = self.client(), self.client()
        names = ["M%d" % i for i in range(60)]
        for name in names:
            other.ok("CREATE " + name)
        mail = "Subject: x\r\n\r\n" + ("x" * 70 + "\r\n") * 300000
        other.ok("APPEND INBOX {%d+}\r\n%s" % (len(mail), mail))
        c.ok("NOTIFY SET " + ALL)
        c.ok("SELECT INBOX")
        c.raw.send("f UID FETCH 1 BODY.PEEK[]\r\ng NOOP\r\n")
        counts, figures, end, n = dict.fromkeys(names, 0), {}, time.monotonic() + 2.5, 0
        while time.monotonic() < end:
            name = names[n % len(names)]
            n += 1
            other.ok("APPEND %s {5+}\r\na: b\n" % name)
            counts[name] += 1
        data = b""
        while not data.endswith(b"g OK NOOP completed.\r\n"):
            part = c.raw.socket.recv(1 << 20)
            self.assertTrue(part)
            data = (data + part)[-100000:]
        lines = data.split(b"\r\n")

        def agree():
            for line in lines + c.ok("NOOP"):
                if line.startswith(b"* STATUS M"):
                    figures[line.split()[2].decode()] = int(line.split()[4])
            lines.clear()
            return all(figures.get(name, 0) == counts[name] for name in names)

        culver.wait_for(agree, "all is told")
        self.assertIn("alice    2", self.server.adm("who"))

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
