# SPDX-License-Identifier: MIT
"""Tables of recipients: aliases, virtual users, access tables, over LMTP against the running server."""
import json
import os
import pwd
import time
import unittest

import culver
from test_delivery import Lmtp
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
gone: error:nouser has left us
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


class Base(unittest.TestCase):
    more = ""
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
        s.add_config(CONFIG % {"dir": s.dir, "port": cls.sink.port, "user": cls.user, "more": cls.more})
        s.start()

    @classmethod
    def tearDownClass(cls):
        try:
            cls.server.close()
        finally:
            cls.sink.socket.close()

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


if __name__ == "__main__":
    unittest.main()
