# SPDX-License-Identifier: MIT
"""Scripts that run because of what an IMAP session did (RFC 6785), set up as Dovecot's documentation has it."""
import os
import pwd
import shutil
import subprocess
import tempfile
import time
import unittest

import culver
from test_spam import SPAMD

RULES = """\
protocol imap {
  mail_plugins = $mail_plugins imap_sieve
}
namespace inbox {
  mailbox Spam {
    special_use = \\Junk
    auto = create
  }
  mailbox Trash {
    special_use = \\Trash
    auto = create
  }
  mailbox Work {
    auto = create
  }
}
plugin {
  sieve_plugins = sieve_imapsieve sieve_extprograms

  imapsieve_mailbox1_name = Spam
  imapsieve_mailbox1_causes = COPY FLAG
  imapsieve_mailbox1_before = file:DIR/sieve/report-spam.sieve

  imapsieve_mailbox2_name = *
  imapsieve_mailbox2_from = Spam
  imapsieve_mailbox2_causes = COPY
  imapsieve_mailbox2_before = file:DIR/sieve/report-ham.sieve

  imapsieve_mailbox3_name = Work
  imapsieve_mailbox3_before = file:DIR/sieve/work.sieve
  imapsieve_mailbox3_after = file:DIR/sieve/after.sieve

  sieve_pipe_bin_dir = DIR/bin
  sieve_execute_bin_dir = DIR/bin
  sieve_global_extensions = +vnd.dovecot.pipe +vnd.dovecot.execute +vnd.dovecot.environment +vnd.dovecot.debug +mboxmetadata
MORE}
"""
SPAM_SCRIPT = """\
require ["vnd.dovecot.pipe", "copy", "imapsieve", "environment", "variables", "imap4flags"];
if environment :is "imap.cause" "COPY" {
  pipe :copy "learn.sh" ["spam"];
} elsif anyof (allof (hasflag "\\\\Answered", environment :contains "imap.changedflags" "\\\\Answered"),
               allof (hasflag "$Forwarded", environment :contains "imap.changedflags" "$Forwarded")) {
  pipe :copy "learn.sh" ["replied"];
}
"""
HAM_SCRIPT = """\
require ["vnd.dovecot.pipe", "copy", "imapsieve", "environment", "variables"];
if environment :matches "imap.mailbox" "*" {
  set "mailbox" "${1}";
}
if string "${mailbox}" "Trash" {
  stop;
}
if environment :matches "imap.user" "*" {
  set "username" "${1}";
}
pipe :copy "learn.sh" [ "ham", "${username}" ];
"""
LEARN = """\
#!/bin/sh
cat > "DIR/out/$$.tmp"
echo "$*" > "DIR/out/$$.args"
mv "DIR/out/$$.tmp" "DIR/out/$$.mail"
"""


class Site:
    """A server with scripts and programs of the test."""

    def __init__(self, scripts=None, programs=None, more="", settings="", rules=RULES):
        self.dir = tempfile.mkdtemp(prefix="culver-imapsieve-")
        os.chmod(self.dir, 0o755)
        for name in ("sieve", "bin", "out"):
            os.mkdir(self.path(name))
        os.chmod(self.path("out"), 0o777)
        for name, text in dict({"report-spam": SPAM_SCRIPT, "report-ham": HAM_SCRIPT, "work": "", "after": ""},
                               **(scripts or {})).items():
            if text is not None:
                self.script(name, text)
        for name, text in dict({"learn.sh": LEARN}, **(programs or {})).items():
            with open(self.path("bin", name), "w") as f:
                f.write(text.replace("DIR", self.dir))
            os.chmod(self.path("bin", name), 0o755)
        self.server = culver.Server(extra=rules.replace("MORE", more).replace("DIR", self.dir) + settings)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def script(self, name, text):
        with open(self.path("sieve", name + ".sieve"), "w") as f:
            f.write(text)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        try:
            self.server.__exit__(*exc)
        finally:
            shutil.rmtree(self.dir)

    def learned(self, count):
        """What programs were given: (arguments, mail), when there are so many."""
        def there():
            names = [n[:-5] for n in os.listdir(self.path("out")) if n.endswith(".mail")]
            return names if len(names) >= count else None
        out = []
        for name in culver.wait_for(there, "%d programs ran" % count) if count else there() or []:
            with open(self.path("out", name + ".args")) as a, open(self.path("out", name + ".mail"), newline="") as m:
                out.append((a.read().strip(), m.read()))
        return sorted(out)


