# SPDX-License-Identifier: MIT
"""Tables of recipients: aliases, virtual users, access tables, over LMTP against the running server."""
import json
import os
import pwd
import smtplib
import socket
import subprocess
import time
import unittest

import culver
from postfix import Postfix
from test_delivery import LDA, Lmtp
from test_queue import Sink

CONFIG = """
hostname = mx.example.org
recipient_delimiter = +
auth_username_format = %%Ln
submission_host = localhost:%(port)d
queue_retry_interval = 1 s
queue_retry_max_interval = 1 s
login_trusted_networks = 127.0.0.0/8
recipient_aliases = %(dir)s/tables/aliases
recipient_virtual = hash:%(dir)s/tables/virtual
recipient_access = %(dir)s/tables/access
recipient_user = %(user)s
recipient_program_dir = %(dir)s/programs
recipient_program_timeout = 5 s
recipient_files = yes
%(more)s
"""

ALIASES = """
# the usual ones
postmaster: root
MAILER-DAEMON: postmaster
root: alice
team: alice, bob, outer@else.example
owner-team: carol
list: :include:%(dir)s/tables/list
owner-list: list-admin@else.example, carol
hole: /dev/null
both: alice, both-archive
both-archive: %(dir)s/files/archive
save: "|save %(dir)s/files/program 'two words'"
tempfail: alice, "|later"
denied: |/bin/refuse
elsewhere: |../../bin/sh
shell: "|save x; rm y"
loop1: loop2
loop2: loop1
back: back@else.example
stale: alice, nobody-there
names: bob, bob@example.org, Bob@localhost, \\bob@mx.example.org, bob+box
gone: error:nouser has left us
club: alice, nobody-there
owner-club: carol@example.org
"""

VIRTUAL = """
info@virt.example   alice
sales@virt.example  alice, bob
bob@virt.example    error:5.7.1:550 Not this Bob
@virt.example       carol
@moved.example      %1@else.example
"""

ACCESS = """
From:spammer@bad.example    REJECT
From:bad.example            ERROR:5.7.1:550 Nothing from there
From:drop@example.net       DISCARD
Connect:192.0.2             REJECT
Connect:192.0.2.7           OK
Connect:dsl.example         450 4.7.1 Try another way
To:closed@example.org       550 5.2.1 This box is closed
To:silent@example.org       DISCARD
"""

QUARANTINE = """
To:held@example.org         QUARANTINE:Look at it
To:alice@example.org        QUARANTINE
From:odd@example.net        QUARANTINE:Odd one
From:odd@example.net        OK
"""


class Base(unittest.TestCase):
    more = ""
    missing = ()
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.sink = Sink()
        cls.server = s = culver.Server(start=False)
        cls.user = pwd.getpwuid(s.uid).pw_name
        for name in ("tables", "files", "programs"):
            os.mkdir(s.path(name), 0o755)
        os.chown(s.path("files"), s.uid, s.gid)
        cls.put("aliases", ALIASES % {"dir": s.dir})
        cls.put("virtual", VIRTUAL)
        cls.put("access", ACCESS)
        cls.put("list", "# people\nalice\nbob, outer@else.example (away)\n")
        cls.program("save", 'cat > "$1"\necho "$#:$2:$SENDER:$RECIPIENT:$(id -un)" >> "$1.args"')
        cls.program("later", "cat >/dev/null; test -e %s/go || exit 75" % s.path("files"))
        cls.program("refuse", "cat >/dev/null; exit 67")
        for name in cls.missing:
            os.unlink(s.path("tables", name))
        s.add_config(CONFIG % {"dir": s.dir, "port": cls.submission_port(), "user": cls.user, "more": cls.more})
        s.start()

    @classmethod
    def tearDownClass(cls):
        try:
            cls.server.close()
        finally:
            cls.sink.socket.close()

    @classmethod
    def submission_port(cls):
        return cls.sink.port

    @classmethod
    def put(cls, name, text):
        """A table's new version, put in the old one's place at once."""
        path = cls.server.path("tables", name)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.rename(path + ".new", path)

    @classmethod
    def program(cls, name, text):
        path = cls.server.path("programs", name)
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" + text + "\n")
        os.chmod(path, 0o755)

    def setUp(self):
        self.sink.taken.clear()

    def retrieve(self, user):
        client = self.server.pop3(user)
        found = []
        for number in range(1, client.stat()[0] + 1):
            found.append(b"\n".join(client.retr(number)[1]).decode() + "\n")
            client.dele(number)
        client.quit()
        return found

    def counts(self):
        return {user: len(self.retrieve(user)) for user in culver.USERS}

    def sent(self, count):
        """What the queue has passed on: (sender, recipient, message, whether by TLS)."""
        culver.wait_for(lambda: len(self.sink.taken) >= count, "%d messages are passed on" % count)
        return self.sink.taken


