# SPDX-License-Identifier: MIT
"""Real programs: Postfix delivers, curl, mutt, mbsync, fetchmail and swaks talk to the server."""
import glob
import os
import pty
import select
import shutil
import smtplib
import subprocess
import time
import unittest

import culver
from postfix import Postfix


def needs(program):
    return unittest.skipUnless(shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin"),
                               "%s is not installed" % program)


def run(*args, **kw):
    done = subprocess.run(args, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL, **kw)
    if done.returncode != 0:
        raise AssertionError("%s: status %d\n%s%s" % (" ".join(args), done.returncode, done.stdout, done.stderr))
    return done.stdout


def run_on_terminal(args, env, seconds=30):
    """Runs a program that wants a terminal, until it ends; what it wrote."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execvpe(args[0], args, env)
    out, deadline = b"", time.monotonic() + seconds
    while time.monotonic() < deadline:
        if select.select([fd], [], [], 0.2)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:
                data = b""
            if data == b"":
                break
            out += data
    else:
        os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(fd)
    return out.decode(errors="replace")


class Programs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = culver.Server("auth_username_format = %Ln\n")
        for user in culver.USERS:
            cls.server.deliver(culver.message("For a program", "Body of %s\r\n" % user), user)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def home(self, name):
        path = self.server.path("client-" + name)
        os.makedirs(path, 0o700, exist_ok=True)
        return path

    def write(self, path, text, mode=0o600):
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    @needs("curl")
    def test_curl(self):
        cert = self.server.path("cert.pem")
        login = "alice:" + culver.PASSWORD
        for url in ("imap://localhost:%d/INBOX;MAILINDEX=1" % self.server.ports["imap"],
                    "imaps://localhost:%d/INBOX;MAILINDEX=1" % self.server.ports["imaps"],
                    "pop3://localhost:%d/1" % self.server.ports["pop3"],
                    "pop3s://localhost:%d/1" % self.server.ports["pop3s"]):
            out = run("curl", "-sS", "--cacert", cert, "-u", login, url)
            self.assertIn("Body of alice", out, url)
        out = run("curl", "-sS", "--ssl-reqd", "--cacert", cert, "-u", login,
                  "imap://localhost:%d/" % self.server.ports["imap"])
        self.assertIn("INBOX", out)
        text = self.write(os.path.join(self.home("curl"), "mail"), culver.message("Uploaded by curl"))
        run("curl", "-sS", "-u", login, "-T", text, "imap://localhost:%d/INBOX" % self.server.ports["imap"])
        out = run("curl", "-sS", "-u", login, "imap://localhost:%d/INBOX?SUBJECT%%20Uploaded" % self.server.ports["imap"])
        self.assertRegex(out, r"\* SEARCH \d+")

    @needs("mutt")
    def test_mutt(self):
        home = self.home("mutt")
        out = os.path.join(home, "out.mbox")
        rc = self.write(os.path.join(home, "muttrc"), """\
set imap_user = bob
set imap_pass = "%s"
set ssl_starttls = no
set ssl_force_tls = no
set folder = "imap://bob@127.0.0.1:%d/"
set spoolfile = "+INBOX"
set mbox_type = mbox
set confirmappend = no
set confirmcreate = no
set copy = no
set delete = yes
set move = no
set imap_keepalive = 5
set wait_key = no
""" % (culver.PASSWORD, self.server.ports["imap"]))
        env = dict(os.environ, HOME=home, TERM="xterm", LANG="C.UTF-8")
        screen = run_on_terminal(["mutt", "-F", rc, "-e", "push 'T.*\n;C%s\n<quit>'" % out], env)
        self.assertTrue(os.path.exists(out), screen[-2000:])
        with open(out) as f:
            self.assertIn("Body of bob", f.read())
        # delete the message in mutt: the server expunges it
        run_on_terminal(["mutt", "-F", rc, "-e", "push 'd<sync-mailbox><quit>'"], env)
        imap = self.server.imap("bob")
        self.assertEqual(imap.select("INBOX")[1], [b"0"])
        imap.logout()

    @needs("mbsync")
    def test_mbsync(self):
        home = self.home("mbsync")
        rc = self.write(os.path.join(home, "rc"), """\
IMAPAccount test
Host localhost
Port %d
User carol
Pass "%s"
SSLType IMAPS
CertificateFile %s

IMAPStore far
Account test