def append(imap, mailbox="INBOX", subject="One", flags=None, body="Hello.\r\n"):
    text = culver.message(subject, body)
    typ, data = imap.append(mailbox, flags, None, text.encode())
    assert typ == "OK", data
    return text


def flags_of(imap, number="1"):
    text = imap.fetch(number, "(FLAGS)")[1][0].decode()
    return set(text[text.index("FLAGS (") + 7:].rstrip(")").split()) - {"\\Recent"}


class Learning(unittest.TestCase):
    def test_classic(self):
        """Spam in, ham out, trash neither: as Dovecot's documentation wants it."""
        with Site() as site:
            imap = site.server.imap()
            text = append(imap)
            append(imap, "Spam", "Appended")            # no COPY
            imap.select()
            self.assertEqual(imap.uid("MOVE", "1", "Spam")[0], "OK")
            got = site.learned(1)
            self.assertEqual(got[0][0], "spam")
            self.assertEqual(got[0][1].replace("\r\n", "\n"), text.replace("\r\n", "\n"))
            imap.select("Spam")
            self.assertEqual(imap.copy("2", "INBOX")[0], "OK")
            self.assertEqual(site.learned(2)[0][0], "ham alice")
            self.assertEqual(imap.copy("2", "Trash")[0], "OK")
            # A reply to what is in Spam; other flags are nothing to it.
            imap.store("2", "+FLAGS", "(\\Flagged)")
            imap.store("2", "+FLAGS", "(\\Answered)")
            self.assertEqual(site.learned(3)[1][0], "replied")
            imap.store("2", "+FLAGS", "(\\Answered)")       # it has that
            imap.store("2", "-FLAGS", "(\\Answered)")
            self.assertEqual(flags_of(imap, "2") & {"\\Flagged", "\\Answered"}, {"\\Flagged"})
            imap.logout()
            time.sleep(0.3)
            self.assertEqual(len(site.learned(0)), 3)

    @unittest.skipUnless(SPAMD and shutil.which("spamc"), "needs spamd and spamc")
    def test_spamc(self):
        """The program is spamc, the scanner SpamAssassin's, over the network: programs are shut in by nothing of ours."""
        port = culver.free_ports(["spamd"])["spamd"]
        # spamc ends with 74 where it can not speak with the scanner, which may be busy: then it tries again
        with Site(programs={"learn.sh": "#!/bin/sh\ncat > \"DIR/out/$$.m\"\nfor i in 1 2 3 4; do\n  spamc -L \"$1\" -d 127.0.0.1 -p %d "
                                        "< \"DIR/out/$$.m\"\n  code=$?\n  [ $code = 74 ] || exit $code\n  sleep 1\ndone\nexit 74\n" % port}) as site:
            state = site.path("out", "bayes")
            with open(site.path("spamd.log"), "ab") as log:
                process = subprocess.Popen([SPAMD, "-L", "-x", "-m", "1", "-s", "stderr", "--allow-tell", "-i", "127.0.0.1",
                                            "-p", str(port), "-H", site.path("out"), "-r", site.path("spamd.pid"),
                                            "--cf=bayes_path " + state, "--cf=use_bayes 1",
                                            "--siteconfigpath=/etc/spamassassin"] +
                                           (["-u", "nobody"] if os.geteuid() == 0 else []),
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                def answers():
                    with open(site.path("spamd.log")) as f:
                        return "server started" in f.read()
                culver.wait_for(answers, "spamd is there", 60)
                imap = site.server.imap()
                append(imap, body="Cheap pills for everyone who answers this offer within days.\r\n" * 3)
                imap.select()
                self.assertEqual(imap.uid("MOVE", "1", "Spam")[0], "OK")
                culver.wait_for(lambda: os.path.exists(state + "_toks"), "spamc has learned it", 30)
                imap.logout()
            finally:
                process.terminate()
                process.wait(20)

    def test_slow_program(self):
        """No command waits long for a program, and what waits is done when the session has ended."""
        with Site(programs={"learn.sh": LEARN.replace("cat ", "sleep 1\ncat ", 1)}) as site:
            imap = site.server.imap()
            for n in range(5):
                append(imap, subject="Number %d" % n)
            imap.select()
            start = time.monotonic()
            for n in range(5):
                self.assertEqual(imap.uid("MOVE", str(n + 1), "Spam")[0], "OK")
            imap.logout()
            self.assertLess(time.monotonic() - start, 2.5)
            self.assertEqual([x[0] for x in site.learned(5)], ["spam"] * 5)


    def test_socket(self):
        """The program is a service behind a socket, which the process behind the session asks."""
        user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        service = ("service learn {\n  executable = script DIR/bin/learn.sh by-socket\n  user = %s\n"
                   "  unix_listener programs/learn.sh {\n    mode = 0666\n  }\n}\n" % user)
        rules = RULES.replace("sieve_pipe_bin_dir = DIR/bin", "sieve_pipe_socket_dir = programs").replace(
            "sieve_execute_bin_dir = DIR/bin", "")
        with Site(rules=rules + service) as site:
            imap = site.server.imap()
            append(imap)
            imap.select()
            self.assertEqual(imap.uid("MOVE", "1", "Spam")[0], "OK")
            self.assertEqual(site.learned(1)[0][0], "by-socket spam")
            imap.logout()

    def test_stop(self):
        """What a server that stops has no time for is done by the next process behind a session of that user."""
        with Site(programs={"learn.sh": LEARN.replace("cat ", "[ -e DIR/out/quick ] || sleep 8\ncat ", 1)}) as site:
            site.server.allowed = ("told to end", "ended by signal", "did not end in time", "helper", "was killed")
            imap = site.server.imap()
            for n in range(3):
                append(imap, subject="Number %d" % n)
            append(imap, subject="Later")
            imap.select()
            self.assertEqual(imap.uid("MOVE", "1:2", "Spam")[0], "OK")
            self.assertEqual(imap.uid("MOVE", "3", "Spam")[0], "OK")
            site.server.stop()
            self.assertIn("3 messages waits for the next time: told to end", site.server.log_text())
            site.learned(0)
            open(site.path("out", "quick"), "w").close()
            for name in os.listdir(site.path("out")):
                if name != "quick":
                    os.unlink(site.path("out", name))
            site.server.start()
            imap = site.server.imap()
            imap.select()
            self.assertEqual(imap.uid("MOVE", "4", "Spam")[0], "OK")
            subjects = lambda: {line for _, mail in site.learned(0) for line in mail.splitlines() if line.startswith("Subject:")}
            culver.wait_for(lambda: len(subjects()) == 4, "all messages are learned")


class Actions(unittest.TestCase):
    def test_effects(self):
        """What a quick script did is there when the command is answered."""
        cases = (
            # script, flags of the message in Work, messages in Work, INBOX, Trash
            ("keep;", {"\\Seen"}, 1, 0, 0),
            ("require \"imap4flags\"; addflag \"\\\\Flagged\"; addflag \"todo\";", {"\\Seen", "\\Flagged", "todo"}, 1, 0, 0),
            ("require \"imap4flags\"; removeflag \"\\\\Seen\";", set(), 1, 0, 0),
            ("require \"imap4flags\"; setflag \"\\\\Answered\"; keep;", {"\\Answered"}, 1, 0, 0),
            ("require \"imap4flags\"; if hasflag \"\\\\Seen\" { addflag \"was-seen\"; }", {"\\Seen", "was-seen"}, 1, 0, 0),
            ("discard;", {"\\Seen", "\\Deleted"}, 1, 0, 0),
            ("require \"fileinto\"; fileinto \"Trash\";", {"\\Seen", "\\Deleted"}, 1, 0, 1),
            ("require [\"fileinto\", \"copy\"]; fileinto :copy \"Trash\";", {"\\Seen"}, 1, 0, 1),
            ("require \"fileinto\"; fileinto \"Work\";", {"\\Seen"}, 1, 0, 0),
            # What can not be done leaves the message where it is.
            ("require \"fileinto\"; fileinto \"No/Such\";", {"\\Seen"}, 1, 0, 0),
            ("require \"vnd.dovecot.pipe\"; pipe \"fails.sh\";", {"\\Seen"}, 1, 0, 0),
            ("require \"vnd.dovecot.pipe\"; pipe \"../bin/learn.sh\";", {"\\Seen"}, 1, 0, 0),
            ("require \"vnd.dovecot.pipe\"; pipe \"learn.sh\";", {"\\Seen", "\\Deleted"}, 1, 0, 0),
            ("redirect \"bob@example.org\" }", {"\\Seen"}, 1, 0, 0),
            ("require \"reject\"; reject \"no\";", {"\\Seen"}, 1, 0, 0),
            ("require \"vacation\"; vacation \"no\";", {"\\Seen"}, 1, 0, 0),
            ("require \"editheader\"; addheader \"X\" \"y\";", {"\\Seen"}, 1, 0, 0),
            ("require [\"environment\", \"imap4flags\"]; if allof (environment \"imap.cause\" \"APPEND\", "
             "environment \"imap.mailbox\" \"Work\", environment \"imap.user\" \"alice\", environment \"location\" \"MS\", "
             "environment \"phase\" \"post\", environment \"vnd.dovecot.mailbox-to\" \"Work\", "
             "not environment :contains \"imap.changedflags\" \"\") { addflag \"all-true\"; }",
             {"\\Seen", "all-true"}, 1, 0, 0),
        )
        with Site(scripts={"after": None}, programs={"fails.sh": "#!/bin/sh\nexit 3\n"}) as site:
            site.server.allowed = ("imapsieve",)
            imap = site.server.imap()
            for script, flags, work, inbox, trash in cases:
                site.script("work", script)
                append(imap, "Work", flags="\\Seen")
                imap.select("Work")
                with self.subTest(script=script):
                    self.assertEqual(flags_of(imap), flags)
                    for name, count in (("Work", work), ("INBOX", inbox), ("Trash", trash)):
                        self.assertEqual(imap.status(name, "(MESSAGES)")[1][0].decode().split()[-1], "%d)" % count, name)
                for name in ("Work", "Trash"):
                    imap.select(name)
                    if imap.search(None, "ALL")[1][0]:
                        site.script("work", "")
                        imap.store("1:*", "+FLAGS.SILENT", "\\Deleted")
                        imap.expunge()
            imap.logout()

    def test_expunge_discarded(self):
        with Site(scripts={"work": "discard;"}, more="  imapsieve_expunge_discarded = yes\n") as site:
            imap = site.server.imap()
            append(imap)
            imap.select()
            self.assertEqual(imap.copy("1", "Work")[0], "OK")
            self.assertEqual(imap.status("Work", "(MESSAGES)")[1][0].decode().split()[-1], "0)")
            # Into the selected mailbox: its end is told.
            imap.select("Work")
            append(imap, "Work")
            imap.noop()
            self.assertEqual(imap.search(None, "ALL")[1][0], b"")
            imap.logout()

    def test_chain(self):
        """The next script sees the flags of the one before, and none comes behind a discard."""
        with Site(scripts={"work": "require \"imap4flags\"; addflag \"first\";",
                           "after": "require \"imap4flags\"; if hasflag \"first\" { addflag \"second\"; }"}) as site:
            imap = site.server.imap()
            append(imap, "Work")
            imap.select("Work")
            self.assertEqual(flags_of(imap), {"first", "second"})
            site.script("work", "discard;")
            append(imap, "Work")
            imap.noop()
            self.assertEqual(flags_of(imap, "2"), {"\\Deleted"})
            imap.logout()

    def test_failures(self):
        """Scripts that are wrong, missing, endless: the client hears nothing of it."""
        scripts = ("keep", "require \"nonsense\"; discard;", "\0\xff", None,
                   "require [\"variables\", \"include\"]; include :global \"missing\"; discard;",
                   "require \"fileinto\";" + "".join("fileinto \"Box %d\";" % n for n in range(40)))
        with Site(scripts={"report-spam": None}) as site:
            site.server.allowed = ("imapsieve",)
            imap = site.server.imap()
            append(imap)
            for script in scripts:
                if script is None:
                    os.unlink(site.path("sieve", "work.sieve"))
                else:
                    site.script("work", script)
                imap.select()
                self.assertEqual(imap.copy("1", "Work")[0], "OK")
                imap.select("Work")
                self.assertNotIn("\\Deleted", flags_of(imap, str(len(imap.search(None, "ALL")[1][0].split()))))
            imap.select()
            self.assertEqual(imap.uid("MOVE", "1", "Spam")[0], "OK")
            imap.logout()
            culver.wait_for(lambda: "report-spam.sieve" in site.server.log_text(), "the missing one is told")

    def test_wrong_setting(self):
        with Site(more="  imapsieve_mailbox4_name = x\n  imapsieve_mailbox4_causes = COPY\n  imapsieve_mailbox4_nonsense = 1\n") as site:
            imap = site.server.imap()
            append(imap)
            imap.logout()

    def test_others_are_told(self):
        """Another session that idles hears of what a script did."""
        with Site(scripts={"work": "require \"imap4flags\"; addflag \"\\\\Flagged\";"}) as site:
            with site.server.raw("imap") as watcher:
                watcher.line()
                watcher.ask("a", "LOGIN alice \"%s\"" % culver.PASSWORD)
                watcher.ask("b", "SELECT Work")
                watcher.send(b"c IDLE\r\n")
                watcher.until("+ ")
                imap = site.server.imap()
                append(imap, "Work")
                lines = []
                culver.wait_for(lambda: lines.append(watcher.line()) or "\\Flagged" in str(lines[-1]), "the flag is told")
                imap.logout()

    def test_scripts_of_users(self):
        """A script that the user has stored, and named in the mailbox's metadata; the administrator's run around it."""
        with Site(scripts={"work": "require \"imap4flags\"; addflag \"before\";",
                           "after": "require \"imap4flags\"; if hasflag \"mine\" { addflag \"after\"; }"},
                  more="  imapsieve_url = sieve://sieve.example.com\n",
                  settings="imap_metadata = yes\n") as site:
            site.server.allowed = ("imapsieve",)
            home = site.server.path("home", "alice")
            imap = site.server.imap()
            self.assertIn(b"IMAPSIEVE=sieve://sieve.example.com", imap.capability()[1][0].split())
            append(imap)
            os.mkdir(os.path.join(home, "sieve"))
            for name, text in (("good", "require [\"imap4flags\", \"imapsieve\"]; addflag \"mine\";"),
                               ("pipes", "require \"vnd.dovecot.pipe\"; pipe \"learn.sh\";")):
                with open(os.path.join(home, "sieve", name + ".sieve"), "w") as f:
                    f.write(text)
            imap.select()
            for number, (script, flags) in enumerate((("good", {"before", "mine", "after"}), ("pipes", {"before"}),
                                                      ("missing", {"before"}), ("../good", {"before"}), (None, {"before"})), 1):
                value = "NIL" if script is None else "\"%s\"" % script
                typ, data = imap.xatom("SETMETADATA", "Work", "(/shared/imapsieve/script %s)" % value)
                self.assertEqual(typ, "OK", data)
                self.assertEqual(imap.copy("1", "Work")[0], "OK")
                imap.select("Work")
                with self.subTest(script=script):
                    self.assertEqual(flags_of(imap, str(number)), flags)
                imap.select()
            self.assertEqual(site.learned(0), [])       # users may run no programs
            imap.logout()

    def test_redirect(self):
        with Site(scripts={"work": "require \"copy\"; redirect :copy \"elsewhere@example.net\";"},
                  settings="submission_host = 127.0.0.1:9\n") as site:
            site.server.allowed = ("queue",)
            site.server.deliver(culver.message("Passed on"))
            imap = site.server.imap()
            imap.select()
            self.assertEqual(imap.copy("1", "Work")[0], "OK")
            culver.wait_for(lambda: "elsewhere@example.net" in site.server.adm("queue", "list"), "it is in the queue")
            imap.logout()

    def test_many(self):
        """Hundreds at once are all done, with no command failing."""
        with Site(scripts={"work": "require \"imap4flags\"; addflag \"done\";"}) as site:
            imap = site.server.imap()
            for _ in range(300):
                append(imap)
            imap.select()
            self.assertEqual(imap.uid("MOVE", "1:*", "Work")[0], "OK")
            imap.select("Work")
            culver.wait_for(lambda: len(imap.search(None, "KEYWORD", "done")[1][0].split()) == 300, "all are done", 30)
            imap.logout()

    def test_session_does_not_listen(self):
        """Hundreds of events behind a slow one, of a session that says nothing more: all are worked off."""
        script = ("require [\"vnd.dovecot.execute\", \"imap4flags\"]; "
                  "if header \"subject\" \"Slow\" { execute \"slow.sh\"; } else { addflag \"done\"; }")
        with Site(scripts={"work": script}, programs={"slow.sh": "#!/bin/sh\nsleep 3\n"}) as site:
            imap = site.server.imap()
            append(imap, subject="Slow")
            append(imap)
            imap.select()
            self.assertEqual(imap.copy("1", "Work")[0], "OK")
            for _ in range(500):
                imap.send(b"x UID COPY 2 Work\r\n")
            for _ in range(500):
                while not imap.readline().startswith(b"x OK"):
                    pass
            other = site.server.imap()
            other.select("Work")
            culver.wait_for(lambda: other.noop() and len(other.search(None, "KEYWORD", "done")[1][0].split()) == 500,
                            "all are done", 30)
            other.logout()
            imap.logout()

    def test_hibernation(self):
        """A session that sleeps and wakes up has another process behind it than before."""
        with Site(scripts={"work": "require \"imap4flags\"; addflag \"done\";"},
                  settings="imap_hibernate_timeout = 500ms\n") as site:
            with site.server.raw("imap") as imap:
                imap.line()
                imap.ask("a", "LOGIN alice \"%s\"" % culver.PASSWORD)
                for tag in ("b1", "b2"):
                    imap.send(b"%s APPEND Work {3+}\r\nx\r\n\r\n" % tag.encode())
                    imap.until(tag)
                imap.ask("c", "SELECT Work")
                imap.send(b"d IDLE\r\n")
                imap.until("+ ")
                culver.wait_for(lambda: "Hibernated" in site.server.log_text(), "the session sleeps")
                culver.wait_for(lambda: len(site.server.pids("imap")) == 1, "no process is left but the parent")
                imap.send(b"DONE\r\n")
                imap.until("d OK")
                imap.send(b"e APPEND Work {3+}\r\nx\r\n\r\n")
                imap.until("e OK")
                self.assertIn("1 2 3", str(imap.ask("f", "SEARCH KEYWORD done")))

    def test_killed(self):
        """The process behind a session dies: the next event has another."""
        with Site(scripts={"work": "require \"imap4flags\"; addflag \"done\";"}) as site:
            def behind():
                return [p for p in site.server.pids("imap") if p not in sessions]
            imap = site.server.imap()
            append(imap)
            imap.select()
            sessions = site.server.pids("imap")
            imap.copy("1", "Work")
            found = behind()
            self.assertEqual(len(found), 2)         # it, and what runs its programs
            site.server.allowed = ("was killed",)
            for pid in found:
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass                            # the one for programs goes with the other
            culver.wait_for(lambda: not behind(), "it has gone")
            self.assertEqual(imap.copy("1", "Work")[0], "OK")
            self.assertEqual(imap.copy("1", "Work")[0], "OK")
            imap.select("Work")
            culver.wait_for(lambda: len(imap.search(None, "KEYWORD", "done")[1][0].split()) == 3, "all are done", 10)
            imap.logout()
            culver.wait_for(lambda: not behind(), "it ends with the session")


if __name__ == "__main__":
    unittest.main()
