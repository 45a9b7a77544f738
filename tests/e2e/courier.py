# SPDX-License-Identifier: MIT
"""Courier's IMAP and POP3 servers on a user's Maildir, each a process with a pipe, already logged in: nothing listens.

Debian does not let them be installed beside Dovecot, so they run from where ./runtests has unpacked them ($CULVER_ASIDE).
"""
import imaplib
import os
import subprocess

ASIDE = os.environ.get("CULVER_ASIDE", "")
IMAPD = os.path.join(ASIDE, "usr/bin/imapd")
POP3D = os.path.join(ASIDE, "usr/lib/courier/courier/courierpop3d")


def there():
    return ASIDE != "" and os.path.exists(IMAPD) and os.path.exists(POP3D)


def run(program, server, user):
    """The program's process on "Maildir", in the user's home and as the owner of the mail."""
    root = os.geteuid() == 0
    libraries = [os.path.join(ASIDE, d) for d in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib")]
    environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": ":".join(libraries), "AUTHENTICATED": user,
                   "AUTHADDR": user, "IMAP_CAPABILITY": "IMAP4rev1 UIDPLUS", "IMAP_KEYWORDS": "1",
                   "IMAP_USELOCKS": "0", "HOME": server.path("home", user)}
    return subprocess.Popen([program, "Maildir"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, cwd=server.path("home", user), env=environment,
                            user=server.uid if root else None, group=server.gid if root else None,
                            extra_groups=[] if root else None)


def make(server, user):
    """An empty Maildir."""
    process = run(os.path.join(ASIDE, "usr/bin/maildirmake.courier"), server, user)
    process.communicate(timeout=20)
    assert process.returncode == 0


class Imap(imaplib.IMAP4_stream):
    def __init__(self, server, user):
        self.of = (IMAPD, server, user)
        super().__init__(IMAPD)
        self.state = "AUTH"     # PREAUTH comes after a warning, which imaplib takes for the greeting

    def open(self, host=None, port=None, timeout=None):
        self.process = run(*self.of)
        self.writefile, self.readfile = self.process.stdin, self.process.stdout


def uidls(server, user):
    """What POP3 says: {message: UIDL}."""
    process = run(POP3D, server, user)
    # Every answer is there when it has ended: what it says does not depend on when it was asked.
    count = len(os.listdir(server.path("home", user, "Maildir", "cur"))) + \
        len(os.listdir(server.path("home", user, "Maildir", "new")))
    asked = "UIDL\r\n" + "".join("RETR %d\r\n" % n for n in range(1, count + 1)) + "QUIT\r\n"
    text = process.communicate(asked.encode(), timeout=20)[0]
    answers = text.split(b"+OK logged in.\r\n", 1)[1].split(b"\r\n.\r\n")
    listed = dict(line.decode().split(" ", 1) for line in answers[0].split(b"\r\n")[1:])
    return {answers[n].split(b"\r\n", 1)[1]: listed[str(n)] for n in range(1, count + 1)}
