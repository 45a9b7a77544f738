# SPDX-License-Identifier: MIT
"""A server whose users have procmail recipes, for the tests of those."""
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
    users = culver.USERS

    @classmethod
    def setUpClass(cls):
        cls.server = culver.Server(start=False, users=cls.users)
        cls.server.add_config((CONFIG + cls.extra) % {"dir": cls.server.dir})
        cls.server.allowed = ("procmail:", "saving to")
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def home(self, user, *parts):
        return self.server.path("home", user, *parts)

    def write(self, path, text, mode=0o644):
        with open(path + ".new", "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        os.chown(path + ".new", self.server.uid, self.server.gid)
        os.chmod(path + ".new", mode)
        os.rename(path + ".new", path)
        return path

    def rc(self, user, text, name=".procmailrc"):
        return self.write(self.home(user, name), text)

    def read(self, user, *parts):
        with open(self.home(user, *parts), "rb") as f:
            return f.read()

    def fetch(self, user, mailbox="INBOX", what="BODY.PEEK[]"):
        imap = self.server.imap(user)
        try:
            if imap.select('"%s"' % mailbox, readonly=True)[0] != "OK":
                return []
            data = imap.fetch("1:*", "(%s)" % what)[1]
            return [part[1] for part in data if isinstance(part, tuple)]
        finally:
            imap.logout()

    def subjects(self, user, mailbox="INBOX"):
        fields = self.fetch(user, mailbox, "BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
        return [x.decode().split(":", 1)[1].strip() for x in fields]

    def reply(self, text, user):
        """What LMTP says to the message."""
        with self.server.raw("lmtp") as client:
            client.socket.settimeout(120)
            client.send("LHLO x\r\nMAIL FROM:<sender@example.org>\r\nRCPT TO:<%s>\r\nDATA\r\n" % user)
            client.until("354")
            client.send(text if isinstance(text, bytes) else text.encode())
            client.send(".\r\n")
            return client.line().decode()

    def lda(self, text, *args, user="carol"):
        return subprocess.run([os.path.join(culver.PREFIX, "libexec", "culver", "culver-lda"), "-c", self.server.config,
                               "-d", user] + list(args), input=text.encode(), capture_output=True, timeout=60)