class Aliases(Base):
    def test_to_a_user(self):
        with Lmtp(self.server) as client:
            reply, = client.mail("Subject: a\r\n\r\nx", "PostMaster")
            self.assertRegex(reply, r"^250 2\.0\.0 <alice> \S+ Saved$")
            reply, = client.mail("Subject: b\r\n\r\nx", "mailer-daemon@example.org", sender="")
            self.assertTrue(reply.startswith("250 "), reply)
        first, second = self.retrieve("alice")
        self.assertTrue(first.startswith("Return-Path: <sender@example.net>\nDelivered-To: alice\n"), first)
        self.assertIn("\n\tfor <PostMaster>; ", first)
        self.assertTrue(second.startswith("Return-Path: <>\n"), second)

    def test_several_with_an_owner(self):
        with Lmtp(self.server) as client:
            replies = client.mail("Subject: team\r\n\r\nx", "team@example.org", "dave")
        self.assertRegex(replies[0], r"^250 2\.0\.0 <team@example.org> \S+ Saved for 3$")
        self.assertTrue(replies[1].startswith("250 2.0.0 <dave>"), replies)
        for user in ("alice", "bob"):
            message, = self.retrieve(user)
            self.assertTrue(message.startswith("Return-Path: <carol@example.org>\nDelivered-To: %s\n" % user), message)
        message, = self.retrieve("dave")
        self.assertTrue(message.startswith("Return-Path: <sender@example.net>\n"), message)
        (sender, recipient, _, _), = self.sent(1)
        self.assertIn("<carol@example.org>", sender)
        self.assertEqual(recipient, "outer@else.example")


    def test_named_twice(self):
        """By an alias and by name: one message."""
        with Lmtp(self.server) as client:
            replies = client.mail("Subject: once\r\n\r\nx", "alice", "team", "root", "bob")
        self.assertEqual([r[:4] for r in replies], ["250 "] * 4)
        self.assertEqual(self.counts(), {"alice": 1, "bob": 1, "carol": 0, "dave": 0})
        self.sent(1)

    def test_several_names(self):
        """One user by several addresses in one list: one message."""
        with Lmtp(self.server) as client:
            self.assertTrue(client.mail("Subject: once\r\n\r\nx", "names@example.org")[0].startswith("250 "))
        # What has a detail is another place.
        self.assertEqual(self.counts()["bob"], 2)

    def test_included(self):
        with Lmtp(self.server) as client:
            reply, = client.mail("Subject: list\r\n\r\nx", "LIST")
            self.assertTrue(reply.startswith("250 2.0.0 <LIST> "), reply)
        self.assertEqual(self.counts(), {"alice": 1, "bob": 1, "carol": 0, "dave": 0})
        (sender, recipient, message, _), = self.sent(1)
        # Two owners: the name of the list stands for them.
        self.assertIn("<owner-list@mx.example.org>", sender)
        self.assertEqual(recipient, "outer@else.example")
        self.assertTrue(message.startswith(b"X-Sieve-Redirected-From: LIST\r\nDelivered-To: LIST\r\nReceived: "), message)
        self.assertNotIn(b"Return-Path", message)

    def test_bounce_has_no_owner(self):
        with Lmtp(self.server) as client:
            self.assertTrue(client.mail("Subject: bounce\r\n\r\nx", "team", sender="")[0].startswith("250 "))
        self.assertTrue(self.retrieve("alice")[0].startswith("Return-Path: <>\n"))
        self.assertIn("<>", self.sent(1)[0][0])
        self.retrieve("bob")

    def test_refused_at_rcpt(self):
        with Lmtp(self.server) as client:
            client.say("MAIL FROM:<a@b>")
            for address, start in (("loop1", "554 5.4.6 <loop1> "), ("gone", "550 5.1.1 <gone> has left us"),
                                   ("nobody-there", "550 5.1.1 <nobody-there> User doesn't exist"),
                                   ("bob@virt.example", "550 5.7.1 <bob@virt.example> Not this Bob")):
                self.assertTrue(client.say("RCPT TO:<%s>" % address).startswith(start), address)

    def test_discard(self):
        with Lmtp(self.server) as client:
            self.assertTrue(client.mail("Subject: x\r\n\r\nx", "hole")[0].startswith("250 2.0.0 <hole>"))

    def test_unknown_member(self):
        """The others get the message; who sent it is told of the one who does not."""
        with Lmtp(self.server) as client:
            reply, = client.mail("Subject: x\r\n\r\nx", "stale")
        self.assertTrue(reply.startswith("550 5.1.1 <nobody-there> User doesn't exist"), reply)
        self.assertEqual(len(self.retrieve("alice")), 1)

    def test_owner_is_told(self):
        """Where a list has an owner he learns of members that get nothing; who wrote to it does not."""
        with Lmtp(self.server) as client:
            reply, = client.mail("Subject: to many\r\n\r\nx", "club")
        self.assertTrue(reply.startswith("250 2.0.0 <club> "), reply)
        self.assertEqual(len(self.retrieve("alice")), 1)
        (sender, recipient, message, _), = self.sent(1)
        self.assertIn("<>", sender)
        self.assertEqual(recipient, "carol@example.org")
        self.assertIn(b"\r\n550 5.1.1 <nobody-there> User doesn't exist\r\n", message)
        self.assertIn(b"\r\nSubject: to many\r\n", message)

    def test_file(self):
        path = self.server.path("files", "archive")
        with Lmtp(self.server) as client:
            for number in range(2):
                reply, = client.mail("Subject: %d\r\n\r\nFrom here\r\nto there" % number, "both")
                self.assertTrue(reply.startswith("250 "), reply)
        self.assertEqual(len(self.retrieve("alice")), 2)
        with open(path) as f:
            text = f.read()
        self.assertEqual(text.count("\n\nFrom sender@example.net  "), 1)
        self.assertTrue(text.startswith("From sender@example.net  "))
        self.assertEqual(text.count("\n\n>From here\nto there\n\n"), 2)
        self.assertEqual(os.stat(path).st_uid, self.server.uid)
        self.assertFalse(os.path.exists(path + ".lock"))

    def test_program(self):
        path = self.server.path("files", "program")
        with Lmtp(self.server) as client:
            reply, = client.mail("Subject: p\r\n\r\nx", "save@example.org")
        self.assertTrue(reply.startswith("250 "), reply)
        with open(path) as f:
            text = f.read()
        self.assertRegex(text, r"^From sender@example\.net  .*\nReturn-Path: <sender@example.net>\nDelivered-To: save@example.org\n")
        self.assertTrue(text.endswith("\nSubject: p\n\nx\n"), text)
        with open(path + ".args") as f:
            self.assertEqual(f.read(), "2:two words:sender@example.net:save@example.org:%s\n" % self.user)

    def test_program_refuses(self):
        self.server.allowed += ("is for a shell", "ended with")
        with Lmtp(self.server) as client:
            self.assertTrue(client.mail("Subject: p\r\n\r\nx", "denied")[0].startswith("550 5.1.1 <denied>"))
            for alias in ("elsewhere", "shell"):
                self.server.allowed += ("<%s> to " % alias,)
                self.assertTrue(client.mail("Subject: p\r\n\r\nx", alias)[0].startswith("451 "), alias)
        self.assertFalse(os.path.exists(self.server.path("files", "x")))

    def test_comes_again(self):
        """What one end has is not given to it again when another had to wait."""
        go = self.server.path("files", "go")
        with Lmtp(self.server) as client:
            for _ in range(3):
                reply, = client.mail("Subject: again\r\nMessage-ID: <1@x>\r\n\r\nx", "tempfail")
                self.assertTrue(reply.startswith("451 4.3.0 <tempfail>"), reply)
            open(go, "w").close()
            reply, = client.mail("Subject: again\r\nMessage-ID: <1@x>\r\n\r\nx", "tempfail")
            self.assertTrue(reply.startswith("250 "), reply)
            self.assertEqual(len(self.retrieve("alice")), 1)
            # Another message is another one.
            self.assertTrue(client.mail("Subject: other\r\n\r\nx", "tempfail")[0].startswith("250 "))
        self.assertEqual(len(self.retrieve("alice")), 1)
        os.unlink(go)

    def test_loop(self):
        with Lmtp(self.server) as client:
            self.assertTrue(client.mail("Subject: out\r\n\r\nx", "back@example.org")[0].startswith("250 "))
            message = self.sent(1)[0][2].decode()
            reply, = client.mail("Received: elsewhere\r\n" + message[:-2], "back@example.org")
            self.assertTrue(reply.startswith("554 5.4.6 <back@example.org>"), reply)

    def test_reload(self):
        """A new version is used by the connection that is open, too; a wrong one is not."""
        self.server.allowed += ("tables/aliases: line 2: ",)
        text = ALIASES % {"dir": self.server.dir}
        with Lmtp(self.server) as client:
            def known(name):
                client.say("RSET")
                self.assertTrue(client.say("MAIL FROM:<a@b>").startswith("250"))
                found = client.say("RCPT TO:<%s>" % name).startswith("250")
                # What all versions have is there all the time.
                self.assertTrue(client.say("RCPT TO:<root>").startswith("250"))
                self.assertTrue(client.say("RCPT TO:<list>").startswith("250"))
                return found
            self.assertFalse(known("fresh"))
            self.put("aliases", text + "fresh: bob\n")
            culver.wait_for(lambda: known("fresh"), "the new alias is known")
            self.put("aliases", "team: alice\nno colon here\n")
            culver.wait_for(lambda: known("fresh") and "tables/aliases: line 2: " in self.server.log_text(), "the mistake is logged")
            self.assertTrue(known("fresh"))
            # It is gone for a while.
            self.server.allowed += ("tables/aliases: open: No such file",)
            os.unlink(self.server.path("tables", "aliases"))
            culver.wait_for(lambda: known("fresh") and "tables/aliases: open: " in self.server.log_text(), "it is missed")
            self.put("aliases", text)
            culver.wait_for(lambda: not known("fresh"), "the alias is gone")


