# SPDX-License-Identifier: MIT
"""Mail that leaves goes through a real Postfix, and comes back by LMTP where it is for users here."""
import os
import time
import unittest

import culver
import postfix
import test_queue

HAS_POSTFIX = os.geteuid() == 0 and os.access("/usr/sbin/postfix", os.X_OK)


@unittest.skipUnless(HAS_POSTFIX, "needs Postfix")
class RealServer(test_queue.Case):
    """All the way round: what leaves goes to Postfix, which hands it back for other users here."""

    def round(self):
        server = self.serve(0, "auth_username_format = %n\n")
        other = postfix.Postfix(server, "lmtp:unix:" + server.path("run", "lmtp"))
        other.__enter__()
        self.addCleanup(other.__exit__)
        server.add_config("submission_host = 127.0.0.1:%d\n" % other.port)
        server.start()
        return server

    def send(self, server, subject, sender="carol@example.org", to="alice@example.org"):
        server.deliver("From: <%s>\r\nTo: <%s>\r\nMessage-ID: <%s@x>\r\nSubject: %s\r\n\r\nx\r\n" % (sender, to, subject, subject), to, sender=sender)

    def arrived(self, server, subject, user):
        return [x for x in self.inbox(server, user) if b"Subject: " + subject.encode() in x]

    def test_redirect(self):
        server = self.round()
        self.script(server, 'redirect "bob@example.org";')
        self.send(server, "round")
        (got,) = culver.wait_for(lambda: self.arrived(server, "round", "bob"), "it has come round")
        self.assertTrue(got.startswith(b"Return-Path: <carol@example.org>\r\nDelivered-To: bob@example.org\r\n"))
        self.assertEqual(self.arrived(server, "round", "alice"), [])

    def test_each_other(self):
        """Two users who forward to each other, and answer each other: it ends, and one of them has the mail."""
        server = self.round()
        server.allowed = ("it is in a loop",)
        self.script(server, 'redirect "bob@example.org";')
        self.script(server, 'redirect "alice@example.org";', "bob")
        self.send(server, "loop")
        culver.wait_for(lambda: self.arrived(server, "loop", "bob"), "it has ended")
        answer = 'require "vacation"; vacation "Away.";'
        self.script(server, answer)
        self.script(server, answer, "bob")
        self.send(server, "away", sender="bob@example.org")
        culver.wait_for(lambda: self.arrived(server, "Auto: away", "bob"), "the answer has come")
        time.sleep(1)       # an answer to the answer would come within that
        self.assertEqual([len(self.arrived(server, "loop", u)) for u in ("alice", "bob")], [0, 1])
        self.assertEqual([len(self.arrived(server, "Auto:", u)) for u in ("alice", "bob")], [0, 1])

    def test_refused(self):
        """Postfix takes mail for a user whom we refuse, and tells the sender, who is nobody's filter's victim."""
        server = self.round()
        self.script(server, 'redirect "nobody@example.org";')
        self.send(server, "lost", sender="bob@example.org")
        culver.wait_for(lambda: self.arrived(server, "Undelivered Mail", "bob"), "the report has come")


if __name__ == "__main__":
    unittest.main()
