# SPDX-License-Identifier: MIT
"""Mail that leaves, while the server is stopped, reloaded or killed: none is lost."""
import contextlib
import os
import signal
import smtplib
import socket
import threading
import time
import unittest

import culver
import test_queue


class Stop(test_queue.Case):
    def test_retry_and_crash(self):
        sink = self.sink()
        sink.answers = lambda recipient: "451 later"
        server = self.serve(sink.port)
        server.start()
        self.script(server, 'redirect "carol@example.com";')
        server.deliver(culver.message(), "alice")
        culver.wait_for(lambda: sink.tries >= 2, "it is tried again")
        server.kill_all()
        self.assertEqual(len(os.listdir(server.path("state", "queue"))), 1)
        sink.answers = lambda recipient: "250 ok"
        server.start()
        culver.wait_for(lambda: sink.taken, "the message has left")
        culver.wait_for(lambda: os.listdir(server.path("state", "queue")) == [], "the queue is empty")
        self.assertEqual(len(sink.taken), 1)

    def test_killed(self):
        """kill -9 of the queue while mail comes in and leaves: what was acknowledged has left, or is with its user."""
        sink = self.sink()
        server = self.serve(sink.port)
        server.allowed = ("",)
        server.start()
        self.script(server, 'redirect "carol@example.com";')
        acknowledged, stop = [], threading.Event()

        def pour(number):
            while not stop.is_set():
                subject = "m-%d-%d-" % (number, len(acknowledged))
                try:
                    server.deliver(culver.message(subject=subject), "alice")
                except (OSError, smtplib.SMTPException, AssertionError):
                    continue        # not acknowledged
                acknowledged.append(subject)
        threads = [threading.Thread(target=pour, args=(n,)) for n in range(2)]
        for thread in threads:
            thread.start()
        try:
            for moment in (0.2, 0.33, 0.41):
                time.sleep(moment)
                for pid in server.pids("queue"):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                culver.wait_for(lambda: server.pids("queue"), "the queue is there again")
        finally:
            stop.set()
            for thread in threads:
                thread.join()

        def is_empty():
            server.adm("queue", "flush", check=False)
            return not [x for x in os.listdir(server.path("state", "queue")) if x[:2] in ("q.", "f.")]
        culver.wait_for(is_empty, "the queue is empty", 3 * culver.WAIT)
        there = b"".join([x[2] for x in sink.taken] + self.inbox(server))
        self.assertGreater(len(acknowledged), 3)
        self.assertEqual([x for x in acknowledged if b"Subject: %s\r\n" % x.encode() not in there], [])

    def test_stop_at_end(self):
        """A stop while the other server thinks about a message that it has waits for the answer: it is not sent again."""
        sink = self.sink()
        asked = threading.Event()

        def end():
            asked.set()
            time.sleep(1.5)
            return "250 taken"
        sink.end = end
        server = self.serve(sink.port)
        server.start()
        self.script(server, 'redirect "carol@example.com";')
        server.deliver(culver.message(), "alice")
        self.assertTrue(asked.wait(culver.WAIT))
        server.stop()
        self.assertEqual(os.listdir(server.path("state", "queue")), [])
        server.start()
        self.assertEqual((sink.tries, len(sink.taken)), (1, 1))

    def test_stop_while_sending(self):
        """What was being sent at a stop, and was not, is sent after the next start."""
        sink = self.sink()
        asked, over = threading.Event(), threading.Event()
        self.addCleanup(over.set)

        def answers(recipient):
            asked.set()
            over.wait(10 * culver.WAIT)
            return "250 ok"
        sink.answers = answers
        server = self.serve(sink.port)
        server.start()
        self.script(server, 'redirect "carol@example.com";')
        server.deliver(culver.message(), "alice")
        self.assertTrue(asked.wait(culver.WAIT))
        server.stop()
        self.assertEqual(len(os.listdir(server.path("state", "queue"))), 1)
        over.set()
        server.start()
        culver.wait_for(lambda: sink.taken, "the message has left")
        culver.wait_for(lambda: os.listdir(server.path("state", "queue")) == [], "the queue is empty")

    def test_stop_program(self):
        """So is what sendmail_path had not taken yet."""
        server = self.serve(0, "submission_host =\nsendmail_path = DIR/sendmail\n")
        os.mkdir(server.path("out"))
        os.chmod(server.path("out"), 0o777)
        with open(server.path("sendmail"), "w") as f:
            f.write('#!/bin/sh\nd=%s\n[ -e $d/begun ] && { cat > $d/text; exit 0; }\n> $d/begun\nexec sleep 1000\n' % server.path("out"))
        os.chmod(server.path("sendmail"), 0o755)
        server.start()
        self.script(server, 'redirect "carol@example.com";')
        server.deliver(culver.message(), "alice")
        culver.wait_for(lambda: os.path.exists(server.path("out", "begun")), "the program runs")
        server.stop()
        self.assertEqual(len(os.listdir(server.path("state", "queue"))), 1)
        server.start()
        culver.wait_for(lambda: os.listdir(server.path("state", "queue")) == [], "the queue is empty")
        self.assertIn("Hello.", server.read("out/text"))

    def test_stop_in_vain(self):
        """A server that never answers keeps nothing from ending."""
        sink = self.sink()
        asked, over = threading.Event(), threading.Event()
        self.addCleanup(over.set)

        def end():
            asked.set()
            over.wait(10 * culver.WAIT)
            return "250 taken"
        sink.end = end
        server = self.serve(sink.port)
        server.start()
        self.script(server, 'redirect "carol@example.com";')
        server.deliver(culver.message(), "alice")
        self.assertTrue(asked.wait(culver.WAIT))
        server.stop()       # looks for processes that stay
        self.assertEqual(len(os.listdir(server.path("state", "queue"))), 1)

    def reload_while_sending(self, answer):
        """A reload while the sink thinks about a recipient: it answers after that."""
        sink = self.sink()
        asked, go = threading.Event(), threading.Event()

        def answers(recipient):
            asked.set()
            go.wait(culver.WAIT)
            return answer
        sink.answers = answers
        server = self.serve(sink.port)
        server.allowed = ("it is in a loop",)
        server.start()
        self.script(server, 'redirect "carol@example.com";')
        server.deliver(culver.message(subject="once"), "alice")
        self.assertTrue(asked.wait(culver.WAIT))
        before = server.pids("queue")
        server.adm("reload")
        culver.wait_for(lambda: "configuration reloaded" in server.log_text(), "the reload")
        culver.wait_for(lambda: set(server.pids("queue")) - set(before), "the new process")
        culver.wait_for(lambda: "another process is sending it" in server.log_text() or
                        server.adm("queue", "flush") is None, "the new one has seen it, and lets it be")
        self.assertEqual(sink.tries, 1)
        go.set()
        return server, sink

    def test_reload_sends_once(self):
        server, sink = self.reload_while_sending("250 ok")
        culver.wait_for(lambda: sink.taken, "the message has left")
        culver.wait_for(lambda: os.listdir(server.path("state", "queue")) == [], "the queue is empty")
        server.adm("queue", "flush")
        self.assertEqual(len(server.adm("queue", "list").splitlines()), 1)     # the titles
        self.assertEqual((sink.tries, len(sink.taken)), (1, 1))
        self.assertEqual(self.inbox(server), [])

    def test_reload_gives_back(self):
        """What the process from before the reload gives up, the new one gives back."""
        server, sink = self.reload_while_sending("550 5.1.1 unknown")

        def notice():
            server.adm("queue", "flush")
            return self.inbox(server)
        self.assertIn(b"Subject: once", culver.wait_for(notice, "the notice is there")[0])
        culver.wait_for(lambda: os.listdir(server.path("state", "queue")) == [], "the queue is empty")
        self.assertEqual((sink.tries, sink.taken), (1, []))

    def test_reload_while_taking_in(self):
        """A message that is being handed in at a reload is taken, and sent by the new process."""
        sink = self.sink()
        server = self.serve(sink.port)
        server.start()
        text = b"Subject: slow\r\n\r\nx\r\n"
        head = ("CULVER-QUEUE 1\nkind send\nuser alice\nsender a@example.org\nrecipient carol@example.com\nsize %d\n\n" % len(text)).encode()
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(culver.WAIT)
            s.connect(server.path("run", "queue"))
            s.sendall(head + text[:5])
            before = server.pids("queue")
            server.adm("reload")
            culver.wait_for(lambda: set(server.pids("queue")) - set(before), "the new process")
            server.adm("queue", "list")
            s.sendall(text[5:])
            self.assertTrue(s.recv(1000).startswith(b"OK"))

        def taken():
            server.adm("queue", "flush")
            return sink.taken
        self.assertIn(b"Subject: slow", culver.wait_for(taken, "the message has left", 60)[0][2])

    def test_reload_while_both(self):
        """The end of what a process from before a reload sends is not the end of what is handed in to it."""
        sink = self.sink()
        asked, go = threading.Event(), threading.Event()

        def answers(recipient):
            asked.set()
            go.wait(culver.WAIT)
            return "250 ok"
        sink.answers = answers
        server = self.serve(sink.port)
        server.start()
        self.script(server, 'redirect "carol@example.com";')
        server.deliver(culver.message(subject="first"), "alice")
        self.assertTrue(asked.wait(culver.WAIT))
        text = b"Subject: slow\r\n\r\nx\r\n"
        head = ("CULVER-QUEUE 1\nkind send\nuser alice\nsender a@example.org\nrecipient carol@example.com\nsize %d\n\n" % len(text)).encode()
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(culver.WAIT)
            s.connect(server.path("run", "queue"))
            s.sendall(head + text[:5])
            before = server.pids("queue")
            server.adm("reload")
            culver.wait_for(lambda: set(server.pids("queue")) - set(before), "the new process")
            culver.wait_for(lambda: "configuration reloaded" in server.log_text(), "the reload")
            time.sleep(0.5)     # the old one takes no more by now; if it still does, the test shows less
            go.set()
            culver.wait_for(lambda: sink.taken and len(os.listdir(server.path("state", "queue"))) == 1, "the first has left")
            time.sleep(0.1)
            s.sendall(text[5:])
            self.assertTrue(s.recv(1000).startswith(b"OK"))


if __name__ == "__main__":
    unittest.main()
