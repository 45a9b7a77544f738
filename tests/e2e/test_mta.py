# SPDX-License-Identifier: MIT
"""The field's mail transfer agents hand mail over, each in the ways that its users configure: it arrives byte for byte."""
import grp
import os
import pwd
import shutil
import smtplib
import subprocess
import tempfile
import unittest

import culver
import exim
import sendmail
from postfix import Postfix

LDA = os.path.join(culver.PREFIX, "libexec", "culver", "culver-lda")
MAILDROP = os.path.join(exim.ASIDE, "usr/bin/maildrop")
SENDER = "out@example.net"
# Lines that begin with a dot or with From, one as long as SMTP lets it be, octets above 127, an end without blank lines.
BODY = (b"From here on\r\n.\r\n..two\r\n.dots\r\n" + b"x" * 990 + b"\r\n\r\ncaf\xe9 \xf0\x9f\x93\xac\r\n\t \r\nlast line\r\n")
EXTRA = """\
auth_username_format = %%Ln
service auth {
  unix_listener auth-userdb {
    mode = 0666
  }
}
service lmtp {
  unix_listener %s {
    mode = 0666
  }
}
"""


def mail(subject):
    return ("From: <%s>\r\nTo: Alice <alice@example.org>\r\nSubject: %s\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\n"
            "Message-ID: <%s@example.net>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: 8bit\r\nX-Long: %s\r\n\t%s\r\n\r\n" % (SENDER, subject, subject.replace(" ", "."),
                                                                             "a" * 70, "b" * 70)).encode() + BODY


