# SPDX-License-Identifier: MIT
"""Mail goes over from the real Courier: UIDVALIDITY, UIDs, flags, keywords, subscriptions and POP3 UIDLs stay."""
import unittest

import courier
import culver
from test_adopt import message, quoted, snapshot, subscribed, uidls

EXTRA = """\
namespace inbox {
  inbox = yes
  prefix = INBOX.
  separator = .
}
"""
FOLDERS = ("INBOX", "INBOX.Work", "INBOX.Work.2026", "INBOX.Entw&APw-rfe", "INBOX.A &- B", "INBOX.Empty")


@unittest.skipUnless(courier.there(), "Courier is not unpacked")
class FromCourier(unittest.TestCase):
    def fill(self, server, user):
        courier.make(server, user)
        imap = courier.Imap(server, user)
        for name in FOLDERS[1:]:
            self.assertEqual(imap.create(quoted(name))[0], "OK")
        for name in FOLDERS[:1] + FOLDERS[2:]:
            imap.subscribe(quoted(name))
        for n in range(12):
            flags = ("", "\\Seen", "\\Flagged $Label1", "\\Answered Junk \\Seen")[n % 4]
            self.assertEqual(imap.append(quoted(FOLDERS[n % 3]), "(%s)" % flags, None, message(n))[0], "OK")
        # The highest UID is gone, and one in the middle.
        imap.append("INBOX", None, None, message(20))
        imap.select("INBOX")
        imap.store("2,5", "+FLAGS", "(\\Deleted)")
        imap.expunge()
        imap.copy("1", quoted("INBOX.Work"))
        return imap

    def test_adopt(self):
        with culver.Server(start=False, extra=EXTRA) as server:
            imap = self.fill(server, "alice")
            names = courier.uidls(server, "alice")
            before = snapshot(imap, FOLDERS, says_next=False)
            subs = subscribed(imap) - {"INBOX.Work"}    # listed there as the parent of one
            imap.logout()
            self.assertEqual(len(names), 3)
            self.assertEqual(sum(len(before[f][2]) for f in FOLDERS), 12)

            server.start()
            imap = server.imap("alice")
            after = snapshot(imap, FOLDERS)
            for name in FOLDERS:
                validity, _, mails = before[name]
                self.assertEqual(after[name][0], validity, name)
                self.assertGreater(after[name][1], max(mails, default=0), name)
                self.assertEqual(after[name][2], mails, name)
            self.assertEqual(subscribed(imap), subs)
            self.assertEqual(uidls(server.pop3("alice")), names)
            imap.append("INBOX", None, None, message(30))
            imap.select("INBOX")
            new = imap.uid("SEARCH", "SUBJECT", '"Number 30"')[1][0].decode().split()[0]
            self.assertGreater(int(new), 5)     # which was expunged, after 1 to 4
            imap.logout()


if __name__ == "__main__":
    unittest.main()
