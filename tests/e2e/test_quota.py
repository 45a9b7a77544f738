# SPDX-License-Identifier: MIT
"""Quota against the running server: IMAP, LMTP, warnings, maildirsize, Postfix's policy protocol, culveradm."""
import imaplib
import os
import smtplib
import socket
import stat
import subprocess
import unittest

import culver
from postfix import Postfix
from test_delivery import LDA, Lmtp

ADM = os.path.join(culver.PREFIX, "bin", "culveradm")

CONFIG = """
mail_plugins = quota
auth_username_format = %%Ln
protocol imap {
  mail_plugins = quota imap_quota
}
lmtp_rcpt_check_quota = yes
passdb {
  driver = passwd-file
  args = username_format=%%u %(dir)s/none
}
userdb {
  driver = passwd-file
  args = username_format=%%u %(dir)s/users
  result_success = return-ok
}
plugin {
  quota = %(root)s
  quota_rule = *:storage=20K:messages=50
  quota_rule2 = Trash:storage=+50%%%%
  quota_rule3 = Spam:ignore
  quota_max_mail_size = 15K
  quota_warning = storage=95%%%% quota-warning 95 %%u
  quota_warning2 = storage=50%%%% quota-warning 50 %%u
  quota_warning3 = -storage=50%%%% quota-warning below %%u
  quota_exceeded_message = No room for more of %%u
  quota_status_success = DUNNO
  quota_status_nouser = DUNNO nobody
  quota_status_overquota = "552 5.2.2 Mailbox is full"
}
service quota-warning {
  executable = script %(dir)s/warn.sh fixed
  user = %(user)s
  unix_listener quota-warning {
    mode = 0666
  }
}
service quota-status {
  executable = quota-status -p postfix
  inet_listener {
    address = 127.0.0.1
    port = %(port)d
  }
  client_limit = 1
}
"""


def message(octets):
    """A message of that many octets with CRLF line ends."""
    head = "Subject: x\r\n\r\n"
    return head + "y" * (octets - len(head) - 2) + "\r\n"


class Base(unittest.TestCase):
    root = "count:User quota"

    @classmethod
    def setUpClass(cls):
        cls.port = culver.free_ports(("policy",))["policy"]
        cls.server = culver.Server(start=False, users=("alice", "bob", "carol", "dave"))
        import pwd
        cls.server.add_config(CONFIG % {"dir": cls.server.dir, "root": cls.root, "port": cls.port,
                                        "user": pwd.getpwuid(cls.server.uid).pw_name})
        with open(cls.server.path("none"), "w"):
            pass
        # dave has a limit of his own.
        with open(cls.server.path("users"), "w") as f:
            for user in cls.server.users:
                f.write("%s::%d:%d::%s::%s\n" % (user, cls.server.uid, cls.server.gid, cls.server.path("home", user),
                                                 "userdb_quota_rule=*:bytes=3000" if user == "dave" else ""))
        # The static userdb of the common configuration would come first.
        with open(cls.server.config) as f:
            text = f.read()
        start = text.index("userdb {\n  driver = static")
        with open(cls.server.config, "w") as f:
            f.write(text[:start] + text[text.index("}\n", start) + 2:])
        with open(cls.server.path("warn.sh"), "w") as f:
            f.write("#!/bin/sh\necho \"$* $(id -u) $(env | sort | tr '\\n' ' ')\" >> %s\n" % cls.server.path("warned"))
        os.chmod(cls.server.path("warn.sh"), 0o755)
        with open(cls.server.path("warned"), "w"):
            pass
        os.chown(cls.server.path("warned"), cls.server.uid, cls.server.gid)
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def append(self, imap, box, octets):
        return imap.append(box, None, None, message(octets).encode())

    def empty(self, user):
        imap = self.server.imap(user)
        for box in ("INBOX", "Trash", "Spam"):
            if imap.select(box)[0] == "OK":
                imap.store("1:*", "+FLAGS", "\\Deleted")
                imap.expunge()
        return imap

    def warned(self, count):
        def there():
            lines = self.server.read("warned").splitlines()
            return lines if len(lines) >= count else None
        return culver.wait_for(there, "%d warnings" % count)

    def ask(self, **attributes):
        with socket.create_connection(("127.0.0.1", self.port), 10) as s:
            return self.ask_on(s, **attributes)

    def ask_on(self, s, **attributes):
        s.sendall(("".join("%s=%s\n" % pair for pair in attributes.items()) + "\n").encode())
        got = b""
        while not got.endswith(b"\n\n"):
            more = s.recv(1000)
            if not more:
                break
            got += more
        return got.decode()


