# SPDX-License-Identifier: MIT
"""procmail's recipes in deliveries through LMTP and culver-lda, with the processes shut in as they are in earnest."""
import os
import signal
import threading
import time
import unittest

import culver
from recipes import Recipes, message
from test_queue import Sink


class Places(Recipes):
    sink = Sink()
    extra = """
hostname = mx.example.org
submission_host = localhost:%d
queue_retry_interval = 1 s
""" % sink.port

    def test_mailboxes(self):
        self.rc("alice", ":0\n* ^List-Id:.*<\\/[^.>]+\nmailbox:Lists/$MATCH\n\n:0 c\n* ^Subject: twice\nmailbox:Copy\n")
        self.server.deliver(message("to the list", extra="List-Id: Talk <talk.example.org>\r\n"), "alice")
        self.server.deliver(message("a bad name", extra="List-Id: Talk <../../../bob>\r\n"), "alice")
        for subject in ("twice", "plain"):
            self.server.deliver(message(subject), "alice")
        self.assertEqual(self.subjects("alice", "Lists.talk"), ["to the list"])
        self.assertEqual(self.subjects("alice", "Copy"), ["twice"])
        self.assertEqual(self.subjects("alice"), ["a bad name", "twice", "plain"])
        # The file is changed while its user's worker has it at hand.
        self.rc("alice", ":0\n* ^Subject: again\nmailbox:Other\n")
        self.server.deliver(message("again"), "alice")
        self.assertEqual(self.subjects("alice", "Other"), ["again"])

    def test_files(self):
        os.mkdir(self.home("bob", "Mail"))
        os.chown(self.home("bob", "Mail"), self.server.uid, self.server.gid)
        self.rc("bob", "MAILDIR=$HOME/Mail\nLOGFILE=log\n"
                ":0 c:\nbox\n\n:0 c\nmaildir/\n\n:0 c\nmh/.\n\n:0:\n* ^Subject: file\n| cat >> piped\n")
        text = message("file", body="One\r\nFrom two\r\n")
        self.server.deliver(text, "bob")
        lf = text.replace("\r\n", "\n").encode()
        box = self.read("bob", "Mail", "box")
        self.assertRegex(box, rb"\AFrom sender@example\.org ... ... .. ..:..:.. 20..\nReturn-Path: <sender@example\.org>\n")
        self.assertTrue(box.endswith(lf.replace(b"\nFrom two", b"\n>From two") + b"\n"), box)
        for sub in ("maildir/new", "mh"):
            names = os.listdir(self.home("bob", "Mail", sub))
            self.assertEqual(len(names), 1)
            self.assertIn(lf, self.read("bob", "Mail", sub, names[0]))
        self.assertTrue(self.read("bob", "Mail", "piped").endswith(lf + b"\n"))
        self.assertEqual(self.subjects("bob"), [])
        self.assertEqual([x for x in os.listdir(self.home("bob", "Mail")) if x.endswith(".lock")], [])
        self.assertRegex(self.read("bob", "Mail", "log"), rb" Subject: file\n  Folder: +cat >> piped\t+[0-9 ]+\n")

    def test_locks_named_as_folders(self):
        """A lock file with a folder's name takes neither its mail away, however old that is, nor the new message."""
        old = "From old@example.org Sat Nov 28 05:33:20 2026\nSubject: old\n\nold mail\n\n"
        recipes = {"a": "LOCKEXT=\n:0:\n%s\n", "b": ":0:$HOME/%s\n%s\n", "c": "LOCKFILE=%s\n:0\n%s\n", "d": ":0w:%s\n| cat >>%s\n",
                   "e": "LOCKEXT=\nDEFAULT=%s\n"}
        for there in (True, False):
            for name, text in recipes.items():
                box = "box-%s-%s" % (name, there)
                if there:
                    os.utime(self.write(self.home("dave", box), old, mode=0o600), (1000000000, 1000000000))
                self.rc("dave", "LOCKTIMEOUT=5\nLOCKSLEEP=1\n" + text % ((box,) * text.count("%s")))
                self.server.deliver(message(box), "dave")
                kept = self.read("dave", box).decode() if os.path.exists(self.home("dave", box)) else ""
                if there:
                    self.assertTrue(kept.startswith(old), (box, kept))
                self.assertEqual(kept.count("Subject: " + box) + self.subjects("dave").count(box), 1, (box, kept))
                self.assertFalse(kept.startswith("0"))
        os.unlink(self.home("dave", ".procmailrc"))

    def test_filters(self):
        self.write(self.home("carol", "extra.rc"), "NAME=`echo box | tr a-z A-Z`\n")
        self.rc("carol", "INCLUDERC=$HOME/extra.rc\n:0 fhw\n| formail -A 'X-Seen: yes'\n\n:0 fbw\n| sed -e 's/Hello/Goodbye/'\n\n"
                ":0 fw\n* ^Subject: broken\n| false\n\n:0\nmailbox:$NAME\n")
        self.server.deliver(message("filtered"), "carol")
        self.server.deliver(message("broken"), "carol")
        texts = self.fetch("carol", "BOX")
        self.assertEqual(len(texts), 2)
        for text in texts:
            self.assertTrue(text.startswith(b"Return-Path: <sender@example.org>\r\n"), text)
            self.assertIn(b"\r\nX-Seen: yes\r\n\r\nGoodbye.\r\n", text)
            self.assertEqual(text.count(b"\n"), text.count(b"\r\n"))
        os.unlink(self.home("carol", ".procmailrc"))

    def test_forward(self):
        self.rc("dave", ":0 c\n* ^Subject: forward\n! one@example.net two@example.net\n\n:0\n* ^Subject: loop\n! one@example.net\n")
        self.server.deliver(message("forward"), "dave")
        self.server.deliver(message("loop", extra="X-Loop: one@example.net\r\n"), "dave")
        self.assertEqual(self.subjects("dave"), ["forward", "loop"])
        for _ in range(400):
            if len(self.sink.taken) >= 2:
                break
            time.sleep(0.05)
        self.assertEqual(sorted(x[1] for x in self.sink.taken), ["one@example.net", "two@example.net"], self.sink.taken)
        self.assertIn("Subject: forward", str(self.sink.taken[0]))

    def test_forward_addresses(self):
        """Without a domain it is the recipient's; what is no address goes nowhere."""
        self.rc("dave", ":0\n* ^Subject: local\n! <owner>, 'carol'\n\n:0\n* ^Subject: bad (\\/.*)\n! $MATCH\n\n"
                "NL=\"\n\"\n:0\n* ^Subject: lines\n! \"a@example.net${NL}sender root@example.net\"\n"
                ":0\n* ^Subject: words\n! \"a b@example.net\"\n")
        before = len(self.sink.taken)
        for subject in ("lines", "words", "bad a@b@c", "bad <x"):
            self.server.deliver(message(subject), "dave")
        self.assertEqual(self.subjects("dave")[-4:], ["lines", "words", "bad a@b@c", "bad <x"])
        self.server.deliver(message("local"), "dave")
        deadline = time.monotonic() + 20
        while len(self.sink.taken) < before + 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(sorted(x[1] for x in self.sink.taken[before:]), ["carol@mx.example.org", "owner@mx.example.org"])
        os.unlink(self.home("dave", ".procmailrc"))

    def test_exit_codes(self):
        self.rc("dave", "".join(":0\n* ^Subject: %d\n{\n  EXITCODE=%d\n  :0\n  /dev/null\n}\n" % (n, n) for n in (67, 75, 77, 99)))
        for code, start in ((67, "550 5.1.1 <dave>"), (75, "451 4.2.0 <dave>"), (77, "550 5.7.1 <dave>"), (99, "554 5.3.0 <dave>")):
            self.assertTrue(self.reply(message(str(code)), "dave").startswith(start))
            self.assertEqual(self.lda(message(str(code)), user="dave").returncode, code)
        os.unlink(self.home("dave", ".procmailrc"))

    def test_unchanged(self):
        """What no recipe wants is what it is without recipes, octet for octet."""
        body = "A line\r\n.with a dot\r\nFrom here\r\nbare \r cr \0 nul \xff\r\n\tend without end"
        text = message("same", body=body).replace("\r\n.", "\r\n..").encode("latin-1")
        self.rc("alice", ":0\n* ^Subject: other\nmailbox:Other\n")
        if os.path.exists(self.home("dave", ".procmailrc")):
            os.unlink(self.home("dave", ".procmailrc"))
        stored = []
        for user in ("alice", "dave"):
            self.assertTrue(self.reply(text + b"\r\n", user).startswith("250 "))
            newest = max((os.path.join(self.home(user, "Maildir", sub), name) for sub in ("new", "cur")
                          for name in os.listdir(self.home(user, "Maildir", sub))), key=os.path.getmtime)
            with open(newest, "rb") as f:
                stored.append(f.read().split(b"From: <", 1)[1])
        self.assertEqual(stored[0], stored[1])
        self.assertIn(b"bare \r cr", stored[0])

    def test_first_file_and_why(self):
        """The site's file comes first; the journal tells which recipe it was."""
        self.write(self.server.path("procmailrc"), "SITE=yes\n\n:0\n* ^X-Virus: yes\nmailbox:Virus\n")
        self.rc("carol", "# mine\n:0\n* SITE ?? yes\n* ^Subject: why\nmailbox:Why\n")
        try:
            for extra, subject, place, line in (("X-Virus: yes\r\n", "why", "Virus", "procmailrc line 3"), ("", "why", "Why", ".procmailrc line 2")):
                text = message(subject, extra=extra)
                self.server.deliver(text, "carol")
                self.assertEqual(self.subjects("carol", place), [subject])
                told = self.server.adm("filter", "why", "-u", "carol", text.split("Message-ID: ")[1].split("\r\n")[0])
                self.assertIn("%s: stored mail into mailbox '%s'" % (line, place), told)
            self.rc("carol", ":0 c\n| cat > /dev/null; exit 3\n\n:0 c\nfile\n\n:0 fw\n| false\n")
            text = message("several")
            self.server.deliver(text, "carol")
            told = self.server.adm("filter", "why", "-u", "carol", text.split("Message-ID: ")[1].split("\r\n")[0])
            for step in (".procmailrc line 1: piped message to program cat > /dev/null; exit 3: status 3",
                         ".procmailrc line 4: stored mail into file", ".procmailrc line 7: error: Program failure (1)", "left for INBOX"):
                self.assertIn(step, told)
            # Of what is nowhere, who wanted that.
            self.rc("carol", "X=1\n:0\n* ^Subject: null\n/dev/null\n\n:0\n* ^Subject: host\n{\n  HOST=another\n}\n")
            for subject, step in (("null", ".procmailrc line 2: discarded into /dev/null"), ("host", ".procmailrc line 9: ended by HOST")):
                text = message(subject)
                self.server.deliver(text, "carol")
                told = self.server.adm("filter", "why", "-u", "carol", text.split("Message-ID: ")[1].split("\r\n")[0])
                self.assertIn(step, told)
        finally:
            os.unlink(self.server.path("procmailrc"))
            os.unlink(self.home("carol", ".procmailrc"))

    def test_lda(self):
        self.rc("carol", ":0\n* ^Subject: detail\nmailbox:$1\n\n:0\n* ^Subject: env\n| echo \"$LOGNAME $HOME $SHELL $SENDER $RECIPIENT\" > env\n")
        done = self.lda("From mta@example.org Sat Nov 21 12:00:00 2026\n" + message("env"))
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(self.read("carol", "env").decode(), "carol %s /bin/sh mta@example.org carol\n" % self.home("carol"))
        self.assertEqual(self.lda(message("detail"), "-f", "a@example.org", "-a", "carol+Extra@example.org").returncode, 0)
        self.assertEqual(self.subjects("carol", "Extra"), ["detail"])
        os.unlink(self.home("carol", ".procmailrc"))

    def test_mistakes(self):
        """Whatever is wrong with a file, its user's mail is in INBOX."""
        before = len(self.subjects("dave"))
        texts = ("nonsense\n", ":0\n* ^Subject\n", ":0 QQ\n{\n", "\0\xff\n:0\n", ":0\n/nonexistent/x/y\n",
                 "INCLUDERC=nothing\nSWITCHRC=nothing\n", "LOGFILE=/nonexistent/log\nLOG=x\n", ":0:\n| /nonexistent/program\n",
                 ":0\nmailbox:\n", "{" * 1000, "A=`" * 30, "DEFAULT=/nonexistent/x/\nORGMAIL=/nonexistent/y/\n")
        for number, text in enumerate(texts):
            self.rc("dave", text.encode("latin-1"))
            self.server.deliver(message("error %d" % number), "dave")
        os.unlink(self.home("dave", ".procmailrc"))
        for make in (os.mkdir, os.mkfifo, lambda path: os.symlink("/dev/zero", path), lambda path: os.symlink(path, path)):
            make(self.home("dave", ".procmailrc"))
            self.server.deliver(message("no file"), "dave")
            (os.rmdir if os.path.isdir(self.home("dave", ".procmailrc")) else os.unlink)(self.home("dave", ".procmailrc"))
        self.rc("dave", ":0\n/dev/null\n")
        os.chmod(self.home("dave", ".procmailrc"), 0o666)
        self.server.deliver(message("open to all"), "dave")
        os.chmod(self.home("dave", ".procmailrc"), 0o600)
        if os.geteuid() == 0:
            os.chown(self.home("dave", ".procmailrc"), 12345, -1)
            self.server.deliver(message("another's"), "dave")
        os.unlink(self.home("dave", ".procmailrc"))
        self.assertEqual(len(self.subjects("dave")) - before, len(texts) + 5 + (os.geteuid() == 0))
        self.assertRegex(self.server.log_text(), r"Error: procmail: \S+/dave/.procmailrc line 1: skipped")


