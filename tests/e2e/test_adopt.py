# SPDX-License-Identifier: MIT
"""Mail goes over from Debian's Dovecot 2.3 to Culver and back: UIDVALIDITY, UIDs, flags, keywords, subscriptions and
POP3 UIDLs stay, and no UID comes twice."""
import imaplib
import os
import re
import smtplib
import unittest

import culver
import dovecot

FOLDERS = ("Work", "Work.2026", "Entw&APw-rfe", "A &- B", "Empty")


def message(number):
    return ("From: a@example.org\r\nDate: Mon, 1 Jan 2024 10:00:%02d +0000\r\nMessage-ID: <%d@example.org>\r\n"
            "Subject: Number %d\r\n\r\nBody %d\r\n" % (number % 60, number, number, number)).encode()


def quoted(name):
    return '"%s"' % name


def snapshot(imap, folders, says_next=True):
    """All that a client sees of the mailboxes: what must be equal before and after.  says_next: SELECT tells UIDNEXT."""
    seen = {}
    for name in folders:
        typ, data = imap.select(quoted(name), readonly=True)
        assert typ == "OK", (name, data)
        validity, next_uid = int(imap.response("UIDVALIDITY")[1][0]), 0
        if says_next:
            next_uid = int(imap.response("UIDNEXT")[1][0])
        messages = {}
        if int(data[0]) > 0:
            for line in imap.uid("FETCH", "1:*", "(UID FLAGS RFC822.SIZE INTERNALDATE)")[1]:
                text = line.decode()
                uid = int(re.search(r"UID (\d+)", text).group(1))
                flags = set(re.search(r"FLAGS \(([^)]*)\)", text).group(1).split()) - {"\\Recent"}
                messages[uid] = (frozenset(flags), re.search(r"RFC822.SIZE (\d+)", text).group(1),
                                 re.search(r'INTERNALDATE "([^"]*)"', text).group(1))
            for part in imap.uid("FETCH", "1:*", "(UID BODY.PEEK[])")[1]:
                if isinstance(part, tuple):
                    messages[int(re.search(rb"UID (\d+)", part[0]).group(1))] += (part[1],)
        seen[name] = (validity, next_uid, messages)
    return seen


def subscribed(imap):
    return {re.search(r'"[./]" "?([^"]*)"?$', line.decode()).group(1) for line in imap.lsub()[1] if line}


def uidls(pop3):
    listed = {}
    for line in pop3.uidl()[1]:
        number, uidl = line.decode().split(" ", 1)
        listed[int(number)] = uidl
    bodies = {n: b"\r\n".join(pop3.retr(n)[1]) for n in listed}
    pop3.quit()
    return {body: listed[n] for n, body in bodies.items()}


def uids_by_body(seen, name):
    return {m[3]: uid for uid, m in seen[name][2].items()}