MaildirStore near
Path %s/mail/
Inbox %s/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
""" % (self.server.ports["imaps"], culver.PASSWORD, self.server.path("cert.pem"), home, home))
        os.mkdir(os.path.join(home, "mail"))
        env = dict(os.environ, HOME=home)
        run("mbsync", "-c", rc, "-a", env=env)
        files = glob.glob(home + "/mail/INBOX/*/*")
        self.assertEqual(len(files), 1)
        with open(files[0]) as f:
            self.assertIn("Body of carol", f.read())
        # and upwards: a new message and a new mailbox appear on the server
        for sub in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(home, "mail", "Up", sub))
        self.write(os.path.join(home, "mail", "Up", "cur", "1700000000.1.x:2,FS"), "Subject: upwards\n\nx\n")
        run("mbsync", "-c", rc, "-a", env=env)
        imap = self.server.imap("carol")
        self.assertEqual(imap.select("Up")[1], [b"1"])
        flags = imap.fetch("1", "(FLAGS)")[1][0]
        self.assertIn(b"\\Flagged", flags)
        self.assertIn(b"\\Seen", flags)
        imap.store("1", "+FLAGS", "\\Deleted")
        imap.expunge()
        imap.logout()
        run("mbsync", "-c", rc, "-a", env=env)
        self.assertEqual(glob.glob(home + "/mail/Up/cur/*"), [])

    @needs("fetchmail")
    def test_fetchmail(self):
        home = self.home("fetchmail")
        for proto, port in (("IMAP", "imap"), ("POP3", "pop3")):
            self.server.deliver(culver.message("For fetchmail by " + proto), "dave")
            out = os.path.join(home, proto)
            rc = self.write(os.path.join(home, "rc"), """\
set no bouncemail
set pidfile "%s/pid"
poll localhost protocol %s port %d
  user "dave" password "%s"
  sslproto ''
  fetchall
  mda "cat >> %s"
""" % (home, proto, self.server.ports[port], culver.PASSWORD, out), 0o700)
            env = dict(os.environ, HOME=home, FETCHMAILHOME=home)
            run("fetchmail", "-f", rc, "--nosyslog", "--nodetach", env=env)
            with open(out) as f:
                self.assertIn("For fetchmail by " + proto, f.read())
            imap = self.server.imap("dave")
            self.assertEqual(imap.select("INBOX")[1], [b"0"], "fetched mail is deleted")
            imap.logout()

    @needs("swaks")
    def test_swaks(self):
        run("swaks", "--protocol", "LMTP", "--server", "127.0.0.1", "--port", str(self.server.ports["lmtp"]),
            "--to", "alice", "--from", "swaks@example.org", "--header", "Subject: by swaks")

    @needs("openssl")
    def test_openssl_s_client(self):
        for port, args, command, words in (("imaps", (), "a LOGOUT\r\n", "a OK"),
                                           ("imap", ("-starttls", "imap"), "a LOGOUT\r\n", "a OK"),
                                           ("pop3", ("-starttls", "pop3"), "QUIT\r\n", "+OK"),
                                           ("lmtp", ("-starttls", "lmtp"), "QUIT\r\n", "221")):
            args = ("-connect", "127.0.0.1:%d" % self.server.ports[port]) + args
            done = subprocess.run(("openssl", "s_client", "-ign_eof", "-CAfile", self.server.path("cert.pem")) + args,
                                  input=command, capture_output=True, text=True, timeout=30)
            self.assertIn("Verify return code: 0", done.stdout, args)
            self.assertIn(words, done.stdout)

    @needs("postfix")
    @unittest.skipUnless(os.geteuid() == 0, "Postfix is started by root")
    def test_postfix(self):
        for transport in ("lmtp:unix:" + self.server.path("run", "lmtp"),
                          "lmtp:inet:127.0.0.1:%d" % self.server.ports["lmtp"]):
            with Postfix(self.server, transport) as postfix:
                with smtplib.SMTP("127.0.0.1", postfix.port, timeout=culver.WAIT) as smtp:
                    smtp.sendmail("out@example.net", ["alice@example.org"], culver.message("Via " + transport[:9]))
                imap = self.server.imap("alice")

                def arrived():
                    imap.select("INBOX")
                    return imap.search(None, "SUBJECT", '"Via %s"' % transport[:9])[1][0].split()
                culver.wait_for(arrived, "the mail arrives through Postfix (%s)\n%s" % (transport, postfix.log()), 40)
                imap.logout()

    @needs("postfix")
    @unittest.skipUnless(os.geteuid() == 0, "Postfix is started by root")
    def test_postfix_authenticates(self):
        """smtpd asks our auth process: smtpd_sasl_type = dovecot."""
        server = culver.Server("""\
auth_username_format = %Ln
service auth {
  unix_listener postfix-auth {
    mode = 0666
  }
}
""")
        try:
            with Postfix(server, "lmtp:unix:" + server.path("run", "lmtp"),
                         {"smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot",
                          "smtpd_sasl_path": server.path("run", "postfix-auth"),
                          "smtpd_sasl_security_options": "noanonymous",
                          "smtpd_recipient_restrictions": "permit_sasl_authenticated, reject"}) as postfix:
                with smtplib.SMTP("127.0.0.1", postfix.port, timeout=culver.WAIT) as smtp:
                    smtp.ehlo()
                    self.assertIn("PLAIN", smtp.esmtp_features.get("auth", ""))
                    with self.assertRaises(smtplib.SMTPAuthenticationError):
                        smtp.login("alice", "wrong")
                    smtp.login("alice", culver.PASSWORD)
                    smtp.sendmail("alice@example.org", ["bob@example.org"], culver.message("Authenticated"))
        finally:
            server.close()


if __name__ == "__main__":
    unittest.main()
