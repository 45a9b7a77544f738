# SPDX-License-Identifier: MIT
"""Users who share mailboxes: rights given and taken, what the others see, \\Seen of each, delivery, the sandbox around it."""
import imaplib
import os
import re
import subprocess
import unittest

import culver

CONFIG = """
mail_plugins = acl
protocol imap {
  mail_plugins = $mail_plugins imap_acl
}
plugin {
  acl = vfile:cache_secs=0
  acl_shared_dict = file:DIR/dict/shared-mailboxes
  acl_anyone = allow
}
recipient_delimiter = +
lmtp_save_to_detail_mailbox = yes
mailbox_idle_check_interval = 1s
namespace inbox {
  separator = /
}
namespace shared {
  type = shared
  prefix = shared/%%u/
  separator = /
  location = maildir:%%h/Maildir:INDEXPVT=~/shared/%%u
  subscriptions = no
  list = children
}
namespace public {
  type = public
  prefix = Public/
  separator = /
  location = maildir:DIR/public:INDEXPVT=~/public
  subscriptions = no
  list = children
}
"""


class Sharing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = culver.Server(start=False)
        for name in ("dict", "public"):
            os.mkdir(cls.server.path(name), 0o700)
            os.chown(cls.server.path(name), cls.server.uid, cls.server.gid)
        cls.server.add_config(CONFIG.replace("DIR", cls.server.dir))
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def ok(self, answer):
        self.assertEqual(answer[0], "OK", answer)
        return answer[1]

    def no(self, answer, code):
        self.assertEqual(answer[0], "NO", answer)
        self.assertIn(code, answer[1][0].decode())

    def names(self, client, pattern="*"):
        """Those that can be selected."""
        found = []
        for line in self.ok(client.list('""', pattern)):
            if line is not None and b"\\Noselect" not in line:
                found.append(line.decode().split(' "/" ')[1].strip('"'))
        return sorted(found)

    def command(self, client, name, *args):
        """A command that imaplib does not know: its status and untagged lines."""
        imaplib.Commands.setdefault(name, ("AUTH", "SELECTED"))
        kind, data = client._simple_command(name, *args)
        return kind, data

    def flags(self, client, number):
        return re.search(rb"FLAGS \(([^)]*)\)", self.ok(client.fetch(str(number), "(FLAGS)"))[0]).group(1).split()

    def append(self, client, box, subject, flags=""):
        return client.append(box, flags, None, ("Subject: %s\r\n\r\nbody\r\n" % subject).encode())

    def open_public(self, box, acl):
        """A public mailbox with its list."""
        path = self.server.path("public", "." + box)
        for sub in ("", "cur", "new", "tmp"):
            os.mkdir(os.path.join(path, sub), 0o700)
            os.chown(os.path.join(path, sub), self.server.uid, self.server.gid)
        with open(os.path.join(path, "dovecot-acl"), "w") as f:
            f.write(acl)

    def test_given_and_taken(self):
        alice, bob = self.server.imap("alice"), self.server.imap("bob")
        self.ok(alice.create("Plans"))
        self.ok(self.append(alice, "Plans", "first"))
        self.assertEqual(self.names(bob, "shared/*"), [])
        self.no(bob.select("shared/alice/Plans"), "NONEXISTENT")
        self.ok(alice.setacl("Plans", "bob", "lrs"))
        with open(self.server.path("dict", "shared-mailboxes")) as f:
            self.assertIn("shared/shared-boxes/user/bob/alice\n1\n", f.read())
        self.assertEqual(self.names(bob, "shared/*"), ["shared/alice/Plans"])
        self.assertEqual(self.names(self.server.imap("carol"), "shared/*"), [])
        self.assertEqual(self.ok(bob.select("shared/alice/Plans")), [b"1"])
        self.no(bob.store("1", "+FLAGS", "(\\Flagged)"), "NOPERM")
        self.ok(bob.store("1", "+FLAGS", "(\\Seen \\Flagged)"))
        self.assertIn(b"\\Seen", self.flags(bob, 1))
        self.assertNotIn(b"\\Flagged", self.flags(bob, 1))
        self.no(self.append(bob, "shared/alice/Plans", "no"), "NOPERM")
        self.no(bob.getacl("shared/alice/Plans"), "NOPERM")
        # His own \Seen: hers is as it was.
        self.ok(alice.select("Plans"))
        self.assertNotIn(b"\\Seen", self.flags(alice, 1))
        # More rights, then none.
        self.ok(alice.setacl("Plans", "bob", "+wi"))
        self.ok(self.append(bob, "shared/alice/Plans", "second", "(\\Flagged \\Seen)"))
        self.ok(alice.noop())
        self.assertIn(b"\\Flagged", self.flags(alice, 2))
        self.assertNotIn(b"\\Seen", self.flags(alice, 2))
        self.assertIn(b"UNSEEN 0", self.ok(bob.status("shared/alice/Plans", "(UNSEEN)"))[0])
        self.assertIn(b"UNSEEN 2", self.ok(alice.status("Plans", "(UNSEEN)"))[0])
        self.ok(alice.deleteacl("Plans", "bob"))
        with self.assertRaises(imaplib.IMAP4.abort):        # BYE: what he has open is gone
            bob.noop()
        bob = self.server.imap("bob")
        self.assertEqual(self.names(bob, "shared/*"), [])
        self.no(bob.select("shared/alice/Plans"), "NONEXISTENT")
        alice.logout()

    def test_idle(self):
        """Told at once of new mail in another user's mailbox, and that it is closed to him."""
        alice = self.server.imap("alice")
        self.ok(alice.create("Chat"))
        self.ok(alice.setacl("Chat", "bob", "lrs"))
        with self.server.raw("imap") as bob:
            bob.line()
            bob.ask("a", 'LOGIN bob "%s"' % culver.PASSWORD)
            self.assertIn(b"READ-WRITE", bob.ask("b", "SELECT shared/alice/Chat")[-1])
            bob.send("c IDLE\r\n").until("+")
            self.ok(self.append(alice, "Chat", "hello"))
            self.assertEqual(bob.until("* 1 EXISTS")[-1], b"* 1 EXISTS")
            self.ok(alice.setacl("Chat", "bob", '""'))
            self.ok(self.append(alice, "Chat", "behind his back"))
            self.assertTrue(bob.until("* BYE")[-1].startswith(b"* BYE"))
        alice.logout()

    def test_seen_of_each(self):
        self.open_public("News", "anyone lrsi\n")
        alice, bob, again = (self.server.imap(u) for u in ("alice", "bob", "bob"))
        for subject in ("one", "two", "three"):
            self.ok(self.append(alice, "Public/News", subject))
        for client in (alice, bob, again):
            self.ok(client.select("Public/News"))
        self.ok(bob.fetch("2", "(BODY[])"))
        self.assertIn(b"\\Seen", self.flags(bob, 2))
        self.assertEqual(self.ok(bob.search(None, "UNSEEN")), [b"1 3"])
        self.assertEqual(self.ok(alice.search(None, "UNSEEN")), [b"1 2 3"])
        # Another session of the same user is told.
        again.noop()
        told = again.response("FETCH")[1]
        self.assertTrue(any(b"\\Seen" in line for line in told if line), told)
        self.assertIn(b"UNSEEN 2", self.ok(again.status("Public/News", "(UNSEEN)"))[0])
        self.assertIn(b"UNSEEN 3", self.ok(alice.status("Public/News", "(UNSEEN)"))[0])
        # MODSEQ tells of it, too.
        before = int(re.search(rb"MODSEQ \((\d+)\)", self.ok(bob.fetch("1", "(MODSEQ)"))[0]).group(1))
        self.ok(bob.store("1", "+FLAGS", "(\\Seen)"))
        after = int(re.search(rb"MODSEQ \((\d+)\)", self.ok(bob.fetch("1", "(MODSEQ)"))[0]).group(1))
        self.assertGreater(after, before)
        self.assertIn(b"1 (", self.ok(again.fetch("1:*", "(FLAGS) (CHANGEDSINCE %d)" % before))[0])
        for client in (alice, bob, again):
            client.logout()
        # It is not in the index.
        subprocess.run(["rm", "-rf", self.server.path("public", "culver.index")], check=True)
        bob = self.server.imap("bob")
        self.ok(bob.select("Public/News"))
        self.assertEqual(self.ok(bob.search(None, "UNSEEN")), [b"3"])
        self.ok(bob.store("1:2", "-FLAGS", "(\\Seen)"))
        self.assertEqual(self.ok(bob.search(None, "SEEN")), [b""])
        bob.logout()

    def test_delivery_by_right(self):
        self.open_public("Reports", "owner lr\nuser=carol p\nuser=dave lr\n")
        self.open_public("Closed", "user=dave lr\n")
        self.server.deliver(culver.message("to a drop"), "carol+Public/Reports")
        self.server.deliver(culver.message("to nowhere"), "carol+Public/Closed")
        dave, carol = self.server.imap("dave"), self.server.imap("carol")
        self.assertEqual(self.ok(dave.select("Public/Reports", True)), [b"1"])
        self.assertEqual(self.ok(dave.select("Public/Closed", True)), [b"0"])
        self.no(carol.select("Public/Reports"), "NONEXISTENT")
        self.no(self.append(carol, "Public/Reports", "by hand"), "TRYCREATE")
        # What could not be put there is in INBOX.
        self.ok(carol.select("INBOX"))
        self.assertEqual(self.ok(carol.search(None, "SUBJECT", "nowhere")), [b"1"])
        dave.logout()
        carol.logout()

    def test_copy_and_move_between(self):
        self.open_public("Shelf", "anyone lrsite\n")
        alice = self.server.imap("alice")
        self.ok(alice.create("Own"))
        self.ok(self.append(alice, "Own", "a book", "(\\Seen \\Flagged)"))
        self.ok(alice.select("Own"))
        self.ok(alice.copy("1", "Public/Shelf"))
        self.ok(self.command(alice, "MOVE", "1", "Public/Shelf"))
        self.assertEqual(self.ok(alice.select("Public/Shelf")), [b"2"])
        self.assertIn(b"\\Seen", self.flags(alice, 1))
        self.assertNotIn(b"\\Flagged", self.flags(alice, 1))        # without the right to it
        bob = self.server.imap("bob")
        self.ok(bob.select("Public/Shelf"))
        self.assertNotIn(b"\\Seen", self.flags(bob, 1))
        self.no(bob.rename("Public/Shelf", "Mine"), "CANNOT")
        self.no(bob.delete("Public/Shelf"), "NOPERM")
        alice.logout()

    def test_everybody(self):
        alice, dave = self.server.imap("alice"), self.server.imap("dave")
        self.ok(alice.setacl("INBOX", "anyone", "lr"))
        self.assertIn("shared/alice", self.names(dave, "*"))
        self.ok(dave.select("shared/alice", readonly=True))
        self.ok(dave.subscribe("shared/alice"))
        self.assertTrue(any(b"shared/alice" in x for x in self.ok(dave.lsub())))
        rights = self.command(dave, "MYRIGHTS", "shared/alice")
        self.assertEqual(rights[0], "OK")
        self.assertIn(b"shared/alice lr", dave.response("MYRIGHTS")[1][0])
        self.ok(dave.close())
        self.ok(alice.deleteacl("INBOX", "anyone"))
        self.assertNotIn("shared/alice", self.names(dave, "*"))

    def test_documented(self):
        """The configuration in doc/sharing.md is one."""
        top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        with open(os.path.join(top, "doc", "sharing.md")) as f:
            text = f.read().split("```")[1]
        path = self.server.path("documented.conf")
        with open(path, "w") as f:
            f.write("ssl = no\n" + text)
        tool = os.path.join(culver.PREFIX, "bin", "culverconf")
        run = subprocess.run([tool, "-c", path, "-n"], capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        self.assertIn("prefix = shared/%%u/", run.stdout)

    def test_tool(self):
        adm = self.server.adm
        adm("mailbox", "create", "-u", "alice", "Tool")
        adm("acl", "set", "-u", "alice", "Tool", "user=bob", "lookup", "read")
        self.assertRegex(adm("acl", "get", "-u", "alice", "Tool"), r"user=bob\s+lookup read")
        self.assertEqual(adm("acl", "rights", "-u", "bob", "shared/alice/Tool").split()[-2:], ["lookup", "read"])
        adm("acl", "add", "-u", "alice", "Tool", "user=bob", "insert")
        adm("acl", "remove", "-u", "alice", "Tool", "user=bob", "read")
        self.assertEqual(adm("acl", "rights", "-u", "bob", "shared/alice/Tool").split()[-2:], ["lookup", "insert"])
        self.assertIn("lookup insert", adm("acl", "debug", "-u", "bob", "shared/alice/Tool"))
        adm("acl", "delete", "-u", "alice", "Tool", "user=bob")
        self.assertNotIn("user=bob", adm("acl", "get", "-u", "alice", "Tool"))
        os.unlink(self.server.path("dict", "shared-mailboxes"))
        adm("acl", "set", "-u", "alice", "Tool", "user=dave", "lookup")
        adm("acl", "recalc", "-u", "alice")
        with open(self.server.path("dict", "shared-mailboxes")) as f:
            self.assertIn("user/dave/alice", f.read())


class Homes(unittest.TestCase):
    """Homes that only a database knows are asked for before the sandbox closes."""

    def test_homes(self):
        server = culver.Server(start=False)
        os.mkdir(server.path("dict"), 0o700)
        os.chown(server.path("dict"), server.uid, server.gid)
        with open(server.path("users"), "w") as f:
            for n, user in enumerate(server.users):
                home = server.path("home%d" % n)
                os.mkdir(home, 0o700)
                os.chown(home, server.uid, server.gid)
                uid = 12345 if user == "dave" else server.uid
                f.write("%s::%d:%d::%s\n" % (user, uid, uid if user == "dave" else server.gid, home))
        with open(server.config) as f:
            text = f.read()
        text = re.sub(r"userdb \{[^}]*\}", "userdb {\n  driver = passwd-file\n  args = %s\n}" % server.path("users"), text)
        with open(server.config, "w") as f:
            f.write(text + CONFIG.replace("DIR", server.dir).split("namespace public")[0])
        with server.start():
            alice = server.imap("alice")
            bob = server.imap("bob")
            alice.create("Work")
            self.assertEqual(alice.setacl("Work", "bob", "lr")[0], "OK")
            bob.logout()
            bob = server.imap("bob")
            self.assertIn(b"shared/alice/Work", b"".join(bob.list('""', "shared/*")[1]))
            self.assertEqual(bob.select("shared/alice/Work", True)[0], "OK")
            # Of another system user neither mail nor home is told.
            with open(server.path("dict", "shared-mailboxes"), "a") as f:
                f.write("shared/shared-boxes/user/bob/dave\n1\nshared/shared-boxes/user/bob/nobody\n1\n")
            bob = server.imap("bob")
            self.assertNotIn(b"shared/dave", b"".join(bob.list('""', "shared/*")[1]))
            self.assertEqual(bob.select("shared/dave", True)[0], "NO")


if __name__ == "__main__":
    unittest.main()