class WithSieve(Recipes):
    extra = "mail_plugins = $mail_plugins procmail sieve\n"

    def test_order(self):
        """Recipes first; Sieve has what they leave for INBOX, as they have changed it."""
        self.rc("alice", ":0\n* ^Subject: mine\nmailbox:Mine\n\n:0 fhw\n| formail -A 'X-By: recipes'\n")
        self.write(self.home("alice", ".dovecot.sieve"), 'require ["fileinto", "mailbox", "reject"];\n'
                   'if header "subject" "no" { reject "Not this."; stop; }\n'
                   'if header "x-by" "recipes" { fileinto :create "Sieve"; }\n')
        for subject in ("mine", "other"):
            self.server.deliver(message(subject), "alice")
        self.assertEqual(self.reply(message("no"), "alice"), "550 5.7.1 <alice> Not this.")
        self.assertEqual(self.subjects("alice", "Mine"), ["mine"])
        self.assertEqual(self.subjects("alice", "Sieve"), ["other"])
        self.assertEqual(self.subjects("alice"), [])


class NoPrograms(Recipes):
    extra = "procmail_programs = no\n"

    def test_off(self):
        self.rc("alice", ":0 fhw\n| formail -A 'X-Seen: yes'\n\n:0 c\n| touch $HOME/made\n\n:0 fw\n| sed -e s/a/b/\n\nA=`touch $HOME/made`\n\n"
                ":0\n* ? true\nmailbox:Never\n")
        self.server.deliver(message("off"), "alice")
        self.assertIn(b"X-Seen: yes\r\n", self.fetch("alice")[0])
        self.assertFalse(os.path.exists(self.home("alice", "made")))
        self.assertRegex(self.server.log_text(), r"line 4: Failed to execute \"touch [^\"]*/made\": programs are switched off")


