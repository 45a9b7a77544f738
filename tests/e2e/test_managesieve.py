# SPDX-License-Identifier: MIT
"""ManageSieve: scripts come, are checked, become active, and file mail."""
import base64
import os
import shutil
import socket
import subprocess
import unittest

import culver

EXTRA = """\
protocols = imap pop3 lmtp sieve
protocol lmtp {
  mail_plugins = sieve
}
plugin {
  sieve = file:~/sieve;active=~/.dovecot.sieve
  sieve_quota_max_scripts = 4
  sieve_quota_max_storage = 20K
  sieve_max_script_size = 8K
}
service managesieve-login {
  inet_listener sieve {
    address = 127.0.0.1
    port = %d
  }
}
"""
SCRIPT = 'require ["fileinto", "mailbox"];\r\nif header :contains "subject" "list" {\r\n\tfileinto :create "Lists";\r\n}\r\n'


class Client(culver.Raw):
    """Says lines and literals; an answer is (word, code and text, lines before it)."""

    def __init__(self, server, login=True, user="alice"):
        super().__init__(server, server.ports["sieve"])
        self.greeting = self.answer()
        if login:
            blob = base64.b64encode(("\0%s\0%s" % (user, culver.PASSWORD)).encode()).decode()
            assert self.ask('AUTHENTICATE "PLAIN" "%s"' % blob)[0] == "OK"

    def answer(self):
        lines = []
        while True:
            line = self.line().decode()
            if line == "" and not self.data:
                raise AssertionError("the connection ended: %r" % lines)
            while line.endswith("}") and line[line.rindex("{") + 1:-1].isdigit():
                need = int(line[line.rindex("{") + 1:-1])
                while len(self.data) < need:
                    more = self.socket.recv(65536)
                    assert more, "end in a literal"
                    self.data += more
                text, self.data = self.data[:need].decode(), self.data[need:]
                line = line[:line.rindex("{")] + '"' + text + '"' + self.line().decode()
            word = line.split(" ")[0]
            if word in ("OK", "NO", "BYE"):
                return word, line[len(word) + 1:], lines
            lines.append(line)

    def ask(self, command):
        self.send(command + "\r\n")
        return self.answer()

    def put(self, name, script=SCRIPT, command="PUTSCRIPT"):
        return self.ask('%s %s{%d+}\r\n%s' % (command, '"%s" ' % name if name is not None else "", len(script.encode()), script))