class GoingOver(unittest.TestCase):
    """The same story for several places and settings."""
    separator = "."
    listed = True       # lists of UIDs lie beside the mail; else all is in it, and there is nothing to release

    def names(self):
        return ["INBOX"] + [f.replace(".", self.separator) for f in FOLDERS]

    def refused(self, server, user):
        """What was released stays closed to all protocols, and mail for it waits where it came from."""
        server.allowed = ("released to Dovecot",)
        def opens():
            try:
                imap = server.imap(user)
                ok = imap.select("INBOX")[0] == "OK"
                imap.logout()
                return ok
            except imaplib.IMAP4.error:
                return False

        self.assertFalse(opens())
        with self.assertRaises(Exception):
            server.pop3(user)
        with server.lmtp() as lmtp, self.assertRaises(smtplib.SMTPDataError) as caught:
            lmtp.sendmail("sender@example.org", [user], message(99))
        self.assertEqual(caught.exception.smtp_code, 451)

    def story(self, location, extra="", user="alice"):
        folders = self.names()
        with culver.Server(start=False, extra="mail_location = %s\n%s" % (location, extra)) as server, \
                dovecot.Dovecot(server.path("home"), server.uid, server.gid, location, extra) as other:
            imap = other.imap(user)
            for name in folders[1:]:
                imap.create(quoted(name))
                imap.subscribe(quoted(name))
            imap.unsubscribe(quoted(folders[1]))
            imap.subscribe("INBOX")
            for n in range(12):
                flags = ("", "\\Seen", "\\Flagged $Label1", "\\Answered Junk \\Seen")[n % 4]
                imap.append(quoted(folders[n % 3]), "(%s)" % flags, None, message(n))
            # The highest UID is gone, and one in the middle; a copy has another one's GUID.
            imap.select("INBOX")
            imap.copy("1", "INBOX")
            imap.append("INBOX", None, None, message(20))
            imap.store("2,6", "+FLAGS", "(\\Deleted)")
            imap.expunge()
            imap.logout()
            other.deliver(user, message(21).replace(b"\r\n", b"\n"))
            names = uidls(other.pop3(user))
            imap = other.imap(user)
            before, subs = snapshot(imap, folders), subscribed(imap)
            imap.logout()
            other.stop()

            server.start()
            imap = server.imap(user)
            self.assertEqual(snapshot(imap, folders), before)
            self.assertEqual(subscribed(imap), subs)
            self.assertEqual(uidls(server.pop3(user)), names)
            # Work goes on here.
            imap.append("INBOX", "(\\Seen New)", None, message(30))
            server.deliver(message(31), user)
            imap.select("INBOX")
            typ, data = imap.uid("SEARCH", "SUBJECT", '"Number 30"')
            self.assertGreaterEqual(int(data[0].split()[0]), before["INBOX"][1])
            imap.uid("STORE", data[0].decode().split()[0], "+FLAGS", "(\\Answered)")
            imap.append("INBOX", None, None, message(32))
            last = imap.uid("SEARCH", "SUBJECT", '"Number 32"')[1][0].decode().split()[0]
            imap.uid("STORE", last, "+FLAGS", "(\\Deleted)")
            imap.expunge()
            imap.create("Late")
            imap.append("Late", None, None, message(33))
            imap.subscribe("Late")
            folders = folders + ["Late"]
            names = uidls(server.pop3(user))        # reads all: before what is seen of it is noted
            here, subs = snapshot(imap, folders), subscribed(imap)
            # Not while somebody is there.
            busy = server.adm("release", "-u", user, check=False)
            self.assertEqual(busy.returncode, 75, busy.stderr)
            self.assertIn("end the sessions", busy.stderr)
            imap.logout()
            culver.wait_for(lambda: not server.pids("imap")[1:], "the session has ended")
            self.assertEqual("INBOX" in server.adm("release", "-u", user, "--dry-run"), self.listed)
            server.adm("release", "-u", user)
            if self.listed:     # the server runs on, and keeps its hands off
                self.refused(server, user)
            server.stop()

            other.start()
            imap = other.imap(user)
            self.assertEqual(snapshot(imap, folders), here)
            self.assertEqual(subscribed(imap), subs)
            listed = {re.search(r'"[./]" "?([^"]*)"?$', line.decode()).group(1) for line in imap.list()[1]}
            if self.listed:
                self.assertEqual(listed, set(folders))
            self.assertEqual(uidls(other.pop3(user)), names)
            imap.append("INBOX", "(\\Flagged New Other)", None, message(40))
            imap.select("INBOX")
            last = imap.uid("SEARCH", "SUBJECT", '"Number 40"')[1][0].decode().split()[0]
            self.assertGreaterEqual(int(last), here["INBOX"][1])
            imap.append("INBOX", None, None, message(41))
            gone = imap.uid("SEARCH", "SUBJECT", '"Number 41"')[1][0].decode().split()[0]
            imap.uid("STORE", gone, "+FLAGS", "(\\Deleted)")
            imap.expunge()
            names = uidls(other.pop3(user))
            back, subs = snapshot(imap, folders), subscribed(imap)
            imap.logout()
            other.stop()

            server.start()
            if self.listed:
                self.refused(server, user)
                self.assertIn("INBOX", server.adm("adopt", "-u", user))
            imap = server.imap(user)
            self.assertEqual(snapshot(imap, folders), back)
            self.assertEqual(subscribed(imap), subs)
            self.assertEqual(uidls(server.pop3(user)), names)
            imap.append("INBOX", None, None, message(50))
            imap.select("INBOX")
            new = imap.uid("SEARCH", "SUBJECT", '"Number 50"')[1][0].decode().split()[0]
            self.assertGreater(int(new), int(gone))
            imap.logout()
            return server.log_text()

    def test_maildir(self):
        self.story("maildir:~/Maildir")

    def test_control(self):
        self.story("maildir:~/Maildir:CONTROL=~/control:INDEX=~/index", "pop3_uidl_format = %v-%u\n")

    def test_file_names(self):
        self.story("maildir:~/Maildir", "pop3_uidl_format = %f\n")

    def test_saved(self):
        self.story("maildir:~/Maildir", "pop3_uidl_format = UID%u-%v\npop3_save_uidl = yes\n")


class GoingOverTree(GoingOver):
    separator = "/"

    def test_maildir(self):
        self.story("maildir:~/Maildir:LAYOUT=fs", "pop3_uidl_format = %g\n")

    def test_control(self):
        self.story("maildir:~/Maildir:LAYOUT=fs:CONTROL=~/control:INDEX=~/index")

    test_file_names = test_saved = None


class GoingOverMbox(GoingOver):
    separator = "/"
    listed = False

    def names(self):
        # Of an mbox without a message, UIDVALIDITY is in nobody's but Dovecot's index.
        return ["INBOX", "Work", "Entw&APw-rfe"]

    def test_maildir(self):
        self.story("mbox:~/mail:INBOX=~/mbox", "pop3_uidl_format = %g\n")

    def test_file_names(self):
        self.story("mbox:~/mail:INBOX=~/mbox", "pop3_uidl_format = %m\n")

    test_control = test_saved = None


