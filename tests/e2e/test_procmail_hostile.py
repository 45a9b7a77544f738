# SPDX-License-Identifier: MIT
"""Hostile recipes and messages: bounded in time and memory, the mail is in INBOX, the log tells file and line."""
import os
import time
import unittest

import culver
from recipes import Recipes, message


def memory(pid):
    """Octets that a process has had at most."""
    with open("/proc/%d/status" % pid) as f:
        return int([x for x in f if x.startswith("VmHWM")][0].split()[1]) << 10


class Hostile(Recipes):
    extra = """
procmail_timeout = 1 s
procmail_memory = 32 M
procmail_program_memory = 500 M
procmail_program_output = 1 M
procmail_program_file_size = 1 M
procmail_program_processes = 20
"""

    def kept(self, text, line=None, user="alice", why=None, seconds=10):
        """The recipes leave the message in INBOX, in good time, with a line in the log."""
        before, log, start = len(self.subjects(user)), len(self.server.log_text()), time.monotonic()
        self.rc(user, text)
        self.server.deliver(message("hostile"), user)
        self.assertLess(time.monotonic() - start, seconds)
        self.assertEqual(len(self.subjects(user)), before + 1)
        told = self.server.log_text()[log:]
        if line is not None:
            self.assertRegex(told, r"Error: procmail: \S+/\.procmailrc line %d: .*%s" % (line, why or ""))

    def programs(self):
        """Commands of processes that recipes have left."""
        found = []
        for name in os.listdir("/proc"):
            try:
                with open("/proc/%s/environ" % name, "rb") as f:
                    if b"HOME=" + self.home("").encode() in f.read():
                        found.append(name)
            except OSError:
                continue
        return found

    def test_programs(self):
        bomb = self.write(self.home("alice", "bomb"), "#!/bin/sh\n$0 & $0 & $0\n", 0o755)
        self.rc("alice", ":0 w\n| %s &\n" % bomb)
        self.server.deliver(message("the bomb is given the message"), "alice")
        for action in ("| %s" % bomb, "| sleep 1000", "| (setsid sleep 1000 &) ; false"):
            self.kept(":0 w\n%s\n" % action, 1)
            culver.wait_for(lambda: self.programs() == [], "no program is left")
        self.kept("# first\n:0 fw\n| yes\n", 2)
        self.kept("A=`yes`\n:0\n* A ?? ^y\nmailbox:$B\n")
        self.kept(":0 w\n| yes > $HOME/large\n", 1)
        self.assertLessEqual(os.path.getsize(self.home("alice", "large")), 1 << 20)
        self.kept(":0 w\n| tail -c 1000000000 /dev/zero | tail\n", 1)
        self.kept("A=`sleep 1000``sleep 1000``sleep 1000`\n", 1)
        self.kept("LOCKFILE=held\nLOCKFILE=x\n:0 w: held2\n| touch held3; sleep 100\n", 3)

    def test_language(self):
        grow = "LINEBUF=2000000000\nA=0123456789abcdef\n" + "A=$A$A$A$A\n" * 13
        self.kept(grow, 11, why="Exceeded LINEBUF")
        self.kept(grow + "".join("A%d=$A\n" % n for n in range(3000)))
        self.kept("INCLUDERC=$_\n", 1, why="too deep")
        self.kept("SWITCHRC=$_\n", 1)
        self.kept("X=x\n:0\n* ^Subject\n{\n  INCLUDERC=$_\n  INCLUDERC=$_\n}\n")
        self.kept(":0\n* ^(((((((a*)*)*)*)*)*)*)*$\n* B ?? ((a|a)*(a|a)*)*b\n* (.*)*(.*)*(.*)*xyzzy\nmailbox:X\n")
        self.kept("".join(":0 c\n{\n  :0\n  /dev/null\n}\n" for n in range(100)), 251, why="Too many clones")
        self.kept("LOGFILE=log\nVERBOSE=on\n" + "LOG=x\n" * 10000)

    def test_places(self):
        """The home and the mail are the user's; the rest is not, whatever the path."""
        outside = self.server.path("outside")
        os.mkdir(outside, 0o777)
        os.chmod(outside, 0o777)
        os.symlink(outside, self.home("alice", "link"))
        os.symlink(self.home("bob"), self.home("alice", "bob"))
        for place in (outside + "/", "../../outside/", "link/", "link/file", "../bob/Maildir/", "bob/", "bob/file", "/etc/x",
                      "$HOME/../bob/file", "/proc/self/mem", "/dev/full", "/dev/sda", "../../run/lmtp"):
            self.kept(":0\n%s\n" % place, 1)
        self.kept("LOGFILE=%s/log\n:0:%s/lock\nmailbox:../../bob\n" % (outside, outside), 2)
        self.assertEqual((os.listdir(outside), [x for x in os.listdir(self.home("bob")) if x != "Maildir"]), ([], []))

    def test_messages(self):
        self.rc("carol", ":0\n* ^Subject: never\n* B ?? x\n* HB ?? y$\nmailbox:X\n\n:0 fhw\n| formail -I X-Field: -I 'X-Seen: yes'\n\n"
                ":0 c\n| cat > /dev/null\n\n:0 c\n* ^Subject: copy\nbox\n")
        fields = "".join("X-Field: %d\r\n" % n for n in range(1000000))
        for text in (message("a million", extra=fields), message("copy", body="x" * (90 << 20) + "\r\n"),
                     message("copy", body="\0" * 100000 + "\r\n"), message("copy", extra="X-\0: \0\r\n\0\r\n"),
                     message("no end", body=""), "\r\n", "x", ":\r\n" * 10000):
            text = text if text.endswith("\r\n") else text + "\r\n"
            start = time.monotonic()
            self.assertTrue(self.reply(text, "carol").startswith("250 "))
            self.assertLess(time.monotonic() - start, 40)
        self.assertEqual(len(self.fetch("carol", what="BODY.PEEK[HEADER.FIELDS (X-SEEN)]")), 8)
        for pid in self.server.pids("deliver"):
            self.assertLess(memory(pid), 900 << 20)

    def test_zz_still_up(self):
        self.rc("dave", "")
        self.server.deliver(message("still"), "dave")
        self.assertEqual(self.subjects("dave"), ["still"])


if __name__ == "__main__":
    unittest.main()