class Virtual(Base):
    def test_users(self):
        with Lmtp(self.server) as client:
            for address, users in (("info@virt.example", ["alice"]), ("Sales@VIRT.example", ["alice", "bob"]),
                                   ("anybody+x@virt.example", ["carol"])):
                self.assertTrue(client.mail("Subject: v\r\n\r\nx", address)[0].startswith("250 "), address)
                self.assertEqual([u for u, n in self.counts().items() if n], users, address)

    def test_elsewhere(self):
        with Lmtp(self.server) as client:
            self.assertTrue(client.mail("Subject: v\r\n\r\nx", "some.one@moved.example")[0].startswith("250 "))
        (sender, recipient, _, _), = self.sent(1)
        self.assertIn("<sender@example.net>", sender)
        self.assertEqual(recipient, "some.one@else.example")


class Policy(Base):
    """Postfix asks quota-status at RCPT: the answer is that of the users whom the tables lead to."""

    @classmethod
    def setUpClass(cls):
        cls.port = culver.free_ports(("policy",))["policy"]
        cls.more = """mail_plugins = quota
            recipient_forward = yes
            plugin {
              quota = count:User quota
              quota_rule = *:bytes=1000
            }
            service quota-status {
              executable = quota-status -p postfix
              inet_listener {
                address = 127.0.0.1
                port = %d
              }
            }""" % cls.port
        super().setUpClass()

    @classmethod
    def put(cls, name, text):
        super().put(name, "dave: Dave.Doe\nDave.Doe: dave\n" + text if name == "aliases" else text)

    def ask(self, recipient, size=5000, **more):
        more.update(recipient=recipient, size=size)
        with socket.create_connection(("127.0.0.1", self.port), culver.WAIT) as s:
            s.sendall("".join("%s=%s\n" % pair for pair in more.items()).encode() + b"\n")
            got = b""
            while not got.endswith(b"\n\n"):
                part = s.recv(1000)
                self.assertTrue(part)
                got += part
        return got.decode()[len("action="):-2]

    def test_ends(self):
        for recipient in ("alice", "root@example.org", "postmaster", "info@virt.example"):
            self.assertTrue(self.ask(recipient).startswith("554 5.2."), recipient)
            self.assertEqual(self.ask(recipient, 500), "DUNNO")
        for recipient in ("team", "sales@virt.example", "hole", "save", "both-archive", "x@moved.example", "stale"):
            self.assertEqual(self.ask(recipient), "DUNNO", recipient)
        self.assertEqual(self.ask("gone"), "550 5.1.1 has left us")
        self.assertEqual(self.ask("bob@virt.example"), "550 5.7.1 Not this Bob")
        self.assertEqual(self.ask("loop1"), "554 5.4.6 The address leads back to itself")
        # Led back to a user, whoever of them that is.
        for recipient in ("dave", "Dave.Doe@example.org"):
            self.assertTrue(self.ask(recipient).startswith("554 5.2."), recipient)
            self.assertEqual(self.ask(recipient, 500), "DUNNO")
        self.assertEqual(self.ask("nobody-there"), "REJECT Unknown user")
        self.put("list", "alice\n")
        culver.wait_for(lambda: self.ask("list").startswith("554"), "the list is read again")

    def test_access(self):
        self.assertEqual(self.ask("closed@example.org", 1), "550 5.2.1 This box is closed")
        self.assertEqual(self.ask("alice", 1, sender="x@bad.example"), "550 5.7.1 Nothing from there")
        self.assertEqual(self.ask("alice", 1, sender="", client_address="192.0.2.9"), "550 5.7.1 Access denied")
        self.assertEqual(self.ask("alice", 1, client_name="a.dsl.example"), "450 4.7.1 Try another way")
        self.assertEqual(self.ask("silent@example.org"), "DUNNO")
        self.assertEqual(self.ask("alice", 1, sender="fine@example.net", client_address="192.0.2.7"), "DUNNO")

    @unittest.skipUnless(os.geteuid() == 0 and os.path.exists("/usr/sbin/postfix"), "Postfix is started by root")
    def test_postfix(self):
        """The table's words reach the client of Postfix at RCPT, and what it lets through arrives."""
        with Postfix(self.server, "lmtp:unix:" + self.server.path("run", "lmtp"),
                     {"smtpd_recipient_restrictions": "check_policy_service inet:127.0.0.1:%d, permit" % self.port}) as postfix, \
                smtplib.SMTP("127.0.0.1", postfix.port, timeout=culver.WAIT) as smtp:
            with self.assertRaises(smtplib.SMTPRecipientsRefused) as caught:
                smtp.sendmail("out@example.net", ["gone@example.org", "closed@example.org", "root@example.org"],
                              culver.message("large", "x" * 2000))
            said = caught.exception.recipients
            self.assertEqual(said["gone@example.org"], (550, b"5.1.1 <gone@example.org>: Recipient address rejected: has left us"))
            self.assertEqual(said["closed@example.org"][0], 550)
            self.assertEqual(said["root@example.org"][0], 554)
            with self.assertRaises(smtplib.SMTPException):
                smtp.sendmail("x@bad.example", ["alice@example.org"], culver.message("bad"))
            self.assertEqual(smtp.sendmail("out@example.net", ["root@example.org"], culver.message("small")), {})
            culver.wait_for(lambda: self.server.pop3("alice").stat()[0] == 1, "it is there", 40)
            self.retrieve("alice")

    def test_forward(self):
        """Whose mail all goes elsewhere needs no room here."""
        path = self.server.path("home", "bob", ".forward")
        for text, want in (("bob@else.example\n", "DUNNO"), ("\\bob, bob@else.example\n", "554"), ("|broken \"\n", "554"), ("|save x\n", "DUNNO"),
                           ("# nothing\n", "554")):
            with open(path, "w") as f:
                f.write(text)
            os.chown(path, self.server.uid, self.server.gid)
            self.assertEqual(self.ask("bob").split()[0], want, text)
        os.unlink(path)