def set_metadata(imap, box, name, value):
    tag = imap._new_tag()
    imap.send(tag + b' SETMETADATA "%s" (%s {%d}\r\n' % (box.encode(), name.encode(), len(value)))
    if not imap.readline().startswith(b"+"):
        return "NO"
    imap.send(value + b")\r\n")
    return imap.readline().split()[1].decode()


class Annotations(unittest.TestCase):
    def test_taken_over(self):
        """What Dovecot keeps in its dictionary is there, and stays when some of it is changed."""
        extra = ("mail_attribute_dict = file:%h/Maildir/dovecot-attributes\n"
                 "protocol imap {\n  imap_metadata = yes\n}\n")
        entries = [("INBOX", "/private/comment", b"of inbox"), ("Work", "/private/comment", b"two\r\nlines\tand \\ more"),
                   ("Work", "/shared/vendor/example.org/x", b"\x01odd"), ("", "/private/vendor/example.org/y", b"server")]

        def told(imap, box, name):
            status, _ = imap.xatom("GETMETADATA", '"%s"' % box, name)
            self.assertEqual(status, "OK")
            data = imap.untagged_responses.pop("METADATA", [])
            if not data:
                return None
            line = data[0]
            return line[1] if isinstance(line, tuple) else line.rsplit(b' "', 1)[1].rstrip(b'")')

        imaplib.Commands.update({"GETMETADATA": ("AUTH", "SELECTED"), "SETMETADATA": ("AUTH", "SELECTED")})
        with culver.Server(extra, start=False) as server, \
                dovecot.Dovecot(server.path("home"), server.uid, server.gid, extra=extra) as other:
            imap = other.imap("alice")
            imap.create("Work")
            imap.append("INBOX", None, None, message(1))
            for box, name, value in entries:
                self.assertEqual(set_metadata(imap, box, name, value), "OK")
            imap.logout()
            other.stop()
            server.start()
            imap = server.imap("alice")
            for box, name, value in entries:
                self.assertEqual(told(imap, box, name), value, (box, name))
            self.assertEqual(set_metadata(imap, "Work", "/private/comment", b"new"), "OK")
            self.assertEqual(told(imap, "Work", "/private/comment"), b"new")
            self.assertEqual(told(imap, "Work", "/shared/vendor/example.org/x"), b"\x01odd")
            imap.logout()


class Forgotten(unittest.TestCase):
    def test_dovecot_without_release(self):
        """Dovecot is started again on mail that Culver has: no UID may stand for two messages, here or there."""
        with culver.Server(start=False) as server, \
                dovecot.Dovecot(server.path("home"), server.uid, server.gid) as other:
            imap = other.imap("alice")
            for n in range(5):
                imap.append("INBOX", "(foo)", None, message(n))
            there = snapshot(imap, ["INBOX"])
            imap.logout()
            other.stop()
            server.start()
            imap = server.imap("alice")
            imap.append("INBOX", "(bar)", None, message(5))
            here = snapshot(imap, ["INBOX"])
            self.assertEqual(here["INBOX"][0], there["INBOX"][0])
            imap.logout()
            server.stop()

            other.start()
            imap = other.imap("alice")
            imap.append("INBOX", "(other)", None, message(6))
            wrong = snapshot(imap, ["INBOX"])
            # Clients there see that nothing is as it was.
            self.assertNotEqual(wrong["INBOX"][0], there["INBOX"][0])
            by_body = {m[3]: m[0] for m in wrong["INBOX"][2].values()}
            self.assertEqual(by_body[message(5)], {"bar"})
            self.assertEqual(len(by_body), 7)
            imap.logout()
            other.stop()

            server.start()
            imap = server.imap("alice")
            again = snapshot(imap, ["INBOX"])
            self.assertEqual(again["INBOX"][0], here["INBOX"][0])
            uids, old = uids_by_body(again, "INBOX"), uids_by_body(here, "INBOX")
            self.assertEqual({b: uids[b] for b in old}, old)
            self.assertGreaterEqual(uids[message(6)], here["INBOX"][1])
            self.assertEqual(again["INBOX"][2][uids[message(6)]][0], {"other"})
            imap.logout()
            self.assertIn("not released", server.log_text())

    def test_interrupted_release(self):
        """A release for a user is done again after it was killed, for all that had not been released."""
        with culver.Server() as server:
            imap = server.imap("bob")
            imap.create("One")
            imap.append("INBOX", None, None, message(1))
            imap.append("One", None, None, message(2))
            imap.logout()
            server.adm("release", "-u", "bob", "One")
            self.assertTrue(os.path.exists(os.path.join(server.maildir("bob"), ".One", "dovecot-uidlist")))
            self.assertFalse(os.path.exists(os.path.join(server.maildir("bob"), "dovecot-uidlist")))
            imap = server.imap("bob")
            self.assertEqual(imap.select("INBOX")[0], "OK")
            self.assertEqual(imap.select("One")[0], "NO")
            imap.logout()
            server.adm("release", "-u", "bob")
            server.adm("adopt", "-u", "bob")
            imap = server.imap("bob")
            self.assertEqual(imap.select("One")[1], [b"1"])
            imap.logout()


if __name__ == "__main__":
    unittest.main()
