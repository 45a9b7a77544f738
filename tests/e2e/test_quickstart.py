# SPDX-License-Identifier: MIT
"""./quickstart in a copy of the tree: it builds from nothing, serves, stops, and keeps the mail for the next start."""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest

TIME_LIMIT = 900
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PORT_BASE = 31000


class QuickstartTest(unittest.TestCase):
    time_limit = 800

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="culver-quickstart-")
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        os.chmod(self.dir, 0o755)       # the server's users must reach it
        files = subprocess.run(["git", "-C", TOP, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                               capture_output=True)
        if files.returncode == 0:
            for name in files.stdout.decode().split("\0")[:-1]:
                target = os.path.join(self.dir, name)
                if os.path.exists(os.path.join(TOP, name)):
                    os.makedirs(os.path.dirname(target), exist_ok=True)
                    shutil.copy2(os.path.join(TOP, name), target)
        else:                           # a release's tree, without git
            shutil.copytree(TOP, self.dir, dirs_exist_ok=True, ignore=shutil.ignore_patterns("build*", "run"))

    def quickstart(self, *args):
        done = subprocess.run(["./quickstart", "--port-base", str(PORT_BASE), *args], cwd=self.dir,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def mails(self):
        found = []
        for sub in ("new", "cur"):
            folder = os.path.join(self.dir, "run", "mail", "alice", "Maildir", sub)
            found += [os.path.join(folder, x) for x in os.listdir(folder)]
        return found

    def objects(self):
        return {os.path.join(top, x): os.stat(os.path.join(top, x)).st_mtime_ns
                for top, _, names in os.walk(os.path.join(self.dir, "build")) for x in names if x.endswith((".o", ".a"))}

    def test_two_starts(self):
        self.assertIn("comes out over IMAP", self.quickstart("--once"))
        self.assertEqual(len(self.mails()), 1)
        built = self.objects()

        # the second start builds nothing, keeps the mail, sends no second welcome, and says how to read it
        process = subprocess.Popen(["./quickstart", "--port-base", str(PORT_BASE)], cwd=self.dir,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   start_new_session=True,
                                   # what runs the tests in the background may have it ignored, and a shell leaves it so
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.addCleanup(process.stdout.close)
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("Log:"):
                break
        command = re.search(r"^curl: +(.*)$", said, re.M)
        self.assertIsNotNone(command, said)
        read = subprocess.run(command.group(1), shell=True, cwd=self.dir, capture_output=True, text=True, timeout=60)
        self.assertIn("Subject: Welcome to Culver", read.stdout, read.stderr)
        os.killpg(process.pid, signal.SIGINT)       # as Ctrl-C does
        rest = process.stdout.read()
        self.assertEqual(process.wait(60), 0, said + rest)
        self.assertIn("has stopped", rest)
        self.assertEqual(len(self.mails()), 1)
        self.assertEqual(self.objects(), built)
        with open(os.path.join(self.dir, "run", "log"), errors="replace") as f:
            self.assertNotRegex(f.read(), "Error:|Fatal:|Panic:")

    def test_help(self):
        self.assertIn("--port-base", self.quickstart("--help"))