class Access(Base):
    def test_sender(self):
        with Lmtp(self.server) as client:
            self.assertEqual(client.say("MAIL FROM:<Spammer@Bad.Example>"), "550 5.7.1 <Spammer@Bad.Example> Access denied")
            self.assertEqual(client.say("MAIL FROM:<x@sub.bad.example>"), "550 5.7.1 <x@sub.bad.example> Nothing from there")
            self.assertTrue(client.mail("Subject: x\r\n\r\nx", "alice", "nobody-there", sender="drop@example.net")[0].startswith("250 "))
            self.assertTrue(client.mail("Subject: y\r\n\r\nx", "bob", sender="fine@example.net")[0].startswith("250 "))
        self.assertEqual(self.counts(), {"alice": 0, "bob": 1, "carol": 0, "dave": 0})

    def test_recipient(self):
        with Lmtp(self.server) as client:
            client.say("MAIL FROM:<a@b>")
            self.assertEqual(client.say("RCPT TO:<closed@example.org>"), "550 5.2.1 <closed@example.org> This box is closed")
            client.say("RSET")
            replies = client.mail("Subject: x\r\n\r\nx", "silent@example.org", "alice")
            self.assertEqual([r[:3] for r in replies], ["250", "250"])
        self.assertEqual(self.counts(), {"alice": 1, "bob": 0, "carol": 0, "dave": 0})

    def test_client(self):
        with Lmtp(self.server) as client:
            for xclient, start in (("ADDR=192.0.2.1", "550 5.7.1"), ("ADDR=192.0.2.7", "250"), ("ADDR=198.51.100.1", "250"),
                                   ("ADDR=198.51.100.1 NAME=a.dsl.example", "450 4.7.1 <a@b> Try another way"),
                                   ("ADDR=198.51.100.2 NAME=[UNAVAILABLE]", "250")):
                self.assertTrue(client.say("XCLIENT " + xclient).startswith("220"))
                client.say("LHLO client.example")
                self.assertTrue(client.say("MAIL FROM:<a@b>").startswith(start), xclient)
                client.say("RSET")



