# SPDX-License-Identifier: MIT
"""Scripts of IMAP events, the same ones run here and by Debian's Dovecot."""
import os
import shutil
import tempfile
import unittest

import dovecot
from test_imapsieve import RULES, Site, append, flags_of

PIGEONHOLE = "/usr/lib/dovecot/modules/lib95_imap_sieve_plugin.so"
COMPARED = (
    'keep;', 'discard;', 'stop;',
    'require "imap4flags"; addflag "\\\\Flagged";',
    'require "imap4flags"; removeflag "\\\\Seen";',
    'require "imap4flags"; setflag "\\\\Answered";',
    'require "imap4flags"; setflag "todo"; keep;',
    'require "imap4flags"; keep :flags "\\\\Draft";',
    'require "imap4flags"; if hasflag "\\\\Seen" { addflag "was"; }',
    'require "fileinto"; fileinto "Trash";',
    'require "fileinto"; fileinto "Trash"; keep;',
    'require "fileinto"; fileinto "Work";',
    'require "fileinto"; fileinto "Nope";',
    'require ["fileinto", "copy"]; fileinto :copy "Trash";',
    'require ["fileinto", "mailbox"]; fileinto :create "Made";',
    'require ["fileinto", "imap4flags"]; fileinto :flags "\\\\Flagged" "Trash";',
    'require ["fileinto", "imap4flags"]; addflag "\\\\Flagged"; fileinto "Trash";',
    'require "reject"; reject "no";', 'require "vacation"; vacation "no";', 'require "envelope"; discard;',
    'require ["environment", "imap4flags", "variables", "vnd.dovecot.imapsieve"];'
    'if environment :matches "vnd.dovecot.mailbox-from" "*" { addflag "f-${1}"; }'
    'if environment :matches "vnd.dovecot.mailbox-to" "*" { addflag "t-${1}"; }',
    'require "vnd.dovecot.pipe"; pipe "fails.sh";', 'require "vnd.dovecot.pipe"; pipe "learn.sh";',
    'require ["vnd.dovecot.pipe", "copy"]; pipe :copy "fails.sh";',
    'if header "subject" "One" { discard; }', 'require "include"; include :global "nothere";',
) + tuple('require ["environment", "imap4flags", "variables", "imapsieve"]; if environment :matches "%s" "*" '
          '{ addflag "is-${1}"; } else { addflag "unknown"; }' % item
          for item in ("imap.cause", "imap.mailbox", "imap.user", "imap.changedflags", "location", "phase"))
CHANGED = 'require ["environment", "imap4flags", "imapsieve"];' + "".join(
    'if environment :contains "imap.changedflags" "%s" { addflag "changed-%s"; }' % (flag, flag.strip("\\"))
    for flag in ("\\\\Seen", "\\\\Flagged", "\\\\Answered", "todo"))


@unittest.skipUnless(os.path.exists(PIGEONHOLE), "needs Dovecot's Sieve")
class SameAsDovecot(unittest.TestCase):
    """The same scripts, run by both: the same flags and copies, and the same answers."""

    @staticmethod
    def write(site, text):
        site.script("work", text)
        for name in os.listdir(site.path("sieve")):
            if name.endswith(".svbin"):
                os.unlink(site.path("sieve", name))

    def empty(self, site, imap, *names):
        self.write(site, "")
        for name in names:
            imap.select(name)
            if imap.search(None, "ALL")[1][0]:
                imap.store("1:*", "+FLAGS.SILENT", "\\Deleted")
                imap.expunge()

    @staticmethod
    def look(imap, name):
        imap.select(name)
        count = len(imap.search(None, "ALL")[1][0].split())
        return count, sorted(flags_of(imap, str(count))) if count else None

    def story(self, site, imap):
        out = []
        for name in ("Work", "Trash", "Spam"):
            imap.create(name)
        for script in COMPARED:
            self.empty(site, imap, "Work", "Trash", "INBOX")
            self.write(site, script)
            append(imap, flags="\\Seen")
            imap.select()
            out.append((script, imap.copy("1", "Work")[0], self.look(imap, "Work"), self.look(imap, "Trash"),
                        self.look(imap, "INBOX")))
        for how, flags in (("+FLAGS", "(\\Flagged)"), ("-FLAGS", "(\\Seen)"), ("FLAGS", "(\\Answered todo)"),
                           ("+FLAGS", "(\\Seen)")):
            self.empty(site, imap, "Work")
            append(imap, "Work", flags="\\Seen")
            self.write(site, CHANGED)
            imap.select("Work")
            out.append((how, flags, imap.store("1", how, flags)[0], self.look(imap, "Work")))
        imap.logout()
        return out

    def test_same(self):
        homes = tempfile.mkdtemp(prefix="culver-imapsieve-")
        self.addCleanup(shutil.rmtree, homes)
        with Site(programs={"fails.sh": "#!/bin/sh\nexit 3\n"}) as site:
            site.server.allowed = ("imapsieve",)
            os.chmod(homes, 0o755)
            os.chown(homes, site.server.uid, site.server.gid)
            ours = self.story(site, site.server.imap())
            rules = RULES[:RULES.index("namespace")] + RULES[RULES.index("plugin {"):]
            with dovecot.Dovecot(homes, site.server.uid, site.server.gid,
                                 extra=rules.replace("MORE", "").replace("DIR", site.dir)) as other:
                theirs = self.story(site, other.imap("alice"))
            for mine, theirs_ in zip(ours, theirs):
                with self.subTest(what=mine[0]):
                    self.assertEqual(mine, theirs_)


if __name__ == "__main__":
    unittest.main()