class FromDirectory(Recipes):
    extra = "procmail_programs = %(dir)s/programs\nprocmail_directories = %(dir)s/logs/%%u\n"

    def test_other_directory(self):
        os.makedirs(self.server.path("logs", "bob"))
        os.chown(self.server.path("logs", "bob"), self.server.uid, self.server.gid)
        self.rc("bob", "LOGFILE=%s/log\n:0 c\n%s/file\n\n:0 c\n%s/file\n" % (
            self.server.path("logs", "bob"), self.server.path("logs", "bob"), self.server.path("logs")))
        self.server.deliver(message("elsewhere"), "bob")
        self.assertEqual(sorted(os.listdir(self.server.path("logs", "bob"))), ["file", "log"])
        self.assertEqual(os.listdir(self.server.path("logs")), ["bob"])
        self.assertEqual(self.subjects("bob"), ["elsewhere"])

    def test_directory(self):
        os.mkdir(self.server.path("programs"), 0o755)
        with open(self.server.path("programs", "mark"), "w") as f:
            f.write("#!/bin/sh\necho 'X-Mark: yes'; cat\n")
        os.chmod(self.server.path("programs", "mark"), 0o755)
        self.rc("alice", ":0 fhw\n| mark\n\n:0 fhw\n| /bin/mark\n\n:0 c\n| /usr/bin/touch $HOME/made\n\n:0 c\n| mark > $HOME/made\n\n"
                ":0 c\n| ../programs/../../bin/touch $HOME/made\n")
        self.server.deliver(message("restricted"), "alice")
        self.assertEqual(self.fetch("alice")[0].count(b"X-Mark: yes\r\n"), 2)
        self.assertFalse(os.path.exists(self.home("alice", "made")))


