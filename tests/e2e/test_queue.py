# SPDX-License-Identifier: MIT
"""Mail that leaves: what filters pass on goes through the queue to a mail server, or to a program, and is never lost."""
import email
import os
import socket
import ssl
import subprocess
import threading
import time
import unittest

import culver

CONFIG = """
hostname = mx.example.org
submission_host = localhost:%(port)d
submission_timeout = 5 s
%(more)s
queue_retry_interval = 1 s
queue_retry_max_interval = 2 s
postmaster_address = postmaster@example.org
protocol lmtp {
  mail_plugins = $mail_plugins sieve
}
"""


class Sink(threading.Thread):
    """A mail server; answers is asked for the reply to each recipient, taken has what it accepted."""

    def __init__(self, context=None, starttls=False, offers=()):
        super().__init__(daemon=True)
        self.offers = offers
        self.rcpt = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.context, self.starttls = context, starttls
        self.answers = lambda recipient: "250 ok"
        self.end = lambda: "250 taken"
        self.taken = []
        self.tries = 0
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            try:
                self.serve(connection)
            except OSError:
                pass
            connection.close()

    def serve(self, connection):
        if self.context and not self.starttls:
            connection = self.context.wrap_socket(connection, server_side=True)
        stream = connection.makefile("rwb")
        secure = bool(self.context and not self.starttls)
        sender = recipient = None

        def say(text):
            stream.write(text.encode() + b"\r\n")
            stream.flush()
        say("220 sink")
        while True:
            line = stream.readline().decode(errors="replace").strip()
            word = line.upper()
            if line == "":
                return
            if word.startswith("EHLO"):
                say("250-sink\r\n250-SMTPUTF8" + ("\r\n250-STARTTLS" if self.starttls and not secure else "")
                    + "".join("\r\n250-" + x for x in self.offers) + "\r\n250-SIZE\r\n250 8BITMIME")
            elif word == "STARTTLS":
                say("220 go")
                connection = self.context.wrap_socket(connection, server_side=True)
                stream = connection.makefile("rwb")
                secure = True
            elif word.startswith("MAIL"):
                sender = line
                say("250 ok")
            elif word.startswith("RCPT"):
                self.tries += 1
                self.rcpt.append(line)
                recipient = line.split("<", 1)[1].split(">")[0]
                say(self.answers(recipient))
            elif word == "DATA":
                say("354 go")
                text = b""
                while not text.endswith(b"\r\n.\r\n"):
                    more = stream.readline()
                    if more == b"":
                        return
                    text += more
                say(self.end())
                self.taken.append((sender, recipient, text[:-3].replace(b"\r\n..", b"\r\n."), secure))
            elif word == "QUIT":
                say("221 bye")
                return
            else:
                say("500 what")

    def close(self):
        self.socket.close()


class Case(unittest.TestCase):
    def serve(self, port, more=""):
        server = culver.Server(start=False)
        self.addCleanup(server.close)
        server.add_config(CONFIG % {"port": port, "more": more.replace("DIR", server.dir)})
        return server

    def script(self, server, text, user="alice"):
        with open(server.path("home", user, ".dovecot.sieve"), "w") as f:
            f.write(text)

    def inbox(self, server, user="alice"):
        imap = server.imap(user)
        imap.select("INBOX", readonly=True)
        data = imap.fetch("1:*", "(BODY.PEEK[])")[1]
        imap.logout()
        return [part[1] for part in data if isinstance(part, tuple)]

    def sink(self, **more):
        sink = Sink(**more)
        self.addCleanup(sink.close)
        return sink