class ManageSieve(unittest.TestCase):
    def setUp(self):
        port = culver.free_ports(["sieve"])["sieve"]
        self.server = culver.Server(start=False, extra=EXTRA % port)
        self.server.ports["sieve"] = port
        self.server.start()

    def tearDown(self):
        self.server.close()

    def login_line(self, user):
        blob = base64.b64encode(("\0%s\0%s" % (user, culver.PASSWORD)).encode()).decode()
        return 'AUTHENTICATE "PLAIN" "%s"' % blob

    def test_unauthenticate(self):
        """Over TLS a session ends, and another user's begins, on one connection."""
        with Client(self.server, login=False) as client:
            self.assertEqual(client.ask("STARTTLS")[0], "OK")
            client.start_tls(self.server)
            before = client.answer()[2]
            self.assertNotIn('"UNAUTHENTICATE"', before)
            self.assertEqual(client.ask("UNAUTHENTICATE")[0], "NO")
            for round in range(3):
                for user in ("alice", "bob"):
                    self.assertEqual(client.ask(self.login_line(user))[0], "OK")
                    told = client.ask("CAPABILITY")[2]
                    self.assertIn('"UNAUTHENTICATE"', told)
                    self.assertIn('"OWNER" "%s"' % user, told)
                    self.assertEqual(client.put(user)[0], "OK")
                    self.assertEqual(client.ask("LISTSCRIPTS")[2], ['"%s"' % user])
                    self.assertEqual(client.ask("UNAUTHENTICATE x")[0], "NO")
                    self.assertEqual(client.ask("UNAUTHENTICATE")[0], "OK")
                    culver.wait_for(lambda: user not in self.server.adm("who"), "%s is gone" % user)
                    self.assertEqual(client.ask("LISTSCRIPTS")[0], "NO")
                    self.assertEqual(client.ask("CAPABILITY")[2], before)
            self.assertEqual(client.ask('AUTHENTICATE "PLAIN" "AGFsaWNlAHdyb25n"')[0], "NO")
            self.assertEqual(client.ask("LOGOUT")[0], "OK")
            self.assertTrue(client.ended())
        with Client(self.server, login=False) as client:        # a session that ends otherwise ends the client's
            self.assertEqual(client.ask("STARTTLS")[0], "OK")
            client.start_tls(self.server)
            client.answer()
            self.assertEqual(client.ask(self.login_line("alice"))[0], "OK")
            self.server.adm("kick", "alice")
            self.assertTrue(client.ended())

    def test_unauthenticate_plain(self):
        """Without TLS the worker has the socket, and gives it back."""
        with Client(self.server, login=False) as client:
            for round in range(3):
                for user in ("alice", "bob"):
                    self.assertEqual(client.ask(self.login_line(user))[0], "OK")
                    told = client.ask("CAPABILITY")[2]
                    self.assertIn('"UNAUTHENTICATE"', told)
                    self.assertIn('"OWNER" "%s"' % user, told)
                    self.assertEqual(client.put(user)[0], "OK")
                    self.assertEqual(client.ask("LISTSCRIPTS")[2], ['"%s"' % user])
                    self.assertEqual(client.ask("UNAUTHENTICATE")[0], "OK")
                    culver.wait_for(lambda: user not in self.server.adm("who"), "%s is gone" % user)
                    self.assertEqual(client.ask("LISTSCRIPTS")[0], "NO")
                    self.assertNotIn('"STARTTLS"', client.ask("CAPABILITY")[2])
                    self.assertEqual(client.ask("STARTTLS")[0], "NO")
            # All at once: what follows is answered by who has the client then.
            client.send("%s\r\nUNAUTHENTICATE\r\n%s\r\nLISTSCRIPTS\r\nUNAUTHENTICATE\r\nNOOP\r\n" %
                        (self.login_line("alice"), self.login_line("bob")))
            said = [client.answer() for _ in range(6)]
            self.assertEqual([x[0] for x in said], ["OK"] * 6)
            self.assertEqual(said[3][2], ['"bob"'])
            # Failures count as ever.
            self.assertEqual(client.ask('AUTHENTICATE "PLAIN" "AGFsaWNlAHdyb25n"')[0], "NO")
            self.assertEqual(client.ask("LOGOUT")[0], "OK")
            self.assertTrue(client.ended())
        with Client(self.server) as client:                     # nobody waits for it there
            self.assertEqual(client.ask("UNAUTHENTICATE")[0], "OK")
            self.assertEqual(client.ask(self.login_line("bob"))[0], "OK")
            self.server.adm("kick", "bob")
            self.assertTrue(client.ended())

    def test_before_login(self):
        with Client(self.server, login=False) as c:
            word, _, lines = c.greeting
            self.assertEqual(word, "OK")
            said = "\n".join(lines)
            for want in ('"IMPLEMENTATION" "Culver"', '"STARTTLS"', '"VERSION" "1.0"', '"NOTIFY" "mailto"', "fileinto", "vacation"):
                self.assertIn(want, said)
            self.assertIn('"SASL" "PLAIN LOGIN"', said)
            self.assertNotIn("testsuite", said)
            self.assertEqual(c.ask("CAPABILITY")[2], lines)
            self.assertEqual(c.ask('NOOP "a b"')[1].split(") ")[0], '(TAG "a b"')
            for wrong in ("LISTSCRIPTS", "NOSUCH", '"x"', 'PUTSCRIPT "a" "b"', 'AUTHENTICATE', 'AUTHENTICATE "NOSUCH"',
                          'AUTHENTICATE "PLAIN" "*"'):
                self.assertEqual(c.ask(wrong)[0], "NO", wrong)
            self.assertEqual(c.ask("LOGOUT")[0], "OK")
            self.assertTrue(c.ended())
        with Client(self.server, login=False) as c:
            blob = base64.b64encode(b"\0alice\0wrong").decode()
            self.assertEqual(c.ask('AUTHENTICATE "PLAIN" "%s"' % blob)[0], "NO")
            # A challenge, and the answer as a literal.
            c.send('AUTHENTICATE "PLAIN"\r\n')
            self.assertEqual(c.line(), b'""')
            blob = base64.b64encode(("\0alice\0" + culver.PASSWORD).encode()).decode()
            self.assertEqual(c.ask("{%d+}\r\n%s" % (len(blob), blob))[0], "OK")
            self.assertEqual(c.ask("STARTTLS")[0], "NO")
            self.assertIn('"OWNER" "alice"', c.ask("CAPABILITY")[2])

    def test_tls(self):
        c = Client(self.server, login=False)
        self.assertEqual(c.ask("STARTTLS")[0], "OK")
        c.start_tls(self.server)
        word, _, lines = c.answer()     # the capabilities come again
        self.assertEqual(word, "OK")
        self.assertNotIn('"STARTTLS"', lines)
        blob = base64.b64encode(("\0alice\0" + culver.PASSWORD).encode()).decode()
        self.assertEqual(c.ask('AUTHENTICATE "PLAIN" "%s"' % blob)[0], "OK")
        self.assertEqual(c.ask("LISTSCRIPTS")[0], "OK")
        c.close()

    def test_scripts(self):
        with Client(self.server) as c:
            self.assertEqual(c.ask("LISTSCRIPTS"), ("OK", c.ask("LISTSCRIPTS")[1], []))
            self.assertEqual(c.put("one")[0], "OK")
            word, text, _ = c.put("wrong", "if nothing {}\r\nfileinto \"x\";\r\n")
            self.assertEqual(word, "NO")
            self.assertIn("line 1", text)
            self.assertIn("line 2", text)
            self.assertEqual(c.put(None, command="CHECKSCRIPT")[0], "OK")
            self.assertEqual(c.put(None, "keep", command="CHECKSCRIPT")[0], "NO")
            word, text, _ = c.put(None, "keep,\r\nkeep;\r\nif true {\r\nstop,;\r\n}\r\njump;\r\n", command="CHECKSCRIPT")
            self.assertEqual(word, "NO")
            for line in "line 1", "line 4", "line 6":
                self.assertIn(line, text)
            self.assertEqual(c.put("zwei \\\"ä\\\"", "keep;\r\n")[0], "OK")
            self.assertEqual(c.ask('SETACTIVE "one"')[0], "OK")
            self.assertEqual(sorted(c.ask("LISTSCRIPTS")[2]), ['"one" ACTIVE', '"zwei \\"ä\\""'])
            self.assertEqual(c.ask('GETSCRIPT "one"')[2], ['"%s"' % SCRIPT])
            self.assertEqual(c.ask('GETSCRIPT "none"')[1][:13], "(NONEXISTENT)")
            self.assertEqual(c.ask('DELETESCRIPT "one"')[1][:8], "(ACTIVE)")
            self.assertEqual(c.ask('RENAMESCRIPT "one" "zwei \\"ä\\""')[1][:15], "(ALREADYEXISTS)")
            self.assertEqual(c.ask('RENAMESCRIPT "one" "eins"')[0], "OK")
            self.assertIn('"eins" ACTIVE', c.ask("LISTSCRIPTS")[2])
            for name in ("../x", "a/b", ""):
                self.assertEqual(c.put(name)[0], "NO", name)
            # What is active files mail.
            self.server.deliver(culver.message("A list"))
            imap = self.server.imap("alice")
            self.assertEqual(imap.select("Lists")[1], [b"1"])
            imap.logout()
            self.assertEqual(c.ask('SETACTIVE ""')[0], "OK")
            self.server.deliver(culver.message("A list"))
            imap = self.server.imap("alice")
            self.assertEqual(imap.select("INBOX")[1], [b"1"])
            imap.logout()
            self.assertEqual(c.ask('DELETESCRIPT "eins"')[0], "OK")
            self.assertEqual(c.ask("LOGOUT")[0], "OK")
        path = self.server.path("home", "alice", "sieve")
        self.assertEqual([x for x in os.listdir(path) if x.endswith(".sieve")], ['zwei "ä".sieve'])

    def test_strings(self):
        """What is wrong is refused whole, with the literals in it; what is right comes back as it was."""
        with Client(self.server) as c:
            for wrong in (b'NOOP "\xff"', b'NOOP "a\\b"', b'NOOP "a', b"NOOP {1", b'PUTSCRIPT x {14+}\r\nLOGOUT\r\nNOOP\r\n',
                          b'FOO "a" {14}\r\nLOGOUT\r\nNOOP\r\n', b'NOOP "' + b"x" * 1025 + b'"'):
                c.send(wrong + b"\r\n")
                self.assertEqual(c.answer()[0], "NO", wrong)
            c.send(b'NOOP {3+}\r\na\xffb\r\n')
            self.assertEqual(c.line(), b"OK (TAG {3}")
            self.assertTrue(c.line().startswith(b'a\xffb) "'))
            self.assertEqual(c.ask('NOOP "%s"' % ("x" * 1024))[1][:11], '(TAG "xxxxx')
            self.assertEqual(c.ask('PUTSCRIPT {3}\r\nold {5}\r\nkeep;')[0], "OK")
            self.assertEqual(c.ask('GETSCRIPT "old"')[2], ['"keep;"'])
            told = c.ask("CAPABILITY")[2]
            self.assertEqual([x for x in told if x.startswith('"SASL"')], [])

    def test_warnings(self):
        """A script that includes one that is not there yet is taken, and its author told."""
        script = 'require "include";\r\ninclude "later";\r\ninclude :optional "never";\r\n'
        with Client(self.server) as c:
            for answer in (c.put(None, script, command="CHECKSCRIPT"), c.put("main", script), c.ask('SETACTIVE "main"')):
                self.assertEqual(answer[:2], ("OK", '(WARNINGS) "line 2: include: there is no script \\"later\\" yet"'))
            word, text, _ = c.put(None, script + 'include "x";\r\n', command="CHECKSCRIPT")
            self.assertEqual((word, text.count("; line 4: include: ")), ("OK", 1))
            self.assertEqual(c.put(None, script + "wrong;", command="CHECKSCRIPT")[0], "NO")
            self.assertEqual(c.put("later", SCRIPT)[1], '"The script is stored."')
            self.assertEqual(c.ask('SETACTIVE "main"')[1], '"The script is active."')

    def test_limits(self):
        with Client(self.server) as c:
            self.assertEqual(c.ask('HAVESPACE "a" 8000')[0], "OK")
            self.assertEqual(c.ask('HAVESPACE "a" 9000')[1][:15], "(QUOTA/MAXSIZE)")
            self.assertEqual(c.put("a", "# " + "x" * 9000)[1][:15], "(QUOTA/MAXSIZE)")
            self.assertEqual(c.put("a", "# " + "x" * 2000000)[1][:15], "(QUOTA/MAXSIZE)")
            for n in range(2):
                self.assertEqual(c.put("s%d" % n, "# " + "x" * 7000)[0], "OK")
            self.assertEqual(c.put("s2", "# " + "x" * 7000)[1][:6], "(QUOTA")
            self.assertEqual(c.put("s0", "# " + "x" * 7000)[0], "OK")
            self.assertEqual(c.put("s2", "keep;")[0], "OK")
            self.assertEqual(c.put("s3", "keep;")[0], "OK")
            self.assertEqual(c.put("s4", "keep;")[1][:18], "(QUOTA/MAXSCRIPTS)")
            for wrong in ("PUTSCRIPT", 'PUTSCRIPT "a"', "PUTSCRIPT a b", 'GETSCRIPT {1', 'HAVESPACE "a" "1"', 'GETSCRIPT "a\0b"'):
                self.assertEqual(c.ask(wrong)[0], "NO", wrong)
            self.assertEqual(c.ask('NOOP')[0], "OK")
            with open(self.server.path("home", "alice", "sieve", "s3.sieve"), "w") as f:
                f.write("#" * 9000)                             # put there by other means
            self.assertEqual(c.ask('SETACTIVE "s3"')[1][:15], "(QUOTA/MAXSIZE)")
            c.send("{99999999999+}\r\n")
            self.assertTrue(c.ended())
        with Client(self.server) as c:                          # the room for a script is not there for a line
            self.assertEqual(c.ask("NOOP" + " " * 60000)[0], "OK")
            c.send("NOOP" + " " * 70000)
            self.assertEqual(c.answer()[0], "BYE")
            self.assertTrue(c.ended())
        self.assertIn("Command too long", self.server.log_text())

    def test_link_among_scripts(self):
        """The link's name is nobody's to write, and mail is filed as its script says all the while."""
        self.server.stop()
        self.server.add_config("plugin {\n  sieve = file:~/sieve;active=~/sieve/active.sieve\n}")
        self.server.start()
        with Client(self.server) as c:
            self.assertEqual(c.put("one")[0], "OK")
            self.assertEqual(c.ask('SETACTIVE "one"')[0], "OK")
            self.assertEqual(c.put("active", "discard;")[0], "NO")
            self.assertEqual(c.ask('DELETESCRIPT "active"')[1][:13], "(NONEXISTENT)")
            self.assertEqual(c.ask('RENAMESCRIPT "one" "active"')[0], "NO")
            self.assertEqual(c.ask("LISTSCRIPTS")[2], ['"one" ACTIVE'])
        self.server.deliver(culver.message("A list"))
        imap = self.server.imap("alice")
        self.assertEqual(imap.select("Lists")[1], [b"1"])
        imap.logout()

    def test_no_home_yet(self):
        """A user whose first act is to store a script."""
        home = self.server.path("home", "alice")
        os.rmdir(home)
        os.chown(self.server.path("home"), self.server.uid, self.server.gid)
        with Client(self.server) as c:
            self.assertEqual(c.ask("LISTSCRIPTS")[2], [])
            self.assertEqual(c.put("one")[0], "OK")
            self.assertEqual(c.ask('SETACTIVE "one"')[0], "OK")
        self.assertEqual(os.readlink(os.path.join(home, ".dovecot.sieve")), "sieve/one.sieve")

    def test_scripts_elsewhere(self):
        """Outside the home, in directories yet to be made; behind a link that the administrator has made."""
        far = self.server.path("far")
        os.makedirs(os.path.join(far, "alice"))
        for path in far, os.path.join(far, "alice"):
            os.chown(path, self.server.uid, self.server.gid)
        os.symlink(os.path.join(far, "alice"), self.server.path("home", "alice", "sieve"))
        with Client(self.server) as c:
            self.assertEqual(c.put("one")[0], "OK")
            self.assertEqual(c.ask('SETACTIVE "one"')[0], "OK")
            self.assertEqual(c.ask("LISTSCRIPTS")[2], ['"one" ACTIVE'])
        self.assert_filed("alice")
        self.server.stop()
        self.server.add_config("plugin {\n  sieve = file:%s/%%u/a/scripts;active=%s/%%u/b/active\n}" % (far, far))
        self.server.start()
        with Client(self.server, user="bob") as c:
            self.assertEqual(c.put("one")[0], "OK")
            self.assertEqual(c.ask('SETACTIVE "one"')[0], "OK")
            self.assertEqual(c.ask("LISTSCRIPTS")[2], ['"one" ACTIVE'])
            self.assertEqual(c.ask('RENAMESCRIPT "one" "two"')[0], "OK")
        self.assert_filed("bob")

    def assert_filed(self, user):
        self.server.deliver(culver.message("A list"), user)
        imap = self.server.imap(user)
        self.assertEqual(imap.select("Lists")[1], [b"1"])
        imap.logout()

    @unittest.skipUnless(os.geteuid() == 0, "needs files of another user")
    def test_files_of_the_administrator(self):
        """A script that another user has put there: no second name for it may be made, but it can be moved."""
        home = self.server.path("home", "alice")
        with Client(self.server) as c:
            self.assertEqual(c.put("one", "keep;")[0], "OK")
            for name in os.path.join(home, ".dovecot.sieve"), os.path.join(home, "sieve", "theirs.sieve"):
                with open(name, "w") as f:
                    f.write(SCRIPT)
            self.assertEqual(c.ask('SETACTIVE "theirs"')[0], "OK")
            self.assertEqual(sorted(c.ask("LISTSCRIPTS")[2]), ['"dovecot.orig"', '"one"', '"theirs" ACTIVE'])
            self.assertEqual(c.ask('RENAMESCRIPT "theirs" "one"')[1][:15], "(ALREADYEXISTS)")
            self.assertEqual(c.ask('RENAMESCRIPT "theirs" "mine"')[0], "OK")
            self.assertEqual(sorted(c.ask("LISTSCRIPTS")[2]), ['"dovecot.orig"', '"mine" ACTIVE', '"one"'])
            self.assertEqual(c.ask('GETSCRIPT "dovecot.orig"')[2], ['"%s"' % SCRIPT])

    def test_mistakes(self):
        """All of them, or as many as the setting says."""
        script = "".join("w%d;\r\n" % n for n in range(1, 9))
        with Client(self.server) as c:
            text = c.put(None, script, command="CHECKSCRIPT")[1]
            self.assertEqual((text.count("is no command"), text[-17:]), (5, '\r\n3 more mistakes"'[-17:]))
        self.server.stop()
        self.server.add_config("managesieve_max_compile_errors = 0")
        self.server.start()
        with Client(self.server) as c:
            text = c.put(None, script, command="CHECKSCRIPT")[1]
            self.assertEqual((text.count("is no command"), "more" in text), (8, False))

    def test_too_many(self):
        self.server.stop()
        self.server.add_config("mail_max_userip_connections = 1")
        self.server.start()
        with Client(self.server), Client(self.server, login=False) as c:
            self.assertEqual(c.ask(self.login_line("alice"))[:2],
                             ("NO", '(TRYLATER) "Too many sessions of this user from this address."'))
            self.assertEqual(c.ask(self.login_line("bob"))[0], "OK")

    def test_silence(self):
        """A client that says nothing is told why the connection ends."""
        self.server.stop()
        self.server.add_config("imap_idle_timeout = 1s")
        self.server.start()
        for tls in False, True:
            with Client(self.server, login=False) as c:
                if tls:
                    c.ask("STARTTLS")
                    c.start_tls(self.server)
                    c.answer()
                self.assertEqual(c.ask(self.login_line("alice"))[0], "OK")
                self.assertEqual(c.answer()[0], "BYE")
                self.assertTrue(c.ended())

    def test_roundcube(self):
        """What its plugin sends: names in UTF-8 as literals, the answers to LOGIN before the questions were read."""
        script = "# rule:[a]\r\nif header :contains \"subject\" \"ä\" {\r\n\tstop;\r\n}\r\n"
        name = "{5+}\r\nn\u00e4me"
        user, password = (base64.b64encode(x.encode()).decode() for x in ("alice", culver.PASSWORD))
        with Client(self.server, login=False) as c:
            self.assertEqual(c.ask("STARTTLS")[0], "OK")
            c.start_tls(self.server)
            self.assertIn('"SASL" "PLAIN LOGIN"', c.answer()[2])
            c.send('AUTHENTICATE "LOGIN"\r\n"%s"\r\n"%s"\r\n' % (user, password))
            self.assertEqual([c.line(), c.line()], [b'"VXNlcm5hbWU6"', b'"UGFzc3dvcmQ6"'])
            self.assertEqual(c.answer()[0], "OK")
            self.assertIn('"OWNER" "alice"', c.ask("CAPABILITY")[2])
            self.assertEqual(c.ask("LISTSCRIPTS")[2], [])
            self.assertEqual(c.ask("HAVESPACE %s 100" % name)[0], "OK")
            self.assertEqual(c.ask("PUTSCRIPT %s {%d+}\r\n%s" % (name, len(script.encode()), script))[0], "OK")
            self.assertEqual(c.ask("SETACTIVE %s" % name)[0], "OK")
            self.assertEqual(c.ask("LISTSCRIPTS")[2], ['"n\u00e4me" ACTIVE'])
            self.assertEqual(c.ask("GETSCRIPT %s" % name)[2], ['"%s"' % script])
            self.assertEqual(c.ask("DELETESCRIPT %s" % name)[1][:8], "(ACTIVE)")
            self.assertEqual(c.ask("LOGOUT")[0], "OK")

    def test_thunderbird(self):
        """What its add-on sends: CAPABILITY right behind the handshake, though the server tells them by itself."""
        with Client(self.server, login=False) as c:
            self.assertEqual(c.ask("STARTTLS")[0], "OK")
            c.start_tls(self.server)
            c.send("CAPABILITY\r\n")
            self.assertEqual(c.answer()[2], c.answer()[2])
            self.assertEqual(c.ask(self.login_line("alice"))[0], "OK")
            self.assertEqual(c.ask("LISTSCRIPTS")[2], [])
            self.assertEqual(c.put("a \\\"b\\\" \\\\")[0], "OK")
            self.assertEqual(c.put(None, "#c\r\nfoo;\r\n", command="CHECKSCRIPT")[1], '"line 2: foo is no command"')
            self.assertEqual(c.ask('RENAMESCRIPT "a \\"b\\" \\\\" "\u00e4"')[0], "OK")
            self.assertEqual(c.ask('SETACTIVE "\u00e4"')[0], "OK")
            self.assertEqual(c.ask("NOOP")[0], "OK")
            self.assertEqual(c.ask("LISTSCRIPTS")[2], ['"\u00e4" ACTIVE'])
            self.assertEqual(c.ask("LOGOUT")[0], "OK")

    @unittest.skipUnless(shutil.which("sieve-connect"), "needs sieve-connect")
    def test_sieve_connect(self):
        with open(self.server.path("script"), "w") as f:
            f.write(SCRIPT)
        with open(self.server.path("secret"), "w") as f:
            f.write(culver.PASSWORD + "\n")

        def run(*words):
            with open(self.server.path("secret")) as secret:
                done = subprocess.run(["sieve-connect", "--server", "localhost", "--port", str(self.server.ports["sieve"]),
                                       "--user", "alice", "--passwordfd", "0", "--tlscafile", self.server.path("cert.pem"),
                                       "--nosslverify"] + list(words), stdin=secret, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            return done.stdout
        run("--localsieve", self.server.path("script"), "--remotesieve", "work", "--upload")
        with open(self.server.path("odd"), "w") as f:
            f.write('require "include";\ninclude "x";\ninclude "y";\n')
        run("--localsieve", self.server.path("odd"), "--remotesieve", "odd", "--upload")
        run("--remotesieve", "work", "--activate")
        self.assertIn('"work" ACTIVE', run("--list"))
        run("--localsieve", self.server.path("back"), "--remotesieve", "work", "--download")
        with open(self.server.path("back"), newline="") as f:
            self.assertEqual(f.read().replace("\r\n", "\n").rstrip(), SCRIPT.replace("\r\n", "\n").rstrip())

    def test_refused(self):
        c = socket.create_connection(("127.0.0.1", self.server.ports["sieve"]), culver.WAIT)
        c.sendall(b"GET / HTTP/1.0\r\n\r\n")
        text = b""
        while True:
            more = c.recv(65536)
            if not more:
                break
            text += more
        self.assertIn(b"BYE", text)
        c.close()


if __name__ == "__main__":
    unittest.main()