class Quarantine(Base):
    more = "recipient_quarantine = keeper@example.org\n"

    def setUp(self):
        super().setUp()
        self.server.allowed += ("takes no mail now", "is there already")
        self.put("aliases", "keeper: carol\n" + ALIASES % {"dir": self.server.dir})
        self.put("access", ACCESS + QUARANTINE)
        with Lmtp(self.server) as client:
            culver.wait_for(lambda: client.say("MAIL FROM:<a@b>") and
                            client.say("RCPT TO:<held@example.org>").startswith("250") or client.say("RSET") and None,
                            "the table is read")

    def test_goes_elsewhere(self):
        with Lmtp(self.server) as client:
            replies = client.mail("Subject: one\r\n\r\nx", "held@example.org", "alice@example.org", "bob@example.org", "carol@example.org")
            self.assertEqual([r[:3] for r in replies], ["250"] * 4)
            replies = client.mail("Subject: two\r\n\r\nx", "team@example.org", "silent@example.org", sender="odd@example.net")
            self.assertEqual([r[:3] for r in replies], ["250"] * 2)
            client.say("MAIL FROM:<odd@example.net>")
            self.assertTrue(client.say("RCPT TO:<closed@example.org>").startswith("550 5.2.1"))
        got = self.retrieve("carol")
        self.assertEqual(sorted(line for text in got for line in text.split("\n") if line.startswith("X-Quarantine:")),
                         ["X-Quarantine: <alice@example.org>", "X-Quarantine: <held@example.org> Look at it",
                          "X-Quarantine: <team@example.org> Odd one"])
        self.assertEqual(len(got), 4)
        self.assertEqual(self.counts(), {"alice": 0, "bob": 1, "carol": 0, "dave": 0})
        self.retrieve("bob")

    def test_explained(self):
        done = self.server.adm("-f", "json", "recipient", "held@example.org")
        rows = [(x["what"], x["address"], x["result"]) for x in json.loads(done)]
        self.assertEqual(rows[0], ("recipient", "held@example.org", "quarantined, Look at it: goes to keeper@example.org"))
        self.assertEqual(rows[-1], ("end", "carol", "the mailbox of carol"))

    def test_no_place(self):
        """That nobody is there to take it is no reason to refuse mail for good."""
        self.put("aliases", "keeper: error:nouser gone\n" + ALIASES % {"dir": self.server.dir})
        with Lmtp(self.server) as client:
            def waits():
                client.say("RSET")
                client.say("MAIL FROM:<a@b>")
                return client.say("RCPT TO:<held@example.org>").startswith("451 4.3.5 <held@example.org>")
            culver.wait_for(waits, "the table is read")


