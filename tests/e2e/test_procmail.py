# SPDX-License-Identifier: MIT
"""procmail's recipes in deliveries through LMTP and culver-lda, with the processes shut in as they are in earnest."""
import os
import subprocess
import unittest

import culver

CONFIG = """
login_trusted_networks = 127.0.0.1
procmail_rc = %(dir)s/procmailrc ~/.procmailrc
mail_plugins = $mail_plugins procmail
"""


def message(subject, **more):
    return culver.message(subject=subject, **more)


class Recipes(unittest.TestCase):
    extra = ""

    @classmethod
    def setUpClass(cls):
        cls.server = culver.Server(start=False)
        cls.server.add_config(CONFIG % {"dir": cls.server.dir} + cls.extra)
        cls.server.allowed = ("procmail:",)
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def home(self, user, *parts):
        return self.server.path("home", user, *parts)

    def rc(self, user, text, name=".procmailrc"):
        path = self.home(user, name)
        with open(path + ".new", "w") as f:
            f.write(text)
        os.chown(path + ".new", self.server.uid, self.server.gid)
        os.rename(path + ".new", path)

    def subjects(self, user, mailbox="INBOX"):
        imap = self.server.imap(user)
        try:
            if imap.select('"%s"' % mailbox, readonly=True)[0] != "OK":
                return []
            data = imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]
            return [part[1].decode().split(":", 1)[1].strip() for part in data if isinstance(part, tuple)]
        finally:
            imap.logout()


class Places(Recipes):
    def test_mailbox(self):
        self.rc("alice", ":0\n* ^Subject:.*list\nmailbox:Lists/Talk\n")
        for subject in ("to the list", "plain"):
            self.server.deliver(message(subject), "alice")
        self.assertEqual(self.subjects("alice"), ["plain"])
        self.assertEqual(self.subjects("alice", "Lists.Talk"), ["to the list"])


if __name__ == "__main__":
    unittest.main()