class Many(Recipes):
    users = tuple("user%d" % n for n in range(40))

    def test_many(self):
        """More users of one uid than processes: each has one of its own, and they take turns."""
        for user in self.users:
            self.rc(user, ":0 fhw\n| formail -A \"X-For: `echo $LOGNAME`\"\n\n:0 c\n../%s/box\n\n:0\nbox\n" % self.users[0])
        with self.server.lmtp() as client:
            for user in self.users * 2:
                self.assertEqual(client.sendmail("sender@example.org", [user], message("turn")), {})
        self.assertLessEqual(len(self.server.pids("deliver")), 1 + 2 * 32)
        for user in self.users:
            text = self.read(user, "box")
            self.assertEqual(text.count(b"\nX-For: %s\n" % user.encode()), 4 if user == self.users[0] else 2)
            self.assertEqual(text.count(b"\nX-For: "), 4 if user == self.users[0] else 2)


class Killed(Recipes):
    def children(self, pid):
        with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
            return [int(x) for x in f.read().split()]

    def test_program(self):
        """A delivering process that is killed takes the program with it, and the mail comes again."""
        self.rc("alice", ":0 w\n| echo $$ > $HOME/pid; sleep 1000\n")
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.reply(message("killed"), "alice")))
        thread.start()
        culver.wait_for(lambda: os.path.exists(self.home("alice", "pid")) and self.read("alice", "pid").strip(), "the program runs")
        program = int(self.read("alice", "pid"))
        if os.geteuid() == 0:
            with open("/proc/%d/status" % program) as f:
                self.assertIn("NoNewPrivs:\t0\n", f.read())
        workers = [x for x in self.server.pids("deliver") if any(program in self.children(y) for y in self.children(x))]
        self.assertEqual(len(workers), 1)
        self.server.allowed += ("delivering process", "the channel was closed")
        os.kill(workers[0], signal.SIGKILL)
        thread.join(culver.WAIT)
        self.assertTrue(answers[0].startswith("451 "), answers)
        culver.wait_for(lambda: not os.path.exists("/proc/%d" % program), "the program has ended")
        os.unlink(self.home("alice", ".procmailrc"))
        self.server.deliver(message("killed"), "alice")
        self.assertEqual(self.subjects("alice"), ["killed"])

    def test_helper(self):
        """Programs run again after the process that runs them was killed; the mail that it was at is in INBOX."""
        self.rc("carol", "DEFAULT=mailbox:Kept\n:0\n* ^Subject: kill\n| kill -9 $PPID; sleep 3\n\n:0 fw\n| sed -e s/Hello/Goodbye/\n")
        for subject in ("kill", "one", "two", "three"):
            self.reply(message(subject), "carol")
            time.sleep(0.3)
        self.server.deliver(message("four"), "carol")
        texts = self.fetch("carol", "Kept")
        self.assertIn(b"Subject: kill", texts[0])
        self.assertIn(b"Hello", texts[0])
        self.assertIn(b"Goodbye", texts[-1])

    def test_acknowledged(self):
        """What was acknowledged is there after kill -9 of everything, wherever the recipes put it."""
        self.rc("bob", ":0 c:\nbox\n\n:0 c\nmaildir/\n\n:0 c\nmh/.\n\n:0\nmailbox:Folder\n")
        done = []

        def deliver():
            try:
                while True:
                    number = len(done)
                    self.server.deliver(message("number %d" % number), "bob")
                    done.append(number)
            except Exception:
                return
        for _ in range(2):
            count = len(done)
            thread = threading.Thread(target=deliver)
            thread.start()
            culver.wait_for(lambda: len(done) >= count + 20, "20 deliveries")
            self.server.allowed += ("peer has gone", "the channel was closed")
            self.server.kill_all()
            thread.join(culver.WAIT)
            if os.path.exists(self.home("bob", "box.lock")):
                os.unlink(self.home("bob", "box.lock"))
            self.server.start()
        places = [self.read("bob", "box"), b"".join(self.fetch("bob", "Folder"))]
        for sub in ("maildir/new", "mh"):
            places.append(b"".join(self.read("bob", sub, x) for x in os.listdir(self.home("bob", sub)) if not x.startswith("_")))
        for number in done:
            for text in places:
                self.assertRegex(text, rb"Subject: number %d\r?\n" % number)


if __name__ == "__main__":
    unittest.main()
