# SPDX-License-Identifier: MIT
"""culverconf: Debian's configuration of Dovecot unchanged, what is shown can be read again, filters, exit codes."""
import os
import shutil
import subprocess
import tempfile
import unittest

import culver

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CULVERCONF = os.path.join(culver.PREFIX, "bin", "culverconf")
PACKAGES = ["dovecot-core", "dovecot-imapd", "dovecot-pop3d", "dovecot-lmtpd", "dovecot-managesieved", "dovecot-sieve"]


def culverconf(*args):
    return subprocess.run([CULVERCONF, *args], capture_output=True, text=True, timeout=culver.WAIT)


class Config(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="culver-test-config-")
        self.addCleanup(shutil.rmtree, self.dir)

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def shows(self, path, *args):
        done = culverconf("-c", path, *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_debian(self):
        done = subprocess.run([os.path.join(TOP, "tools", "unpack-debian"), self.dir, *PACKAGES], capture_output=True,
                              text=True, timeout=300)
        if done.returncode != 0:
            self.skipTest("Debian's packages can not be fetched: " + done.stderr)
        # The package's own copies are what its scripts put into /etc/dovecot.
        etc = os.path.join(self.dir, "usr", "share", "dovecot")
        protocols = os.path.join(etc, "protocols.d", "*.protocol")
        main = os.path.join(etc, "dovecot.conf")
        with open(main) as f:
            text = f.read()
        with open(main, "w") as f:
            f.write(text.replace("/usr/share/dovecot/protocols.d/*.protocol", protocols))
        # So are these files, one by each package's script.
        for package, protocol in (("imapd", "imap"), ("lmtpd", "lmtp"), ("managesieved", "sieve"), ("pop3d", "pop3")):
            self.write(os.path.join(os.path.dirname(protocols), package + ".protocol"),
                       "protocols = $protocols %s\n" % protocol)
        done = culverconf("-c", main)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("Error", done.stderr)
        for line in done.stderr.splitlines():
            self.assertRegex(line, "Warning: .* (has no effect: |is not served|TLS can not be offered)")
        self.assertIn("protocols = imap lmtp sieve pop3\n", done.stdout)
        self.assertIn("driver = pam\n", done.stdout)
        self.assertEqual(self.shows(self.write("again.conf", done.stdout), "-H"), self.shows(main, "-H"))

    def test_all_can_be_read_again(self):
        for option in ("-a", "-d", "-N", "-n"):
            main = self.write("main.conf", "ssl = no\nplugin {\n  a = \" # \"\n}\nprotocol imap {\n  mail_plugins = x\n}\n")
            first = self.shows(main, "-H", option)
            again = self.shows(self.write("again.conf", first), "-H", "-a" if option == "-d" else option)
            self.assertEqual(first, again)

    def test_names_and_filters(self):
        main = self.write("main.conf", "ssl = no\nmail_plugins = a\nprotocol imap {\n  mail_plugins = $mail_plugins b\n}\n"
                          "remote 10.0.0.0/8 {\n  mail_plugins = c\n}\n")
        for args, want in (
                (["mail_plugins"], "mail_plugins = a\n"),
                (["-h", "mail_plugins"], "a\n"),
                (["-h", "-f", "protocol=imap", "mail_plugins"], "a b\n"),
                (["-h", "-f", "service=pop3", "mail_plugins"], "a\n"),
                (["-h", "-f", "protocol=imap", "-f", "rip=10.1.1.1", "mail_plugins"], "c\n"),
                (["-h", "service/imap-login/inet_listener/imaps/port"], "993\n"),
                (["-S", "service/auth/unix_listener/auth-userdb"], "unix_listener/auth-userdb/mode=0666\n"),
                (["-m", "login_greet"], "")):
            out = self.shows(main, "-H", *args)
            self.assertTrue(out.startswith(want), (args, out))

    def test_errors(self):
        main = self.write("main.conf", "mail_locaton = x\n")
        done = culverconf("-c", main)
        self.assertEqual(done.returncode, 89)
        self.assertIn("main.conf:1: there is no setting mail_locaton; did you mean mail_location?", done.stderr)
        self.assertEqual(done.stdout, "")
        good = self.write("good.conf", "ssl = no\n")
        done = culverconf("-c", good, "mail_locaton")
        self.assertEqual(done.returncode, 89)
        self.assertIn("did you mean mail_location?", done.stderr)
        self.assertEqual(culverconf("-c", os.path.join(self.dir, "none.conf")).returncode, 89)
        self.assertEqual(culverconf("-Q").returncode, 64)

    def test_secrets_stay_hidden(self):
        main = self.write("main.conf", "ssl = no\npassdb {\n  driver = static\n  args = password=verysecret\n}\n")
        self.assertNotIn("verysecret", self.shows(main))
        self.assertIn("verysecret", self.shows(main, "-P"))


if __name__ == "__main__":
    unittest.main()