class Quota(Base):
    def test_imap(self):
        imap = self.empty("alice")
        for box in ("Trash", "Spam"):
            imap.create(box)
        self.assertIn("QUOTA", imap.capability()[1][0].decode().split())
        self.assertEqual(self.append(imap, "INBOX", 12000)[0], "OK")
        answer = imap.getquotaroot("INBOX")[1]
        self.assertEqual(answer[0], [b'INBOX "User quota"'])
        self.assertEqual(answer[1], [b'"User quota" (STORAGE 12 20 MESSAGE 1 50)'])
        typ, data = self.append(imap, "INBOX", 12000)
        self.assertEqual((typ, data), ("NO", [b"[OVERQUOTA] No room for more of alice"]))
        self.assertEqual(self.append(imap, "Trash", 12000)[0], "OK")
        self.assertEqual(self.append(imap, "Spam", 12000)[0], "OK")
        typ, data = self.append(imap, "Spam", 16000)
        self.assertEqual(typ, "NO")
        self.assertTrue(data[0].startswith(b"[LIMIT]"), data)
        self.assertEqual(imap.getquota('"User quota"')[1], [b'"User quota" (STORAGE 24 20 MESSAGE 2 50)'])
        imap.select("INBOX")
        typ, data = imap.copy("1", "Trash")
        self.assertEqual((typ, data), ("NO", [b"[OVERQUOTA] No room for more of alice"]))
        imap.select("Spam")
        self.assertEqual(imap._simple_command("MOVE", "1", "INBOX")[0], "NO")
        self.assertEqual(imap._simple_command("SETQUOTA", '"User quota"', "(STORAGE 1000)")[0], "NO")
        self.assertEqual(os.listdir(os.path.join(self.server.maildir("alice"), "tmp")), [])
        imap.select("INBOX")
        imap.store("1", "+FLAGS", "\\Deleted")
        imap.expunge()
        self.assertEqual(imap.getquota('"User quota"')[1], [b'"User quota" (STORAGE 12 20 MESSAGE 1 50)'])
        imap.logout()

    def test_delivery(self):
        self.empty("bob").logout()
        self.empty("carol").logout()
        with Lmtp(self.server) as client:
            # The last may go 10% beyond the limit; there is no next one.
            self.assertTrue(client.mail(message(14000), "bob")[0].startswith("250"))
            self.assertTrue(client.mail(message(7500), "bob")[0].startswith("250"))
            self.assertEqual(client.say("MAIL FROM:<a@b>")[:3], "250")
            self.assertEqual(client.say("RCPT TO:<bob>"), "552 5.2.2 <bob> No room for more of bob")
            self.assertEqual(client.say("RCPT TO:<carol>")[:3], "250")
            self.assertEqual(client.say("RCPT TO:<dave>")[:3], "250")
            self.assertEqual(client.say("DATA")[:3], "354")
            client.send(message(4000) + ".\r\n")
            self.assertEqual(client.reply()[:3], "250")
            # After DATA: dave has 3000 octets.
            self.assertEqual(client.reply(), "552 5.2.2 <dave> No room for more of dave")
            # SIZE is believed at RCPT.
            self.assertEqual(client.say("MAIL FROM:<a@b> SIZE=19000")[:3], "250")
            self.assertTrue(client.say("RCPT TO:<carol>").startswith("552 5.2.3 "))
            client.say("RSET")
            self.assertTrue(client.mail(message(15600), "carol")[0].startswith("552 5.2.3 "))
        done = subprocess.run([LDA, "-c", self.server.config, "-d", "bob"], input=message(3000).encode(),
                              capture_output=True)
        self.assertEqual(done.returncode, 77, done.stderr)
        for user in ("bob", "dave"):
            left = os.path.join(self.server.maildir(user), "tmp")
            self.assertEqual(os.listdir(left) if os.path.exists(left) else [], [])

    def test_warnings(self):
        imap = self.empty("carol")
        before = len(self.server.read("warned").splitlines())
        self.assertEqual(self.append(imap, "INBOX", 9000)[0], "OK")
        self.assertEqual(self.append(imap, "INBOX", 2000)[0], "OK")
        self.assertEqual(self.append(imap, "INBOX", 9000)[0], "OK")
        imap.select("INBOX")
        imap.store("1,3", "+FLAGS", "\\Deleted")
        self.warned(before + 2)
        imap.expunge()
        lines = self.warned(before + 3)[before:]
        # In whatever order the programs ran.
        self.assertEqual(sorted(line.split()[1] for line in lines), ["50", "95", "below"])
        for line in lines:
            words = line.split()
            self.assertEqual((words[0], words[2], words[3]), ("fixed", "carol", str(self.server.uid)))
            self.assertEqual([w.split("=")[0] for w in words[4:] if not w.startswith("_")], ["PATH", "PWD"])
        imap.logout()

    def test_script_socket(self):
        """What is no request runs nothing, and a client that says nothing keeps nobody from his warning."""
        path = self.server.path("run", "quota-warning")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o666)
        before = len(self.server.read("warned").splitlines())
        self.server.allowed += ("what came is no request", "half a request", "no request came", "quota-warning: process")
        idle = socket.socket(socket.AF_UNIX)
        idle.connect(path)
        for text in (b"GET / HTTP/1.0\r\n\r\n", b"VERSION\tscript\t4\t0\nalarm=1\n\n", b"\0" * 9000, b"VERSION"):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
                try:
                    s.sendall(text)
                    s.shutdown(socket.SHUT_WR)
                    s.recv(1)
                except OSError:
                    pass
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(b"VERSION\tscript\t4\t0\nnoreply\na b; touch /tmp/x\n$(id)\n\n")
        lines = self.warned(before + 1)[before:]
        self.assertEqual(len(lines), 1)
        self.assertTrue(lines[0].startswith("fixed a b; touch /tmp/x $(id) "), lines)
        idle.close()

    def test_policy(self):
        imap = self.empty("alice")
        self.assertEqual(self.ask(request="smtpd_access_policy", recipient="alice", size=100), "action=DUNNO\n\n")
        self.assertEqual(self.ask(recipient="alice+detail", size=14000), "action=DUNNO\n\n")
        self.assertEqual(self.ask(recipient="nobody@example.org", size=1), "action=DUNNO nobody\n\n")
        self.assertEqual(self.ask(recipient="<>", size=1), "action=DUNNO nobody\n\n")
        self.assertEqual(self.ask(size=1), "action=DUNNO\n\n")
        self.assertEqual(self.ask(recipient="alice", size=16000), "action=552 5.2.2 Mailbox is full\n\n")
        self.assertEqual(self.ask(recipient="dave", size=4000), "action=552 5.2.2 Mailbox is full\n\n")
        for _ in range(2):
            self.append(imap, "INBOX", 9900)
        # Several questions on one connection, two of them at once, and many connections.
        held = [socket.create_connection(("127.0.0.1", self.port), 10) for _ in range(20)]
        with socket.create_connection(("127.0.0.1", self.port), 10) as s:
            self.assertEqual(self.ask_on(s, recipient="alice", size=5000), "action=552 5.2.2 Mailbox is full\n\n")
            self.assertEqual(self.ask_on(s, recipient="bob@", size=0), "action=DUNNO nobody\n\n")
            s.sendall(b"recipient=alice\nsize=5000\n\n" * 2)
            got = b""
            while got.count(b"\n\n") < 2:
                got += s.recv(1000)
            self.assertEqual(got, b"action=552 5.2.2 Mailbox is full\n\n" * 2)
            s.sendall(b"\n" * 5000)
            got = 0
            while got < 5000 * len("action=DUNNO\n\n"):
                got += len(s.recv(65536))
        for s in held:
            s.close()
        for bad in (b"GET / HTTP/1.0\r\n\r\n", b"x" * 70000):
            with socket.create_connection(("127.0.0.1", self.port), 10) as s:
                try:
                    s.sendall(bad)
                    self.assertEqual(s.recv(10), b"")
                except ConnectionError:
                    pass
        imap.logout()

    @unittest.skipUnless(os.geteuid() == 0 and os.path.exists("/usr/sbin/postfix"), "Postfix is started by root")
    def test_postfix(self):
        """Postfix asks at RCPT, and nobody has to bounce what would not fit."""
        self.empty("alice")
        self.empty("bob")
        with Postfix(self.server, "lmtp:unix:" + self.server.path("run", "lmtp"),
                     {"smtpd_recipient_restrictions": "check_policy_service inet:127.0.0.1:%d, permit" % self.port,
                      "smtpd_delay_reject": "no"}) as postfix, \
                smtplib.SMTP("127.0.0.1", postfix.port, timeout=culver.WAIT) as smtp:
            smtp.sendmail("out@example.net", ["alice@example.org"], message(9000))
            culver.wait_for(lambda: self.server.adm("quota", "get", "-u", "alice").split().count("1"), "it arrives", 40)
            with self.assertRaises(smtplib.SMTPRecipientsRefused) as caught:
                smtp.sendmail("out@example.net", ["alice@example.org"], message(14000))
            self.assertEqual(caught.exception.recipients["alice@example.org"],
                             (552, b"5.2.2 <alice@example.org>: Recipient address rejected: Mailbox is full"))
            self.assertEqual(smtp.sendmail("out@example.net", ["bob@example.org"], message(14000)), {})
        self.empty("alice")

    def test_adm(self):
        imap = self.empty("alice")
        self.append(imap, "INBOX", 10240)
        out = subprocess.run([ADM, "-c", self.server.config, "quota", "get", "-u", "alice"], capture_output=True, text=True,
                             check=True).stdout.splitlines()
        self.assertEqual(out[0].split(), ["Quota", "name", "Type", "Value", "Limit", "%"])
        self.assertEqual([line.split()[2:] for line in out[1:]], [["STORAGE", "10", "20", "50"], ["MESSAGE", "1", "50", "2"]])
        out = subprocess.run([ADM, "-c", self.server.config, "-f", "flow", "quota", "get", "-u", "dave"],
                             capture_output=True, text=True, check=True).stdout
        self.assertIn("limit=3", out)
        subprocess.run([ADM, "-c", self.server.config, "quota", "recalc", "-u", "alice"], check=True)
        self.assertEqual(imap.getquota('"User quota"')[1], [b'"User quota" (STORAGE 10 20 MESSAGE 1 50)'])
        imap.logout()