class Queue(Case):
    def test_redirect(self):
        sink = self.sink()
        server = self.serve(sink.port)
        server.start()
        self.script(server, 'redirect "carol@example.com";')
        body = "Gr\u00fc\u00dfe\r\n.dot\r\n..\r\n"
        server.deliver(culver.message(body=body).encode(), "alice")
        culver.wait_for(lambda: sink.taken, "the message has left")
        sender, recipient, text, _ = sink.taken[0]
        self.assertTrue(sender.startswith("MAIL FROM:<sender@example.org> BODY=8BITMIME SIZE="))
        self.assertEqual(recipient, "carol@example.com")
        self.assertTrue(text.startswith(b"X-Sieve-Redirected-From: alice\r\nDelivered-To: alice\r\nReceived: from "))
        self.assertTrue(text.endswith(b"\r\n\r\n" + body.encode()))
        self.assertNotIn(b"Return-Path", text)
        culver.wait_for(lambda: os.listdir(server.path("state", "queue")) == [], "the queue is empty")
        self.assertEqual(self.inbox(server), [])

    DSN = ('require ["redirect-dsn", "redirect-deliverby", "envelope-dsn"]; '
           'redirect :notify "FAILURE,DELAY" :ret "HDRS" :bytimerelative 600 :bymode "%s" :bytrace "carol@example.com";')

    def with_dsn(self, sink, mode):
        server = self.serve(sink.port)
        server.start()
        self.script(server, self.DSN % mode)
        with server.raw("lmtp") as client:
            client.send("LHLO x\r\nMAIL FROM:<sender@example.org> RET=FULL ENVID=QQ+2B1\r\n")
            client.send("RCPT TO:<alice> NOTIFY=SUCCESS ORCPT=rfc822;first+2Bx@example.org\r\nDATA\r\n")
            client.until("354")
            client.send(culver.message("with DSN") + ".\r\n")
            self.assertTrue(client.line().startswith(b"250 "))
        return server

    def test_dsn(self):
        """What a script says of reports and haste is said to the mail server, as far as it knows of them."""
        sink = self.sink(offers=("DSN", "DELIVERBY 60"))
        self.with_dsn(sink, "notify")
        culver.wait_for(lambda: sink.taken, "the message has left")
        self.assertRegex(sink.taken[0][0], r"^MAIL FROM:<sender@example\.org> SIZE=\d+ RET=HDRS ENVID=QQ\+2B1 BY=(600|59\d);NT$")
        self.assertEqual(sink.rcpt, ["RCPT TO:<carol@example.com> NOTIFY=FAILURE,DELAY ORCPT=rfc822;first+2Bx@example.org"])

    def test_no_dsn(self):
        sink = self.sink()
        self.with_dsn(sink, "notify")
        culver.wait_for(lambda: sink.taken, "the message has left")
        self.assertRegex(sink.taken[0][0], r"^MAIL FROM:<sender@example\.org> SIZE=\d+$")
        self.assertEqual(sink.rcpt, ["RCPT TO:<carol@example.com>"])

    def test_no_deliverby(self):
        """Who wants a message back rather than late gets it back from a server that knows no haste."""
        sink = self.sink(offers=("DSN",))
        server = self.with_dsn(sink, "return")
        server.allowed = ("it is in a loop",)
        culver.wait_for(lambda: self.inbox(server), "the user has the message back")
        self.assertEqual(sink.taken, [])
        self.assertIn(b"Subject: with DSN", self.inbox(server)[0])

    def test_given_back(self):
        """What the other server refuses, its user gets, whatever his filter would do with it."""
        sink = self.sink()
        sink.answers = lambda recipient: "550 5.1.1 unknown"
        server = self.serve(sink.port)
        server.start()
        self.script(server, 'redirect "nobody@example.com";')
        server.allowed = ("it is in a loop",)
        server.deliver(culver.message(subject="precious"), "alice")
        notice = culver.wait_for(lambda: self.inbox(server), "the notice is there")[0]
        self.assertIn(b"Subject: Not forwarded to nobody@example.com", notice)
        self.assertIn(b"550 5.1.1 unknown", notice)
        self.assertIn(b"Subject: precious", notice)
        culver.wait_for(lambda: os.listdir(server.path("state", "queue")) == [], "the queue is empty")
        self.assertEqual(sink.tries, 1)

    def test_answer_names_host(self):
        """An answer of the server's own has its Message-ID from `hostname`, not from what the machine calls itself."""
        sink = self.sink()
        server = self.serve(sink.port)
        server.start()
        self.script(server, 'require "vacation"; vacation :addresses "alice@example.org" "Away.";')
        server.deliver(culver.message(), "alice")
        culver.wait_for(lambda: sink.taken, "the answer has left")
        self.assertRegex(str(sink.taken[0]), r"Message-ID: <vacation-[0-9a-f]+@mx\.example\.org>")

    def test_lifetime(self):
        """What could not be sent for too long is given back, with the last answer; an answer of our own is dropped."""
        sink = self.sink()
        sink.answers = lambda recipient: "451 4.2.0 not today"
        server = self.serve(sink.port)
        server.add_config("queue_lifetime = 3 s\n")
        server.allowed = ("it is in a loop",)
        server.start()
        self.script(server, 'require "vacation"; redirect "carol@example.com"; vacation :addresses "alice@example.org" "Away.";')
        server.deliver(culver.message(subject="precious"), "alice")
        self.assertEqual(self.inbox(server), [])
        notice = culver.wait_for(lambda: self.inbox(server), "the notice is there")[0]
        self.assertIn(b"Subject: Not forwarded to carol@example.com", notice)
        self.assertIn(b"451 4.2.0 not today", notice)
        self.assertIn(b"Subject: precious", notice)
        culver.wait_for(lambda: os.listdir(server.path("state", "queue")) == [], "the queue is empty")
        self.assertGreater(sink.tries, 2)
        self.assertEqual(sink.taken, [])
        self.assertIn("to=<sender@example.org>: given up", server.log_text())
        self.assertEqual(len(self.inbox(server)), 1)

    def test_slow_end(self):
        """A server that thinks for long about a message that it has gets it once."""
        sink = self.sink()

        def end():
            time.sleep(2.5)
            return "250 taken"
        sink.end = end
        server = self.serve(sink.port, "submission_timeout = 1 s\n")
        server.start()
        self.script(server, 'redirect "carol@example.com";')
        server.deliver(culver.message(), "alice")
        culver.wait_for(lambda: os.listdir(server.path("state", "queue")) == [], "the queue is empty")
        self.assertEqual(len(sink.taken), 1)

    def test_drips(self):
        """A reply that comes an octet at a time has no more time than another; what is said in it harms no list."""
        sink = self.sink()
        connection = []

        def answers(recipient):
            connection[0].sendall(b"451-")
            while True:     # until nobody listens any more
                time.sleep(0.1)
                connection[0].sendall(b"x")
        serve = sink.serve
        sink.serve = lambda c: (connection.__setitem__(slice(None), [c]), serve(c))
        sink.answers = answers
        server = self.serve(sink.port, "submission_timeout = 1 s\n")
        server.start()
        self.script(server, 'redirect "carol@example.com";')
        server.deliver(culver.message(), "alice")
        culver.wait_for(lambda: "RCPT: the server does not answer" in server.log_text(), "it is given up")
        sink.answers = lambda recipient: "451 4.3.0 a\tb\x1b[31m\u00fc"
        server.adm("queue", "flush")

        def rows():
            return [x for x in server.adm("-f", "tab", "queue", "list").splitlines() if "451 4.3.0" in x]
        row = culver.wait_for(rows, "it is tried again", 3 * culver.WAIT)[0].split("\t")
        self.assertEqual((len(row), row[8]), (9, "RCPT: 451 4.3.0 a?b?[31m??"))
        self.assertNotEqual(server.adm("queue", "flush", "1.2", check=False).returncode, 0)

    def test_size(self):
        """The size that is told is that of what is sent, whose lines end in CR LF."""
        sink = self.sink()
        server = self.serve(sink.port)
        server.start()
        for i, (text, wire) in enumerate(((b"Subject: x\n\nx\n.y", b"Subject: x\r\n\r\nx\r\n.y\r\n"),
                                          (b"Subject: y\r\n\r\nx\r\n", b"Subject: y\r\n\r\nx\r\n"))):
            head = "CULVER-QUEUE 1\nkind send\nuser alice\nsender a@example.org\nrecipient b@example.com\nsize %d\n\n" % len(text)
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(culver.WAIT)
                s.connect(server.path("run", "queue"))
                s.sendall(head.encode() + text)
                self.assertTrue(s.recv(1000).startswith(b"OK"))
            culver.wait_for(lambda: len(sink.taken) == i + 1, "the message has left")
            self.assertEqual((sink.taken[i][0], sink.taken[i][2]), ("MAIL FROM:<a@example.org> SIZE=%d" % len(wire), wire))

    def test_no_way(self):
        """Where mail can not leave at all it stays with its user, at once."""
        for more in ("sendmail_path =\n", "sendmail_path = DIR/nowhere -x\n"):
            server = self.serve(0, "submission_host =\n" + more)
            server.allowed = ("there is no submission_host",)
            server.start()
            self.script(server, 'redirect "carol@example.com";')
            server.deliver(culver.message(), "alice")
            self.assertEqual(len(self.inbox(server)), 1)
            self.assertIn("there is no submission_host, nor can sendmail_path be run", server.log_text())

    def aliases(self, sink, text):
        server = self.serve(sink.port, "recipient_aliases = DIR/aliases\n")
        with open(server.path("aliases"), "w") as f:
            f.write(text)
        server.start()
        return server

    def test_sender_is_told(self):
        """What a table passes on is no user's: of what the other server refuses the sender gets a report."""
        sink = self.sink()
        sink.answers = lambda recipient: "550 5.1.1 unknown" if recipient == "nobody@example.com" else "250 ok"
        server = self.aliases(sink, "list: nobody@example.com\n")
        server.deliver(culver.message(subject="precious", body="gr\u00fcn\r\n").encode(), "list@example.org", sender="bob@example.net")
        culver.wait_for(lambda: sink.taken, "the report has left")
        sender, recipient, text, _ = sink.taken[0]
        self.assertTrue(sender.startswith("MAIL FROM:<> BODY=8BITMIME"))
        self.assertEqual(recipient, "bob@example.net")
        report = email.message_from_bytes(text)
        self.assertEqual((report.get_content_type(), report.get_param("report-type")), ("multipart/report", "delivery-status"))
        self.assertEqual((report["To"], report["Auto-Submitted"]), ("<bob@example.net>", "auto-replied"))
        words, status, original = report.get_payload()
        self.assertIn("550 5.1.1 unknown", words.get_payload())
        message, recipient = status.get_payload()
        self.assertEqual(message["Reporting-MTA"], "dns; mx.example.org")
        self.assertEqual((recipient["Original-Recipient"], recipient["Final-Recipient"], recipient["Action"], recipient["Status"],
                          recipient["Diagnostic-Code"]), ("rfc822; list@example.org", "rfc822; nobody@example.com", "failed", "5.1.1",
                                                          "smtp; 550 5.1.1 unknown"))
        self.assertEqual(original.get_payload(0)["Subject"], "precious")
        culver.wait_for(lambda: os.listdir(server.path("state", "queue")) == [], "the queue is empty")

    def test_no_report(self):
        """Nobody is told of a report that can not be delivered, nor of mail without a sender; the log has both."""
        sink = self.sink()
        sink.answers = lambda recipient: "550 5.1.1 unknown"
        server = self.aliases(sink, "list: nobody@example.com\n")
        server.deliver(culver.message(), "list@example.org", sender="bob@example.net")
        culver.wait_for(lambda: "its sender can not be told" in server.log_text(), "the report is dropped")
        server.deliver(culver.message(), "list@example.org", sender="")
        culver.wait_for(lambda: "from=<> to=<nobody@example.com>: given up: RCPT: 550" in server.log_text(), "the message is dropped")
        culver.wait_for(lambda: os.listdir(server.path("state", "queue")) == [], "the queue is empty")
        self.assertEqual(sink.tries, 3)

    def test_loop(self):
        """Two users who forward to each other: the message ends with one of them."""
        sink = self.sink()
        server = self.serve(sink.port)
        server.start()
        server.allowed = ("it is in a loop",)
        self.script(server, 'redirect "bob@example.org";')
        self.script(server, 'redirect "alice@example.org";', "bob")
        server.deliver(culver.message(), "alice")
        culver.wait_for(lambda: sink.taken, "the message has left")
        server.deliver(sink.taken[0][2], "bob")
        # It names "alice"; the rest of the address is what the transaction has.
        culver.wait_for(lambda: len(sink.taken) == 2, "the message has left again")
        server.deliver(sink.taken[1][2], "alice")
        self.assertEqual(len(self.inbox(server)), 1)
        self.assertEqual(len(sink.taken), 2)

    def test_tls(self):
        for starttls in (False, True):
            server = self.serve(0)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(server.path("cert.pem"), server.path("key.pem"))
            sink = self.sink(context=context, starttls=starttls)
            server.add_config("submission_host = localhost:%d\nsubmission_ssl = %s\nssl_client_ca_file = %s\n" % (
                sink.port, "starttls" if starttls else "smtps", server.path("cert.pem")))
            server.start()
            self.script(server, 'redirect "carol@example.com";')
            server.deliver(culver.message(), "alice")
            culver.wait_for(lambda: sink.taken, "the message has left")
            self.assertTrue(sink.taken[0][3])

    def test_untrusted(self):
        """A server that can not prove its name gets no mail."""
        server = self.serve(0)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server.path("cert.pem"), server.path("key.pem"))
        sink = self.sink(context=context)
        server.add_config("submission_host = localhost:%d\nsubmission_ssl = smtps\n" % sink.port)
        server.start()
        self.script(server, 'redirect "carol@example.com";')
        server.deliver(culver.message(), "alice")
        culver.wait_for(lambda: "certificate" in server.log_text(), "the certificate is not believed")
        self.assertEqual(sink.taken, [])

    def test_program(self):
        server = self.serve(0, "submission_host =\nsendmail_path = DIR/sendmail -x\n")
        os.mkdir(server.path("out"))
        os.chmod(server.path("out"), 0o777)
        with open(server.path("sendmail"), "w") as f:
            f.write('#!/bin/sh\nd=%s\n[ -e $d/fail ] && { echo "2 not\\tnow" >&2; echo again >&2; exit 75; }\nprintf "%%s\\n" "$@" > $d/args\ncat > $d/text.new\n'
                    'mv $d/text.new $d/text\n' % server.path("out"))
        os.chmod(server.path("sendmail"), 0o755)
        with open(server.path("out", "fail"), "w"):
            pass
        server.start()
        self.script(server, 'redirect "carol@example.com";')
        server.deliver(culver.message(), "alice")
        culver.wait_for(lambda: "sendmail_path ended with status 75: 2 not?now again\n" in server.log_text(), "it fails at first")
        os.unlink(server.path("out", "fail"))
        culver.wait_for(lambda: os.path.exists(server.path("out", "text")), "the program has it")
        self.assertEqual(server.read("out/args").split("\n"), ["-x", "-i", "-f", "sender@example.org", "--",
                                                              "carol@example.com", ""])
        with open(server.path("out", "text"), "rb") as f:
            self.assertNotIn(b"\r", f.read())
        culver.wait_for(lambda: os.listdir(server.path("state", "queue")) == [], "the queue is empty")

    def test_no_queue(self):
        """Without a queue to take it, mail stays with its user."""
        server = self.serve(0, "service queue {\n  unix_listener queue {\n    mode = 0\n  }\n}\n")
        server.allowed = ("the queue at",)
        server.start()
        self.script(server, 'redirect "carol@example.com";')
        server.deliver(culver.message(), "alice")
        self.assertEqual(len(self.inbox(server)), 1)

    def test_tool(self):
        sink = self.sink()
        sink.answers = lambda recipient: "451 later"
        server = self.serve(sink.port)
        server.add_config("queue_retry_interval = 1 hour\nqueue_retry_max_interval = 1 hour\n")
        server.start()
        self.script(server, 'redirect "carol@example.com";')
        for i in range(2):
            server.deliver(culver.message(subject="number %d" % i), "alice")
        culver.wait_for(lambda: server.adm("-f", "tab", "queue", "list").count("451 later") == 2, "both have failed once")
        rows = [line.split("\t") for line in server.adm("-f", "tab", "queue", "list").splitlines()[1:]]
        self.assertEqual([(r[1], r[2], r[3], r[4]) for r in rows],
                         [("redirect", "alice", "sender@example.org", "carol@example.com")] * 2)
        self.assertNotEqual(server.adm("queue", "delete", "1.2", check=False).returncode, 0)
        server.adm("queue", "delete", rows[0][0])
        sink.answers = lambda recipient: "250 ok"
        server.adm("queue", "flush")
        culver.wait_for(lambda: sink.taken, "the other one has left")
        culver.wait_for(lambda: os.listdir(server.path("state", "queue")) == [], "the queue is empty")
        self.assertEqual(len(sink.taken), 1)

    @unittest.skipUnless(os.geteuid() == 0, "needs another user")
    def test_crowd(self):
        """A user of the system who takes all connections that he gets does not keep others from theirs."""
        sink = self.sink()
        server = self.serve(sink.port)
        server.start()
        self.script(server, 'redirect "carol@example.com";')
        order = ("import os,socket,sys; os.setuid(%d); l=[socket.socket(socket.AF_UNIX) for _ in range(300)]\n"
                 "for s in l: s.connect(%r)\n"
                 "print('there', flush=True); sys.stdin.read()" % (server.uid - 1, server.path("run", "queue")))
        crowd = subprocess.Popen(["python3", "-c", order], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.assertEqual(crowd.stdout.readline(), b"there\n")
            server.deliver(culver.message(), "alice")
            culver.wait_for(lambda: sink.taken, "the message has left")
            self.assertEqual(self.inbox(server), [])
        finally:
            crowd.stdin.close()
            crowd.wait(culver.WAIT)
            crowd.stdout.close()

    def test_strangers(self):
        """What is no message is refused, and orders are the administrator's."""
        server = self.serve(0)
        server.start()
        for text, answer in ((b"GET / HTTP/1.0\r\n\r\n", b"NO "), (b"CULVER-QUEUE 1\nsize 1\n\n", b"NO "),
                             (b"CULVER-QUEUE 1\nkind send\nrecipient a@b\nsize 999999999999\n\n", b"NO ")):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(culver.WAIT)
                s.connect(server.path("run", "queue"))
                s.sendall(text)
                self.assertTrue(s.recv(1000).startswith(answer))
        if os.geteuid() == 0:
            order = ("import os,socket; os.setuid(%d); s=socket.socket(socket.AF_UNIX); s.connect(%r); "
                     "s.sendall(b'LIST\\n'); print(s.recv(100))" % (server.uid, server.path("run", "queue")))
            done = subprocess.run(["python3", "-c", order], capture_output=True, text=True, timeout=60)
            self.assertIn("NO that is the administrator's", done.stdout)


if __name__ == "__main__":
    unittest.main()
