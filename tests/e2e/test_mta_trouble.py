# SPDX-License-Identifier: MIT
"""Mail transfer agents when not all goes well: recipients that are refused, mail that has to wait, addresses in UTF-8, large mail."""
import email
import email.policy
import os
import pwd
import shutil
import smtplib
import tempfile
import unittest

import culver
import exim
import sendmail
from postfix import Postfix

LDA = os.path.join(culver.PREFIX, "libexec", "culver", "culver-lda")
EXTRA = """\
auth_username_format = %%Ln
mail_plugins = $mail_plugins procmail
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
BODY = b"From here on\r\n.\r\n..two\r\n" + b"x" * 990 + b"\r\n\r\ncaf\xe9 \xf0\x9f\x93\xac\r\n\t \r\nlast line\r\n"


def mail(subject, sender, body=BODY):
    return ("From: <%s>\r\nTo: <all@example.org>\r\nSubject: %s\r\nDate: Sat, 21 Nov 2026 12:00:00 +0000\r\nMessage-ID: <%s@example.net>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" % (
                sender, subject, subject.replace(" ", "."))).encode() + body


@unittest.skipUnless(os.geteuid() == 0, "MTAs are started by root")
class Trouble(unittest.TestCase):
    def setUp(self):
        where = tempfile.mkdtemp(prefix="culver-test-", dir="/run")
        self.addCleanup(shutil.rmtree, where)
        os.chmod(where, 0o755)
        self.unix = os.path.join(where, "lmtp")
        self.server = culver.Server(EXTRA % self.unix)
        self.addCleanup(self.server.close)
        self.port = self.server.ports["lmtp"]

    def texts(self, user, count=1, box="INBOX"):
        """All messages of a mailbox, once there are so many; an error when there are more."""
        imap = self.server.imap(user)

        def there():
            imap.select(box)
            found = imap.search(None, "ALL")[1][0].split()
            return found if len(found) >= count else None
        found = culver.wait_for(there, "%d messages for %s" % (count, user)) if count else there()
        texts = [imap.fetch(x, "BODY.PEEK[]")[1][0][1] for x in found]
        imap.logout()
        self.assertEqual(len(texts), count)
        return texts

    def rc(self, user, text):
        path = self.server.path("home", user, ".procmailrc")
        with open(path, "w") as f:
            f.write(text)
        os.chown(path, self.server.uid, self.server.gid)
        os.chmod(path, 0o600)
        return path

    def send(self, port, sender, to, message, options=("BODY=8BITMIME",)):
        with smtplib.SMTP("127.0.0.1", port, timeout=culver.WAIT) as smtp:
            self.assertEqual(smtp.sendmail(sender, to, message, options), {})

    def whole(self, text, subject, sender, body=BODY):
        """The message is as it was sent, behind the fields of those who handed it on; their names."""
        sent = mail(subject, sender, body)
        self.assertTrue(text.endswith(sent), text[:3000])
        front = email.message_from_bytes(text[:len(text) - len(sent)] + b"\r\n")
        self.assertEqual(front["Return-Path"], "<%s>" % sender)
        return front.keys()

    def bounced(self, text, recipient, status):
        """A delivery status notification about that recipient."""
        message = email.message_from_bytes(text, policy=email.policy.default)
        self.assertEqual(message["Return-Path"], "<>")
        self.assertEqual(message.get_content_type(), "multipart/report")
        report = message.get_payload()[1].as_string()
        self.assertRegex(report, r"(?im)^Final-Recipient: rfc822; *%s$" % recipient)
        self.assertRegex(report, r"(?im)^Status: *%s" % status)

    def postfix(self, transport, more=(), services=""):
        settings = {"message_size_limit": "200000000", "mailbox_size_limit": "0", **dict(more)}
        return Postfix(self.server, transport, settings, services)

    @unittest.skipUnless(os.path.exists("/usr/sbin/postfix"), "Postfix is not there")
    def test_postfix_one_fails(self):
        """Of three recipients one is nobody, and one's recipes bounce: the sender is told of both."""
        self.rc("carol", "EXITCODE=67\n:0\n/dev/null\n")
        for transport in ("lmtp:unix:" + self.unix, "lmtp:inet:127.0.0.1:%d" % self.port):
            with self.postfix(transport) as postfix:
                self.send(postfix.port, "bob@example.org", ["alice@example.org", "nobody@example.org", "carol@example.org"],
                          mail("one fails", "bob@example.org"))
                keys = self.whole(self.texts("alice")[0], "one fails", "bob@example.org")
                self.assertEqual(keys, ["Return-Path", "Delivered-To", "Received", "Received"])
                text = self.texts("bob")[0]
                self.bounced(text, "nobody@example.org", "5.1.1")
                self.bounced(text, "carol@example.org", "5.1.1")
            self.empty("alice", "bob")

    @unittest.skipUnless(os.path.exists("/usr/sbin/postfix"), "Postfix is not there")
    def test_postfix_waits(self):
        """What is put off stays in the queue and comes once, for those that have not got it."""
        path = self.rc("carol", "EXITCODE=75\n:0\n/dev/null\n")
        with self.postfix("lmtp:unix:" + self.unix) as postfix:
            self.send(postfix.port, "out@example.net", ["alice@example.org", "carol@example.org"], mail("waits", "out@example.net"))
            culver.wait_for(lambda: "status=deferred" in postfix.log(), "carol's mail is put off")
            self.assertEqual(self.whole(self.texts("alice")[0], "waits", "out@example.net")[1], "Delivered-To")
            os.unlink(path)
            # Nobody answers: all of it waits, and Postfix tries what it has meanwhile.
            self.server.stop()
            self.send(postfix.port, "out@example.net", ["bob@example.org"], mail("later", "out@example.net"))
            culver.wait_for(lambda: postfix.log().count("status=deferred") >= 2, "bob's mail is put off")
            self.server.start()
            postfix.flush()
            self.whole(self.texts("carol")[0], "waits", "out@example.net")
            self.whole(self.texts("bob")[0], "later", "out@example.net")
            culver.wait_for(lambda: not os.path.exists(self.unix) or postfix.log().count(": removed") >= 2, "the queue is empty")
            self.texts("alice")

    @unittest.skipUnless(os.path.exists("/usr/sbin/postfix"), "Postfix is not there")
    def test_postfix_lda(self):
        """mailbox_command of local(8), and pipe(8) with the flags that its users set, or as it is: MAILER-DAEMON is nobody then."""
        lda = "%s -c %s" % (LDA, self.server.config)
        user = pwd.getpwuid(self.server.uid).pw_name
        services = ("local unix - n n - - local\n"
                    "culver unix - n n - - pipe flags=DRhu null_sender= user=%s argv=%s -d ${user} -f ${sender} -a ${original_recipient}\n"
                    "bare unix - n n - - pipe flags=hu user=%s argv=%s -d ${user} -f ${sender} -a ${recipient}\n" % (user, lda, user, lda))
        for name, transport, keys in (("pipe", "culver", ["Return-Path", "Delivered-To"]), ("bare", "bare", ["Return-Path", "Delivered-To"])):
            with self.subTest(name), self.postfix(transport, services=services, more={
                    "culver_destination_recipient_limit": "1", "bare_destination_recipient_limit": "1"}) as postfix:
                self.send(postfix.port, "out@example.net", ["alice@example.org", "bob@example.org"], mail("by " + name, "out@example.net"))
                for who in ("alice", "bob"):
                    found = self.whole(self.texts(who)[0], "by " + name, "out@example.net")
                    self.assertEqual(sorted(found), sorted(keys + ["Received"]))
                self.send(postfix.port, "bob@example.org", ["nobody@example.org"], mail("to nobody", "bob@example.org"))
                self.bounced(self.texts("bob", 2)[1], "nobody@example.org", "5.1.1")
            self.empty("alice", "bob")
        with self.subTest("mailbox_command"), self.postfix("error:none", services=services, more={
                "virtual_mailbox_domains": "", "mydestination": "example.org",
                "mailbox_command": lda + ' -d alice -f "$SENDER" -a "$RECIPIENT"'}) as postfix:
            self.send(postfix.port, "out@example.net", ["%s@example.org" % user], mail("command", "out@example.net"))
            found = self.whole(self.texts("alice")[0], "command", "out@example.net")
            self.assertEqual(found.count("Delivered-To"), 1)

    @unittest.skipUnless(os.path.exists("/usr/sbin/postfix"), "Postfix is not there")
    def test_postfix_utf8(self):
        """Addresses in UTF-8 stay what they are, also in what is put in front."""
        sender = "j\u00fcrgen@example.net"
        message = mail("utf8", sender)
        with self.postfix("lmtp:unix:" + self.unix) as postfix, smtplib.SMTP("127.0.0.1", postfix.port, timeout=culver.WAIT) as smtp:
            smtp.ehlo()
            smtp.command_encoding = "utf-8"
            self.assertEqual(smtp.mail(sender, ["BODY=8BITMIME", "SMTPUTF8"])[0], 250)
            self.assertEqual(smtp.rcpt("alice@example.org")[0], 250)
            self.assertEqual(smtp.data(message)[0], 250)
            text = self.texts("alice")[0]
        self.assertTrue(text.endswith(message))
        self.assertTrue(text.startswith("Return-Path: <{0}>\r\nDelivered-To: alice@example.org\r\n".format(sender).encode()), text[:400])

    @unittest.skipUnless(os.path.exists("/usr/sbin/postfix"), "Postfix is not there")
    def test_postfix_large(self):
        body = b"".join(b"%08d %s\r\n" % (n, b"y" * (n % 900)) for n in range(60000))
        with self.postfix("lmtp:inet:127.0.0.1:%d" % self.port) as postfix:
            self.send(postfix.port, "out@example.net", ["alice@example.org", "bob@example.org"], mail("large", "out@example.net", body))
            for who in ("alice", "bob"):
                self.whole(self.texts(who)[0], "large", "out@example.net", body)

    @unittest.skipUnless(exim.there(), "Exim is not unpacked")
    def test_exim_one_fails(self):
        """What is refused for one recipient is delivered to the other; what is put off for one comes once, to that one."""
        transport = "driver = lmtp\nsocket = %s\nbatch_max = 10" % self.unix
        agent = exim.Exim(self.server, transport)
        path = self.rc("bob", "EXITCODE=67\n:0\n/dev/null\n")
        with self.assertRaisesRegex(AssertionError, r"\*\* bob@example.org .*550 5\.1\.1"):
            agent.send(mail("refused", "out@example.net"), "out@example.net", "alice@example.org", "bob@example.org")
        self.whole(self.texts("alice")[0], "refused", "out@example.net")
        with open(path, "w") as f:
            f.write("EXITCODE=75\n:0\n/dev/null\n")
        agent = exim.Exim(self.server, transport)
        with self.assertRaisesRegex(AssertionError, r"== bob@example.org .*451"):
            agent.send(mail("waits", "out@example.net"), "out@example.net", "alice@example.org", "bob@example.org")
        os.unlink(path)
        agent.retry()
        self.whole(self.texts("bob")[0], "waits", "out@example.net")
        self.texts("alice", 2)

    @unittest.skipUnless(sendmail.there(), "sendmail is not unpacked")
    def test_sendmail_one_fails(self):
        agent = sendmail.Sendmail(self.server, "FEATURE(`local_lmtp', `[IPC]', `FILE %s')dnl" % self.unix)
        path = self.rc("bob", "EXITCODE=75\n:0\n/dev/null\n")
        with self.assertRaisesRegex(AssertionError, "Deferred"):
            agent.send(mail("waits", "out@example.net"), "out@example.net", "alice@example.org", "bob@example.org")
        self.whole(self.texts("alice")[0], "waits", "out@example.net")
        os.unlink(path)
        agent.flush()
        self.whole(self.texts("bob")[0], "waits", "out@example.net")
        self.texts("alice")

    def empty(self, *users):
        for user in users:
            imap = self.server.imap(user)
            imap.select("INBOX")
            imap.store("1:*", "+FLAGS", "\\Deleted")
            imap.expunge()
            imap.logout()


if __name__ == "__main__":
    unittest.main()