class Maildirsize(Base):
    root = "maildir:User quota"

    def lines(self, user):
        with open(os.path.join(self.server.maildir(user), "maildirsize")) as f:
            return f.read().splitlines()

    def on_disk(self, user):
        count = octets = 0
        for top, _, files in os.walk(self.server.maildir(user)):
            if os.path.basename(top) in ("new", "cur"):
                count += len(files)
                octets += sum(os.path.getsize(os.path.join(top, name)) for name in files)
        return octets, count

    def check(self, user):
        lines = self.lines(user)
        self.assertEqual(lines[0], "20480S,50C")
        pairs = [tuple(map(int, line.split())) for line in lines[1:]]
        self.assertEqual((sum(p[0] for p in pairs), sum(p[1] for p in pairs)), self.on_disk(user))

    def test_kept(self):
        imap = self.empty("alice")
        self.append(imap, "INBOX", 1000)
        self.check("alice")
        imap.create("Work")
        imap.select("INBOX")
        for _ in range(3):
            imap.copy("1", "Work")
        self.check("alice")
        imap.store("1", "+FLAGS", "\\Deleted")
        imap.expunge()
        self.check("alice")
        with Lmtp(self.server) as client:
            for _ in range(3):
                client.mail(message(500), "alice")
        self.check("alice")
        imap.delete("Work")
        self.check("alice")
        # What others write there limits nobody here, and is put right in the end.
        with open(os.path.join(self.server.maildir("alice"), "maildirsize"), "a") as f:
            f.write("999999 40\n")
        self.assertEqual(self.append(imap, "INBOX", 1000)[0], "OK")
        subprocess.run([ADM, "-c", self.server.config, "quota", "recalc", "-u", "alice"], check=True)
        self.check("alice")
        imap.logout()


if __name__ == "__main__":
    unittest.main()