class Explaining(Base):
    more = "recipient_forward = yes\n"

    def explain(self, *args, status=0):
        done = self.server.adm("-f", "json", "recipient", *args, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return [(x["what"], x["depth"], x["address"], os.path.basename(x["table"]), x["line"], x["result"])
                for x in json.loads(done.stdout)]


class Explained(Explaining):
    def test_alias(self):
        line = str((ALIASES % {"dir": ""}).split("\n").index("team: alice, bob, outer@else.example") + 1)
        self.assertEqual(self.explain("team@example.org"), [
            ("recipient", "0", "team@example.org", "", "", "no line for it"),
            ("step", "0", "team@example.org", "aliases", line, "alias"),
            ("step", "1", "carol@example.org", "aliases", line, "the sender of the envelope from here on (owner-)"),
            ("step", "1", "alice", "", "", "a user here"),
            ("step", "1", "bob", "", "", "a user here"),
            ("step", "1", "outer@else.example", "", "", "an address elsewhere: passed on"),
            ("end", "0", "alice", "aliases", line, "the mailbox of alice"),
            ("end", "0", "bob", "aliases", line, "the mailbox of bob"),
            ("end", "0", "outer@else.example", "aliases", line, "passed on, sender carol@example.org"),
        ])

    def test_refused(self):
        self.assertEqual(self.explain("loop1", status=67)[-1][5], "refused: 554 5.4.6 The address leads back to itself")
        self.assertEqual(self.explain("closed@example.org", status=67),
                         [("recipient", "0", "closed@example.org", "access", "8", "refused: 550 5.2.1 This box is closed")])
        self.assertEqual(self.explain("alice", "-f", "x@bad.example", status=67)[0][:1], ("sender",))
        self.assertEqual([x[::5] for x in self.explain("-c", "198.51.100.1", "-f", "<>", "alice")][:3],
                         [(x, "no line for it") for x in ("client", "sender", "recipient")])
        self.assertEqual(self.explain("-c", "192.0.2.9", "alice", status=67)[0][5], "refused: 550 5.7.1 Access denied")
        self.assertEqual(self.explain("-c", "192.0.2.7", "alice")[0], ("client", "0", "192.0.2.7", "access", "6", "OK"))
        self.assertEqual(self.explain("-c", "x.dsl.example", "alice", status=75)[0][0], "client")
        self.assertEqual(self.explain("nobody-there", status=67)[-1][5], "refused: 550 5.1.1 there is no such user")

    def test_programs(self):
        """What can not be run waits, which is told before there is mail for it."""
        self.assertEqual(self.explain("save")[-1][5], "a program, run from %s" % self.server.path("programs"))
        self.assertEqual(self.explain("shell", status=75)[-1][5],
                         "a program that can not be run, mail waits: ; is for a shell, and there is none")
        self.assertEqual(self.explain("elsewhere", status=75)[-1][5],
                         "a program that can not be run, mail waits: %s: No such file or directory" % self.server.path("programs", "sh"))

    def test_forward(self):
        path = self.server.path("home", "bob", ".forward")
        with open(path, "w") as f:
            f.write("\\bob, bob@else.example, Bob@example.org, alice\n\"|save x\", |a;b\n/dev/null\n/box\n")
        os.chown(path, self.server.uid, self.server.gid)
        rows = [x for x in self.explain("bob+x@example.org") if x[0] == "forward"]
        self.assertEqual([x[:2] + x[3:4] for x in rows], [("forward", "1", ".forward")] * 8)
        self.assertEqual([x[2:3] + x[4:] for x in rows], [
            ("bob", "1", "the mailbox"), ("bob@else.example", "1", "an address: passed on"), ("Bob@example.org", "1", "the mailbox"),
            ("alice", "1", "an address: passed on, at example.org"), ("save x", "2", "a program"),
            ("a;b", "2", "the mailbox: ; is for a shell, and there is none"), ("/dev/null", "3", "thrown away"), ("/box", "4", "a file")])
        # All of it is one table.
        lines = self.server.adm("recipient", "bob").splitlines()
        at = lines[0].index("result")
        self.assertEqual([x[at:at + 11] for x in lines if x.startswith(("end", "forward"))][:2], ["the mailbox"] * 2)
        os.chmod(path, 0o666)
        rows = [x for x in self.explain("bob") if x[0] == "forward"]
        self.assertEqual(rows[0][5], "the mailbox: it can be written by others")
        os.unlink(path)

    def test_usage(self):
        for args in ((), ("a", "b"), ("a@",), ("-x", "a")):
            self.assertEqual(self.server.adm("recipient", *args, check=False).returncode, 64, args)


class LedBack(Explaining):
    """Of names that lead to each other a user has the mail; lists that name each other reach their members."""

    @classmethod
    def put(cls, name, text):
        more = "dave: Dave.Doe\nDave.Doe: dave@mx.example.org\ncircle1: circle2, alice\ncircle2: circle1, bob\n"
        super().put(name, more + text if name == "aliases" else text)

    def test_delivered(self):
        with Lmtp(self.server) as client:
            for name in ("dave", "dave+x@example.org", "dave.doe", "Dave.Doe@example.org"):
                self.assertRegex(client.mail("Subject: x\r\n\r\nx", name)[0], "^250 2.0.0 <dave[^>]*> ", name)
                self.assertEqual(self.counts()["dave"], 1, name)
            for name in ("circle1", "circle2@example.org"):
                reply, = client.mail("Subject: x\r\n\r\nx", name)
                self.assertTrue(reply.startswith("250 2.0.0 <%s>" % name), reply)
                self.assertEqual(self.counts(), {"alice": 1, "bob": 1, "carol": 0, "dave": 0})

    def test_explained(self):
        self.assertEqual(self.explain("dave.doe")[-1][2:6:3], ("dave@mx.example.org", "the mailbox of dave"))
        self.assertEqual([x[5] for x in self.explain("circle1") if x[0] == "end"],
                         ["passed over: it leads back to itself, and nobody on the way is a user", "the mailbox of bob", "the mailbox of alice"])


class Unreadable(Base):
    missing = ("access",)

    def test_waits(self):
        """Without its tables nothing is known of any address: mail waits."""
        self.server.allowed += ("tables/access: ",)
        with Lmtp(self.server) as client:
            self.assertTrue(client.say("MAIL FROM:<a@b>").startswith("451 4.3.0"))
            self.put("access", ACCESS)
            culver.wait_for(lambda: client.say("MAIL FROM:<a@b>").startswith("250"), "the table is read")


class Mistaken(Base):
    """The server is started with a line that is not understood: mail for what it names waits, and for nothing else."""

    @classmethod
    def put(cls, name, text):
        mistakes = {"aliases": "typo alice\n", "virtual": "lost@virt.example a b\n", "access": "From:odd@example.net MAYBE\n", "list": "a b\n"}
        super().put(name, mistakes[name] + text)

    def test_waits(self):
        self.server.allowed += ("mail for what it names waits", "it gets nothing", "there is no such user")
        for table in ("aliases", "virtual", "access"):
            self.assertIn("/tables/%s: line 1: " % table, self.server.log_text())
        with Lmtp(self.server) as client:
            self.assertTrue(client.say("MAIL FROM:<odd@example.net>").startswith("451 4.3.5"))
            self.assertTrue(client.mail("Subject: x\r\n\r\nx", "root", "info@virt.example", "any@virt.example")[0].startswith("250 "))
            client.say("MAIL FROM:<a@b>")
            for address in ("typo", "lost@virt.example", "lost+x@virt.example"):
                self.assertTrue(client.say("RCPT TO:<%s>" % address).startswith("451 4.3.5 <%s>" % address), address)
            client.say("RSET")
            # Of a list the others have it, and who wrote to it hears of that one.
            self.assertTrue(client.mail("Subject: list\r\n\r\nx", "list")[0].startswith("250 "))
        self.assertEqual(self.counts(), {"alice": 2, "bob": 1, "carol": 1, "dave": 0})
        self.assertTrue(self.sent(2))
        done = self.server.adm("recipient", "typo", check=False)
        self.assertEqual(done.returncode, 75)
        self.assertIn("/tables/aliases: line 1: no colon behind the name", done.stderr)
        self.assertIn("refused: 451 4.3.5 The table has a mistake here", done.stdout)


class Forward(Base):
    more = "recipient_forward = yes\nrecipient_domains = example.org\n"

    def forward(self, user, text, name=".forward", mode=0o644, uid=None):
        path = self.server.path("home", user, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        os.chown(path, self.server.uid if uid is None else uid, self.server.gid)
        self.addCleanup(lambda: os.path.lexists(path) and os.unlink(path))
        return path

    def deliver(self, address, text="Subject: f\r\n\r\nx"):
        with Lmtp(self.server) as client:
            reply, = client.mail(text, address)
        self.assertTrue(reply.startswith("250 "), reply)

    def lda(self, *args, run_as=None, **env):
        """One message by culver-lda; its subject is the arguments."""
        message = "From out@else.example Sat Nov 21 12:00:00 2026\nSubject: %s\n\nbody\n" % " ".join(args)
        return subprocess.run([LDA, "-c", self.server.config] + list(args), input=message.encode(), capture_output=True,
                              user=run_as, env=dict(os.environ, **env), timeout=culver.WAIT)

    def test_lda(self):
        """culver-lda asks the file of the user whom it is given, and no table: who calls it has done that."""
        box = self.server.path("home", "bob", "lda-box")
        self.forward("bob", "bob@else.example, %s, \"|save %s two\"\n" % (box, box + ".program"))
        done = self.lda("-d", "bob", "-a", "bob@example.org")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual([(x[0].split()[1], x[1]) for x in self.sent(1)], [("FROM:<out@else.example>", "bob@else.example")])
        self.assertEqual(self.retrieve("bob"), [])
        with open(box) as f:
            self.assertTrue(f.read().startswith("From out@else.example "))
        with open(box + ".program.args") as f:
            self.assertEqual(f.read(), "2:two:out@else.example:bob@example.org:%s\n" % self.user)
        # What the file itself runs ends in the mailbox.
        self.assertEqual(self.lda("-d", "bob", CULVER_FORWARD="1").returncode, 0)
        self.assertEqual(len(self.retrieve("bob")), 1)
        self.assertEqual(self.lda("-d", "bob", "-o", "recipient_forward=no").returncode, 0)
        self.assertEqual(len(self.retrieve("bob")), 1)
        self.assertEqual(self.lda("-d", "team").returncode, 67)

    def test_lda_detail(self):
        self.forward("bob", "bob@else.example\n")
        self.forward("bob", "\\bob\n", name=".forward+here")
        self.assertEqual(self.lda("-d", "bob", "-a", "bob+here@example.org").returncode, 0)
        self.assertEqual(len(self.retrieve("bob")), 1)
        self.assertEqual(self.lda("-d", "bob", "-a", "bob+there@example.org").returncode, 0)
        self.assertEqual(len(self.sent(1)), 1)

    def test_lda_in_forward(self):
        """A file that runs culver-lda does not go in circles."""
        self.program("deliver", 'exec %s -c %s -d bob -m Sorted -o lda_mailbox_autocreate=yes' % (LDA, self.server.config))
        self.forward("bob", "|deliver\n")
        with open(LDA, "rb") as f:
            if b"libasan" in f.read():
                self.skipTest("a sanitizer wants more address space than programs have")
        done = self.lda("-d", "bob")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        imap = self.server.imap("bob")
        self.assertEqual(imap.select("Sorted")[1], [b"1"])
        imap.logout()
        self.assertEqual(self.retrieve("bob"), [])

    def test_elsewhere(self):
        self.forward("bob", "# gone away\nbob@else.example,\n other\n")
        self.deliver("bob@example.org")
        self.assertEqual(self.retrieve("bob"), [])
        taken = self.sent(2)
        self.assertEqual(sorted(x[1] for x in taken), ["bob@else.example", "other@example.org"])
        self.assertTrue(all("<sender@example.net>" in x[0] for x in taken), taken)

    def test_and_here(self):
        for text in ("\\bob, bob@else.example", "bob\nbob@else.example\n", "bob@example.org,bob@else.example"):
            self.sink.taken.clear()
            path = self.forward("bob", text)
            self.deliver("bob@example.org", "Subject: %s\r\n\r\nx" % text[:4].strip())
            self.assertEqual(len(self.retrieve("bob")), 1, text)
            self.assertEqual([x[1] for x in self.sent(1)], ["bob@else.example"])
            self.assertTrue(os.path.exists(path))
            self.doCleanups()

    def test_own_address(self):
        """By whatever address it came, the own one is the mailbox: passed on to himself it would come again, for all in the file."""
        for own in ("alice@example.org", "Alice@mx.example.org", "alice@localhost"):
            self.forward("alice", "%s, alice@else.example\n" % own)
            for address in ("alice", "alice+x@example.org", "alice@mx.example.org", "root@example.org"):
                self.sink.taken.clear()
                self.deliver(address, "Subject: %s %s\r\n\r\nx" % (own, address))
                self.assertEqual(len(self.retrieve("alice")), 1, (own, address))
                self.assertEqual([x[1] for x in self.sent(1)], ["alice@else.example"])
        # Another's, and one of another server.
        self.sink.taken.clear()
        self.forward("alice", "carol@example.org, alice@elsewhere.example\n")
        self.deliver("alice@example.org", "Subject: others\r\n\r\nx")
        self.assertEqual(sorted(x[1] for x in self.sent(2)), ["alice@elsewhere.example", "carol@example.org"])
        self.assertEqual(self.retrieve("alice"), [])

    def test_detail(self):
        self.forward("bob", "bob@else.example\n")
        self.forward("bob", "\\bob\n", name=".forward+here")
        self.deliver("bob+here")
        self.assertEqual(len(self.retrieve("bob")), 1)
        self.deliver("bob+there", "Subject: there\r\n\r\nx")
        self.assertEqual(len(self.sent(1)), 1)
        self.deliver("bob+../../alice/.forward", "Subject: path\r\n\r\nx")
        self.assertEqual(len(self.sent(2)), 2)

    def test_program_and_file(self):
        box = self.server.path("home", "bob", "box")
        out = self.server.path("home", "bob", "out")
        self.forward("bob", '"|save %s bob", %s\n' % (out, box))
        self.deliver("bob")
        self.assertEqual(self.retrieve("bob"), [])
        with open(out) as f:
            self.assertTrue(f.read().startswith("From sender@example.net  "))
        with open(box) as f:
            self.assertTrue(f.read().startswith("From sender@example.net  "))
        self.assertEqual(os.stat(box).st_uid, self.server.uid)

    def test_included(self):
        list_path = self.forward("bob", "# friends\nbob\nfriend@else.example\n", name="friends")
        self.forward("bob", "other@else.example, :include:%s\n" % list_path)
        self.deliver("bob")
        self.assertEqual(len(self.retrieve("bob")), 1)
        self.assertEqual(sorted(x[1] for x in self.sent(2)), ["friend@else.example", "other@else.example"])
        # One that includes itself, and one that others may write.
        self.server.allowed += ("/.forward",)
        self.forward("bob", ":include:%s\n" % self.server.path("home", "bob", ".forward"))
        self.deliver("bob", "Subject: circle\r\n\r\nx")
        self.forward("bob", ":include:%s\n" % list_path)
        os.chmod(list_path, 0o666)
        self.deliver("bob", "Subject: unsafe\r\n\r\nx")
        self.assertEqual(len(self.retrieve("bob")), 2)
        self.assertEqual(len(self.sink.taken), 2)

    def test_failures_keep_it(self):
        """Nothing is lost by what does not work."""
        self.server.allowed += ("/.forward",)
        for text in ("|/bin/refuse\n", "|no-such-program", "/no/such/directory/box", ":include:/etc/passwd", "a b c\n", "|save x; y",
                     "/etc/culver-test-box"):
            self.forward("bob", text)
            self.deliver("bob", "Subject: %d\r\n\r\nx" % len(text))
            self.assertEqual(len(self.retrieve("bob")), 1, text)
            self.doCleanups()
        self.assertFalse(os.path.exists("/etc/culver-test-box"))

    def test_unsafe_files(self):
        self.server.allowed += ("/.forward",)
        for more in ({"mode": 0o664}, {"mode": 0o646}) + (({"uid": 12345},) if os.geteuid() == 0 else ()):
            self.forward("bob", "bob@else.example\n", **more)
            self.deliver("bob", "Subject: %r\r\n\r\nx" % more)
            self.assertEqual(len(self.retrieve("bob")), 1, more)
            self.doCleanups()
        os.chmod(self.server.path("home", "bob"), 0o777)
        self.forward("bob", "bob@else.example\n")
        self.deliver("bob", "Subject: dir\r\n\r\nx")
        os.chmod(self.server.path("home", "bob"), 0o700)
        self.assertEqual(len(self.retrieve("bob")), 1)
        self.doCleanups()
        target = self.server.path("home", "bob", "elsewhere")
        self.forward("bob", "bob@else.example\n", name="elsewhere")
        os.symlink(target, self.server.path("home", "bob", ".forward"))
        self.addCleanup(os.unlink, self.server.path("home", "bob", ".forward"))
        self.deliver("bob", "Subject: link\r\n\r\nx")
        self.assertEqual(len(self.retrieve("bob")), 1)
        self.assertEqual(self.sink.taken, [])

    def test_loop(self):
        self.server.allowed += ("/.forward",)
        self.forward("bob", "bob@else.example\n")
        self.deliver("bob@example.org", "Subject: once\r\n\r\nx")
        message = self.sent(1)[0][2].decode()
        self.deliver("bob@example.org", "Received: by another\r\n" + message[:-2])
        self.assertEqual(len(self.retrieve("bob")), 1)

    def test_behind_an_alias(self):
        self.forward("alice", "alice@else.example\n")
        self.deliver("root@example.org", "Subject: root\r\n\r\nx")
        self.assertEqual([x[1] for x in self.sent(1)], ["alice@else.example"])
        self.assertEqual(self.retrieve("alice"), [])


@unittest.skipUnless(os.geteuid() == 0 and os.path.exists("/usr/sbin/postfix"), "Postfix is started by root")
class WithPostfix(Base):
    """A Postfix that knows no alias hands everything over, and sends what is passed on."""
    more = "recipient_forward = yes\n"

    @classmethod
    def submission_port(cls):
        cls.postfix = Postfix(cls.server, "lmtp:unix:" + cls.server.path("run", "lmtp"),
                              {"default_transport": "smtp:[127.0.0.1]:%d" % cls.sink.port, "minimal_backoff_time": "1s",
                               "maximal_backoff_time": "1s", "queue_run_delay": "1s"})
        return cls.postfix.port

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.postfix.__enter__()

    @classmethod
    def tearDownClass(cls):
        cls.postfix.__exit__()
        super().tearDownClass()

    def send(self, subject, *recipients):
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=culver.WAIT) as smtp:
            smtp.sendmail("out@else.example", recipients, culver.message(subject))

    def test_there_and_back(self):
        path = self.server.path("home", "dave", ".forward")
        with open(path, "w") as f:
            f.write("\\dave, dave@else.example\n")
        os.chown(path, self.server.uid, self.server.gid)
        self.send("all", "team@example.org", "dave@example.org", "postmaster@example.org")
        taken = self.sent(2)
        self.assertEqual(sorted(x[1] for x in taken), ["dave@else.example", "outer@else.example"])
        self.assertEqual(sorted(x[0].split()[1] for x in taken), ["FROM:<carol@example.org>", "FROM:<out@else.example>"])
        culver.wait_for(lambda: self.server.pop3("dave").stat()[0] == 1, "dave's copy is there")
        self.assertEqual(self.counts(), {"alice": 1, "bob": 1, "carol": 0, "dave": 1})
        os.unlink(path)

    def test_refused(self):
        """Who sent it gets Postfix's notice with the words of the table."""
        self.send("gone", "gone@example.org")
        (sender, recipient, message, _), = self.sent(1)
        self.assertIn("<>", sender)
        self.assertEqual(recipient, "out@else.example")
        self.assertIn(b"has left us", message)

    def test_comes_again(self):
        """Postfix tries again until the program takes it; nobody gets it twice."""
        def says(words):
            time.sleep(0.5)
            self.postfix.flush()
            return words in self.server.log_text()

        self.send("again", "tempfail@example.org")
        try:
            culver.wait_for(lambda: says("came again for others"), "the message comes again", 60)
            open(self.server.path("files", "go"), "w").close()
            culver.wait_for(lambda: says("piped to later"), "the program has it", 60)
        except AssertionError as e:
            raise AssertionError("%s\n%s" % (e, self.postfix.log()))
        self.assertEqual(self.counts(), {"alice": 1, "bob": 0, "carol": 0, "dave": 0})
        os.unlink(self.server.path("files", "go"))


if __name__ == "__main__":
    unittest.main()