class Agents(unittest.TestCase):
    def setUp(self):
        # sendmail goes to no socket that is below a directory which all can write to.
        where = tempfile.mkdtemp(prefix="culver-test-", dir="/run" if os.geteuid() == 0 else None)
        self.addCleanup(shutil.rmtree, where)
        os.chmod(where, 0o755)
        self.unix = os.path.join(where, "lmtp")
        self.server = culver.Server(EXTRA % self.unix)
        self.addCleanup(self.server.close)
        self.port = self.server.ports["lmtp"]

    def lda(self, *args):
        return " ".join((LDA, "-c", self.server.config) + args)

    def arrived(self, user, subject, delivered_to=None):
        """The message, whose own fields and body must be as they were sent; the fields in front of them."""
        imap = self.server.imap(user)

        def there():
            imap.select("INBOX")
            return imap.search(None, "SUBJECT", '"%s"' % subject)[1][0].split()
        found = culver.wait_for(there, "%s has arrived for %s" % (subject, user))
        self.assertEqual(len(found), 1)
        text = imap.fetch(found[0], "BODY.PEEK[]")[1][0][1]
        imap.logout()
        header, body = text.split(b"\r\n\r\n", 1)
        self.assertEqual(body, BODY)
        sent = mail(subject).split(b"\r\n\r\n", 1)[0].split(b"\r\n")
        lines = header.split(b"\r\n")
        self.assertEqual([x for x in lines if x in sent], sent)
        self.assertEqual(lines.count(b"Return-Path: <%s>" % SENDER.encode()), 1, header)
        to = [x for x in lines if x.lower().startswith(b"delivered-to:")]
        self.assertEqual(to[0], b"Delivered-To: " + (delivered_to or "%s@example.org" % user).encode())
        return header.decode("latin-1")

    @unittest.skipUnless(exim.there(), "Exim is not unpacked")
    def test_exim_lmtp(self):
        for name, transport in (("unix", "driver = lmtp\nsocket = %s\nbatch_max = 10" % self.unix),
                                ("tcp", "driver = smtp\nprotocol = lmtp\nhosts = 127.0.0.1\nallow_localhost\n"
                                        "hosts_override\nport = %d" % self.port)):
            with self.subTest(name):
                exim.Exim(self.server, transport).send(mail("exim " + name), SENDER, "alice@example.org", "bob@example.org")
                for user in ("alice", "bob"):
                    self.assertIn("mx.example.org", self.arrived(user, "exim " + name))

    @unittest.skipUnless(exim.there(), "Exim is not unpacked")
    def test_exim_lda(self):
        # The sender comes in the "From " line that a pipe transport writes: Exim lets it be no argument.
        transport = ("driver = pipe\ncommand = %s\nuser = %s\ngroup = %s\nmessage_suffix =\nlog_output\n"
                     "temp_errors = 64 : 69 : 70 : 71 : 72 : 73 : 74 : 75 : 78" % (
                         self.lda("-d", "$local_part_data", "-a", "$local_part_data@$domain_data"),
                         pwd.getpwuid(self.server.uid).pw_name, grp.getgrgid(self.server.gid).gr_name))
        exim.Exim(self.server, transport).send(mail("exim lda"), SENDER, "alice@example.org")
        self.arrived("alice", "exim lda")

    @unittest.skipUnless(sendmail.there(), "sendmail is not unpacked")
    def test_sendmail_lmtp(self):
        for name, where in (("unix", "FILE " + self.unix), ("tcp", "TCP localhost %d" % self.port)):
            with self.subTest(name):
                agent = sendmail.Sendmail(self.server, "FEATURE(`local_lmtp', `[IPC]', `%s')dnl" % where)
                agent.send(mail("sendmail " + name), SENDER, "alice@example.org", "bob@example.org")
                for user in ("alice", "bob"):
                    self.assertIn("mx.example.org", self.arrived(user, "sendmail " + name, user))

    @unittest.skipUnless(sendmail.there(), "sendmail is not unpacked")
    def test_sendmail_lda(self):
        feature = ("FEATURE(`local_procmail', `%s', `culver-lda -c %s -d $u -f $g -a $u@example.org', `SPfhn9')dnl" %
                   (LDA, self.server.config))
        sendmail.Sendmail(self.server, feature).send(mail("sendmail lda"), SENDER, "alice@example.org")
        self.arrived("alice", "sendmail lda")

    @unittest.skipUnless(os.path.exists("/usr/sbin/postfix") and os.geteuid() == 0, "Postfix is started by root")
    def test_postfix(self):
        for name, transport in (("unix", "lmtp:unix:" + self.unix), ("tcp", "lmtp:inet:127.0.0.1:%d" % self.port)):
            with self.subTest(name), Postfix(self.server, transport) as postfix:
                with smtplib.SMTP("127.0.0.1", postfix.port, timeout=culver.WAIT) as smtp:
                    smtp.sendmail(SENDER, ["alice@example.org", "bob@example.org"], mail("postfix " + name),
                                  ["BODY=8BITMIME"])
                for user in ("alice", "bob"):
                    self.assertIn("mx.example.org", self.arrived(user, "postfix " + name))

    def as_user(self, command, message, environment, **more):
        root = os.geteuid() == 0
        environment = dict(environment, PATH=os.environ["PATH"], HOME=self.server.path("home", "alice"), USER="alice",
                           LOGNAME="alice")
        return subprocess.run(command, input=message, env=environment, capture_output=True, timeout=culver.WAIT,
                              cwd=self.server.path("home", "alice"), user=self.server.uid if root else None,
                              group=self.server.gid if root else None, extra_groups=[] if root else None, **more)

    def test_as_qmail_does(self):
        """qmail-local runs `|command' of a .qmail as the user; with preline(1) the fields come in front."""
        variables = {"SENDER": SENDER, "RECIPIENT": "alice@example.org", "LOCAL": "alice", "HOST": "example.org", "EXT": "",
                     "DTLINE": "Delivered-To: alice@example.org\n", "RPLINE": "Return-Path: <%s>\n" % SENDER,
                     "UFLINE": "From %s Sat Nov 21 12:00:00 2026\n" % SENDER}
        for name, front, args in (("preline", "UFLINE RPLINE DTLINE", ""), ("bare", "", '-f "$SENDER" -a "$RECIPIENT"')):
            with self.subTest(name):
                message = "".join(variables[x] for x in front.split()).encode() + \
                    mail("qmail " + name).replace(b"\r\n", b"\n")
                done = self.as_user(["/bin/sh", "-c", self.lda("-d alice", args)], message, variables)
                # 0: on to the next line of .qmail; 100 would be a bounce, 111 try again, as other codes are taken for
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                self.arrived("alice", "qmail " + name)

    @unittest.skipUnless(os.path.exists(MAILDROP), "maildrop is not unpacked")
    def test_maildrop(self):
        """A mailfilter of maildrop's that delivers with `to "|command"'."""
        rules = self.server.path("home", "alice", "mailfilter")
        with open(rules, "w") as f:
            f.write('SHELL="/bin/sh"\nif (/^Subject: *maildrop/)\n{\n  to "|%s"\n}\nEXITCODE=77\nexit\n' %
                    self.lda("-d", "alice", "-f", "$FROM", "-a", "alice@example.org"))
        if os.geteuid() == 0:
            os.chown(rules, self.server.uid, self.server.gid)
        os.chmod(rules, 0o600)
        libraries = ":".join(os.path.join(exim.ASIDE, d) for d in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu",
                                                                    "usr/lib"))
        message = b"Return-Path: <%s>\n" % SENDER.encode() + mail("maildrop").replace(b"\r\n", b"\n")
        # It is set-group-id, and its libraries are not where the system looks.
        done = self.as_user(["/lib64/ld-linux-x86-64.so.2", "--library-path", libraries, MAILDROP, "mailfilter"], message, {})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.arrived("alice", "maildrop")


if __name__ == "__main__":
    unittest.main()
